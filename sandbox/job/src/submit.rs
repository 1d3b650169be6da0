//! Charging and queueing, and what a job shows afterwards.

use db::Tx;
use db::allocation::Charge;
use db::job::{Job, PLAN_KEY};
use db::job_check::Check;
use db::task::NewTask;
use identity::{Action, Actor};
use ledger::{Act, Leaf, Opening, Receipt};
use model::{CheckId, JobId, JobKind, JobState, ProjectId, TaskId, Timestamp};
use sandbox_plan::PrivatePlan;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::answer::{self, NoisedTotals};
use crate::compute::TASK_KIND;
use crate::estimate::{Planned, stored};
use crate::{Answer, JobCost, JobError, Price, Sandbox, Shortage};

/// How often a job is tried again after a fault: until it is answered, since it was paid for and is released in the end
/// (privacy.md "Time, errors, isolation"). The pauses between attempts grow to ten minutes.
const ATTEMPTS: i64 = 1_000_000;

/// A job as its project sees it. Nothing in it depends on data.
#[derive(Debug, Clone)]
pub struct JobView {
    /// The job, without answer and receipt.
    pub job: Job,
    /// What it was charged; nothing if the answer had been paid for.
    pub cost: JobCost,
}

impl Sandbox {
    /// Charges a job and queues it, in one transaction; or, if the same question was paid for in this project, shows
    /// the stored answer for free, after the same delay.
    ///
    /// # Errors
    /// [`JobError::Refused`], [`JobError::BudgetExhausted`] and the like: nothing was charged.
    pub async fn submit(
        &self,
        actor: &Actor,
        project: ProjectId,
        sql: &str,
        epsilon: f64,
    ) -> Result<JobView, JobError> {
        let (user, _) = actor.person()?;
        let price = Price::Epsilon(epsilon);
        let planned = self.plan(actor, project, sql, &price, Action::RunJob).await?;
        let hash = question(&planned);
        // Two submissions of one question may race: the constraint lets one pay, and the other finds its job.
        for _ in 0..3 {
            let standing = self.standing(project, &planned).await?;
            let (paid, base) = match &standing {
                Standing::New => (None, None),
                Standing::Paid(job) => (Some(job.id), None),
                Standing::TopUp { base, .. } => (None, Some(*base)),
            };
            let cost = standing.cost(&planned);
            let now = self.parts.clock.now();
            let schedule = planned.schedule(now);
            let job = Job {
                id: JobId::at(now),
                project_id: project,
                submitted_by: user,
                kind: JobKind::Sql,
                plan_hash: hash,
                answer_hash: Some(answer_hash(&planned)),
                answer_rho_nano: paid.is_none().then(|| cost.answer_nano()),
                tops_up: base,
                state: JobState::Queued,
                sql: Some(sql.to_owned()),
                plan: serde_json::to_value(&planned.plan).map_err(|_| JobError::Internal("plan"))?,
                cost: serde_json::to_value(cost).map_err(|_| JobError::Internal("cost"))?,
                policy_id: planned.policy.map(|id| id.as_uuid()),
                reuse_of: paid,
                created_at: now,
                answer_due_at: schedule.answer_due_at,
                due_at: schedule.due_at,
                result: None,
                receipt: None,
                revision: 1,
            };
            if paid.is_some() {
                let tx = self.parts.db.begin_write().await?;
                hold_open(&tx, project, now).await?;
                db::job::insert(&tx, &job).await?;
                tx.commit().await?;
                return self.view(job);
            }
            match self.charge(actor, job, &planned, cost, now).await {
                Err(JobError::Database(error)) if error.violates(PLAN_KEY) => continue,
                other => return self.view(other?),
            }
        }
        Err(JobError::Internal("a question that is always being paid for"))
    }

