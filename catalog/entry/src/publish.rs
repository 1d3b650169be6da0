//! Publishing: moving a dataset's pointer to an approved version.

use db::Tx;
use db::dataset::Dataset;
use ledger::{Act, Actor, Leaf};
use model::{DatasetState, Level, Timestamp, VersionId};

use crate::EntryError;

/// Publishes a version, or for L4 the bare entry, within the transaction of the decision that approved it.
///
/// From its commit on the public sees an L1 version, enterprises can apply for an L2 or L3 one, and search finds it.
///
/// # Errors
/// If the version is not ready any more.
pub async fn publish(
    tx: &Tx,
    actor: Actor,
    dataset: &Dataset,
    version: Option<VersionId>,
    now: Timestamp,
) -> Result<(), EntryError> {
    let mut facts: Vec<(&str, ledger::Fact)> = vec![("slug", dataset.slug.as_str().into())];
    if let Some(level) = dataset.level {
        facts.push(("level", level.to_string().into()));
    }
    if let Some(id) = version {
        db::version::set_released(tx, id, now).await?;
        let version = db::version::load(tx, id).await?;
        facts.push(("number", version.number.into()));
        // The checksum of protected data would tell whoever guesses the data that the guess is right.
        if dataset.level == Some(Level::L1)
            && let Some(checksum) = version.checksum
        {
            facts.push(("checksum", checksum.into()));
        }
    }
    db::dataset::set_current_version(tx, dataset.id, version, DatasetState::Released, now).await?;
    let mut leaf = Leaf::builder(Act::VersionPublished, now.as_micros(), actor)
        .subject("dataset", dataset.id.to_string());
    if let Some(id) = version {
        leaf = leaf.subject("version", id.to_string());
    }
    for (name, fact) in facts {
        leaf = leaf.fact(name, fact);
    }
    let leaf = leaf.build().map_err(|_| EntryError::Internal("ledger leaf"))?;
    db::ledger::append(tx, &leaf, now).await?;
    crate::index::announce(tx, dataset.id, now).await
}
