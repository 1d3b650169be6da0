//! Check of a whole log, live or from a mirror.
//!
//! Guaranteed when [`LogVerifier::verify`] succeeds: the checkpoint is signed by a known key; its root is the
//! RFC 6962 root over exactly the entries that are served; every hash tile agrees with these entries; every
//! entry is a well-formed leaf; and the log extends the remembered checkpoint, so nothing that was seen then
//! has been changed or removed since. Memory is O(log n): entries are read bundle by bundle.

use std::collections::BTreeMap;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::frontier::Frontier;
use crate::hash::{Hash, leaf_hash};
use crate::leaf::{Act, Leaf, LeafError};
use crate::note::VerifierKey;
use crate::proof::ReadError;
use crate::tile::{
    LogReader, Resource, TILE_WIDTH, Tile, TileError, decode_entries, read_or_full, subtree_root,
};

/// Which log to check, and against what.
#[derive(Debug, Clone)]
pub struct LogVerifier {
    /// The log's origin.
    pub origin: String,
    /// Keys of which one must have signed the checkpoint.
    pub keys: Vec<VerifierKey>,
    /// A checkpoint that was verified before and must be a prefix of the log.
    pub remembered: Option<Checkpoint>,
}

/// What a checked log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLog {
    /// The newest checkpoint: remember it for the next check.
    pub checkpoint: Checkpoint,
    /// How often each act is recorded.
    pub acts: BTreeMap<Act, u64>,
}

/// The first thing in a log that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A resource is not there.
    #[error("{resource} cannot be read: {source}")]
    Read {
        /// Its path.
        resource: Resource,
        /// Why.
        source: ReadError,
    },
    /// The checkpoint is not text, not signed, or of another log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The log has fewer leaves than were seen before.
    #[error("the log has shrunk: {size} leaves now, {remembered} in the remembered checkpoint")]
    Shrunk {
        /// Leaves now.
        size: u64,
        /// Leaves in the remembered checkpoint.
        remembered: u64,
    },
    /// Leaves that were seen before have been changed.
    #[error(
        "history has been rewritten: the first {size} leaves have root {computed}, the remembered checkpoint \
         has {remembered}"
    )]
    Rewritten {
        /// Leaves in the remembered checkpoint.
        size: u64,
        /// Their root then.
        remembered: Hash,
        /// Their root now.
        computed: Hash,
    },
    /// A bundle or tile is broken.
    #[error("{resource}: {source}")]
    Format {
        /// Its path.
        resource: Resource,
        /// What is broken.
        source: TileError,
    },
    /// An entry is not a leaf.
    #[error("entry {index} in {resource}: {source}")]
    Leaf {
        /// The entry's number in the log.
        index: u64,
        /// The bundle it is in.
        resource: Resource,
        /// What is wrong with it.
        source: LeafError,
    },
    /// An entry and the tile's hash of it disagree.
    #[error("entry {index} does not hash to what {tile} says")]
    EntryHash {
        /// The entry's number in the log.
        index: u64,
        /// The tile of level 0.
        tile: Resource,
    },
    /// A hash of an upper tile is not the root of the tile below it.
    #[error("hash {position} of {tile} is not the root of the tile below it")]
    NodeHash {
        /// Position within the tile, from 0.
        position: usize,
        /// The tile.
        tile: Resource,
    },
    /// The entries have another root than the checkpoint.
    #[error("the {size} entries have root {computed}, the checkpoint has {expected}")]
    Root {
        /// Leaves in the log.
        size: u64,
        /// The checkpoint's root.
        expected: Hash,
        /// The entries' root.
        computed: Hash,
    },
}

