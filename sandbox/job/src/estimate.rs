//! Estimates: what a job would cost and how exact it would be, without looking at data.

use std::time::Duration;

use db::allocation::{Charge, Cost};
use db::subset::Subset;
use identity::{Action, Actor};
use model::{JobId, ProjectId, ReviewPolicy, Slug, Timestamp};
use sandbox_plan::{BoundingCase, PlanPart, PrivatePlan, Relation, UnitSubset};
use sandbox_worker::{PlanRequest, Planned as Decided};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::expected::{AggregateError, expected_errors};
use crate::project::Budget;
use crate::submit::Standing;
use crate::{JobCost, JobError, Obstacle, Price, Sandbox, open_data};

/// How one part of a query is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartEstimate {
    /// How many cells it has.
    pub cells: u32,
    /// The most groups in which one unit counts: C.
    pub groups_per_unit: u32,
    /// How what one unit adds is limited.
    pub bounding: BoundingCase,
    /// The most rows of one unit that count.
    pub rows_per_unit: u32,
    /// Where groups are found, the noised count of units from which one is shown at this price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_from: Option<u64>,
}

impl PartEstimate {
    pub(crate) fn of(part: &PlanPart) -> Self {
        Self {
            cells: part.core.cells,
            groups_per_unit: part.core.groups_per_unit,
            bounding: part.core.bounding_case(),
            rows_per_unit: part.core.unit.max_rows_per_unit,
            shown_from: None,
        }
    }
}

/// The units of a dataset that a query is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// The dataset.
    pub dataset: Slug,
    /// A field that holds one value for all rows of a unit.
    pub field: String,
    /// The values of those units.
    pub values: Vec<String>,
}

/// A subset as charges name it.
pub(crate) fn stored(subset: &UnitSubset) -> Subset {
    let values = subset.values.iter().map(String::as_str);
    Subset::of(subset.version, subset.field.as_str(), values)
}

/// What a job would cost, how exact and how soon it would be.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// The price.
    pub cost: JobCost,
    /// The aggregations that are noised, each with cells of its own; never none.
    pub parts: Vec<PartEstimate>,
    /// The expected error of each noised column.
    pub expected_error: Vec<AggregateError>,
    /// Of datasets of which the query is about some units only, which; what it takes from their budgets is what it adds to the
    /// units that have lost most.
    pub about: Vec<About>,
    /// The budgets that would be left, of every dataset that the query names; none if one does not suffice.
    pub budgets_after: Option<Vec<Budget>>,
    /// How many more questions of this price the scarcest of them would pay for.
    pub questions_left: i64,
    /// How long after its charge the job would be released.
    pub due_in: Duration,
    /// The fixed day on which checkers release or withhold the answer, as it would be now; none where no dataset is
    /// special.
    pub checked_until: Option<Timestamp>,
    /// Whether the same question was paid for in this project: the stored answer is free.
    pub already_paid: bool,
}

impl Estimate {
    /// How many cells all parts have together.
    pub fn cells(&self) -> u32 {
        let cells = self.parts.iter().map(|part| part.cells);
        cells.fold(0, u32::saturating_add)
    }
}

/// A job that was planned, with all that its charge needs.
pub(crate) struct Planned {
    pub(crate) plan: PrivatePlan,
    pub(crate) cost: JobCost,
    /// Of each dataset that is charged, in the plan's order.
    pub(crate) budgets: Vec<Budget>,
    /// How long the computation may take.
    pub(crate) answer_in: Duration,
    /// The calendar of its checkers, if a dataset is special.
    pub(crate) checks: Option<ReviewPolicy>,
    pub(crate) policy: Option<model::PolicyId>,
}

/// When a job's answer is there and when it is released. Neither depends on data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) answer_due_at: Timestamp,
    pub(crate) due_at: Timestamp,
}

