//! The separate processes: workers, which alone read protected parts, and planners, which read what anybody writes
//! (privacy.md "Time, errors, isolation").
//!
//! The server re-executes itself with a clean environment, as `shapan sandbox-worker` ([`run_worker`]) or `shapan
//! sandbox-planner` ([`run_planner`]). The two sides talk over stdin and stdout in length-prefixed, size-capped frames
//! ([`frame`]). To a worker a plan with a grant goes in; exact integers of the size the plan says, or the class of an
//! error, come out. No text leaves a worker. To a planner a query and declarations go in; a plan or a refusal comes out.
//! Noise is drawn in the server.

mod child;
mod error;
pub mod frame;
mod isolation;
mod message;
mod planner;
mod planners;
mod process;
mod supervisor;

pub use child::ChildProgram;
pub use error::{Fault, WorkerError};
pub use message::{Grant, Reply, WorkRequest};
pub use planner::{MAX_PLAN_REQUEST, MAX_PLANNED, PlanRequest, Planned, run_planner};
pub use planners::{PlannerError, PlannerLimits, Planners};
pub use process::run_worker;
pub use supervisor::{Supervisor, WorkerLimits};

/// The hidden subcommand with which this program is a worker.
pub const WORKER: &str = "sandbox-worker";

/// The hidden subcommand with which this program is a planner.
pub const PLANNER: &str = "sandbox-planner";
