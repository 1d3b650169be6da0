//! The private plan: what a job computes, how much one unit can change it, and how long it may take. Everything here
//! comes from the query and the declaration; no data is looked at.
//!
//! # Sensitivity
//! Neighbours differ by all rows of one unit, added or removed. Let R be the declared maximum of rows per unit, C the
//! most groups a unit may touch, and let an aggregate's row values lie on an integer grid within [lo, hi]. The bounding
//! operator ([`crate::bounding`]) reads at most R rows of a unit and keeps at most C of its groups, so the unit's vector
//! over the cells has
//! - for COUNT and SUM: an L1 norm of at most R·max(|lo|, |hi|), hence at most that L2 norm, whatever C is;
//! - for COUNT(DISTINCT unit): at most C ones, hence an L2 norm of at most √C.
//!
//! The operator enforces each bound in integers, so it holds for *any* rows, declared or not; but R is counted when the rows are
//! written where units are not read again (docs/adr/0024). With weights 1/Δₐ the
//! joint vector of A aggregates has a squared L2 norm of at most A: a discrete Gaussian of variance A·Δₐ²/(2ρ) on each
//! aggregate's integers makes the whole release ρ-zCDP (Canonne, Kamath, Steinke 2020, "The Discrete Gaussian for
//! Differential Privacy", Theorem 14 with one scale per coordinate). A counts the aggregates of all parts of a plan: each
//! bounds what a unit adds to it, whatever it reads, so the joint vector of all parts has that norm as well (docs/adr/0025).

mod aggregate;
mod check;
pub(crate) mod cost;
mod key;
mod private;
mod subset;

pub use aggregate::{Aggregate, AggregateFunction, Candidates, Quantile};
pub(crate) use check::{MAX_CROSS, matches_of};
pub use key::{GroupKey, KeyCells, KeyValue};
pub use private::{Leaf, MAX_PARTS, MAX_SHARES, OutputColumn, PlanPart, PrivatePlan};
pub use subset::UnitSubset;

use std::fmt;
use std::time::Duration;

use model::{FieldName, FieldType, UnitDeclaration};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::interval::{ColumnRange, Range, everything};
use crate::public::PublicTable;
use crate::scalar::{Real, ScalarExpr};
use crate::source::{ScanTable, Source};

/// C by default, where a unit's being in several groups costs (privacy.md, defaults).
pub const MAX_GROUPS_PER_UNIT: u32 = 5;

/// The largest C where each group of a unit is kept apart: a row is looked up among them (ADR 0028).
pub const MAX_CHOSEN_GROUPS: u32 = 32;

/// The most cells of a release.
pub const MAX_CELLS: u32 = 50_000;

/// The most grouping keys.
pub const MAX_KEYS: usize = 8;

/// The most aggregates.
pub const MAX_AGGREGATES: usize = 16;

/// The widest range of an integer grouping key.
pub const MAX_KEY_VALUES: i64 = 10_000;

/// The longest text that names an undeclared cell, in bytes; longer ones count as NULL.
pub const MAX_OPEN_TEXT: usize = 256;

/// The fewest units that an undeclared cell has to have before anything of it leaves the worker ([`PlanCore::least_units`]); what
/// is shown has to reach the noised threshold besides (`privacy::threshold`).
pub const MIN_FOUND_UNITS: i128 = 10;

/// The most bytes that a worker may answer with.
pub const MAX_REPLY: u64 = 256 << 20;

/// The most candidates of a quantile, and the most in all cells of an answer: drawing takes time for each.
pub const MAX_CANDIDATES: u32 = 2_048;

/// The most candidates of all quantiles in all cells.
pub const MAX_ALL_CANDIDATES: u32 = 65_536;

/// The fewest candidates that say anything.
pub const MIN_CANDIDATES: u32 = 64;

/// m: the most distinct values of one unit that COUNT(DISTINCT x) counts in a cell (privacy.md "SQL").
pub const MAX_DISTINCT_PER_UNIT: u32 = 5;

