//! What holds for every plan of ours. The server believes no planner and the worker no server: whatever would have less noise than
//! its bounds need, cost more than it says, or fail over some rows and not over others, does not pass.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use model::FieldType;

use super::{
    AggregateFunction, Candidates, FORMAT, KeyCells, Leaf, MAX_AGGREGATES, MAX_ALL_CANDIDATES,
    MAX_CANDIDATES, MAX_CELLS, MAX_CHOSEN_GROUPS, MAX_DISTINCT, MAX_DISTINCT_PER_UNIT, MAX_GROUPS_PER_UNIT,
    MAX_KEYS, MAX_PARTS, MAX_REPLY, MAX_SHARES, MAX_TOTAL, OutputColumn, PlanCore, PlanError, PlanPart,
    PrivatePlan, distinct_spread, privacy_ranks,
};
use crate::bounding::{Bounding, GroupKeySecret, Pass};
use crate::context::planner_type;
use crate::eval;
use crate::public::{PublicTable, most_matches};
use crate::release::{Arrangement, MAX_SETS, Measure, ReleasedColumn, Step};
use crate::scalar::ScalarExpr;
use crate::scan::UNIT_COLUMN;
use crate::source::{MAX_TABLES, Source, UnitFunction};

/// The longest that a job may take in the worst case, in nanoseconds of one core: ten minutes.
pub(crate) const MAX_NANOS: u64 = 600 * 1_000_000_000;

/// The longest that showing an answer may take, in nanoseconds of one core of the server: five seconds, of which a regular
/// expression takes 0.3 once a thread.
pub(crate) const MAX_SHOWING_NANOS: u64 = 5 * 1_000_000_000;

/// The most bytes of text that showing an answer may make.
pub(crate) const MAX_SHOWING_BYTES: u64 = 512 << 20;

/// The most tables that an answer is made of.
pub(crate) const MAX_LEAVES: usize = 32;

/// The most public rows that a row may meet without an equality that says which of them.
pub(crate) const MAX_CROSS: u32 = 100;

impl PrivatePlan {
    /// Checks what a plan of ours always is, its release included.
    ///
    /// # Errors
    /// If anything does not hold together, or takes longer than a job may; the text names the part.
    pub fn check(&self) -> Result<(), PlanError> {
        if !(1..=MAX_PARTS).contains(&self.parts.len()) || self.shares() > MAX_SHARES {
            return Err(PlanError("parts"));
        }
        for part in &self.parts {
            part.check()?;
        }
        let mut reply = 0u64;
        for (at, part) in self.parts.iter().enumerate() {
            let core = &part.core;
            let calibrated = |aggregate| self.noise_sensitivity_squared(at, aggregate).is_some();
            if !(0..core.aggregates.len()).all(calibrated) {
                return Err(PlanError("aggregate"));
            }
            reply = reply.saturating_add(core.reply_bytes());
        }
        if reply > MAX_REPLY {
            return Err(PlanError("cells"));
        }
        if self.all_candidates() > MAX_ALL_CANDIDATES.into() {
            return Err(PlanError("quantile"));
        }
        self.check_tables()?;
        let types = self.released_types();
        let typed = |column: &OutputColumn| column.expr.field_type(&types).is_some();
        if self.output.is_empty() || !self.output.iter().all(typed) {
            return Err(PlanError("output"));
        }
        self.check_arrangement(&self.arrangement)?;
        if self.joins_too_many().is_some() {
            return Err(PlanError("joined rows"));
        }
        if self.is_too_slow() {
            return Err(PlanError("time"));
        }
        Ok(())
    }

