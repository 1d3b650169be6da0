//! Opening the database, reading it, and writing it in transactions.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend, IsolationLevel,
    QueryResult, SqliteTransactionMode, SqlxPostgresConnector, SqlxSqliteConnector, Statement,
    TransactionOptions, TransactionTrait, Value,
};
use sea_orm_migration::MigratorTrait;

use crate::error::{Error, from_sqlx};
use crate::migration;

/// How long a write waits for the one before it, and a reader for a free connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which database, and how many connections to it.
#[derive(Clone)]
pub enum DatabaseConfig {
    /// SQLite in a file, which is made if it is not there; its folder must exist.
    File {
        /// The file.
        path: PathBuf,
        /// Connections for reading, besides the one that writes.
        readers: u32,
    },
    /// SQLite in a private folder that goes away with the [`Database`]; nothing survives.
    Memory,
    /// PostgreSQL 14 or newer.
    Postgres {
        /// `postgres://user:password@host:port/database`; never logged.
        url: String,
        /// Connections, for reading and writing.
        connections: u32,
    },
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, readers } => f
                .debug_struct("File")
                .field("path", path)
                .field("readers", readers)
                .finish(),
            Self::Memory => f.write_str("Memory"),
            Self::Postgres { connections, .. } => f
                .debug_struct("Postgres")
                .field("url", &"(secret)")
                .field("connections", connections)
                .finish(),
        }
    }
}

/// An open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    reader: Arc<Connection>,
    writer: DatabaseConnection,
    /// Keeps the folder of a [`DatabaseConfig::Memory`] database.
    _folder: Option<Arc<tempfile::TempDir>>,
}

/// What can be read from: the open database, or a transaction with what it has written so far.
#[derive(Debug)]
pub struct Connection(Inner);

#[derive(Debug)]
enum Inner {
    Pool(DatabaseConnection),
    Transaction(DatabaseTransaction),
}

/// A transaction that writes. Dropped without [`Tx::commit`], it leaves no trace.
///
/// On SQLite there is one at a time, so do nothing slow inside, and never open a second one before the first
/// has ended. On PostgreSQL it is READ COMMITTED: what must hold under races is a conditional update or a
/// constraint, never a read followed by a write.
#[derive(Debug)]
pub struct Tx(Connection);

impl Database {
    /// Opens the database; its schema may still be old or missing, see [`Database::migrate`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be reached or opened, [`Error::Configuration`] for a bad address.
    pub async fn connect(config: &DatabaseConfig) -> Result<Self, Error> {
        match config {
            DatabaseConfig::File { path, readers } => {
                Self::connect_sqlite(path.clone(), *readers, SqliteSynchronous::Full, None).await
            }
            DatabaseConfig::Memory => {
                let folder = tempfile::Builder::new()
                    .prefix("shapan-memory-")
                    .tempdir()
                    .map_err(|error| Error::Unavailable(error.kind().to_string()))?;
                let path = folder.path().join("memory.sqlite");
                Self::connect_sqlite(path, 4, SqliteSynchronous::Off, Some(folder)).await
            }
            DatabaseConfig::Postgres { url, connections } => Self::connect_postgres(url, *connections).await,
        }
    }

    async fn connect_sqlite(
        path: PathBuf,
        readers: u32,
        synchronous: SqliteSynchronous,
        folder: Option<tempfile::TempDir>,
    ) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .foreign_keys(true)
            // A destroyed key is overwritten, not left in a free page.
            .pragma("secure_delete", "ON")
            .busy_timeout(PATIENCE);
        let pool = |connections: u32| {
            SqlitePoolOptions::new()
                .min_connections(1)
                .max_connections(connections)
                .acquire_timeout(PATIENCE)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(|e| from_sqlx(&e))?;
        // Not opened with mode=ro: a read-only connection cannot recover the log of a killed process.
        let reader_options = options.pragma("query_only", "ON");
        let reader = pool(readers.max(1))
            .connect_with(reader_options)
            .await
            .map_err(|e| from_sqlx(&e))?;
        Ok(Self {
            reader: Arc::new(Connection(Inner::Pool(
                SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
            ))),
            writer: SqlxSqliteConnector::from_sqlx_sqlite_pool(writer),
            _folder: folder.map(Arc::new),
        })
    }

