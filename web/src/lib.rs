//! The edge of the portal: the only crate that knows HTTP.
//!
//! It holds no rule: a handler authenticates, calls a use-case, and fills a view of [`page`] or a wire type.

pub mod api;
pub mod asset;
pub mod auth;
mod cursor;
mod deadline;
mod failure;
mod idempotency;
pub mod language;
mod open;
pub mod page;
pub mod problem;
mod router;
pub mod site;
mod state;
mod told;
mod usage;

pub use router::router;
pub use state::{AppState, MetricsRenderer, Services};
pub use usage::Usage;

#[cfg(test)]
extern crate self as web;
