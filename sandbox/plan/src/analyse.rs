//! The decision: from the analysed logical plan to a [`PrivatePlan`], or a refusal. Fail-closed over every variant of
//! plan and expression: what is not named is refused.

mod above;
mod grouping;
mod join;
mod occurring;
mod per_unit;
mod shape;

use std::sync::Arc;

use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, SchemaError};
use datafusion_expr::{Aggregate as PlannerGrouping, Expr, LogicalPlan};
use datafusion_optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion_optimizer::{Analyzer, AnalyzerRule};
use datafusion_sql::planner::{ParserOptions, SqlToRel};
use datafusion_sql::sqlparser::ast::Statement;
use model::{FieldType, Level, UnitDeclaration};

use self::above::Above;
use self::grouping::{grouping_bits, grouping_sets};
use crate::context::Context;
use crate::interval::{Range, range};
use crate::lower::{Bound, Lowering, canonical_key, column_span};
use crate::moments::Moments;
use crate::parse;
use crate::plan::{
    Aggregate, AggregateFunction, Candidates, GroupKey, KeyCells, MAX_AGGREGATES, MAX_ALL_CANDIDATES,
    MAX_CANDIDATES, MAX_CELLS, MAX_DISTINCT, MAX_GROUPS_PER_UNIT, MAX_KEY_VALUES, MAX_KEYS, MAX_REPLY,
    MAX_TOTAL, MIN_CANDIDATES, OutputColumn, PlanCore, PrivatePlan, Quantile, distinct_spread, most_found,
};
use crate::public::PublicTable;
use crate::refusal::{Planned, Refusal, Rule, Span};
use crate::relation::{Relation, Tables};
use crate::release::{ReleasedColumn, Step};
use crate::scalar::{Function, Literal, Real, ScalarExpr};
use crate::source::{ScanTable, Shape, Source, SourceColumns, mark, renumber};

/// Planning walks expressions recursively; their depth is capped, and this is room for it.
const STACK: usize = 64 * 1024 * 1024;

/// The longest name of an output column, in characters.
const MAX_NAME: usize = 200;

/// The most parts that the expressions of one projection may have once those below are put into them.
const MAX_EXPRESSIONS: usize = 20_000;

/// Decides on a query over protected datasets, and public relations that stand for what in it is public.
///
/// # Errors
/// A [`Refusal`] with the rule it breaks, the place, and a hint. Refusals depend on the query and the declaration alone.
pub fn plan<'a>(sql: &str, tables: impl Into<Tables<'a>>) -> Result<PrivatePlan, Refusal> {
    let tables = tables.into();
    on_large_stack(|| {
        let statement = parse::parse(sql, tables)?;
        crate::travel::checked(decide(statement, tables)?)
    })
}

/// Runs on a thread of its own: deep expressions need the stack, and a panic in the planner ends there.
pub(crate) fn on_large_stack<T: Send>(work: impl FnOnce() -> Planned<T> + Send) -> Planned<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("sandbox-plan".to_owned())
            .stack_size(STACK);
        match thread
            .spawn_scoped(scope, work)
            .map(std::thread::ScopedJoinHandle::join)
        {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(Refusal::about(Rule::InvalidQuery, crate::refusal::PANICKED)),
        }
    })
}

/// The decision proper. It does not rely on the shape check of [`parse`].
pub(crate) fn decide(statement: Statement, tables: Tables<'_>) -> Planned<PrivatePlan> {
    if !matches!(statement, Statement::Query(_)) {
        return Err(Refusal::new(Rule::SelectOnly));
    }
    let context = Context::new(tables);
    let options = ParserOptions {
        collect_spans: true,
        map_string_types_to_utf8view: false,
        parse_float_as_decimal: false,
        ..ParserOptions::default()
    };
    let logical = SqlToRel::new_with_options(&context, options)
        .sql_statement_to_plan(statement)
        .map_err(|e| planner_refusal(&e))?;
    let rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![Arc::new(TypeCoercion::new())];
    let analysed = Analyzer::with_rules(rules)
        .execute_and_check(logical, &ConfigOptions::default(), |_, _| {})
        .map_err(|e| planner_refusal(&e))?;
    let plan = Decision { tables }.query(&analysed)?;
    if plan.core.reply_bytes() > MAX_REPLY {
        return Err(Refusal::about(
            Rule::TooManyCells,
            format!("up to {} undeclared cells", plan.core.cells),
        ));
    }
    if plan.is_too_slow() {
        return Err(Refusal::new(Rule::TooSlow));
    }
    if plan.check().is_err() {
        return Err(Refusal::new(Rule::UnsupportedPlan));
    }
    Ok(plan)
}

