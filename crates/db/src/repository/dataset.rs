//! Datasets: catalogue entries with the pointer to their current version, which is the commit point of publishing.

use model::{
    DatasetId, DatasetState, DeclaredMetadata, EntryMetadata, Level, LineageId, OrganizationId, Slug,
    Timestamp, UserId, VersionId,
};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::connection::{Connection, Tx};
use crate::entity::dataset::{ActiveModel, Column, Entity, Model};
use crate::entity::dataset_alias;
use crate::error::Error;
use crate::statement::{JsonOf, ReadRows, UpdateOne};

/// Violated when another dataset has the slug.
pub const SLUG_KEY: &str = "dataset_slug_key";

/// A dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Its id.
    pub id: DatasetId,
    /// Its name in addresses and, with `_`, in SQL; never changes.
    pub slug: Slug,
    /// The portal it was harvested from; none for our own.
    pub origin: Option<String>,
    /// The department that provides it.
    pub organization_id: OrganizationId,
    /// Who made the entry.
    pub created_by: UserId,
    /// What its releases are accounted under, with all versions, derivatives and re-imports.
    pub lineage_id: LineageId,
    /// Its level; none keeps it in quarantine.
    pub level: Option<Level>,
    /// Where it stands.
    pub state: DatasetState,
    /// What the catalogue says of it.
    pub metadata: EntryMetadata,
    /// What is declared of its data.
    pub declared: Option<DeclaredMetadata>,
    /// The version that the public, or the sandbox, reads.
    pub current_version_id: Option<VersionId>,
    /// Counts changes, from 1.
    pub revision: i64,
    /// When the entry was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Which datasets a list holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct DatasetFilter {
    /// Of this department only.
    pub organization_id: Option<OrganizationId>,
    /// In this state only.
    pub state: Option<DatasetState>,
}

/// Adds a dataset.
///
/// # Errors
/// [`Error::UniqueViolation`] of [`SLUG_KEY`].
pub async fn insert(tx: &Tx, dataset: &Dataset) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(dataset.id.as_uuid()),
        slug: Set(dataset.slug.as_str().to_owned()),
        origin: Set(dataset.origin.clone()),
        organization_id: Set(dataset.organization_id.as_uuid()),
        created_by: Set(dataset.created_by.as_uuid()),
        lineage_id: Set(dataset.lineage_id.as_uuid()),
        level: Set(dataset.level.map(|level| i64::from(level.number()))),
        special: Set(dataset.metadata.special),
        state: Set(dataset.state.as_str().to_owned()),
        metadata: Set(json(&dataset.metadata)?),
        declared: Set(dataset.declared.as_ref().map(json).transpose()?),
        current_version_id: Set(dataset.current_version_id.map(VersionId::as_uuid)),
        revision: Set(dataset.revision),
        created_at: Set(dataset.created_at.as_micros()),
        updated_at: Set(dataset.updated_at.as_micros()),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    Ok(())
}

/// Replaces level, metadata and declaration of the dataset that is still at `dataset.revision`, and returns its
/// new revision.
///
/// # Errors
/// [`Error::Stale`] if it is at another revision or does not exist.
pub async fn update(tx: &Tx, dataset: &Dataset) -> Result<i64, Error> {
    let declared = dataset.declared.as_ref().map(json).transpose()?;
    Entity::update_many()
        .col_expr(
            Column::Level,
            Expr::value(dataset.level.map(|level| i64::from(level.number()))),
        )
        .col_expr(Column::Special, Expr::value(dataset.metadata.special))
        .col_expr(Column::Metadata, Expr::value(json(&dataset.metadata)?))
        .col_expr(Column::Declared, Expr::value(declared))
        .col_expr(Column::UpdatedAt, Expr::value(dataset.updated_at.as_micros()))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .filter(Column::Id.eq(dataset.id.as_uuid()))
        .filter(Column::Revision.eq(dataset.revision))
        .exec_one(tx, Error::Stale("dataset"))
        .await?;
    Ok(dataset.revision + 1)
}

