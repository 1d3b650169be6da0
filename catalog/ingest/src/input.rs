//! Where a file is read from: an original in quarantine, which is sealed, or a file that is not the portal's.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use seal::{SealedFile, SealedReader};
use storage::Original;

use crate::error::IngestError;

/// A file to take in.
#[derive(Debug, Clone)]
pub enum Source {
    /// An upload: sealed in quarantine.
    Original(Original),
    /// A file outside of the portal's zones, read as it lies: for measurements and tests.
    Outside(PathBuf),
}

impl From<Original> for Source {
    fn from(original: Original) -> Self {
        Self::Original(original)
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::Outside(path.to_owned())
    }
}

impl From<&PathBuf> for Source {
    fn from(path: &PathBuf) -> Self {
        Self::Outside(path.clone())
    }
}

impl Source {
    pub(crate) fn open(&self) -> Result<Input, IngestError> {
        match self {
            Self::Original(original) => original.open().map(Input::Original),
            Self::Outside(path) => {
                File::open(path).and_then(|file| Ok(Input::Outside(file.metadata()?.len(), Arc::new(file))))
            }
        }
        .map_err(IngestError::Read)
    }
}

/// An opened file that is read at any place, by several readers at once.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Original(SealedFile),
    Outside(u64, Arc<File>),
}

impl Input {
    /// Its plain length in bytes.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Original(file) => file.length(),
            Self::Outside(length, _) => *length,
        }
    }

    /// A reader that begins at `start`.
    pub(crate) fn reader_at(&self, start: u64) -> InputReader {
        match self {
            Self::Original(file) => InputReader::Original(file.reader_at(start)),
            Self::Outside(_, file) => InputReader::Outside(Arc::clone(file), start),
        }
    }
}

/// Reads a file on from some place.
#[derive(Debug)]
pub(crate) enum InputReader {
    Original(SealedReader),
    Outside(Arc<File>, u64),
}

impl Read for InputReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Original(reader) => reader.read(into),
            Self::Outside(file, next) => {
                let count = file.read_at(into, *next)?;
                *next += count as u64;
                Ok(count)
            }
        }
    }
}

impl Length for Input {
    fn len(&self) -> u64 {
        self.length()
    }
}

impl ChunkReader for Input {
    type T = BufReader<InputReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(self.reader_at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // What a hostile file announces is not allocated before it is known to be there.
        if start
            .checked_add(length as u64)
            .is_none_or(|end| end > self.length())
        {
            return Err(ParquetError::from(io::Error::from(ErrorKind::UnexpectedEof)));
        }
        let mut bytes = vec![0; length];
        self.reader_at(start).read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}
