//! What can go wrong with objects.

use std::io;
use std::path::Path;

use model::Category;

/// A failure of the object store.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk, a quota or the file size limit is exhausted, or less than the reserve would be left.
    #[error(
        "the storage is full: {wanted} more bytes are not to be had; free some space or attach a larger disk"
    )]
    Full {
        /// How many bytes the write that failed wanted, or the space it had to leave free.
        wanted: u64,
    },
    /// An upload is larger than allowed.
    #[error("the upload is over its limit of {limit} bytes; split the file or ask for a higher limit")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// There is no such object.
    #[error("there is no object {0:?}")]
    NotFound(String),
    /// The text cannot name an object.
    #[error("{0:?} cannot name an object: lower-case letters, digits, '.', '-' and '_' only, at most 128")]
    Name(String),
    /// A manifest does not hold together.
    #[error("the manifest does not hold together: {0}")]
    Manifest(String),
    /// The operating system said no.
    #[error("cannot {act} in the {zone} zone")]
    Io {
        /// What was tried.
        act: &'static str,
        /// In which zone.
        zone: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The object store said no.
    #[error("cannot read from the {zone} zone")]
    Read {
        /// In which zone.
        zone: &'static str,
        /// What the object store said.
        source: object_store::Error,
    },
}

impl StorageError {
    /// What kind of failure this is.
    pub const fn category(&self) -> Category {
        match self {
            Self::Full { .. } => Category::Unavailable,
            Self::TooLarge { .. } => Category::TooLarge,
            Self::NotFound(_) => Category::NotFound,
            Self::Name(_) => Category::Invalid,
            Self::Manifest(_) | Self::Io { .. } | Self::Read { .. } => Category::Internal,
        }
    }

    pub(crate) fn io(act: &'static str, zone: &'static str, source: io::Error) -> Self {
        if is_full(&source) {
            Self::Full { wanted: 1 }
        } else {
            Self::Io { act, zone, source }
        }
    }
}

/// Whether an error says that there is no room: `ENOSPC`, `EDQUOT` or `EFBIG`.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// Syncs a folder, so that the names in it survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}
