//! Totals to which every row adds on its own ([`PlanCore::adds_by_row`]): nothing of the open unit is kept but how many rows
//! it had.
//!
//! # What is proved
//! *Assumed:* rows of a unit stand together; a row's value lies within the aggregate's `row_lo` and `row_hi`, to which
//! [`super::row_values`] clamps it.
//! *Guaranteed, for any rows whatever:* adding or removing one unit changes the totals of an aggregate by a vector whose L1
//! norm is at most R·max(|lo|, |hi|), which is `unit_most`; its L2 norm is no greater.
//! *Why:* at most R rows of a unit are read, each adds to one cell, and L2 norms are no greater than L1 norms. In how many
//! cells a unit is does not matter, so no cell has to be left out, and no sum of a unit ever needs a clip.

use crate::execute::{ExecutionError, Incident};
use crate::plan::PlanCore;

use super::Added;
use super::unit::Rows;

/// Adds up rows.
#[derive(Debug)]
pub(super) struct ByRow {
    unit: Option<u64>,
    rows: u32,
    /// Of each aggregate, the total of every cell, and at the end what rows that are left out would add.
    totals: Vec<Vec<i128>>,
}

impl ByRow {
    pub(super) fn new(core: &PlanCore) -> Self {
        Self {
            unit: None,
            rows: 0,
            totals: vec![vec![0; core.cells as usize + 1]; core.aggregates.len()],
        }
    }

    /// Takes in the rows of a batch, whose cells are these.
    pub(super) fn add(&mut self, rows: &Rows<'_>, cells: &mut [u32]) -> Result<(), ExecutionError> {
        let (left_out, most) = (rows.core.cells, rows.core.unit.max_rows_per_unit);
        if let Some(mask) = rows.mask {
            for (cell, kept) in cells.iter_mut().zip(mask) {
                *cell = if kept { *cell } else { left_out };
            }
        }
        for (cell, unit) in cells.iter_mut().zip(rows.units) {
            if self.unit == Some(*unit) {
                self.rows = self.rows.saturating_add(1);
                if self.rows > most {
                    *cell = left_out;
                }
            } else {
                if self.unit.is_some_and(|open| open > *unit) {
                    return Err(Incident::OutOfOrder.into());
                }
                (self.unit, self.rows) = (Some(*unit), 1);
            }
        }
        for (totals, added) in self.totals.iter_mut().zip(rows.added) {
            match added {
                Added::One => {
                    for cell in &*cells {
                        totals[*cell as usize] += 1;
                    }
                }
                Added::Values(values) => {
                    for (cell, value) in cells.iter().zip(values) {
                        totals[*cell as usize] += i128::from(*value);
                    }
                }
                Added::Presence | Added::Distinct(_) => return Err(ExecutionError::Internal),
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
