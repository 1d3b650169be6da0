//! A child process: this program once more, for one request. Its parent believes nothing that it says, and leaves nothing
//! of it behind.
//!
//! Starting a program of this size takes about as long as a small query. So once one child has answered, the next is started and
//! waits behind its first walls for a request (ADR 0027). It has heard of nothing before, and serves nothing after.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::frame::{self, HEADER};

/// How the C library gets memory for a child, which lives for one request: in large pieces and large pages, so that the system is
/// called seldom to map them, and back only when the child ends (glibc manual, "Memory Allocation Tunables"). Other C libraries
/// do not read it.
const MEMORY: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=16777216:glibc.malloc.mmap_threshold=33554432:\
     glibc.malloc.trim_threshold=1073741824",
);

/// The program that serves as a child, with its arguments. Clones share the child that waits.
#[derive(Debug, Clone)]
pub struct ChildProgram {
    program: PathBuf,
    args: Vec<OsString>,
    ahead: Arc<Mutex<Ahead>>,
}

/// What is started before it is asked for.
#[derive(Debug, Default)]
struct Ahead {
    /// A child that nobody has asked yet.
    waiting: Option<Started>,
    /// Whether one is being started.
    starting: bool,
}

/// A request as it goes over the pipe. Wiped when it is dropped: it may hold a key.
pub(crate) struct Framed {
    header: [u8; HEADER],
    payload: Zeroizing<Vec<u8>>,
}

impl Framed {
    /// Nothing, if it is longer than `most`.
    pub(crate) fn new(payload: Vec<u8>, most: usize) -> Option<Self> {
        let payload = Zeroizing::new(payload);
        let header = frame::header(payload.len(), most).ok()?;
        Some(Self { header, payload })
    }
}

/// How a child ended that gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChildError {
    /// It could not be started.
    #[error("could not be started")]
    Spawn,
    /// It used up its processor time.
    #[error("used up its processor time")]
    Time,
    /// It aborted, as programs do that get no more memory or have no more stack.
    #[error("had no more memory")]
    Room,
    /// It ended or was killed, or said something that is no answer.
    #[error("broke off or sent a malformed answer")]
    Broken,
}

impl ChildError {
    fn of(status: ExitStatus) -> Self {
        match status.signal().and_then(|signal| Signal::try_from(signal).ok()) {
            Some(Signal::SIGXCPU) => Self::Time,
            Some(Signal::SIGABRT) => Self::Room,
            _ => Self::Broken,
        }
    }
}

/// A child that reads, or will, what it is asked.
#[derive(Debug)]
struct Started {
    /// Killed before the child is reaped.
    group: Group,
    child: Child,
}

/// The child's process group; killed when this is dropped, whatever happens.
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

impl ChildProgram {
    /// This program itself, re-executed with a hidden subcommand.
    ///
    /// # Errors
    /// If the system does not say which program this is.
    pub fn current(subcommand: &str) -> std::io::Result<Self> {
        Ok(Self::new(std::env::current_exe()?, [subcommand.into()]))
    }

    /// Another program that calls [`crate::run_worker`] or [`crate::run_planner`].
    pub fn new(program: PathBuf, args: impl IntoIterator<Item = OsString>) -> Self {
        Self {
            program,
            args: args.into_iter().collect(),
            ahead: Arc::default(),
        }
    }

    /// Asks a child, and gives its one answer, of at most so many bytes. Dropped before that, it kills the child.
    pub(crate) async fn ask(&self, request: &Framed, most: usize) -> Result<Vec<u8>, ChildError> {
        // In one piece as long as it is asked: given up, it is dropped in the order that its fields have.
        let mut started = self.take_waiting().map_or_else(|| self.start(), Ok)?;
        let answer = converse(&mut started.child, request, most).await;
        let Started { group, mut child } = started;
        drop(group);
        let Ok(answer) = answer else {
            // Of one that had ended already, this is still how it ended.
            let status = child.wait().await;
            return Err(status.map_or(ChildError::Broken, ChildError::of));
        };
        // Whoever asked waits neither for the end of this one, whose memory the system takes back, nor for the next. Not after a
        // failure: a program that fails is not started for nothing.
        let program = self.clone();
        tokio::spawn(async move {
            let _ = child.wait().await;
            program.start_next();
        });
        Ok(answer)
    }

    /// The child that waits, unless it has ended meanwhile.
    fn take_waiting(&self) -> Option<Started> {
        let mut started = self.ahead().waiting.take()?;
        if matches!(started.child.try_wait(), Ok(None)) {
            return Some(started);
        }
        // Reaped: the group's number may be another's by now.
        started.group = Group(None);
        None
    }

    /// Sees to it that a child waits.
    fn start_next(&self) {
        {
            let mut ahead = self.ahead();
            if ahead.starting || ahead.waiting.is_some() {
                return;
            }
            ahead.starting = true;
        }
        let started = self.start();
        let mut ahead = self.ahead();
        ahead.starting = false;
        // Whoever asks next meets the error, if there still is one.
        ahead.waiting = started.ok();
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) -> Result<Started, ChildError> {
        let child = Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .env(MEMORY.0, MEMORY.1)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|_| ChildError::Spawn)?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group = Group(id.map(Pid::from_raw));
        Ok(Started { group, child })
    }
}

async fn converse(child: &mut Child, request: &Framed, most: usize) -> std::io::Result<Vec<u8>> {
    let no_pipe = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    let mut stdin = child.stdin.take().ok_or_else(no_pipe)?;
    let mut stdout = child.stdout.take().ok_or_else(no_pipe)?;
    stdin.write_all(&request.header).await?;
    stdin.write_all(&request.payload).await?;
    drop(stdin);
    let mut head = [0; HEADER];
    stdout.read_exact(&mut head).await?;
    let length = frame::payload_length(head, most)?;
    // The size is limited beforehand; a child cannot make the server take more, nor say more than one frame. Memory grows
    // with what arrives.
    let mut bytes = Vec::new();
    stdout.take(length as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(std::io::ErrorKind::InvalidData.into())
    }
}
