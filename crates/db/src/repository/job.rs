//! Private jobs: charged, computed, released by the clock.

use model::{JobId, JobKind, JobState, ProjectId, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use uuid::Uuid;

use crate::connection::{Connection, Tx};
use crate::entity::job::{ActiveModel, Column, Entity, Model};
use crate::error::Error;
use crate::statement::{ReadRows, UpdateOne};

/// Violated when the same question was charged in the project before: answer from that job.
pub const PLAN_KEY: &str = "job_project_id_plan_hash_key";

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// In which project.
    pub project_id: ProjectId,
    /// Who asked.
    pub submitted_by: UserId,
    /// How it is written.
    pub kind: JobKind,
    /// SHA-256 of the canonical plan with version, bounds, cost and policy.
    pub plan_hash: [u8; 32],
    /// SHA-256 of the same without the cost: what its answer is about.
    pub answer_hash: Option<[u8; 32]>,
    /// The ρ that its answer is worth, in 10⁻⁹; none where another job paid for it.
    pub answer_rho_nano: Option<i64>,
    /// The job whose answer this one makes better, having paid the difference.
    pub tops_up: Option<JobId>,
    /// Where it stands.
    pub state: JobState,
    /// The text as it was given; shown to its own project only.
    pub sql: Option<String>,
    /// What the worker runs.
    pub plan: Value,
    /// What it was charged.
    pub cost: Value,
    /// The rules in force.
    pub policy_id: Option<Uuid>,
    /// The job whose stored answer this one shows.
    pub reuse_of: Option<JobId>,
    /// When it was charged.
    pub created_at: Timestamp,
    /// When its noised answer is there, whatever the data.
    pub answer_due_at: Timestamp,
    /// When it is released: then, or for special datasets on a later, fixed day.
    pub due_at: Timestamp,
    /// The noised answer; nobody reads it before `due_at`.
    pub result: Option<Value>,
    /// What proves the charge.
    pub receipt: Option<Value>,
    /// Counts changes, from 1.
    pub revision: i64,
}

/// Adds a job.
///
/// # Errors
/// [`Error::UniqueViolation`] of [`PLAN_KEY`].
pub async fn insert(tx: &Tx, job: &Job) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(job.id.as_uuid()),
        project_id: Set(job.project_id.as_uuid()),
        submitted_by: Set(job.submitted_by.as_uuid()),
        kind: Set(job.kind.as_str().to_owned()),
        plan_hash: Set(job.plan_hash.to_vec()),
        state: Set(job.state.as_str().to_owned()),
        sql: Set(job.sql.clone()),
        plan: Set(job.plan.clone()),
        cost: Set(job.cost.clone()),
        policy_id: Set(job.policy_id),
        reuse_of: Set(job.reuse_of.map(JobId::as_uuid)),
        created_at: Set(job.created_at.as_micros()),
        answer_due_at: Set(job.answer_due_at.as_micros()),
        due_at: Set(job.due_at.as_micros()),
        started_at: Set(None),
        finished_at: Set(None),
        result: Set(job.result.clone()),
        receipt: Set(job.receipt.clone()),
        revision: Set(job.revision),
        answer_hash: Set(job.answer_hash.map(|hash| hash.to_vec())),
        answer_rho_nano: Set(job.answer_rho_nano),
        tops_up: Set(job.tops_up.map(JobId::as_uuid)),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    Ok(())
}

/// Moves a job on from one of these states.
///
/// # Errors
/// [`Error::Stale`] if it is in none of them.
pub async fn change_state(tx: &Tx, id: JobId, from: &[JobState], to: JobState) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(to.as_str()))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::State.is_in(from.iter().map(|state| state.as_str())))
        .exec_one(tx, Error::Stale("job"))
        .await
}

