//! The handlers of background tasks: reading uploads, computing private jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use catalog_entry::ingestion::{Ingested, TRIES};
use catalog_entry::{Catalog, EntryError};
use model::{JobId, VersionId};
use sandbox_job::Sandbox;
use serde_json::{Value, json};
use shapan_config::Config;
use task::{Context, Failure, Owner, Runner, RunnerConfig, Running};
use tokio_util::sync::CancellationToken;

use super::Background;
use crate::portal::Portal;
use crate::{memory, progress};

/// Files read side by side.
const INGESTS: usize = 2;
/// How often to look for new uploads, in milliseconds.
const INGEST_POLL: u32 = 500;
/// How often to look for versions whose last reader died.
const ABANDONED_EVERY: Duration = Duration::from_secs(5);
/// How often to look for new jobs, in milliseconds: a small part of every deadline.
const JOB_POLL: u32 = 200;
/// Seconds after which an upload that a killed process was reading is read by another one that is not its successor.
const INGEST_LEASE: u32 = 15;
/// Seconds after which a job that a killed process was computing is computed by another one that is not its successor.
const JOB_LEASE: u32 = 5;
/// How long reading and computing have to notice that the process ends, in milliseconds.
const GRACE: u32 = 3_000;

/// Keeps workers for uploads and, apart from them, in reserved places, workers for private jobs.
pub(super) fn keep(background: &mut Background, config: &Config, portal: &Portal, owner: Owner) {
    let parts = Arc::new(Parts::of(portal, owner));
    let ingest = Arc::clone(&parts);
    background.keep("ingest", move |stop| work(ingest_runner(&ingest), stop));
    let catalog = portal.catalog.clone();
    background.keep_turns("abandoned-versions", ABANDONED_EVERY, move || {
        let catalog = catalog.clone();
        async move { catalog.give_up_abandoned().await.map(drop) }
    });
    let slots = config.sandbox.slots;
    background.keep("private-job", move |stop| work(job_runner(&parts, slots), stop));
}

async fn work(runner: Runner, stop: CancellationToken) {
    let running = runner.start();
    stop.cancelled().await;
    running.stop().await;
}

/// Workers for uploads only, for commands.
pub(crate) fn start_ingest(portal: &Portal) -> Running {
    ingest_runner(&Parts::of(portal, Owner::fresh())).start()
}

/// What the handlers work with.
struct Parts {
    db: db::Database,
    clock: Arc<dyn model::Clock>,
    catalog: Catalog,
    sandbox: Sandbox,
    owner: Owner,
}

impl Parts {
    fn of(portal: &Portal, owner: Owner) -> Self {
        Self {
            db: portal.db.clone(),
            clock: Arc::clone(&portal.clock),
            catalog: portal.catalog.clone(),
            sandbox: portal.sandbox.clone(),
            owner,
        }
    }
}

fn ingest_runner(parts: &Parts) -> Runner {
    let config = RunnerConfig {
        workers: INGESTS,
        lease_seconds: INGEST_LEASE,
        poll_millis: INGEST_POLL,
        grace_millis: GRACE,
        ..RunnerConfig::default()
    };
    let mut runner = Runner::new(parts.db.clone(), Arc::clone(&parts.clock), config, parts.owner);
    let catalog = parts.catalog.clone();
    runner.register(catalog_entry::ingestion::TASK_KIND, move |context| {
        let catalog = catalog.clone();
        async move {
            let outcome = ingest(&catalog, &context).await;
            memory::give_back();
            outcome
        }
    });
    runner
}

fn job_runner(parts: &Parts, slots: usize) -> Runner {
    let config = RunnerConfig {
        workers: slots,
        lease_seconds: JOB_LEASE,
        poll_millis: JOB_POLL,
        first_retry_seconds: 1,
        grace_millis: GRACE,
        ..RunnerConfig::default()
    };
    let mut runner = Runner::new(parts.db.clone(), Arc::clone(&parts.clock), config, parts.owner);
    let sandbox = parts.sandbox.clone();
    runner.register(sandbox_job::TASK_KIND, move |context| {
        let sandbox = sandbox.clone();
        async move {
            let id: JobId = subject(&context, "job")?;
            // Nothing of the reason: what a worker runs into may depend on data.
            let failed = |error: sandbox_job::JobError| Failure::passing(json!({"code": error.code()}));
            sandbox.compute(id).await.map_err(failed)?;
            Ok(json!({"job": id}))
        }
    });
    runner
}

/// Reads an upload. What is wrong with the file fails the task at once; what is wrong with the machine is tried again,
/// and after the last attempt the version is told so.
async fn ingest(catalog: &Catalog, context: &Context) -> Result<Value, Failure> {
    let id: VersionId = subject(context, "version")?;
    // However this ends, by a lost lease too, the thread that reads the file ends soon after.
    let cancel = Arc::new(AtomicBool::new(false));
    let _cancelled = CancelOnDrop(Arc::clone(&cancel));
    let told = context.clone();
    let progress = move |progress| told.report(progress::to_json(progress));
    let work = catalog.ingest(id, progress, Arc::clone(&cancel));
    tokio::pin!(work);
    let ingested = tokio::select! {
        ingested = &mut work => ingested,
        () = context.stopped() => {
            cancel.store(true, Ordering::Relaxed);
            let ended = work.await;
            if ended.is_err() {
                // Given back, not failed: stopping the process is not the file's fault.
                std::future::pending::<()>().await;
            }
            ended
        }
    };
    let error = match ingested {
        Ok(Ingested::Ready(summary)) => return Ok(summary),
        Ok(Ingested::Done) => return Ok(json!({"version": id})),
        Ok(Ingested::Failed(reason)) => return Err(Failure::refused(reason)),
        Err(error) => error,
    };
    tracing::warn!(version = %id, code = error.code(), category = ?error.category(), "an upload could not be read");
    let task = context.task();
    if task.attempt < task.max_attempts.min(TRIES) {
        return Err(Failure::passing(reason(&error)));
    }
    if let Err(error) = catalog.give_up(id).await {
        tracing::error!(version = %id, %error, "a version stays in reading although nobody reads it any more");
    }
    Err(Failure::permanent(reason(&error)))
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn reason(error: &EntryError) -> Value {
    json!({"code": error.code(), "message": error.to_string()})
}

/// The id that a task's payload names.
fn subject<T: std::str::FromStr>(context: &Context, name: &str) -> Result<T, Failure> {
    let id = context.task().payload[name]
        .as_str()
        .and_then(|id| id.parse().ok());
    id.ok_or_else(|| Failure::permanent(json!({"code": "internal", "message": "the task names nothing"})))
}
