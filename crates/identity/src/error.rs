//! What can go wrong with accounts and credentials.

use model::Category;

use crate::authority::Denied;

/// Why an act on accounts did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name, password or list of roles breaks its rule, which the message states.
    #[error("{0}")]
    Invalid(String),
    /// The user name or password is wrong, or the account is closed: it is not told which.
    #[error("the user name or the password is wrong")]
    WrongCredentials,
    /// Too many failures from this account or address.
    #[error("too many failed attempts; try again in {seconds} seconds")]
    Throttled {
        /// How long to wait.
        seconds: i64,
    },
    /// The name is taken.
    #[error("{what} {name:?} is taken; choose another")]
    Taken {
        /// What it would name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// There is no such account, organisation or token, or the actor may not know of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The actor may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The database failed or refused.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// Our fault, or the machine's.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl Error {
    /// What kind of failure it is, to the caller.
    pub const fn category(&self) -> Category {
        match self {
            Self::Invalid(_) => Category::Invalid,
            Self::WrongCredentials => Category::Unauthenticated,
            Self::Throttled { .. } => Category::TooMany,
            Self::Taken { .. } => Category::Conflict,
            Self::NotFound(_) => Category::NotFound,
            Self::Denied(denied) => denied.category(),
            Self::Database(error) => error.category(),
            Self::Internal(_) => Category::Internal,
        }
    }

    /// The stable code for problem+json.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "account-invalid",
            Self::WrongCredentials => "wrong-credentials",
            Self::Throttled { .. } => "too-many-attempts",
            Self::Taken { .. } => "name-taken",
            Self::NotFound(_) => "not-found",
            Self::Denied(denied) => match denied.category() {
                Category::Unauthenticated => "unauthenticated",
                _ => "forbidden",
            },
            Self::Database(error) => match error.category() {
                Category::Conflict => "conflict",
                Category::NotFound => "not-found",
                Category::Unavailable => "database-unavailable",
                _ => "internal",
            },
            Self::Internal(_) => "internal",
        }
    }
}
