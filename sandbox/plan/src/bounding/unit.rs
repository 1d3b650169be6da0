//! The open unit: its groups, of which at most C are kept, and what it adds to each.

use std::borrow::Borrow;
use std::cmp::Ordering;

use arrow::buffer::BooleanBuffer;

use super::GroupKeySecret;
use super::row::Added;
use crate::execute::{ExecutionError, Incident};
use crate::plan::{Aggregate, AggregateFunction, PlanCore};

/// What the open unit adds to a group beside its sums.
#[derive(Debug, Clone, Default)]
struct Picked {
    /// The candidates that its values are cut down to.
    places: Vec<u32>,
    /// The distinct values that count.
    values: Vec<ChosenValue>,
}

/// The room for candidates that a slot keeps from one unit to the next.
const KEPT_PLACES: usize = 1_024;

/// What one unit adds to an aggregate at most.
#[derive(Debug, Clone, Copy)]
struct Limit {
    /// The range of one entry.
    lo: i64,
    hi: i64,
    /// The most that the squared norm of all entries is.
    squared: u128,
    /// Its root, rounded down.
    radius: u64,
}

impl Limit {
    fn of(aggregate: &Aggregate) -> Self {
        let (lo, hi) = aggregate.unit_range();
        let squared = aggregate.sensitivity_squared();
        let radius = u64::try_from(squared.isqrt()).unwrap_or(u64::MAX);
        Self {
            lo,
            hi,
            squared,
            radius,
        }
    }
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

impl<'a> OfCell<'a> {
    /// Nothing but sums.
    pub(super) const fn of_sums(sums: &'a [i64]) -> Self {
        Self {
            sums,
            places: &[],
            values: &[],
        }
    }
}

/// No value.
pub(super) const NO_PLACE: u32 = u32::MAX;
/// No value to be told from others.
pub(super) const NO_VALUE: u64 = u64::MAX;

/// The units of a batch's rows.
#[derive(Clone, Copy)]
pub(super) enum Units<'a> {
    /// Of every row.
    Told(&'a [u64]),
    /// Of none: no unit has more rows than it may, and nothing else depends on them.
    Untold,
}

/// A batch as it is walked.
pub(super) struct Rows<'a> {
    pub(super) count: usize,
    pub(super) units: Units<'a>,
    pub(super) mask: Option<&'a BooleanBuffer>,
    pub(super) added: &'a [Added],
    /// Of each quantile, the candidate of every row.
    pub(super) places: &'a [Vec<u32>],
    pub(super) core: &'a PlanCore,
}

/// The unit whose rows are being read; `K` names a cell. Its groups are slots, of which there are C: cells, hashes, rows and what is
/// picked have one entry a slot, and sums one for each aggregate of a slot.
#[derive(Debug)]
pub(super) struct OpenUnit<K> {
    unit: Option<u64>,
    rows: u32,
    used: usize,
    /// The unit's own hash, once there are too many groups.
    hash: Option<u64>,
    cells: Vec<K>,
    /// These say which cells are kept; taken only once there are too many.
    hashes: Vec<u64>,
    /// The slot with the greatest hash, then.
    worst: usize,
    sums: Vec<i64>,
    picked: Vec<Picked>,
    limits: Vec<Limit>,
}

impl<K: Clone + Default + Ord> OpenUnit<K> {
    pub(super) fn new(core: &PlanCore) -> Self {
        let groups = core.groups_per_unit as usize;
        Self {
            unit: None,
            rows: 0,
            used: 0,
            hash: None,
            cells: vec![K::default(); groups],
            hashes: vec![0; groups],
            worst: 0,
            sums: vec![0; groups * core.aggregates.len()],
            picked: vec![Picked::default(); groups],
            limits: core.aggregates.iter().map(Limit::of).collect(),
        }
    }

    /// Takes in the rows of a batch, and gives every unit that ends to `add`, cell by cell.
    pub(super) fn walk<'k, Q>(
        &mut self,
        rows: &Rows<'_>,
        secret: &GroupKeySecret,
        cell: impl Fn(usize) -> &'k Q,
        hash: impl Fn(&Q) -> u64,
        add: &mut impl FnMut(&K, OfCell<'_>),
    ) -> Result<(), ExecutionError>
    where
        K: Borrow<Q>,
        Q: ?Sized + Ord + ToOwned<Owned = K> + 'k,
    {
        let Units::Told(units) = rows.units else {
            return Err(ExecutionError::Internal);
        };
        let (most_rows, aggregates) = (rows.core.unit.max_rows_per_unit, self.limits.len());
        for (row, unit) in units.iter().enumerate() {
            if self.unit != Some(*unit) {
                if self.unit.is_some_and(|open| open > *unit) {
                    return Err(Incident::OutOfOrder.into());
                }
                self.close(add);
                self.unit = Some(*unit);
            }
            self.rows = self.rows.saturating_add(1);
            if self.rows > most_rows || rows.mask.is_some_and(|mask| !mask.value(row)) {
                continue;
            }
            let Some(slot) = self.slot(cell(row), || secret.of_unit(*unit), &hash) else {
                continue;
            };
            let sums = &mut self.sums[slot * aggregates..(slot + 1) * aggregates];
            for ((at, sum), added) in sums.iter_mut().enumerate().zip(rows.added) {
                match added {
                    Added::One => *sum += 1,
                    Added::Presence => *sum = 1,
                    Added::Values(values) => *sum += values[row],
                    Added::Distinct(values) if values[row] != NO_VALUE => {
                        let value = values[row];
                        self.picked[slot].choose(rows.core, at, value, || secret.of_choice(*unit, value));
                    }
                    Added::Distinct(_) => {}
                }
            }
            if !rows.places.is_empty() {
                let values = rows.places.iter().map(|places| places[row]);
                let values = values.filter(|place| *place != NO_PLACE);
                self.picked[slot].places.extend(values);
            }
        }
        Ok(())
    }

