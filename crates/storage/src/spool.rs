//! Uploads and scratch files. Both hold originals, so both live in quarantine, and both are sealed from the first byte:
//! an upload with a key of its own, which becomes the version's; scratch files with one that nobody ever stores.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use model::{Timestamp, VersionId};
use seal::{DataKey, SealedFile, SealedWriter};
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

/// What a sealed upload says it is.
const CONTEXT: &[u8] = b"shapan/original/1";

/// An upload being received: sealed, written to quarantine, hashed, capped. Removed when dropped, unless kept.
#[derive(Debug)]
pub struct Spool {
    store: QuarantineStore,
    file: SealedWriter<NamedTempFile>,
    key: DataKey,
    hash: Sha256,
    bytes: u64,
    limit: u64,
    unchecked: u64,
}

/// A received original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The key that opens it: stored wrapped, or the original is lost.
    pub key: DataKey,
    /// Length in bytes, before it was sealed.
    pub bytes: u64,
    /// SHA-256 of what came in, hexadecimal.
    pub sha256: String,
}

/// A kept original with the key that opens it.
#[derive(Debug, Clone)]
pub struct Original {
    path: PathBuf,
    key: DataKey,
}

impl Original {
    /// Opens it for reading at any place.
    ///
    /// # Errors
    /// `InvalidData` if it is damaged or the key is another one's; a failure of the disk.
    pub fn open(&self) -> io::Result<SealedFile> {
        SealedFile::open(File::open(&self.path)?, &self.key, CONTEXT)
    }
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
        let file = self.file.finish().map_err(io)?;
        file.as_file().sync_all().map_err(io)?;
        file.persist(&path).map_err(|e| io(e.error))?;
        sync_folder(&folder).map_err(io)?;
        Ok(Upload {
            key: self.key,
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

/// A folder for spill files, removed with what is in it when dropped. Its key is in memory alone: what a crash leaves
/// of it opens for nobody.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    key: DataKey,
    /// Tells it from one that a crash has left.
    _held: File,
}

impl Scratch {
    /// A new sealed file in the folder; [`SealedWriter::finish`] ends it.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn create(&self, name: &str) -> Result<SealedWriter<File>, StorageError> {
        File::create_new(self.folder.path().join(name))
            .and_then(|file| SealedWriter::new(file, &self.key, name.as_bytes()))
            .map_err(|e| StorageError::io("create a spill file", Quarantine::NAME, e))
    }

    /// Opens a finished file of the folder for reading.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn open(&self, name: &str) -> Result<SealedFile, StorageError> {
        File::open(self.folder.path().join(name))
            .and_then(|file| SealedFile::open(file, &self.key, name.as_bytes()))
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
        let io = |error| StorageError::io("spool an upload", Quarantine::NAME, error);
        let key = DataKey::generate().map_err(io)?;
        let file = self
            .make_file("upload-")
            .and_then(|file| SealedWriter::new(file, &key, CONTEXT))
            .map_err(io)?;
        Ok(Spool {
            store: self.clone(),
            file,
            key,
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
            let key = DataKey::generate()?;
            let pending = self.root().join(PENDING);
            let _door = hold::making(&pending)?;
            let folder = tempfile::Builder::new().prefix("scratch-").tempdir_in(pending)?;
            let held = File::open(folder.path())?;
            hold::take(&held)?;
            Ok(Scratch {
                folder,
                key,
                _held: held,
            })
        };
        make().map_err(|e| StorageError::io("create a scratch folder", Quarantine::NAME, e))
    }

    /// The kept original of a version, if there is one. A restarted ingest finds its file here.
    pub fn find_original(&self, version: VersionId, key: DataKey) -> Option<Original> {
        let path = self.upload_path(version);
        path.is_file().then_some(Original { path, key })
    }

    /// Length of the kept original of a version, in bytes as it came in, if there is one. Needs no key.
    pub fn find_original_bytes(&self, version: VersionId) -> Option<u64> {
        let metadata = fs::metadata(self.upload_path(version)).ok()?;
        metadata
            .is_file()
            .then(|| seal::plain_length(metadata.len()))
            .flatten()
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
