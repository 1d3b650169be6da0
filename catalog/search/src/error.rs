//! What can go wrong, and what the caller does about it.

use std::path::{Path, PathBuf};

use uuid::Uuid;

/// A failure of the search index. Query text is never one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process, or another handle of this one, has the index open.
    #[error("the search index in {0} is open elsewhere; stop the other process first")]
    Locked(PathBuf),
    /// The index was written by a version with another layout. Rebuild it.
    #[error("the search index in {path} has format {found}, this version reads {expected}; rebuild it")]
    Incompatible {
        /// Directory of the index.
        path: PathBuf,
        /// Format found there.
        found: String,
        /// Format this version reads and writes.
        expected: u32,
    },
    /// The files of the index are damaged. Rebuild it.
    #[error("the search index in {path} is damaged ({reason}); rebuild it")]
    Corrupt {
        /// Directory of the index.
        path: PathBuf,
        /// What was found wrong.
        reason: String,
    },
    /// A rebuild is under way already.
    #[error("the search index is being rebuilt already; wait for that to end")]
    RebuildRunning,
    /// A document has a level other than 1 to 4.
    #[error("dataset {id} has level {level}; a level is 1, 2, 3 or 4")]
    InvalidLevel {
        /// The dataset.
        id: Uuid,
        /// Its level.
        level: u8,
    },
    /// The page asked for is outside of what may be paged through.
    #[error(
        "page {number} of {size} is out of bounds: pages start at 1, hold 1 to {} entries and end at entry {}; \
         narrow the search instead",
        crate::PER_PAGE_MAX,
        crate::WINDOW_MAX
    )]
    PageOutOfBounds {
        /// Page number asked for.
        number: u32,
        /// Page size asked for.
        size: u32,
    },
    /// A facet's filter lists too many values.
    #[error(
        "the filter on {facet} has {count} values; at most {} are allowed",
        crate::FILTER_VALUES_MAX
    )]
    TooManyFilterValues {
        /// The facet.
        facet: &'static str,
        /// Values given.
        count: usize,
    },
    /// A file operation failed.
    #[error("cannot {action} {path}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The search engine failed, usually on a full or failing disk. What was committed before stays.
    #[error("the search engine failed to {action}: {reason}")]
    Engine {
        /// What was attempted.
        action: &'static str,
        /// What the engine said.
        reason: String,
    },
}

impl Error {
    /// Whether the answer is [`Index::create`](crate::Index::create) and a rebuild from the database.
    pub fn needs_rebuild(&self) -> bool {
        matches!(self, Self::Incompatible { .. } | Self::Corrupt { .. })
    }

    /// Whether the request was at fault, not the index.
    pub fn is_invalid_request(&self) -> bool {
        matches!(
            self,
            Self::PageOutOfBounds { .. } | Self::TooManyFilterValues { .. } | Self::InvalidLevel { .. }
        )
    }

    /// For `map_err` on the engine's results.
    pub(crate) fn engine<E: std::fmt::Display>(action: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Engine {
            action,
            reason: error.to_string(),
        }
    }

    /// For `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
