//! Opening a sealed file, anywhere in it.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use aead_stream::{NewStream as _, StreamPrimitive as _};

use crate::{CHUNK, DataKey, HEADER, MAGIC, PREFIX, Stream, TAG};

const SEALED_CHUNK: u64 = (CHUNK + TAG) as u64;

/// Chunks before the last one, and the sealed length of the last one.
fn layout(sealed: u64) -> Option<(u32, usize)> {
    let body = sealed.checked_sub(HEADER as u64)?;
    let before = body.saturating_sub(1) / SEALED_CHUNK;
    let last = usize::try_from(body - before * SEALED_CHUNK).ok()?;
    let fits = last > TAG || (last == TAG && before == 0);
    fits.then_some((u32::try_from(before).ok()?, last))
}

/// The plain length of a sealed file of this length, in bytes; nothing if no sealed file is so long. Says nothing of
/// what is in it.
pub fn plain_length(sealed: u64) -> Option<u64> {
    let (before, last) = layout(sealed)?;
    Some(u64::from(before) * CHUNK as u64 + (last - TAG) as u64)
}

fn damaged() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        "a sealed file is damaged, cut, or sealed with another key",
    )
}

struct Inner {
    file: File,
    stream: Stream,
    context: Vec<u8>,
    before: u32,
    last: usize,
}

/// An opened sealed file. Cheap to clone; clones read independently of one another, from any thread.
#[derive(Clone)]
pub struct SealedFile(Arc<Inner>);

impl fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedFile").finish_non_exhaustive()
    }
}

impl SealedFile {
    /// Opens a finished file and checks its end, so that a cut one is told at once.
    ///
    /// # Errors
    /// `InvalidData` if it is none, is cut, or was sealed with another key or context; a failure to read.
    pub fn open(file: File, key: &DataKey, context: &[u8]) -> io::Result<Self> {
        let (before, last) = layout(file.metadata()?.len()).ok_or_else(damaged)?;
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)?;
        let (magic, prefix) = header.split_at(MAGIC.len());
        let prefix: [u8; PREFIX] = prefix.try_into().map_err(|_| damaged())?;
        if magic != MAGIC {
            return Err(damaged());
        }
        let opened = Self(Arc::new(Inner {
            file,
            stream: Stream::new(key.expose().into(), &prefix.into()),
            context: context.to_vec(),
            before,
            last,
        }));
        opened.chunk(before, &mut Vec::new())?;
        Ok(opened)
    }

    /// Its plain length in bytes.
    pub fn length(&self) -> u64 {
        u64::from(self.0.before) * CHUNK as u64 + (self.0.last - TAG) as u64
    }

    /// A reader that begins at `start`; beyond the end it finds nothing.
    pub fn reader_at(&self, start: u64) -> SealedReader {
        SealedReader {
            file: self.clone(),
            chunk: Vec::new(),
            at: None,
            next: start,
        }
    }

    /// Reads a chunk into `chunk`, replacing what is there.
    fn chunk(&self, number: u32, chunk: &mut Vec<u8>) -> io::Result<()> {
        let last = number == self.0.before;
        chunk.clear();
        chunk.resize(if last { self.0.last } else { CHUNK + TAG }, 0);
        let offset = HEADER as u64 + u64::from(number) * SEALED_CHUNK;
        let opened = self.0.file.read_exact_at(chunk, offset).and_then(|()| {
            self.0
                .stream
                .decrypt_in_place(number, last, &self.0.context, chunk)
                .map_err(|_| damaged())
        });
        if opened.is_err() {
            chunk.clear();
        }
        opened
    }
}

/// Reads a sealed file from a place of its own; one chunk is held in memory.
pub struct SealedReader {
    file: SealedFile,
    chunk: Vec<u8>,
    /// The number of the chunk that is held.
    at: Option<u32>,
    next: u64,
}

impl fmt::Debug for SealedReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedReader").finish_non_exhaustive()
    }
}

impl Read for SealedReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.next >= self.file.length() || into.is_empty() {
            return Ok(0);
        }
        let number = u32::try_from(self.next / CHUNK as u64).map_err(|_| damaged())?;
        if self.at != Some(number) {
            self.at = None;
            self.file.chunk(number, &mut self.chunk)?;
            self.at = Some(number);
        }
        let within = (self.next % CHUNK as u64) as usize;
        let there = self.chunk.get(within..).unwrap_or_default();
        let count = there.len().min(into.len());
        into[..count].copy_from_slice(&there[..count]);
        self.next += count as u64;
        Ok(count)
    }
}

impl Seek for SealedReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.file.length().checked_add_signed(by),
            SeekFrom::Current(by) => self.next.checked_add_signed(by),
        };
        self.next = place.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.next)
    }
}
