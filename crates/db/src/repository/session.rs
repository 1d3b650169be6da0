//! Login sessions, kept under the hash of their secret.

use model::{Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use crate::connection::{Connection, Tx};
use crate::entity::session::{ActiveModel, Column, Entity, Model};
use crate::error::Error;
use crate::statement::ReadRows;

/// A session.
#[derive(Clone)]
pub struct Session {
    /// SHA-256 of the secret that the cookie carries.
    pub id: [u8; 32],
    /// Whose it is.
    pub user_id: UserId,
    /// What the CSRF token is made from.
    pub csrf_secret: [u8; 32],
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
    /// When it was last used, to the precision that the use-case keeps.
    pub last_seen_at: Timestamp,
}

/// Adds a session.
///
/// # Errors
/// If the database fails.
pub async fn insert(tx: &Tx, session: &Session) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(session.id.to_vec()),
        user_id: Set(session.user_id.as_uuid()),
        csrf_secret: Set(session.csrf_secret.to_vec()),
        created_at: Set(session.created_at.as_micros()),
        expires_at: Set(session.expires_at.as_micros()),
        last_seen_at: Set(session.last_seen_at.as_micros()),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    Ok(())
}

/// The session with this id, expired or not.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: &[u8; 32]) -> Result<Option<Session>, Error> {
    Entity::find_by_id(id.to_vec()).read_one(connection, read).await
}

/// Notes that the session was used.
///
/// # Errors
/// If the database fails.
pub async fn touch(tx: &Tx, id: &[u8; 32], now: Timestamp) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::LastSeenAt, Expr::value(now.as_micros()))
        .filter(Column::Id.eq(id.to_vec()))
        .exec(&tx.executor())
        .await?;
    Ok(())
}

/// Ends a session; `false` if there is none.
///
/// # Errors
/// If the database fails.
pub async fn delete(tx: &Tx, id: &[u8; 32]) -> Result<bool, Error> {
    Ok(Entity::delete_by_id(id.to_vec())
        .exec(&tx.executor())
        .await?
        .rows_affected
        == 1)
}

/// Ends all sessions of a user; gives their number.
///
/// # Errors
/// If the database fails.
pub async fn delete_of_user(tx: &Tx, user: UserId) -> Result<u64, Error> {
    let deleted = Entity::delete_many().filter(Column::UserId.eq(user.as_uuid()));
    Ok(deleted.exec(&tx.executor()).await?.rows_affected)
}

/// Forgets sessions that ended before `now` or were last used before `idle_since`; gives their number.
///
/// # Errors
/// If the database fails.
pub async fn delete_expired(tx: &Tx, now: Timestamp, idle_since: Timestamp) -> Result<u64, Error> {
    let ended = Condition::any()
        .add(Column::ExpiresAt.lte(now.as_micros()))
        .add(Column::LastSeenAt.lte(idle_since.as_micros()));
    Ok(Entity::delete_many()
        .filter(ended)
        .exec(&tx.executor())
        .await?
        .rows_affected)
}

fn read(row: Model) -> Result<Session, Error> {
    let hash =
        |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).map_err(|_| Error::corrupt("session", "not 32 bytes"));
    Ok(Session {
        id: hash(row.id)?,
        user_id: UserId::from_uuid(row.user_id),
        csrf_secret: hash(row.csrf_secret)?,
        created_at: Timestamp::from_micros(row.created_at),
        expires_at: Timestamp::from_micros(row.expires_at),
        last_seen_at: Timestamp::from_micros(row.last_seen_at),
    })
}