    /// Charge, job, task and ledger leaf: all or nothing.
    async fn charge(
        &self,
        actor: &Actor,
        mut job: Job,
        planned: &Planned,
        cost: JobCost,
        now: Timestamp,
    ) -> Result<Job, JobError> {
        let sealed = |value| Opening::seal(value).map_err(|_| JobError::Internal("commitment"));
        let plan = sealed(json!(planned.plan.hash().to_string()))?;
        let sql = sealed(json!(job.sql))?;
        let mut leaf = Leaf::builder(Act::JobCharged, now.as_micros(), actor.ledger_actor())
            .subject("job", job.id.to_string())
            .subject("project", job.project_id.to_string());
        // The second dataset of a join is `dataset_2`, and so on.
        let numbered = |word: &str, at: usize| match at {
            0 => word.to_owned(),
            _ => format!("{word}_{}", at + 1),
        };
        for (at, dataset) in planned.plan.datasets().iter().enumerate() {
            leaf = leaf.subject(&numbered("dataset", at), dataset.to_string());
        }
        for (at, version) in planned.plan.versions().iter().enumerate() {
            leaf = leaf.subject(&numbered("version", at), version.to_string());
        }
        if let Some(base) = job.tops_up {
            leaf = leaf.subject("tops_up", base.to_string());
        }
        let leaf = leaf
            .fact("rho_nano", cost.rho_nano)
            .fact("delta_atto", cost.delta_atto)
            .fact("due_at", job.due_at.to_string())
            .commitment(
                "plan",
                plan.commitment().map_err(|_| JobError::Internal("commitment"))?,
            )
            .commitment(
                "sql",
                sql.commitment().map_err(|_| JobError::Internal("commitment"))?,
            )
            .build()
            .map_err(|_| JobError::Internal("ledger leaf"))?;
        let openings = [("plan".to_owned(), plan), ("sql".to_owned(), sql)];
        let receipt =
            Receipt::new(leaf.clone(), openings.into()).map_err(|_| JobError::Internal("receipt"))?;
        job.receipt = Some(serde_json::to_value(&receipt).map_err(|_| JobError::Internal("receipt"))?);

        let tx = self.parts.db.begin_write().await?;
        hold_open(&tx, job.project_id, now).await?;
        db::job::insert(&tx, &job).await?;
        if planned.checks.is_some() {
            let check = Check {
                // Not by the time, which stands in the job's id and its public leaf.
                id: CheckId::from_uuid(Uuid::new_v4()),
                job_id: job.id,
                created_at: now,
            };
            db::job_check::insert(&tx, &check).await?;
        }
        let charges = charges(&job, planned, cost, now)?;
        let left = planned
            .budgets
            .iter()
            .map(|budget| budget.questions(cost.rho_nano))
            .min()
            .unwrap_or(0);
        db::allocation::charge(&tx, &charges)
            .await
            .map_err(|error| match error {
                db::Error::BudgetExhausted(purse) => {
                    // What was left when it was read may have gone to another question meanwhile.
                    let left = if purse == db::Purse::Project { 0 } else { left };
                    JobError::BudgetExhausted(Shortage::Spent { purse, left })
                }
                other => other.into(),
            })?;
        db::ledger::append(&tx, &leaf, now).await?;
        let task = NewTask {
            id: TaskId::at(now),
            kind: TASK_KIND.to_owned(),
            payload: json!({"job": job.id}),
            organization_id: None,
            max_attempts: ATTEMPTS,
            run_at: now,
        };
        db::task::enqueue(&tx, &task, now).await?;
        tx.commit().await?;
        Ok(job)
    }

