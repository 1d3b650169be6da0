//! What no manifest names: leftovers of crashes and of versions that were never made current.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use model::{Timestamp, VersionId};

use crate::error::StorageError;
use crate::manifest::Manifest;
use crate::zone::{PENDING, Store, VERSIONS, Zone};

/// A file or folder that nothing refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    path: PathBuf,
    /// Length in bytes of a file; 0 of a folder.
    pub bytes: u64,
    /// When it was last written.
    pub modified: Timestamp,
}

/// When a file was last written; the epoch if the file system does not say.
pub(crate) fn modified(metadata: &Metadata) -> Timestamp {
    let since = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Timestamp::from_micros(since.map_or(0, |since| since.as_micros() as i64))
}

impl<Z: Zone> Store<Z> {
    /// Lists what no manifest names and what is older than `age`: pending files and scratch folders that a crash left,
    /// and objects of versions that never got (or no longer have) a manifest. `age` must exceed the longest ingest,
    /// since a running one has objects that no manifest names yet.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn list_orphans(
        &self,
        manifests: &[Manifest],
        age: Duration,
        now: Timestamp,
    ) -> Result<Vec<Orphan>, StorageError> {
        let io = |error| StorageError::io("list objects", Z::NAME, error);
        let named: HashMap<VersionId, _> = manifests.iter().map(|m| (m.version, m.object_names())).collect();
        let mut found = Vec::new();
        let mut look = |path: PathBuf| -> io::Result<()> {
            let metadata = fs::symlink_metadata(&path)?;
            let modified = modified(&metadata);
            if now.micros_since(modified) > age.as_micros() as i64 {
                let bytes = if metadata.is_dir() { 0 } else { metadata.len() };
                found.push(Orphan {
                    path,
                    bytes,
                    modified,
                });
            }
            Ok(())
        };
        for entry in fs::read_dir(self.root().join(PENDING)).map_err(io)? {
            look(entry.map_err(io)?.path()).map_err(io)?;
        }
        for folder in fs::read_dir(self.root().join(VERSIONS)).map_err(io)? {
            let folder = folder.map_err(io)?;
            let version = folder
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<VersionId>().ok());
            let kept = version.and_then(|version| named.get(&version));
            let Some(kept) = kept else {
                look(folder.path()).map_err(io)?;
                continue;
            };
            for entry in fs::read_dir(folder.path()).map_err(io)? {
                let entry = entry.map_err(io)?;
                if !entry.file_name().to_str().is_some_and(|name| kept.contains(name)) {
                    look(entry.path()).map_err(io)?;
                }
            }
        }
        Ok(found)
    }

    /// Removes orphans. One that is gone already is no error.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn remove_orphans(&self, orphans: &[Orphan]) -> Result<(), StorageError> {
        for orphan in orphans {
            let is_folder = fs::symlink_metadata(&orphan.path).is_ok_and(|m| m.is_dir());
            let done = if is_folder {
                fs::remove_dir_all(&orphan.path)
            } else {
                fs::remove_file(&orphan.path)
            };
            match done {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StorageError::io("remove an orphan", Z::NAME, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
