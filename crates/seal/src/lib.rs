//! Encryption at rest (privacy.md "Three zones", docs/adr/0013).
//!
//! A *data key* ([`DataKey`]) seals one thing: the original of a version, its sandbox copy, or the spill files of one
//! ingest. The *operator's key* ([`OperatorKey`]) wraps data keys for the database; whoever has only the disk, or only
//! the database without the operator's key, has nothing. Forgetting a wrapped key erases what it sealed.
//!
//! Files of the quarantine zone are *sealed* here: [`SealedWriter`] writes one as a stream, [`SealedFile`] reads it at
//! any place. Parts of sandbox copies are Parquet's own modular encryption, done by the Parquet library with a data key
//! and the identity that [`part_identity`] gives.
//!
//! The crate does no policy: who gets a key is the caller's business.

mod key;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use key::{DataKey, KeyPurpose, OperatorKey, ROWS_PER_UNIT, UnwrapError, part_identity};
pub use read::{SealedFile, SealedReader, plain_length};
pub use write::SealedWriter;

use aead_stream::StreamBE32;
use chacha20poly1305::XChaCha20Poly1305;

/// STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over XChaCha20-Poly1305: a 19-byte random prefix, a 32-bit counter
/// and a flag for the last chunk make up each nonce.
type Stream = StreamBE32<XChaCha20Poly1305>;

/// What a sealed file begins with; another format gets another one.
const MAGIC: &[u8; 13] = b"shapan-sealed";
/// Random bytes of a file's nonces.
const PREFIX: usize = 19;
/// Bytes before the first chunk.
const HEADER: usize = MAGIC.len() + PREFIX;
/// Plain bytes of every chunk but the last, which may have fewer.
const CHUNK: usize = 64 << 10;
/// Bytes of a chunk's tag (Poly1305).
const TAG: usize = 16;