/// Stores the noised answer of a job that has none: noise is drawn once.
///
/// # Errors
/// [`Error::Stale`] if it has one.
pub async fn set_result(tx: &Tx, id: JobId, result: Value, now: Timestamp) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Result, Expr::value(result))
        .col_expr(Column::FinishedAt, Expr::value(now.as_micros()))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::Result.is_null())
        .exec_one(tx, Error::Stale("job"))
        .await
}

/// Stores what proves the charge, or its newer form once the ledger has sequenced it.
///
/// # Errors
/// [`Error::NotFound`] if there is no such job.
pub async fn set_receipt(tx: &Tx, id: JobId, receipt: Value) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Receipt, Expr::value(receipt))
        .filter(Column::Id.eq(id.as_uuid()))
        .exec_one(tx, Error::NotFound("job"))
        .await
}

/// The job with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: JobId) -> Result<Option<Job>, Error> {
    Entity::find_by_id(id.as_uuid()).read_one(connection, read).await
}

/// The job with this id, which must exist.
///
/// # Errors
/// [`Error::NotFound`] if it does not.
pub async fn load(connection: &Connection, id: JobId) -> Result<Job, Error> {
    find(connection, id).await?.ok_or(Error::NotFound("job"))
}

/// The job that paid for this question in this project.
///
/// # Errors
/// If the database fails.
pub async fn find_paid(
    connection: &Connection,
    project: ProjectId,
    plan_hash: &[u8; 32],
) -> Result<Option<Job>, Error> {
    Entity::find()
        .filter(Column::ProjectId.eq(project.as_uuid()))
        .filter(Column::PlanHash.eq(plan_hash.to_vec()))
        .filter(Column::ReuseOf.is_null())
        .read_one(connection, read)
        .await
}

/// The job of this project that paid for this answer at the least ρ that is at least `rho_nano`.
///
/// # Errors
/// If the database fails.
pub async fn find_as_good(
    connection: &Connection,
    project: ProjectId,
    answer_hash: &[u8; 32],
    rho_nano: i64,
) -> Result<Option<Job>, Error> {
    paid_for(project, answer_hash)
        .filter(Column::AnswerRhoNano.gte(rho_nano))
        // One that was withheld only if there is no other.
        .order_by_asc(Column::State.eq(JobState::Withheld.as_str()))
        .order_by_asc(Column::AnswerRhoNano)
        .read_one(connection, read)
        .await
}

/// The job of this project that paid most for this answer, of those that are answered and were due by `now`.
///
/// # Errors
/// If the database fails.
pub async fn find_best(
    connection: &Connection,
    project: ProjectId,
    answer_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Job>, Error> {
    paid_for(project, answer_hash)
        .filter(Column::AnswerDueAt.lte(now.as_micros()))
        .filter(Column::Result.is_not_null())
        .order_by_desc(Column::AnswerRhoNano)
        .read_one(connection, read)
        .await
}

fn paid_for(project: ProjectId, answer_hash: &[u8; 32]) -> sea_orm::Select<Entity> {
    Entity::find()
        .filter(Column::ProjectId.eq(project.as_uuid()))
        .filter(Column::AnswerHash.eq(answer_hash.to_vec()))
        .filter(Column::ReuseOf.is_null())
}

/// Up to `limit` jobs of a project, newest first, before the one with id `before`.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &Connection,
    project: ProjectId,
    before: Option<JobId>,
    limit: u64,
) -> Result<Vec<Job>, Error> {
    let mut query = Entity::find()
        .filter(Column::ProjectId.eq(project.as_uuid()))
        .order_by_desc(Column::Id)
        .limit(limit);
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before.as_uuid()));
    }
    query.read_all(connection, read).await
}

/// Hands a job over to its checkers, who have until `due_at`.
///
/// # Errors
/// [`Error::Stale`] if it is in none of these states.
pub async fn await_review(tx: &Tx, id: JobId, from: &[JobState], due_at: Timestamp) -> Result<(), Error> {
    change_state(tx, id, from, JobState::AwaitingReview).await?;
    Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(due_at.as_micros()))
        .filter(Column::Id.eq(id.as_uuid()))
        .exec_one(tx, Error::Stale("job"))
        .await
}

