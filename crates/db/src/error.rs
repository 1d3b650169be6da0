//! What can go wrong with the database.

use model::Category;
use sea_orm::{DbErr, RuntimeErr, sqlx};

/// Which budget found too little left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Purse {
    /// What a project may spend on a dataset.
    #[error("the project's budget for the dataset")]
    Project,
    /// What everybody together may spend on a dataset.
    #[error("the dataset's budget over everyone")]
    Everyone,
    /// What open projects may have promised to them.
    #[error("what the dataset's cap has left beside what is reserved for other projects")]
    Reserved,
}

/// A failure of the database, in the terms of either engine. No message holds a row's values.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique constraint, named `table_column…_key` on both engines, does not allow the write.
    #[error("the database holds such a row already ({0})")]
    UniqueViolation(String),
    /// A row that another one points at is missing, or would go missing.
    #[error("a row that this one belongs to does not exist, or others belong to the one to be removed")]
    ForeignKeyViolation,
    /// A check of the schema refused the row: a rule above it has a hole.
    #[error("a check of the schema refused the row ({0})")]
    CheckViolation(String),
    /// There is no such row.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The row changed since it was read, or is not in the state that the change needs.
    #[error("the {0} was changed by somebody else meanwhile; read it again")]
    Stale(&'static str),
    /// A conditional update found too little left: of what, it says.
    #[error("too little is left of {0}")]
    BudgetExhausted(Purse),
    /// The database is busy, full or out of reach.
    #[error("the database cannot be used now: {0}; try again later")]
    Unavailable(String),
    /// Two transactions waited for each other and this one was chosen to start again.
    #[error("the transaction met another one; start it again")]
    Contention,
    /// What is stored is not what the portal writes.
    #[error("the database holds a broken {what}: {reason}")]
    Corrupt {
        /// Table, or table and column.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration of the database makes no sense.
    #[error("database configuration: {0}")]
    Configuration(String),
    /// Anything else: a statement that is wrong, hence our fault.
    #[error("the database refused a statement: {0}")]
    Statement(String),
}

impl Error {
    /// What kind of failure it is, to the caller.
    pub const fn category(&self) -> Category {
        match self {
            Self::UniqueViolation(_)
            | Self::ForeignKeyViolation
            | Self::Stale(_)
            | Self::BudgetExhausted(_) => Category::Conflict,
            Self::NotFound(_) => Category::NotFound,
            Self::Unavailable(_) | Self::Contention => Category::Unavailable,
            Self::CheckViolation(_) | Self::Corrupt { .. } | Self::Configuration(_) | Self::Statement(_) => {
                Category::Internal
            }
        }
    }

    /// Whether it is the violation of this constraint.
    pub fn violates(&self, constraint: &str) -> bool {
        matches!(self, Self::UniqueViolation(name) if name == constraint)
    }

    /// A stored value that cannot be read back.
    pub(crate) fn corrupt(what: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Corrupt {
            what,
            reason: reason.to_string(),
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match &error {
            DbErr::Exec(RuntimeErr::SqlxError(inner))
            | DbErr::Query(RuntimeErr::SqlxError(inner))
            | DbErr::Conn(RuntimeErr::SqlxError(inner)) => from_sqlx(inner),
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => {
                Self::Unavailable("no connection became free in time".to_owned())
            }
            // Its text may quote a value.
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => {
                Self::corrupt("column", "a value does not have the type of its column")
            }
            other => Self::Statement(other.to_string()),
        }
    }
}

pub(crate) fn from_sqlx(error: &sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(inner) => {
            let code = inner.code().unwrap_or_default();
            if let Some(postgres) = inner.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                from_postgres(&code, postgres)
            } else {
                from_sqlite(&code, inner.message())
            }
        }
        sqlx::Error::PoolTimedOut => Error::Unavailable("no connection became free in time".to_owned()),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            Error::Unavailable("it is shutting down".to_owned())
        }
        sqlx::Error::Io(error) => Error::Unavailable(error.kind().to_string()),
        sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
            Error::Unavailable("the connection broke".to_owned())
        }
        sqlx::Error::Configuration(reason) => Error::Configuration(reason.to_string()),
        sqlx::Error::RowNotFound => Error::NotFound("row"),
        sqlx::Error::ColumnDecode { index, .. } => {
            Error::corrupt("column", format!("{index} has another type"))
        }
        _ => Error::Statement("the driver could not run it".to_owned()),
    }
}

