//! Who somebody is and what they may.

use i18n::Message;
use identity::{Denied, Error, Rule};
use model::Category;

use super::{Told, no_such, say};
use crate::page::term::key;

impl Told for Denied {
    fn told(&self) -> Message {
        say(match self.category() {
            Category::Unauthenticated => "why-sign-in",
            _ => "why-denied",
        })
    }
}

impl Told for Error {
    fn told(&self) -> Message {
        match self {
            Self::Invalid(rule) => rule.told(),
            Self::WrongCredentials => say("why-credentials"),
            Self::Throttled { seconds } => say("why-throttled").with("seconds", *seconds),
            Self::Taken { name, .. } => say("why-taken").with("name", name.as_str()),
            Self::NotFound(what) => no_such(what),
            Self::Denied(denied) => denied.told(),
            Self::Database(error) => error.told(),
            Self::Internal(_) => say("problem-internal"),
        }
    }
}

impl Told for Rule {
    fn told(&self) -> Message {
        match self {
            Self::Region => say("why-account-region"),
            Self::DisplayName => say("why-account-name"),
            Self::Username => say("why-account-username"),
            Self::RoleOfOtherHouse { role, kind } => say("why-account-role")
                .with("role", say(key::role(role)))
                .with("kind", say(key::organization_kind(kind))),
            Self::SeparateRoles => say("why-account-separate"),
            Self::Password { least, most } => say("why-account-password")
                .with("least", *least)
                .with("most", *most),
            Self::TokenName => say("why-token-name"),
            Self::NoScope => say("why-token-scope"),
            Self::TokenDays { most, got } => say("why-token-days").with("most", *most).with("got", *got),
            Self::TooManyTokens(most) => say("why-token-count").with("most", *most),
        }
    }
}