    /// The open unit's slot for a cell, if the cell is among the C with the least hashes so far.
    ///
    /// Keeping the C least at every step leaves the C least at the end: a cell once pushed out has a larger hash than C
    /// others and cannot come back.
    #[inline]
    fn slot<Q>(&mut self, cell: &Q, of_unit: impl FnOnce() -> u64, hash: impl Fn(&Q) -> u64) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: ?Sized + Ord + ToOwned<Owned = K>,
    {
        // Where some were given up already, most others are as well: what comes after the worst is not among the kept.
        if let Some(unit) = self.hash {
            let own = choice(unit, hash(cell));
            let worst: &Q = self.cells.get(self.worst)?.borrow();
            match (self.hashes[self.worst], worst).cmp(&(own, cell)) {
                Ordering::Less => return None,
                Ordering::Equal => return Some(self.worst),
                Ordering::Greater => {}
            }
        }
        let known = |own: &K| {
            let own: &Q = own.borrow();
            own == cell
        };
        if let Some(found) = self.cells[..self.used].iter().position(known) {
            return Some(found);
        }
        let at = if self.used < self.cells.len() {
            self.used += 1;
            self.cells[self.used - 1] = cell.to_owned();
            self.used - 1
        } else {
            let unit = match self.hash {
                Some(unit) => unit,
                None => {
                    let unit = of_unit();
                    for (own, cell) in self.hashes.iter_mut().zip(&self.cells) {
                        *own = choice(unit, hash(cell.borrow()));
                    }
                    self.find_worst();
                    *self.hash.insert(unit)
                }
            };
            let own = choice(unit, hash(cell));
            let at = self.worst;
            let worst_cell: &Q = self.cells.get(at)?.borrow();
            if (self.hashes[at], worst_cell) <= (own, cell) {
                return None;
            }
            self.hashes[at] = own;
            self.cells[at] = cell.to_owned();
            self.find_worst();
            at
        };
        let aggregates = self.limits.len();
        self.sums[at * aggregates..(at + 1) * aggregates].fill(0);
        self.picked[at].forget();
        Some(at)
    }

    /// Finds the slot that is given up first.
    fn find_worst(&mut self) {
        let slots = self.hashes.iter().zip(&self.cells).enumerate();
        self.worst = slots.max_by_key(|(_, slot)| *slot).map_or(0, |(at, _)| at);
    }

    /// Clips the open unit's vector and gives it away.
    pub(super) fn close(&mut self, add: &mut impl FnMut(&K, OfCell<'_>)) {
        let aggregates = self.limits.len();
        let sums = &mut self.sums[..self.used * aggregates];
        for (at, limit) in self.limits.iter().enumerate() {
            clip(sums.get_mut(at..).unwrap_or_default(), aggregates, *limit);
        }
        let slots = self.cells[..self.used].iter().zip(&self.picked).enumerate();
        for (at, (cell, picked)) in slots {
            let of_cell = OfCell {
                sums: &self.sums[at * aggregates..(at + 1) * aggregates],
                places: &picked.places,
                values: &picked.values,
            };
            add(cell, of_cell);
        }
        self.picked[..self.used].iter_mut().for_each(Picked::forget);
        self.used = 0;
        self.rows = 0;
        self.hash = None;
    }
}

/// By which one of the groups of a unit is kept: the hashes of the unit and of the group, mixed as SplitMix64 does (Steele, Lea
/// and Flood 2014, "Fast splittable pseudorandom number generators"). Both are keyed, so nobody can tell which are kept.
pub(super) const fn choice(unit: u64, cell: u64) -> u64 {
    let mut z = unit.wrapping_add(cell);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Picked {
    /// Makes room for another cell. What a large unit took is given back: all slots together hold no more than the open
    /// unit's rows, and a little each.
    fn forget(&mut self) {
        if self.places.capacity() > KEPT_PLACES {
            self.places = Vec::new();
        }
        self.places.clear();
        self.values.clear();
    }

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

/// Clamps every entry of one aggregate, which are `step` apart, to the unit's range, then scales the vector, toward zero, onto the
/// ball of the declared radius.
///
/// With n = ⌈‖x‖⌉ and s = ⌊Δ⌋ every entry becomes ⌊|x|·s/n⌋ with its sign, so the squared norm is at most
/// s²·‖x‖²/n² ≤ s² ≤ Δ².
fn clip(sums: &mut [i64], step: usize, limit: Limit) {
    let (mut sum, mut most) = (0u64, 0);
    for entry in sums.iter_mut().step_by(step) {
        *entry = (*entry).clamp(limit.lo, limit.hi);
        sum = sum.saturating_add(entry.unsigned_abs());
        most = most.max(entry.unsigned_abs());
    }
    // The squared norm is no greater than the sum of magnitudes times the greatest of them.
    if u128::from(sum) * u128::from(most) <= limit.squared {
        return;
    }
    let squares = sums.iter().step_by(step);
    let squares = squares.map(|entry| u128::from(entry.unsigned_abs()).pow(2));
    let norm = squares.fold(0, u128::saturating_add);
    if norm <= limit.squared {
        return;
    }
    let floor = norm.isqrt();
    let length = if floor * floor == norm { floor } else { floor + 1 };
    for entry in sums.iter_mut().step_by(step) {
        let scaled = u128::from(entry.unsigned_abs()) * u128::from(limit.radius) / length;
        let scaled = i64::try_from(scaled).unwrap_or(0);
        *entry = if *entry < 0 { -scaled } else { scaled };
    }
}
