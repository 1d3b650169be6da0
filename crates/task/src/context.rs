//! What a handler is given, and what it can answer.

use std::sync::{Arc, Mutex, PoisonError};

use db::task::Task;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A task as its handler sees it.
#[derive(Debug, Clone)]
pub struct Context {
    task: Arc<Task>,
    progress: Arc<Mutex<Option<Value>>>,
    stop: CancellationToken,
}

impl Context {
    pub(crate) fn new(task: Task, stop: CancellationToken) -> Self {
        Self {
            task: Arc::new(task),
            progress: Arc::default(),
            stop,
        }
    }

    /// The task: its payload, which attempt this is, and where an earlier attempt got to.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Tells how far the work is; the next heartbeat stores it. Cheap: call it as often as you like.
    pub fn report(&self, progress: Value) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    /// Whether to stop: the process ends, or the lease is another's by now.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until it is time to stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    pub(crate) fn take_progress(&self) -> Option<Value> {
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// Why an attempt failed. It is stored with the task and shown to its owner, so it holds no protected value.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What is kept: by custom an object with `code` and `message`.
    pub error: Value,
    /// Whether another attempt can help.
    pub retry: bool,
}

impl Failure {
    /// A failure that will not be different next time.
    pub const fn permanent(error: Value) -> Self {
        Self { error, retry: false }
    }

    /// A failure that may go away.
    pub const fn passing(error: Value) -> Self {
        Self { error, retry: true }
    }
}
