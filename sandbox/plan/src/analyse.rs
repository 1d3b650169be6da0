//! The decision: from the analysed logical plan to a [`PrivatePlan`], or a refusal. Fail-closed over every variant of
//! plan and expression: what is not named is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, SchemaError, TableReference};
use datafusion_expr::expr::AggregateFunction as PlannerAggregate;
use datafusion_expr::{Aggregate as PlannerGrouping, Expr, LogicalPlan, Projection};
use datafusion_optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion_optimizer::{Analyzer, AnalyzerRule};
use datafusion_sql::planner::{ParserOptions, SqlToRel};
use datafusion_sql::sqlparser::ast::Statement;
use model::{FieldRole, FieldType, Level, UnitDeclaration, UnitType};

use crate::context::Context;
use crate::interval::{Range, range};
use crate::lower::{Lowering, canonical_key, column_span};
use crate::parse;
use crate::plan::{
    Aggregate, AggregateFunction, GroupKey, KeyCells, MAX_AGGREGATES, MAX_CELLS, MAX_GROUPS_PER_UNIT,
    MAX_KEY_VALUES, MAX_KEYS, MAX_TOTAL, OutputColumn, OutputSource, PlanCore, PrivatePlan, ScanColumn,
};
use crate::refusal::{Planned, Refusal, Rule, Span};
use crate::relation::Relation;
use crate::scalar::{Literal, Real, ScalarExpr};

/// Planning walks expressions recursively; their depth is capped, and this is room for it.
const STACK: usize = 64 * 1024 * 1024;

/// The longest worst case of one core that is taken: ten minutes.
const MAX_NANOS: u64 = 600 * 1_000_000_000;

/// Decides on a query over one protected dataset.
///
/// # Errors
/// A [`Refusal`] with the rule it breaks, the place, and a hint. Refusals depend on the query and the declaration alone.
pub fn plan(sql: &str, relation: &Relation) -> Result<PrivatePlan, Refusal> {
    on_large_stack(|| {
        let statement = parse::parse(sql, relation)?;
        decide(statement, relation)
    })
}

/// Runs on a thread of its own: deep expressions need the stack, and a panic in the planner ends there.
fn on_large_stack<T: Send>(work: impl FnOnce() -> Planned<T> + Send) -> Planned<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("sandbox-plan".to_owned())
            .stack_size(STACK);
        match thread
            .spawn_scoped(scope, work)
            .map(std::thread::ScopedJoinHandle::join)
        {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(Refusal::about(
                Rule::InvalidQuery,
                "the planner could not read it",
            )),
        }
    })
}

/// The decision proper. It does not rely on the shape check of [`parse`].
pub(crate) fn decide(statement: Statement, relation: &Relation) -> Planned<PrivatePlan> {
    let unit = admit(relation)?;
    if !matches!(statement, Statement::Query(_)) {
        return Err(Refusal::new(Rule::SelectOnly));
    }
    let context = Context::new(relation);
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
    let plan = Decision {
        relation,
        unit,
        lowering: Lowering::new(&relation.metadata),
    }
    .query(&analysed)?;
    if plan.core.check().is_err() {
        return Err(Refusal::new(Rule::UnsupportedPlan));
    }
    if plan.core.worst_case_nanos() > MAX_NANOS {
        return Err(Refusal::new(Rule::TooSlow));
    }
    Ok(plan)
}

