//! Objects on their way in: written, hashed, synced, and only then visible.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::crash;
use crate::error::{StorageError, is_full, sync_folder};

/// An object that is in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its name under the version's prefix: SHA-256 and extension.
    pub name: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
}

/// How much is written to the disk at a time.
const BUFFER: usize = 256 * 1024;

/// A file being written into a zone's `pending` folder. Invisible to readers until [`Self::publish`]; dropped without
/// it, the file is removed.
#[derive(Debug)]
pub struct PendingObject {
    file: NamedTempFile,
    buffer: Vec<u8>,
    hash: Sha256,
    bytes: u64,
    /// `versions/<version id>` of the zone.
    folder: PathBuf,
    extension: String,
    zone: &'static str,
}

impl PendingObject {
    pub(crate) fn new(file: NamedTempFile, folder: PathBuf, extension: String, zone: &'static str) -> Self {
        Self {
            file,
            buffer: Vec::with_capacity(BUFFER),
            hash: Sha256::new(),
            bytes: 0,
            folder,
            extension,
            zone,
        }
    }

    /// How many bytes were written so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A second handle for reading what was written so far, from the start.
    ///
    /// # Errors
    /// If the buffer cannot be written or the file not be opened.
    pub fn reopen(&mut self) -> Result<File, StorageError> {
        self.drain()
            .map_err(|e| StorageError::io("write a pending object", self.zone, e))?;
        self.file
            .reopen()
            .map_err(|e| StorageError::io("read a pending object", self.zone, e))
    }

    /// Writes and syncs what there is, so that a full disk shows before [`Self::publish`].
    ///
    /// # Errors
    /// [`StorageError::Full`] or another failure of the disk.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.drain()
            .map_err(|e| StorageError::io("write a pending object", self.zone, e))?;
        self.file
            .as_file()
            .sync_all()
            .map_err(|e| StorageError::io("sync a pending object", self.zone, e))
    }

    /// Makes the object visible under its hash: flush, sync the file, rename it into the version's prefix, sync the
    /// prefix and the folder above. An object with the same bytes that is there already is kept.
    ///
    /// # Errors
    /// [`StorageError::Full`] or another failure of the disk; the object is then not visible, or whole.
    pub fn publish(mut self) -> Result<StoredObject, StorageError> {
        let zone = self.zone;
        let io = |act: &'static str| move |error: io::Error| StorageError::io(act, zone, error);
        crash::point("begun");
        self.drain().map_err(io("write a pending object"))?;
        crash::point("written");
        self.file
            .as_file()
            .sync_all()
            .map_err(io("sync a pending object"))?;
        crash::point("synced");
        create_folder(&self.folder).map_err(io("create a version's folder"))?;
        crash::point("folder");
        let sha256 = hex::encode(self.hash.finalize());
        let name = format!("{sha256}.{}", self.extension);
        // A rename over an object of the same hash replaces bytes by the same bytes.
        self.file
            .persist(self.folder.join(&name))
            .map_err(|e| io("rename a pending object")(e.error))?;
        crash::point("renamed");
        sync_folder(&self.folder).map_err(io("sync a version's folder"))?;
        crash::point("published");
        Ok(StoredObject {
            name,
            sha256,
            bytes: self.bytes,
        })
    }

    fn drain(&mut self) -> io::Result<()> {
        self.file.as_file_mut().write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for PendingObject {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + data.len() > BUFFER {
            self.drain()?;
        }
        if data.len() >= BUFFER {
            self.file.as_file_mut().write_all(data)?;
        } else {
            self.buffer.extend_from_slice(data);
        }
        self.hash.update(data);
        self.bytes += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()
    }
}

impl From<io::Error> for StorageError {
    /// For `?` on writes into a pending object or spool.
    fn from(error: io::Error) -> Self {
        if is_full(&error) {
            return Self::Full { wanted: 1 };
        }
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            Err(source) => Self::Io {
                act: "write",
                zone: "object",
                source,
            },
        }
    }
}

/// Creates a folder of mode 0700 and syncs the one above, so that its name lasts.
pub(crate) fn create_folder(folder: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a text can name an object under a prefix: no path, no surprise.
pub(crate) fn is_object_name(name: &str) -> bool {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.bytes().all(fine)
}
