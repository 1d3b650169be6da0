//! The separate process that alone reads protected parts, and its supervisor (privacy.md "Time, errors, isolation").
//!
//! The server re-executes itself as `shapan sandbox-worker` ([`run_worker`]) with a clean environment. The two talk over
//! stdin and stdout in length-prefixed, size-capped frames ([`frame`]): a plan with a grant goes in; exact integers of the
//! size the plan says, or the class of an error, come out. No text leaves a worker. Noise is drawn in the server.

mod error;
pub mod frame;
mod isolation;
mod message;
mod process;
mod supervisor;

pub use error::{Fault, WorkerError};
pub use message::{Grant, Reply, WorkRequest};
pub use process::run_worker;
pub use supervisor::{Supervisor, WorkerCommand, WorkerLimits};
