//! Versions of datasets: numbered, immutable once ready.

use model::{DatasetId, DeclaredMetadata, Timestamp, UserId, VersionId, VersionState};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::connection::{Connection, Tx};
use crate::entity::version::{ActiveModel, Column, Entity, Model};
use crate::error::Error;
use crate::statement::{JsonOf, ReadRows, UpdateOne};

/// Violated when two uploads race for a number: try again with the next.
pub const NUMBER_KEY: &str = "version_dataset_id_number_key";

/// A version.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// Of which dataset.
    pub dataset_id: DatasetId,
    /// 1, 2, 3 … within the dataset.
    pub number: i64,
    /// Where it stands.
    pub state: VersionState,
    /// Who uploaded it.
    pub created_by: UserId,
    /// The file's name as it was given; shown to trusted roles.
    pub source_name: String,
    /// How the file is to be read.
    pub options: Value,
    /// What was declared when it was uploaded; what it is checked and read against for ever.
    pub declared: Option<DeclaredMetadata>,
    /// Its parts and distributions, once ready.
    pub manifest: Option<Value>,
    /// Figures per column, once ready.
    pub profile: Option<Value>,
    /// Why it could not be read: code, message, place.
    pub failure: Option<Value>,
    /// SHA-256 of the manifest, hexadecimal, once ready.
    pub checksum: Option<String>,
    /// When the upload began.
    pub created_at: Timestamp,
    /// When it became ready.
    pub ready_at: Option<Timestamp>,
    /// When its release was approved.
    pub published_at: Option<Timestamp>,
}

/// What ingestion found, stored in one act.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    /// How the file was read in the end.
    pub options: Value,
    /// Parts and distributions.
    pub manifest: Value,
    /// Figures per column.
    pub profile: Value,
    /// SHA-256 of the manifest, hexadecimal.
    pub checksum: String,
}

/// Adds a version.
///
/// # Errors
/// [`Error::UniqueViolation`] of [`NUMBER_KEY`].
pub async fn insert(tx: &Tx, version: &Version) -> Result<(), Error> {
    let declared = version.declared.as_ref().map(serde_json::to_value).transpose();
    let row = ActiveModel {
        id: Set(version.id.as_uuid()),
        dataset_id: Set(version.dataset_id.as_uuid()),
        number: Set(version.number),
        state: Set(version.state.as_str().to_owned()),
        created_by: Set(version.created_by.as_uuid()),
        source_name: Set(version.source_name.clone()),
        options: Set(version.options.clone()),
        declared: Set(declared.map_err(|e| Error::corrupt("version.declared", e))?),
        manifest: Set(version.manifest.clone()),
        profile: Set(version.profile.clone()),
        failure: Set(version.failure.clone()),
        checksum: Set(version.checksum.clone()),
        created_at: Set(version.created_at.as_micros()),
        ready_at: Set(version.ready_at.map(Timestamp::as_micros)),
        published_at: Set(version.published_at.map(Timestamp::as_micros)),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    Ok(())
}

/// The number that a dataset's next version gets.
///
/// # Errors
/// If the database fails.
pub async fn next_number(tx: &Tx, dataset: DatasetId) -> Result<i64, Error> {
    let last = Entity::find()
        .filter(Column::DatasetId.eq(dataset.as_uuid()))
        .order_by_desc(Column::Number)
        .one(&tx.executor())
        .await?;
    Ok(last.map_or(1, |row| row.number + 1))
}

/// Makes an ingesting version ready.
///
/// # Errors
/// [`Error::Stale`] if it is not ingesting.
pub async fn set_ready(tx: &Tx, id: VersionId, ready: &Ready, now: Timestamp) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(VersionState::Ready.as_str()))
        .col_expr(Column::Options, Expr::value(ready.options.clone()))
        .col_expr(Column::Manifest, Expr::value(ready.manifest.clone()))
        .col_expr(Column::Profile, Expr::value(ready.profile.clone()))
        .col_expr(Column::Checksum, Expr::value(ready.checksum.as_str()))
        .col_expr(Column::ReadyAt, Expr::value(now.as_micros()))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::State.eq(VersionState::Ingesting.as_str()))
        .exec_one(tx, Error::Stale("version"))
        .await
}

/// Sends a ready version back to be read again, under another declaration.
///
/// # Errors
/// [`Error::Stale`] if it is not ready.
pub async fn set_ingesting(tx: &Tx, id: VersionId, declared: Option<&DeclaredMetadata>) -> Result<(), Error> {
    let declared = declared.map(serde_json::to_value).transpose();
    let declared = declared.map_err(|e| Error::corrupt("version.declared", e))?;
    Entity::update_many()
        .col_expr(Column::State, Expr::value(VersionState::Ingesting.as_str()))
        .col_expr(Column::Declared, Expr::value(declared))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::State.eq(VersionState::Ready.as_str()))
        .exec_one(tx, Error::Stale("version"))
        .await
}

