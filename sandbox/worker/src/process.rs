//! The worker's side: one request, one answer, and the end.

use std::io::{Read, Write};
use std::path::PathBuf;

use model::Clock;
use sandbox_plan::{ExecutionError, Granted, Totals, execute};
use zeroize::Zeroizing;

use crate::error::Fault;
use crate::frame::{self, MAX_REQUEST};
use crate::isolation;
use crate::message::{WorkRequest, encode, reply_length};

/// Time zone rules, which timestamps with an offset need.
const ZONES: &str = "/usr/share/zoneinfo";

/// Serves one request as the process it runs in: shuts itself in, reads the request, answers, returns.
///
/// Call it first thing in `main`: it closes every inherited file and limits the whole process for good.
///
/// # Errors
/// If the pipe breaks; there is nobody to tell.
pub fn run_worker(mut stdin: impl Read, mut stdout: impl Write, clock: &dyn Clock) -> std::io::Result<()> {
    let entered = isolation::enter();
    // It holds the key.
    let payload = Zeroizing::new(frame::read(&mut stdin, MAX_REQUEST)?);
    let request = serde_json::from_slice::<WorkRequest>(&payload)
        .ok()
        .filter(WorkRequest::holds_together);
    let Some(request) = request else {
        return frame::write(&mut stdout, &encode(&Err(Fault::Request), (false, false)), 2);
    };
    let mut walls = (false, false);
    let answer = match entered {
        Ok(()) => serve(&request, clock, &mut walls),
        Err(_) => Err(Fault::Isolation),
    };
    frame::write(&mut stdout, &encode(&answer, walls), reply_length(&request.plan))?;
    hang_up();
    Ok(())
}

/// Ends the answer. The server reads until the pipe is closed, and else would wait until the system has taken back all memory of
/// this process.
pub(crate) fn hang_up() {
    // One that is closed already is as good.
    let _ = nix::unistd::close(nix::libc::STDOUT_FILENO);
}

fn serve(request: &WorkRequest, clock: &dyn Clock, walls: &mut (bool, bool)) -> Result<Totals, Fault> {
    let now = clock.now();
    if request.grants.iter().any(|grant| now >= grant.expires_at) {
        return Err(Fault::Expired);
    }
    isolation::limit(request.memory_bytes, request.cpu_seconds).map_err(|_| Fault::Isolation)?;
    let parts = request.grants.iter().flat_map(|grant| &grant.parts);
    let files = parts.map(|part| part.path.clone());
    let files: Vec<PathBuf> = files.chain([ZONES.into()]).collect();
    *walls = (isolation::confine_files(&files), isolation::filter_calls());
    let threads = usize::try_from(request.threads).unwrap_or(1).clamp(1, 64);
    let granted: Vec<Granted> = request
        .grants
        .iter()
        .map(|grant| Granted {
            parts: grant.parts.clone(),
            key: grant.key.clone(),
        })
        .collect();
    execute(&request.plan, &granted, &request.secret, threads).map_err(|error| match error {
        ExecutionError::Incident(incident) => Fault::Incident(incident),
        ExecutionError::Io(_) => Fault::Io,
        ExecutionError::Plan(_) => Fault::Request,
        ExecutionError::Operator(_)
        | ExecutionError::NoKey
        | ExecutionError::Room
        | ExecutionError::Internal => Fault::Internal,
    })
}
