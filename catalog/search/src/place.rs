//! Where the index lies on disk: generations side by side, and a pointer to the one that counts.
//!
//! ```text
//! lock                 held by the one process that has the index open
//! current              name of the generation in use; replaced atomically
//! generation-000007/   the engine's files
//! ```
//! The lock is the kernel's and goes with the process, so that a killed one leaves nothing to clean up
//! but a generation that nobody points to, which the next opening removes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::Error;

const LOCK: &str = "lock";
const POINTER: &str = "current";
const POINTER_DRAFT: &str = "current.new";
const GENERATION: &str = "generation-";
/// Longest pointer that is read; one that was written has 18 bytes.
const POINTER_BYTES_MAX: u64 = 64;

/// The directory of an index, locked.
pub(crate) struct Place {
    root: PathBuf,
    /// Holds the lock as long as it is open.
    _lock: File,
}

impl Place {
    /// Locks a directory, which is made if missing.
    pub(crate) fn lock(root: &Path) -> Result<Self, Error> {
        fs::create_dir_all(root).map_err(Error::io("create", root))?;
        let path = root.join(LOCK);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                root: root.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked(root.to_owned())),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
        }
    }

    /// The generation in use; none in a new directory.
    pub(crate) fn current(&self) -> Result<Option<PathBuf>, Error> {
        let path = self.root.join(POINTER);
        let corrupt = |reason: &str| Error::Corrupt {
            path: path.clone(),
            reason: reason.to_owned(),
        };
        match fs::metadata(&path) {
            Ok(found) if found.len() > POINTER_BYTES_MAX => return Err(corrupt("the pointer is too long")),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        }
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let name = String::from_utf8_lossy(&bytes);
        match number(name.trim_end()) {
            Some(number) => Ok(Some(self.generation(number))),
            None => Err(corrupt("the pointer names no generation")),
        }
    }

    /// Makes the directory of a new generation.
    pub(crate) fn make_generation(&self) -> Result<PathBuf, Error> {
        let last = self.generations()?.into_iter().max().unwrap_or(0);
        let path = self.generation(last + 1);
        fs::create_dir(&path).map_err(Error::io("create", &path))?;
        Ok(path)
    }

    /// Makes `generation` the one in use, all or nothing.
    pub(crate) fn publish(&self, generation: &Path) -> Result<(), Error> {
        let name = generation.file_name().unwrap_or_default().to_string_lossy();
        sync_directory(generation)?;
        let draft = self.root.join(POINTER_DRAFT);
        let write = || {
            let mut file = File::create(&draft)?;
            writeln!(file, "{name}")?;
            file.sync_all()
        };
        write().map_err(Error::io("write", &draft))?;
        let pointer = self.root.join(POINTER);
        fs::rename(&draft, &pointer).map_err(Error::io("replace", &pointer))?;
        sync_directory(&self.root)
    }

    /// Removes the generations that are not in use, such as what a killed rebuild left.
    pub(crate) fn remove_all_but(&self, kept: &Path) -> Result<(), Error> {
        for generation in self
            .generations()?
            .into_iter()
            .map(|number| self.generation(number))
        {
            if generation != kept {
                fs::remove_dir_all(&generation).map_err(Error::io("remove", &generation))?;
            }
        }
        Ok(())
    }

    fn generation(&self, number: u64) -> PathBuf {
        self.root.join(generation_name(number))
    }

    fn generations(&self) -> Result<Vec<u64>, Error> {
        let entries = fs::read_dir(&self.root).map_err(Error::io("list", &self.root))?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("list", &self.root))?;
            found.extend(entry.file_name().to_str().and_then(number));
        }
        Ok(found)
    }
}

fn generation_name(number: u64) -> String {
    format!("{GENERATION}{number:06}")
}

/// The number in the name of a generation.
fn number(name: &str) -> Option<u64> {
    let number = name.strip_prefix(GENERATION)?.parse().ok()?;
    (name == generation_name(number)).then_some(number)
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(Error::io("sync", path))
}
