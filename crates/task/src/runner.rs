//! The workers.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use db::Database;
use db::task::{Lease, Task, TaskState};
use model::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::context::{Context, Failure, FailureKind};
use crate::owner::Owner;

/// How a runner works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunnerConfig {
    /// Tasks at once.
    pub workers: usize,
    /// How long a lease holds without a heartbeat; three heartbeats, at least, fit in.
    pub lease_seconds: u32,
    /// How often to look for work that another process has left, in milliseconds.
    pub poll_millis: u32,
    /// How long a failed task waits the first time; each further failure doubles it.
    pub first_retry_seconds: u32,
    /// The longest wait of a failed task.
    pub longest_retry_seconds: u32,
    /// How long handlers have to end when the process does, in milliseconds.
    pub grace_millis: u32,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            workers: 2,
            lease_seconds: 60,
            poll_millis: 1_000,
            first_retry_seconds: 5,
            longest_retry_seconds: 600,
            grace_millis: 10_000,
        }
    }
}

/// The longest time between two heartbeats: they carry the progress that people wait for.
const LONGEST_BEAT: Duration = Duration::from_secs(1);

type Outcome = Result<Value, Failure>;
type Handler = Arc<dyn Fn(Context) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

/// Handlers by kind, before work begins.
pub struct Runner {
    db: Database,
    clock: Arc<dyn Clock>,
    config: RunnerConfig,
    owner: Owner,
    handlers: HashMap<&'static str, Handler>,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("config", &self.config)
            .field("kinds", &self.handlers.keys())
            .finish()
    }
}

/// Workers at work. Dropped without [`Running::stop`], they die as in a crash: their leases run out.
#[derive(Debug)]
pub struct Running {
    workers: JoinSet<()>,
    stop: CancellationToken,
    wake: Arc<Notify>,
}

struct Worker {
    db: Database,
    clock: Arc<dyn Clock>,
    config: RunnerConfig,
    handlers: Arc<HashMap<&'static str, Handler>>,
    owner: Owner,
    stop: CancellationToken,
    wake: Arc<Notify>,
}

impl Runner {
    /// A runner that knows no kind of task yet. It leases in the name of this process.
    pub fn new(db: Database, clock: Arc<dyn Clock>, config: RunnerConfig, owner: Owner) -> Self {
        Self {
            db,
            clock,
            config,
            owner,
            handlers: HashMap::new(),
        }
    }

    /// Says how tasks of a kind are done. A later handler of the same kind replaces the earlier one.
    pub fn register<H, F>(&mut self, kind: &'static str, handler: H)
    where
        H: Fn(Context) -> F + Send + Sync + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        self.handlers
            .insert(kind, Arc::new(move |context| Box::pin(handler(context))));
    }

    /// Starts the workers. Tasks of kinds that were not registered are left to others.
    pub fn start(self) -> Running {
        let mut workers = JoinSet::new();
        let stop = CancellationToken::new();
        let wake = Arc::new(Notify::new());
        let handlers = Arc::new(self.handlers);
        for _ in 0..self.config.workers.max(1) {
            let worker = Worker {
                db: self.db.clone(),
                clock: self.clock.clone(),
                config: self.config,
                handlers: handlers.clone(),
                owner: self.owner,
                stop: stop.clone(),
                wake: wake.clone(),
            };
            workers.spawn(async move { worker.work().await });
        }
        Running { workers, stop, wake }
    }
}

impl Running {
    /// Tells an idle worker to look for work now: call it after committing a task.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// What [`Running::wake`] notifies, for parts that outlive a borrow.
    pub fn waker(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// Leases nothing more, tells handlers to stop, waits for the grace time, and gives back what is unfinished.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.workers.join_next().await.is_some() {}
    }
}

impl Worker {
    async fn work(&self) {
        while !self.stop.is_cancelled() {
            match self.lease().await {
                Ok(Some((lease, task))) => self.run(lease, task).await,
                Ok(None) => self.rest(self.until_next().await).await,
                Err(error) => {
                    tracing::warn!(%error, "no task could be leased; trying again");
                    self.rest(self.poll()).await;
                }
            }
        }
    }

