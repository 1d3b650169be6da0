//! Passwords: Argon2id, at a cost, a few at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::error::{Error, Rule};

/// OWASP Password Storage Cheat Sheet (2024), Argon2id: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Shortest password, in characters: NIST SP 800-63B-4 section 3.1.1.2 asks for 8 at least, better 15.
pub const MIN_PASSWORD_CHARS: usize = 10;
/// Longest password, in bytes: no reason to hash more.
pub const MAX_PASSWORD_BYTES: usize = 512;

/// Hashes and checks passwords, at most so many at once: each takes 19 MiB and some 20 ms of a core.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
    /// Checked for accounts that do not exist, so that these take as long.
    dummy: Arc<str>,
}

impl Passwords {
    pub(crate) fn new(at_once: usize) -> Result<Self, Error> {
        let nobody = crate::secret::Secret::session()?;
        Ok(Self {
            places: Arc::new(Semaphore::new(at_once.max(1))),
            dummy: hash(nobody.expose())?.into(),
        })
    }

    /// The hash of a new password, in PHC string format.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Error> {
        let length = password.chars().count();
        if length < MIN_PASSWORD_CHARS || password.len() > MAX_PASSWORD_BYTES {
            return Err(Rule::Password {
                least: MIN_PASSWORD_CHARS,
                most: MAX_PASSWORD_BYTES,
            }
            .into());
        }
        let password = Zeroizing::new(password.to_owned());
        self.run(move || hash(&password)).await?
    }

    /// Whether the password fits the hash; without a hash, `false` after the same work.
    pub(crate) async fn verify(&self, password: &str, stored: Option<String>) -> Result<bool, Error> {
        if password.len() > MAX_PASSWORD_BYTES {
            return Ok(false);
        }
        let password = Zeroizing::new(password.to_owned());
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.to_string());
        let fits = self
            .run(move || {
                let parsed =
                    PasswordHash::new(&stored).map_err(|_| Error::Internal("a stored password hash"))?;
                Ok::<bool, Error>(argon2()?.verify_password(password.as_bytes(), &parsed).is_ok())
            })
            .await??;
        Ok(fits && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let place = self
            .places
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Error::Internal("shutting down"))?;
        let work = move || {
            // Held by the work itself: who gives up waiting does not free the place.
            let _place = place;
            work()
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Error::Internal("hashing a password"))
    }
}

fn argon2() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| Error::Internal("argon2"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, Error> {
    let hash: PasswordHash = argon2()?
        .hash_password(password.as_bytes())
        .map_err(|_| Error::Internal("hashing a password"))?;
    Ok(hash.to_string())
}
