//! The wrapped data keys of versions. A destroyed key never comes back, under no other key either.

use model::{Timestamp, VersionId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::connection::{Connection, Tx};
use crate::entity::version_key::{Column, Entity, Model};
use crate::error::Error;
use crate::statement::one_row;

/// A data key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct VersionKey {
    /// Whose.
    pub version: VersionId,
    /// What it seals: `original` or `copy`.
    pub purpose: String,
    /// The key, wrapped by the operator's; nothing once it is destroyed.
    pub wrapped: Option<Vec<u8>>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it was destroyed.
    pub destroyed_at: Option<Timestamp>,
}

impl std::fmt::Debug for VersionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VersionKey")
            .field("version", &self.version)
            .field("purpose", &self.purpose)
            .field("destroyed_at", &self.destroyed_at)
            .finish_non_exhaustive()
    }
}

/// Stores a key, in place of one that sealed the same thing before.
///
/// # Errors
/// [`Error::Stale`] if that one was destroyed.
pub async fn put(
    tx: &Tx,
    version: VersionId,
    purpose: &str,
    wrapped: &[u8],
    now: Timestamp,
) -> Result<(), Error> {
    let stored = tx
        .execute(
            "INSERT INTO version_key (version_id, purpose, wrapped, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (version_id, purpose) DO UPDATE SET wrapped = excluded.wrapped, \
             created_at = excluded.created_at WHERE version_key.destroyed_at IS NULL",
            [
                version.as_uuid().into(),
                purpose.into(),
                wrapped.to_vec().into(),
                now.as_micros().into(),
            ],
        )
        .await?;
    one_row(stored, Error::Stale("version key"))
}

/// The wrapped key of a version for a purpose; none if it never had one, or it was destroyed.
///
/// # Errors
/// If the database fails.
pub async fn find(
    connection: &Connection,
    version: VersionId,
    purpose: &str,
) -> Result<Option<Vec<u8>>, Error> {
    let row = Entity::find_by_id((version.as_uuid(), purpose.to_owned()))
        .one(&connection.executor())
        .await?;
    Ok(row.and_then(|row| row.wrapped))
}

/// Forgets a key: what it sealed cannot be read any more. Whether there was one.
///
/// # Errors
/// If the database fails.
pub async fn destroy(tx: &Tx, version: VersionId, purpose: &str, now: Timestamp) -> Result<bool, Error> {
    let destroyed = tx
        .execute(
            "UPDATE version_key SET wrapped = NULL, destroyed_at = $3 \
             WHERE version_id = $1 AND purpose = $2 AND destroyed_at IS NULL",
            [version.as_uuid().into(), purpose.into(), now.as_micros().into()],
        )
        .await?;
    Ok(destroyed == 1)
}

/// Puts another wrapping of the same key in the place of `before`. When it was stored does not change.
///
/// # Errors
/// [`Error::Stale`] if another one is stored by now, or the key was destroyed.
pub async fn rewrap(
    tx: &Tx,
    version: VersionId,
    purpose: &str,
    before: &[u8],
    after: &[u8],
) -> Result<(), Error> {
    let stored = tx
        .execute(
            "UPDATE version_key SET wrapped = $4 \
             WHERE version_id = $1 AND purpose = $2 AND wrapped = $3 AND destroyed_at IS NULL",
            [
                version.as_uuid().into(),
                purpose.into(),
                before.to_vec().into(),
                after.to_vec().into(),
            ],
        )
        .await?;
    one_row(stored, Error::Stale("version key"))
}

/// All keys that are not destroyed, by version.
///
/// # Errors
/// If the database fails.
pub async fn list_kept(connection: &Connection) -> Result<Vec<VersionKey>, Error> {
    let rows = Entity::find()
        .filter(Column::DestroyedAt.is_null())
        .order_by_asc(Column::VersionId)
        .order_by_asc(Column::Purpose)
        .all(&connection.executor())
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

fn read(row: Model) -> VersionKey {
    VersionKey {
        version: VersionId::from_uuid(row.version_id),
        purpose: row.purpose,
        wrapped: row.wrapped,
        created_at: Timestamp::from_micros(row.created_at),
        destroyed_at: row.destroyed_at.map(Timestamp::from_micros),
    }
}
