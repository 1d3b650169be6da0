//! Failed sign-ins, counted by account and by address. Subjects are hashes: the table names nobody.

use model::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::connection::{Connection, Tx};
use crate::entity::sign_in_throttle::{Column, Entity};
use crate::error::Error;

/// Until when the subject may not try again, if it must wait.
///
/// # Errors
/// If the database fails.
pub async fn find_blocked_until(
    connection: &Connection,
    subject: &[u8; 32],
) -> Result<Option<Timestamp>, Error> {
    let row = Entity::find_by_id(subject.to_vec())
        .one(&connection.executor())
        .await?;
    Ok(row.map(|row| Timestamp::from_micros(row.blocked_until)))
}

/// Counts a failure and gives how many there were; counting starts anew after `forgotten_since`.
///
/// # Errors
/// If the database fails.
pub async fn count_failure(
    tx: &Tx,
    subject: &[u8; 32],
    now: Timestamp,
    forgotten_since: Timestamp,
) -> Result<i64, Error> {
    let rows = tx
        .query(
            "INSERT INTO sign_in_throttle (subject, failures, last_failed_at, blocked_until) \
             VALUES ($1, 1, $2, 0) \
             ON CONFLICT (subject) DO UPDATE SET last_failed_at = $2, failures = \
             CASE WHEN sign_in_throttle.last_failed_at < $3 THEN 1 ELSE sign_in_throttle.failures + 1 END \
             RETURNING failures",
            [
                subject.to_vec().into(),
                now.as_micros().into(),
                forgotten_since.as_micros().into(),
            ],
        )
        .await?;
    let row = rows.first().ok_or(Error::NotFound("throttle"))?;
    Ok(row.try_get("", "failures")?)
}

/// Makes the subject wait.
///
/// # Errors
/// If the database fails.
pub async fn block(tx: &Tx, subject: &[u8; 32], until: Timestamp) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::BlockedUntil, Expr::value(until.as_micros()))
        .filter(Column::Subject.eq(subject.to_vec()))
        .exec(&tx.executor())
        .await?;
    Ok(())
}

/// Takes one failure back; the wait that it may have caused ends if fewer than `free` are left.
///
/// # Errors
/// If the database fails.
pub async fn forgive(tx: &Tx, subject: &[u8; 32], free: i64) -> Result<(), Error> {
    let subject = || subject.to_vec().into();
    tx.execute(
        "DELETE FROM sign_in_throttle WHERE subject = $1 AND failures <= 1",
        [subject()],
    )
    .await?;
    tx.execute(
        "UPDATE sign_in_throttle SET failures = failures - 1, \
         blocked_until = CASE WHEN failures - 1 < $2 THEN 0 ELSE blocked_until END WHERE subject = $1",
        [subject(), free.into()],
    )
    .await?;
    Ok(())
}

/// Forgets the subject's failures.
///
/// # Errors
/// If the database fails.
pub async fn clear(tx: &Tx, subject: &[u8; 32]) -> Result<(), Error> {
    Entity::delete_by_id(subject.to_vec())
        .exec(&tx.executor())
        .await?;
    Ok(())
}

/// Forgets all failures older than `before`; gives their number.
///
/// # Errors
/// If the database fails.
pub async fn delete_before(tx: &Tx, before: Timestamp) -> Result<u64, Error> {
    let old = Entity::delete_many().filter(Column::LastFailedAt.lt(before.as_micros()));
    Ok(old.exec(&tx.executor()).await?.rows_affected)
}