/// Whether the dataset is one the sandbox queries.
fn admit(relation: &Relation) -> Planned<UnitDeclaration> {
    if relation.level != Level::L3 {
        return Err(Refusal::about(Rule::WrongLevel, relation.level.to_string()));
    }
    relation.metadata.unit().ok_or_else(|| Refusal::new(Rule::NoUnit))
}

fn planner_refusal(error: &DataFusionError) -> Refusal {
    let span = error.diagnostic().and_then(|d| d.span).map(|span| Span {
        line: span.start.line,
        column: span.start.column,
        end_line: span.end.line,
        end_column: span.end.column,
    });
    let refusal = match error.find_root() {
        DataFusionError::SchemaError(schema, _) => match &**schema {
            SchemaError::FieldNotFound { field, .. } => {
                Refusal::about(Rule::UnknownColumn, field.name.clone())
            }
            other => Refusal::about(Rule::InvalidQuery, other.to_string()),
        },
        root => Refusal::about(Rule::InvalidQuery, root.strip_backtrace()),
    };
    refusal.with_span(span)
}

pub(crate) struct Decision<'a> {
    pub(crate) tables: Tables<'a>,
}

/// A relation whose rows each belong to one unit.
pub(crate) struct PerUnit {
    /// The protected tables that it reads.
    pub(crate) scans: Vec<ScanTable>,
    /// The public relations that it is joined with.
    pub(crate) public: Vec<PublicTable>,
    /// How its rows are made.
    pub(crate) source: Source,
    /// The source's columns and sizes.
    pub(crate) shape: Shape,
    /// What the names in sight stand for, over the source's columns.
    pub(crate) columns: Vec<Bound>,
    /// Rows where this is not true are left out.
    pub(crate) filter: Option<ScalarExpr>,
}

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

    /// A quantile of a rank in thousandths.
    pub(crate) fn place_quantile(&mut self, expr: ScalarExpr, rank: u32) -> usize {
        place_in(&mut self.quantiles, (expr, rank))
    }
}

