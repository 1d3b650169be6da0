//! The server's side: starts workers in reserved slots, believes none of them, and leaves none behind.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use zeroize::Zeroizing;

use crate::error::WorkerError;
use crate::frame::{self, HEADER, MAX_REQUEST};
use crate::message::{Reply, WorkRequest, decode, reply_length};

/// The pause before another try.
const PAUSE: Duration = Duration::from_millis(50);

/// The program that serves as worker, with its arguments.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    program: PathBuf,
    args: Vec<OsString>,
}

impl WorkerCommand {
    /// This program itself, re-executed with the hidden subcommand `sandbox-worker`.
    ///
    /// # Errors
    /// If the system does not say which program this is.
    pub fn current() -> std::io::Result<Self> {
        Ok(Self::new(std::env::current_exe()?, ["sandbox-worker".into()]))
    }

    /// Another program that calls [`crate::run_worker`].
    pub fn new(program: PathBuf, args: impl IntoIterator<Item = OsString>) -> Self {
        Self {
            program,
            args: args.into_iter().collect(),
        }
    }
}

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
    command: WorkerCommand,
    limits: WorkerLimits,
    slots: Arc<Semaphore>,
}

/// The worker's process group; killed when this is dropped, whatever happens.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // The leader is not reaped before this, so the group's number still is its own.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Supervisor {
    /// A supervisor with its own slots, apart from the server's other work.
    pub fn new(command: WorkerCommand, limits: WorkerLimits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.slots.max(1)));
        Self {
            command,
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
        let payload = Zeroizing::new(serde_json::to_vec(&request).map_err(|_| WorkerError::Request)?);
        let header = frame::header(payload.len(), MAX_REQUEST).map_err(|_| WorkerError::Request)?;
        if !request.holds_together() {
            return Err(WorkerError::Request);
        }
        let slot = timeout_at(until, Arc::clone(&self.slots).acquire_owned()).await;
        let _slot = slot
            .map_err(|_| WorkerError::NoSlot)?
            .map_err(|_| WorkerError::NoSlot)?;
        loop {
            let answer = timeout_at(until, self.attempt(&header, &payload, &request)).await;
            match answer.map_err(|_| WorkerError::Deadline)? {
                Err(error) if error.is_transient() => {
                    tracing::warn!(error = %error, "a sandbox worker failed; it is started again");
                    timeout_at(until, sleep(PAUSE)).await.map_err(|_| error)?;
                }
                end => return end,
            }
        }
    }

    async fn attempt(
        &self,
        header: &[u8; HEADER],
        payload: &[u8],
        request: &WorkRequest,
    ) -> Result<Reply, WorkerError> {
        let mut child = Command::new(&self.command.program)
            .args(&self.command.args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|_| WorkerError::Spawn)?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group = Group(id.map(Pid::from_raw));
        let answer = converse(&mut child, header, payload, request).await;
        drop(group);
        let _ = child.wait().await;
        answer
    }
}

async fn converse(
    child: &mut Child,
    header: &[u8; HEADER],
    payload: &[u8],
    request: &WorkRequest,
) -> Result<Reply, WorkerError> {
    let broken = |_| WorkerError::Broken;
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(WorkerError::Spawn);
    };
    stdin.write_all(header).await.map_err(broken)?;
    stdin.write_all(payload).await.map_err(broken)?;
    drop(stdin);
    let most = reply_length(&request.plan);
    let mut head = [0; HEADER];
    stdout.read_exact(&mut head).await.map_err(broken)?;
    let length = frame::payload_length(head, most).map_err(broken)?;
    // The size is known beforehand; a worker cannot make the server take more, nor say more than one frame.
    let mut bytes = Vec::with_capacity(length);
    let cap = length as u64 + 1;
    stdout.take(cap).read_to_end(&mut bytes).await.map_err(broken)?;
    if bytes.len() != length {
        return Err(WorkerError::Broken);
    }
    match decode(&bytes, &request.plan) {
        Some(Ok(reply)) => Ok(reply),
        Some(Err(fault)) => Err(WorkerError::Fault(fault)),
        None => Err(WorkerError::Broken),
    }
}
