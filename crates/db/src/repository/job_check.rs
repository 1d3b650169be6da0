//! Reviews of special datasets' answers, and the votes in them.

use ledger::Nonce;
use model::{CheckId, JobId, JobState, OrganizationId, Timestamp, UserId, Verdict};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::connection::{Connection, Tx};
use crate::entity::{job, job_check, job_vote};
use crate::error::Error;
use crate::statement::ReadRows;

/// Violated when a seat is taken.
pub const SEAT_KEY: &str = "job_vote_check_id_seat_key";
/// Violated when somebody votes twice.
pub const VOTER_KEY: &str = "job_vote_check_id_user_id_key";

/// The review of the noised answer that a job paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Its id.
    pub id: CheckId,
    /// The job that paid.
    pub job_id: JobId,
    /// When the job was charged.
    pub created_at: Timestamp,
}

/// Whose a vote is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// The bureau's own.
    Bureau,
    /// An assessor's, or another reviewer's.
    Second,
}

impl Seat {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bureau => "bureau",
            Self::Second => "second",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Bureau, Self::Second]
            .into_iter()
            .find(|seat| seat.as_str() == word)
    }
}

/// A checker's vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Its id, in the order of votes.
    pub id: Uuid,
    /// On which answer.
    pub check_id: CheckId,
    /// On which seat.
    pub seat: Seat,
    /// Who voted.
    pub user_id: UserId,
    /// For whom.
    pub organization_id: OrganizationId,
    /// What they found.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What opens the commitment to the review in the ledger.
    pub check_nonce: Nonce,
    /// What opens the commitment to the verdict.
    pub verdict_nonce: Nonce,
    /// What opens the commitment to the reason.
    pub reason_nonce: Nonce,
    /// When.
    pub created_at: Timestamp,
}

/// Adds a review.
///
/// # Errors
/// If the job has one.
pub async fn insert(tx: &Tx, check: &Check) -> Result<(), Error> {
    let row = job_check::ActiveModel {
        id: Set(check.id.as_uuid()),
        job_id: Set(check.job_id.as_uuid()),
        created_at: Set(check.created_at.as_micros()),
    };
    job_check::Entity::insert(row)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(())
}

/// Adds a vote.
///
/// # Errors
/// [`Error::UniqueViolation`] of [`SEAT_KEY`] or [`VOTER_KEY`].
pub async fn insert_vote(tx: &Tx, vote: &Vote) -> Result<(), Error> {
    let row = job_vote::ActiveModel {
        id: Set(vote.id),
        check_id: Set(vote.check_id.as_uuid()),
        seat: Set(vote.seat.as_str().to_owned()),
        user_id: Set(vote.user_id.as_uuid()),
        organization_id: Set(vote.organization_id.as_uuid()),
        verdict: Set(vote.verdict.as_str().to_owned()),
        reason: Set(vote.reason.clone()),
        check_nonce: Set(vote.check_nonce.clone().into()),
        verdict_nonce: Set(vote.verdict_nonce.clone().into()),
        reason_nonce: Set(vote.reason_nonce.clone().into()),
        created_at: Set(vote.created_at.as_micros()),
    };
    job_vote::Entity::insert(row)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(())
}

/// The review with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: CheckId) -> Result<Option<Check>, Error> {
    job_check::Entity::find_by_id(id.as_uuid())
        .read_one(connection, read)
        .await
}

/// The review of the answer that a job paid for.
///
/// # Errors
/// If the database fails.
pub async fn find_of_job(connection: &Connection, paid: JobId) -> Result<Option<Check>, Error> {
    job_check::Entity::find()
        .filter(job_check::Column::JobId.eq(paid.as_uuid()))
        .read_one(connection, read)
        .await
}

/// The votes of a review, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn list_votes(connection: &Connection, id: CheckId) -> Result<Vec<Vote>, Error> {
    job_vote::Entity::find()
        .filter(job_vote::Column::CheckId.eq(id.as_uuid()))
        .order_by_asc(job_vote::Column::Id)
        .read_all(connection, read_vote)
        .await
}

/// Up to `limit` reviews of answers that a job waits for, with the fixed day of the first such job, soonest first.
///
/// # Errors
/// If the database fails.
pub async fn list_awaiting(connection: &Connection, limit: u64) -> Result<Vec<(Check, Timestamp)>, Error> {
    // By answer, not by job: repeats of one, which are free, push no other out of the list.
    let paid = || Expr::cust("COALESCE(reuse_of, id)");
    let waiting: Vec<(Uuid, i64)> = job::Entity::find()
        .select_only()
        .expr_as(paid(), "paid")
        .expr_as(job::Column::DueAt.min(), "due")
        .filter(job::Column::State.eq(JobState::AwaitingReview.as_str()))
        .group_by(paid())
        .order_by_asc(job::Column::DueAt.min())
        .limit(limit)
        .into_tuple()
        .all(&connection.executor())
        .await?;
    let found = job_check::Entity::find()
        .filter(job_check::Column::JobId.is_in(waiting.iter().map(|(paid, _)| *paid)))
        .read_all(connection, read)
        .await?;
    let due = |check: Check| {
        let (_, due) = waiting.iter().find(|(paid, _)| *paid == check.job_id.as_uuid())?;
        Some((check, Timestamp::from_micros(*due)))
    };
    let mut awaiting: Vec<_> = found.into_iter().filter_map(due).collect();
    awaiting.sort_by_key(|(check, due)| (*due, check.id));
    Ok(awaiting)
}

/// The fixed day of the first job that waits for the review of what this job paid for.
///
/// # Errors
/// If the database fails.
pub async fn find_due(connection: &Connection, paid: JobId) -> Result<Option<Timestamp>, Error> {
    let of = job::Column::Id
        .eq(paid.as_uuid())
        .or(job::Column::ReuseOf.eq(paid.as_uuid()));
    let due: Option<i64> = job::Entity::find()
        .select_only()
        .column(job::Column::DueAt)
        .filter(of)
        .filter(job::Column::State.eq(JobState::AwaitingReview.as_str()))
        .order_by_asc(job::Column::DueAt)
        .into_tuple()
        .one(&connection.executor())
        .await?;
    Ok(due.map(Timestamp::from_micros))
}

fn read(row: job_check::Model) -> Result<Check, Error> {
    Ok(Check {
        id: CheckId::from_uuid(row.id),
        job_id: JobId::from_uuid(row.job_id),
        created_at: Timestamp::from_micros(row.created_at),
    })
}

fn read_vote(row: job_vote::Model) -> Result<Vote, Error> {
    let nonce = |text: String| Nonce::try_from(text).map_err(|error| Error::corrupt("job_vote nonce", error));
    Ok(Vote {
        id: row.id,
        check_id: CheckId::from_uuid(row.check_id),
        seat: Seat::from_word(&row.seat).ok_or_else(|| Error::corrupt("job_vote.seat", "unknown word"))?,
        user_id: UserId::from_uuid(row.user_id),
        organization_id: OrganizationId::from_uuid(row.organization_id),
        verdict: Verdict::from_word(&row.verdict)
            .ok_or_else(|| Error::corrupt("job_vote.verdict", "unknown word"))?,
        reason: row.reason,
        check_nonce: nonce(row.check_nonce)?,
        verdict_nonce: nonce(row.verdict_nonce)?,
        reason_nonce: nonce(row.reason_nonce)?,
        created_at: Timestamp::from_micros(row.created_at),
    })
}
