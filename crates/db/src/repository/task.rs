//! Background tasks under leases: who holds a lease may work, until it runs out or is given back.
//!
//! A lease is fenced by its attempt: once another worker has taken the task over, nothing that the first one
//! still says about it counts.

use model::{OrganizationId, TaskId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use uuid::Uuid;

use crate::connection::{Connection, Tx};
use crate::entity::task::{ActiveModel, Column, Entity, Model};
use crate::error::Error;
use crate::statement::{ReadRows, UpdateOne};

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// Waits for a worker, perhaps after a failed attempt.
    Queued,
    /// Somebody works on it.
    Running,
    /// It is done.
    Done,
    /// It failed for good.
    Failed,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Running, Self::Done, Self::Failed];

    /// The stable word, as in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will happen to it.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Which handler does it.
    pub kind: String,
    /// What the handler is told.
    pub payload: Value,
    /// Who may follow it, besides the portal.
    pub organization_id: Option<OrganizationId>,
    /// Where it stands.
    pub state: TaskState,
    /// Attempts begun.
    pub attempt: i64,
    /// The most attempts.
    pub max_attempts: i64,
    /// How far it is, in the form of its kind.
    pub progress: Option<Value>,
    /// What came of it, in the form of its kind.
    pub result: Option<Value>,
    /// Why its last attempt failed.
    pub error: Option<Value>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Not worked on before.
    pub run_at: Timestamp,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
}

/// A task to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// Which handler does it.
    pub kind: String,
    /// What the handler is told.
    pub payload: Value,
    /// Who may follow it, besides the portal.
    pub organization_id: Option<OrganizationId>,
    /// The most attempts, at least 1.
    pub max_attempts: i64,
    /// Not to be worked on before.
    pub run_at: Timestamp,
}

/// The right to work on a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The task.
    pub task_id: TaskId,
    /// Who works on it.
    pub owner: Uuid,
    /// Which attempt it is; a later one ends this lease.
    pub attempt: i64,
}

/// Adds a task, in the transaction of whatever it follows from.
///
/// # Errors
/// If the database fails.
pub async fn enqueue(tx: &Tx, task: &NewTask, now: Timestamp) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(task.id.as_uuid()),
        kind: Set(task.kind.clone()),
        payload: Set(task.payload.clone()),
        organization_id: Set(task.organization_id.map(OrganizationId::as_uuid)),
        state: Set(TaskState::Queued.as_str().to_owned()),
        attempt: Set(0),
        max_attempts: Set(task.max_attempts),
        lease_owner: Set(None),
        lease_until: Set(None),
        heartbeat_at: Set(None),
        progress: Set(None),
        result: Set(None),
        error: Set(None),
        created_at: Set(now.as_micros()),
        run_at: Set(task.run_at.as_micros()),
        finished_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    Ok(())
}

/// Leases the task that has waited longest among those of `kinds` that are due or whose lease ran out.
///
/// A task whose last permitted attempt ran out is failed on the way.
///
/// # Errors
/// If the database fails.
pub async fn lease(
    tx: &Tx,
    kinds: &[&str],
    owner: Uuid,
    until: Timestamp,
    now: Timestamp,
) -> Result<Option<(Lease, Task)>, Error> {
    loop {
        let due = Condition::all()
            .add(Column::State.eq(TaskState::Queued.as_str()))
            .add(Column::RunAt.lte(now.as_micros()));
        let lapsed = Condition::all()
            .add(Column::State.eq(TaskState::Running.as_str()))
            .add(Column::LeaseUntil.lte(now.as_micros()));
        let row = Entity::find()
            .filter(Column::Kind.is_in(kinds.iter().copied()))
            .filter(Condition::any().add(due).add(lapsed))
            .order_by_asc(Column::RunAt)
            .order_by_asc(Column::Id)
            .limit(1)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .one(&tx.executor())
            .await?;
        let Some(row) = row else { return Ok(None) };
        if row.attempt >= row.max_attempts {
            let error = serde_json::json!({
                "code": "lease-lapsed",
                "message": "the process that worked on it ended before it was done, in the last attempt too; ask for \
                            it again",
            });
            finish(tx, row.id, TaskState::Failed, Column::Error, error, now).await?;
            continue;
        }
        let attempt = row.attempt + 1;
        Entity::update_many()
            .col_expr(Column::State, Expr::value(TaskState::Running.as_str()))
            .col_expr(Column::Attempt, Expr::value(attempt))
            .col_expr(Column::LeaseOwner, Expr::value(owner))
            .col_expr(Column::LeaseUntil, Expr::value(until.as_micros()))
            .col_expr(Column::HeartbeatAt, Expr::value(now.as_micros()))
            .filter(Column::Id.eq(row.id))
            .exec(&tx.executor())
            .await?;
        let mut task = read(row)?;
        task.state = TaskState::Running;
        task.attempt = attempt;
        return Ok(Some((
            Lease {
                task_id: task.id,
                owner,
                attempt,
            },
            task,
        )));
    }
}

