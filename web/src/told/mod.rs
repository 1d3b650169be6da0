//! What goes wrong, as it is told to people: each error of the crates below as a [`Message`], which its reader gets in
//! their own language. The errors' own texts are English, for logs and programs' authors.
//!
//! No `match` here has a wildcard: an error without words does not compile.

mod account;
mod catalog;
pub(crate) mod engine;
mod model;
mod query;
mod review;
mod sandbox;
#[cfg(test)]
mod tests;

use i18n::{Message, Translator};

pub(crate) use catalog::stored_failure;

/// An error that has words for people.
pub(crate) trait Told {
    /// What happened, where, and what to do.
    fn told(&self) -> Message;
}

/// A message without anything in it.
pub(crate) fn say(key: &'static str) -> Message {
    Message::new(key)
}

/// There is no such thing. The crates name things by English words.
pub(crate) fn no_such(what: &str) -> Message {
    let key = format!("why-thing-{}", what.replace(' ', "-"));
    let thing = if Translator::has(&key) {
        Message::new(key)
    } else {
        say("why-thing-other")
    };
    say("why-not-found").with("what", thing)
}

impl Told for db::Error {
    fn told(&self) -> Message {
        match self {
            Self::UniqueViolation(_) => say("why-exists"),
            Self::ForeignKeyViolation => say("why-linked"),
            Self::NotFound(what) => no_such(what),
            Self::Stale(_) => say("why-stale"),
            Self::BudgetExhausted(purse) => say("why-purse").with("purse", self::sandbox::purse(*purse)),
            Self::Unavailable(_) | Self::Contention => say("why-busy"),
            Self::CheckViolation(_) | Self::Corrupt { .. } | Self::Configuration(_) | Self::Statement(_) => {
                say("problem-internal")
            }
        }
    }
}

impl Told for storage::StorageError {
    fn told(&self) -> Message {
        match self {
            Self::Full { .. } => say("why-storage-full"),
            Self::TooLarge { limit } => {
                say("why-storage-too-large").with("limit", i18n::format::bytes(*limit))
            }
            Self::NotFound(_) => no_such("object"),
            Self::Name(name) => say("why-storage-name").with("name", name.as_str()),
            Self::Manifest(_) | Self::Io { .. } | Self::Read { .. } => say("problem-internal"),
        }
    }
}
