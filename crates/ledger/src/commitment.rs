//! Commitments: what is derived from data or from a query's text stands sealed in the ledger and is opened,
//! to whom it concerns, by a receipt.
//!
//! Assumed: SHA-256 is collision-resistant and hides a 32-byte uniform prefix. Guaranteed: *binding*, nobody
//! can open a commitment to two values; *hiding*, whoever does not hold the nonce learns nothing of the
//! value, not even by trying all values of a small domain. Why: the nonce has a fixed length, so nonce ||
//! value is read in one way only, and canonical JSON (RFC 8785) gives each value one spelling.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::hash::Hash;

/// The 32 random bytes that keep a committed value secret; serialised as hexadecimal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Nonce([u8; 32]);

/// A sealed value: SHA-256(nonce || RFC 8785 bytes of the value), in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(Hash);

/// What opens a [`Commitment`]: the value with its nonce. As secret as the value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The random bytes.
    pub nonce: Nonce,
    /// The committed value.
    pub value: Value,
}

/// A value that cannot be committed to, or an opening of something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitmentError {
    /// The value has no canonical JSON form (a number that is not finite).
    #[error("the value has no canonical JSON form: {0}")]
    NotCanonical(String),
    /// The operating system gave no random bytes.
    #[error("no random bytes for a nonce")]
    NoEntropy,
    /// A nonce that is not 64 lower-case hexadecimal digits.
    #[error("a nonce is 64 lower-case hexadecimal digits")]
    Nonce,
    /// Value and nonce belong to another commitment.
    #[error("the opening is not of commitment {0}")]
    Mismatch(Commitment),
}

impl Nonce {
    /// Wraps 32 bytes, which must be uniformly random and used once.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Draws a nonce from the operating system.
    ///
    /// # Errors
    /// [`CommitmentError::NoEntropy`].
    pub fn generate() -> Result<Self, CommitmentError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| CommitmentError::NoEntropy)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(secret)")
    }
}

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        hex::encode(nonce.0)
    }
}

impl TryFrom<String> for Nonce {
    type Error = CommitmentError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let hash: Hash = text.parse().map_err(|_| CommitmentError::Nonce)?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Opening {
    /// Pairs `value` with a fresh nonce.
    ///
    /// # Errors
    /// [`CommitmentError::NoEntropy`].
    pub fn seal(value: Value) -> Result<Self, CommitmentError> {
        Ok(Self {
            nonce: Nonce::generate()?,
            value,
        })
    }

    /// The commitment that this opens.
    ///
    /// # Errors
    /// [`CommitmentError::NotCanonical`].
    pub fn commitment(&self) -> Result<Commitment, CommitmentError> {
        let value = serde_json_canonicalizer::to_vec(&self.value)
            .map_err(|error| CommitmentError::NotCanonical(error.to_string()))?;
        let digest = Sha256::new()
            .chain_update(self.nonce.0)
            .chain_update(value)
            .finalize();
        Ok(Commitment(Hash::from_bytes(digest.into())))
    }
}

impl Commitment {
    /// Checks that `opening` opens this commitment and returns the committed value.
    ///
    /// # Errors
    /// [`CommitmentError::Mismatch`] when it does not.
    pub fn open<'o>(&self, opening: &'o Opening) -> Result<&'o Value, CommitmentError> {
        if opening.commitment()? == *self {
            Ok(&opening.value)
        } else {
            Err(CommitmentError::Mismatch(*self))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn digest_is_over_nonce_and_canonical_value() {
        let opening = Opening {
            nonce: Nonce::from_bytes([1; 32]),
            value: json!({"b": 1, "a": "值"}),
        };
        let expected = Hash::digest(&[[1; 32].as_slice(), r#"{"a":"值","b":1}"#.as_bytes()].concat());
        assert_eq!(opening.commitment().unwrap().to_string(), expected.to_string());
        let reordered = Opening {
            value: json!({"a": "值", "b": 1.0}),
            ..opening.clone()
        };
        assert_eq!(reordered.commitment(), opening.commitment());
    }

    #[test]
    fn only_its_own_opening_opens_it() {
        let opening = Opening::seal(json!("SELECT COUNT(*) FROM t")).unwrap();
        let commitment = opening.commitment().unwrap();
        assert_eq!(commitment.open(&opening).unwrap(), &opening.value);
        let other_value = Opening {
            value: json!("SELECT COUNT(*) FROM u"),
            ..opening.clone()
        };
        let other_nonce = Opening::seal(opening.value.clone()).unwrap();
        for wrong in [other_value, other_nonce] {
            assert_eq!(
                commitment.open(&wrong),
                Err(CommitmentError::Mismatch(commitment))
            );
        }
    }

    #[test]
    fn equal_values_are_sealed_differently_and_nonces_do_not_show() {
        let (a, b) = (
            Opening::seal(json!(true)).unwrap(),
            Opening::seal(json!(true)).unwrap(),
        );
        assert_ne!(a.commitment().unwrap(), b.commitment().unwrap());
        let nonce = String::from(a.nonce.clone());
        assert!(!format!("{a:?}").contains(&nonce));
        let read: Opening = serde_json::from_str(&serde_json::to_string(&a).unwrap()).unwrap();
        assert_eq!(read, a);
        assert!(serde_json::from_str::<Nonce>("\"00\"").is_err());
    }
}
