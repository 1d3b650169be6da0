//! Idempotency keys: a POST that is repeated with the same key is done once and answered twice.

use model::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::connection::Tx;
use crate::entity::idempotency_key::{ActiveModel, Column, Entity};
use crate::error::Error;
use crate::statement::UpdateOne;

/// A request as its key identifies it.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Whose key it is; keys of different actors do not meet.
    pub actor: Uuid,
    /// The key.
    pub key: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// SHA-256 of the body.
    pub body_hash: [u8; 32],
}

/// What a key stands for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The key is new and now ours: do the work and call [`complete`].
    New,
    /// The same request was answered before.
    Answered {
        /// The HTTP status it got.
        status: u16,
        /// The body it got.
        response: Vec<u8>,
    },
    /// The same request is being worked on.
    InProgress,
    /// The key was used for another request.
    Mismatch,
}

/// Claims a key. Of several who try at once, one gets [`Claim::New`]; the others wait for its transaction and
/// see what it has left.
///
/// # Errors
/// If the database fails.
pub async fn claim(tx: &Tx, attempt: &Attempt<'_>, now: Timestamp) -> Result<Claim, Error> {
    let row = ActiveModel {
        actor: Set(attempt.actor),
        key: Set(attempt.key.to_owned()),
        method: Set(attempt.method.to_owned()),
        path: Set(attempt.path.to_owned()),
        body_hash: Set(attempt.body_hash.to_vec()),
        status: Set(None),
        response: Set(None),
        created_at: Set(now.as_micros()),
    };
    let keep = OnConflict::columns([Column::Actor, Column::Key])
        .do_nothing()
        .to_owned();
    let inserted = Entity::insert(row)
        .on_conflict(keep)
        .exec_without_returning(&tx.executor())
        .await?;
    if inserted == 1 {
        return Ok(Claim::New);
    }
    let found = Entity::find_by_id((attempt.actor, attempt.key.to_owned()))
        .one(&tx.executor())
        .await?
        .ok_or(Error::Contention)?;
    let same =
        found.method == attempt.method && found.path == attempt.path && found.body_hash == attempt.body_hash;
    Ok(match (same, found.status, found.response) {
        (false, ..) => Claim::Mismatch,
        (true, Some(status), Some(response)) => Claim::Answered {
            status: u16::try_from(status).map_err(|e| Error::corrupt("idempotency_key.status", e))?,
            response,
        },
        (true, ..) => Claim::InProgress,
    })
}

/// Keeps the answer of a key that was claimed.
///
/// # Errors
/// [`Error::Stale`] if the key is not claimed or has its answer.
pub async fn complete(tx: &Tx, actor: Uuid, key: &str, status: u16, response: &[u8]) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(i64::from(status)))
        .col_expr(Column::Response, Expr::value(response.to_vec()))
        .filter(Column::Actor.eq(actor))
        .filter(Column::Key.eq(key))
        .filter(Column::Status.is_null())
        .exec_one(tx, Error::Stale("idempotency key"))
        .await
}

/// Gives a claimed key back because the work did not happen; an answered one stays.
///
/// # Errors
/// If the database fails.
pub async fn release(tx: &Tx, actor: Uuid, key: &str) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::Actor.eq(actor))
        .filter(Column::Key.eq(key))
        .filter(Column::Status.is_null())
        .exec(&tx.executor())
        .await?;
    Ok(())
}

/// Forgets keys older than `before`; gives their number.
///
/// # Errors
/// If the database fails.
pub async fn delete_before(tx: &Tx, before: Timestamp) -> Result<u64, Error> {
    let old = Entity::delete_many().filter(Column::CreatedAt.lt(before.as_micros()));
    Ok(old.exec(&tx.executor()).await?.rows_affected)
}
