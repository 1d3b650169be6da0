//! The schema, in steps that are never changed once released.
//!
//! A step is one SQL file for both engines. Only the names of types differ, and those stand in braces:
//! SQLite tables are `STRICT`, so that both engines refuse a value of the wrong type.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait};

/// Arbitrary, but the same in every process of the portal: whoever holds it migrates.
const ADVISORY_LOCK: i64 = 0x5368_6170_616e_0001;

macro_rules! steps {
    ($($name:literal,)+) => {
        [$(Step { name: $name, sql: include_str!(concat!($name, ".sql")) },)+]
    };
}

/// Every step, oldest first.
const STEPS: [Step; 9] = steps![
    "0001_initial",
    "0002_project_end",
    "0003_no_storage_cleanup",
    "0004_reason_nonce",
    "0005_version_key",
    "0006_reserve_every_window",
    "0007_job_check",
    "0008_top_up",
    "0009_parallel",
];

/// Takes the steps that a database lacks.
pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        STEPS
            .into_iter()
            .map(|step| Box::new(step) as Box<dyn MigrationTrait>)
            .collect()
    }
}

/// Makes other processes that start now wait until this transaction ends.
pub(crate) async fn lock(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    if connection.get_database_backend() == DbBackend::Postgres {
        let statement = format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})");
        connection
            .execute_raw(Statement::from_string(DbBackend::Postgres, statement))
            .await?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Step {
    name: &'static str,
    sql: &'static str,
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait is declared so, and async_trait tells them apart"
)]
#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = translate(self.sql, manager.get_database_backend());
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        // The caller's transaction holds the lock and all steps.
        Some(false)
    }
}

/// Two tables that point at each other: SQLite takes the key at once, PostgreSQL once both exist.
const POINTER: &str = "FOREIGN KEY (id, current_version_id) REFERENCES version (dataset_id, id)";

fn translate(sql: &str, backend: DbBackend) -> String {
    let pointer_column = format!(", CONSTRAINT dataset_current_version_fkey {POINTER}");
    let pointer_key = format!("ALTER TABLE dataset ADD CONSTRAINT dataset_current_version_fkey {POINTER};");
    let words = if backend == DbBackend::Postgres {
        [
            ("{uuid}", "UUID"),
            ("{bigint}", "BIGINT"),
            ("{bool}", "BOOLEAN"),
            ("{bytes}", "BYTEA"),
            ("{json}", "JSONB"),
            ("{serial}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
            ("{strict}", ""),
            ("{pointer_to_own_version}", ""),
            ("{pointer_key}", &pointer_key),
        ]
    } else {
        [
            ("{uuid}", "BLOB"),
            ("{bigint}", "INTEGER"),
            ("{bool}", "INTEGER"),
            ("{bytes}", "BLOB"),
            ("{json}", "TEXT"),
            ("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            ("{strict}", "STRICT"),
            ("{pointer_to_own_version}", &pointer_column),
            ("{pointer_key}", ""),
        ]
    };
    words
        .iter()
        .fold(sql.to_owned(), |sql, (word, text)| sql.replace(word, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_left_untranslated() {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            for step in STEPS {
                let sql = translate(step.sql, backend);
                for word in ["{uuid}", "{bytes}", "{strict}", "{pointer"] {
                    assert!(!sql.contains(word), "{}: {word}", step.name);
                }
            }
        }
    }
}