    /// That every part, relation and table is there for something, and once; and that columns are columns of them.
    fn check_tables(&self) -> Result<(), PlanError> {
        if self.leaves.len() > MAX_LEAVES || self.arrangement.size() > 2 * MAX_LEAVES {
            return Err(PlanError("tables"));
        }
        let mut arranged = self.arrangement.leaves();
        arranged.sort_unstable();
        let used = |leaf: Leaf| self.leaves.contains(&leaf);
        if !arranged.into_iter().eq(0..self.leaves.len())
            || !(0..self.parts.len()).all(|part| used(Leaf::Part(part)))
            || !(0..self.public.len()).all(|table| used(Leaf::Public(table)))
        {
            return Err(PlanError("tables"));
        }
        let there = |leaf: &Leaf| match *leaf {
            Leaf::Part(part) => part < self.parts.len(),
            Leaf::Public(table) => table < self.public.len(),
        };
        if !self.leaves.iter().all(there) || !self.released.iter().all(|column| self.fits(column)) {
            return Err(PlanError("columns"));
        }
        Ok(())
    }

    fn fits(&self, column: &ReleasedColumn) -> bool {
        let tables = self.tables();
        let part = |leaf: &usize| tables.part(*leaf);
        match column {
            ReleasedColumn::Key { leaf, key } => part(leaf).is_some_and(|part| *key < part.core.keys.len()),
            ReleasedColumn::Grouping { leaf, keys } => part(leaf).is_some_and(|part| {
                keys.len() <= MAX_KEYS && keys.iter().all(|key| *key < part.core.keys.len())
            }),
            ReleasedColumn::Measure { leaf, measure } => part(leaf).is_some_and(|part| {
                let totals = measure.aggregates();
                let picked = match measure {
                    Measure::Quantile { place, .. } => *place < part.core.quantiles.len(),
                    _ => true,
                };
                picked && totals.iter().all(|total| *total < part.core.aggregates.len())
            }),
            ReleasedColumn::Public { leaf, column } => tables
                .public(*leaf)
                .is_some_and(|table| *column < table.columns.len()),
            ReleasedColumn::Present(leaves) => leaves.iter().all(|leaf| *leaf < self.leaves.len()),
            ReleasedColumn::Fixed(_) => true,
            ReleasedColumn::Stacked(members) => {
                let kind = column.field_type(&tables);
                let member = |(leaf, member): &(usize, ReleasedColumn)| {
                    *leaf < self.leaves.len()
                        && member.leaf().is_none_or(|own| own == *leaf)
                        && !matches!(member, ReleasedColumn::Stacked(_))
                        && self.fits(member)
                        && member.field_type(&tables) == kind
                };
                !members.is_empty() && members.iter().all(member)
            }
        }
    }

    /// That joins are by what is known without any figure, and compare like with like.
    fn check_arrangement(&self, arrangement: &Arrangement) -> Result<(), PlanError> {
        let types = self.released_types();
        let typed = |expr: &ScalarExpr| expr.field_type(&types);
        if let Arrangement::Steps { steps, .. } = arrangement {
            let fits = |step: &Step| match step {
                Step::Filter(condition) => typed(condition) == Some(FieldType::Boolean),
                Step::Sort(keys) => keys.iter().all(|key| typed(&key.expr).is_some()),
                Step::Limit { .. } => true,
            };
            if !steps.iter().all(fits) {
                return Err(PlanError("steps"));
            }
        }
        if let Arrangement::Stack(members) = arrangement
            && members.is_empty()
        {
            return Err(PlanError("stack"));
        }
        if let Arrangement::Join { on, condition, .. } = arrangement {
            if condition
                .as_ref()
                .is_some_and(|it| typed(it) != Some(FieldType::Boolean))
            {
                return Err(PlanError("join"));
            }
            let known = |expr: &ScalarExpr| self.measures_of(expr).is_empty();
            let fits = |(own, other): &(ScalarExpr, ScalarExpr)| {
                let kind = own.field_type(&types);
                known(own) && known(other) && kind.is_some() && kind == other.field_type(&types)
            };
            if !on.iter().all(fits) {
                return Err(PlanError("join"));
            }
        }
        let mut inputs = arrangement.inputs().into_iter();
        inputs.try_for_each(|input| self.check_arrangement(input))
    }

