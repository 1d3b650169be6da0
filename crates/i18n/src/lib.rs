//! What the portal says to people, in Chinese and in English.
//!
//! Messages are Fluent resources (`locales/<tag>/*.ftl`), compiled in. [`Translator::text`] formats one, a [`Message`]
//! is one whose language is not known yet;
//! [`negotiate`] chooses the language of an answer; [`mod@format`] writes numbers, sizes and dates.

pub mod format;
mod message;
mod negotiation;
mod translator;

pub use message::{Message, Part};
pub use negotiation::negotiate;
pub use translator::{Argument, Translator, Value, is_untranslated};