/// Whether the dataset is one the sandbox queries.
fn admit(relation: &Relation) -> Planned<UnitDeclaration> {
    if relation.level != Level::L3 {
        return Err(Refusal::about(Rule::WrongLevel, relation.level.to_string()));
    }
    if relation.special {
        return Err(Refusal::new(Rule::SpecialDataset));
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

struct Decision<'a> {
    relation: &'a Relation,
    unit: UnitDeclaration,
    lowering: Lowering<'a>,
}

impl Decision<'_> {
    fn query(&self, plan: &LogicalPlan) -> Planned<PrivatePlan> {
        let LogicalPlan::Projection(projection) = plan else {
            return Err(not_above(plan));
        };
        let LogicalPlan::Aggregate(grouping) = &*projection.input else {
            return Err(not_above(&projection.input));
        };
        let filter = self.per_unit(&grouping.input)?;
        let (keys, key_positions) = self.keys(grouping)?;
        let cells = keys
            .iter()
            .fold(1u64, |n, key| n.saturating_mul(key.cells.count()));
        let cells = u32::try_from(cells)
            .ok()
            .filter(|n| *n <= MAX_CELLS)
            .ok_or_else(|| {
                Refusal::about(Rule::TooManyCells, format!("{cells} cells, at most {MAX_CELLS}"))
            })?;
        let groups_per_unit = self.groups_per_unit(&keys, cells);
        let (aggregates, aggregate_positions) = self.aggregates(grouping, groups_per_unit)?;
        let output = output(projection, grouping, &key_positions, &aggregate_positions)?;
        let mut core = PlanCore {
            format: PlanCore::FORMAT,
            dataset: self.relation.dataset,
            version: self.relation.version,
            unit: self.unit,
            zone: self.relation.metadata.zone().to_owned(),
            columns: vec![],
            filter,
            keys,
            cells,
            groups_per_unit,
            aggregates,
        };
        self.number_columns(&mut core);
        Ok(PrivatePlan { core, output })
    }

    /// Below the aggregation: filters over the one table. Returns their conjunction.
    fn per_unit(&self, plan: &LogicalPlan) -> Planned<Option<ScalarExpr>> {
        match plan {
            LogicalPlan::Filter(filter) => {
                let below = self.per_unit(&filter.input)?;
                let own = self.lowering.condition(&filter.predicate)?;
                Ok(Some(match below {
                    None => own,
                    Some(below) => ScalarExpr::And(vec![below, own]),
                }))
            }
            LogicalPlan::SubqueryAlias(alias) => match &*alias.input {
                LogicalPlan::TableScan(_) => self.per_unit(&alias.input),
                _ => Err(Refusal::new(Rule::Subquery)),
            },
            LogicalPlan::TableScan(scan) => {
                let known = matches!(&scan.table_name, TableReference::Bare { table }
                    if **table == *self.relation.sql_name());
                if !known {
                    return Err(Refusal::about(Rule::UnknownTable, scan.table_name.to_string()));
                }
                if !scan.filters.is_empty() || scan.fetch.is_some() {
                    return Err(Refusal::new(Rule::UnsupportedPlan));
                }
                Ok(None)
            }
            other => Err(not_below(other)),
        }
    }

    /// The keys in canonical order, and the canonical place of each as written.
    fn keys(&self, grouping: &PlannerGrouping) -> Planned<(Vec<GroupKey>, Vec<usize>)> {
        if grouping.group_expr.len() > MAX_KEYS {
            return Err(Refusal::new(Rule::TooManyColumns));
        }
        let written = grouping
            .group_expr
            .iter()
            .map(|expr| self.key(expr))
            .collect::<Planned<Vec<GroupKey>>>()?;
        Ok(canonical_order(written))
    }

    fn key(&self, expr: &Expr) -> Planned<GroupKey> {
        let span = match expr {
            Expr::Column(column) => column_span(column),
            _ => None,
        };
        let lowered = self.lowering.expr(expr)?;
        let cells = self
            .key_cells(&lowered)?
            .ok_or_else(|| Refusal::about(Rule::UndeclaredDomain, expr.to_string()).with_span(span))?;
        Ok(GroupKey { expr: lowered, cells })
    }

    /// The cells of a key: a declared domain, or one derived from the expression.
    fn key_cells(&self, expr: &ScalarExpr) -> Planned<Option<KeyCells>> {
        Ok(match self.lowering.field_type(expr)? {
            FieldType::Boolean => Some(KeyCells::Boolean),
            FieldType::Text => match expr {
                ScalarExpr::Column(column) => {
                    let domain = self.relation.metadata.fields()[*column].domain.as_ref();
                    domain.map(|domain| KeyCells::Text {
                        values: domain.values().to_vec(),
                        other: true,
                    })
                }
                other => {
                    let mut values = vec![];
                    constant_texts(other, &mut values).then_some(KeyCells::Text { values, other: false })
                }
            },
            FieldType::Integer => match range(expr, &self.declared()[..]) {
                Some(Range::Integer(lo, hi))
                    if i128::from(hi) - i128::from(lo) < i128::from(MAX_KEY_VALUES) =>
                {
                    Some(KeyCells::Integer { lo, hi })
                }
                _ => None,
            },
            FieldType::Number | FieldType::Date | FieldType::Timestamp => None,
        })
    }

    /// C = min(5, cells, rows per unit), and 1 where every key is a unit-static column as it stands.
    fn groups_per_unit(&self, keys: &[GroupKey], cells: u32) -> u32 {
        let fields = self.relation.metadata.fields();
        let fixed = keys
            .iter()
            .all(|key| matches!(&key.expr, ScalarExpr::Column(column) if fields[*column].unit_static));
        if fixed {
            return 1;
        }
        MAX_GROUPS_PER_UNIT.min(cells).min(self.unit.max_rows_per_unit)
    }

    fn aggregates(
        &self,
        grouping: &PlannerGrouping,
        groups_per_unit: u32,
    ) -> Planned<(Vec<Aggregate>, Vec<usize>)> {
        if grouping.aggr_expr.is_empty() {
            return Err(Refusal::new(Rule::Rows));
        }
        if grouping.aggr_expr.len() > MAX_AGGREGATES {
            return Err(Refusal::new(Rule::TooManyColumns));
        }
        let mut written = Vec::with_capacity(grouping.aggr_expr.len());
        for expr in &grouping.aggr_expr {
            let mut expr = expr;
            while let Expr::Alias(alias) = expr {
                expr = &alias.expr;
            }
            let Expr::AggregateFunction(call) = expr else {
                return Err(Refusal::new(Rule::UnsupportedExpression));
            };
            written.push(self.aggregate(self.aggregate_function(call)?, groups_per_unit)?);
        }
        Ok(canonical_order(written))
    }

    fn aggregate_function(&self, call: &PlannerAggregate) -> Planned<AggregateFunction> {
        let params = &call.params;
        if params.filter.is_some() || !params.order_by.is_empty() || params.null_treatment.is_some() {
            return Err(Refusal::new(Rule::AggregateClause));
        }
        let [argument] = params.args.as_slice() else {
            return Err(Refusal::new(Rule::UnsupportedExpression));
        };
        match (call.func.name(), params.distinct) {
            ("count", true) => match argument {
                Expr::Column(column) if self.is_unit_key(&column.name) => Ok(AggregateFunction::CountUnits),
                _ => Err(Refusal::new(Rule::DistinctValues)),
            },
            ("count", false) => match self.lowering.expr(argument)? {
                ScalarExpr::Literal(literal) if !matches!(literal, Literal::Null(_)) => {
                    Ok(AggregateFunction::CountRows)
                }
                other => Ok(AggregateFunction::CountValues(other)),
            },
            ("sum", false) => Ok(AggregateFunction::Sum(self.lowering.expr(argument)?)),
            ("sum", true) => Err(Refusal::new(Rule::DistinctValues)),
            (name, _) => Err(Refusal::about(Rule::UnboundedAggregate, name)),
        }
    }

    fn is_unit_key(&self, name: &str) -> bool {
        let field = self.relation.metadata.find_field(name);
        field.is_some_and(|field| field.role == FieldRole::UnitKey) && self.unit.unit_type != UnitType::Row
    }

    /// Puts an aggregate on its integer grid.
    fn aggregate(&self, function: AggregateFunction, groups_per_unit: u32) -> Planned<Aggregate> {
        let rows = i128::from(self.unit.max_rows_per_unit);
        let (exponent, row_lo, row_hi) = match &function {
            AggregateFunction::CountRows | AggregateFunction::CountValues(_) => (0, 0, 1),
            AggregateFunction::CountUnits => (0, 0, 1),
            AggregateFunction::Sum(expr) => {
                let bounds = range(expr, &self.declared()[..]).filter(|r| r.is_bounded());
                let bounds = bounds.ok_or_else(|| Refusal::new(Rule::MissingBounds))?;
                self.grid(bounds)
            }
        };
        let (spread, unit_most) = match function {
            AggregateFunction::CountUnits => (groups_per_unit, 1),
            _ => (
                1,
                (rows * i128::from(row_lo.unsigned_abs().max(row_hi.unsigned_abs()))).max(1),
            ),
        };
        if i128::from(self.unit.max_units) * unit_most >= MAX_TOTAL {
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
    fn grid(&self, bounds: Range) -> (i32, i64, i64) {
        let bits = |n: u64| i32::try_from(u64::BITS - n.leading_zeros()).unwrap_or(64);
        let room = 61 - bits(self.unit.max_units) - bits(self.unit.max_rows_per_unit.into());
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

    /// Every declared field as a scan column, in declared order.
    fn declared(&self) -> Vec<ScanColumn> {
        let fields = self.relation.metadata.fields().iter();
        fields
            .map(|field| ScanColumn {
                name: field.name.clone(),
                field_type: field.field_type,
                bounds: field
                    .bounds
                    .and_then(|b| Some((Real::new(b.lo())?, Real::new(b.hi())?))),
                has_domain: field.domain.is_some(),
            })
            .collect()
    }

    /// Keeps the columns that are used, and renumbers.
    fn number_columns(&self, core: &mut PlanCore) {
        let mut used = BTreeSet::new();
        for expr in expressions(core) {
            expr.collect_columns(&mut used);
        }
        let declared = self.declared();
        core.columns = used.iter().map(|column| declared[*column].clone()).collect();
        let order: Vec<usize> = used.into_iter().collect();
        for expr in expressions(core) {
            renumber(expr, &order);
        }
    }
}

fn expressions(core: &mut PlanCore) -> Vec<&mut ScalarExpr> {
    let mut all: Vec<&mut ScalarExpr> = core.filter.iter_mut().collect();
    all.extend(core.keys.iter_mut().map(|key| &mut key.expr));
    all.extend(
        core.aggregates
            .iter_mut()
            .filter_map(|aggregate| match &mut aggregate.function {
                AggregateFunction::CountValues(x) | AggregateFunction::Sum(x) => Some(x),
                AggregateFunction::CountRows | AggregateFunction::CountUnits => None,
            }),
    );
    all
}

fn renumber(expr: &mut ScalarExpr, order: &[usize]) {
    if let ScalarExpr::Column(column) = expr {
        *column = order.binary_search(column).unwrap_or(usize::MAX);
    }
    for child in expr.children_mut() {
        renumber(child, order);
    }
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

/// Output columns are keys and aggregates as they stand.
fn output(
    projection: &Projection,
    grouping: &PlannerGrouping,
    keys: &[usize],
    aggregates: &[usize],
) -> Planned<Vec<OutputColumn>> {
    let mut columns = Vec::with_capacity(projection.expr.len());
    for (expr, field) in projection.expr.iter().zip(projection.schema.fields()) {
        let mut inner = expr;
        while let Expr::Alias(alias) = inner {
            inner = &alias.expr;
        }
        let Expr::Column(column) = inner else {
            return Err(Refusal::about(Rule::PostProcessing, expr.to_string()));
        };
        let at = grouping.schema.maybe_index_of_column(column);
        let source = match at {
            Some(at) if at < keys.len() => OutputSource::Key(keys[at]),
            Some(at) if at - keys.len() < aggregates.len() => {
                OutputSource::Aggregate(aggregates[at - keys.len()])
            }
            _ => return Err(Refusal::about(Rule::PostProcessing, expr.to_string())),
        };
        let name = field.name().chars().take(200).collect();
        columns.push(OutputColumn { name, source });
    }
    if !columns
        .iter()
        .any(|column| matches!(column.source, OutputSource::Aggregate(_)))
    {
        return Err(Refusal::new(Rule::Rows));
    }
    Ok(columns)
}

/// The rule that a node breaks where an aggregation's output was expected.
fn not_above(plan: &LogicalPlan) -> Refusal {
    let rule = match plan {
        LogicalPlan::Sort(_) => Rule::OrderBy,
        LogicalPlan::Limit(_) => Rule::Limit,
        LogicalPlan::Filter(filter) if matches!(&*filter.input, LogicalPlan::Aggregate(_)) => Rule::Having,
        LogicalPlan::TableScan(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => Rule::Rows,
        LogicalPlan::Projection(_) => Rule::Subquery,
        other => return not_below(other),
    };
    Refusal::new(rule)
}

/// The rule that a node breaks where only filters over the table may stand.
fn not_below(plan: &LogicalPlan) -> Refusal {
    Refusal::new(match plan {
        LogicalPlan::Join(join) if join.join_type != datafusion_expr::JoinType::Inner => Rule::OuterJoin,
        LogicalPlan::Join(_) => Rule::Join,
        LogicalPlan::Union(_) => Rule::SetOperation,
        LogicalPlan::Distinct(_) => Rule::Distinct,
        LogicalPlan::Window(_) => Rule::Window,
        LogicalPlan::Sort(_) => Rule::OrderBy,
        LogicalPlan::Limit(_) => Rule::Limit,
        LogicalPlan::Values(_) => Rule::Values,
        LogicalPlan::EmptyRelation(_) => Rule::NoTable,
        LogicalPlan::RecursiveQuery(_) => Rule::Cte,
        LogicalPlan::Unnest(_) => Rule::TableFunction,
        LogicalPlan::Projection(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_) => Rule::Subquery,
        LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::DescribeTable(_) => Rule::SelectOnly,
        LogicalPlan::Filter(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Extension(_) => Rule::UnsupportedPlan,
    })
}
