//! The outbox: what other stores, such as the search index, must still be told.
//!
//! A message is written in the transaction of the change and removed once it was handled, so it is handled at
//! least once. Reading "after the last id" would lose messages: on PostgreSQL a lower id can commit later.

use model::Timestamp;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use uuid::Uuid;

use crate::connection::{Connection, Tx};
use crate::entity::outbox::{ActiveModel, Column, Entity};
use crate::error::Error;

/// A message that was not handled yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its number; older messages of one writer have lower ones.
    pub id: i64,
    /// Whom it is for, such as `search`.
    pub topic: String,
    /// What it is about.
    pub subject: Uuid,
    /// The rest.
    pub payload: Value,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Writes a message.
///
/// # Errors
/// If the database fails.
pub async fn push(tx: &Tx, topic: &str, subject: Uuid, payload: Value, now: Timestamp) -> Result<(), Error> {
    let row = ActiveModel {
        id: NotSet,
        topic: Set(topic.to_owned()),
        subject: Set(subject),
        payload: Set(payload),
        created_at: Set(now.as_micros()),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    Ok(())
}

/// Up to `limit` messages of a topic, lowest number first.
///
/// # Errors
/// If the database fails.
pub async fn list(connection: &Connection, topic: &str, limit: u64) -> Result<Vec<Message>, Error> {
    let rows = Entity::find()
        .filter(Column::Topic.eq(topic))
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(&connection.executor())
        .await?;
    let read = |row: crate::entity::outbox::Model| Message {
        id: row.id,
        topic: row.topic,
        subject: row.subject,
        payload: row.payload,
        created_at: Timestamp::from_micros(row.created_at),
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Removes messages that were handled.
///
/// # Errors
/// If the database fails.
pub async fn remove(tx: &Tx, ids: &[i64]) -> Result<(), Error> {
    for some in ids.chunks(500) {
        Entity::delete_many()
            .filter(Column::Id.is_in(some.iter().copied()))
            .exec(&tx.executor())
            .await?;
    }
    Ok(())
}
