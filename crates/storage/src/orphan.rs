//! What is left over: of crashes, and of versions that failed.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use model::{Timestamp, VersionId};

use crate::error::StorageError;
use crate::hold;
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

/// What is known of the objects of a version.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// They are being written: none is left over.
    BeingWritten,
    /// The manifest names them all.
    Complete(Manifest),
    /// There are none, nor will there be: the version failed.
    Nothing,
}

impl Orphan {
    /// What is at `path`, if it is there and was last written longer than `age` ago.
    pub(crate) fn older_than(path: PathBuf, age: Duration, now: Timestamp) -> io::Result<Option<Self>> {
        let metadata = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let modified = modified(&metadata);
        let old = age.is_zero() || now.micros_since(modified) > age.as_micros() as i64;
        let bytes = if metadata.is_dir() { 0 } else { metadata.len() };
        Ok(old.then_some(Self {
            path,
            bytes,
            modified,
        }))
    }
}

/// The version after which a file or folder is named.
pub(crate) fn version_of(path: &Path) -> Option<VersionId> {
    path.file_name()?.to_str()?.parse().ok()
}

impl<Z: Zone> Store<Z> {
    /// Lists what is left over: pending files and scratch folders that nobody holds any more, whatever is there of
    /// versions that failed, and objects older than `age` that the manifest of their version does not name, which an
    /// attempt that was cut off has left.
    ///
    /// Versions that are not known are no orphans: objects are written for versions that the database knows, so it is the
    /// database that lost them, or it is another portal's. See [`Self::list_versions`].
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn list_orphans(
        &self,
        known: &HashMap<VersionId, Known>,
        age: Duration,
        now: Timestamp,
    ) -> Result<Vec<Orphan>, StorageError> {
        let io = |error| StorageError::io("list objects", Z::NAME, error);
        let mut found = self.list_abandoned(now).map_err(io)?;
        for version in self.list_versions()? {
            let folder = self.version_folder(version);
            match known.get(&version) {
                None | Some(Known::BeingWritten) => {}
                Some(Known::Nothing) => {
                    found.extend(Orphan::older_than(folder, Duration::ZERO, now).map_err(io)?);
                }
                Some(Known::Complete(manifest)) => {
                    let named = manifest.object_names();
                    for entry in fs::read_dir(folder).map_err(io)? {
                        let entry = entry.map_err(io)?;
                        if !entry
                            .file_name()
                            .to_str()
                            .is_some_and(|name| named.contains(name))
                        {
                            found.extend(Orphan::older_than(entry.path(), age, now).map_err(io)?);
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// Pending files and folders whose makers are dead.
    fn list_abandoned(&self, now: Timestamp) -> io::Result<Vec<Orphan>> {
        let pending = self.root().join(PENDING);
        let _door = hold::looking(&pending)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(pending)? {
            let path = entry?.path();
            if !hold::is_held(&path) {
                found.extend(Orphan::older_than(path, Duration::ZERO, now)?);
            }
        }
        Ok(found)
    }

    /// The versions of which there are objects.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn list_versions(&self) -> Result<Vec<VersionId>, StorageError> {
        let list = || {
            let folders = fs::read_dir(self.root().join(VERSIONS))?;
            folders
                .map(|folder| Ok(folder?.path()))
                .collect::<io::Result<Vec<_>>>()
        };
        let folders = list().map_err(|error| StorageError::io("list versions", Z::NAME, error))?;
        Ok(folders.iter().filter_map(|folder| version_of(folder)).collect())
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
