//! Sealing a stream.

use std::fmt;
use std::io::{self, Write};

use aead_stream::{NewStream as _, StreamPrimitive as _};

use crate::key::random;
use crate::{CHUNK, DataKey, HEADER, MAGIC, PREFIX, Stream, TAG};

/// Seals what is written into it, chunk by chunk: one chunk of 64 KiB is held in memory, and nothing plain reaches the
/// writer below. The end is sealed too: without [`Self::finish`] the file does not open.
pub struct SealedWriter<W> {
    inner: W,
    stream: Stream,
    context: Vec<u8>,
    position: u32,
    chunk: Vec<u8>,
    /// A chunk that could not be written cannot be sealed again.
    broken: bool,
}

impl<W> fmt::Debug for SealedWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedWriter").finish_non_exhaustive()
    }
}

impl<W: Write> SealedWriter<W> {
    /// Begins a sealed file. `context` says what it is; who opens it must say the same.
    ///
    /// # Errors
    /// If there are no random bytes, or the writer fails.
    pub fn new(mut inner: W, key: &DataKey, context: &[u8]) -> io::Result<Self> {
        let prefix: [u8; PREFIX] = random()?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&prefix);
        inner.write_all(&header)?;
        Ok(Self {
            inner,
            stream: Stream::new(key.expose().into(), &prefix.into()),
            context: context.to_vec(),
            position: 0,
            chunk: Vec::with_capacity(CHUNK + TAG),
            broken: false,
        })
    }

    /// The writer below.
    pub const fn get_ref(&self) -> &W {
        &self.inner
    }

    /// Seals the end and gives the writer back.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        if std::mem::replace(&mut self.broken, true) {
            return Err(io::Error::other("a sealed file broke off before"));
        }
        encrypt(&self.stream, self.position, last, &self.context, &mut self.chunk)?;
        self.inner.write_all(&self.chunk)?;
        self.chunk.clear();
        // 2³² chunks are 256 TiB.
        self.position = self.position.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        self.broken = false;
        Ok(())
    }
}

/// Seals a chunk in place. Not generic, so that it is compiled with this crate: builds for tests optimise it too.
#[inline(never)]
fn encrypt(
    stream: &Stream,
    position: u32,
    last: bool,
    context: &[u8],
    chunk: &mut Vec<u8>,
) -> io::Result<()> {
    stream
        .encrypt_in_place(position, last, context, chunk)
        .map_err(io::Error::other)
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // Only when more comes is a full chunk known not to be the last.
        if self.chunk.len() == CHUNK && !data.is_empty() {
            self.seal(false)?;
        }
        let taken = data.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&data[..taken]);
        Ok(taken)
    }

    /// What is in an open chunk stays there: half a chunk cannot be sealed.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