impl LogVerifier {
    /// Reads and checks the whole log.
    ///
    /// # Errors
    /// [`VerifyError`] for the first break, saying at which entry or tile it is.
    pub fn verify(&self, reader: &mut dyn LogReader) -> Result<VerifiedLog, VerifyError> {
        let checkpoint = self.read_checkpoint(reader)?;
        let mut walk = Walk {
            reader,
            size: checkpoint.size,
            rows: Vec::new(),
        };
        let mut frontier = Frontier::new();
        let mut acts = BTreeMap::new();
        self.check_remembered(&frontier)?;
        for bundle in 0..checkpoint.size.div_ceil(u64::from(TILE_WIDTH)) {
            for leaf in walk.read_bundle(bundle, &mut acts)? {
                frontier.append_hash(leaf);
                self.check_remembered(&frontier)?;
            }
        }
        walk.finish()?;
        let computed = frontier.root();
        if computed != checkpoint.root {
            return Err(VerifyError::Root {
                size: checkpoint.size,
                expected: checkpoint.root,
                computed,
            });
        }
        Ok(VerifiedLog { checkpoint, acts })
    }

    fn read_checkpoint(&self, reader: &mut dyn LogReader) -> Result<Checkpoint, VerifyError> {
        let resource = Resource::Checkpoint;
        let note = reader
            .read(resource)
            .map_err(|source| VerifyError::Read { resource, source })?;
        let note = String::from_utf8(note).map_err(|_| CheckpointError::Malformed("it is not UTF-8 text"))?;
        let checkpoint = Checkpoint::open(&note, &self.origin, &self.keys)?;
        match &self.remembered {
            Some(seen) if seen.origin != self.origin => {
                let (expected, found) = (self.origin.clone(), seen.origin.clone());
                Err(CheckpointError::Origin { expected, found }.into())
            }
            Some(seen) if seen.size > checkpoint.size => Err(VerifyError::Shrunk {
                size: checkpoint.size,
                remembered: seen.size,
            }),
            _ => Ok(checkpoint),
        }
    }

    fn check_remembered(&self, frontier: &Frontier) -> Result<(), VerifyError> {
        match &self.remembered {
            Some(seen) if seen.size == frontier.size() && seen.root != frontier.root() => {
                let computed = frontier.root();
                Err(VerifyError::Rewritten {
                    size: seen.size,
                    remembered: seen.root,
                    computed,
                })
            }
            _ => Ok(()),
        }
    }
}

/// The log read from left to right, with the open tile of each level above the entries.
struct Walk<'a> {
    reader: &'a mut dyn LogReader,
    size: u64,
    /// For each level: the number of the open tile and the hashes it must have.
    rows: Vec<(u64, Vec<Hash>)>,
}

