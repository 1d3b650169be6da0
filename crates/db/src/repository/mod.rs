//! What is stored, one module per thing: its record type, and functions that `insert`, `update_*`, `find*`
//! (an `Option`), `load*` (or [`Error::NotFound`](crate::Error::NotFound)) and `list*` (a page after an id).
//!
//! `organization.rs` is the shortest whole example of the style:
//! - the record holds model types; a stored value that the model refuses is [`Error::Corrupt`](crate::Error);
//! - an update names the revision it was read at and gives [`Error::Stale`](crate::Error::Stale) otherwise;
//! - lists page by id, newest or oldest first, with an index for each.

pub mod allocation;
pub mod dataset;
pub mod idempotency;
pub mod job;
pub mod job_check;
pub mod ledger;
pub mod organization;
pub mod outbox;
pub mod policy;
pub mod project;
pub mod request;
pub mod session;
pub mod setting;
pub mod subset;
pub mod task;
pub mod throttle;
pub mod token;
pub mod usage;
pub mod user;
pub mod version;
pub mod version_key;
