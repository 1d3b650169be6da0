//! What the portal says to people, in Chinese and in English.
//!
//! Messages are Fluent resources (`locales/<tag>/*.ftl`), compiled in. [`Translator::text`] formats one;
//! [`negotiate`] chooses the language of an answer; [`mod@format`] writes numbers, sizes and dates.

pub mod format;
mod negotiation;
mod translator;

pub use negotiation::negotiate;
pub use translator::{Argument, Translator, Value, is_untranslated};
