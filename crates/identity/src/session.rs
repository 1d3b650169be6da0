//! Signing in and out.

use db::session::Session;
use db::user::User;
use model::Timestamp;
use subtle::ConstantTimeEq as _;

use crate::Identity;
use crate::actor::{Actor, Credential};
use crate::error::Error;
use crate::secret::{self, Secret};

/// How sessions end and failures are slowed down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// A session ends so long after it was last used.
    pub idle_seconds: i64,
    /// A session ends so long after signing in, used or not.
    pub absolute_seconds: i64,
    /// The failure of this number, of one account, makes it wait for the first time.
    pub account_failures: i64,
    /// The failure of this number, from one address, makes it wait for the first time.
    pub address_failures: i64,
    /// The first wait; each further failure doubles it.
    pub first_wait_seconds: i64,
    /// The longest wait.
    pub longest_wait_seconds: i64,
    /// Failures are forgotten so long after the last one.
    pub forget_seconds: i64,
}

impl Default for SessionPolicy {
    /// Idle 2 hours, 12 hours in all; 5 failures of an account or 50 from an address are free, then waits of
    /// 30 seconds to 15 minutes. The longest wait is short on purpose: whoever knows a user name can make its
    /// owner wait, and must not be able to lock them out.
    fn default() -> Self {
        Self {
            idle_seconds: 2 * 3600,
            absolute_seconds: 12 * 3600,
            account_failures: 5,
            address_failures: 50,
            first_wait_seconds: 30,
            longest_wait_seconds: 900,
            forget_seconds: 3600,
        }
    }
}

/// Uses of a session are noted at most so often: a page view is not worth a write.
const TOUCH_SECONDS: i64 = 60;

/// A session that was just opened.
#[derive(Debug)]
pub struct SignedIn {
    /// What the cookie carries.
    pub secret: Secret,
    /// When the session ends, used or not.
    pub expires_at: Timestamp,
    /// Who signed in.
    pub actor: Actor,
}

/// A session as a request finds it.
#[derive(Debug, Clone)]
pub struct CurrentSession {
    /// Whose it is, with the roles of now.
    pub actor: Actor,
    csrf_secret: [u8; 32],
}

impl CurrentSession {
    /// What every form of this session carries.
    pub fn csrf_token(&self) -> String {
        hex::encode(self.csrf_secret)
    }

    /// Whether a form comes from a page of this session; takes the same time for any text of the right length.
    pub fn accepts_csrf_token(&self, token: &str) -> bool {
        self.csrf_token().as_bytes().ct_eq(token.as_bytes()).into()
    }
}

impl Identity {
    /// Opens a session. `address` is the client's, as text, if it is known.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`], or [`Error::Throttled`] after too many of them; an account that does not
    /// exist is treated like one that does, and takes as long.
    pub async fn sign_in(
        &self,
        username: &str,
        password: &str,
        address: Option<&str>,
    ) -> Result<SignedIn, Error> {
        let user = self.check_password(username, password, address).await?;
        let now = self.clock.now();
        let secret = Secret::session()?;
        let id = secret::session_hash(secret.expose()).ok_or(Error::Internal("a session's secret"))?;
        let session = Session {
            id,
            user_id: user.id,
            csrf_secret: *secret::random()?,
            created_at: now,
            expires_at: now.plus_seconds(self.policy.absolute_seconds),
            last_seen_at: now,
        };
        let actor = self
            .actor_of(user, Credential::Session(id))
            .await?
            .ok_or(Error::WrongCredentials)?;
        let tx = self.db.begin_write().await?;
        db::session::insert(&tx, &session).await?;
        tx.commit().await?;
        Ok(SignedIn {
            secret,
            expires_at: session.expires_at,
            actor,
        })
    }

