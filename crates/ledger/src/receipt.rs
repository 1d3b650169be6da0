//! Receipts: what a party to an act keeps, and anyone can check with the log's public key alone.
//!
//! A receipt carries the leaf, the openings of its commitments and, once the sequencer has signed a
//! checkpoint over it, its inclusion proof. Guaranteed by [`Receipt::verify`] for a proven receipt: the
//! holder of the log's key signed a tree that contains exactly this leaf at this index, and the opened values
//! are the committed ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::commitment::{CommitmentError, Opening};
use crate::hash::Hash;
use crate::leaf::{Leaf, LeafError};
use crate::note::VerifierKey;
use crate::proof::{ProofError, verify_inclusion};

/// The version of the receipt format.
pub const RECEIPT_VERSION: u8 = 1;

/// The proof that a leaf is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// The leaf's number in the log, from 0.
    pub index: u64,
    /// The audit path, leaf to root.
    pub path: Vec<Hash>,
    /// The signed checkpoint (a note) whose root the path leads to.
    pub checkpoint: String,
}

/// A leaf with the openings of its commitments, pending until it has an [`Inclusion`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    v: u8,
    leaf: Leaf,
    openings: BTreeMap<String, Opening>,
    inclusion: Option<Inclusion>,
}

/// What a receipt shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The openings are right; the leaf waits for its index. Nothing is signed yet.
    Pending,
    /// The leaf is in the signed log.
    Proven {
        /// Its number.
        index: u64,
        /// The tree head that contains it.
        checkpoint: Checkpoint,
    },
}

