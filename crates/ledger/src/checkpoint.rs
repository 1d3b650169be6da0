//! Checkpoints: signed tree heads (C2SP tlog-checkpoint).

use std::fmt;
use std::str::FromStr;

use crate::hash::Hash;
use crate::note::{Note, NoteError, SigningKey, VerifierKey};

/// A tree head: which log, how many leaves, which root. Its text is the body of a signed note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, by convention its address without scheme, such as `data.city.example/ledger`.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Hash,
}

/// A checkpoint that is malformed, of another log, or not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a checkpoint's body.
    #[error("this is not a checkpoint: {0}")]
    Malformed(&'static str),
    /// A checkpoint of another log.
    #[error("the checkpoint is of log \"{found}\", not of \"{expected}\"")]
    Origin {
        /// The log asked about.
        expected: String,
        /// The log that the checkpoint names.
        found: String,
    },
    /// The note around it is malformed or not signed by a known key.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// Signs the checkpoint and returns the note, as it is served at `checkpoint`.
    ///
    /// A log must never sign two checkpoints of which one does not extend the other: call this only after the
    /// tiles up to `size` are durable.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] when the origin is empty or has a line break.
    pub fn sign(&self, key: &SigningKey) -> Result<Note, CheckpointError> {
        let body = self.to_string();
        if body.parse::<Self>().as_ref() != Ok(self) {
            return Err(CheckpointError::Malformed(
                "the origin is empty or has a line break",
            ));
        }
        Ok(Note::new(body)?.sign(key))
    }

    /// Opens a signed note: checks its signatures against `keys` and that it is of the log `origin`.
    ///
    /// # Errors
    /// [`CheckpointError`] saying what does not hold.
    pub fn open(note: &str, origin: &str, keys: &[VerifierKey]) -> Result<Self, CheckpointError> {
        let note: Note = note.parse()?;
        note.verify(keys)?;
        let checkpoint: Self = note.text().parse()?;
        if checkpoint.origin != origin {
            return Err(CheckpointError::Origin {
                expected: origin.to_owned(),
                found: checkpoint.origin,
            });
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root.to_base64())
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    /// Parses a note's text. Extension lines are tolerated and dropped, as they mean nothing here.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = CheckpointError::Malformed;
        let lines: Vec<&str> = text
            .strip_suffix('\n')
            .ok_or(malformed("the last line has no newline"))?
            .split('\n')
            .collect();
        if lines.iter().any(|line| line.is_empty()) {
            return Err(malformed("a line is empty"));
        }
        let [origin, size, root, ..] = lines.as_slice() else {
            return Err(malformed("it has fewer than three lines"));
        };
        let number: u64 = size
            .parse()
            .map_err(|_| malformed("the second line is not a tree size"))?;
        if number.to_string() != *size {
            return Err(malformed("the tree size has a sign or leading zeros"));
        }
        let root =
            Hash::from_base64(root).map_err(|_| malformed("the third line is not a base64 root hash"))?;
        Ok(Self {
            origin: (*origin).to_owned(),
            size: number,
            root,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::hash::{empty_root, leaf_hash};

    const ORIGIN: &str = "data.city.example/ledger";

    fn key() -> SigningKey {
        SigningKey::from_seed(ORIGIN, &[7; 32]).unwrap()
    }

    #[test]
    fn the_specification_s_example_is_read() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint: Checkpoint = text.parse().unwrap();
        assert_eq!(
            (checkpoint.origin.as_str(), checkpoint.size),
            ("example.com/behind-the-sofa", 20_852_163)
        );
        assert_eq!(checkpoint.to_string(), text);
        let extended: Checkpoint = format!("{text}an extension\n").parse().unwrap();
        assert_eq!(extended, checkpoint);
    }

    #[test]
    fn signed_checkpoints_open_with_the_right_key_and_origin_only() {
        let checkpoint = Checkpoint {
            origin: ORIGIN.to_owned(),
            size: 0,
            root: empty_root(),
        };
        let note = checkpoint.sign(&key()).unwrap().to_string();
        let keys = [key().verifier().clone()];
        assert_eq!(Checkpoint::open(&note, ORIGIN, &keys).unwrap(), checkpoint);
        assert!(matches!(
            Checkpoint::open(&note, "other", &keys),
            Err(CheckpointError::Origin { .. })
        ));
        let other = [SigningKey::from_seed(ORIGIN, &[8; 32])
            .unwrap()
            .verifier()
            .clone()];
        let error = Checkpoint::open(&note, ORIGIN, &other).unwrap_err();
        assert_eq!(error, CheckpointError::Note(NoteError::NoKnownSignature));
        for (from, to) in [
            ("\n0\n", "\n1\n"),
            (ORIGIN, "data.city.example/ledgex"),
            ("47DEQ", "47DER"),
        ] {
            let forged = note.replacen(from, to, 1);
            assert_ne!(forged, note);
            assert!(matches!(
                Checkpoint::open(&forged, ORIGIN, &keys),
                Err(CheckpointError::Note(_))
            ));
        }
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let root = leaf_hash(b"").to_base64();
        for bad in [
            String::new(),
            "\n".to_owned(),
            format!("a\n1\n{root}"),
            format!("\n1\n{root}\n"),
            "a\n1\n".to_owned(),
            format!("a\n01\n{root}\n"),
            format!("a\n+1\n{root}\n"),
            format!("a\n-1\n{root}\n"),
            format!("a\n18446744073709551616\n{root}\n"),
            "a\n1\nAAAA\n".to_owned(),
            format!("a\n1\n{root}\n\n"),
            format!("a\n1\n {root}\n"),
        ] {
            assert!(
                matches!(bad.parse::<Checkpoint>(), Err(CheckpointError::Malformed(_))),
                "{bad:?}"
            );
        }
        for origin in ["", "two\nlines"] {
            let checkpoint = Checkpoint {
                origin: origin.to_owned(),
                size: 0,
                root: empty_root(),
            };
            assert!(checkpoint.sign(&key()).is_err(), "{origin:?}");
        }
    }
}
