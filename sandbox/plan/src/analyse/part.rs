//! The parts of a plan: an aggregation by which figures are released, on integer grids, with the cells of its keys.

use std::cell::Cell;

use datafusion_expr::Expr;
use datafusion_expr::expr::AggregateFunction as PlannerAggregate;
use model::{FieldType, UnitDeclaration};

use super::{PerUnit, calendar};
use crate::interval::{Range, range};
use crate::lower::{Lowering, canonical_key, column_span, place_of};
use crate::moments::Moments;
use crate::plan::{
    Aggregate, AggregateFunction, Candidates, GroupKey, KeyCells, MAX_AGGREGATES, MAX_ALL_CANDIDATES,
    MAX_CANDIDATES, MAX_CELLS, MAX_CHOSEN_GROUPS, MAX_DISTINCT, MAX_GROUPS_PER_UNIT, MAX_KEY_VALUES,
    MAX_TOTAL, MIN_CANDIDATES, PlanCore, Quantile, distinct_spread,
};
use crate::refusal::{Planned, Refusal, Rule};
use crate::release::Measure;
use crate::scalar::{Function, Literal, Real, ScalarExpr};
use crate::source::{Shape, SourceColumns, mark, renumber};

/// The ρ at which groups are weighed against noise: about a quarter of what one job may cost by default (ε = 0.5).
const TYPICAL_RHO: f64 = 0.001;

/// What a query needs, in the order in which it is found; nothing twice.
#[derive(Default)]
pub(crate) struct Needed {
    aggregates: Vec<Aggregate>,
    quantiles: Vec<(ScalarExpr, u32)>,
}

fn place_in<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    match all.iter().position(|other| *other == one) {
        Some(place) => place,
        None => {
            all.push(one);
            all.len() - 1
        }
    }
}

impl Needed {
    pub(crate) fn place(&mut self, aggregate: Aggregate) -> usize {
        place_in(&mut self.aggregates, aggregate)
    }

    /// C, where cells are known: in how many of them a unit counts, by expected error (docs/adr/0028). `least` is what privacy.md has
    /// by default.
    ///
    /// Rows add on their own and quantiles are calibrated to rows, so groups cost them no noise: a unit counts in all of the first,
    /// and in as many of the second as are kept apart. Where units are counted, C groups need noise of variance C·A/2ρ, and leaving out what a unit has beyond them takes
    /// U·(d − C)/G from each of the G cells, if each of U units has R rows that fall on cells at random, on
    /// d = G·(1 − (1 − 1/G)^R) of them. The C with the least sum of both, squared, is taken. Counts of different values keep the
    /// least: more groups would leave room for fewer values of each.
    fn groups_per_unit(&self, unit: UnitDeclaration, cells: u32, least: u32) -> u32 {
        let most = cells.min(unit.max_rows_per_unit);
        let functions = || self.aggregates.iter().map(|aggregate| &aggregate.function);
        if least <= 1 || functions().any(AggregateFunction::is_distinct) {
            return least;
        }
        if !functions().any(AggregateFunction::counts_units) {
            let slots = if self.quantiles.is_empty() {
                u32::MAX
            } else {
                MAX_CHOSEN_GROUPS
            };
            return most.min(slots).max(least);
        }
        #[expect(clippy::cast_precision_loss, reason = "an expectation")]
        let shares = (self.aggregates.len() + self.quantiles.len()) as f64;
        #[expect(clippy::cast_precision_loss, reason = "an expectation")]
        let units = unit.max_units as f64;
        let (cells, rows) = (f64::from(cells), f64::from(unit.max_rows_per_unit));
        let met = cells * (1.0 - (1.0 - 1.0 / cells).powf(rows));
        let error = |groups: u32| {
            let groups = f64::from(groups);
            let bias = units * (met - groups).max(0.0) / cells;
            groups * shares / (2.0 * TYPICAL_RHO) + bias * bias
        };
        let choices = least..=most.min(MAX_CHOSEN_GROUPS).max(least);
        choices
            .min_by(|one, other| error(*one).total_cmp(&error(*other)))
            .unwrap_or(least)
    }

    /// A quantile of a rank in thousandths.
    pub(crate) fn place_quantile(&mut self, expr: ScalarExpr, rank: u32) -> usize {
        place_in(&mut self.quantiles, (expr, rank))
    }
}

