//! Uploads and scratch files. Both hold originals, so both live in quarantine.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Timestamp, VersionId};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use crate::error::{StorageError, sync_folder};
use crate::hold;
use crate::orphan::{Known, Orphan, version_of};
use crate::pending::create_folder;
use crate::zone::{PENDING, Quarantine, QuarantineStore, Zone};

/// The folder of kept uploads.
const UPLOADS: &str = "uploads";

/// How often, in bytes, a spool asks whether the disk still has its reserve.
const SPACE_CHECK: u64 = 64 << 20;

/// An upload being received: written to quarantine, hashed, capped. Removed when dropped, unless kept.
#[derive(Debug)]
pub struct Spool {
    store: QuarantineStore,
    file: NamedTempFile,
    hash: Sha256,
    bytes: u64,
    limit: u64,
    unchecked: u64,
}

/// A received original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Where it lies until it is removed.
    pub path: PathBuf,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl Spool {
    /// Appends what came in.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] over the limit, [`StorageError::Full`], or a failure of the disk.
    pub fn append(&mut self, data: &[u8]) -> Result<(), StorageError> {
        let length = data.len() as u64;
        if length > self.limit - self.bytes {
            return Err(StorageError::TooLarge { limit: self.limit });
        }
        self.unchecked += length;
        if self.unchecked >= SPACE_CHECK {
            self.store.check_space(length)?;
            self.unchecked = 0;
        }
        self.file
            .as_file_mut()
            .write_all(data)
            .map_err(|e| StorageError::io("spool an upload", Quarantine::NAME, e))?;
        self.hash.update(data);
        self.bytes += length;
        Ok(())
    }

    /// How many bytes came in so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file as far as it came, gone when the spool is dropped.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Keeps the upload as the original of a version, synced, until [`QuarantineStore::remove_upload`]. One that was
    /// kept for the version before is replaced.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn keep(self, version: VersionId) -> Result<Upload, StorageError> {
        let io = |error| StorageError::io("keep an upload", Quarantine::NAME, error);
        let path = self.store.upload_path(version);
        let folder = self.store.root().join(UPLOADS);
        create_folder(&folder).map_err(io)?;
        self.file.as_file().sync_all().map_err(io)?;
        self.file.persist(&path).map_err(|e| io(e.error))?;
        sync_folder(&folder).map_err(io)?;
        Ok(Upload {
            path,
            bytes: self.bytes,
            sha256: hex::encode(self.hash.finalize()),
        })
    }
}

impl Write for Spool {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.append(data).map_err(io::Error::other)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A folder for spill files, removed with what is in it when dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// Tells it from one that a crash has left.
    _held: File,
}

impl Scratch {
    /// A new file in the folder, open for writing.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn create(&self, name: &str) -> Result<File, StorageError> {
        File::create_new(self.folder.path().join(name))
            .map_err(|e| StorageError::io("create a spill file", Quarantine::NAME, e))
    }

    /// Opens a file of the folder for reading.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn open(&self, name: &str) -> Result<File, StorageError> {
        File::open(self.folder.path().join(name))
            .map_err(|e| StorageError::io("open a spill file", Quarantine::NAME, e))
    }

    /// Removes a file of the folder, so that its space is free before the end.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn remove(&self, name: &str) -> Result<(), StorageError> {
        fs::remove_file(self.folder.path().join(name))
            .map_err(|e| StorageError::io("remove a spill file", Quarantine::NAME, e))
    }
}

impl QuarantineStore {
    /// Begins to receive an upload of at most `limit` bytes.
    ///
    /// # Errors
    /// [`StorageError::Full`] or a failure of the disk.
    pub fn spool(&self, limit: u64) -> Result<Spool, StorageError> {
        self.check_space(0)?;
        let file = self
            .make_file("upload-")
            .map_err(|e| StorageError::io("spool an upload", Quarantine::NAME, e))?;
        Ok(Spool {
            store: self.clone(),
            file,
            hash: Sha256::new(),
            bytes: 0,
            limit,
            unchecked: 0,
        })
    }

    /// A folder for spill files.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn scratch(&self) -> Result<Scratch, StorageError> {
        let make = || {
            let pending = self.root().join(PENDING);
            let _door = hold::making(&pending)?;
            let folder = tempfile::Builder::new().prefix("scratch-").tempdir_in(pending)?;
            let held = File::open(folder.path())?;
            hold::take(&held)?;
            Ok(Scratch { folder, _held: held })
        };
        make().map_err(|e| StorageError::io("create a scratch folder", Quarantine::NAME, e))
    }

    /// The kept original of a version, if there is one. A restarted ingest finds its file here.
    pub fn find_upload(&self, version: VersionId) -> Option<PathBuf> {
        Some(self.upload_path(version)).filter(|path| path.is_file())
    }

    /// Removes the kept original of a version.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn remove_upload(&self, version: VersionId) -> Result<(), StorageError> {
        match fs::remove_file(self.upload_path(version)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StorageError::io("remove an upload", Quarantine::NAME, error))
            }
            _ => Ok(()),
        }
    }

    /// Lists the versions whose originals nobody needs: those that failed, those that are not known although the
    /// original is older than `lost` (a crash came between the two), and those kept longer than `age`: the schedule on
    /// which quarantine is emptied.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn list_old_uploads(
        &self,
        known: &HashMap<VersionId, Known>,
        lost: Duration,
        age: Duration,
        now: Timestamp,
    ) -> Result<Vec<VersionId>, StorageError> {
        let io = |error| StorageError::io("list uploads", Quarantine::NAME, error);
        let folder = match fs::read_dir(self.root().join(UPLOADS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(io)?,
        };
        let mut found = Vec::new();
        for entry in folder {
            let path = entry.map_err(io)?.path();
            let Some(version) = version_of(&path) else {
                continue;
            };
            let most = match known.get(&version) {
                Some(Known::Nothing) => Duration::ZERO,
                Some(Known::BeingWritten | Known::Complete(_)) => age,
                None => lost.min(age),
            };
            if Orphan::older_than(path, most, now).map_err(io)?.is_some() {
                found.push(version);
            }
        }
        Ok(found)
    }

    fn upload_path(&self, version: VersionId) -> PathBuf {
        self.root().join(UPLOADS).join(version.to_string())
    }
}
