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
    /// What is kept: by custom an object with `code`, a stable word, and `message`.
    pub error: Value,
    /// Whose fault it is, and whether another attempt can help.
    pub kind: FailureKind,
}

/// What a failure means to the task and to those who run the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// What was handed in cannot be used, and never can. An outcome for whoever handed it in, no fault of the portal.
    Refused,
    /// A fault of the portal that will not be different next time.
    Permanent,
    /// A fault of the portal that may go away.
    Passing,
}

impl Failure {
    /// What was handed in cannot be used.
    pub const fn refused(error: Value) -> Self {
        Self::of(FailureKind::Refused, error)
    }

    /// A fault that will not be different next time.
    pub const fn permanent(error: Value) -> Self {
        Self::of(FailureKind::Permanent, error)
    }

    /// A fault that may go away.
    pub const fn passing(error: Value) -> Self {
        Self::of(FailureKind::Passing, error)
    }

    const fn of(kind: FailureKind, error: Value) -> Self {
        Self { error, kind }
    }
}