/// Jobs that something is due for by `now`, oldest first: their answer, or the end of their review.
///
/// # Errors
/// If the database fails.
pub async fn list_due(connection: &Connection, now: Timestamp, limit: u64) -> Result<Vec<Job>, Error> {
    let waiting = [JobState::Queued, JobState::Running].map(JobState::as_str);
    let answer = Column::State
        .is_in(waiting)
        .and(Column::AnswerDueAt.lte(now.as_micros()));
    // Those whose answer is not there yet would fill the list, and others would wait for them.
    let answered = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::Result.is_not_null())
        .to_owned();
    let delayed = Column::State.eq(JobState::Delayed.as_str()).and(
        Column::Result
            .is_not_null()
            .or(Column::ReuseOf.in_subquery(answered)),
    );
    let review = Column::State
        .eq(JobState::AwaitingReview.as_str())
        .and(Column::DueAt.lte(now.as_micros()));
    Entity::find()
        .filter(answer.or(delayed).or(review))
        .order_by_asc(Column::AnswerDueAt)
        .limit(limit)
        .read_all(connection, read)
        .await
}

/// The next moment at which something is due for a job: its answer, or the end of its review.
///
/// # Errors
/// If the database fails.
pub async fn next_due(connection: &Connection) -> Result<Option<Timestamp>, Error> {
    let waiting = [JobState::Queued, JobState::Running].map(JobState::as_str);
    let answer = first(connection, Column::AnswerDueAt, Column::State.is_in(waiting));
    let review = first(
        connection,
        Column::DueAt,
        Column::State.eq(JobState::AwaitingReview.as_str()),
    );
    let (answer, review) = (answer.await?, review.await?);
    Ok(answer.into_iter().chain(review).min())
}

async fn first(connection: &Connection, column: Column, of: Expr) -> Result<Option<Timestamp>, Error> {
    let moment: Option<i64> = Entity::find()
        .select_only()
        .column(column)
        .filter(of)
        .order_by_asc(column)
        .into_tuple()
        .one(&connection.executor())
        .await?;
    Ok(moment.map(Timestamp::from_micros))
}

/// How many jobs are in this state.
///
/// # Errors
/// If the database fails.
pub async fn count_in_state(connection: &Connection, state: JobState) -> Result<u64, Error> {
    let found = Entity::find().filter(Column::State.eq(state.as_str()));
    Ok(found.count(&connection.executor()).await?)
}

fn read(row: Model) -> Result<Job, Error> {
    Ok(Job {
        id: JobId::from_uuid(row.id),
        project_id: ProjectId::from_uuid(row.project_id),
        submitted_by: UserId::from_uuid(row.submitted_by),
        kind: JobKind::from_word(&row.kind).ok_or_else(|| Error::corrupt("job.kind", "unknown word"))?,
        plan_hash: row
            .plan_hash
            .try_into()
            .map_err(|_| Error::corrupt("job.plan_hash", "not 32 bytes"))?,
        state: JobState::from_word(&row.state).ok_or_else(|| Error::corrupt("job.state", "unknown word"))?,
        sql: row.sql,
        plan: row.plan,
        cost: row.cost,
        policy_id: row.policy_id,
        reuse_of: row.reuse_of.map(JobId::from_uuid),
        created_at: Timestamp::from_micros(row.created_at),
        answer_due_at: Timestamp::from_micros(row.answer_due_at),
        due_at: Timestamp::from_micros(row.due_at),
        result: row.result,
        receipt: row.receipt,
        revision: row.revision,
        answer_hash: match row.answer_hash {
            Some(hash) => Some(
                hash.try_into()
                    .map_err(|_| Error::corrupt("job.answer_hash", "not 32 bytes"))?,
            ),
            None => None,
        },
        answer_rho_nano: row.answer_rho_nano,
        tops_up: row.tops_up.map(JobId::from_uuid),
    })
}
