//! What was seen of logs the last time: key, checkpoint, and where.
//!
//! A log that was seen once cannot be replaced by another one unnoticed: by its name it is known wherever it is read
//! from, and a public address is known by the log that it served.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use ledger::{Checkpoint, Note, VerifierKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::failure::Failure;

/// A log as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Its name.
    pub(super) origin: String,
    /// The key that its checkpoints are signed with.
    key: String,
    /// The newest checkpoint that was verified, as a signed note.
    checkpoint: String,
    /// Public addresses at which it was.
    #[serde(default)]
    addresses: BTreeSet<String>,
}

/// Where what was seen is kept.
pub(super) enum Memory {
    /// One file, for one log.
    File(PathBuf),
    /// A folder with a file for each log.
    Folder(PathBuf),
    /// Nowhere: there is no home.
    None,
}

impl Seen {
    /// What is to be remembered of a log that was verified.
    pub(super) fn new(origin: &str, key: &VerifierKey, checkpoint: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            key: key.to_string(),
            checkpoint: checkpoint.to_owned(),
            addresses: BTreeSet::new(),
        }
    }

    /// The key.
    pub(super) fn key(&self) -> Result<VerifierKey, Failure> {
        self.key
            .parse()
            .map_err(Failure::cannot("read the remembered key"))
    }

    /// The checkpoint. It was verified when it was remembered.
    pub(super) fn checkpoint(&self) -> Result<Checkpoint, Failure> {
        let note: Note = self
            .checkpoint
            .parse()
            .map_err(Failure::cannot("read the remembered checkpoint"))?;
        note.text()
            .parse()
            .map_err(Failure::cannot("read the remembered checkpoint"))
    }
}

impl Memory {
    /// The given file, or else the user's state folder.
    pub(super) fn open(file: Option<PathBuf>) -> Self {
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        if let Some(file) = file {
            return Self::File(file);
        }
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        state.map_or(Self::None, |state| {
            Self::Folder(state.join("shapan").join("ledger"))
        })
    }

    /// What was seen of the log of this name; a file that is of another log, and a public address that served another
    /// log, are breaks.
    pub(super) fn find(&self, origin: &str, address: Option<&str>) -> Result<Option<Seen>, Failure> {
        let another = |seen: &Seen, what: &str| {
            Failure::new(format!(
                "the log is {origin:?} now, but {what} {:?} was seen before: a log keeps its name for ever",
                seen.origin
            ))
        };
        match self {
            Self::None => Ok(None),
            Self::File(file) => match read(file)? {
                Some(seen) if seen.origin != origin => {
                    Err(another(&seen, &format!("in {} the log", file.display())))
                }
                seen => Ok(seen),
            },
            Self::Folder(folder) => {
                if let Some(address) = address {
                    for seen in list(folder)? {
                        if seen.origin != origin && seen.addresses.contains(address) {
                            return Err(another(&seen, &format!("at {address} the log")));
                        }
                    }
                }
                read(&file_of(folder, origin))
            }
        }
    }

    /// Remembers a log that was verified; gives where. Addresses of before are kept.
    pub(super) fn remember(
        &self,
        mut seen: Seen,
        before: Option<Seen>,
        address: Option<String>,
    ) -> Result<Option<PathBuf>, Failure> {
        seen.addresses = before.map(|before| before.addresses).unwrap_or_default();
        seen.addresses.extend(address);
        let file = match self {
            Self::None => return Ok(None),
            Self::File(file) => file.clone(),
            Self::Folder(folder) => file_of(folder, &seen.origin),
        };
        let cannot = |error: std::io::Error| {
            Failure::cannot(format_args!("remember what was seen in {}", file.display()))(error)
        };
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(cannot)?;
        let mut written = tempfile::NamedTempFile::new_in(folder).map_err(cannot)?;
        serde_json::to_writer_pretty(&mut written, &seen)?;
        written.write_all(b"\n").map_err(cannot)?;
        written.as_file().sync_all().map_err(cannot)?;
        written.persist(&file).map_err(|error| cannot(error.error))?;
        Ok(Some(file))
    }
}

fn file_of(folder: &Path, origin: &str) -> PathBuf {
    folder.join(format!("{}.json", hex::encode(&Sha256::digest(origin)[..16])))
}

fn read(file: &Path) -> Result<Option<Seen>, Failure> {
    let shown = file.display();
    match std::fs::read(file) {
        Ok(bytes) => {
            let seen = serde_json::from_slice(&bytes);
            seen.map(Some).map_err(Failure::cannot(format_args!(
                "read what was seen before, in {shown}"
            )))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::cannot(format_args!(
            "read what was seen before, in {shown}"
        ))(error)),
    }
}

fn list(folder: &Path) -> Result<Vec<Seen>, Failure> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Failure::cannot(format_args!("look into {}", folder.display())))?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            all.extend(read(&path)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use ledger::SigningKey;

    use super::*;

    fn seen(origin: &str) -> Seen {
        let key = SigningKey::generate(origin).unwrap();
        let checkpoint = Checkpoint {
            origin: origin.to_owned(),
            size: 0,
            root: ledger::hash::empty_root(),
        };
        Seen::new(
            origin,
            key.verifier(),
            &checkpoint.sign(&key).unwrap().to_string(),
        )
    }

    #[test]
    fn what_was_seen_is_found_by_name_and_by_address() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::Folder(folder.path().join("a/b"));
        assert_eq!(memory.find("log-a", Some("https://x/")).unwrap(), None);
        let first = seen("log-a");
        memory
            .remember(first.clone(), None, Some("https://x/".to_owned()))
            .unwrap();
        let found = memory.find("log-a", None).unwrap().unwrap();
        assert_eq!(found.key().unwrap(), first.key().unwrap());
        assert_eq!(found.checkpoint().unwrap().size, 0);
        memory
            .remember(first, Some(found), Some("https://y/".to_owned()))
            .unwrap();
        for address in ["https://x/", "https://y/"] {
            let error = memory.find("log-b", Some(address)).unwrap_err().to_string();
            assert!(error.contains("log-a") && error.contains(address), "{error}");
        }
        assert!(memory.find("log-b", Some("https://z/")).unwrap().is_none());
    }

    #[test]
    fn a_file_is_for_one_log() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seen.json");
        let memory = Memory::File(file.clone());
        memory.remember(seen("log-a"), None, None).unwrap();
        assert!(memory.find("log-a", None).unwrap().is_some());
        assert!(memory.find("log-b", None).is_err());
        std::fs::write(&file, "rubbish").unwrap();
        assert!(
            memory.find("log-a", None).is_err(),
            "a broken memory is not an empty one"
        );
    }
}
