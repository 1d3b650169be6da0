//! Stored objects that nothing points at any more: remembered in the transaction that let go of them, and
//! deleted afterwards, so that neither a crash nor a full disk leaves them forever.

use model::Timestamp;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::connection::{Connection, Tx};
use crate::entity::storage_cleanup::{ActiveModel, Column, Entity};
use crate::error::Error;

/// An object, or all objects under a prefix, to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleanup {
    /// Its number.
    pub id: i64,
    /// The zone of storage.
    pub zone: String,
    /// The object or prefix within it.
    pub path: String,
}

/// Remembers an object to delete, not before a moment; once is enough.
///
/// # Errors
/// If the database fails.
pub async fn remember(
    tx: &Tx,
    zone: &str,
    path: &str,
    not_before: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    let row = ActiveModel {
        id: NotSet,
        zone: Set(zone.to_owned()),
        path: Set(path.to_owned()),
        not_before: Set(not_before.as_micros()),
        created_at: Set(now.as_micros()),
    };
    let keep = OnConflict::columns([Column::Zone, Column::Path])
        .do_nothing()
        .to_owned();
    Entity::insert(row)
        .on_conflict(keep)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(())
}

/// Takes back what was remembered, because the object is in use after all.
///
/// # Errors
/// If the database fails.
pub async fn cancel(tx: &Tx, zone: &str, path: &str) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::Zone.eq(zone))
        .filter(Column::Path.eq(path))
        .exec(&tx.executor())
        .await?;
    Ok(())
}

/// Up to `limit` objects whose time has come.
///
/// # Errors
/// If the database fails.
pub async fn list_due(connection: &Connection, now: Timestamp, limit: u64) -> Result<Vec<Cleanup>, Error> {
    let rows = Entity::find()
        .filter(Column::NotBefore.lte(now.as_micros()))
        .order_by_asc(Column::NotBefore)
        .limit(limit)
        .all(&connection.executor())
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| Cleanup {
            id: row.id,
            zone: row.zone,
            path: row.path,
        })
        .collect())
}

/// Forgets one that was deleted.
///
/// # Errors
/// If the database fails.
pub async fn remove(tx: &Tx, id: i64) -> Result<(), Error> {
    Entity::delete_by_id(id).exec(&tx.executor()).await?;
    Ok(())
}