/// SQLSTATE codes: PostgreSQL documentation, appendix A.
fn from_postgres(code: &str, error: &sqlx::postgres::PgDatabaseError) -> Error {
    let constraint = || error.constraint().unwrap_or("unnamed").to_owned();
    match code {
        "23505" => Error::UniqueViolation(constraint()),
        "23503" => Error::ForeignKeyViolation,
        "23514" | "23502" => Error::CheckViolation(constraint()),
        "40001" | "40P01" => Error::Contention,
        // Connection exceptions, lack of resources, operator intervention, wrong password, lock timeout.
        _ if ["08", "53", "57", "28", "3D"]
            .iter()
            .any(|class| code.starts_with(class))
            || code == "55P03" =>
        {
            Error::Unavailable(format!("PostgreSQL says {code}"))
        }
        _ => Error::Statement(format!(
            "PostgreSQL says {code}: {}",
            sanitized(sqlx::error::DatabaseError::message(error))
        )),
    }
}

/// Extended result codes: <https://sqlite.org/rescode.html>.
fn from_sqlite(code: &str, message: &str) -> Error {
    let code: i32 = code.parse().unwrap_or(0);
    match (code & 0xff, code) {
        (_, 1555 | 2067 | 2579) => Error::UniqueViolation(constraint_name(message)),
        (_, 787) => Error::ForeignKeyViolation,
        // A check, a missing value, a value of the wrong type.
        (19, _) => Error::CheckViolation(sanitized(message)),
        (5 | 6, _) => Error::Unavailable("another writer holds it".to_owned()),
        (8, _) => Error::Unavailable("it is read-only".to_owned()),
        (10, _) => Error::Unavailable("the disk failed".to_owned()),
        (13, _) => Error::Unavailable("the disk is full".to_owned()),
        (14, _) => Error::Unavailable("the file cannot be opened".to_owned()),
        (11 | 26, _) => Error::corrupt("file", format!("SQLite says {code}")),
        _ => Error::Statement(format!("SQLite says {code}: {}", sanitized(message))),
    }
}

/// `UNIQUE constraint failed: version.dataset_id, version.number` → `version_dataset_id_number_key`.
fn constraint_name(message: &str) -> String {
    let columns = message.rsplit_once(": ").map_or(message, |(_, columns)| columns);
    let mut name = String::new();
    for (position, column) in columns.split(", ").enumerate() {
        let (table, column) = column.split_once('.').unwrap_or(("", column));
        if position == 0 {
            name.push_str(table);
        }
        name.push('_');
        name.push_str(column);
    }
    name + "_key"
}

/// The first line, without anything quoted: engines quote values.
fn sanitized(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let mut kept = String::new();
    let mut quoted = false;
    for c in line.chars().take(200) {
        if c == '\'' {
            quoted = !quoted;
        } else if !quoted {
            kept.push(c);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_constraints_are_named_as_postgresql_does() {
        let one = "UNIQUE constraint failed: organization.slug";
        let two = "UNIQUE constraint failed: version.dataset_id, version.number";
        assert_eq!(constraint_name(one), "organization_slug_key");
        assert_eq!(constraint_name(two), "version_dataset_id_number_key");
        assert!(from_sqlite("2067", one).violates("organization_slug_key"));
    }

    #[test]
    fn busy_and_full_are_for_later() {
        for code in ["5", "517", "6", "13", "10", "14"] {
            assert_eq!(from_sqlite(code, "x").category(), Category::Unavailable, "{code}");
        }
        assert_eq!(from_sqlite("1", "near \"x\"").category(), Category::Internal);
    }

    #[test]
    fn quoted_values_are_dropped() {
        assert_eq!(
            sanitized("invalid input: '110101199003078515' here"),
            "invalid input:  here"
        );
    }
}
