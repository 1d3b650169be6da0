//! Shapan 沙盘: one program that serves the portal, runs the sandbox and carries the tools.
//!
//! [`command`] is the command line; [`portal`] opens everything from the configuration, [`server`] runs it with its
//! [`background`] work. Whatever a command does to data, it does through the same use-cases as the portal's pages.

mod account;
mod address;
mod background;
mod command;
mod demo;
mod failure;
mod import;
mod job;
mod key;
mod ledger;
mod listen;
mod log;
mod memory;
mod open_data;
mod portal;
mod progress;
mod publish;
mod search;
mod secrets;
mod server;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser as _;
use sandbox_worker::{PLANNER, WORKER};

use crate::command::Cli;
use crate::failure::Failure;

fn main() -> ExitCode {
    let started = Instant::now();
    // First of all things: a child shuts itself in before there are threads or files to shut out.
    if let Some(served) = serve_as_child() {
        return if served.is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let cli = Cli::parse();
    match run(cli, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A closed terminal is no reason to panic.
            let _ = writeln!(std::io::stderr(), "shapan: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Serves one request, if the server has started this process for that.
fn serve_as_child() -> Option<std::io::Result<()>> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    match std::env::args_os().nth(1)?.to_str()? {
        WORKER => Some(sandbox_worker::run_worker(stdin, stdout, &model::SystemClock)),
        PLANNER => Some(sandbox_worker::run_planner(stdin, stdout)),
        _ => None,
    }
}

fn run(cli: Cli, started: Instant) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("shapan")
        .build()
        .map_err(Failure::cannot("start threads"))?;
    let result = runtime.block_on(command::run(cli, started));
    // What still blocks a thread now, such as a file being read, is not waited for.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result
}
