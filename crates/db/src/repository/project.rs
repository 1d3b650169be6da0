//! Projects: approved uses of datasets.

use model::{DatasetId, OrganizationId, ProjectId, RequestId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::connection::{Connection, Tx};
use crate::entity::project::{ActiveModel, Column, Entity, Model};
use crate::entity::project_dataset;
use crate::error::Error;
use crate::statement::ReadRows;

const ACTIVE: &str = "active";
const CLOSED: &str = "closed";

/// A project.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The access request that opened it.
    pub request_id: RequestId,
    /// Whose project it is.
    pub organization_id: OrganizationId,
    /// Whether it was not closed yet. Past its end it takes no jobs either, closed or not.
    pub active: bool,
    /// What the data may be used for.
    pub purpose: String,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was closed, at its end or early.
    pub closed_at: Option<Timestamp>,
    /// Counts changes, from 1.
    pub revision: i64,
}

/// Adds a project with its datasets, each with the allocation that its use is charged to.
///
/// An allocation belongs to a project that exists: where there are allocations, insert the project without
/// datasets, then the allocations, then [`insert_datasets`].
///
/// # Errors
/// [`Error::UniqueViolation`] if the request has opened a project already.
pub async fn insert(tx: &Tx, project: &Project, datasets: &[(DatasetId, Option<Uuid>)]) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(project.id.as_uuid()),
        request_id: Set(project.request_id.as_uuid()),
        organization_id: Set(project.organization_id.as_uuid()),
        state: Set(if project.active { ACTIVE } else { CLOSED }.to_owned()),
        purpose: Set(project.purpose.clone()),
        created_at: Set(project.created_at.as_micros()),
        expires_at: Set(project.expires_at.as_micros()),
        closed_at: Set(project.closed_at.map(Timestamp::as_micros)),
        revision: Set(project.revision),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    insert_datasets(tx, project.id, datasets).await
}

/// Adds datasets to a project, each with the allocation that its use is charged to.
///
/// # Errors
/// [`Error::UniqueViolation`] if the project has one of them already.
pub async fn insert_datasets(
    tx: &Tx,
    project: ProjectId,
    datasets: &[(DatasetId, Option<Uuid>)],
) -> Result<(), Error> {
    for (dataset, allocation) in datasets {
        let row = project_dataset::ActiveModel {
            project_id: Set(project.as_uuid()),
            dataset_id: Set(dataset.as_uuid()),
            allocation_id: Set(*allocation),
        };
        project_dataset::Entity::insert(row)
            .exec_without_returning(&tx.executor())
            .await?;
    }
    Ok(())
}

/// Up to `limit` projects whose end has come by `now` and that are not closed, the oldest end first.
///
/// # Errors
/// If the database fails.
pub async fn list_expired(
    connection: &Connection,
    now: Timestamp,
    limit: u64,
) -> Result<Vec<Project>, Error> {
    Entity::find()
        .filter(Column::State.eq(ACTIVE))
        .filter(Column::ExpiresAt.lte(now.as_micros()))
        .order_by_asc(Column::ExpiresAt)
        .limit(limit)
        .read_all(connection, read)
        .await
}

/// Whether a project is open at `now`. If it is, it stays so until this transaction ends: closing it waits that long.
///
/// # Errors
/// If the database fails.
pub async fn hold_open(tx: &Tx, id: ProjectId, now: Timestamp) -> Result<bool, Error> {
    let row = Entity::find_by_id(id.as_uuid())
        .filter(Column::State.eq(ACTIVE))
        .filter(Column::ExpiresAt.gt(now.as_micros()))
        .lock_shared()
        .one(&tx.executor())
        .await?;
    Ok(row.is_some())
}

/// Closes a project, after the transactions that [hold it open](hold_open). `false` if it was closed before. Its
/// allocations are closed one by one (`allocation::close`).
///
/// # Errors
/// If the database fails.
pub async fn close(tx: &Tx, id: ProjectId, now: Timestamp) -> Result<bool, Error> {
    let closed = Entity::update_many()
        .col_expr(Column::State, Expr::value(CLOSED))
        .col_expr(Column::ClosedAt, Expr::value(now.as_micros()))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::State.eq(ACTIVE))
        .exec(&tx.executor())
        .await?;
    Ok(closed.rows_affected == 1)
}

/// The project with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: ProjectId) -> Result<Option<Project>, Error> {
    Entity::find_by_id(id.as_uuid()).read_one(connection, read).await
}

/// The project that a request opened.
///
/// # Errors
/// If the database fails.
pub async fn find_by_request(connection: &Connection, id: RequestId) -> Result<Option<Project>, Error> {
    Entity::find()
        .filter(Column::RequestId.eq(id.as_uuid()))
        .read_one(connection, read)
        .await
}

/// The datasets of a project, each with its allocation.
///
/// # Errors
/// If the database fails.
pub async fn list_datasets(
    connection: &Connection,
    id: ProjectId,
) -> Result<Vec<(DatasetId, Option<Uuid>)>, Error> {
    let rows = project_dataset::Entity::find()
        .filter(project_dataset::Column::ProjectId.eq(id.as_uuid()))
        .order_by_asc(project_dataset::Column::DatasetId)
        .all(&connection.executor())
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (DatasetId::from_uuid(row.dataset_id), row.allocation_id))
        .collect())
}

/// Up to `limit` projects of an organisation, newest first, before the one with id `before`.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &Connection,
    organization: OrganizationId,
    before: Option<ProjectId>,
    limit: u64,
) -> Result<Vec<Project>, Error> {
    let mut query = Entity::find()
        .filter(Column::OrganizationId.eq(organization.as_uuid()))
        .order_by_desc(Column::Id)
        .limit(limit);
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before.as_uuid()));
    }
    query.read_all(connection, read).await
}

fn read(row: Model) -> Result<Project, Error> {
    Ok(Project {
        id: ProjectId::from_uuid(row.id),
        request_id: RequestId::from_uuid(row.request_id),
        organization_id: OrganizationId::from_uuid(row.organization_id),
        active: row.state == ACTIVE,
        purpose: row.purpose,
        created_at: Timestamp::from_micros(row.created_at),
        expires_at: Timestamp::from_micros(row.expires_at),
        closed_at: row.closed_at.map(Timestamp::from_micros),
        revision: row.revision,
    })
}
