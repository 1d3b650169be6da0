//! Inclusion and consistency proofs: made from stored nodes, checked from nothing but hashes.
//!
//! Making a proof has two halves, so that a store behind an asynchronous connection can fetch all nodes in
//! one query: a [`ProofPlan`] names the complete nodes that are needed, [`ProofPlan::build`] folds them.
//! Checking follows RFC 9162 sections 2.1.3.2 and 2.1.4.2 (the same tree as RFC 6962, iterative algorithms).

use std::collections::{BTreeMap, HashMap};

use crate::hash::{Hash, empty_root, node_hash};

/// A complete, and so permanent, node: the root of the leaves `index << level .. (index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// Height above the leaves, 0 for a leaf hash.
    pub level: u8,
    /// Position from the left within the level.
    pub index: u64,
}

/// A node or a resource that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// Where complete nodes come from: tiles ([`crate::tile::TileNodes`]) or a store of nodes.
pub trait NodeReader {
    /// The hash of a complete node.
    ///
    /// # Errors
    /// [`ReadError`] when the store does not have the node or cannot be reached.
    fn read_node(&mut self, node: NodeId) -> Result<Hash, ReadError>;
}

fn missing(node: NodeId) -> ReadError {
    ReadError(format!("node {} of level {} is missing", node.index, node.level))
}

impl NodeReader for &HashMap<NodeId, Hash> {
    fn read_node(&mut self, node: NodeId) -> Result<Hash, ReadError> {
        self.get(&node).copied().ok_or_else(|| missing(node))
    }
}

impl NodeReader for &BTreeMap<NodeId, Hash> {
    fn read_node(&mut self, node: NodeId) -> Result<Hash, ReadError> {
        self.get(&node).copied().ok_or_else(|| missing(node))
    }
}

/// A proof that cannot be made, or that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf lies outside the tree.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexOutOfRange {
        /// The leaf asked for.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The older tree is larger than the newer one.
    #[error("a tree of {old} leaves cannot precede one of {new}")]
    Shrunk {
        /// Leaves of the older tree.
        old: u64,
        /// Leaves of the newer tree.
        new: u64,
    },
    /// The proof has more or fewer hashes than trees of these sizes need.
    #[error("the proof has the wrong number of hashes ({found})")]
    Length {
        /// Hashes in the proof.
        found: usize,
    },
    /// The proof leads to another root than the stated one.
    #[error("the proof leads to root {computed}, not to {expected}")]
    RootMismatch {
        /// The root that was stated.
        expected: Hash,
        /// The root that the proof leads to.
        computed: Hash,
    },
    /// A node was not readable.
    #[error("cannot read the tree: {0}")]
    Read(#[from] ReadError),
}

/// The complete nodes behind each hash of a proof, left to right within a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofPlan {
    groups: Vec<Vec<NodeId>>,
}

impl ProofPlan {
    /// Every node that has to be fetched.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.groups.iter().flatten().copied()
    }

    /// Reads the nodes and folds them to the hashes of the proof.
    ///
    /// # Errors
    /// [`ProofError::Read`] when a node is missing.
    pub fn build(&self, mut reader: impl NodeReader) -> Result<Vec<Hash>, ProofError> {
        self.groups.iter().map(|group| fold(group, &mut reader)).collect()
    }
}

fn fold(group: &[NodeId], reader: &mut impl NodeReader) -> Result<Hash, ProofError> {
    let mut folded = None;
    for node in group.iter().rev() {
        let left = reader.read_node(*node)?;
        folded = Some(match folded {
            None => left,
            Some(right) => node_hash(&left, &right),
        });
    }
    Ok(folded.unwrap_or_else(empty_root))
}

/// The complete subtrees that tile `begin..end`, largest first. `begin` is a multiple of the largest one's
/// span, which holds for every range that the recursions of RFC 6962 meet.
fn cover(mut begin: u64, end: u64) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    while begin < end {
        let level = (end - begin).ilog2();
        // A level is below 64 and fits u8.
        nodes.push(NodeId {
            level: level as u8,
            index: begin >> level,
        });
        begin += 1 << level;
    }
    nodes
}

/// The largest power of two below `count`, the split point of RFC 6962; `count` is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// What is needed for the root of a tree of `size` leaves: one hash.
#[must_use]
pub fn plan_root(size: u64) -> ProofPlan {
    ProofPlan {
        groups: vec![cover(0, size)],
    }
}

/// What is needed to prove that leaf `index` is in a tree of `size` leaves (RFC 6962 section 2.1.1).
///
/// # Errors
/// [`ProofError::IndexOutOfRange`].
pub fn plan_inclusion(index: u64, size: u64) -> Result<ProofPlan, ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let mut groups = Vec::new();
    let (mut begin, mut end) = (0, size);
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            groups.push(cover(middle, end));
            end = middle;
        } else {
            groups.push(cover(begin, middle));
            begin = middle;
        }
    }
    groups.reverse();
    Ok(ProofPlan { groups })
}