    /// What this project has paid already for the answer that a question asks for.
    pub(crate) async fn standing(&self, project: ProjectId, planned: &Planned) -> Result<Standing, JobError> {
        let read = self.parts.db.read();
        if let Some(job) = db::job::find_paid(read, project, &question(planned)).await? {
            return Ok(Standing::Paid(Box::new(job)));
        }
        let (hash, wanted) = (answer_hash(planned), planned.cost.rho_nano);
        if let Some(job) = db::job::find_as_good(read, project, &hash, wanted).await? {
            return Ok(Standing::Paid(Box::new(job)));
        }
        // Of special datasets each answer has its checkers, and a slightly better one would have new ones for nearly nothing.
        if planned.checks.is_some() || !answer::can_top_up(&planned.plan) {
            return Ok(Standing::New);
        }
        // Only what is there by the clock: a job that waited for the work of another would tell how long it took.
        let now = self.parts.clock.now();
        let Some(best) = db::job::find_best(read, project, &hash, now).await? else {
            return Ok(Standing::New);
        };
        Ok(match planned.cost.beyond(best.answer_rho_nano.unwrap_or(0)) {
            Some(cost) => Standing::TopUp { base: best.id, cost },
            // Somebody has paid for as much since it was looked for.
            None => Standing::Paid(Box::new(best)),
        })
    }

    /// A job of a project that the actor may see.
    ///
    /// # Errors
    /// [`JobError::NotFound`] if there is none or the actor may not know of it: the two look alike.
    pub async fn job(&self, actor: &Actor, id: JobId) -> Result<JobView, JobError> {
        let none = || JobError::NotFound("job");
        let job = db::job::find(self.parts.db.read(), id).await?.ok_or_else(none)?;
        self.project(actor, job.project_id)
            .await
            .map_err(|error| match error {
                JobError::NotFound(_) => none(),
                other => other,
            })?;
        self.view(job)
    }

    /// The jobs of a project, newest first.
    ///
    /// # Errors
    /// As [`Sandbox::project`].
    pub async fn list_jobs(
        &self,
        actor: &Actor,
        project: ProjectId,
        before: Option<JobId>,
        limit: u64,
    ) -> Result<Vec<JobView>, JobError> {
        self.project(actor, project).await?;
        let jobs = db::job::list(self.parts.db.read(), project, before, limit).await?;
        jobs.into_iter().map(|job| self.view(job)).collect()
    }

    /// The released answer of a job, with the receipt of the charge that paid for it.
    ///
    /// # Errors
    /// [`JobError::NotDue`] before its time; [`JobError::NotFound`] for jobs of others.
    pub async fn result(&self, actor: &Actor, id: JobId) -> Result<(Answer, Option<Receipt>), JobError> {
        let view = self.job(actor, id).await?;
        let project = self.project(actor, view.job.project_id).await?.project;
        let resource = crate::project::of_project(&project, self.parts.clock.now());
        self.parts
            .authority
            .decide(actor, Action::ReadResult, &resource)?;
        match view.job.state {
            JobState::Released => {}
            JobState::Withheld => return Err(JobError::Withheld),
            _ => return Err(JobError::NotDue(view.job.due_at)),
        }
        let paid = view.job.reuse_of.unwrap_or(view.job.id);
        let job = db::job::load(self.parts.db.read(), paid).await?;
        let receipt = job.receipt.clone();
        // The asker's own columns, of what was paid for.
        let answer = shown(view.job.plan, job).await?;
        Ok((answer, self.receipt(paid, receipt).await?))
    }

    fn view(&self, mut job: Job) -> Result<JobView, JobError> {
        let mut cost: JobCost =
            serde_json::from_value(job.cost.clone()).map_err(|_| JobError::Internal("cost"))?;
        if job.reuse_of.is_some() {
            (cost.rho_nano, cost.delta_atto, cost.paid_nano) = (0, 0, 0);
        }
        job.result = None;
        job.receipt = None;
        job.state = shown_state(job.state, job.created_at, self.parts.clock.now());
        Ok(JobView { job, cost })
    }
}

/// The answer that a job paid for, with the columns of this plan.
pub(crate) async fn shown(plan: serde_json::Value, paid: Job) -> Result<Answer, JobError> {
    let stored = paid.result.ok_or(JobError::Internal("a job without an answer"))?;
    let noised: NoisedTotals =
        serde_json::from_value(stored).map_err(|_| JobError::Internal("noised totals"))?;
    let plan: PrivatePlan = serde_json::from_value(plan).map_err(|_| JobError::Internal("stored plan"))?;
    let cost: JobCost = serde_json::from_value(paid.cost).map_err(|_| JobError::Internal("stored cost"))?;
    tokio::task::spawn_blocking(move || answer::show(&plan, &noised, cost.answer_rho()))
        .await
        .map_err(|_| JobError::Internal("showing an answer"))?
}

