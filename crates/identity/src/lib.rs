//! Who people are, and what they may do: organisations, accounts, sessions, tokens, and the one place where
//! authority is decided.
//!
//! Every use-case of the portal takes an [`Actor`] and asks [`Authority::decide`] before it acts. An [`Actor`]
//! with roles comes only from [`Identity`]: by a session ([`Identity::find_session`]), a token
//! ([`Identity::find_token_actor`]) or the portal's own commands ([`Identity::load_actor`]). Roles are read anew
//! for every request, so that what is revoked is gone at once.

mod account;
mod actor;
mod authority;
mod error;
mod password;
mod secret;
mod session;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use db::Database;
use model::Clock;

pub use account::{NewAccount, NewOrganization};
pub use actor::{Actor, Credential, Person};
pub use authority::{Action, Authority, Denied, PolicyError, Resource};
pub use error::{Error, Rule};
pub use password::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS};
pub use secret::Secret;
pub use session::{CurrentSession, SessionPolicy, SignedIn};
pub use token::{MAX_TOKEN_DAYS, MAX_TOKENS};

/// The use-cases of accounts and credentials. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identity {
    db: Database,
    clock: Arc<dyn Clock>,
    authority: Authority,
    policy: SessionPolicy,
    passwords: password::Passwords,
}

impl Identity {
    /// The use-cases over a database; `hashes_at_once` bounds how many passwords are hashed side by side
    /// (19 MiB each).
    ///
    /// # Errors
    /// If the machine has no random bytes.
    pub fn new(
        db: Database,
        clock: Arc<dyn Clock>,
        authority: Authority,
        policy: SessionPolicy,
        hashes_at_once: usize,
    ) -> Result<Self, Error> {
        Ok(Self {
            db,
            clock,
            authority,
            policy,
            passwords: password::Passwords::new(hashes_at_once)?,
        })
    }
}
