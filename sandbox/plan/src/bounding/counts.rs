//! Plans that count rows and units and nothing else: what a unit adds is known from the cells of its rows alone.
//!
//! # What is proved
//! *Assumed:* rows of a unit stand together, as for every open unit; the order is checked row by row.
//! *Guaranteed, for any rows whatever:* adding or removing one unit changes the counts of rows by a vector whose L1 norm is
//! at most R, and the counts of units by at most one in at most C cells.
//! *Why:* at most R rows of a unit are read, each of which adds one to one cell; a unit is counted once in each cell that it
//! keeps, of which there are at most C. [`Counts::suits`] takes no plan that declares less, so nothing has to be clipped.

use super::GroupKeySecret;
use super::unit::{OfCell, Rows, Units, choice};
use crate::execute::{ExecutionError, Incident};
use crate::plan::{AggregateFunction, PlanCore};

/// The most rows of a unit that are put aside: a few MB.
const MOST_ROWS: u32 = 1 << 18;

/// The counts of every cell, and the rows of the open unit.
#[derive(Debug)]
pub(super) struct Counts {
    /// C.
    groups: usize,
    /// R.
    most_rows: u32,
    unit: Option<u64>,
    /// How many rows the open unit had.
    rows: u32,
    /// The cells of those that pass the filter.
    open: Vec<u32>,
    /// Tells the cells of a unit from those that other units left: it grows by two for each unit.
    mark: u64,
    cells: Vec<Cell>,
    /// The cells of a unit, each once, and what says which are kept: room only.
    met: Vec<u32>,
    choices: Vec<u64>,
    least: Vec<u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    rows: u64,
    units: u64,
    /// The mark of the last unit that is in it, and one more if that keeps it.
    mark: u64,
}

impl Counts {
    /// Whether a plan needs no more than this: it only counts, and declares for one unit no less than it can add here.
    pub(super) fn suits(core: &PlanCore) -> bool {
        let rows = u128::from(core.unit.max_rows_per_unit);
        let groups = u128::from(core.groups_per_unit);
        core.quantiles.is_empty()
            && core.unit.max_rows_per_unit <= MOST_ROWS
            && core.aggregates.iter().all(|aggregate| {
                let squared = aggregate.sensitivity_squared();
                let most = u128::try_from(aggregate.unit_range().1).unwrap_or(0);
                match aggregate.function {
                    AggregateFunction::CountRows => most >= rows && squared >= rows * rows,
                    AggregateFunction::CountUnits => most >= 1 && squared >= groups,
                    _ => false,
                }
            })
    }

    pub(super) fn new(core: &PlanCore) -> Self {
        let groups = core.groups_per_unit as usize;
        Self {
            groups,
            most_rows: core.unit.max_rows_per_unit,
            unit: None,
            rows: 0,
            open: vec![],
            mark: 0,
            cells: vec![],
            met: vec![],
            choices: vec![],
            least: vec![0; groups],
        }
    }

    /// Takes in the rows of a batch, whose cells are these; all of them are below `count`.
    pub(super) fn add(
        &mut self,
        rows: &Rows<'_>,
        secret: &GroupKeySecret,
        (cells, count): (&[u32], usize),
        hash: impl Fn(u32) -> u64,
    ) -> Result<(), ExecutionError> {
        let Units::Told(units) = rows.units else {
            return Err(ExecutionError::Internal);
        };
        if self.cells.len() < count {
            self.cells.resize(count, Cell::default());
        }
        let mut start = 0;
        while let Some(unit) = units.get(start) {
            let same = units[start..].iter().take_while(|other| *other == unit);
            let end = start + same.count();
            if self.unit != Some(*unit) {
                if self.unit.is_some_and(|open| open > *unit) {
                    return Err(Incident::OutOfOrder.into());
                }
                self.close(secret, &hash);
                self.unit = Some(*unit);
            }
            let room = (self.most_rows - self.rows) as usize;
            let read = start..end.min(start + room);
            self.rows += u32::try_from(read.len()).map_err(|_| ExecutionError::Internal)?;
            let cells = cells.get(read.clone()).ok_or(ExecutionError::Internal)?;
            match rows.mask {
                // The rows of most units stand in one batch, and need not be put aside.
                None if end < units.len() && self.open.is_empty() => self.count(*unit, cells, secret, &hash),
                None => self.open.extend_from_slice(cells),
                Some(mask) => {
                    let passing = cells.iter().zip(read).filter(|(_, row)| mask.value(*row));
                    self.open.extend(passing.map(|(cell, _)| *cell));
                }
            }
            start = end;
        }
        Ok(())
    }