    /// Whether the job or showing its answer could take longer than they may.
    pub(crate) fn is_too_slow(&self) -> bool {
        let (nanos, bytes) = self.showing_cost();
        self.worst_case_nanos() > MAX_NANOS || nanos > MAX_SHOWING_NANOS || bytes > MAX_SHOWING_BYTES
    }
}

impl PlanPart {
    fn check(&self) -> Result<(), PlanError> {
        self.core.check()?;
        let Some(sets) = &self.sets else {
            return Ok(());
        };
        let known = |key: &usize| *key < self.core.keys.len();
        let rows = u64::from(self.core.cells).saturating_mul(sets.len() as u64);
        if sets.len() > MAX_SETS
            || !sets.iter().flatten().all(known)
            || sets.iter().any(|set| set.len() > MAX_KEYS)
            || rows > MAX_CELLS.into()
            || self.core.is_open()
            || !self.core.quantiles.is_empty()
        {
            return Err(PlanError("sets"));
        }
        Ok(())
    }
}

impl PlanCore {
    /// Checks what a plan of ours always is; the worker runs no other.
    ///
    /// # Errors
    /// If anything does not hold together; the text names the part.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.format != FORMAT {
            return Err(PlanError("format"));
        }
        if self.tables.len() + self.public.len() > MAX_TABLES {
            return Err(PlanError("tables"));
        }
        let mut scans = self.source.scans();
        scans.sort_unstable();
        if scans.is_empty() || !scans.into_iter().eq(0..self.tables.len()) {
            return Err(PlanError("scans"));
        }
        let shape = self.source.shape(&self.tables, &self.public)?;
        if shape.unit != self.unit {
            return Err(PlanError("sizes"));
        }
        let types = shape.columns.types();
        let well_typed = |expr: &ScalarExpr| expr.field_type(&types);
        let shares = self.shares() as usize;
        if self.keys.len() > MAX_KEYS || shares == 0 || shares > MAX_AGGREGATES {
            return Err(PlanError("counts"));
        }
        if self.unit.max_rows_per_unit == 0 || self.unit.max_units == 0 {
            return Err(PlanError("unit"));
        }
        let cells = self
            .keys
            .iter()
            .fold(1u64, |n, key| n.saturating_mul(key.cells.count()));
        let open = self.is_open();
        let known = if open {
            cells <= MAX_CELLS.into() && self.cells == self.most_found()
        } else {
            cells == u64::from(self.cells) && self.cells <= MAX_CELLS
        };
        if !known || self.reply_bytes() > MAX_REPLY || (open && self.units_aggregate().is_none()) {
            return Err(PlanError("cells"));
        }
        let most_groups = if self.adds_by_row() {
            self.most_groups()
        } else if open {
            MAX_GROUPS_PER_UNIT.min(self.cells)
        } else {
            MAX_CHOSEN_GROUPS.min(self.most_groups())
        };
        if !(1..=most_groups).contains(&self.groups_per_unit) {
            return Err(PlanError("groups per unit"));
        }
        if self
            .filter
            .as_ref()
            .is_some_and(|f| well_typed(f) != Some(FieldType::Boolean))
        {
            return Err(PlanError("filter"));
        }
        for key in &self.keys {
            let wanted = match key.cells {
                KeyCells::Text { .. } => FieldType::Text,
                KeyCells::Integer { .. } | KeyCells::Integers { .. } => FieldType::Integer,
                KeyCells::Dates { .. } => FieldType::Date,
                KeyCells::Timestamps { .. } => FieldType::Timestamp,
                KeyCells::Boolean => FieldType::Boolean,
                KeyCells::Open(FieldType::Number | FieldType::Boolean) => return Err(PlanError("key")),
                KeyCells::Open(field_type) => field_type,
            };
            // They are searched by halves.
            let in_order = match &key.cells {
                KeyCells::Integers { values } | KeyCells::Timestamps { values } => {
                    values.is_sorted_by(|a, b| a < b)
                }
                KeyCells::Dates { values } => values.is_sorted_by(|a, b| a < b),
                _ => true,
            };
            if !in_order || well_typed(&key.expr) != Some(wanted) {
                return Err(PlanError("key"));
            }
        }
        for quantile in &self.quantiles {
            let fits = match quantile.candidates {
                Candidates::Integer { step, .. } => {
                    step > 0 && well_typed(&quantile.expr) == Some(FieldType::Integer)
                }
                Candidates::Number { step, .. } => {
                    step.get() > 0.0 && well_typed(&quantile.expr) == Some(FieldType::Number)
                }
            };
            let count = quantile.candidates.count();
            if !fits || quantile.rank > privacy_ranks() || !(1..=MAX_CANDIDATES).contains(&count) {
                return Err(PlanError("quantile"));
            }
        }
        if self.distinct_values() > MAX_DISTINCT {
            return Err(PlanError("distinct values"));
        }
        let all = u64::from(self.cells).saturating_mul(self.candidates() as u64);
        if all > MAX_ALL_CANDIDATES.into() || (open && !self.quantiles.is_empty()) {
            return Err(PlanError("quantile"));
        }
        for aggregate in &self.aggregates {
            // The grid of a type: integers are counted in whole steps.
            let exponents = |kind: FieldType| {
                if kind == FieldType::Integer {
                    0..=62
                } else {
                    -1_100..=100
                }
            };
            let rows = (aggregate.row_lo, aggregate.row_hi, aggregate.exponent);
            let fits = match &aggregate.function {
                AggregateFunction::CountRows | AggregateFunction::CountUnits => rows == (0, 1, 0),
                AggregateFunction::CountValues(x) => well_typed(x).is_some() && rows == (0, 1, 0),
                AggregateFunction::CountUnitsWhere(x) => {
                    well_typed(x) == Some(FieldType::Boolean) && rows == (0, 1, 0)
                }
                AggregateFunction::Sum(x) => well_typed(x)
                    .is_some_and(|kind| kind.is_numeric() && exponents(kind).contains(&aggregate.exponent)),
                AggregateFunction::CountDistinct { of, per_unit } => {
                    well_typed(of).is_some()
                        && (1..=MAX_DISTINCT_PER_UNIT).contains(per_unit)
                        && !open
                        && rows == (0, 1, 0)
                }
            };
            let most = i128::from(self.unit.max_rows_per_unit)
                * i128::from(
                    aggregate
                        .row_lo
                        .unsigned_abs()
                        .max(aggregate.row_hi.unsigned_abs()),
                );
            let most = match aggregate.function {
                AggregateFunction::CountUnits | AggregateFunction::CountUnitsWhere(_) => 1,
                AggregateFunction::CountDistinct { per_unit, .. } => most.min(per_unit.into()),
                _ => most.max(1),
            };
            // What a unit counts in more cells than one is no scaled vector: as many as it can be in are paid for. Neither
            // more, for the product must not overflow.
            let spread = match aggregate.function {
                AggregateFunction::CountUnits | AggregateFunction::CountUnitsWhere(_) => self.groups_per_unit,
                AggregateFunction::CountDistinct { per_unit, .. } => {
                    distinct_spread(&self.unit, self.groups_per_unit, per_unit)
                }
                _ => 1,
            };
            if !fits
                || aggregate.row_lo > aggregate.row_hi
                || aggregate.spread != spread
                || i128::from(aggregate.unit_most) != most
                || self.total_bound(aggregate) >= MAX_TOTAL
            {
                return Err(PlanError("aggregate"));
            }
        }
        self.check_source(&self.source)?;
        self.try_nothing()
    }

    /// Checks what the shape of a source rests on: how many public rows a row meets at most.
    fn check_source(&self, source: &Source) -> Result<(), PlanError> {
        if let Source::PublicJoin {
            public, on, matches, ..
        } = source
        {
            let table = self.public.get(*public).ok_or(PlanError("public relation"))?;
            if matches_of(table, on)? != *matches || (on.is_empty() && *matches > MAX_CROSS) {
                return Err(PlanError("public rows"));
            }
        }
        source
            .inputs()
            .into_iter()
            .try_for_each(|input| self.check_source(input))
    }

    /// Computes everything once over a row without values. What fails in an expression is its form and never a value, so
    /// an expression that can be computed here fails over no row; one that cannot would tell by failing which rows there are.
    fn try_nothing(&self) -> Result<(), PlanError> {
        self.try_source(&self.source)?;
        let types = self.column_types();
        let mut fields = vec![Field::new(UNIT_COLUMN, DataType::UInt64, false)];
        let column = |(at, kind): (usize, &FieldType)| Field::new(at.to_string(), planner_type(*kind), true);
        fields.extend(types.iter().enumerate().map(column));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(vec![0]))];
        columns.extend(no_values(&types));
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
        let mut bounding = Bounding::new(self, GroupKeySecret([0; 16]), Pass::Whole { room: MAX_REPLY })
            .map_err(|_| PlanError("bounding"))?;
        let batch = batch.map_err(|_| PlanError("columns"))?;
        bounding.push(&batch).map_err(|_| PlanError("expression"))
    }

    fn try_source(&self, source: &Source) -> Result<(), PlanError> {
        let types = |source: &Source| {
            let types = source.types(&self.tables, &self.public);
            types.ok_or(PlanError("columns"))
        };
        match source {
            Source::Scan(_) => {}
            Source::Filter { input, condition } => try_all([condition], &types(input)?)?,
            Source::PublicJoin {
                input,
                public,
                on,
                condition,
                ..
            } => {
                let mut both = types(input)?;
                try_all(on.iter().map(|(own, _)| own), &both)?;
                let table = self.public.get(*public).ok_or(PlanError("public relation"))?;
                try_all(on.iter().map(|(_, key)| key), &table.types())?;
                both.extend(table.types());
                try_all(condition, &both)?;
            }
            Source::UnitJoin {
                left,
                right,
                condition,
                ..
            } => {
                let mut both = types(left)?;
                both.extend(types(right)?);
                try_all(condition, &both)?;
            }
            Source::UnitAggregate {
                input,
                keys,
                functions,
            } => {
                let arguments = functions.iter().filter_map(UnitFunction::argument);
                try_all(keys.iter().chain(arguments), &types(input)?)?;
            }
        }
        source
            .inputs()
            .into_iter()
            .try_for_each(|input| self.try_source(input))
    }
}

