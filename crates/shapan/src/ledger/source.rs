//! Where a log is read from: an address, or a folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger::proof::ReadError;
use ledger::{LogReader, Resource};
use reqwest::{Client, StatusCode};
use tokio::runtime::Handle;
use tokio::time::Instant;
use url::Url;

use crate::address;
use crate::failure::Failure;

/// The longest time for one resource.
const RESOURCE_TIME: Duration = Duration::from_secs(30);
/// The longest checkpoint or key that is read.
const NOTE_BYTES: usize = 1 << 20;
/// The most bytes of a tile: 256 hashes.
const TILE_BYTES: usize = 256 * 32;
/// The most bytes of an entry bundle: 256 entries of 65,535 bytes, each behind its length.
const BUNDLE_BYTES: usize = 256 * (2 + 65_535);
/// The file or path of the verifier key, beside the checkpoint.
pub(super) const KEY: &str = "key";

/// A log as others see it. What it reads is bounded in size and time, whoever answers.
pub(super) enum Source {
    /// A mirror's folder.
    Folder(PathBuf),
    /// An address.
    Address {
        /// With a slash at its end.
        base: Url,
        client: Client,
        until: Instant,
        handle: Handle,
    },
}

impl Source {
    /// Understands what was given: `http://` or `https://` and a portal's or a log's address, else a folder.
    pub(super) fn parse(text: &str, time: Duration) -> Result<Self, Failure> {
        if !text.starts_with("http://") && !text.starts_with("https://") {
            return Self::folder(Path::new(text));
        }
        let mut base =
            Url::parse(text).map_err(Failure::cannot(format_args!("understand the address {text:?}")))?;
        base.set_query(None);
        base.set_fragment(None);
        // A portal's own address stands for its log's.
        let path = match base.path().trim_end_matches('/') {
            "" => "/ledger/".to_owned(),
            path => format!("{path}/"),
        };
        base.set_path(&path);
        let client = address::client(&base, RESOURCE_TIME)?;
        Ok(Self::Address {
            base,
            client,
            until: Instant::now() + time,
            handle: Handle::current(),
        })
    }

    fn folder(folder: &Path) -> Result<Self, Failure> {
        let candidates = [folder.to_owned(), folder.join("ledger")];
        let found = candidates
            .into_iter()
            .find(|folder| folder.join("checkpoint").is_file());
        found.map(Self::Folder).ok_or_else(|| {
            Failure::new(format!(
                "{} is neither an address (http://…) nor a folder with a log's checkpoint; `shapan ledger export` \
                 writes one",
                folder.display()
            ))
        })
    }

    /// The address, if others can reach it: what is on this machine is now one log, now another.
    pub(super) fn public_address(&self) -> Option<String> {
        match self {
            Self::Folder(_) => None,
            Self::Address { base, .. } => (!address::is_local(base)).then(|| base.to_string()),
        }
    }

    /// Reads what lies at a path of the log. Blocks; not for asynchronous threads.
    pub(super) fn fetch(&self, path: &str, most: usize) -> Result<Vec<u8>, ReadError> {
        match self {
            Self::Folder(folder) => read_file(&folder.join(path), most),
            Self::Address {
                base,
                client,
                until,
                handle,
            } => {
                let url = base.join(path).map_err(|error| ReadError(error.to_string()))?;
                let fetched = handle.block_on(tokio::time::timeout_at(*until, get(client, url, most)));
                fetched.unwrap_or_else(|_| Err(ReadError("the time for the whole check is over".to_owned())))
            }
        }
    }

    /// Reads the checkpoint as text, unchecked.
    pub(super) fn fetch_text(&self, path: &str) -> Result<String, ReadError> {
        let bytes = self.fetch(path, NOTE_BYTES)?;
        String::from_utf8(bytes).map_err(|_| ReadError("it is not UTF-8 text".to_owned()))
    }
}

impl LogReader for Source {
    fn read(&mut self, resource: Resource) -> Result<Vec<u8>, ReadError> {
        let most = match resource {
            Resource::Checkpoint => NOTE_BYTES,
            Resource::Tile(_) => TILE_BYTES,
            Resource::Entries(_) => BUNDLE_BYTES,
        };
        self.fetch(&resource.to_string(), most)
    }
}

fn too_long(most: usize) -> ReadError {
    ReadError(format!("it is longer than {most} bytes"))
}

fn read_file(path: &Path, most: usize) -> Result<Vec<u8>, ReadError> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| ReadError(error.to_string());
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > most {
        Err(too_long(most))
    } else {
        Ok(bytes)
    }
}

async fn get(client: &Client, url: Url, most: usize) -> Result<Vec<u8>, ReadError> {
    let failed = |error: reqwest::Error| ReadError(error.without_url().to_string());
    let mut response = client.get(url).send().await.map_err(failed)?;
    if response.status() != StatusCode::OK {
        return Err(ReadError(format!("the answer is {}", response.status())));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > most {
            return Err(too_long(most));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn base(text: &str) -> (String, Option<String>) {
        let source = Source::parse(text, Duration::from_secs(1)).unwrap();
        let public = source.public_address();
        match source {
            Source::Address { base, .. } => (base.to_string(), public),
            Source::Folder(folder) => (folder.display().to_string(), public),
        }
    }

    #[tokio::test]
    async fn a_portal_s_address_stands_for_its_log_s() {
        for (given, want, public) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/ledger/", false),
            ("http://localhost:8080/", "http://localhost:8080/ledger/", false),
            (
                "https://data.city.example/ledger",
                "https://data.city.example/ledger/",
                true,
            ),
            (
                "https://data.city.example/a/log/?x=1#y",
                "https://data.city.example/a/log/",
                true,
            ),
        ] {
            let (base, address) = base(given);
            assert_eq!(base, want);
            assert_eq!(address.is_some(), public, "{given}");
        }
        let error = Source::parse("/nowhere/at/all", Duration::from_secs(1))
            .err()
            .unwrap();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }

    #[tokio::test]
    async fn more_than_a_resource_can_be_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("checkpoint"), vec![b'x'; NOTE_BYTES + 1]).unwrap();
        let mut source = Source::parse(folder.path().to_str().unwrap(), Duration::from_secs(1)).unwrap();
        let error = source.read(Resource::Checkpoint).unwrap_err();
        assert!(error.to_string().contains("longer than"), "{error}");
    }
}