/// Says why an ingesting version could not be read.
///
/// # Errors
/// [`Error::Stale`] if it is not ingesting.
pub async fn set_failed(tx: &Tx, id: VersionId, failure: Value) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(VersionState::Failed.as_str()))
        .col_expr(Column::Failure, Expr::value(failure))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::State.eq(VersionState::Ingesting.as_str()))
        .exec_one(tx, Error::Stale("version"))
        .await
}

/// Marks a ready version as released.
///
/// # Errors
/// [`Error::Stale`] if it is not ready.
pub async fn set_released(tx: &Tx, id: VersionId, now: Timestamp) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(VersionState::Released.as_str()))
        .col_expr(Column::PublishedAt, Expr::value(now.as_micros()))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::State.eq(VersionState::Ready.as_str()))
        .exec_one(tx, Error::Stale("version"))
        .await
}

/// The version with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: VersionId) -> Result<Option<Version>, Error> {
    Entity::find_by_id(id.as_uuid()).read_one(connection, read).await
}

/// When versions were published, and their manifests, in any order.
///
/// # Errors
/// If the database fails.
pub async fn list_manifests<M: DeserializeOwned>(
    connection: &Connection,
    ids: impl IntoIterator<Item = VersionId>,
) -> Result<Vec<(VersionId, Option<Timestamp>, Option<M>)>, Error> {
    #[derive(FromQueryResult)]
    struct Row<M: DeserializeOwned> {
        id: Uuid,
        published_at: Option<i64>,
        manifest: Option<JsonOf<M>>,
    }
    let ids: Vec<_> = ids.into_iter().map(VersionId::as_uuid).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find()
        .select_only()
        .columns([Column::Id, Column::PublishedAt, Column::Manifest])
        .filter(Column::Id.is_in(ids))
        .into_model::<Row<M>>()
        .all(&connection.executor())
        .await?;
    let read = |row: Row<M>| {
        let published = row.published_at.map(Timestamp::from_micros);
        (
            VersionId::from_uuid(row.id),
            published,
            row.manifest.map(|json| json.0),
        )
    };
    Ok(rows.into_iter().map(read).collect())
}

/// The version with this id, which must exist.
///
/// # Errors
/// [`Error::NotFound`] if it does not.
pub async fn load(connection: &Connection, id: VersionId) -> Result<Version, Error> {
    find(connection, id).await?.ok_or(Error::NotFound("version"))
}

/// The version of a dataset with this number.
///
/// # Errors
/// If the database fails.
pub async fn find_by_number(
    connection: &Connection,
    dataset: DatasetId,
    number: i64,
) -> Result<Option<Version>, Error> {
    Entity::find()
        .filter(Column::DatasetId.eq(dataset.as_uuid()))
        .filter(Column::Number.eq(number))
        .read_one(connection, read)
        .await
}

/// Up to `limit` versions of a dataset, newest first, before number `before`.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &Connection,
    dataset: DatasetId,
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<Version>, Error> {
    let mut query = Entity::find()
        .filter(Column::DatasetId.eq(dataset.as_uuid()))
        .order_by_desc(Column::Number)
        .limit(limit);
    if let Some(before) = before {
        query = query.filter(Column::Number.lt(before));
    }
    query.read_all(connection, read).await
}

/// Ids of all versions in a state.
///
/// # Errors
/// If the database fails.
pub async fn list_in_state(connection: &Connection, state: VersionState) -> Result<Vec<VersionId>, Error> {
    let rows = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::State.eq(state.as_str()))
        .order_by_asc(Column::Id)
        .into_tuple::<uuid::Uuid>()
        .all(&connection.executor())
        .await?;
    Ok(rows.into_iter().map(VersionId::from_uuid).collect())
}

/// All versions with where they stand: what storage may hold files of.
///
/// # Errors
/// If the database fails.
pub async fn list_states(connection: &Connection) -> Result<Vec<(VersionId, VersionState)>, Error> {
    let rows = Entity::find()
        .select_only()
        .column(Column::Id)
        .column(Column::State)
        .into_tuple::<(uuid::Uuid, String)>()
        .all(&connection.executor())
        .await?;
    rows.into_iter()
        .map(|(id, state)| Ok((VersionId::from_uuid(id), read_state(&state)?)))
        .collect()
}

fn read_state(word: &str) -> Result<VersionState, Error> {
    VersionState::from_word(word).ok_or_else(|| Error::corrupt("version.state", "unknown word"))
}

fn read(row: Model) -> Result<Version, Error> {
    let declared = row.declared.map(serde_json::from_value).transpose();
    Ok(Version {
        id: VersionId::from_uuid(row.id),
        dataset_id: DatasetId::from_uuid(row.dataset_id),
        number: row.number,
        state: read_state(&row.state)?,
        created_by: UserId::from_uuid(row.created_by),
        source_name: row.source_name,
        options: row.options,
        declared: declared.map_err(|e| Error::corrupt("version.declared", e))?,
        manifest: row.manifest,
        profile: row.profile,
        failure: row.failure,
        checksum: row.checksum,
        created_at: Timestamp::from_micros(row.created_at),
        ready_at: row.ready_at.map(Timestamp::from_micros),
        published_at: row.published_at.map(Timestamp::from_micros),
    })
}
