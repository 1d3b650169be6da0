//! The index as its callers see it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod corpus;
mod durability;
mod hostile;
mod relevance;
mod results;
mod timing;
