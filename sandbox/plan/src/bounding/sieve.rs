//! How many units count in the cells of each bucket, by a keyed hash of the cell; and so which cells cannot have enough.

use super::GroupKeySecret;

/// Counts up to 255, a byte for each bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sieve {
    counts: Vec<u8>,
    /// The units that a cell needs, or as many of them as a byte can tell.
    least: u8,
}

impl Sieve {
    /// An empty one, for cells that need so many units; the number of buckets is a power of two.
    pub(crate) fn new(buckets: u32, least: i128) -> Self {
        Self {
            counts: vec![0; buckets.max(1) as usize],
            least: u8::try_from(least).unwrap_or(u8::MAX),
        }
    }

    /// From the counts that were made.
    pub(crate) fn of_counts(counts: Vec<u8>, least: i128) -> Self {
        Self {
            counts,
            least: u8::try_from(least).unwrap_or(u8::MAX),
        }
    }

    fn bucket(&self, secret: &GroupKeySecret, cell: &[u8]) -> usize {
        // Other bits than those by which shares and groups are chosen.
        let hash = secret.of_cell(cell).rotate_left(32);
        usize::try_from(hash).unwrap_or_default() & (self.counts.len() - 1)
    }

    /// Counts a unit in a cell.
    pub(super) fn count(&mut self, secret: &GroupKeySecret, cell: &[u8]) {
        let bucket = self.bucket(secret, cell);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
    }

    /// Whether a cell can have as many units as it needs.
    pub(super) fn lets(&self, secret: &GroupKeySecret, cell: &[u8]) -> bool {
        let bucket = self.bucket(secret, cell);
        self.counts.get(bucket).is_none_or(|count| *count >= self.least)
    }

    /// Adds the counts of another partition.
    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
    }

    /// The counts.
    pub(super) fn into_counts(self) -> Vec<u8> {
        self.counts
    }
}
