//! Private jobs, from the question to the released answer.
//!
//! [`Sandbox::estimate`] looks at declarations only; the query is planned in a process of its own. [`Sandbox::submit`] charges,
//! records and queues a job in one transaction, before any data is touched. From then on nothing that anyone can observe depends on
//! the data: the worker computes exact integers in a process of its own ([`Sandbox::compute`]), noise is drawn once and stored, and
//! the job is released at the moment that was fixed when it was charged ([`release`]). Answers of special datasets wait
//! for that fixed day with two checkers, who see nothing but the noised answer ([`Sandbox::vote`]). A project is closed when its
//! period ends ([`Sandbox::close_expired`]); what it has paid for is released and read all the same.

mod answer;
mod check;
mod closing;
mod compute;
mod cost;
mod error;
mod estimate;
mod expected;
mod interval;
mod open_data;
mod price;
mod project;
mod receipt;
mod rehearsal;
pub mod release;
mod submit;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use db::Database;
use identity::Authority;
use model::{BudgetPolicy, Clock, PolicyId, ReviewPolicy};
use privacy::NoiseSource;
use sandbox_worker::{Planners, Supervisor};
use seal::OperatorKey;
use serde::de::DeserializeOwned;
use storage::SandboxStore;

pub use answer::{Answer, AnswerColumn, AnswerRow, Noise};
pub use check::{CheckSummary, CheckView, CheckedDataset, OwnVote};
pub use compute::TASK_KIND;
pub use cost::JobCost;
pub use error::{CheckObstacle, EpsilonRule, JobError, Obstacle, Shortage};
pub use estimate::{About, Estimate, PartEstimate};
pub use expected::AggregateError;
pub use open_data::{NoOpenData, OpenData, OpenDataError, OpenRows};
pub use price::{Precision, Price};
pub use project::{Budget, ProjectView};
pub use rehearsal::Rehearsal;
pub use sandbox_plan::BoundingCase;
pub use submit::JobView;

/// The use-cases of the sandbox. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    parts: Arc<Parts>,
}

/// What the sandbox works with.
pub struct Parts {
    /// Projects, jobs, charges.
    pub db: Database,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who may do what.
    pub authority: Authority,
    /// Where protected versions lie; handed on to workers, never read here.
    pub store: SandboxStore,
    /// Runs workers.
    pub supervisor: Supervisor,
    /// Runs planners.
    pub planners: Planners,
    /// Draws noise, in this process and nowhere else.
    pub noise: Mutex<Box<dyn NoiseSource>>,
    /// From which the versions' secrets for choosing groups derive.
    pub group_key: [u8; 32],
    /// Opens the data keys of versions for the grants of workers.
    pub keys: OperatorKey,
    /// Cores reserved for one job.
    pub cores: u32,
    /// Runs what of a query is about open data alone.
    pub open: Arc<dyn OpenData>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox")
            .field("cores", &self.parts.cores)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// The use-cases over these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// The budget rules in force now, with the row they stand in.
    pub(crate) async fn budget_policy(&self) -> Result<(BudgetPolicy, Option<PolicyId>), JobError> {
        self.policy(BudgetPolicy::KIND).await
    }

    /// The rules in force now for what people review.
    pub(crate) async fn review_policy(&self) -> Result<ReviewPolicy, JobError> {
        Ok(self.policy(ReviewPolicy::KIND).await?.0)
    }

    async fn policy<T: DeserializeOwned + Default>(
        &self,
        kind: &'static str,
    ) -> Result<(T, Option<PolicyId>), JobError> {
        let now = self.parts.clock.now();
        match db::policy::find_effective(self.parts.db.read(), kind, now).await? {
            Some(row) => {
                let policy =
                    serde_json::from_value(row.body).map_err(|_| JobError::Internal("policy row"))?;
                Ok((policy, Some(row.id)))
            }
            None => Ok((T::default(), None)),
        }
    }
}