impl Walk<'_> {
    fn read(&mut self, resource: Resource) -> Result<Vec<u8>, VerifyError> {
        read_or_full(self.reader, resource).map_err(|source| VerifyError::Read { resource, source })
    }

    /// Reads a bundle and checks its entries against the tile beside it and, when that is full, all tiles
    /// above that it completes. Returns the leaf hashes.
    fn read_bundle(&mut self, index: u64, acts: &mut BTreeMap<Act, u64>) -> Result<Vec<Hash>, VerifyError> {
        let Some(tile) = Tile::in_tree(0, index, self.size) else {
            return Ok(Vec::new());
        };
        let resource = Resource::Entries(tile);
        let bytes = self.read(resource)?;
        let entries = decode_entries(&bytes, tile.width())
            .map_err(|source| VerifyError::Format { resource, source })?;
        let first = index * u64::from(TILE_WIDTH);
        let mut hashes = Vec::with_capacity(entries.len());
        for (entry, index) in entries.into_iter().zip(first..) {
            let leaf = Leaf::parse(entry).map_err(|source| VerifyError::Leaf {
                index,
                resource,
                source,
            })?;
            *acts.entry(leaf.act()).or_default() += 1;
            hashes.push(leaf_hash(entry));
        }
        if let Some(position) = self.first_difference(tile, &hashes)? {
            let index = first + position as u64;
            return Err(VerifyError::EntryHash {
                index,
                tile: tile.resource(),
            });
        }
        if tile.is_full() {
            self.push(1, subtree_root(&hashes))?;
        }
        Ok(hashes)
    }

    /// Adds the root of a full tile to the level above it.
    fn push(&mut self, level: u8, root: Hash) -> Result<(), VerifyError> {
        let mut root = root;
        for level in level.. {
            let row = usize::from(level) - 1;
            if self.rows.len() <= row {
                self.rows.push((0, Vec::new()));
            }
            let (index, hashes) = &mut self.rows[row];
            hashes.push(root);
            if hashes.len() < usize::from(TILE_WIDTH) {
                break;
            }
            let (index, hashes) = (std::mem::replace(index, *index + 1), std::mem::take(hashes));
            self.check_upper(level, index, &hashes)?;
            root = subtree_root(&hashes);
        }
        Ok(())
    }

    /// Checks the partial tiles on the right edge.
    fn finish(&mut self) -> Result<(), VerifyError> {
        let rows = std::mem::take(&mut self.rows);
        for ((index, hashes), level) in rows.into_iter().zip(1..) {
            if !hashes.is_empty() {
                self.check_upper(level, index, &hashes)?;
            }
        }
        Ok(())
    }

    fn check_upper(&mut self, level: u8, index: u64, hashes: &[Hash]) -> Result<(), VerifyError> {
        let Some(tile) = Tile::in_tree(level, index, self.size) else {
            return Ok(());
        };
        match self.first_difference(tile, hashes)? {
            Some(position) => Err(VerifyError::NodeHash {
                position,
                tile: tile.resource(),
            }),
            None => Ok(()),
        }
    }

    fn first_difference(&mut self, tile: Tile, computed: &[Hash]) -> Result<Option<usize>, VerifyError> {
        let resource = tile.resource();
        let bytes = self.read(resource)?;
        let served = tile
            .parse_hashes(&bytes)
            .map_err(|source| VerifyError::Format { resource, source })?;
        Ok(served
            .iter()
            .zip(computed)
            .position(|(served, computed)| served != computed))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::cell::RefCell;

    use super::*;
    use crate::leaf::Actor;
    use crate::note::SigningKey;
    use crate::tile::{encode_entries, grow};

    const ORIGIN: &str = "data.city.example/ledger";

    fn key() -> SigningKey {
        SigningKey::from_seed(ORIGIN, &[7; 32]).unwrap()
    }

    fn entry(i: u64) -> Vec<u8> {
        let act = Act::ALL[i as usize % Act::ALL.len()];
        let leaf =
            Leaf::builder(act, i64::try_from(i).unwrap(), Actor::system()).subject("job", i.to_string());
        leaf.build().unwrap().to_bytes().unwrap()
    }

    /// A served log as files by path.
    #[derive(Clone, Default)]
    struct Log {
        files: BTreeMap<String, Vec<u8>>,
        entries: Vec<Vec<u8>>,
    }

    impl Log {
        fn of(entries: Vec<Vec<u8>>) -> Self {
            let mut log = Self::default();
            log.append(entries);
            log
        }

        fn append(&mut self, more: Vec<Vec<u8>>) {
            let old = self.entries.len() as u64;
            let hashes: Vec<Hash> = more.iter().map(|e| leaf_hash(e)).collect();
            let grown = grow(old, &hashes, &mut |r: Resource| self.get(r)).unwrap();
            self.entries.extend(more);
            for (tile, bytes) in grown {
                if let Some(bundle) = tile.entries() {
                    let first = tile.index() as usize * 256;
                    let entries = &self.entries[first..first + usize::from(tile.width())];
                    self.files
                        .insert(bundle.to_string(), encode_entries(entries).unwrap());
                }
                self.files.insert(tile.resource().to_string(), bytes);
            }
            let note = self.checkpoint().sign(&key()).unwrap();
            self.files
                .insert("checkpoint".to_owned(), note.to_string().into_bytes());
        }

        fn checkpoint(&self) -> Checkpoint {
            let mut frontier = Frontier::new();
            for entry in &self.entries {
                frontier.append(entry);
            }
            Checkpoint {
                origin: ORIGIN.to_owned(),
                size: frontier.size(),
                root: frontier.root(),
            }
        }

        fn get(&self, resource: Resource) -> Result<Vec<u8>, ReadError> {
            let found = self.files.get(&resource.to_string()).cloned();
            found.ok_or_else(|| ReadError("not found".to_owned()))
        }

        fn verify(&self, remembered: Option<Checkpoint>) -> Result<VerifiedLog, VerifyError> {
            let keys = vec![key().verifier().clone()];
            let verifier = LogVerifier {
                origin: ORIGIN.to_owned(),
                keys,
                remembered,
            };
            verifier.verify(&mut |r: Resource| self.get(r))
        }
    }

    fn log(size: u64) -> Log {
        Log::of((0..size).map(entry).collect())
    }

    #[test]
    fn honest_logs_verify_at_every_stage() {
        let mut log = Log::default();
        log.append(Vec::new());
        let mut remembered = log.verify(None).unwrap().checkpoint;
        for step in [1, 1, 253, 1, 1, 300, 500] {
            let size = log.entries.len() as u64;
            log.append((size..size + step).map(entry).collect());
            let verified = log.verify(Some(remembered)).unwrap();
            assert_eq!(verified.acts.values().sum::<u64>(), size + step);
            remembered = verified.checkpoint;
        }
        assert_eq!(remembered.size, 1057);
        assert!(log.verify(Some(remembered.clone())).is_ok());
        assert!(log.verify(Some(super::tests::log(300).checkpoint())).is_ok());
    }

    #[test]
    fn superseded_partial_tiles_may_be_dropped() {
        let mut log = log(300);
        let current: Vec<String> = ["tile/0/001.p/44", "tile/entries/001.p/44"]
            .map(str::to_owned)
            .to_vec();
        let full_later: Vec<u64> = (300..512).collect();
        let old_checkpoint = log.files["checkpoint"].clone();
        log.append(full_later.into_iter().map(entry).collect());
        for path in current {
            log.files.remove(&path).unwrap();
        }
        log.files.insert("checkpoint".to_owned(), old_checkpoint);
        assert_eq!(log.verify(None).unwrap().checkpoint.size, 300);
    }

    #[test]
    fn one_changed_byte_anywhere_is_found() {
        let log = log(260);
        for (path, bytes) in &log.files {
            for at in (0..bytes.len()).step_by(1 + bytes.len() / 12) {
                let mut tampered = log.clone();
                tampered.files.get_mut(path).unwrap()[at] ^= 1;
                assert!(tampered.verify(None).is_err(), "{path} at {at}");
            }
            let mut shorter = log.clone();
            shorter.files.get_mut(path).unwrap().pop();
            assert!(shorter.verify(None).is_err(), "{path} shorter");
            let mut missing = log.clone();
            missing.files.remove(path);
            assert!(missing.verify(None).is_err(), "{path} missing");
        }
    }

    #[test]
    fn a_break_is_located() {
        let good = log(600);
        let mut log = good.clone();
        let other = Leaf::builder(Act::JobReleased, 1, Actor::system())
            .build()
            .unwrap()
            .to_bytes()
            .unwrap();
        let mut entries: Vec<Vec<u8>> = good.entries[256..512].to_vec();
        entries[44] = other;
        log.files
            .insert("tile/entries/001".to_owned(), encode_entries(&entries).unwrap());
        let error = log.verify(None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "entry 300 does not hash to what tile/0/001 says"
        );

        entries[44] = b"{}".to_vec();
        log.files
            .insert("tile/entries/001".to_owned(), encode_entries(&entries).unwrap());
        assert!(matches!(
            log.verify(None),
            Err(VerifyError::Leaf { index: 300, .. })
        ));

        let mut log = good.clone();
        log.files.get_mut("tile/1/000.p/2").unwrap()[33] ^= 1;
        let error = log.verify(None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "hash 1 of tile/1/000.p/2 is not the root of the tile below it"
        );

        let mut log = good.clone();
        log.files.remove("tile/entries/001");
        let error = log.verify(None).unwrap_err();
        assert_eq!(error.to_string(), "tile/entries/001 cannot be read: not found");
    }

    #[test]
    fn rewriting_shrinking_and_forging_are_found() {
        let seen = log(400).checkpoint();
        // A log that was consistently rebuilt and signed again, with one leaf changed before the checkpoint.
        let mut entries: Vec<Vec<u8>> = (0..500).map(entry).collect();
        entries[17] = Leaf::builder(Act::JobReleased, 17, Actor::system())
            .build()
            .unwrap()
            .to_bytes()
            .unwrap();
        let rewritten = Log::of(entries);
        assert!(rewritten.verify(None).is_ok());
        assert!(matches!(
            rewritten.verify(Some(seen.clone())),
            Err(VerifyError::Rewritten { size: 400, .. })
        ));
        let shrunk = log(399).verify(Some(seen.clone()));
        assert_eq!(
            shrunk,
            Err(VerifyError::Shrunk {
                size: 399,
                remembered: 400
            })
        );
        let elsewhere = Checkpoint {
            origin: "other".to_owned(),
            ..seen
        };
        assert!(matches!(
            log(500).verify(Some(elsewhere)),
            Err(VerifyError::Checkpoint(_))
        ));

        let mut forged = log(10);
        let note = Checkpoint {
            size: 9,
            ..log(10).checkpoint()
        }
        .sign(&key())
        .unwrap();
        forged.append((10..12).map(entry).collect());
        forged
            .files
            .insert("checkpoint".to_owned(), note.to_string().into_bytes());
        assert!(forged.verify(None).is_err());
        let lying = Checkpoint {
            root: Hash::digest(b"no"),
            ..log(10).checkpoint()
        }
        .sign(&key())
        .unwrap();
        let mut log = log(10);
        log.files
            .insert("checkpoint".to_owned(), lying.to_string().into_bytes());
        assert!(matches!(
            log.verify(None),
            Err(VerifyError::Root { size: 10, .. })
        ));
    }

    #[test]
    fn nothing_is_read_before_the_checkpoint_is_trusted() {
        let log = log(10);
        let reads = RefCell::new(Vec::new());
        let keys = vec![
            SigningKey::from_seed(ORIGIN, &[9; 32])
                .unwrap()
                .verifier()
                .clone(),
        ];
        let verifier = LogVerifier {
            origin: ORIGIN.to_owned(),
            keys,
            remembered: None,
        };
        let outcome = verifier.verify(&mut |r: Resource| {
            reads.borrow_mut().push(r);
            log.get(r)
        });
        assert!(matches!(outcome, Err(VerifyError::Checkpoint(_))));
        assert_eq!(*reads.borrow(), [Resource::Checkpoint]);
    }

    #[test]
    fn higher_tiles_are_checked_too() {
        // Roots of 300 full tiles stand in for 76,800 entries.
        let roots: Vec<Hash> = (0..300_u32).map(|i| Hash::digest(&i.to_be_bytes())).collect();
        let row = |hashes: &[Hash]| hashes.iter().flat_map(|h| *h.as_bytes()).collect::<Vec<u8>>();
        let honest = BTreeMap::from([
            ("tile/1/000", row(&roots[..256])),
            ("tile/1/001.p/44", row(&roots[256..])),
            ("tile/2/000.p/1", row(&[subtree_root(&roots[..256])])),
        ]);
        let check = |files: &BTreeMap<&str, Vec<u8>>| {
            let mut reader = |r: Resource| {
                let found = files.get(r.to_string().as_str()).cloned();
                found.ok_or_else(|| ReadError(format!("{r} is missing")))
            };
            let mut walk = Walk {
                reader: &mut reader,
                size: 300 * 256,
                rows: Vec::new(),
            };
            roots.iter().try_for_each(|root| walk.push(1, *root))?;
            walk.finish()
        };
        assert_eq!(check(&honest), Ok(()));
        for path in honest.keys() {
            let mut tampered = honest.clone();
            tampered.get_mut(path).unwrap()[5] ^= 1;
            let error = check(&tampered).unwrap_err();
            assert!(
                matches!(error, VerifyError::NodeHash { position: 0, .. }),
                "{path}: {error}"
            );
            tampered.remove(path);
            assert!(
                matches!(check(&tampered), Err(VerifyError::Read { .. })),
                "{path}"
            );
        }
    }
}
