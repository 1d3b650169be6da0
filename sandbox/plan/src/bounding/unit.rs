//! The open unit: its groups, of which at most C are kept, and what it adds to each.

use std::borrow::Borrow;

use arrow::buffer::BooleanBuffer;

use super::Added;
use crate::execute::{ExecutionError, Incident};
use crate::plan::{Aggregate, PlanCore};

/// A group of the open unit: which cell, and what the unit adds to it per aggregate.
#[derive(Debug, Clone)]
struct Slot<K> {
    cell: K,
    hash: u64,
    sums: Vec<i64>,
    /// The candidates that its values are cut down to.
    places: Vec<u32>,
}

/// No value.
pub(super) const NO_PLACE: u32 = u32::MAX;

/// A batch as it is walked.
pub(super) struct Rows<'a> {
    pub(super) units: &'a [u64],
    pub(super) mask: Option<&'a BooleanBuffer>,
    pub(super) added: &'a [Added],
    /// Of each quantile, the candidate of every row.
    pub(super) places: &'a [Vec<u32>],
    pub(super) core: &'a PlanCore,
}

/// The unit whose rows are being read; `K` names a cell.
#[derive(Debug)]
pub(super) struct OpenUnit<K> {
    unit: Option<u64>,
    rows: u32,
    used: usize,
    slots: Vec<Slot<K>>,
}

impl<K: Clone + Default + Ord> OpenUnit<K> {
    pub(super) fn new(groups: usize, aggregates: usize) -> Self {
        let slot = Slot {
            cell: K::default(),
            hash: 0,
            sums: vec![0; aggregates],
            places: vec![],
        };
        Self {
            unit: None,
            rows: 0,
            used: 0,
            slots: vec![slot; groups],
        }
    }

    /// Takes in the rows of a batch, and gives every unit that ends to `add`, cell by cell.
    pub(super) fn walk<'k, Q>(
        &mut self,
        rows: &Rows<'_>,
        cell: impl Fn(usize) -> &'k Q,
        hash: impl Fn(u64, &Q) -> u64,
        add: &mut impl FnMut(&K, &[i64], &[u32]),
    ) -> Result<(), ExecutionError>
    where
        K: Borrow<Q>,
        Q: ?Sized + Ord + ToOwned<Owned = K> + 'k,
    {
        let most_rows = rows.core.unit.max_rows_per_unit;
        for (row, unit) in rows.units.iter().enumerate() {
            if self.unit != Some(*unit) {
                if self.unit.is_some_and(|open| open > *unit) {
                    return Err(Incident::OutOfOrder.into());
                }
                self.close(rows.core, add);
                self.unit = Some(*unit);
            }
            self.rows = self.rows.saturating_add(1);
            if self.rows > most_rows || rows.mask.is_some_and(|mask| !mask.value(row)) {
                continue;
            }
            let Some(slot) = self.slot(*unit, cell(row), &hash) else {
                continue;
            };
            for (sum, added) in self.slots[slot].sums.iter_mut().zip(rows.added) {
                match added {
                    Added::One => *sum += 1,
                    Added::Presence => *sum = 1,
                    Added::Values(values) => *sum += values[row],
                }
            }
            let values = rows.places.iter().map(|places| places[row]);
            self.slots[slot]
                .places
                .extend(values.filter(|place| *place != NO_PLACE));
        }
        Ok(())
    }

    /// The open unit's slot for a cell, if the cell is among the C with the least hashes so far.
    ///
    /// Keeping the C least at every step leaves the C least at the end: a cell once pushed out has a larger hash than C
    /// others and cannot come back.
    #[inline]
    fn slot<Q>(&mut self, unit: u64, cell: &Q, hash: impl Fn(u64, &Q) -> u64) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: ?Sized + Ord + ToOwned<Owned = K>,
    {
        let known = |slot: &Slot<K>| {
            let own: &Q = slot.cell.borrow();
            own == cell
        };
        if let Some(found) = self.slots[..self.used].iter().position(known) {
            return Some(found);
        }
        let hash = hash(unit, cell);
        let at = if self.used < self.slots.len() {
            self.used += 1;
            self.used - 1
        } else {
            let name = |slot: &Slot<K>| slot.hash;
            let (at, worst) = self
                .slots
                .iter()
                .enumerate()
                .max_by(|(_, a), (_, b)| (name(a), &a.cell).cmp(&(name(b), &b.cell)))?;
            let worst_cell: &Q = worst.cell.borrow();
            if (worst.hash, worst_cell) <= (hash, cell) {
                return None;
            }
            at
        };
        let slot = &mut self.slots[at];
        slot.cell = cell.to_owned();
        slot.hash = hash;
        slot.sums.fill(0);
        slot.places.clear();
        Some(at)
    }

    /// Clips the open unit's vector and gives it away.
    pub(super) fn close(&mut self, core: &PlanCore, add: &mut impl FnMut(&K, &[i64], &[u32])) {
        let slots = &mut self.slots[..self.used];
        for (at, aggregate) in core.aggregates.iter().enumerate() {
            clip(slots, at, aggregate);
        }
        for slot in slots.iter() {
            add(&slot.cell, &slot.sums, &slot.places);
        }
        self.used = 0;
        self.rows = 0;
    }
}

/// Clamps every entry of one aggregate to the unit's range, then scales the vector, toward zero, onto the ball of the
/// declared radius.
///
/// With n = ⌈‖x‖⌉ and s = ⌊Δ⌋ every entry becomes ⌊|x|·s/n⌋ with its sign, so the squared norm is at most
/// s²·‖x‖²/n² ≤ s² ≤ Δ².
fn clip<K>(slots: &mut [Slot<K>], at: usize, aggregate: &Aggregate) {
    let (lo, hi) = aggregate.unit_range();
    let mut norm = 0u128;
    for slot in slots.iter_mut() {
        let entry = &mut slot.sums[at];
        *entry = (*entry).clamp(lo, hi);
        norm = norm.saturating_add(u128::from(entry.unsigned_abs()).pow(2));
    }
    let allowed = aggregate.sensitivity_squared();
    if norm <= allowed {
        return;
    }
    let floor = norm.isqrt();
    let length = if floor * floor == norm { floor } else { floor + 1 };
    let radius = allowed.isqrt();
    for slot in slots.iter_mut() {
        let entry = &mut slot.sums[at];
        let scaled = u128::from(entry.unsigned_abs()) * radius / length;
        let scaled = i64::try_from(scaled).unwrap_or(0);
        *entry = if *entry < 0 { -scaled } else { scaled };
    }
}
