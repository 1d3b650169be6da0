//! Organisations: departments, the bureau, enterprises, assessors.

use model::{Localized, OrganizationId, OrganizationKind, Slug, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::connection::{Connection, Tx};
use crate::entity::organization::{ActiveModel, Column, Entity, Model};
use crate::error::Error;
use crate::statement::{ReadRows, UpdateOne};

/// Violated when another organisation has the slug.
pub const SLUG_KEY: &str = "organization_slug_key";

/// An organisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name in addresses; never changes.
    pub slug: Slug,
    /// Its name for people.
    pub name: Localized,
    /// What it is.
    pub kind: OrganizationKind,
    /// GB/T 2260 code of the area it is responsible for.
    pub region: Option<String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Counts changes, from 1.
    pub revision: i64,
}

/// Adds an organisation.
///
/// # Errors
/// [`Error::UniqueViolation`] of [`SLUG_KEY`].
pub async fn insert(tx: &Tx, organization: &Organization) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(organization.id.as_uuid()),
        slug: Set(organization.slug.as_str().to_owned()),
        name_zh: Set(organization.name.zh().to_owned()),
        name_en: Set(organization.name.en().map(str::to_owned)),
        kind: Set(organization.kind.as_str().to_owned()),
        region: Set(organization.region.clone()),
        created_at: Set(organization.created_at.as_micros()),
        revision: Set(organization.revision),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    Ok(())
}

/// Changes the name and region of the organisation that is still at `organization.revision`, and returns its
/// new revision.
///
/// # Errors
/// [`Error::Stale`] if it is at another revision or does not exist.
pub async fn update(tx: &Tx, organization: &Organization) -> Result<i64, Error> {
    let next = organization.revision + 1;
    Entity::update_many()
        .col_expr(Column::NameZh, Expr::value(organization.name.zh()))
        .col_expr(Column::NameEn, Expr::value(organization.name.en()))
        .col_expr(Column::Region, Expr::value(organization.region.as_deref()))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .filter(Column::Id.eq(organization.id.as_uuid()))
        .filter(Column::Revision.eq(organization.revision))
        .exec_one(tx, Error::Stale("organization"))
        .await?;
    Ok(next)
}

/// The organisation with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: OrganizationId) -> Result<Option<Organization>, Error> {
    Entity::find_by_id(id.as_uuid()).read_one(connection, read).await
}

/// The organisations with these ids, in any order.
///
/// # Errors
/// If the database fails.
pub async fn list_by_id(
    connection: &Connection,
    ids: impl IntoIterator<Item = OrganizationId>,
) -> Result<Vec<Organization>, Error> {
    let ids: Vec<_> = ids.into_iter().map(OrganizationId::as_uuid).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Entity::find()
        .filter(Column::Id.is_in(ids))
        .read_all(connection, read)
        .await
}

/// The organisation with this id, which must exist.
///
/// # Errors
/// [`Error::NotFound`] if it does not.
pub async fn load(connection: &Connection, id: OrganizationId) -> Result<Organization, Error> {
    find(connection, id).await?.ok_or(Error::NotFound("organization"))
}

/// The organisation with this slug.
///
/// # Errors
/// If the database fails.
pub async fn find_by_slug(connection: &Connection, slug: &Slug) -> Result<Option<Organization>, Error> {
    Entity::find()
        .filter(Column::Slug.eq(slug.as_str()))
        .read_one(connection, read)
        .await
}

/// Up to `limit` organisations, oldest first, after the one with id `after`; of one kind or of all.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &Connection,
    kind: Option<OrganizationKind>,
    after: Option<OrganizationId>,
    limit: u64,
) -> Result<Vec<Organization>, Error> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(limit);
    if let Some(kind) = kind {
        query = query.filter(Column::Kind.eq(kind.as_str()));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.as_uuid()));
    }
    query.read_all(connection, read).await
}

fn read(row: Model) -> Result<Organization, Error> {
    Ok(Organization {
        id: OrganizationId::from_uuid(row.id),
        slug: Slug::parse(&row.slug).map_err(|e| Error::corrupt("organization.slug", e))?,
        name: Localized::parse(&row.name_zh, row.name_en.as_deref())
            .map_err(|e| Error::corrupt("organization.name", e))?,
        kind: OrganizationKind::from_name(&row.kind)
            .ok_or_else(|| Error::corrupt("organization.kind", "unknown word"))?,
        region: row.region,
        created_at: Timestamp::from_micros(row.created_at),
        revision: row.revision,
    })
}
