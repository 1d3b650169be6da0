//! People's accounts and their roles.

use std::collections::BTreeSet;

use model::{OrganizationId, Role, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::connection::{Connection, Tx};
use crate::entity::user::{ActiveModel, Column, Entity, Model};
use crate::entity::user_role;
use crate::error::Error;
use crate::statement::UpdateOne;

/// Violated when another account has the user name.
pub const USERNAME_KEY: &str = "user_username_key";

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The name to sign in with; never changes.
    pub username: String,
    /// The person's name.
    pub display_name: String,
    /// Where the person works.
    pub organization_id: OrganizationId,
    /// When the account was opened.
    pub created_at: Timestamp,
    /// Since when it is closed.
    pub disabled_at: Option<Timestamp>,
    /// Counts changes, from 1.
    pub revision: i64,
}

/// Adds an account with the hash of its password (PHC string format).
///
/// # Errors
/// [`Error::UniqueViolation`] of [`USERNAME_KEY`], or [`Error::ForeignKeyViolation`] without the organisation.
pub async fn insert(tx: &Tx, user: &User, password_hash: &str) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(user.id.as_uuid()),
        username: Set(user.username.clone()),
        password_hash: Set(password_hash.to_owned()),
        display_name: Set(user.display_name.clone()),
        organization_id: Set(user.organization_id.as_uuid()),
        created_at: Set(user.created_at.as_micros()),
        disabled_at: Set(user.disabled_at.map(Timestamp::as_micros)),
        revision: Set(user.revision),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    Ok(())
}

/// The account with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: UserId) -> Result<Option<User>, Error> {
    Ok(Entity::find_by_id(id.as_uuid())
        .one(&connection.executor())
        .await?
        .map(read))
}

/// The account with this id, which must exist.
///
/// # Errors
/// [`Error::NotFound`] if it does not.
pub async fn load(connection: &Connection, id: UserId) -> Result<User, Error> {
    find(connection, id).await?.ok_or(Error::NotFound("user"))
}

/// The account with this user name and the hash of its password.
///
/// # Errors
/// If the database fails.
pub async fn find_with_password(
    connection: &Connection,
    username: &str,
) -> Result<Option<(User, String)>, Error> {
    let row = Entity::find()
        .filter(Column::Username.eq(username))
        .one(&connection.executor())
        .await?;
    Ok(row.map(|row| {
        let password_hash = row.password_hash.clone();
        (read(row), password_hash)
    }))
}

/// Up to `limit` accounts, oldest first, after the one with id `after`; of one organisation or of all.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &Connection,
    organization: Option<OrganizationId>,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<User>, Error> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(limit);
    if let Some(organization) = organization {
        query = query.filter(Column::OrganizationId.eq(organization.as_uuid()));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.as_uuid()));
    }
    Ok(query
        .all(&connection.executor())
        .await?
        .into_iter()
        .map(read)
        .collect())
}

/// Replaces the hash of the password.
///
/// # Errors
/// [`Error::NotFound`] without such an account.
pub async fn update_password(tx: &Tx, id: UserId, password_hash: &str) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(password_hash))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .filter(Column::Id.eq(id.as_uuid()))
        .exec_one(tx, Error::NotFound("user"))
        .await
}

/// Closes the account; `false` if it was closed already or does not exist.
///
/// # Errors
/// If the database fails.
pub async fn disable(tx: &Tx, id: UserId, now: Timestamp) -> Result<bool, Error> {
    let updated = Entity::update_many()
        .col_expr(Column::DisabledAt, Expr::value(now.as_micros()))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::DisabledAt.is_null())
        .exec(&tx.executor())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Makes other transactions that lock the same account wait until this one ends.
///
/// # Errors
/// [`Error::NotFound`] without such an account.
pub async fn lock(tx: &Tx, id: UserId) -> Result<(), Error> {
    let row = Entity::find_by_id(id.as_uuid())
        .lock_exclusive()
        .one(&tx.executor())
        .await?;
    row.map(|_| ()).ok_or(Error::NotFound("user"))
}

/// Gives a role; `false` if the account has it already.
///
/// # Errors
/// [`Error::ForeignKeyViolation`] without such an account.
pub async fn grant_role(tx: &Tx, id: UserId, role: Role) -> Result<bool, Error> {
    let row = user_role::ActiveModel {
        user_id: Set(id.as_uuid()),
        role: Set(role.as_str().to_owned()),
    };
    let inserted = user_role::Entity::insert(row)
        .on_conflict(
            OnConflict::columns([user_role::Column::UserId, user_role::Column::Role])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(inserted == 1)
}

/// Takes a role away; `false` if the account does not have it.
///
/// # Errors
/// If the database fails.
pub async fn revoke_role(tx: &Tx, id: UserId, role: Role) -> Result<bool, Error> {
    let deleted = user_role::Entity::delete_many()
        .filter(user_role::Column::UserId.eq(id.as_uuid()))
        .filter(user_role::Column::Role.eq(role.as_str()))
        .exec(&tx.executor())
        .await?;
    Ok(deleted.rows_affected == 1)
}

/// The roles of an account.
///
/// # Errors
/// If the database fails.
pub async fn list_roles(connection: &Connection, id: UserId) -> Result<BTreeSet<Role>, Error> {
    let rows = user_role::Entity::find()
        .filter(user_role::Column::UserId.eq(id.as_uuid()))
        .all(&connection.executor())
        .await?;
    rows.iter()
        .map(|row| Role::from_name(&row.role).ok_or_else(|| Error::corrupt("user_role.role", "unknown word")))
        .collect()
}

fn read(row: Model) -> User {
    User {
        id: UserId::from_uuid(row.id),
        username: row.username,
        display_name: row.display_name,
        organization_id: OrganizationId::from_uuid(row.organization_id),
        created_at: Timestamp::from_micros(row.created_at),
        disabled_at: row.disabled_at.map(Timestamp::from_micros),
        revision: row.revision,
    }
}
