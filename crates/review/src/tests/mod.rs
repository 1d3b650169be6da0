//! The use-cases as people meet them: real database, real authority, real ledger.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod access;
mod authority;
mod crash;
mod race;
mod reading;
mod release;
mod world;
