//! What can go wrong with accounts and credentials.

use model::{Category, OrganizationKind, Role};

use crate::authority::Denied;

/// The rule that a name, password, role or token breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// The code of an area.
    #[error("a region is a GB/T 2260 code of 6, 9 or 12 digits")]
    Region,
    /// What a person is called.
    #[error("a person's name has 1 to 80 characters")]
    DisplayName,
    /// What they sign in with.
    #[error("a user name has 2 to 40 of a-z, 0-9, '.', '_' and '-', and begins with a letter")]
    Username,
    /// Roles belong to kinds of organisations.
    #[error("the role {} cannot be held in an organisation of kind {}", .role.as_str(), .kind.as_str())]
    RoleOfOtherHouse {
        /// The role.
        role: Role,
        /// The kind.
        kind: OrganizationKind,
    },
    /// Management, audit and operation are separate (GB/T 39477-2020).
    #[error("one person cannot hold two of reviewer, auditor and admin (GB/T 39477-2020)")]
    SeparateRoles,
    /// How long a password is.
    #[error("a password has at least {least} characters and at most {most} bytes")]
    Password {
        /// In characters.
        least: usize,
        /// In bytes.
        most: usize,
    },
    /// What a token is called.
    #[error("a token's name has 1 to 80 characters")]
    TokenName,
    /// A token that could do nothing.
    #[error("a token needs at least one scope")]
    NoScope,
    /// How long a token lives.
    #[error("a token lives 1 to {most} days; got {got}")]
    TokenDays {
        /// The most.
        most: i64,
        /// What was asked.
        got: i64,
    },
    /// How many tokens one person has.
    #[error("at most {0} tokens at once; withdraw one first")]
    TooManyTokens(usize),
}

/// Why an act on accounts did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name, password or list of roles breaks its rule.
    #[error(transparent)]
    Invalid(#[from] Rule),
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