/// The most distinct values that a worker can hold, in all cells: 16 to 32 bytes each.
pub(crate) const MAX_DISTINCT: u64 = 16_000_000;

/// The memory that found cells may take in a worker, and what one of them takes beside its keys and totals, in bytes.
pub(crate) const FOUND_MEMORY: u64 = 512 << 20;
const FOUND_BYTES: u64 = 160;

/// The most buckets of a sieve, a byte each for every thread.
pub(crate) const MAX_BUCKETS: u32 = 1 << 27;

/// How found cells are gone through that do not fit one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passes {
    /// The buckets of a sieve that goes before, a power of two.
    pub(crate) sieve: Option<u32>,
    /// How many passes follow, each with its share of the cells.
    pub(crate) shares: u32,
}

/// Totals stay below 2⁶² in magnitude, so that noise can be added without overflow (privacy.md "Bounding").
pub const MAX_TOTAL: i128 = 1 << 62;

/// The layout of a serialised plan.
const FORMAT: u16 = 3;

/// A column that the scan reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanColumn {
    /// Its name in the sandbox copy.
    pub name: FieldName,
    /// Its type.
    pub field_type: FieldType,
    /// Declared bounds of a number; values outside are clamped to them as they are read.
    pub bounds: Option<(Real, Real)>,
    /// The declared domain of a text, which so has few distinct values.
    pub domain: Option<Vec<String>>,
    /// Whether all rows of a unit hold the same value, as was verified when the version was made.
    pub unit_static: bool,
}

impl ScanColumn {
    /// The values that a number can take: the scan clamps to them.
    pub(crate) fn range(&self) -> Option<Range> {
        let Some((lo, hi)) = self.bounds else {
            return everything(self.field_type);
        };
        match self.field_type {
            FieldType::Number => Some(Range::Number(lo.get(), hi.get())),
            FieldType::Integer => {
                let (lo, hi) = integer_bounds(lo, hi);
                Some(Range::Integer(lo, hi))
            }
            FieldType::Text | FieldType::Boolean | FieldType::Date | FieldType::Timestamp => None,
        }
    }
}

/// The part of a plan that decides the answer; its hash names the answer within a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanCore {
    /// The layout of this structure.
    pub format: u16,
    /// The protected versions that are read, once for each place where the query names them.
    pub tables: Vec<ScanTable>,
    /// The public relations that they are joined with.
    pub public: Vec<PublicTable>,
    /// How rows are made of them.
    pub source: Source,
    /// Whom the guarantee protects, the most units and rows of the source, and the most rows of one unit.
    pub unit: UnitDeclaration,
    /// Rows where this is not true are left out.
    pub filter: Option<ScalarExpr>,
    /// Grouping keys in canonical order; the last varies fastest over the cells.
    pub keys: Vec<GroupKey>,
    /// How many cells there are: the product over the keys; where keys are open, the most that can have enough units.
    pub cells: u32,
    /// C: the most groups that one unit touches.
    pub groups_per_unit: u32,
    /// Aggregates in canonical order, none twice.
    pub aggregates: Vec<Aggregate>,
    /// Quantiles in canonical order, none twice.
    pub quantiles: Vec<Quantile>,
}

/// How the operator limits what one unit adds, proven from declarations alone (privacy.md "Bounding").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundingCase {
    /// A unit has one row: it is in one group, and nothing is added up.
    OneRow,
    /// All rows of a unit are in one group: there are no keys, or they hold one value per unit.
    OneGroup,
    /// A unit counts in every group that it is in: there are no more than it may count in.
    EveryGroup,
    /// Of the groups that a unit is in, as many as it may count in are chosen by keyed hash; in the others it is left out.
    ChosenGroups,
}

/// The SHA-256 hash of a plan's canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlanHash([u8; 32]);

