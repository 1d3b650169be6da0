//! Policies: dated rules that are never changed, only followed by newer ones.

use model::{PolicyId, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use crate::connection::{Connection, Tx};
use crate::entity::policy::{ActiveModel, Column, Entity, Model};
use crate::error::Error;

/// Violated when a policy of the kind begins at the same moment.
pub const EFFECTIVE_FROM_KEY: &str = "policy_kind_effective_from_key";

/// A rule, from a date on.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its id.
    pub id: PolicyId,
    /// What it rules, such as `budget` or `deadline`.
    pub kind: String,
    /// From when on.
    pub effective_from: Timestamp,
    /// The rule, in the form of its kind.
    pub body: Value,
    /// Who set it; nobody for what the portal came with.
    pub created_by: Option<UserId>,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// Adds a policy. There is no function that changes or removes one.
///
/// # Errors
/// [`Error::UniqueViolation`] of [`EFFECTIVE_FROM_KEY`].
pub async fn insert(tx: &Tx, policy: &Policy) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(policy.id.as_uuid()),
        kind: Set(policy.kind.clone()),
        effective_from: Set(policy.effective_from.as_micros()),
        body: Set(policy.body.clone()),
        created_by: Set(policy.created_by.map(UserId::as_uuid)),
        created_at: Set(policy.created_at.as_micros()),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    Ok(())
}

/// The policy of a kind that rules at a moment.
///
/// # Errors
/// If the database fails.
pub async fn find_effective(
    connection: &Connection,
    kind: &str,
    at: Timestamp,
) -> Result<Option<Policy>, Error> {
    let row = Entity::find()
        .filter(Column::Kind.eq(kind))
        .filter(Column::EffectiveFrom.lte(at.as_micros()))
        .order_by_desc(Column::EffectiveFrom)
        .limit(1)
        .one(&connection.executor())
        .await?;
    Ok(row.map(read))
}

/// The policy with this id, which must exist.
///
/// # Errors
/// [`Error::NotFound`] if it does not.
pub async fn load(connection: &Connection, id: PolicyId) -> Result<Policy, Error> {
    let row = Entity::find_by_id(id.as_uuid())
        .one(&connection.executor())
        .await?;
    row.map(read).ok_or(Error::NotFound("policy"))
}

/// All policies of a kind, newest first.
///
/// # Errors
/// If the database fails.
pub async fn list(connection: &Connection, kind: &str) -> Result<Vec<Policy>, Error> {
    let rows = Entity::find()
        .filter(Column::Kind.eq(kind))
        .order_by_desc(Column::EffectiveFrom)
        .all(&connection.executor())
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

fn read(row: Model) -> Policy {
    Policy {
        id: PolicyId::from_uuid(row.id),
        kind: row.kind,
        effective_from: Timestamp::from_micros(row.effective_from),
        body: row.body,
        created_by: row.created_by.map(UserId::from_uuid),
        created_at: Timestamp::from_micros(row.created_at),
    }
}