    async fn connect_postgres(url: &str, connections: u32) -> Result<Self, Error> {
        let options: PgConnectOptions = url.parse().map_err(|_| {
            Error::Configuration(
                "the address must be like postgres://user:password@host:5432/shapan".to_owned(),
            )
        })?;
        let pool = PgPoolOptions::new()
            .max_connections(connections.max(2))
            .acquire_timeout(PATIENCE)
            .connect_with(options.application_name("shapan"))
            .await
            .map_err(|e| from_sqlx(&e))?;
        let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
        Ok(Self {
            reader: Arc::new(Connection(Inner::Pool(pool.clone()))),
            writer: pool,
            _folder: None,
        })
    }

    /// Brings the schema up to date; several processes may try at once.
    ///
    /// # Errors
    /// If a step fails; the schema is then as it was.
    pub async fn migrate(&self) -> Result<(), Error> {
        let tx = self.begin_write().await?;
        migration::lock(&tx.executor()).await?;
        migration::Migrator::up(tx.executor(), None).await?;
        tx.commit().await
    }

    /// What to read from. Each query sees what was committed before it began.
    pub fn read(&self) -> &Connection {
        &self.reader
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when other writers hold the database for too long.
    pub async fn begin_write(&self) -> Result<Tx, Error> {
        let options = if self.writer.get_database_backend() == DbBackend::Sqlite {
            TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            }
        } else {
            TransactionOptions {
                isolation_level: Some(IsolationLevel::ReadCommitted),
                ..TransactionOptions::default()
            }
        };
        let transaction = self.writer.begin_with_options(options).await?;
        Ok(Tx(Connection(Inner::Transaction(transaction))))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        self.reader.executor().execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Closes all connections, after those in use have come back.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when a connection breaks while closing.
    pub async fn close(self) -> Result<(), Error> {
        if let Inner::Pool(pool) = &self.reader.0 {
            pool.close_by_ref().await?;
        }
        Ok(self.writer.close().await?)
    }
}

impl Connection {
    /// What sea-orm runs statements on.
    pub(crate) fn executor(&self) -> DatabaseExecutor<'_> {
        match &self.0 {
            Inner::Pool(pool) => DatabaseExecutor::Connection(pool),
            Inner::Transaction(transaction) => DatabaseExecutor::Transaction(transaction),
        }
    }

    /// Runs one statement with `$1`, `$2` … for values, which both engines read; gives the rows it touched.
    pub(crate) async fn execute(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, Error> {
        let executor = self.executor();
        let statement = Statement::from_sql_and_values(executor.get_database_backend(), sql.into(), values);
        Ok(executor.execute_raw(statement).await?.rows_affected())
    }

    /// Runs one query with `$1`, `$2` … for values.
    pub(crate) async fn query(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, Error> {
        let executor = self.executor();
        let statement = Statement::from_sql_and_values(executor.get_database_backend(), sql.into(), values);
        Ok(executor.query_all_raw(statement).await?)
    }
}

impl Tx {
    /// Makes everything written so far permanent.
    ///
    /// # Errors
    /// If the engine cannot; then nothing was written.
    pub async fn commit(self) -> Result<(), Error> {
        match self.0.0 {
            Inner::Transaction(transaction) => Ok(transaction.commit().await?),
            Inner::Pool(_) => Ok(()),
        }
    }

    /// Gives up everything written so far; dropping does the same, without waiting for it.
    ///
    /// # Errors
    /// If the connection broke; nothing was written then either.
    pub async fn rollback(self) -> Result<(), Error> {
        match self.0.0 {
            Inner::Transaction(transaction) => Ok(transaction.rollback().await?),
            Inner::Pool(_) => Ok(()),
        }
    }
}

impl Deref for Tx {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}
