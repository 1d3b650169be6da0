//! Releasing: by the clock, and for special datasets by what checkers found until then.

use std::time::Duration;

use db::job::Job;
use ledger::{Act, Actor, Leaf};
use model::{JobState, Timestamp};

use crate::check::Tally;
use crate::{JobError, Sandbox};

/// How many jobs are released in one turn.
const BATCH: u64 = 100;

/// What is due for a job.
#[derive(Clone, Copy)]
enum Due {
    /// Its answer is late.
    Delay,
    /// Its answer goes to the checkers, who have until the fixed day.
    Review { until: Timestamp },
    /// It ends, with what its checkers found if it had any.
    End { to: JobState, review: Option<Tally> },
}

impl Sandbox {
    /// Does what is due. An answer whose time has come is released, or handed over to its checkers if a dataset is
    /// special; one that is not there yet, which only a fault of the machines can cause, makes its job `delayed` until
    /// it is. A review whose fixed day has come releases or withholds the answer.
    ///
    /// Returns how many jobs were released or withheld.
    ///
    /// # Errors
    /// If the database fails; the next turn goes on.
    pub async fn release_due(&self) -> Result<usize, JobError> {
        let db = &self.parts.db;
        let now = self.parts.clock.now();
        let mut ended = 0;
        for job in db::job::list_due(db.read(), now, BATCH).await? {
            let due = match self.due(&job).await {
                // Its alarm has gone off.
                Ok(Due::Delay) if job.state == JobState::Delayed => continue,
                Ok(due) => due,
                Err(error) => {
                    // Others are not to wait for it.
                    tracing::error!(job = %job.id, code = error.code(), "ALARM: what is due for a job cannot be done");
                    continue;
                }
            };
            let tx = db.begin_write().await?;
            let moved = match due {
                Due::Delay => db::job::change_state(&tx, job.id, &[job.state], JobState::Delayed).await,
                Due::Review { until } => db::job::await_review(&tx, job.id, &[job.state], until).await,
                Due::End { to, .. } => db::job::change_state(&tx, job.id, &[job.state], to).await,
            };
            match moved {
                // It moved meanwhile; the next turn sees it.
                Err(db::Error::Stale(_)) => continue,
                other => other?,
            }
            match due {
                Due::Delay => {
                    tracing::error!(job = %job.id, "ALARM: a private job missed its deadline and is delayed");
                }
                Due::Review { .. } => {}
                Due::End { to, review } => {
                    let act = if to == JobState::Withheld {
                        Act::JobWithheld
                    } else {
                        Act::JobReleased
                    };
                    let mut leaf = Leaf::builder(act, now.as_micros(), Actor::system())
                        .subject("job", job.id.to_string())
                        .subject("project", job.project_id.to_string());
                    if let Some(review) = review.filter(Tally::is_complete) {
                        leaf = leaf
                            .subject("check", review.id.to_string())
                            .fact("votes_to_release", review.votes_to_release)
                            .fact("votes", review.votes);
                    }
                    let leaf = leaf.build().map_err(|_| JobError::Internal("ledger leaf"))?;
                    db::ledger::append(&tx, &leaf, now).await?;
                    ended += 1;
                }
            }
            tx.commit().await?;
        }
        Ok(ended)
    }

    /// What is due for a job of [`db::job::list_due`].
    async fn due(&self, job: &Job) -> Result<Due, JobError> {
        let read = self.parts.db.read();
        let paid = job.reuse_of.unwrap_or(job.id);
        let review = db::job_check::find_of_job(read, paid).await?;
        if let (JobState::AwaitingReview, Some(review)) = (job.state, review) {
            let review = self.tally(review.id).await?;
            let to = if review.passes() {
                JobState::Released
            } else {
                JobState::Withheld
            };
            return Ok(Due::End {
                to,
                review: Some(review),
            });
        }
        let answered = match job.reuse_of {
            None => job.result.is_some(),
            Some(paid) => db::job::load(read, paid).await?.result.is_some(),
        };
        Ok(match (answered, review) {
            (false, _) => Due::Delay,
            (true, None) => Due::End {
                to: JobState::Released,
                review: None,
            },
            (true, Some(_)) => {
                let now = self.parts.clock.now();
                // After a fault the checkers have their days all the same.
                let until = if job.state == JobState::Delayed {
                    self.review_policy().await?.fixed_day(now)
                } else {
                    job.due_at
                };
                Due::Review { until }
            }
        })
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