/// A charge for each lineage that the plan reads: every one of them pays the whole price. Two datasets of one lineage
/// pay once, as the guarantee is the lineage's.
fn charges(job: &Job, planned: &Planned, cost: JobCost, now: Timestamp) -> Result<Vec<Charge>, JobError> {
    let mut charges: Vec<Charge> = Vec::with_capacity(planned.budgets.len());
    for budget in &planned.budgets {
        let lineage = budget.dataset.lineage_id;
        if charges.iter().any(|charge| charge.lineage_id == lineage) {
            continue;
        }
        let allocation = budget.allocation.as_ref().ok_or(Shortage::NoBudget)?;
        charges.push(Charge {
            id: Uuid::new_v4(),
            job_id: job.id,
            project_id: job.project_id,
            allocation_id: allocation.id,
            lineage_id: lineage,
            cost: cost.charged(),
            subset: planned.subset(budget).as_ref().map(stored),
            lineage_charged: true,
            created_at: now,
        });
    }
    Ok(charges)
}

/// Lets nobody close the project before this transaction ends, if nobody has: what is charged here is then counted when
/// it is closed.
async fn hold_open(tx: &Tx, project: ProjectId, now: Timestamp) -> Result<(), JobError> {
    if db::project::hold_open(tx, project, now).await? {
        Ok(())
    } else {
        Err(crate::project::ended())
    }
}

/// The state that a job shows. What is stored waits until the job is due; that it runs is said by the clock: when a
/// worker really took it would tell how long the jobs before it had to work.
fn shown_state(stored: JobState, charged_at: Timestamp, now: Timestamp) -> JobState {
    match stored {
        JobState::Queued if charged_at.plus_seconds(1) <= now => JobState::Running,
        other => other,
    }
}

/// What a project has paid for an answer.
pub(crate) enum Standing {
    /// Nothing.
    New,
    /// At least as much as is asked for: it is free.
    Paid(Box<Job>),
    /// Less than is asked for: the difference is charged, and the new answer joined to the one there is.
    TopUp { base: JobId, cost: JobCost },
}

impl Standing {
    /// What the question costs; of one that is paid for, what it would have cost.
    pub(crate) const fn cost(&self, planned: &Planned) -> JobCost {
        match self {
            Self::New | Self::Paid(_) => planned.cost,
            Self::TopUp { cost, .. } => *cost,
        }
    }
}

/// What makes two questions ask for one answer: canonical plan (with version and bounds) and policy.
fn answer_hash(planned: &Planned) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"shapan answer 1\0");
    hash.update(planned.plan.hash().as_bytes());
    hash.update(planned.policy.map_or([0; 16], |id| id.as_uuid().into_bytes()));
    hash.finalize().into()
}

/// What makes two questions the same: canonical plan (with version and bounds), cost and policy.
fn question(planned: &Planned) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"shapan question 1\0");
    hash.update(planned.plan.hash().as_bytes());
    hash.update(planned.cost.rho_nano.to_be_bytes());
    hash.update(planned.policy.map_or([0; 16], |id| id.as_uuid().into_bytes()));
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_is_said_by_the_clock() {
        let charged = Timestamp::from_micros(1_000_000);
        let after = |micros: i64| Timestamp::from_micros(1_000_000 + micros);
        assert_eq!(
            shown_state(JobState::Queued, charged, after(999_999)),
            JobState::Queued
        );
        assert_eq!(
            shown_state(JobState::Queued, charged, after(1_000_000)),
            JobState::Running
        );
        assert_eq!(
            shown_state(JobState::Delayed, charged, after(1_000_000)),
            JobState::Delayed
        );
        assert_eq!(
            shown_state(JobState::Released, charged, after(0)),
            JobState::Released
        );
    }
}