/// An aggregation as it is written.
pub(super) struct Grouped<'a> {
    pub(super) below: &'a PerUnit,
    pub(super) lowering: &'a Lowering<'a>,
    /// How long calendars may still take.
    pub(super) calendar_nanos: &'a Cell<u64>,
    /// What is computed of each group; GROUPING(…) is not of the data.
    pub(super) calls: Vec<Option<&'a PlannerAggregate>>,
}

/// A part, and where in it the things that were written are.
pub(super) struct Draft {
    pub(super) core: PlanCore,
    /// The place of each key.
    pub(super) keys: Vec<usize>,
    /// The figure of each call.
    pub(super) measures: Vec<Option<Measure>>,
    /// Whether totals of its cells are totals of the data: not where units may be in several of them, nor for quantiles and
    /// different values, and what is not shown would be missing.
    pub(super) adds_up: bool,
}

impl Grouped<'_> {
    /// The part with these keys, of an aggregation with so many of them.
    pub(super) fn draft(&self, keys: &[GroupKey], parts: usize) -> Planned<Draft> {
        let shape = &self.below.shape;
        let mut keys = keys.to_vec();
        if count_cells(&keys) > MAX_CELLS.into() {
            let found = keys.into_iter().map(|key| found(&shape.columns, key));
            keys = found.collect::<Planned<Vec<_>>>()?;
        }
        let (keys, places) = canonical_order(keys);
        let open = keys.iter().any(|key| matches!(key.cells, KeyCells::Open(_)));
        let cells = count_cells(&keys);
        let too_many = || Refusal::about(Rule::TooManyCells, format!("{cells} cells, at most {MAX_CELLS}"));
        let listed = u32::try_from(cells).ok().filter(|cells| *cells <= MAX_CELLS);
        let listed = listed.ok_or_else(too_many)?;
        // A unit is in no cell that is there for nothing.
        let possible = keys.iter().map(GroupKey::possible).fold(1, u64::saturating_mul);
        let possible = u32::try_from(possible.max(1)).unwrap_or(listed);
        let least_groups = groups_per_unit(shape, &keys, if open { u32::MAX } else { possible });
        let (mut needed, mut measures) = self.measured(least_groups)?;
        let groups_per_unit = match open {
            true => least_groups,
            false => needed.groups_per_unit(shape.unit, possible, least_groups),
        };
        if groups_per_unit != least_groups {
            (needed, measures) = self.measured(groups_per_unit)?;
        }
        if needed.aggregates.is_empty() && needed.quantiles.is_empty() {
            return Err(Refusal::new(Rule::Rows));
        }
        if !needed.quantiles.is_empty() && open {
            return Err(Refusal::new(Rule::QuantileCells));
        }
        let distinct = self.distinct_values(&needed, groups_per_unit);
        if distinct > 0 && open {
            // Those of found cells have no bound.
            return Err(Refusal::new(Rule::DistinctCells));
        }
        if distinct > MAX_DISTINCT {
            return Err(Refusal::about(Rule::DistinctCells, format!("{distinct} values")));
        }
        if open {
            // Hidden unless it is asked for: which cells are shown is decided by it.
            needed.place(aggregate(shape, AggregateFunction::CountUnits, groups_per_unit)?);
        }
        if needed.aggregates.len() + needed.quantiles.len() > MAX_AGGREGATES {
            return Err(Refusal::new(Rule::TooManyColumns));
        }
        let units = |aggregate: &Aggregate| aggregate.function.counts_units();
        let repeated = groups_per_unit > 1 && needed.aggregates.iter().any(units);
        let adds_up = !open && !repeated && distinct == 0 && needed.quantiles.is_empty();
        let (aggregates, order) = canonical_order(needed.aggregates);
        let of_each = needed.quantiles.len() * parts;
        let quantiles = needed.quantiles.into_iter().map(|(expr, rank)| {
            let candidates = candidates(shape, &expr, listed, of_each)?;
            Ok(Quantile {
                expr,
                rank,
                candidates,
            })
        });
        let (quantiles, quantile_order) = canonical_order(quantiles.collect::<Planned<Vec<_>>>()?);
        for measure in measures.iter_mut().flatten() {
            measure.renumber(&order, &quantile_order);
        }
        let mut core = PlanCore {
            format: PlanCore::FORMAT,
            tables: self.below.scans.clone(),
            public: self.below.public.clone(),
            source: self.below.source.clone(),
            unit: shape.unit,
            filter: self.below.filter.clone(),
            keys,
            cells: listed,
            groups_per_unit,
            aggregates,
            quantiles,
        };
        if open {
            core.cells = core.most_found();
        }
        Ok(Draft {
            core,
            keys: places,
            measures,
            adds_up,
        })
    }

    /// What the calls need, and their figures, where a unit counts in so many groups.
    fn measured(&self, groups_per_unit: u32) -> Planned<(Needed, Vec<Option<Measure>>)> {
        let mut needed = Needed::default();
        let mut measures = Vec::with_capacity(self.calls.len());
        for call in &self.calls {
            let mut moments = Moments {
                shape: &self.below.shape,
                lowering: self.lowering,
                groups_per_unit,
                needed: &mut needed,
            };
            let measure = call.map(|call| {
                let place = || call.params.args.iter().find_map(place_of);
                moments
                    .measure(call)
                    .map_err(|refusal| refusal.with_span(place()))
            });
            measures.push(measure.transpose()?);
        }
        Ok((needed, measures))
    }

    /// The most different values that are counted in all cells.
    fn distinct_values(&self, needed: &Needed, groups_per_unit: u32) -> u64 {
        let each = u64::from(groups_per_unit) * self.below.shape.unit.max_units;
        let distinct = needed
            .aggregates
            .iter()
            .filter(|aggregate| aggregate.function.is_distinct());
        distinct
            .map(|aggregate| each.saturating_mul(aggregate.unit_most.unsigned_abs()))
            .fold(0, u64::saturating_add)
    }

    /// A key as it is written, with its cells.
    pub(super) fn key(&self, expr: &Expr) -> Planned<GroupKey> {
        key(self.below, self.lowering, expr, self.calendar_nanos)
            .map_err(|refusal| refusal.with_span(place_of(expr)))
    }
}