impl Decision<'_> {
    fn query(&self, plan: &LogicalPlan) -> Planned<PrivatePlan> {
        let mut above = self.above(plan)?;
        let mut output = Vec::with_capacity(above.columns.len());
        for (bound, field) in above.columns.iter().zip(plan.schema().fields()) {
            let Bound::Value(expr) = bound else {
                return Err(Refusal::new(Rule::UnitKey));
            };
            output.push(OutputColumn {
                name: field.name().chars().take(MAX_NAME).collect(),
                expr: expr.clone(),
            });
        }
        number_columns(&mut above.core)?;
        Ok(PrivatePlan {
            core: above.core,
            sets: above.sets,
            released: above.released,
            steps: above.steps,
            output,
        })
    }

    /// The aggregation by which figures are released.
    fn released(&self, grouping: &PlannerGrouping) -> Planned<Above> {
        let below = self.per_unit(&grouping.input)?;
        let types = below.shape.columns.types();
        let lowering = below.lowering(grouping.input.schema(), &types);
        let (written, sets) = grouping_sets(&grouping.group_expr)?;
        if written.len() > MAX_KEYS {
            return Err(Refusal::new(Rule::TooManyColumns));
        }
        let keys = written
            .iter()
            .map(|expr| key(&below, &lowering, expr))
            .collect::<Planned<Vec<GroupKey>>>()?;
        let (keys, places) = canonical_order(keys);
        let cells = keys
            .iter()
            .fold(1u64, |n, key| n.saturating_mul(key.cells.count()));
        let open = keys.iter().any(|key| matches!(key.cells, KeyCells::Open(_)));
        if open && sets.is_some() {
            // What is not shown would be missing from the totals.
            return Err(Refusal::new(Rule::OpenSets));
        }
        let most = u64::from(MAX_CELLS) / sets.as_ref().map_or(1, |sets| sets.len().max(1) as u64);
        let too_many =
            |cells: u64| Refusal::about(Rule::TooManyCells, format!("{cells} cells, at most {most}"));
        let listed = u32::try_from(cells).ok().filter(|n| u64::from(*n) <= most);
        let listed = listed.ok_or_else(|| too_many(cells))?;
        let sets = sets.map(|sets| -> Vec<Vec<usize>> {
            let place = |set: Vec<usize>| {
                let mut set: Vec<usize> = set.into_iter().map(|key| places[key]).collect();
                set.sort_unstable();
                set.dedup();
                set
            };
            sets.into_iter().map(place).collect()
        });
        let groups_per_unit = groups_per_unit(&below.shape, &keys, if open { u32::MAX } else { listed });
        let cells = if open {
            most_found(&below.shape.unit, groups_per_unit)
        } else {
            listed
        };
        let mut released: Vec<ReleasedColumn> = places.iter().map(|key| ReleasedColumn::Key(*key)).collect();
        if sets.is_some() {
            // The planner's own column, in its own order of bits.
            released.push(ReleasedColumn::Grouping(places.clone()));
        }
        if grouping.aggr_expr.is_empty() {
            return Err(Refusal::new(Rule::Rows));
        }
        let mut needed = Needed::default();
        for expr in &grouping.aggr_expr {
            let mut expr = expr;
            while let Expr::Alias(alias) = expr {
                expr = &alias.expr;
            }
            let Expr::AggregateFunction(call) = expr else {
                return Err(Refusal::new(Rule::UnsupportedExpression));
            };
            let column = if call.func.name() == "grouping" {
                ReleasedColumn::Grouping(grouping_bits(call, &written, &places)?)
            } else {
                let mut moments = Moments {
                    shape: &below.shape,
                    lowering: &lowering,
                    groups_per_unit,
                    needed: &mut needed,
                };
                ReleasedColumn::Measure(moments.measure(call)?)
            };
            released.push(column);
        }
        if needed.aggregates.is_empty() && needed.quantiles.is_empty() {
            return Err(Refusal::new(Rule::Rows));
        }
        if !needed.quantiles.is_empty() && (open || sets.is_some()) {
            return Err(Refusal::new(Rule::QuantileCells));
        }
        let distinct: Vec<&Aggregate> = needed
            .aggregates
            .iter()
            .filter(|aggregate| aggregate.function.is_distinct())
            .collect();
        if !distinct.is_empty() {
            // Unions of sets add up to no total, and those of found cells have no bound.
            if open || sets.is_some() {
                return Err(Refusal::new(Rule::DistinctCells));
            }
            let each = u64::from(groups_per_unit) * below.shape.unit.max_units;
            let values: u64 = distinct
                .iter()
                .map(|aggregate| each.saturating_mul(aggregate.unit_most.unsigned_abs()))
                .fold(0, u64::saturating_add);
            if values > MAX_DISTINCT {
                return Err(Refusal::about(Rule::DistinctCells, format!("{values} values")));
            }
        }
        if open {
            // Hidden unless it is asked for: which cells are shown is decided by it.
            needed.place(aggregate(
                &below.shape,
                AggregateFunction::CountUnits,
                groups_per_unit,
            )?);
        }
        if needed.aggregates.len() + needed.quantiles.len() > MAX_AGGREGATES {
            return Err(Refusal::new(Rule::TooManyColumns));
        }
        let units = |aggregate: &Aggregate| aggregate.function == AggregateFunction::CountUnits;
        if sets.is_some() && groups_per_unit > 1 && needed.aggregates.iter().any(units) {
            // Units that are in several cells would be counted several times in a total.
            return Err(Refusal::new(Rule::TotalOfUnits));
        }
        // C limits what counting a unit in several groups costs. Where nothing counts units, groups cost nothing, and leaving
        // some out would only be an error more.
        let by_row = |aggregate: &Aggregate| aggregate.function.adds_by_row();
        let groups_per_unit = if !open
            && needed.quantiles.is_empty()
            && needed.aggregates.iter().all(by_row)
            && groups_per_unit > 1
        {
            listed.min(below.shape.unit.max_rows_per_unit)
        } else {
            groups_per_unit
        };
        let (aggregates, order) = canonical_order(needed.aggregates);
        let of_each = needed.quantiles.len();
        let quantiles = needed.quantiles.into_iter().map(|(expr, rank)| {
            let candidates = candidates(&below.shape, &expr, cells, of_each)?;
            Ok(Quantile {
                expr,
                rank,
                candidates,
            })
        });
        let (quantiles, quantile_order) = canonical_order(quantiles.collect::<Planned<Vec<_>>>()?);
        for column in &mut released {
            if let ReleasedColumn::Measure(measure) = column {
                measure.renumber(&order, &quantile_order);
            }
        }
        let steps = if open || sets.is_some() {
            vec![]
        } else {
            let occurring = occurring::conditions(&below, &keys, &released, cells);
            occurring.into_iter().map(Step::Filter).collect()
        };
        let core = PlanCore {
            format: PlanCore::FORMAT,
            tables: below.scans,
            public: below.public,
            source: below.source,
            unit: below.shape.unit,
            filter: below.filter,
            keys,
            cells,
            groups_per_unit,
            aggregates,
            quantiles,
        };
        let types = released.iter().map(|column| column.field_type(&core)).collect();
        let columns = (0..released.len())
            .map(|at| Bound::Value(ScalarExpr::Column(at)))
            .collect();
        Ok(Above {
            core,
            sets,
            released,
            types,
            steps,
            columns,
        })
    }
}