impl Schedule {
    fn due_in(self, now: Timestamp) -> Duration {
        let micros = self.due_at.micros_since(now);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl Planned {
    /// The units of a budget's lineage that the query is about, if it is not about all of them.
    pub(crate) fn subset(&self, budget: &Budget) -> Option<UnitSubset> {
        let lineage = budget.dataset.lineage_id;
        let of_lineage = |own: &&Budget| own.dataset.lineage_id == lineage;
        if self.budgets.iter().filter(of_lineage).count() != 1 {
            // Of several entries of one lineage, each parts the units in its own way.
            return None;
        }
        self.plan.subset(budget.dataset.id)
    }

    /// The schedule of a job that is charged now.
    pub(crate) fn schedule(&self, now: Timestamp) -> Schedule {
        let micros = i64::try_from(self.answer_in.as_micros()).unwrap_or(i64::MAX);
        let answer_due_at = Timestamp::from_micros(now.as_micros().saturating_add(micros));
        let fixed = |policy: &ReviewPolicy| policy.fixed_day(answer_due_at);
        Schedule {
            answer_due_at,
            due_at: self.checks.as_ref().map_or(answer_due_at, fixed),
        }
    }
}

impl Sandbox {
    /// Decides whether a job would be accepted, and what it would cost: at an ε, or the least with a precision.
    ///
    /// # Errors
    /// [`JobError::Refused`] with the rule it breaks; [`JobError::NotFound`] for projects of others.
    pub async fn estimate(
        &self,
        actor: &Actor,
        project: ProjectId,
        sql: &str,
        price: &Price,
    ) -> Result<Estimate, JobError> {
        let planned = self.plan(actor, project, sql, price, Action::Estimate).await?;
        let standing = self.standing(project, &planned).await?;
        let paid = matches!(standing, Standing::Paid(_));
        let cost = standing.cost(&planned);
        // Of an answer that is there it is that answer's.
        let (drawn, rho) = match &standing {
            Standing::Paid(job) => {
                let stored: JobCost = serde_json::from_value(job.cost.clone())
                    .map_err(|_| JobError::Internal("stored cost"))?;
                (stored, stored.answer_rho().as_f64())
            }
            Standing::New | Standing::TopUp { .. } => (planned.cost, planned.cost.rho()),
        };
        let expected_error = expected_errors(&planned.plan, rho);
        let charge = if paid { 0 } else { cost.rho_nano };
        let now = self.parts.clock.now();
        let schedule = planned.schedule(now);
        let (mut after, mut about) = (Vec::new(), Vec::new());
        for budget in &planned.budgets {
            let subset = planned.subset(budget);
            let taken = self.taken(budget, subset.as_ref(), charge, now).await?;
            after.push(budget.after(taken));
            about.extend(subset.map(|subset| About {
                dataset: budget.dataset.slug.clone(),
                field: subset.field.to_string(),
                values: subset.values.into_iter().collect(),
            }));
        }
        let parts = planned.plan.parts.iter().enumerate();
        let parts = parts.map(|(at, part)| PartEstimate {
            shown_from: crate::answer::shown_from(&planned.plan, at, &drawn),
            ..PartEstimate::of(part)
        });
        let parts = parts.collect();
        Ok(Estimate {
            cost,
            parts,
            expected_error,
            questions_left: after
                .iter()
                .map(|after| {
                    let after = after.as_ref();
                    after.map_or(0, |after| after.questions(planned.cost.rho_nano))
                })
                .min()
                .unwrap_or(0),
            budgets_after: after.into_iter().collect(),
            about,
            due_in: schedule.due_in(now),
            checked_until: planned.checks.is_some().then_some(schedule.due_at),
            already_paid: paid,
        })
    }

    /// What a charge would take of a budget: less than it costs where it is about other units than those before.
    async fn taken(
        &self,
        budget: &Budget,
        subset: Option<&UnitSubset>,
        rho_nano: i64,
        now: Timestamp,
    ) -> Result<i64, JobError> {
        let Some(allocation) = budget.allocation.as_ref().filter(|_| rho_nano > 0) else {
            return Ok(rho_nano);
        };
        let charge = Charge {
            id: Uuid::nil(),
            job_id: JobId::from_uuid(Uuid::nil()),
            project_id: allocation.project_id,
            allocation_id: allocation.id,
            lineage_id: allocation.lineage_id,
            cost: Cost {
                rho_nano,
                delta_atto: 0,
            },
            subset: subset.map(stored),
            lineage_charged: true,
            created_at: now,
        };
        Ok(db::allocation::taken(self.parts.db.read(), &charge).await?)
    }

    /// Has a query planned, by processes of their own: once if nothing in it is public, and otherwise again once that is
    /// frozen.
    async fn decide(&self, actor: &Actor, mut request: PlanRequest) -> Result<PrivatePlan, JobError> {
        let (account, _) = actor.person()?;
        let planners = &self.parts.planners;
        let needed = match planners.plan(account, request.clone()).await? {
            Decided::Plan(plan) => return Ok(*plan),
            Decided::Needs(needed) => needed,
        };
        let public = open_data::freeze(self.parts.open.as_ref(), actor, &needed).await?;
        request.public = Some(public);
        match planners.plan(account, request).await? {
            Decided::Plan(plan) => Ok(*plan),
            Decided::Needs(_) => Err(JobError::Internal("planning")),
        }
    }

    /// Plans a query over the project's datasets, from declarations and public data alone.
    pub(crate) async fn plan(
        &self,
        actor: &Actor,
        id: ProjectId,
        sql: &str,
        price: &Price,
        action: Action,
    ) -> Result<Planned, JobError> {
        let view = self.project(actor, id).await?;
        let now = self.parts.clock.now();
        if !view.project.active || view.project.expires_at <= now {
            return Err(crate::project::ended());
        }
        self.parts
            .authority
            .decide(actor, action, &crate::project::of_project(&view.project, now))?;
        let (policy, policy_id) = self.budget_policy().await?;
        let (mut relations, mut budgets) = (Vec::new(), Vec::new());
        for budget in &view.budgets {
            let dataset = &budget.dataset;
            let (Some(version), Some(level), Some(declared)) = (
                dataset.current_version_id,
                dataset.level,
                dataset.declared.clone(),
            ) else {
                continue;
            };
            let relation = Relation {
                slug: dataset.slug.clone(),
                dataset: dataset.id,
                version,
                level,
                metadata: declared,
            };
            relations.push(relation);
            budgets.push(budget.clone());
        }
        if relations.is_empty() {
            return Err(Obstacle::NothingToQuery.into());
        }
        let plan = self.decide(actor, PlanRequest::new(sql, relations)).await?;
        let epsilon = price.epsilon(&plan, &policy)?;
        let cost = JobCost::of(epsilon, &plan, &policy)?;
        let answer_in = plan.due_in(self.parts.cores);
        let of = |id| budgets.iter().find(|budget| budget.dataset.id == id).cloned();
        let budgets = plan.datasets().into_iter().map(of).collect::<Option<Vec<_>>>();
        let budgets = budgets.ok_or(JobError::Internal("a dataset of another project"))?;
        let special = budgets.iter().any(|budget| budget.dataset.metadata.special);
        let checks = if special {
            Some(self.review_policy().await?)
        } else {
            None
        };
        Ok(Planned {
            plan,
            cost,
            budgets,
            answer_in,
            checks,
            policy: policy_id,
        })
    }
}