/// How many cells these keys have together.
pub(super) fn count_cells(keys: &[GroupKey]) -> u64 {
    keys.iter()
        .fold(1u64, |cells, key| cells.saturating_mul(key.cells.count()))
}

fn key(
    below: &PerUnit,
    lowering: &Lowering<'_>,
    expr: &Expr,
    calendar_nanos: &Cell<u64>,
) -> Planned<GroupKey> {
    let span = match expr {
        Expr::Column(column) => column_span(column),
        _ => None,
    };
    let lowered = lowering.expr(expr)?;
    let field_type = lowering.field_type(&lowered)?;
    let (columns, filter) = (&below.shape.columns, below.filter.as_ref());
    if let Some(known) = calendar::known(columns, filter, &lowered, field_type, calendar_nanos) {
        return Ok(GroupKey {
            expr: lowered,
            cells: known.cells,
            can_be_null: known.can_be_null,
        });
    }
    let cells = match (key_cells(columns, &lowered)?, field_type) {
        (Some(cells), _) => cells,
        (None, FieldType::Number | FieldType::Boolean) => {
            return Err(Refusal::about(Rule::UndeclaredDomain, expr.to_string()).with_span(span));
        }
        (None, other) => KeyCells::Open(other),
    };
    Ok(GroupKey {
        expr: lowered,
        cells,
        can_be_null: true,
    })
}

/// A key whose values are to be found, where the calendar between the times of a query has too many for all of them.
fn found(columns: &SourceColumns, key: GroupKey) -> Planned<GroupKey> {
    Ok(match key_cells(columns, &key.expr)? {
        Some(_) => key,
        None => GroupKey {
            cells: KeyCells::Open(key.cells.field_type()),
            ..key
        },
    })
}

/// The cells of a key: a declared domain, or one derived from the expression.
fn key_cells(columns: &SourceColumns, expr: &ScalarExpr) -> Planned<Option<KeyCells>> {
    let field_type = expr.field_type(&columns.types());
    let field_type = field_type.ok_or_else(|| Refusal::new(Rule::UnsupportedExpression))?;
    Ok(match field_type {
        FieldType::Boolean => Some(KeyCells::Boolean),
        FieldType::Text => match expr {
            ScalarExpr::Column(column) => {
                let texts = columns.0.get(*column).and_then(|column| column.texts.clone());
                texts.map(|(values, other)| KeyCells::Text { values, other })
            }
            other => {
                let mut values = vec![];
                constant_texts(other, &mut values).then_some(KeyCells::Text { values, other: false })
            }
        },
        FieldType::Integer if let Some(values) = listed(columns, expr) => Some(KeyCells::Integers { values }),
        FieldType::Integer => match range(expr, columns) {
            Some(Range::Integer(lo, hi)) if i128::from(hi) - i128::from(lo) < i128::from(MAX_KEY_VALUES) => {
                Some(KeyCells::Integer { lo, hi })
            }
            _ => None,
        },
        FieldType::Number | FieldType::Date | FieldType::Timestamp => None,
    })
}