/// How often the most frequent key of a public relation occurs: so many of its rows one row meets at most.
pub(crate) fn matches_of(table: &PublicTable, on: &[(ScalarExpr, ScalarExpr)]) -> Result<u32, PlanError> {
    let batch = table.read().map_err(|_| PlanError("public relation"))?;
    let rows = batch.num_rows();
    let keys = on
        .iter()
        .map(|(_, key)| eval::evaluate(key, batch.columns(), rows)?.into_array(rows));
    let keys = keys
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| PlanError("join key"))?;
    most_matches(&keys, rows).map_err(|_| PlanError("join key"))
}

fn no_values(types: &[FieldType]) -> Vec<ArrayRef> {
    types
        .iter()
        .map(|kind| new_null_array(&planner_type(*kind), 1))
        .collect()
}

fn try_all<'e>(
    exprs: impl IntoIterator<Item = &'e ScalarExpr>,
    types: &[FieldType],
) -> Result<(), PlanError> {
    let columns = no_values(types);
    let tried = exprs.into_iter().try_for_each(|expr| {
        let made = eval::evaluate(expr, &columns, 1)?.into_array(1)?;
        let said = expr.field_type(types).map(planner_type);
        if said.as_ref() == Some(made.data_type()) {
            Ok(())
        } else {
            Err(eval::EvalError)
        }
    });
    tried.map_err(|_| PlanError("expression"))
}
