//! Data keys and the operator's key that wraps them.

use std::fmt;
use std::io;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use model::VersionId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// 256 random bits that seal one thing. Wiped when dropped, compared in constant time, and never shown.
///
/// It is serialised for one purpose: the grant that goes to a sandbox worker over its private pipe.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// A fresh key.
    ///
    /// # Errors
    /// If the operating system gives no random bytes.
    pub fn generate() -> io::Result<Self> {
        random().map(Self::from_bytes)
    }

    /// The key of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes, for a cipher and nothing else.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl PartialEq for DataKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for DataKey {}

impl Serialize for DataKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode(self.expose())))
    }
}

impl<'de> Deserialize<'de> for DataKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut key = Zeroizing::new([0; 32]);
        // No message repeats what was there.
        hex::decode_to_slice(text.as_str(), key.as_mut_slice())
            .map_err(|_| D::Error::custom("a key is 64 hexadecimal digits"))?;
        Ok(Self(key))
    }
}

/// What of a version a data key seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// The file as it was uploaded, in quarantine.
    Original,
    /// The parts of its protected copy.
    Copy,
}

impl KeyPurpose {
    /// All purposes.
    pub const ALL: [Self; 2] = [Self::Original, Self::Copy];

    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Copy => "copy",
        }
    }

    /// The purpose of a word in the database.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }
}

/// A wrapped key does not open: another operator's key, another version or purpose, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored data key does not open with the operator's key")]
pub struct UnwrapError;

/// The key that wraps data keys: XChaCha20-Poly1305 with a random 192-bit nonce, bound to version and purpose. Cheap to
/// clone; wiped when the last clone is dropped.
#[derive(Clone)]
pub struct OperatorKey(Arc<Zeroizing<[u8; 32]>>);

/// Bytes of a wrapping nonce.
const NONCE: usize = 24;

impl OperatorKey {
    /// The key of these bytes, which should be random or derived from such.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(Arc::new(bytes))
    }

    /// Wraps a data key for the database: nonce, ciphertext, tag; 72 bytes.
    ///
    /// # Errors
    /// If the operating system gives no random bytes.
    pub fn wrap(&self, key: &DataKey, version: VersionId, purpose: KeyPurpose) -> io::Result<Vec<u8>> {
        let nonce: [u8; NONCE] = random()?;
        let bound = binding(version, purpose);
        let payload = Payload {
            msg: key.expose(),
            aad: &bound,
        };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(io::Error::other)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens a wrapped key.
    ///
    /// # Errors
    /// [`UnwrapError`].
    pub fn unwrap(
        &self,
        wrapped: &[u8],
        version: VersionId,
        purpose: KeyPurpose,
    ) -> Result<DataKey, UnwrapError> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE>().ok_or(UnwrapError)?;
        let bound = binding(version, purpose);
        let payload = Payload {
            msg: sealed,
            aad: &bound,
        };
        let opened = self
            .cipher()
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| UnwrapError)?;
        let opened = Zeroizing::new(opened);
        let bytes = opened.as_slice().try_into().map_err(|_| UnwrapError)?;
        Ok(DataKey::from_bytes(bytes))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&**self.0).into())
    }
}

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorKey(…)")
    }
}

/// What a wrapped key is good for, so that rows of the database cannot be exchanged.
fn binding(version: VersionId, purpose: KeyPurpose) -> Vec<u8> {
    let purpose = purpose.as_str().as_bytes();
    [&b"shapan/key/1/"[..], version.as_uuid().as_bytes(), purpose].concat()
}

/// What the encrypted footer of a part says under this key: the most rows that any unit has in the part, in decimals, as
/// counted when it was written.
pub const ROWS_PER_UNIT: &str = "shapan.rows_per_unit";

/// The identity of a part of a protected copy, for Parquet's AAD prefix: the version and the part's place in its
/// manifest, from 0. With it, a part opens in no other version and at no other place.
pub fn part_identity(version: VersionId, place: u32) -> Vec<u8> {
    [
        &b"shapan/part/1/"[..],
        version.as_uuid().as_bytes(),
        &place.to_le_bytes(),
    ]
    .concat()
}
