//! Background tasks: stored in the database, worked on under leases.
//!
//! A use-case writes a task in its own transaction (`db::task::enqueue`); some process of the portal with a
//! [`Runner`] that knows the task's kind leases it and runs its [handler](Runner::register). A handler may run
//! again after a crash, so what it does must bear that. While it runs, heartbeats prolong its lease; if the
//! process dies, the lease runs out and another takes the task over, at once if that one knows that the process is
//! gone ([`reclaim`]). A panic is a failed attempt.

mod context;
mod owner;
mod runner;
#[cfg(test)]
mod tests;

pub use context::{Context, Failure, FailureKind};
pub use owner::{NoOwner, Owner, reclaim};
pub use runner::{Runner, RunnerConfig, Running};
