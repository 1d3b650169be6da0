//! The engine for SQL over open data, and how private queries reach it.

use std::time::Duration;

use catalog_entry::{Catalog, EntryError};
use futures::future::BoxFuture;
use identity::Actor;
use model::Slug;
use query::{Engine, Limits, OpenTable, QueryError};
use sandbox_job::{OpenData, OpenDataError, OpenRows};
use shapan_config::Config;
use storage::OpenStore;

use crate::failure::Failure;

/// Where queries over open data spill, within the data folder; emptied at each start.
const SPILL: &str = "spill";

/// Starts the engine of the one process that serves.
pub(crate) fn open_engine(config: &Config, open: &OpenStore) -> Result<Engine, Failure> {
    let spill = config.data.dir.join(SPILL);
    let cannot = |error: std::io::Error| {
        Failure::cannot(format_args!(
            "empty the folder of temporary files {}",
            spill.display()
        ))(error)
    };
    match std::fs::remove_dir_all(&spill) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
        _ => std::fs::create_dir(&spill).map_err(cannot)?,
    }
    let query = &config.query;
    let limits = Limits {
        sql_bytes: query.sql_bytes,
        time: Duration::from_secs(query.seconds),
        memory_bytes: query.memory_bytes,
        spill_bytes: query.spill_bytes,
        spill_folder: Some(spill),
        rows: query.rows,
        concurrent: query.concurrent,
        partitions: query.threads.min(4),
        threads: query.threads,
        ..Limits::default()
    };
    Engine::new(open.object_store(), limits).map_err(Failure::cannot("start the query engine"))
}

/// Runs the public parts of private queries, for whoever submits them and under the limits of everyone's queries.
pub(crate) struct OpenQueries {
    pub(crate) engine: Engine,
    pub(crate) catalog: Catalog,
}

impl OpenQueries {
    async fn rows(&self, actor: &Actor, sql: &str) -> Result<OpenRows, OpenDataError> {
        let mut tables = Vec::new();
        for name in self.engine.table_names(sql).map_err(failed)? {
            let unknown = || OpenDataError::UnknownTable(name.clone());
            let slug = Slug::from_sql_name(&name).ok_or_else(unknown)?;
            match self.catalog.open_parts(actor, &slug, None).await {
                Ok((_, parts)) => tables.push(OpenTable {
                    sql_name: name,
                    parts,
                }),
                Err(EntryError::NotFound(_)) => return Err(unknown()),
                Err(error) => {
                    tracing::error!(%error, "an open dataset could not be looked up");
                    return Err(OpenDataError::Busy);
                }
            }
        }
        let answer = self.engine.run(sql, tables).await.map_err(failed)?;
        Ok(OpenRows {
            schema: answer.schema(),
            batches: answer.batches().to_vec(),
            truncated: answer.is_truncated(),
        })
    }
}

impl OpenData for OpenQueries {
    fn run<'a>(&'a self, actor: &'a Actor, sql: &'a str) -> BoxFuture<'a, Result<OpenRows, OpenDataError>> {
        Box::pin(self.rows(actor, sql))
    }
}

fn failed(error: QueryError) -> OpenDataError {
    match error {
        QueryError::UnknownTable(name) => OpenDataError::UnknownTable(name),
        QueryError::Busy | QueryError::Internal => OpenDataError::Busy,
        other => OpenDataError::Failed(other.to_string()),
    }
}