/// What is needed to prove that a tree of `new` leaves extends one of `old` leaves (RFC 6962 section 2.1.2).
/// Equal sizes and `old` = 0 need no hash.
///
/// # Errors
/// [`ProofError::Shrunk`].
pub fn plan_consistency(old: u64, new: u64) -> Result<ProofPlan, ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    let mut groups = Vec::new();
    if old == 0 || old == new {
        return Ok(ProofPlan { groups });
    }
    let (mut begin, mut end) = (0, new);
    while old != end {
        let middle = begin + split(end - begin);
        if old <= middle {
            groups.push(cover(middle, end));
            end = middle;
        } else {
            groups.push(cover(begin, middle));
            begin = middle;
        }
    }
    // The old tree itself is known to the verifier; any other subtree that it ends in is not.
    if begin != 0 {
        groups.push(cover(begin, end));
    }
    groups.reverse();
    Ok(ProofPlan { groups })
}

/// Checks that the leaf with hash `leaf` is number `index` in the tree of `size` leaves with root `root`.
///
/// # Errors
/// [`ProofError`] saying what does not hold.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut computed = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length { found: proof.len() });
        }
        if node & 1 == 1 || node == last {
            computed = node_hash(sibling, &computed);
            climb_left_edge(&mut node, &mut last);
        } else {
            computed = node_hash(&computed, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length { found: proof.len() });
    }
    expect_root(root, computed)
}

/// Checks that the tree of `new` leaves with root `new_root` extends the tree of `old` leaves with
/// `old_root`.
///
/// # Errors
/// [`ProofError`] saying what does not hold.
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    if old == 0 || old == new {
        if !proof.is_empty() {
            return Err(ProofError::Length { found: proof.len() });
        }
        return expect_root(old_root, if old == 0 { empty_root() } else { *new_root });
    }
    let seeded: Vec<Hash>;
    let path: &[Hash] = if old.is_power_of_two() {
        seeded = std::iter::once(*old_root).chain(proof.iter().copied()).collect();
        &seeded
    } else {
        proof
    };
    let Some((first, rest)) = path.split_first() else {
        return Err(ProofError::Length { found: proof.len() });
    };
    let shift = (old - 1).trailing_ones();
    let (mut node, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut old_computed, mut new_computed) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length { found: proof.len() });
        }
        if node & 1 == 1 || node == last {
            old_computed = node_hash(sibling, &old_computed);
            new_computed = node_hash(sibling, &new_computed);
            climb_left_edge(&mut node, &mut last);
        } else {
            new_computed = node_hash(&new_computed, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length { found: proof.len() });
    }
    expect_root(old_root, old_computed)?;
    expect_root(new_root, new_computed)
}

/// A node that is last in its level without a sibling stands for itself on the levels above.
fn climb_left_edge(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}

