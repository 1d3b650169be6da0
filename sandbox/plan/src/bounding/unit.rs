//! The open unit: its groups, of which at most C are kept, and what it adds to each.

use std::borrow::Borrow;

use arrow::buffer::BooleanBuffer;

use super::Added;
use crate::execute::{ExecutionError, Incident};
use crate::plan::{Aggregate, AggregateFunction, PlanCore};

/// A group of the open unit: which cell, and what the unit adds to it per aggregate.
#[derive(Debug, Clone)]
struct Slot<K> {
    cell: K,
    /// Says which cells are kept; taken only once there are too many.
    hash: u64,
    sums: Vec<i64>,
    /// The candidates that its values are cut down to.
    places: Vec<u32>,
    /// The distinct values that count.
    values: Vec<ChosenValue>,
}

/// A distinct value of a unit in a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChosenValue {
    /// For which aggregate.
    pub(super) aggregate: u32,
    /// What tells it from other values.
    pub(super) value: u64,
    /// The least are kept.
    choice: u64,
}

/// What a unit adds to a cell.
#[derive(Clone, Copy)]
pub(super) struct OfCell<'a> {
    pub(super) sums: &'a [i64],
    pub(super) places: &'a [u32],
    pub(super) values: &'a [ChosenValue],
}

/// No value.
pub(super) const NO_PLACE: u32 = u32::MAX;
/// No value to be told from others.
pub(super) const NO_VALUE: u64 = u64::MAX;

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
    /// Whether the slots have their hashes.
    hashed: bool,
    slots: Vec<Slot<K>>,
}

impl<K: Clone + Default + Ord> OpenUnit<K> {
    pub(super) fn new(groups: usize, aggregates: usize) -> Self {
        let slot = Slot {
            cell: K::default(),
            hash: 0,
            sums: vec![0; aggregates],
            places: vec![],
            values: vec![],
        };
        Self {
            unit: None,
            rows: 0,
            used: 0,
            hashed: false,
            slots: vec![slot; groups],
        }
    }

    /// Takes in the rows of a batch, and gives every unit that ends to `add`, cell by cell.
    pub(super) fn walk<'k, Q>(
        &mut self,
        rows: &Rows<'_>,
        cell: impl Fn(usize) -> &'k Q,
        hash: impl Fn(u64, &Q) -> u64,
        choice: impl Fn(u64, u64) -> u64,
        add: &mut impl FnMut(&K, OfCell<'_>),
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
            let slot = &mut self.slots[slot];
            for (at, added) in rows.added.iter().enumerate() {
                match added {
                    Added::One => slot.sums[at] += 1,
                    Added::Presence => slot.sums[at] = 1,
                    Added::Values(values) => slot.sums[at] += values[row],
                    Added::Distinct(values) if values[row] != NO_VALUE => {
                        let value = values[row];
                        slot.choose(rows.core, at, value, || choice(*unit, value));
                    }
                    Added::Distinct(_) => {}
                }
            }
            let values = rows.places.iter().map(|places| places[row]);
            slot.places.extend(values.filter(|place| *place != NO_PLACE));
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
        let mut own = 0;
        let at = if self.used < self.slots.len() {
            self.used += 1;
            self.used - 1
        } else {
            if !self.hashed {
                for slot in &mut self.slots {
                    slot.hash = hash(unit, slot.cell.borrow());
                }
                self.hashed = true;
            }
            own = hash(unit, cell);
            let name = |slot: &Slot<K>| slot.hash;
            let (at, worst) = self
                .slots
                .iter()
                .enumerate()
                .max_by(|(_, a), (_, b)| (name(a), &a.cell).cmp(&(name(b), &b.cell)))?;
            let worst_cell: &Q = worst.cell.borrow();
            if (worst.hash, worst_cell) <= (own, cell) {
                return None;
            }
            at
        };
        let slot = &mut self.slots[at];
        slot.cell = cell.to_owned();
        slot.hash = own;
        slot.sums.fill(0);
        slot.places.clear();
        slot.values.clear();
        Some(at)
    }

    /// Clips the open unit's vector and gives it away.
    pub(super) fn close(&mut self, core: &PlanCore, add: &mut impl FnMut(&K, OfCell<'_>)) {
        let slots = &mut self.slots[..self.used];
        for (at, aggregate) in core.aggregates.iter().enumerate() {
            clip(slots, at, aggregate);
        }
        for slot in slots.iter() {
            let of_cell = OfCell {
                sums: &slot.sums,
                places: &slot.places,
                values: &slot.values,
            };
            add(&slot.cell, of_cell);
        }
        self.used = 0;
        self.rows = 0;
        self.hashed = false;
    }
}

impl<K> Slot<K> {
    /// Counts a distinct value, if it is among the m with the least hashes so far. As with cells, the m least at every step
    /// are the m least at the end.
    fn choose(&mut self, core: &PlanCore, aggregate: usize, value: u64, choice: impl FnOnce() -> u64) {
        let Some(AggregateFunction::CountDistinct { per_unit, .. }) = core
            .aggregates
            .get(aggregate)
            .map(|aggregate| &aggregate.function)
        else {
            return;
        };
        let aggregate = u32::try_from(aggregate).unwrap_or(u32::MAX);
        let own = |chosen: &ChosenValue| chosen.aggregate == aggregate;
        let (mut count, mut worst) = (0u32, None::<usize>);
        for (at, chosen) in self.values.iter().enumerate().filter(|(_, chosen)| own(chosen)) {
            if chosen.value == value {
                return;
            }
            count += 1;
            let least = |worst: usize| (self.values[worst].choice, self.values[worst].value);
            if worst.is_none_or(|worst| least(worst) < (chosen.choice, chosen.value)) {
                worst = Some(at);
            }
        }
        let new = ChosenValue {
            aggregate,
            value,
            choice: choice(),
        };
        if count < *per_unit {
            self.values.push(new);
        } else if let Some(worst) = worst
            && (new.choice, new.value) < (self.values[worst].choice, self.values[worst].value)
        {
            self.values[worst] = new;
        }
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
