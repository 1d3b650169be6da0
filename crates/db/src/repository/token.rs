//! API tokens, kept under the hash of their secret.

use std::collections::BTreeSet;

use model::{Scope, Timestamp, TokenId, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::connection::{Connection, Tx};
use crate::entity::token::{ActiveModel, Column, Entity, Model};
use crate::error::Error;
use crate::statement::ReadRows;

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Since when it is withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the precision that the use-case keeps.
    pub last_used_at: Option<Timestamp>,
}

/// Adds a token under the SHA-256 of its secret.
///
/// # Errors
/// If the database fails.
pub async fn insert(tx: &Tx, token: &Token, secret_hash: &[u8; 32]) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(token.id.as_uuid()),
        user_id: Set(token.user_id.as_uuid()),
        name: Set(token.name.clone()),
        secret_hash: Set(secret_hash.to_vec()),
        scopes: Set(serde_json::json!(token.scopes)),
        created_at: Set(token.created_at.as_micros()),
        expires_at: Set(token.expires_at.as_micros()),
        revoked_at: Set(token.revoked_at.map(Timestamp::as_micros)),
        last_used_at: Set(token.last_used_at.map(Timestamp::as_micros)),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    Ok(())
}

/// The token whose secret has this hash, ended or not.
///
/// # Errors
/// If the database fails.
pub async fn find_by_secret(connection: &Connection, secret_hash: &[u8; 32]) -> Result<Option<Token>, Error> {
    let row = Entity::find().filter(Column::SecretHash.eq(secret_hash.to_vec()));
    row.one(&connection.executor()).await?.map(read).transpose()
}

/// The token with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: TokenId) -> Result<Option<Token>, Error> {
    Entity::find_by_id(id.as_uuid()).read_one(connection, read).await
}

/// Up to `limit` tokens of a user, newest first, before the one with id `before`.
///
/// # Errors
/// If the database fails.
pub async fn list_of_user(
    connection: &Connection,
    user: UserId,
    before: Option<TokenId>,
    limit: u64,
) -> Result<Vec<Token>, Error> {
    let mut query = Entity::find()
        .filter(Column::UserId.eq(user.as_uuid()))
        .order_by_desc(Column::Id)
        .limit(limit);
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before.as_uuid()));
    }
    query.read_all(connection, read).await
}

/// How many tokens of a user stand: neither withdrawn nor ended.
///
/// # Errors
/// If the database fails.
pub async fn count_standing(connection: &Connection, user: UserId, now: Timestamp) -> Result<u64, Error> {
    let standing = Entity::find()
        .filter(Column::UserId.eq(user.as_uuid()))
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.gt(now.as_micros()));
    Ok(standing.count(&connection.executor()).await?)
}

/// Withdraws a token; `false` if it was withdrawn already or does not exist.
///
/// # Errors
/// If the database fails.
pub async fn revoke(tx: &Tx, id: TokenId, now: Timestamp) -> Result<bool, Error> {
    let updated = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now.as_micros()))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::RevokedAt.is_null())
        .exec(&tx.executor())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Withdraws all tokens of a user; gives their number.
///
/// # Errors
/// If the database fails.
pub async fn revoke_of_user(tx: &Tx, user: UserId, now: Timestamp) -> Result<u64, Error> {
    let updated = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now.as_micros()))
        .filter(Column::UserId.eq(user.as_uuid()))
        .filter(Column::RevokedAt.is_null())
        .exec(&tx.executor())
        .await?;
    Ok(updated.rows_affected)
}

/// Notes that the token was used.
///
/// # Errors
/// If the database fails.
pub async fn touch(tx: &Tx, id: TokenId, now: Timestamp) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::value(now.as_micros()))
        .filter(Column::Id.eq(id.as_uuid()))
        .exec(&tx.executor())
        .await?;
    Ok(())
}

fn read(row: Model) -> Result<Token, Error> {
    Ok(Token {
        id: TokenId::from_uuid(row.id),
        user_id: UserId::from_uuid(row.user_id),
        name: row.name,
        scopes: serde_json::from_value(row.scopes).map_err(|e| Error::corrupt("token.scopes", e))?,
        created_at: Timestamp::from_micros(row.created_at),
        expires_at: Timestamp::from_micros(row.expires_at),
        revoked_at: row.revoked_at.map(Timestamp::from_micros),
        last_used_at: row.last_used_at.map(Timestamp::from_micros),
    })
}