impl PlanHash {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A plan that does not hold together; only a damaged message can make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plan does not hold together: {0}")]
pub struct PlanError(pub(crate) &'static str);

impl ColumnRange for [ScanColumn] {
    fn column_range(&self, column: usize) -> Option<Range> {
        self.get(column)?.range()
    }
}

/// The integers within declared bounds (the scan clamps to the same ones).
#[expect(clippy::cast_possible_truncation, reason = "declared bounds lie within ±10¹⁵")]
pub(crate) fn integer_bounds(lo: Real, hi: Real) -> (i64, i64) {
    let (lo, hi) = (lo.get().ceil() as i64, hi.get().floor() as i64);
    (lo, hi.max(lo))
}

impl PlanCore {
    pub(crate) const FORMAT: u16 = FORMAT;

    /// The most rows that the declaration allows.
    pub fn max_rows(&self) -> u64 {
        let by_units = self
            .unit
            .max_units
            .saturating_mul(u64::from(self.unit.max_rows_per_unit));
        self.unit.max_rows.min(by_units)
    }

    /// The types of the source's columns.
    pub fn column_types(&self) -> Vec<FieldType> {
        self.source.types(&self.tables, &self.public).unwrap_or_default()
    }

    /// Whether every row adds on its own: cells are known, and nothing is counted but rows and sums over rows. What a unit
    /// adds then has an L1 norm of at most R·max(|lo|, |hi|) however many groups it is in, so no group has to be left out.
    pub fn adds_by_row(&self) -> bool {
        let by_row = |aggregate: &Aggregate| aggregate.function.adds_by_row();
        !self.is_open() && self.quantiles.is_empty() && self.aggregates.iter().all(by_row)
    }

    /// Whether nothing depends on whose a row is, as long as no unit has too many: rows add on their own, and none was joined or
    /// grouped by its unit on the way.
    pub(crate) fn asks_no_unit(&self) -> bool {
        self.adds_by_row() && self.source.goes_row_by_row()
    }

    /// The most groups that one unit can be in, whatever the limit.
    fn most_groups(&self) -> u32 {
        let rows = self.unit.max_rows_per_unit;
        if self.is_open() {
            rows
        } else {
            rows.min(self.cells)
        }
    }

    /// The same, without cells that are there for nothing.
    fn possible_groups(&self) -> u32 {
        let possible = self
            .keys
            .iter()
            .map(GroupKey::possible)
            .fold(1, u64::saturating_mul);
        let possible = u32::try_from(possible.max(1)).unwrap_or(u32::MAX);
        if self.is_open() {
            self.most_groups()
        } else {
            self.most_groups().min(possible)
        }
    }

    /// How what one unit adds is limited.
    pub fn bounding_case(&self) -> BoundingCase {
        if self.unit.max_rows_per_unit == 1 {
            BoundingCase::OneRow
        } else if self.groups_per_unit == 1 {
            BoundingCase::OneGroup
        } else if self.groups_per_unit >= self.possible_groups() {
            BoundingCase::EveryGroup
        } else {
            BoundingCase::ChosenGroups
        }
    }

    /// The largest magnitude that a total of this aggregate can have: units × bound.
    pub fn total_bound(&self, aggregate: &Aggregate) -> i128 {
        i128::from(self.unit.max_units) * i128::from(aggregate.unit_most)
    }

    /// Of how many equal shares of the job's ρ this needs one each: its aggregates and quantiles.
    pub fn shares(&self) -> u32 {
        u32::try_from(self.aggregates.len() + self.quantiles.len()).unwrap_or(u32::MAX)
    }

    /// The candidates of all quantiles, in one cell.
    pub fn candidates(&self) -> usize {
        self.quantiles
            .iter()
            .map(|quantile| quantile.candidates.count() as usize)
            .sum()
    }

    /// The most values that can be counted for one candidate.
    pub fn most_counted(&self) -> u64 {
        self.unit
            .max_units
            .saturating_mul(u64::from(self.unit.max_rows_per_unit))
    }

    /// The most distinct values that the cells can hold in all.
    pub(crate) fn distinct_values(&self) -> u64 {
        let of_unit: u64 = self
            .aggregates
            .iter()
            .map(|aggregate| match aggregate.function {
                AggregateFunction::CountDistinct { per_unit, .. } => {
                    u64::from(per_unit) * u64::from(self.groups_per_unit)
                }
                _ => 0,
            })
            .sum();
        self.unit.max_units.saturating_mul(of_unit)
    }

    /// How often the rows are read if as many cells are found as could be: more than once where these do not fit the
    /// memory. The deadline counts with it; how many passes it takes for the cells there are is the worker's affair.
    pub fn passes(&self) -> u32 {
        let passes = self.found_passes();
        passes.shares.saturating_add(u32::from(passes.sieve.is_some()))
    }

    /// How found cells are gone through that do not fit one pass.
    ///
    /// A *sieve* counts units by the cell's keyed hash first; what has fewer there than a cell needs is left out of the passes
    /// that follow. With as many buckets as there are pairs of a unit and a cell, in which keyed hashes throw them at random, ten
    /// or more others meet in one of a million buckets, so that hardly any cells are left but those that have enough units.
    /// Twice as many are reckoned with. Nothing depends on it but time: in the end every cell's units are counted.
    pub(crate) fn found_passes(&self) -> Passes {
        if !self.is_open() {
            return Passes {
                sieve: None,
                shares: 1,
            };
        }
        let key = |key: &GroupKey| match key.cells {
            KeyCells::Open(FieldType::Text) => 2 * MAX_OPEN_TEXT as u64,
            _ => 16,
        };
        let each = found_bytes(self.keys.iter().map(key).sum(), self.aggregates.len());
        let shares = |cells: u64| {
            let passes = cells.saturating_mul(each).div_ceil(FOUND_MEMORY);
            u32::try_from(passes).unwrap_or(u32::MAX).max(1)
        };
        let pairs = self.most_counted_in_cells();
        let buckets = pairs
            .checked_next_power_of_two()
            .and_then(|buckets| u32::try_from(buckets).ok())
            .filter(|buckets| *buckets <= MAX_BUCKETS);
        let (all, sieved) = (
            shares(pairs),
            shares(u64::from(self.most_found()).saturating_mul(2)),
        );
        match buckets {
            Some(buckets) if sieved.saturating_add(1) < all => Passes {
                sieve: Some(buckets),
                shares: sieved,
            },
            _ => Passes {
                sieve: None,
                shares: all,
            },
        }
    }

    /// Whether cells are found rather than known.
    pub fn is_open(&self) -> bool {
        self.keys.iter().any(|key| matches!(key.cells, KeyCells::Open(_)))
    }

    /// The aggregate whose noised total decides whether a found cell is shown: COUNT(DISTINCT unit).
    pub fn units_aggregate(&self) -> Option<usize> {
        let counts = |aggregate: &Aggregate| aggregate.function == AggregateFunction::CountUnits;
        self.aggregates.iter().position(counts)
    }

    /// The most bytes that a worker answers with: its totals, and the names of found cells.
    pub fn reply_bytes(&self) -> u64 {
        u64::from(self.cells).saturating_mul(self.cell_bytes())
    }

    /// The units that a found cell has to have before anything of it leaves the worker: [`MIN_FOUND_UNITS`], or as many as make the
    /// most cells that can have them fit an answer. It follows from the declaration.
    pub fn least_units(&self) -> i128 {
        let room = (MAX_REPLY / self.cell_bytes().max(1)).max(1);
        let least = i128::from(self.most_counted_in_cells().div_ceil(room));
        least.max(MIN_FOUND_UNITS)
    }

    /// The most found cells: those that can have so many units.
    pub(crate) fn most_found(&self) -> u32 {
        let most = i128::from(self.most_counted_in_cells()) / self.least_units();
        u32::try_from(most).unwrap_or(u32::MAX).max(self.groups_per_unit)
    }

    /// In how many cells all units together can count: of each, in so many; and none without a row.
    fn most_counted_in_cells(&self) -> u64 {
        let counted = self.unit.max_units.saturating_mul(self.groups_per_unit.into());
        counted.min(self.max_rows())
    }

    /// The most bytes of one cell in a worker's answer.
    fn cell_bytes(&self) -> u64 {
        let totals = self.aggregates.len() as u64 * 16 + self.candidates() as u64 * 8;
        let names: u64 = self
            .keys
            .iter()
            .map(|key| match key.cells {
                KeyCells::Open(FieldType::Text) => 8 + MAX_OPEN_TEXT as u64,
                KeyCells::Text { ref values, .. } => {
                    8 + values.iter().map(String::len).max().unwrap_or(0) as u64
                }
                _ => 16,
            })
            .sum();
        let names = if self.is_open() { 8 + names } else { 0 };
        totals + names
    }

    /// Brings a total into the range the plan allows: what a worker reports beyond it is not believed.
    pub fn clamp_total(&self, aggregate: &Aggregate, total: i128) -> i128 {
        let (lo, hi) = aggregate.unit_range();
        let units = i128::from(self.unit.max_units);
        total.clamp(units * i128::from(lo), units * i128::from(hi))
    }

    /// The name of the answer: equal for queries that differ in nothing but words.
    pub fn hash(&self) -> PlanHash {
        let mut hasher = Sha256::new();
        hasher.update(b"shapan private plan 3\0");
        hasher.update(crate::lower::canonical_key(self).as_bytes());
        PlanHash(hasher.finalize().into())
    }

    /// The key values of a cell, in the order of [`PlanCore::keys`].
    pub fn cell(&self, cell: u32) -> Vec<KeyValue> {
        let mut rest = u64::from(cell);
        let mut values: Vec<_> = self
            .keys
            .iter()
            .rev()
            .map(|key| {
                let count = key.cells.count();
                let value = key.cells.value(rest % count);
                rest /= count;
                value
            })
            .collect();
        values.reverse();
        values
    }

    /// Nanoseconds of one core in the worst case the declaration allows, calibrated on the release build.
    pub fn worst_case_nanos(&self) -> u64 {
        let source = cost::source(&self.source, &self.tables, &self.public);
        let types = self.column_types();
        let exprs: u64 = self.row_exprs().map(|expr| cost::expr(expr, &types)).sum();
        let (keys, aggregates) = (self.keys.len() as u64, u64::from(self.shares()));
        let groups = if self.adds_by_row() {
            0
        } else {
            u64::from(self.groups_per_unit)
        };
        let slots = match self.bounding_case() {
            // One row in e brings another group that is kept, and one of those that are there is given up for it, at worst.
            BoundingCase::ChosenGroups => groups * SLOT_NANOS * 3 / 2,
            _ => groups * SLOT_NANOS,
        };
        let per_row = exprs + keys * KEY_NANOS + aggregates * AGGREGATE_NANOS + slots;
        let (open_row, open_group) = if self.is_open() {
            (OPEN_ROW_NANOS, OPEN_GROUP_NANOS)
        } else {
            (0, 0)
        };
        let distinct = self
            .aggregates
            .iter()
            .filter(|a| a.function.is_distinct())
            .count() as u64;
        let per_row = per_row + open_row + distinct * DISTINCT_ROW_NANOS;
        let per_unit = UNIT_NANOS + groups * (open_group + aggregates * AGGREGATE_NANOS);
        let per_cell = u64::from(self.cells) * (aggregates + self.candidates() as u64) * CELL_NANOS;
        let rows = self.max_rows().saturating_mul(per_row);
        // One more where the first, in which all cells are tried at once, may be in vain.
        let passes = u64::from(self.passes()) + u64::from(self.is_open());
        let source = source.saturating_add(rows).saturating_mul(passes);
        source
            .saturating_add(self.unit.max_units.saturating_mul(per_unit))
            .saturating_add(per_cell)
            .saturating_add(self.distinct_values().saturating_mul(DISTINCT_NANOS))
    }

    /// How long after its charge a job is released: the worst case the declaration allows, shared by the reserved
    /// cores, with slack and the time to start a worker. It depends on the plan and the declaration alone.
    pub fn due_in(&self, cores: u32) -> Duration {
        let share = self.worst_case_nanos() / u64::from(cores.max(1));
        // Every core compiles for itself.
        let draws = u64::from(self.cells).saturating_mul(self.aggregates.len() as u64 * DRAW_NANOS);
        let picks = u64::from(self.cells).saturating_mul(self.candidates() as u64 * PICK_NANOS);
        let below = cost::source_setup(&self.source);
        let setup = self.row_exprs().map(cost::setup).fold(below, u64::saturating_add);
        Duration::from_nanos(share.saturating_mul(SLACK_PERCENT) / 100)
            .saturating_add(Duration::from_nanos(
                setup.saturating_add(draws).saturating_add(picks),
            ))
            .saturating_add(START)
    }

    /// The expressions that are computed for every row of the source.
    pub(crate) fn row_exprs(&self) -> impl Iterator<Item = &ScalarExpr> {
        let quantiles = self.quantiles.iter().map(|quantile| &quantile.expr);
        let keys = self.keys.iter().map(|key| &key.expr).chain(quantiles);
        let sums = self.aggregates.iter().filter_map(|a| a.function.expr());
        self.filter.iter().chain(keys).chain(sums)
    }

    /// The same, to be changed.
    pub(crate) fn row_exprs_mut(&mut self) -> Vec<&mut ScalarExpr> {
        let quantiles = self.quantiles.iter_mut().map(|quantile| &mut quantile.expr);
        let keys = self.keys.iter_mut().map(|key| &mut key.expr).chain(quantiles);
        let sums = self.aggregates.iter_mut().filter_map(|a| a.function.expr_mut());
        self.filter.iter_mut().chain(keys).chain(sums).collect()
    }
}

/// In how many cells a unit can hold `per_unit` distinct values at once: of R rows, n_c ≤ m of them distinct in each of at
/// most C cells, Σ n_c² ≤ m · Σ n_c ≤ m · R, so no more than ⌈R/m⌉ full cells count.
pub(crate) fn distinct_spread(unit: &UnitDeclaration, groups_per_unit: u32, per_unit: u32) -> u32 {
    groups_per_unit.min(unit.max_rows_per_unit.div_ceil(per_unit.max(1)))
}

/// What a found cell takes: its name, its totals, and its place in a map.
pub(crate) const fn found_bytes(name: u64, aggregates: usize) -> u64 {
    FOUND_BYTES + name + 16 * aggregates as u64
}

/// Ranks are thousandths.
const fn privacy_ranks() -> u32 {
    1_000
}

/// Encoding a row's open keys, and finding its group among the open unit's.
const OPEN_ROW_NANOS: u64 = 250;
/// Adding a unit's group to the found cells.
const OPEN_GROUP_NANOS: u64 = 400;
/// Hashing a value and finding it among the open unit's.
const DISTINCT_ROW_NANOS: u64 = 120;
/// Adding a value to those of all units, in its partition and then in all.
const DISTINCT_NANOS: u64 = 400;
const KEY_NANOS: u64 = 10;
const AGGREGATE_NANOS: u64 = 6;
/// Looking at one of the groups of the open unit, to find a row's.
const SLOT_NANOS: u64 = 1;
const UNIT_NANOS: u64 = 100;
const CELL_NANOS: u64 = 30;
/// Drawing the noise of one total: one thread of the server does it.
const DRAW_NANOS: u64 = 25_000;
/// Picking among candidates takes so long for each of them at most, three times.
const PICK_NANOS: u64 = 25_000;
const SLACK_PERCENT: u64 = 160;
const START: Duration = Duration::from_millis(700);

impl PlanCore {
    /// How far apart in the cells two neighbouring values of each key lie.
    pub(crate) fn strides(&self) -> Vec<u64> {
        let mut strides = vec![1u64; self.keys.len()];
        for key in (0..self.keys.len().saturating_sub(1)).rev() {
            strides[key] = strides[key + 1].saturating_mul(self.keys[key + 1].cells.count());
        }
        strides
    }
}
