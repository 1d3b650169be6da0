//! Releasing: by the clock and nothing else.

use std::time::Duration;

use ledger::{Act, Actor, Leaf};
use model::{JobState, Timestamp};

use crate::{JobError, Sandbox};

/// How many jobs are released in one turn.
const BATCH: u64 = 100;

impl Sandbox {
    /// Releases every job whose time has come. One whose answer is not there yet, which only a fault of the machines
    /// can cause, becomes `delayed` and is released as soon as it is.
    ///
    /// Returns how many were released.
    ///
    /// # Errors
    /// If the database fails; the next turn goes on.
    pub async fn release_due(&self) -> Result<usize, JobError> {
        let db = &self.parts.db;
        let now = self.parts.clock.now();
        let mut released = 0;
        for job in db::job::list_due(db.read(), now, BATCH).await? {
            let answered = match job.reuse_of {
                None => job.result.is_some(),
                Some(paid) => db::job::load(db.read(), paid).await?.result.is_some(),
            };
            if !answered && job.state == JobState::Delayed {
                continue;
            }
            let tx = db.begin_write().await?;
            let to = if answered {
                JobState::Released
            } else {
                JobState::Delayed
            };
            match db::job::change_state(&tx, job.id, &[job.state], to).await {
                // It moved meanwhile; the next turn sees it.
                Err(db::Error::Stale(_)) => continue,
                other => other?,
            }
            if answered {
                let leaf = Leaf::builder(Act::JobReleased, now.as_micros(), Actor::system())
                    .subject("job", job.id.to_string())
                    .subject("project", job.project_id.to_string())
                    .build()
                    .map_err(|_| JobError::Internal("ledger leaf"))?;
                db::ledger::append(&tx, &leaf, now).await?;
                released += 1;
            } else {
                tracing::error!(job = %job.id, "ALARM: a private job missed its deadline and is delayed");
            }
            tx.commit().await?;
        }
        Ok(released)
    }

    /// How long to sleep until the next job may be due: at most a second, so that new jobs are seen.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn until_next_due(&self) -> Result<Duration, JobError> {
        let next = db::job::next_due(self.parts.db.read()).await?;
        let now = self.parts.clock.now();
        let wait = next
            .map_or(1_000_000, |next: Timestamp| next.micros_since(now))
            .clamp(5_000, 1_000_000);
        Ok(Duration::from_micros(u64::try_from(wait).unwrap_or(5_000)))
    }
}