/// Points a dataset at a version, in a state: the one act that publishes.
///
/// # Errors
/// [`Error::NotFound`] if there is no such dataset, [`Error::ForeignKeyViolation`] if the version is not its own.
pub async fn set_current_version(
    tx: &Tx,
    id: DatasetId,
    version: Option<VersionId>,
    state: DatasetState,
    now: Timestamp,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(
            Column::CurrentVersionId,
            Expr::value(version.map(VersionId::as_uuid)),
        )
        .col_expr(Column::State, Expr::value(state.as_str()))
        .col_expr(Column::UpdatedAt, Expr::value(now.as_micros()))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .filter(Column::Id.eq(id.as_uuid()))
        .exec_one(tx, Error::NotFound("dataset"))
        .await
}

/// Lets an old slug lead to a dataset.
///
/// # Errors
/// [`Error::UniqueViolation`] if the slug leads somewhere already.
pub async fn insert_alias(tx: &Tx, slug: &Slug, id: DatasetId, now: Timestamp) -> Result<(), Error> {
    let row = dataset_alias::ActiveModel {
        slug: Set(slug.as_str().to_owned()),
        dataset_id: Set(id.as_uuid()),
        created_at: Set(now.as_micros()),
    };
    dataset_alias::Entity::insert(row)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(())
}

/// The dataset with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: DatasetId) -> Result<Option<Dataset>, Error> {
    Entity::find_by_id(id.as_uuid()).read_one(connection, read).await
}

/// The dataset with this id, which must exist.
///
/// # Errors
/// [`Error::NotFound`] if it does not.
pub async fn load(connection: &Connection, id: DatasetId) -> Result<Dataset, Error> {
    find(connection, id).await?.ok_or(Error::NotFound("dataset"))
}

/// The dataset with this slug, or which this slug once led to: compare its slug to see which.
///
/// # Errors
/// If the database fails.
pub async fn find_by_slug(connection: &Connection, slug: &Slug) -> Result<Option<Dataset>, Error> {
    let row = Entity::find()
        .filter(Column::Slug.eq(slug.as_str()))
        .one(&connection.executor())
        .await?;
    if let Some(row) = row {
        return read(row).map(Some);
    }
    let alias = dataset_alias::Entity::find_by_id(slug.as_str().to_owned())
        .one(&connection.executor())
        .await?;
    match alias {
        Some(alias) => find(connection, DatasetId::from_uuid(alias.dataset_id)).await,
        None => Ok(None),
    }
}

/// These datasets, in no particular order; unknown ids are passed over.
///
/// # Errors
/// If the database fails.
pub async fn list_by_id(connection: &Connection, ids: &[DatasetId]) -> Result<Vec<Dataset>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = ids.iter().map(|id| id.as_uuid());
    Entity::find()
        .filter(Column::Id.is_in(ids))
        .read_all(connection, read)
        .await
}

/// A dataset as lists of them show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its id.
    pub id: DatasetId,
    /// Its name in addresses.
    pub slug: Slug,
    /// The department that provides it.
    pub organization_id: OrganizationId,
    /// Its level.
    pub level: Option<Level>,
    /// What the catalogue says of it.
    pub metadata: EntryMetadata,
    /// The version that the public, or the sandbox, reads.
    pub current_version_id: Option<VersionId>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

#[derive(FromQueryResult)]
struct ListedRow {
    id: Uuid,
    slug: String,
    organization_id: Uuid,
    level: Option<i64>,
    metadata: JsonOf<EntryMetadata>,
    current_version_id: Option<Uuid>,
    updated_at: i64,
}