/// Ends every lease of an owner that is gone, whose tasks can be leased again from `now` on; their attempts count.
/// Gives how many there were.
///
/// # Errors
/// If the database fails.
pub async fn end_leases(tx: &Tx, owner: Uuid, now: Timestamp) -> Result<u64, Error> {
    let ended = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(now.as_micros()))
        .filter(Column::State.eq(TaskState::Running.as_str()))
        .filter(Column::LeaseOwner.eq(owner))
        .exec(&tx.executor())
        .await?;
    Ok(ended.rows_affected)
}

/// Prolongs a lease, and tells how far the work is.
///
/// # Errors
/// [`Error::Stale`] if the lease is another's by now: stop working.
pub async fn heartbeat(
    tx: &Tx,
    lease: &Lease,
    until: Timestamp,
    progress: Option<Value>,
    now: Timestamp,
) -> Result<(), Error> {
    let mut update = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(until.as_micros()))
        .col_expr(Column::HeartbeatAt, Expr::value(now.as_micros()));
    if let Some(progress) = progress {
        update = update.col_expr(Column::Progress, Expr::value(progress));
    }
    update
        .filter(held(lease))
        .exec_one(tx, Error::Stale("task's lease"))
        .await
}

/// Ends a task well.
///
/// # Errors
/// [`Error::Stale`] if the lease is another's by now.
pub async fn complete(tx: &Tx, lease: &Lease, result: Value, now: Timestamp) -> Result<(), Error> {
    check(tx, lease).await?;
    finish(
        tx,
        lease.task_id.as_uuid(),
        TaskState::Done,
        Column::Result,
        result,
        now,
    )
    .await
}

/// Ends an attempt badly: the task waits until `retry_at`, or has failed if that is none or no attempt is left.
/// Gives where it stands.
///
/// # Errors
/// [`Error::Stale`] if the lease is another's by now.
pub async fn fail(
    tx: &Tx,
    lease: &Lease,
    error: Value,
    retry_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<TaskState, Error> {
    let task = check(tx, lease).await?;
    match retry_at {
        Some(retry_at) if task.attempt < task.max_attempts => {
            requeue(lease)
                .col_expr(Column::RunAt, Expr::value(retry_at.as_micros()))
                .col_expr(Column::Error, Expr::value(error))
                .exec(&tx.executor())
                .await?;
            Ok(TaskState::Queued)
        }
        _ => {
            finish(
                tx,
                lease.task_id.as_uuid(),
                TaskState::Failed,
                Column::Error,
                error,
                now,
            )
            .await?;
            Ok(TaskState::Failed)
        }
    }
}

/// Gives a lease back because the worker stops; the attempt does not count.
///
/// # Errors
/// [`Error::Stale`] if the lease is another's by now.
pub async fn give_back(tx: &Tx, lease: &Lease, now: Timestamp) -> Result<(), Error> {
    requeue(lease)
        .col_expr(Column::Attempt, Expr::col(Column::Attempt).sub(1))
        .col_expr(Column::RunAt, Expr::value(now.as_micros()))
        .exec_one(tx, Error::Stale("task's lease"))
        .await
}

/// The task with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: TaskId) -> Result<Option<Task>, Error> {
    Entity::find_by_id(id.as_uuid()).read_one(connection, read).await
}

