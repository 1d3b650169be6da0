//! `shapan ledger …`: checking a log from outside, and what its operator needs.

pub(crate) mod export;
pub(crate) mod key;
mod memory;
mod source;
pub(crate) mod verify;
