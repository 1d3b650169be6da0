//! A new operator's key: every data key is wrapped by it instead of by the old one.

use std::fmt;
use std::io;

use db::Tx;
use db::version_key::VersionKey;
use model::{Slug, VersionId};
use seal::{DataKey, KeyPurpose, OperatorKey};

/// How many data keys a new operator's key wraps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Those that the old one wrapped until now.
    pub anew: usize,
    /// Those that the new one wrapped already.
    pub already: usize,
}

/// A data key, as its operator finds what it seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    /// The dataset.
    pub dataset: Slug,
    /// The version's number there.
    pub number: i64,
    /// The version.
    pub version: VersionId,
    /// What of it the key seals: `original` or `copy`.
    pub purpose: String,
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            dataset,
            number,
            version,
            purpose,
        } = self;
        write!(f, "the {purpose} of version {number} of {dataset} ({version})")
    }
}

/// Why no data key was wrapped anew.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// Neither operator's key opens these.
    #[error("neither the old nor the new operator's key opens the data keys of: {}", list(.0))]
    Closed(Vec<KeyName>),
    /// What is stored now is not what was to be stored.
    #[error(
        "the data keys in the database were changed by somebody else meanwhile; stop all processes of the portal"
    )]
    Changed,
    /// There are no random bytes.
    #[error("wrapping a data key failed")]
    Wrap(#[source] io::Error),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

fn list(names: &[KeyName]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join("; ")
}

/// Wraps every data key that is not destroyed by `new` instead of `old`, and opens each again from what is then stored.
/// Keys that `new` opens already stay as they are, so that doing it again, or going on after it broke off, is harmless.
/// Nothing is kept unless the caller commits; after an error it must not.
///
/// # Errors
/// [`RewrapError`]; [`RewrapError::Closed`] names all that neither key opens.
pub async fn rewrap(tx: &Tx, old: &OperatorKey, new: &OperatorKey) -> Result<Rewrapped, RewrapError> {
    let mut done = Rewrapped::default();
    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    for stored in db::version_key::list_kept(tx).await? {
        if let Some((_, key)) = open(&stored, new) {
            done.already += 1;
            opened.push((stored, key));
        } else if let Some((purpose, key)) = open(&stored, old) {
            let after = new
                .wrap(&key, stored.version, purpose)
                .map_err(RewrapError::Wrap)?;
            let before = stored.wrapped.as_deref().unwrap_or_default();
            db::version_key::rewrap(tx, stored.version, purpose.as_str(), before, &after).await?;
            done.anew += 1;
            opened.push((stored, key));
        } else {
            closed.push(name(tx, stored).await?);
        }
    }
    if !closed.is_empty() {
        return Err(RewrapError::Closed(closed));
    }
    let stored = db::version_key::list_kept(tx).await?;
    let holds = stored.len() == opened.len()
        && stored.iter().zip(&opened).all(|(now, (before, key))| {
            (now.version, &now.purpose) == (before.version, &before.purpose)
                && open(now, new).is_some_and(|(_, found)| found == *key)
        });
    if holds {
        Ok(done)
    } else {
        Err(RewrapError::Changed)
    }
}

/// The key, if the operator's key opens it.
fn open(stored: &VersionKey, operator: &OperatorKey) -> Option<(KeyPurpose, DataKey)> {
    let purpose = KeyPurpose::from_name(&stored.purpose)?;
    let key = operator.unwrap(stored.wrapped.as_deref()?, stored.version, purpose);
    Some((purpose, key.ok()?))
}

async fn name(tx: &Tx, stored: VersionKey) -> Result<KeyName, db::Error> {
    let version = db::version::load(tx, stored.version).await?;
    let dataset = db::dataset::load(tx, version.dataset_id).await?;
    Ok(KeyName {
        dataset: dataset.slug,
        number: version.number,
        version: version.id,
        purpose: stored.purpose,
    })
}
