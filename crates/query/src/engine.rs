//! The engine: one runtime of its own, one session a query, every limit enforced.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use datafusion::common::config::Dialect;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use object_store::ObjectStore;
use tokio::sync::Semaphore;
use url::Url;

use crate::answer::Answer;
use crate::error::QueryError;
use crate::{function, guard, name, parse};

/// What one query, and all of them together, may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest SQL text, in bytes.
    pub sql_bytes: usize,
    /// Longest time from planning to the last row.
    pub time: Duration,
    /// Most memory of one query's operators, in bytes.
    pub memory_bytes: usize,
    /// Most temporary disk of one query, in bytes.
    pub spill_bytes: u64,
    /// Where queries spill; the system's temporary folder if not set.
    pub spill_folder: Option<PathBuf>,
    /// Most rows of an answer; further ones are cut off and the answer says so.
    pub rows: usize,
    /// Largest answer in memory, in bytes.
    pub answer_bytes: usize,
    /// Queries at the same time; the next ones wait up to a second, then are told to come back.
    pub concurrent: usize,
    /// Threads of one query.
    pub partitions: usize,
    /// Threads of all queries together.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sql_bytes: 64 << 10,
            time: Duration::from_secs(30),
            memory_bytes: 512 << 20,
            spill_bytes: 2 << 30,
            spill_folder: None,
            rows: 100_000,
            answer_bytes: 64 << 20,
            concurrent: 4,
            partitions: 2,
            threads: 2,
        }
    }
}

/// An open version as a table: immutable Parquet parts in the open store.
#[derive(Debug, Clone)]
pub struct OpenTable {
    /// The dataset's slug with `-` as `_`.
    pub sql_name: String,
    /// Paths of the parts within the open store, in row order.
    pub parts: Vec<String>,
}

/// Runs queries over open data. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    /// Caches of file metadata and the open store, which every query's environment starts from.
    base: RuntimeEnv,
    runtime: Option<tokio::runtime::Runtime>,
    places: Semaphore,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A runtime must not be dropped within another one's task.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The address under which sessions know the open store.
const STORE: &str = "open://data/";

impl Engine {
    /// An engine over the open store.
    ///
    /// # Errors
    /// [`QueryError::Internal`] if threads or the temporary folder cannot be had.
    pub fn new(store: Arc<dyn ObjectStore>, limits: Limits) -> Result<Self, QueryError> {
        let base = RuntimeEnvBuilder::new().build()?;
        base.register_object_store(&store_url()?, store);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(limits.threads.max(1))
            .thread_name("query")
            .enable_time()
            .build()
            .map_err(|error| {
                tracing::error!(%error, "query threads could not be started");
                QueryError::Internal
            })?;
        let places = Semaphore::new(limits.concurrent.max(1));
        Ok(Self {
            shared: Arc::new(Shared {
                limits,
                base,
                runtime: Some(runtime),
                places,
            }),
        })
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The tables that a query names, so that the caller can look up which of them are open.
    ///
    /// # Errors
    /// If the text is too long or cannot be parsed.
    pub fn table_names(&self, sql: &str) -> Result<Vec<String>, QueryError> {
        self.check_length(sql)?;
        let state = self.session(1)?;
        let statement = parse::statement(&state, sql)?;
        let mut names = Vec::new();
        for reference in state.resolve_table_references(&statement)? {
            if reference.schema().is_some() {
                return Err(QueryError::UnknownTable(reference.to_string()));
            }
            names.push(reference.table().to_owned());
        }
        Ok(names)
    }

    /// Runs one `SELECT` over these tables.
    ///
    /// # Errors
    /// As [`QueryError`] says; a table that is not among `tables` is unknown.
    pub async fn run(&self, sql: &str, tables: Vec<OpenTable>) -> Result<Answer, QueryError> {
        self.check_length(sql)?;
        for name in self.table_names(sql)? {
            if !tables.iter().any(|table| table.sql_name == name) {
                return Err(QueryError::UnknownTable(name));
            }
        }
        let engine = self.clone();
        let sql = sql.to_owned();
        let rows = self.shared.limits.rows;
        self.limited(async move {
            let state = engine.session(engine.shared.limits.partitions)?;
            let context = SessionContext::new_with_state(state);
            register(&context, tables).await?;
            let state = context.state();
            let plan = plan(&state, &sql, &context).await?;
            guard::check_plan(&plan)?;
            let plan = state.create_physical_plan(&plan).await?;
            engine.collect(plan, &context, rows).await
        })
        .await
    }

    /// Runs work on the engine's own threads, within time and places.
    pub(crate) async fn limited<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> Result<T, QueryError> {
        let place = tokio::time::timeout(Duration::from_secs(1), self.shared.places.acquire());
        let Ok(Ok(_place)) = place.await else {
            return Err(QueryError::Busy);
        };
        let Some(runtime) = &self.shared.runtime else {
            return Err(QueryError::Internal);
        };
        let mut task = AbortOnDrop(runtime.spawn(work));
        match tokio::time::timeout(self.shared.limits.time, &mut task.0).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => {
                tracing::error!(panic = error.is_panic(), "query task ended early");
                Err(QueryError::Internal)
            }
            Err(_) => Err(QueryError::Timeout(self.shared.limits.time.as_secs())),
        }
    }