/// A receipt that does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// Not a receipt of a known version.
    #[error("the receipt has version {0}, this program reads version {RECEIPT_VERSION}")]
    Version(u8),
    /// Not a receipt at all.
    #[error("this is not a receipt: {0}")]
    Malformed(#[from] serde_json::Error),
    /// An opening of something that the leaf does not commit to.
    #[error("the receipt opens \"{0}\", which the leaf does not commit to")]
    UnknownOpening(String),
    /// An opening that does not fit its commitment.
    #[error("the opening of \"{key}\" is wrong: {source}")]
    Opening {
        /// The commitment's key in the leaf.
        key: String,
        /// Why.
        source: CommitmentError,
    },
    /// The leaf has no canonical form.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// The checkpoint is not signed, or of another log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The leaf is not where the receipt says.
    #[error("the leaf is not in the log: {0}")]
    Inclusion(#[from] ProofError),
}

impl Receipt {
    /// A pending receipt of `leaf`, which opens some or all of its commitments by key.
    ///
    /// # Errors
    /// [`ReceiptError::UnknownOpening`] or [`ReceiptError::Opening`].
    pub fn new(leaf: Leaf, openings: BTreeMap<String, Opening>) -> Result<Self, ReceiptError> {
        let receipt = Self {
            v: RECEIPT_VERSION,
            leaf,
            openings,
            inclusion: None,
        };
        receipt.check_openings()?;
        Ok(receipt)
    }

    /// The same receipt with its proof.
    #[must_use]
    pub fn with_inclusion(self, inclusion: Inclusion) -> Self {
        Self {
            inclusion: Some(inclusion),
            ..self
        }
    }

    /// Reads a receipt from JSON. It is unchecked until [`Receipt::verify`].
    ///
    /// # Errors
    /// [`ReceiptError::Malformed`] or [`ReceiptError::Version`].
    pub fn parse(json: &[u8]) -> Result<Self, ReceiptError> {
        let receipt: Self = serde_json::from_slice(json)?;
        if receipt.v == RECEIPT_VERSION {
            Ok(receipt)
        } else {
            Err(ReceiptError::Version(receipt.v))
        }
    }

    /// The act.
    #[must_use]
    pub const fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The opened values by key, as the receipt states them.
    pub fn opened(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.openings
            .iter()
            .map(|(key, opening)| (key.as_str(), &opening.value))
    }

    /// The proof, once there is one.
    #[must_use]
    pub const fn inclusion(&self) -> Option<&Inclusion> {
        self.inclusion.as_ref()
    }

    /// Checks the openings and, when there is a proof, the signature and the inclusion.
    ///
    /// # Errors
    /// [`ReceiptError`] saying what does not hold.
    pub fn verify(&self, origin: &str, keys: &[VerifierKey]) -> Result<Standing, ReceiptError> {
        if self.v != RECEIPT_VERSION {
            return Err(ReceiptError::Version(self.v));
        }
        self.check_openings()?;
        let Some(inclusion) = &self.inclusion else {
            return Ok(Standing::Pending);
        };
        let checkpoint = Checkpoint::open(&inclusion.checkpoint, origin, keys)?;
        let leaf = self.leaf.hash()?;
        verify_inclusion(
            &leaf,
            inclusion.index,
            checkpoint.size,
            &inclusion.path,
            &checkpoint.root,
        )?;
        Ok(Standing::Proven {
            index: inclusion.index,
            checkpoint,
        })
    }

    fn check_openings(&self) -> Result<(), ReceiptError> {
        for (key, opening) in &self.openings {
            let Some(commitment) = self.leaf.commitments().get(key) else {
                return Err(ReceiptError::UnknownOpening(key.clone()));
            };
            commitment.open(opening).map_err(|source| ReceiptError::Opening {
                key: key.clone(),
                source,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;
    use crate::frontier::Frontier;
    use crate::leaf::{Act, Actor};
    use crate::note::SigningKey;
    use crate::proof::plan_inclusion;
    use crate::vectors::entries;

    const ORIGIN: &str = "data.city.example/ledger";

    fn key() -> SigningKey {
        SigningKey::from_seed(ORIGIN, &[7; 32]).unwrap()
    }

    fn keys() -> [VerifierKey; 1] {
        [key().verifier().clone()]
    }

    fn pending() -> Receipt {
        let opening = Opening::seal(json!({"sql": "SELECT COUNT(*) FROM t"})).unwrap();
        let leaf = Leaf::builder(Act::JobCharged, 5, Actor::member("org", "analyst"))
            .commitment("plan", opening.commitment().unwrap())
            .build()
            .unwrap();
        Receipt::new(leaf, BTreeMap::from([("plan".to_owned(), opening)])).unwrap()
    }

    fn proven() -> Receipt {
        let receipt = pending();
        let mut frontier = Frontier::new();
        let mut nodes = HashMap::new();
        let mut entries = entries(20);
        entries[11] = receipt.leaf().to_bytes().unwrap();
        for entry in entries {
            nodes.extend(frontier.append(&entry));
        }
        let checkpoint = Checkpoint {
            origin: ORIGIN.to_owned(),
            size: 20,
            root: frontier.root(),
        };
        receipt.with_inclusion(Inclusion {
            index: 11,
            path: plan_inclusion(11, 20).unwrap().build(&nodes).unwrap(),
            checkpoint: checkpoint.sign(&key()).unwrap().to_string(),
        })
    }

    #[test]
    fn pending_then_proven_through_json() {
        assert_eq!(pending().verify(ORIGIN, &keys()).unwrap(), Standing::Pending);
        let json = serde_json::to_vec_pretty(&proven()).unwrap();
        let read = Receipt::parse(&json).unwrap();
        let Standing::Proven { index, checkpoint } = read.verify(ORIGIN, &keys()).unwrap() else {
            unreachable!("the receipt has a proof");
        };
        assert_eq!((index, checkpoint.size), (11, 20));
        let opened: Vec<_> = read.opened().collect();
        assert_eq!(opened, [("plan", &json!({"sql": "SELECT COUNT(*) FROM t"}))]);
    }

    #[test]
    fn tampered_receipts_fail() {
        let good = serde_json::to_value(proven()).unwrap();
        let hash = Hash::digest(b"other").to_string();
        let edits: Vec<(&str, Value)> = vec![
            ("/v", json!(2)),
            ("/leaf/act", json!("job.released")),
            ("/leaf/at", json!(6)),
            ("/leaf/actor/role", json!("reviewer")),
            ("/leaf/commitments/plan", json!(hash)),
            ("/leaf/facts", json!({"free": true})),
            ("/openings/plan/value/sql", json!("SELECT 1")),
            ("/openings/plan/nonce", json!(hash)),
            ("/inclusion/index", json!(12)),
            ("/inclusion/index", json!(1000)),
            ("/inclusion/path/0", json!(hash)),
            ("/inclusion/path", json!([])),
            ("/inclusion/checkpoint", json!("a\n1\nb\n")),
        ];
        for (pointer, value) in edits {
            let mut edited = good.clone();
            *edited.pointer_mut(pointer).unwrap() = value;
            let outcome = Receipt::parse(&serde_json::to_vec(&edited).unwrap())
                .and_then(|receipt| receipt.verify(ORIGIN, &keys()));
            assert!(outcome.is_err(), "{pointer}");
        }
        let stranger = [SigningKey::from_seed(ORIGIN, &[8; 32])
            .unwrap()
            .verifier()
            .clone()];
        assert!(matches!(
            proven().verify(ORIGIN, &stranger),
            Err(ReceiptError::Checkpoint(_))
        ));
        assert!(matches!(
            proven().verify("other", &keys()),
            Err(ReceiptError::Checkpoint(_))
        ));
    }

    #[test]
    fn openings_must_belong_to_the_leaf() {
        let leaf = pending().leaf().clone();
        let wrong = Opening::seal(json!(1)).unwrap();
        let of = |key: &str| Receipt::new(leaf.clone(), BTreeMap::from([(key.to_owned(), wrong.clone())]));
        assert!(matches!(of("plan"), Err(ReceiptError::Opening { .. })));
        assert!(matches!(of("other"), Err(ReceiptError::UnknownOpening(_))));
        assert!(Receipt::new(leaf, BTreeMap::new()).is_ok());
    }
}