/// The integers of a column that is given with a list of them.
fn listed(columns: &SourceColumns, expr: &ScalarExpr) -> Option<Vec<i64>> {
    match expr {
        ScalarExpr::Column(column) => columns.0.get(*column)?.integers.clone(),
        _ => None,
    }
}

/// The least C: min(5, cells, rows per unit), and 1 where every key is a unit-static column as it stands.
fn groups_per_unit(shape: &Shape, keys: &[GroupKey], cells: u32) -> u32 {
    let fixed = |key: &GroupKey| match &key.expr {
        ScalarExpr::Column(column) => shape
            .columns
            .0
            .get(*column)
            .is_some_and(|column| column.unit_static),
        _ => false,
    };
    if keys.iter().all(fixed) {
        return 1;
    }
    MAX_GROUPS_PER_UNIT.min(cells).min(shape.unit.max_rows_per_unit)
}

/// The candidates of a quantile, as many as the cells leave room for.
fn candidates(shape: &Shape, expr: &ScalarExpr, cells: u32, quantiles: usize) -> Planned<Candidates> {
    let bounds = range(expr, &shape.columns).filter(|range| range.is_bounded());
    let bounds = bounds.ok_or_else(|| Refusal::new(Rule::MissingBounds))?;
    let each = u64::from(cells).saturating_mul(quantiles as u64).max(1);
    let room = u32::try_from(u64::from(MAX_ALL_CANDIDATES) / each).unwrap_or(MAX_CANDIDATES);
    if room < MIN_CANDIDATES {
        let most = MAX_ALL_CANDIDATES / MIN_CANDIDATES;
        return Err(Refusal::about(
            Rule::TooManyCells,
            format!("{each} quantiles in all cells, at most {most}"),
        ));
    }
    let room = room.min(MAX_CANDIDATES);
    let number = |x: f64| Real::new(x).ok_or_else(|| Refusal::new(Rule::MissingBounds));
    Ok(match bounds {
        Range::Integer(lo, hi) => {
            let width = hi.saturating_sub(lo);
            let step = (width / i64::from(room)).saturating_add(1);
            let count = u32::try_from(width / step).unwrap_or(room).saturating_add(1);
            Candidates::Integer { lo, step, count }
        }
        Range::Number(lo, hi) if hi > lo => Candidates::Number {
            lo: number(lo)?,
            step: number((hi - lo) / f64::from(room - 1))?,
            count: room,
        },
        Range::Number(lo, _) => Candidates::Number {
            lo: number(lo)?,
            step: number(1.0)?,
            count: 1,
        },
    })
}

/// Puts an aggregate on its integer grid.
pub(crate) fn aggregate(
    shape: &Shape,
    function: AggregateFunction,
    groups_per_unit: u32,
) -> Planned<Aggregate> {
    let unit = shape.unit;
    let rows = i128::from(unit.max_rows_per_unit);
    let (exponent, row_lo, row_hi) = match &function {
        AggregateFunction::CountRows | AggregateFunction::CountValues(_) => (0, 0, 1),
        AggregateFunction::CountUnits
        | AggregateFunction::CountUnitsWhere(_)
        | AggregateFunction::CountDistinct { .. } => (0, 0, 1),
        AggregateFunction::Sum(expr) => {
            let bounds = range(expr, &shape.columns).filter(|r| r.is_bounded());
            let bounds = bounds.ok_or_else(|| Refusal::new(Rule::MissingBounds))?;
            grid(unit, bounds)
        }
    };
    let (spread, unit_most) = match function {
        AggregateFunction::CountUnits | AggregateFunction::CountUnitsWhere(_) => (groups_per_unit, 1),
        AggregateFunction::CountDistinct { per_unit, .. } => (
            distinct_spread(&unit, groups_per_unit, per_unit),
            rows.min(per_unit.into()),
        ),
        _ => (
            1,
            (rows * i128::from(row_lo.unsigned_abs().max(row_hi.unsigned_abs()))).max(1),
        ),
    };
    if i128::from(unit.max_units) * unit_most >= MAX_TOTAL {
        return Err(Refusal::new(Rule::TotalTooLarge));
    }
    let unit_most = i64::try_from(unit_most).map_err(|_| Refusal::new(Rule::TotalTooLarge))?;
    Ok(Aggregate {
        function,
        exponent,
        row_lo,
        row_hi,
        spread,
        unit_most,
    })
}

