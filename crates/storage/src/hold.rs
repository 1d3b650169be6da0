//! Telling what somebody writes from what a crash has left: who writes holds a lock (`flock`), which the kernel lets go
//! of when the process ends, however it ends.
//!
//! A file is held a moment after it came to be. To look in that moment would be to see a dead one, so files are made
//! while the folder is held together with other makers, and looked at while it is held alone.

use std::fs::File;
use std::io;
use std::path::Path;

/// Held while a file or folder is made in `folder` and taken hold of.
pub(crate) fn making(folder: &Path) -> io::Result<File> {
    let door = File::open(folder)?;
    door.lock_shared()?;
    Ok(door)
}

/// Held while looking at what is in `folder`.
pub(crate) fn looking(folder: &Path) -> io::Result<File> {
    let door = File::open(folder)?;
    door.lock()?;
    Ok(door)
}

/// Takes hold of a file or folder until it is closed.
pub(crate) fn take(file: &File) -> io::Result<()> {
    file.lock_shared()
}

/// Whether somebody holds the file or folder. One of which that cannot be told counts as held.
pub(crate) fn is_held(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => file.try_lock().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}