    async fn rest(&self, duration: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.wake.notified() => {}
            () = tokio::time::sleep(duration) => {}
        }
    }

    fn poll(&self) -> Duration {
        Duration::from_millis(u64::from(self.config.poll_millis.max(1)))
    }

    fn kinds(&self) -> Vec<&str> {
        self.handlers.keys().copied().collect()
    }

    /// Until the next task is due, but no longer than the interval of looking.
    async fn until_next(&self) -> Duration {
        let next = db::task::find_next_run(self.db.read(), &self.kinds())
            .await
            .ok()
            .flatten();
        let wait = next.map(|next| next.micros_since(self.clock.now()).max(1_000));
        let wait = wait
            .and_then(|micros| u64::try_from(micros).ok())
            .map(Duration::from_micros);
        wait.map_or(self.poll(), |wait| wait.min(self.poll()))
    }

    async fn lease(&self) -> Result<Option<(Lease, Task)>, db::Error> {
        let kinds = self.kinds();
        // Looks before it writes: an idle worker must not take the writer's place.
        let next = db::task::find_next_run(self.db.read(), &kinds).await?;
        let now = self.clock.now();
        if next.is_none_or(|next| next > now) {
            return Ok(None);
        }
        let tx = self.db.begin_write().await?;
        let leased = db::task::lease(&tx, &kinds, self.owner.as_uuid(), self.lease_end(now), now).await?;
        tx.commit().await?;
        Ok(leased)
    }

    fn lease_end(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(i64::from(self.config.lease_seconds.max(1)))
    }

    async fn run(&self, lease: Lease, task: Task) {
        let kind = task.kind.clone();
        let Some(handler) = self.handlers.get(kind.as_str()) else {
            return;
        };
        let stop = self.stop.child_token();
        let context = Context::new(task, stop.clone());
        // A task of its own, so that a panic ends it and not the worker.
        let mut work = AbortOnDropHandle::new(tokio::spawn(handler(context.clone())));
        let mut held_until = self.lease_end(self.clock.now());
        let third = Duration::from_secs(u64::from(self.config.lease_seconds.max(1))) / 3;
        let mut beat = tokio::time::interval(third.min(LONGEST_BEAT));
        beat.tick().await;
        let grace = Duration::from_millis(u64::from(self.config.grace_millis));
        let out_of_grace = async {
            self.stop.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        tokio::pin!(out_of_grace);
        let outcome = loop {
            tokio::select! {
                outcome = &mut work => break outcome,
                () = &mut out_of_grace => {
                    work.abort();
                    self.report("given back", &lease, self.give_back(&lease).await);
                    return;
                }
                _ = beat.tick() => match self.heartbeat(&lease, &context).await {
                    Ok(until) => held_until = until,
                    Err(error) => {
                        let lost = matches!(error, db::Error::Stale(_)) || self.clock.now() >= held_until;
                        tracing::warn!(task = %lease.task_id, %error, lost, "a heartbeat failed");
                        if lost {
                            // Somebody else may work on it: whatever this handler would still do is too much.
                            stop.cancel();
                            work.abort();
                            return;
                        }
                    }
                },
            }
        };
        let stored = self.finish(&lease, &context, outcome).await;
        self.report("finished", &lease, stored);
    }

    async fn heartbeat(&self, lease: &Lease, context: &Context) -> Result<Timestamp, db::Error> {
        let now = self.clock.now();
        let until = self.lease_end(now);
        let tx = self.db.begin_write().await?;
        db::task::heartbeat(&tx, lease, until, context.take_progress(), now).await?;
        tx.commit().await?;
        Ok(until)
    }

    async fn give_back(&self, lease: &Lease) -> Result<(), db::Error> {
        let tx = self.db.begin_write().await?;
        db::task::give_back(&tx, lease, self.clock.now()).await?;
        tx.commit().await
    }

    async fn finish(
        &self,
        lease: &Lease,
        context: &Context,
        outcome: Result<Outcome, JoinError>,
    ) -> Result<(), db::Error> {
        let outcome = outcome.unwrap_or_else(|error| {
            // The message of a panic may quote data; it goes nowhere.
            let code = if error.is_panic() {
                "handler-panicked"
            } else {
                "handler-aborted"
            };
            Err(Failure::passing(json!({"code": code})))
        });
        let now = self.clock.now();
        let tx = self.db.begin_write().await?;
        let until = self.lease_end(now);
        db::task::heartbeat(&tx, lease, until, context.take_progress(), now).await?;
        match outcome {
            Ok(result) => db::task::complete(&tx, lease, result, now).await?,
            Err(Failure { error, kind }) => {
                let retry_at =
                    (kind == FailureKind::Passing).then(|| now.plus_seconds(self.wait(lease.attempt)));
                let code = error["code"].as_str().unwrap_or("unknown").to_owned();
                let state = db::task::fail(&tx, lease, error, retry_at, now).await?;
                tell(context.task(), kind, state, &code);
            }
        }
        tx.commit().await
    }

    /// Seconds to wait after the failure of an attempt, from 1.
    fn wait(&self, attempt: i64) -> i64 {
        let doublings = u32::try_from(attempt - 1).unwrap_or(0).min(30);
        let wait = i64::from(self.config.first_retry_seconds) << doublings;
        wait.min(i64::from(self.config.longest_retry_seconds))
    }

    fn report(&self, what: &str, lease: &Lease, outcome: Result<(), db::Error>) {
        if let Err(error) = outcome {
            // The lease runs out, and the task is done again.
            tracing::warn!(task = %lease.task_id, owner = %self.owner, %error, "a task could not be {what}");
        }
    }
}

/// Logs a failure by its code, which is a word of ours. The message is for the task's owner; what was handed in is for
/// nobody.
fn tell(task: &Task, kind: FailureKind, state: TaskState, code: &str) {
    let (id, work, attempt) = (task.id, &task.kind, task.attempt);
    match (kind, state) {
        (FailureKind::Refused, _) => {
            tracing::info!(task = %id, kind = work, code, outcome = "refused", "what was handed in cannot be used");
        }
        (_, TaskState::Failed) => {
            tracing::error!(task = %id, kind = work, code, attempt, "a task failed for good");
        }
        _ => {
            tracing::warn!(task = %id, kind = work, code, attempt, "an attempt failed; the task is tried again")
        }
    }
}