    /// A session that knows no table yet, with its own memory and spill limits.
    pub(crate) fn session(&self, partitions: usize) -> Result<SessionState, QueryError> {
        let limits = &self.shared.limits;
        let mode = limits
            .spill_folder
            .clone()
            .map_or(DiskManagerMode::OsTmpDirectory, |folder| {
                DiskManagerMode::Directories(vec![folder])
            });
        let disk = DiskManagerBuilder::default()
            .with_mode(mode)
            .with_max_temp_directory_size(limits.spill_bytes);
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.shared.base)
            .with_disk_manager_builder(disk)
            .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes)))
            .build_arc()?;
        let mut config = SessionConfig::new()
            .with_target_partitions(partitions.max(1))
            .with_information_schema(false)
            .with_parquet_pruning(true)
            .with_collect_statistics(true);
        config.options_mut().sql_parser.dialect = Dialect::PostgreSQL;
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .with_table_function_list(Vec::new())
            .with_table_factories(HashMap::new())
            .with_file_formats(Vec::new())
            .build();
        function::restrict(&mut state)?;
        Ok(state)
    }

    /// Reads rows until the limits.
    pub(crate) async fn collect(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: &SessionContext,
        most: usize,
    ) -> Result<Answer, QueryError> {
        let schema: SchemaRef = plan.schema();
        let mut stream = datafusion::physical_plan::execute_stream(plan, context.task_ctx())?;
        let (mut batches, mut rows, mut bytes) = (Vec::new(), 0, 0);
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let take = batch.num_rows().min(most - rows);
            let cut = take < batch.num_rows();
            let batch = batch.slice(0, take);
            bytes += batch
                .columns()
                .iter()
                .map(|c| c.to_data().get_slice_memory_size().unwrap_or(0))
                .sum::<usize>();
            let full = bytes > self.shared.limits.answer_bytes;
            if !full {
                rows += take;
                batches.push(batch);
            }
            if full || cut {
                let (schema, batches) = name::with_unique_names(schema, batches);
                return Ok(Answer::new(schema, batches, true));
            }
        }
        let (schema, batches) = name::with_unique_names(schema, batches);
        Ok(Answer::new(schema, batches, false))
    }

    fn check_length(&self, sql: &str) -> Result<(), QueryError> {
        let limit = self.shared.limits.sql_bytes;
        if sql.len() > limit {
            Err(QueryError::TooLong {
                got: sql.len(),
                limit,
            })
        } else {
            Ok(())
        }
    }
}

/// Plans a query whose columns are told apart by their names.
async fn plan(state: &SessionState, sql: &str, context: &SessionContext) -> Result<LogicalPlan, QueryError> {
    let statement = parse::statement(state, sql)?;
    let mut told_apart = statement.clone();
    name::tell_apart(&mut told_apart, &[]);
    let failed = match state.statement_to_plan(told_apart).await {
        Ok(plan) => return Ok(plan),
        Err(error) => error,
    };
    // What a `*` stands for is known to the tables only: `SELECT *, a`.
    let mut statement = statement;
    if name::has_mixed_list(&mut statement) {
        let mut columns = Vec::new();
        for reference in state.resolve_table_references(&statement)? {
            let table = context.table_provider(reference).await?;
            columns.extend(table.schema().fields().iter().map(|field| field.name().clone()));
        }
        name::tell_apart(&mut statement, &columns);
        if let Ok(plan) = state.statement_to_plan(statement).await {
            return Ok(plan);
        }
    }
    Err(failed.into())
}

/// Stops the query when nobody waits for it any more.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn store_url() -> Result<Url, QueryError> {
    Url::parse(STORE).map_err(|error| {
        tracing::error!(%error, "store address");
        QueryError::Internal
    })
}

/// Makes each table known under its SQL name.
pub(crate) async fn register(context: &SessionContext, tables: Vec<OpenTable>) -> Result<(), QueryError> {
    let state = context.state();
    for table in tables {
        let urls = table
            .parts
            .iter()
            .map(|part| ListingTableUrl::parse(format!("{STORE}{part}")))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(first) = urls.first() else {
            return Err(QueryError::UnknownTable(table.sql_name));
        };
        let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
        let schema = options.infer_schema(&state, first).await?;
        let config = ListingTableConfig::new_with_multi_paths(urls)
            .with_listing_options(options)
            .with_schema(schema);
        context.register_table(table.sql_name.as_str(), Arc::new(ListingTable::try_new(config)?))?;
    }
    Ok(())
}
