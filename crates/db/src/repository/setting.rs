//! What the portal keeps about itself between starts. Nothing secret: secrets are files of the operator.

use model::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use sea_orm::sea_query::OnConflict;
use serde_json::Value;

use crate::connection::{Connection, Tx};
use crate::entity::setting::{ActiveModel, Column, Entity};
use crate::error::Error;

/// The value under a key.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, key: &str) -> Result<Option<Value>, Error> {
    Ok(Entity::find_by_id(key)
        .one(&connection.executor())
        .await?
        .map(|row| row.value))
}

/// Sets the value under a key.
///
/// # Errors
/// If the database fails.
pub async fn put(tx: &Tx, key: &str, value: Value, now: Timestamp) -> Result<(), Error> {
    let row = ActiveModel {
        key: Set(key.to_owned()),
        value: Set(value),
        updated_at: Set(now.as_micros()),
    };
    let replace = OnConflict::column(Column::Key)
        .update_columns([Column::Value, Column::UpdatedAt])
        .to_owned();
    Entity::insert(row)
        .on_conflict(replace)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(())
}

/// Sets the value under a key unless there is one, and gives the one that stands: the same to all who race.
///
/// # Errors
/// If the database fails.
pub async fn put_if_absent(tx: &Tx, key: &str, value: Value, now: Timestamp) -> Result<Value, Error> {
    let row = ActiveModel {
        key: Set(key.to_owned()),
        value: Set(value),
        updated_at: Set(now.as_micros()),
    };
    let keep = OnConflict::column(Column::Key).do_nothing().to_owned();
    Entity::insert(row)
        .on_conflict(keep)
        .exec_without_returning(&tx.executor())
        .await?;
    find(tx, key).await?.ok_or(Error::NotFound("setting"))
}
