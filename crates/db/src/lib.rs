//! The database of the portal: SQLite or PostgreSQL through one code path.
//!
//! This crate stores and finds; it holds no rule. Use-cases own transactions: they begin a [`Tx`], call the
//! functions of [`repository`] on it, write the ledger leaf of the act in the same [`Tx`], and commit.
//!
//! ```no_run
//! # async fn example(database: &db::Database, organization: &db::organization::Organization) -> Result<(), db::Error> {
//! let tx = database.begin_write().await?;
//! db::organization::insert(&tx, organization).await?;
//! tx.commit().await?;
//! let found = db::organization::find(database.read(), organization.id).await?;
//! # Ok(()) }
//! ```
//!
//! Functions that write take `&Tx`, functions that read take `&Connection`, which a `&Tx` also is.
//! No type of sea-orm or sqlx leaves this crate.

mod connection;
mod entity;
mod error;
mod migration;
pub mod repository;
mod statement;
#[cfg(test)]
mod suite;
#[doc(hidden)]
pub mod testing;

pub use connection::{Connection, Database, DatabaseConfig, Tx};
pub use error::{Error, Purse};
pub use repository::*;
