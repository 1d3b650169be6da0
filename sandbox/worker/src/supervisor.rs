//! The server's side of workers: starts them in reserved slots, and again after a fault.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::child::{ChildError, ChildProgram, Framed};
use crate::error::WorkerError;
use crate::frame::MAX_REQUEST;
use crate::message::{Reply, WorkRequest, decode, reply_length};

/// The pause before another try.
const PAUSE: Duration = Duration::from_millis(50);

/// What every worker of a node may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Workers at a time.
    pub slots: usize,
    /// Threads of each.
    pub threads: u32,
    /// Address space of each, in bytes.
    pub memory_bytes: u64,
}

/// Runs jobs in worker processes.
#[derive(Debug, Clone)]
pub struct Supervisor {
    program: ChildProgram,
    limits: WorkerLimits,
    slots: Arc<Semaphore>,
}

impl Supervisor {
    /// A supervisor with its own slots, apart from the server's other work.
    pub fn new(program: ChildProgram, limits: WorkerLimits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.slots.max(1)));
        Self {
            program,
            limits,
            slots,
        }
    }

    /// The limits in force.
    pub const fn limits(&self) -> WorkerLimits {
        self.limits
    }

    /// Runs a job until it answers or `deadline` has passed, starting again after a fault of the infrastructure. Threads
    /// and memory of the request are replaced by this node's.
    ///
    /// # Errors
    /// [`WorkerError`]; totals are never partial.
    pub async fn run(&self, mut request: WorkRequest, deadline: Duration) -> Result<Reply, WorkerError> {
        let until = Instant::now() + deadline;
        request.threads = self.limits.threads;
        request.memory_bytes = self.limits.memory_bytes;
        let threads = u64::from(self.limits.threads.max(1));
        request.cpu_seconds = deadline.as_secs().saturating_add(1).saturating_mul(threads);
        let payload = serde_json::to_vec(&request).map_err(|_| WorkerError::Request)?;
        let framed = Framed::new(payload, MAX_REQUEST).ok_or(WorkerError::Request)?;
        if !request.holds_together() {
            return Err(WorkerError::Request);
        }
        let slot = timeout_at(until, Arc::clone(&self.slots).acquire_owned()).await;
        let _slot = slot
            .map_err(|_| WorkerError::NoSlot)?
            .map_err(|_| WorkerError::NoSlot)?;
        loop {
            let answer = timeout_at(until, self.attempt(&framed, &request)).await;
            match answer.map_err(|_| WorkerError::Deadline)? {
                Err(error) if error.is_transient() => {
                    tracing::warn!(error = %error, "a sandbox worker failed; it is started again");
                    timeout_at(until, sleep(PAUSE)).await.map_err(|_| error)?;
                }
                end => return end,
            }
        }
    }

    async fn attempt(&self, framed: &Framed, request: &WorkRequest) -> Result<Reply, WorkerError> {
        let answer = self.program.ask(framed, reply_length(&request.plan)).await;
        let bytes = answer.map_err(|error| match error {
            ChildError::Spawn => WorkerError::Spawn,
            ChildError::Time | ChildError::Room | ChildError::Broken => WorkerError::Broken,
        })?;
        match decode(&bytes, &request.plan) {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(fault)) => Err(WorkerError::Fault(fault)),
            None => Err(WorkerError::Broken),
        }
    }
}
