//! Who holds leases: one name per process, so that what a dead process has left behind can be told apart.

use std::fmt;
use std::str::FromStr;

use db::Database;
use model::Timestamp;
use uuid::Uuid;

/// A process, as the holder of leases. The next process that stands in for it may [`reclaim`] them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(Uuid);

impl Owner {
    /// A name that no other process has.
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    pub(crate) const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that names no process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this names no process")]
pub struct NoOwner;

impl FromStr for Owner {
    type Err = NoOwner;

    fn from_str(text: &str) -> Result<Self, NoOwner> {
        text.parse().map(Self).map_err(|_| NoOwner)
    }
}

/// Ends the leases of a process that is gone for certain, so that its tasks are taken over at once and not when the
/// leases run out. Returns how many there were.
///
/// Its attempts count: it may have died of one of these tasks.
///
/// # Errors
/// If the database fails; the leases then run out by themselves.
pub async fn reclaim(db: &Database, gone: Owner, now: Timestamp) -> Result<u64, db::Error> {
    let tx = db.begin_write().await?;
    let reclaimed = db::task::end_leases(&tx, gone.as_uuid(), now).await?;
    tx.commit().await?;
    Ok(reclaimed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_written_down() {
        let owner = Owner::fresh();
        assert_eq!(owner.to_string().parse(), Ok(owner));
        for text in ["", "somebody", "0190"] {
            assert_eq!(text.parse::<Owner>(), Err(NoOwner), "{text}");
        }
    }
}