fn key(below: &PerUnit, lowering: &Lowering<'_>, expr: &Expr) -> Planned<GroupKey> {
    let span = match expr {
        Expr::Column(column) => column_span(column),
        _ => None,
    };
    let lowered = lowering.expr(expr)?;
    let cells = match key_cells(&below.shape.columns, &lowered)? {
        Some(cells) => cells,
        None => match lowering.field_type(&lowered)? {
            FieldType::Number | FieldType::Boolean => {
                return Err(Refusal::about(Rule::UndeclaredDomain, expr.to_string()).with_span(span));
            }
            other => KeyCells::Open(other),
        },
    };
    Ok(GroupKey { expr: lowered, cells })
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

/// C = min(5, cells, rows per unit), and 1 where every key is a unit-static column as it stands.
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
        AggregateFunction::CountUnits | AggregateFunction::CountDistinct { .. } => (0, 0, 1),
        AggregateFunction::Sum(expr) => {
            let bounds = range(expr, &shape.columns).filter(|r| r.is_bounded());
            let bounds = bounds.ok_or_else(|| Refusal::new(Rule::MissingBounds))?;
            grid(unit, bounds)
        }
    };
    let (spread, unit_most) = match function {
        AggregateFunction::CountUnits => (groups_per_unit, 1),
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
fn number_columns(core: &mut PlanCore) -> Planned<()> {
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
fn canonical_order<T: serde::Serialize + PartialEq>(written: Vec<T>) -> (Vec<T>, Vec<usize>) {
    let names: Vec<String> = written.iter().map(canonical_key).collect();
    let mut sorted: Vec<(String, T)> = names.iter().cloned().zip(written).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted.dedup_by(|a, b| a.0 == b.0);
    let place = |name: &String| sorted.partition_point(|(other, _)| other < name);
    let places = names.iter().map(place).collect();
    (sorted.into_iter().map(|(_, thing)| thing).collect(), places)
}

fn bound_size(bound: &Bound) -> usize {
    match bound {
        Bound::Value(expr) => size(expr),
        Bound::UnitKey | Bound::OtherKey => 1,
    }
}

fn size(expr: &ScalarExpr) -> usize {
    1 + expr.children().into_iter().map(size).sum::<usize>()
}
