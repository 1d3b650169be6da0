//! Plain SQL over open data.

use i18n::Message;
use query::{QueryError, Refused};

use super::{Told, engine, say};

impl Told for QueryError {
    fn told(&self) -> Message {
        match self {
            Self::TooLong { got, limit } => say("why-sql-too-long").with("got", *got).with("limit", *limit),
            Self::Invalid(reason) => engine::told(reason, "why-sql-invalid"),
            Self::Value(reason) => engine::told(reason, "why-sql-value"),
            Self::UnknownColumn { name, known } if known.is_empty() => {
                say("why-sql-no-column").with("name", name.as_str())
            }
            Self::UnknownColumn { name, known } => say("why-sql-column")
                .with("name", name.as_str())
                .with("known", known.as_str()),
            Self::Refused(refused) => refused.told(),
            Self::UnknownTable(name) => say("why-sql-table").with("name", name.as_str()),
            Self::Timeout(seconds) => say("why-sql-timeout").with("seconds", *seconds),
            Self::Memory => say("why-sql-memory"),
            Self::Busy => say("why-sql-busy"),
            Self::Internal => say("problem-internal"),
        }
    }
}

impl Told for Refused {
    fn told(&self) -> Message {
        match self {
            Self::Statement(name) => say("why-sql-statement").with("name", *name),
            Self::NoQuery => say("why-sql-no-query"),
            Self::Placeholder => say("why-sql-placeholder"),
            Self::Concatenation => say("why-sql-concatenation"),
            Self::InFilter(construct) => {
                let what = Message::new(format!("why-construct-{}", construct.as_str()));
                say("why-sql-in-filter").with("what", what)
            }
        }
    }
}
