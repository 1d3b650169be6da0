//! The right edge of a growing tree: all that is needed to append leaves and to know the root.

use serde::{Deserialize, Serialize};

use crate::hash::{Hash, empty_root, leaf_hash, node_hash};
use crate::proof::NodeId;

/// The roots of the complete subtrees that tile a tree of `size` leaves from left to right, largest first:
/// one for each bit set in `size`. State is at most 64 hashes, whatever the size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

/// A stored frontier that no tree has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a frontier of {size} leaves has {} hashes, not {found}", size.count_ones())]
pub struct FrontierError {
    /// The claimed number of leaves.
    pub size: u64,
    /// The number of hashes that came with it.
    pub found: usize,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Restores a frontier from its size and its subtree roots, largest subtree first.
    ///
    /// # Errors
    /// [`FrontierError`] when the number of hashes does not belong to `size`.
    pub fn from_subtrees(size: u64, subtrees: Vec<Hash>) -> Result<Self, FrontierError> {
        if subtrees.len() == size.count_ones() as usize {
            Ok(Self { size, subtrees })
        } else {
            Err(FrontierError {
                size,
                found: subtrees.len(),
            })
        }
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The subtree roots, largest subtree first.
    #[must_use]
    pub fn subtrees(&self) -> &[Hash] {
        &self.subtrees
    }

    /// Appends the entry's leaf hash; see [`Frontier::append_hash`].
    pub fn append(&mut self, entry: &[u8]) -> Vec<(NodeId, Hash)> {
        self.append_hash(leaf_hash(entry))
    }

    /// Appends a leaf hash and returns every node that became complete and so permanent, leaf first: what a
    /// store of nodes has to add.
    pub fn append_hash(&mut self, leaf: Hash) -> Vec<(NodeId, Hash)> {
        let mut node = NodeId {
            level: 0,
            index: self.size,
        };
        let mut hash = leaf;
        let mut complete = vec![(node, hash)];
        // Each trailing one of the size is a waiting left sibling of the new subtree.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.subtrees.pop() else { break };
            hash = node_hash(&left, &hash);
            node = NodeId {
                level: node.level + 1,
                index: node.index >> 1,
            };
            complete.push((node, hash));
        }
        self.subtrees.push(hash);
        self.size += 1;
        complete
    }

    /// The root hash over all leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.subtrees
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}

impl From<Frontier> for Stored {
    fn from(frontier: Frontier) -> Self {
        Self {
            size: frontier.size,
            subtrees: frontier.subtrees,
        }
    }
}

impl TryFrom<Stored> for Frontier {
    type Error = FrontierError;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        Self::from_subtrees(stored.size, stored.subtrees)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::vectors::{entries, naive_root};

    #[test]
    fn root_equals_the_recursive_definition() {
        let entries = entries(300);
        let mut frontier = Frontier::new();
        for (i, entry) in entries.iter().enumerate() {
            assert_eq!(frontier.root(), naive_root(&entries[..i]), "size {i}");
            frontier.append(entry);
            assert_eq!(frontier.subtrees().len(), frontier.size().count_ones() as usize);
        }
    }

    #[test]
    fn completed_nodes_are_roots_of_their_subtrees() {
        let entries = entries(40);
        let mut frontier = Frontier::new();
        for entry in &entries {
            for (node, hash) in frontier.append(entry) {
                let span = 1usize << node.level;
                let begin = usize::try_from(node.index).unwrap() * span;
                assert_eq!(hash, naive_root(&entries[begin..begin + span]), "{node:?}");
            }
        }
    }

    #[test]
    fn serialised_state_continues_where_it_stopped() {
        let entries = entries(77);
        let mut whole = Frontier::new();
        let mut resumed = Frontier::new();
        for entry in &entries {
            whole.append(entry);
            let stored = serde_json::to_string(&resumed).unwrap();
            resumed = serde_json::from_str(&stored).unwrap();
            resumed.append(entry);
        }
        assert_eq!(whole, resumed);
        assert!(Frontier::from_subtrees(3, vec![empty_root()]).is_err());
        assert!(serde_json::from_str::<Frontier>(r#"{"size":1,"subtrees":[]}"#).is_err());
    }
}