/// The grid of a sum: powers of two, so that scaling is exact. Integers get steps of 1 wherever the total fits;
/// doubles get up to 31 bits below their bound, which keeps the cut (one step a row) far below the noise.
fn grid(unit: UnitDeclaration, bounds: Range) -> (i32, i64, i64) {
    let bits = |n: u64| i32::try_from(u64::BITS - n.leading_zeros()).unwrap_or(64);
    let room = 61 - bits(unit.max_units) - bits(unit.max_rows_per_unit.into());
    let (lo, hi) = bounds.ends();
    let most = lo.abs().max(hi.abs());
    // The least e with most ≤ 2^e.
    let mut e = -1_000;
    while f64::from(e).exp2() < most {
        e += 1;
    }
    let exponent = match bounds {
        Range::Integer(..) => (e - room).max(0),
        Range::Number(..) if most == 0.0 => 0,
        Range::Number(..) => e - room.min(31),
    };
    let step = f64::from(exponent).exp2();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within 2^61 by the choice of the exponent"
    )]
    let cut = |x: f64| (x / step).trunc() as i64;
    (exponent, cut(lo), cut(hi))
}

/// Keeps the columns that are used, and renumbers.
pub(super) fn number_columns(core: &mut PlanCore) -> Planned<()> {
    let broken = || Refusal::new(Rule::UnsupportedPlan);
    let mut used = vec![false; core.column_types().len()];
    for expr in expressions(core) {
        mark(expr, &mut used);
    }
    let places = core
        .source
        .prune(&used, &mut core.tables, &core.public)
        .ok_or_else(broken)?;
    for expr in expressions(core) {
        renumber(expr, &places).ok_or_else(broken)?;
    }
    Ok(())
}

fn expressions(core: &mut PlanCore) -> Vec<&mut ScalarExpr> {
    let mut all: Vec<&mut ScalarExpr> = core.filter.iter_mut().collect();
    all.extend(core.keys.iter_mut().map(|key| &mut key.expr));
    all.extend(core.quantiles.iter_mut().map(|quantile| &mut quantile.expr));
    let aggregates = core.aggregates.iter_mut();
    all.extend(aggregates.filter_map(|aggregate| aggregate.function.expr_mut()));
    all
}

/// Collects the texts that an expression of constants and CASE can give; false if it can give others.
fn constant_texts(expr: &ScalarExpr, into: &mut Vec<String>) -> bool {
    match expr {
        ScalarExpr::Literal(Literal::Text(text)) => {
            if !into.contains(text) {
                into.push(text.clone());
            }
            true
        }
        ScalarExpr::Literal(Literal::Null(_)) => true,
        ScalarExpr::Case { when, otherwise } => {
            when.iter().all(|(_, value)| constant_texts(value, into)) && constant_texts(otherwise, into)
        }
        ScalarExpr::Call(Function::Coalesce, args) => args.iter().all(|arg| constant_texts(arg, into)),
        ScalarExpr::Call(function, _) => function.texts().is_some_and(|texts| {
            for text in texts {
                if !into.iter().any(|known| known == text) {
                    into.push((*text).to_owned());
                }
            }
            true
        }),
        _ => false,
    }
}

/// Sorts and removes repeats; also tells where each of the given things went.
pub(super) fn canonical_order<T: serde::Serialize + PartialEq>(written: Vec<T>) -> (Vec<T>, Vec<usize>) {
    let names: Vec<String> = written.iter().map(canonical_key).collect();
    let mut sorted: Vec<(String, T)> = names.iter().cloned().zip(written).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted.dedup_by(|a, b| a.0 == b.0);
    let place = |name: &String| sorted.partition_point(|(other, _)| other < name);
    let places = names.iter().map(place).collect();
    (sorted.into_iter().map(|(_, thing)| thing).collect(), places)
}