    /// The session with this secret, if it stands and its account too.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn find_session(&self, secret: &str) -> Result<Option<CurrentSession>, Error> {
        let Some(id) = secret::session_hash(secret) else {
            return Ok(None);
        };
        let Some(session) = db::session::find(self.db.read(), &id).await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        if now >= session.expires_at || now >= session.last_seen_at.plus_seconds(self.policy.idle_seconds) {
            return Ok(None);
        }
        let Some(user) = db::user::find(self.db.read(), session.user_id).await? else {
            return Ok(None);
        };
        let Some(actor) = self.actor_of(user, Credential::Session(id)).await? else {
            return Ok(None);
        };
        if now >= session.last_seen_at.plus_seconds(TOUCH_SECONDS) {
            let tx = self.db.begin_write().await?;
            db::session::touch(&tx, &id, now).await?;
            tx.commit().await?;
        }
        Ok(Some(CurrentSession {
            actor,
            csrf_secret: session.csrf_secret,
        }))
    }

    /// Ends the session with this secret, if there is one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sign_out(&self, secret: &str) -> Result<(), Error> {
        if let Some(id) = secret::session_hash(secret) {
            let tx = self.db.begin_write().await?;
            db::session::delete(&tx, &id).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Forgets sessions that have ended and failures that no longer count. For a regular task.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn forget_ended(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let tx = self.db.begin_write().await?;
        db::session::delete_expired(&tx, now, now.plus_seconds(-self.policy.idle_seconds)).await?;
        db::throttle::delete_before(&tx, now.plus_seconds(-self.policy.forget_seconds)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The account whose password this is.
    ///
    /// The attempt is counted as a failure before it is checked, and taken back when it turns out right:
    /// otherwise a thousand guesses sent at once would all be checked before the first is counted.
    pub(crate) async fn check_password(
        &self,
        username: &str,
        password: &str,
        address: Option<&str>,
    ) -> Result<User, Error> {
        let mut subjects = vec![(secret::hash("account", username), self.policy.account_failures)];
        if let Some(address) = address {
            subjects.push((secret::hash("address", address), self.policy.address_failures));
        }
        // In one order everywhere, so that two attempts cannot wait for each other in a circle.
        subjects.sort_unstable();
        let now = self.clock.now();
        let tx = self.db.begin_write().await?;
        for (subject, free) in &subjects {
            let forgotten_since = now.plus_seconds(-self.policy.forget_seconds);
            let failures = db::throttle::count_failure(&tx, subject, now, forgotten_since).await?;
            // Read after the count, which has locked the row: whoever was faster has its block in it.
            let blocked_until = db::throttle::find_blocked_until(&tx, subject).await?;
            if let Some(until) = blocked_until.filter(|until| *until > now) {
                tx.rollback().await?;
                let seconds = until.micros_since(now).div_euclid(1_000_000) + 1;
                return Err(Error::Throttled { seconds });
            }
            if failures >= *free {
                db::throttle::block(&tx, subject, now.plus_seconds(self.wait(failures - free))).await?;
            }
        }
        tx.commit().await?;
        let found = db::user::find_with_password(self.db.read(), username).await?;
        let (user, hash) = match found {
            Some((user, hash)) => (Some(user), Some(hash)),
            None => (None, None),
        };
        let fits = self.passwords.verify(password, hash).await?;
        match user {
            Some(user) if fits && user.disabled_at.is_none() => {
                let tx = self.db.begin_write().await?;
                for (subject, free) in &subjects {
                    if *subject == secret::hash("account", username) {
                        db::throttle::clear(&tx, subject).await?;
                    } else {
                        db::throttle::forgive(&tx, subject, *free).await?;
                    }
                }
                tx.commit().await?;
                Ok(user)
            }
            _ => Err(Error::WrongCredentials),
        }
    }

    fn wait(&self, beyond: i64) -> i64 {
        let doubled = u32::try_from(beyond)
            .ok()
            .and_then(|n| 1_i64.checked_shl(n))
            .and_then(|factor| self.policy.first_wait_seconds.checked_mul(factor));
        doubled
            .filter(|wait| *wait > 0)
            .unwrap_or(i64::MAX)
            .min(self.policy.longest_wait_seconds)
    }
}
