//! The ledger's sequencer: gives waiting leaves their place and signs what the tree has become.

use db::Database;
use db::ledger::StoredCheckpoint;
use ledger::{Checkpoint, SigningKey};
use model::Clock;

/// Leaves that get their place in one transaction.
const BATCH: u64 = 500;

/// Why leaves still wait.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SequenceError {
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error("the checkpoint cannot be signed: {0}")]
    Sign(#[from] ledger::CheckpointError),
}

/// Gives all waiting leaves their place; returns how many there were. A new log gets a checkpoint of nothing, so that
/// there is one from the start.
///
/// Index, nodes and checkpoint are one transaction: no tree head is ever signed whose nodes are not there.
pub(crate) async fn sequence(
    db: &Database,
    key: &SigningKey,
    clock: &dyn Clock,
) -> Result<u64, SequenceError> {
    let mut sequenced = 0;
    loop {
        let tx = db.begin_write().await?;
        let head = db::ledger::sequence(&tx, BATCH).await?;
        if head.added == 0 && db::ledger::find_checkpoint(&tx).await?.is_some() {
            tx.rollback().await?;
            return Ok(sequenced);
        }
        let checkpoint = Checkpoint {
            origin: key.verifier().name().to_owned(),
            size: head.size,
            root: head.root,
        };
        let stored = StoredCheckpoint {
            size: head.size,
            root: head.root,
            note: checkpoint.sign(key)?.to_string(),
            created_at: clock.now(),
        };
        db::ledger::insert_checkpoint(&tx, &stored).await?;
        tx.commit().await?;
        sequenced += head.added;
        if head.added < BATCH {
            return Ok(sequenced);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use db::DatabaseConfig;
    use ledger::{Act, Actor, Leaf};
    use model::SystemClock;

    use super::*;

    #[tokio::test]
    async fn every_leaf_is_covered_by_a_signed_checkpoint() {
        let db = Database::connect(&DatabaseConfig::Memory).await.unwrap();
        db.migrate().await.unwrap();
        let key = SigningKey::generate("test.example/ledger").unwrap();
        let now = SystemClock.now();
        assert_eq!(sequence(&db, &key, &SystemClock).await.unwrap(), 0);
        let empty = db::ledger::find_checkpoint(db.read()).await.unwrap().unwrap();
        assert_eq!(empty.size, 0);

        let tx = db.begin_write().await.unwrap();
        for i in 0..BATCH + 7 {
            let leaf = Leaf::builder(Act::JobReleased, now.as_micros(), Actor::system());
            let leaf = leaf.subject("job", i.to_string()).build().unwrap();
            db::ledger::append(&tx, &leaf, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(sequence(&db, &key, &SystemClock).await.unwrap(), BATCH + 7);
        assert_eq!(sequence(&db, &key, &SystemClock).await.unwrap(), 0);
        let stored = db::ledger::find_checkpoint(db.read()).await.unwrap().unwrap();
        let keys = [key.verifier().clone()];
        let opened = Checkpoint::open(&stored.note, "test.example/ledger", &keys).unwrap();
        assert_eq!((opened.size, opened.root), (BATCH + 7, stored.root));
    }
}