/// The datasets with these ids as lists show them, in any order. What is declared of their data, which is long, stays
/// where it is.
///
/// # Errors
/// If the database fails.
pub async fn list_shown(connection: &Connection, ids: &[DatasetId]) -> Result<Vec<Listed>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [
        Column::Id,
        Column::Slug,
        Column::OrganizationId,
        Column::Level,
        Column::Metadata,
        Column::CurrentVersionId,
        Column::UpdatedAt,
    ];
    let rows = Entity::find()
        .select_only()
        .columns(columns)
        .filter(Column::Id.is_in(ids.iter().map(|id| id.as_uuid())))
        .into_model::<ListedRow>()
        .all(&connection.executor())
        .await?;
    let shown = |row: ListedRow| {
        Ok(Listed {
            id: DatasetId::from_uuid(row.id),
            slug: Slug::parse(&row.slug).map_err(|e| Error::corrupt("dataset.slug", e))?,
            organization_id: OrganizationId::from_uuid(row.organization_id),
            level: row.level.map(read_level).transpose()?,
            metadata: row.metadata.0,
            current_version_id: row.current_version_id.map(VersionId::from_uuid),
            updated_at: Timestamp::from_micros(row.updated_at),
        })
    };
    rows.into_iter().map(shown).collect()
}

/// Up to `limit` datasets, newest first, before the one with id `before`.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &Connection,
    filter: DatasetFilter,
    before: Option<DatasetId>,
    limit: u64,
) -> Result<Vec<Dataset>, Error> {
    let mut query = Entity::find().order_by_desc(Column::Id).limit(limit);
    if let Some(organization) = filter.organization_id {
        query = query.filter(Column::OrganizationId.eq(organization.as_uuid()));
    }
    if let Some(state) = filter.state {
        query = query.filter(Column::State.eq(state.as_str()));
    }
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before.as_uuid()));
    }
    query.read_all(connection, read).await
}

/// Up to `limit` datasets of a department, last changed first, after the one that changed at `after`.
///
/// # Errors
/// If the database fails.
pub async fn list_changed(
    connection: &Connection,
    organization: OrganizationId,
    after: Option<(Timestamp, DatasetId)>,
    limit: u64,
) -> Result<Vec<Dataset>, Error> {
    let mut query = Entity::find()
        .filter(Column::OrganizationId.eq(organization.as_uuid()))
        .order_by_desc(Column::UpdatedAt)
        .order_by_desc(Column::Id)
        .limit(limit);
    if let Some((moment, id)) = after {
        let moment = moment.as_micros();
        let same = Column::UpdatedAt.eq(moment).and(Column::Id.lt(id.as_uuid()));
        query = query.filter(Column::UpdatedAt.lt(moment).or(same));
    }
    query
        .all(&connection.executor())
        .await?
        .into_iter()
        .map(read)
        .collect()
}

fn json<T: serde::Serialize>(value: &T) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(|e| Error::corrupt("dataset", e))
}

fn read_level(number: i64) -> Result<Level, Error> {
    u8::try_from(number)
        .ok()
        .and_then(Level::from_number)
        .ok_or_else(|| Error::corrupt("dataset.level", "not 1 to 4"))
}

fn read(row: Model) -> Result<Dataset, Error> {
    let declared = row.declared.map(serde_json::from_value).transpose();
    Ok(Dataset {
        id: DatasetId::from_uuid(row.id),
        slug: Slug::parse(&row.slug).map_err(|e| Error::corrupt("dataset.slug", e))?,
        origin: row.origin,
        organization_id: OrganizationId::from_uuid(row.organization_id),
        created_by: UserId::from_uuid(row.created_by),
        lineage_id: LineageId::from_uuid(row.lineage_id),
        level: row.level.map(read_level).transpose()?,
        state: DatasetState::from_word(&row.state)
            .ok_or_else(|| Error::corrupt("dataset.state", "unknown word"))?,
        metadata: serde_json::from_value(row.metadata).map_err(|e| Error::corrupt("dataset.metadata", e))?,
        declared: declared.map_err(|e| Error::corrupt("dataset.declared", e))?,
        current_version_id: row.current_version_id.map(VersionId::from_uuid),
        revision: row.revision,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}
