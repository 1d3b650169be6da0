//! Totals to which every row adds on its own ([`PlanCore::adds_by_row`]): nothing of the open unit is kept but how many rows
//! it had.
//!
//! # What is proved
//! *Assumed:* rows of a unit stand together, or there are at most R of each, counted when the parts were written
//! (docs/adr/0024); a row's value lies within the aggregate's `row_lo` and `row_hi`, to which [`super::row::row_values`] clamps it.
//! *Guaranteed, for any such rows:* adding or removing one unit changes the totals of an aggregate by a vector whose L1
//! norm is at most R·max(|lo|, |hi|), which is `unit_most`; its L2 norm is no greater.
//! *Why:* at most R rows of a unit are read, each adds to one cell, and L2 norms are no greater than L1 norms. In how many
//! cells a unit is does not matter, so no cell has to be left out, and no sum of a unit ever needs a clip.

use crate::execute::{ExecutionError, Incident};
use crate::plan::{Aggregate, PlanCore};

use super::row::Added;
use super::unit::{Rows, Units};

/// Adds up rows.
#[derive(Debug)]
pub(super) struct ByRow {
    unit: Option<u64>,
    rows: u32,
    /// Of each aggregate, the total of every cell, and at the end what rows that are left out would add.
    totals: Vec<Vec<i128>>,
    batch: BatchTotals,
}

impl ByRow {
    pub(super) fn new(core: &PlanCore) -> Self {
        let cells = core.cells as usize + 1;
        Self {
            unit: None,
            rows: 0,
            totals: vec![vec![0; cells]; core.aggregates.len()],
            batch: BatchTotals(vec![[0; LANES]; cells.min(FEW_CELLS)]),
        }
    }

    /// Takes in the rows of a batch, whose cells are these.
    pub(super) fn add(&mut self, rows: &Rows<'_>, cells: &mut [u32]) -> Result<(), ExecutionError> {
        let left_out = rows.core.cells;
        if let Some(mask) = rows.mask {
            for (cell, kept) in cells.iter_mut().zip(mask) {
                *cell = if kept { *cell } else { left_out };
            }
        }
        if let Units::Told(units) = rows.units {
            self.leave_out(rows.core, units, cells)?;
        }
        let aggregates = rows.core.aggregates.iter().zip(rows.added);
        for (totals, (aggregate, added)) in self.totals.iter_mut().zip(aggregates) {
            match added {
                Added::One => self.batch.add(totals, cells, 1, std::iter::repeat(1)),
                Added::Values(values) => {
                    self.batch
                        .add(totals, cells, most_of(aggregate), values.iter().copied());
                }
                Added::Presence | Added::Distinct(_) => return Err(ExecutionError::Internal),
            }
        }
        Ok(())
    }

    /// Leaves out the rows of each unit after the first R.
    fn leave_out(&mut self, core: &PlanCore, units: &[u64], cells: &mut [u32]) -> Result<(), ExecutionError> {
        for (cell, unit) in cells.iter_mut().zip(units) {
            if self.unit == Some(*unit) {
                self.rows = self.rows.saturating_add(1);
                if self.rows > core.unit.max_rows_per_unit {
                    *cell = core.cells;
                }
            } else {
                if self.unit.is_some_and(|open| open > *unit) {
                    return Err(Incident::OutOfOrder.into());
                }
                (self.unit, self.rows) = (Some(*unit), 1);
            }
        }
        Ok(())
    }

    /// The totals, cell by cell.
    pub(super) fn finish(self, core: &PlanCore) -> Vec<i128> {
        let of_cell = |cell: usize| self.totals.iter().map(move |totals| totals[cell]);
        (0..core.cells as usize).flat_map(of_cell).collect()
    }
}

/// The most that one row adds, in magnitude.
fn most_of(aggregate: &Aggregate) -> u64 {
    aggregate
        .row_lo
        .unsigned_abs()
        .max(aggregate.row_hi.unsigned_abs())
}

/// Neighbouring rows are added to different lanes, so that rows of the same cell need not wait for each other.
const LANES: usize = 4;
/// With more cells than this, setting the lanes back costs more than they save.
const FEW_CELLS: usize = 1_024;

/// Totals of a batch in 64 bits: those of each cell in several lanes.
#[derive(Debug)]
struct BatchTotals(Vec<[i64; LANES]>);

impl BatchTotals {
    /// Adds a batch's values, each at most `most` in magnitude, to the totals of their cells.
    fn add(&mut self, totals: &mut [i128], cells: &[u32], most: u64, values: impl Iterator<Item = i64>) {
        // No lane can overflow.
        let fits = (cells.len() as u64)
            .checked_mul(most)
            .is_some_and(|sum| i64::try_from(sum).is_ok());
        if !fits || totals.len() > self.0.len() {
            for (cell, value) in cells.iter().zip(values) {
                totals[*cell as usize] += i128::from(value);
            }
            return;
        }
        for ((cell, value), at) in cells.iter().zip(values).zip((0..LANES).cycle()) {
            self.0[*cell as usize][at] += value;
        }
        for (total, lanes) in totals.iter_mut().zip(&mut self.0) {
            let sums = lanes.iter().map(|sum| i128::from(*sum));
            *total += sums.sum::<i128>();
            *lanes = [0; LANES];
        }
    }
}