fn expect_root(expected: &Hash, computed: Hash) -> Result<(), ProofError> {
    if *expected == computed {
        Ok(())
    } else {
        Err(ProofError::RootMismatch {
            expected: *expected,
            computed,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::frontier::Frontier;
    use crate::hash::leaf_hash;
    use crate::vectors::{CT_ROOTS, ct_entries, entries, naive_root};

    fn store(entries: &[Vec<u8>]) -> HashMap<NodeId, Hash> {
        let mut frontier = Frontier::new();
        entries.iter().flat_map(|entry| frontier.append(entry)).collect()
    }

    fn inclusion(nodes: &HashMap<NodeId, Hash>, index: u64, size: u64) -> Vec<Hash> {
        plan_inclusion(index, size).unwrap().build(nodes).unwrap()
    }

    fn consistency(nodes: &HashMap<NodeId, Hash>, old: u64, new: u64) -> Vec<Hash> {
        plan_consistency(old, new).unwrap().build(nodes).unwrap()
    }

    /// The audit path exactly as RFC 6962 section 2.1.1 defines it.
    fn naive_path(index: usize, entries: &[Vec<u8>]) -> Vec<Hash> {
        if entries.len() < 2 {
            return Vec::new();
        }
        let (left, right) = entries.split_at(entries.len().next_power_of_two() / 2);
        if index < left.len() {
            [naive_path(index, left), vec![naive_root(right)]].concat()
        } else {
            [naive_path(index - left.len(), right), vec![naive_root(left)]].concat()
        }
    }

    #[test]
    fn reference_tree_has_the_published_roots() {
        let entries = ct_entries();
        let nodes = store(&entries);
        for (size, expected) in CT_ROOTS.iter().enumerate() {
            let root = plan_root(size as u64).build(&nodes).unwrap();
            assert_eq!(root, [expected.parse::<Hash>().unwrap()], "size {size}");
            assert_eq!(naive_root(&entries[..size]), root[0]);
        }
    }

    #[test]
    fn reference_tree_has_the_published_proofs() {
        let nodes = store(&ct_entries());
        let hex = |hashes: Vec<Hash>| hashes.iter().map(Hash::to_string).collect::<Vec<_>>();
        assert_eq!(
            hex(inclusion(&nodes, 5, 8)),
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
        assert_eq!(
            hex(consistency(&nodes, 6, 8)),
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
        assert_eq!(
            hex(consistency(&nodes, 2, 5)),
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ]
        );
    }

    #[test]
    fn every_inclusion_proof_up_to_70_holds_and_no_other() {
        let entries = entries(70);
        let nodes = store(&entries);
        for size in 1..=entries.len() {
            let root = naive_root(&entries[..size]);
            for index in 0..size {
                let leaf = leaf_hash(&entries[index]);
                let (i, n) = (index as u64, size as u64);
                let proof = inclusion(&nodes, i, n);
                assert_eq!(proof, naive_path(index, &entries[..size]), "{index} in {size}");
                verify_inclusion(&leaf, i, n, &proof, &root).unwrap();
                let other = leaf_hash(b"forged");
                assert!(verify_inclusion(&other, i, n, &proof, &root).is_err());
                assert!(verify_inclusion(&leaf, i, n, &proof, &other).is_err());
                if n > 1 {
                    assert!(verify_inclusion(&leaf, (i + 1) % n, n, &proof, &root).is_err());
                }
                assert!(
                    verify_inclusion(&leaf, i, n, &[proof.clone(), vec![other]].concat(), &root).is_err()
                );
                for k in 0..proof.len() {
                    let mut bad = proof.clone();
                    bad[k] = other;
                    assert!(verify_inclusion(&leaf, i, n, &bad, &root).is_err());
                    bad.remove(k);
                    assert!(verify_inclusion(&leaf, i, n, &bad, &root).is_err());
                }
            }
            let error = verify_inclusion(&root, size as u64, size as u64, &[], &root);
            assert!(matches!(error, Err(ProofError::IndexOutOfRange { .. })));
        }
    }

    #[test]
    fn every_consistency_proof_up_to_70_holds_and_no_other() {
        let entries = entries(70);
        let nodes = store(&entries);
        let roots: Vec<Hash> = (0..=entries.len()).map(|n| naive_root(&entries[..n])).collect();
        let forged = leaf_hash(b"forged");
        for new in 0..roots.len() {
            for old in 0..=new {
                let (o, n) = (old as u64, new as u64);
                let proof = consistency(&nodes, o, n);
                verify_consistency(o, n, &proof, &roots[old], &roots[new]).unwrap();
                assert!(
                    verify_consistency(o, n, &proof, &forged, &roots[new]).is_err(),
                    "{old} {new}"
                );
                // The empty tree precedes every tree, so it says nothing about the newer root.
                if old > 0 {
                    assert!(
                        verify_consistency(o, n, &proof, &roots[old], &forged).is_err(),
                        "{old} {new}"
                    );
                }
                let longer = [proof.clone(), vec![forged]].concat();
                assert!(verify_consistency(o, n, &longer, &roots[old], &roots[new]).is_err());
                for k in 0..proof.len() {
                    let mut bad = proof.clone();
                    bad[k] = forged;
                    assert!(verify_consistency(o, n, &bad, &roots[old], &roots[new]).is_err());
                    bad.remove(k);
                    assert!(verify_consistency(o, n, &bad, &roots[old], &roots[new]).is_err());
                }
            }
            let shrunk = verify_consistency(new as u64 + 1, new as u64, &[], &forged, &forged);
            assert!(matches!(shrunk, Err(ProofError::Shrunk { .. })));
        }
    }

    #[test]
    fn a_missing_node_is_named() {
        let nodes = HashMap::new();
        let error = plan_inclusion(0, 2).unwrap().build(&nodes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the tree: node 1 of level 0 is missing"
        );
    }

    proptest! {
        #[test]
        fn plans_of_huge_trees_stay_logarithmic(a in any::<u64>(), b in 1..u64::MAX) {
            let plan = plan_inclusion(a % b, b).unwrap();
            prop_assert!(plan.groups.len() <= 64);
            let (old, new) = (a.min(b), a.max(b));
            let plan = plan_consistency(old, new).unwrap();
            prop_assert!(plan.groups.len() <= 65);
            for node in plan.nodes() {
                let end = (u128::from(node.index) + 1) << node.level;
                prop_assert!(end <= u128::from(new));
            }
        }
    }
}
