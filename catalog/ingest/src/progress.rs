//! How far an ingest is, and whether it is still wanted.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::IngestError;

/// What an ingest is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The first pass: dialect and types.
    Detect,
    /// The second pass: columns, profile, Parquet or spill files.
    Convert,
    /// Sorting protected rows by unit.
    Cluster,
    /// Writing the other formats for download.
    Distribute,
    /// Syncing and renaming.
    Publish,
}

/// How far an ingest is within a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Bytes (rows, when distributing) done in this phase.
    pub bytes_done: u64,
    /// Bytes (rows, when distributing) in all.
    pub bytes_total: u64,
    /// Rows so far.
    pub rows: u64,
}

/// Where progress goes and where the wish to stop comes from.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    progress: &'a (dyn Fn(Progress) + Sync),
    cancel: &'a AtomicBool,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("cancel", self.cancel)
            .finish_non_exhaustive()
    }
}

impl<'a> Watch<'a> {
    /// Tells `progress`; stops with [`IngestError::Cancelled`] soon after `cancel` is set.
    pub fn new(progress: &'a (dyn Fn(Progress) + Sync), cancel: &'a AtomicBool) -> Self {
        Self { progress, cancel }
    }

    pub(crate) fn check(&self) -> Result<(), IngestError> {
        if self.cancel.load(Ordering::Relaxed) {
            Err(IngestError::Cancelled)
        } else {
            Ok(())
        }
    }

    pub(crate) fn tell(&self, phase: Phase, bytes_done: u64, bytes_total: u64, rows: u64) {
        (self.progress)(Progress {
            phase,
            bytes_done,
            bytes_total,
            rows,
        });
    }
}