    /// Counts what is put aside of the open unit.
    fn close(&mut self, secret: &GroupKeySecret, hash: &impl Fn(u32) -> u64) {
        self.rows = 0;
        if let Some(unit) = self.unit
            && !self.open.is_empty()
        {
            let mut open = std::mem::take(&mut self.open);
            self.count(unit, &open, secret, hash);
            open.clear();
            self.open = open;
        }
    }

    /// Counts a unit whose rows are in these cells. Which cells occur already, and which are kept, is taken as a number and
    /// not asked by a branch: nobody could foretell the answer.
    #[inline]
    fn count(&mut self, unit: u64, rows: &[u32], secret: &GroupKeySecret, hash: &impl Fn(u32) -> u64) {
        self.mark += 2;
        let mark = self.mark;
        // So few rows are in no more cells than may be kept.
        if rows.len() <= self.groups {
            for row in rows {
                let cell = &mut self.cells[*row as usize];
                cell.units += u64::from(cell.mark != mark);
                cell.rows += 1;
                cell.mark = mark;
            }
            return;
        }
        if self.met.len() < rows.len() {
            self.met.resize(rows.len(), 0);
            self.choices.resize(rows.len(), 0);
        }
        let mut count = 0;
        for row in rows {
            let cell = &mut self.cells[*row as usize];
            self.met[count] = *row;
            count += usize::from(cell.mark != mark);
            cell.mark = mark;
        }
        let met = &self.met[..count];
        if count > self.groups {
            self.keep(secret.of_unit(unit), count, hash);
        } else {
            for cell in met {
                let cell = &mut self.cells[*cell as usize];
                cell.units += 1;
                cell.mark += 1;
            }
        }
        for row in rows {
            let cell = &mut self.cells[*row as usize];
            cell.rows += u64::from(cell.mark == mark + 1);
        }
    }

    /// Counts the unit in C of the cells that it met, those with the least choices, and marks them as kept.
    fn keep(&mut self, of_unit: u64, met: usize, hash: &impl Fn(u32) -> u64) {
        let met = &self.met[..met];
        self.least.fill(u64::MAX);
        for (cell, own) in met.iter().zip(&mut self.choices) {
            *own = choice(of_unit, hash(*cell));
            // Each takes its place in order, and pushes on the one that it takes it from.
            let mut pushed = *own;
            for least in &mut self.least {
                (*least, pushed) = ((*least).min(pushed), (*least).max(pushed));
            }
        }
        let greatest = self.least.last().copied().unwrap_or_default();
        // Two cells may have the same choice: no more than C are kept all the same.
        let mut left = self.groups;
        for (cell, own) in met.iter().zip(&self.choices) {
            let kept = *own <= greatest && left > 0;
            left -= usize::from(kept);
            let cell = &mut self.cells[*cell as usize];
            cell.units += u64::from(kept);
            cell.mark += u64::from(kept);
        }
    }

    /// Closes the last unit, and gives the counts of every cell that some unit is in to `add`.
    pub(super) fn finish(
        &mut self,
        core: &PlanCore,
        secret: &GroupKeySecret,
        hash: impl Fn(u32) -> u64,
        add: &mut impl FnMut(&u32, OfCell<'_>),
    ) {
        self.close(secret, &hash);
        let mut sums = vec![0; core.aggregates.len()];
        for (number, cell) in (0u32..).zip(&self.cells).filter(|(_, cell)| cell.units > 0) {
            for (sum, aggregate) in sums.iter_mut().zip(&core.aggregates) {
                let units = aggregate.function == AggregateFunction::CountUnits;
                *sum = i64::try_from(if units { cell.units } else { cell.rows }).unwrap_or(i64::MAX);
            }
            add(&number, OfCell::of_sums(&sums));
        }
    }
}
