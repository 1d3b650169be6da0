//! A job without a portal: planned, priced, noised and shown by the same code, over whatever rows the caller computes
//! with. It has no project, charges nothing and reads nothing.

use std::time::Duration;

use identity::Actor;
use model::BudgetPolicy;
use privacy::NoiseSource;
use sandbox_plan::{PrivatePlan, Relation, Tables, Totals};

use crate::{AggregateError, Answer, JobCost, JobError, OpenData, answer, expected, open_data};

/// A query as a job would plan and price it.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    plan: PrivatePlan,
    cost: JobCost,
}

impl Rehearsal {
    /// Plans a query over these datasets and, for what in it is public, over open data; in this process, for whoever
    /// rehearses wrote the query.
    ///
    /// # Errors
    /// [`JobError::Refused`] with the rule that is broken; [`JobError::Invalid`] if ε is beyond the policy.
    pub async fn plan(
        open: &dyn OpenData,
        relations: Vec<Relation>,
        sql: &str,
        epsilon: f64,
        policy: &BudgetPolicy,
    ) -> Result<Self, JobError> {
        let needed = sandbox_plan::public_queries(sql, &relations)?;
        let public = open_data::freeze(open, &Actor::anonymous(), &needed).await?;
        let tables = Tables {
            protected: &relations,
            public: &public,
        };
        let plan = sandbox_plan::plan(sql, tables)?;
        let cost = JobCost::of(epsilon, &plan, policy)?;
        Ok(Self { plan, cost })
    }

    /// What is computed, of which tables.
    pub const fn private_plan(&self) -> &PrivatePlan {
        &self.plan
    }

    /// What the job would cost.
    pub const fn cost(&self) -> JobCost {
        self.cost
    }

    /// The expected error of each noised column.
    pub fn expected_error(&self) -> Vec<AggregateError> {
        expected::expected_errors(&self.plan, self.cost.rho())
    }

    /// How long after its charge such a job is released on a portal with so many cores for it.
    pub fn due_in(&self, cores: u32) -> Duration {
        self.plan.due_in(cores)
    }

    /// Draws noise for the exact totals of the plan's parts and shows what the query makes of them, with its intervals: each
    /// time anew.
    ///
    /// # Errors
    /// [`JobError::Internal`] if the totals are not those of the plan, or no noise can be drawn.
    pub fn answer(&self, totals: &[Totals], noise: &mut dyn NoiseSource) -> Result<Answer, JobError> {
        let noised = answer::noised(&self.plan, totals, &self.cost, noise)?;
        answer::show(&self.plan, &noised, self.cost.answer_rho())
    }
}