/// What the tasks of a kind that are not over were told.
///
/// # Errors
/// If the database fails.
pub async fn list_open_payloads(connection: &Connection, kind: &str) -> Result<Vec<Value>, Error> {
    let open = TaskState::ALL.into_iter().filter(|state| !state.is_over());
    let payloads = Entity::find()
        .select_only()
        .column(Column::Payload)
        .filter(Column::State.is_in(open.map(TaskState::as_str)))
        .filter(Column::Kind.eq(kind))
        .into_tuple()
        .all(&connection.executor())
        .await?;
    Ok(payloads)
}

/// The moment of the next task that waits or whose lease will run out, among those of `kinds`.
///
/// # Errors
/// If the database fails.
pub async fn find_next_run(connection: &Connection, kinds: &[&str]) -> Result<Option<Timestamp>, Error> {
    let mut moments = Vec::new();
    for (state, column) in [
        (TaskState::Queued, Column::RunAt),
        (TaskState::Running, Column::LeaseUntil),
    ] {
        let moment: Option<Option<i64>> = Entity::find()
            .select_only()
            .column(column)
            .filter(Column::State.eq(state.as_str()))
            .filter(Column::Kind.is_in(kinds.iter().copied()))
            .order_by_asc(column)
            .limit(1)
            .into_tuple()
            .one(&connection.executor())
            .await?;
        moments.extend(moment.flatten());
    }
    Ok(moments.into_iter().min().map(Timestamp::from_micros))
}

fn held(lease: &Lease) -> Condition {
    Condition::all()
        .add(Column::Id.eq(lease.task_id.as_uuid()))
        .add(Column::State.eq(TaskState::Running.as_str()))
        .add(Column::LeaseOwner.eq(lease.owner))
        .add(Column::Attempt.eq(lease.attempt))
}

/// The task of a lease that still holds, locked so that nobody takes it over before this transaction ends.
async fn check(tx: &Tx, lease: &Lease) -> Result<Model, Error> {
    let row = Entity::find()
        .filter(held(lease))
        .lock_exclusive()
        .one(&tx.executor())
        .await?;
    row.ok_or(Error::Stale("task's lease"))
}

fn requeue(lease: &Lease) -> sea_orm::UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(TaskState::Queued.as_str()))
        .col_expr(Column::LeaseOwner, Expr::value(None::<Uuid>))
        .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
        .filter(held(lease))
}

async fn finish(
    tx: &Tx,
    id: Uuid,
    state: TaskState,
    column: Column,
    outcome: Value,
    now: Timestamp,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(state.as_str()))
        .col_expr(Column::LeaseOwner, Expr::value(None::<Uuid>))
        .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
        .col_expr(Column::FinishedAt, Expr::value(now.as_micros()))
        .col_expr(column, Expr::value(outcome))
        .filter(Column::Id.eq(id))
        .exec(&tx.executor())
        .await?;
    Ok(())
}

fn read(row: Model) -> Result<Task, Error> {
    Ok(Task {
        id: TaskId::from_uuid(row.id),
        state: TaskState::ALL
            .into_iter()
            .find(|state| state.as_str() == row.state)
            .ok_or_else(|| Error::corrupt("task.state", "unknown word"))?,
        kind: row.kind,
        payload: row.payload,
        organization_id: row.organization_id.map(OrganizationId::from_uuid),
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        progress: row.progress,
        result: row.result,
        error: row.error,
        created_at: Timestamp::from_micros(row.created_at),
        run_at: Timestamp::from_micros(row.run_at),
        finished_at: row.finished_at.map(Timestamp::from_micros),
    })
}
