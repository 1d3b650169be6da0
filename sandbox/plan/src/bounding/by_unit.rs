//! Cells that have numbers, to which units add one after the other.

use super::GroupKeySecret;
use super::counts::Counts;
use super::unit::{OfCell, OpenUnit, Rows};
use crate::execute::ExecutionError;
use crate::plan::PlanCore;

/// The way in which a plan's units add: both have the same totals, where the first will do.
#[derive(Debug)]
pub(super) enum ByUnit {
    /// Rows and units are counted.
    Counts(Counts),
    /// Anything else.
    Sums(OpenUnit<u32>),
}

impl ByUnit {
    pub(super) fn new(core: &PlanCore) -> Self {
        if Counts::suits(core) {
            Self::Counts(Counts::new(core))
        } else {
            Self::Sums(OpenUnit::new(core))
        }
    }

    /// Takes in the rows of a batch, whose cells are these of so many. What units add is given to `add`, now or in the end.
    pub(super) fn add(
        &mut self,
        rows: &Rows<'_>,
        secret: &GroupKeySecret,
        (cells, count): (&[u32], usize),
        hash: impl Fn(u32) -> u64,
        add: &mut impl FnMut(&u32, OfCell<'_>),
    ) -> Result<(), ExecutionError> {
        match self {
            Self::Counts(counts) => counts.add(rows, secret, (cells, count), hash),
            Self::Sums(unit) => {
                let cell = |row| cells.get(row).unwrap_or(&0);
                unit.walk(rows, secret, cell, |cell| hash(*cell), add)
            }
        }
    }

    /// Ends the last unit.
    pub(super) fn finish(
        &mut self,
        core: &PlanCore,
        secret: &GroupKeySecret,
        hash: impl Fn(u32) -> u64,
        add: &mut impl FnMut(&u32, OfCell<'_>),
    ) {
        match self {
            Self::Counts(counts) => counts.finish(core, secret, hash, add),
            Self::Sums(unit) => unit.close(add),
        }
    }
}
