//! The decision: from the analysed logical plan to a [`PrivatePlan`], or a refusal. Fail-closed over every variant of
//! plan and expression: what is not named is refused.

mod above;
mod calendar;
mod grouping;
mod join;
mod made;
mod occurring;
mod part;
mod per_unit;
mod scalars;
mod shape;

use std::cell::Cell;
use std::sync::Arc;

use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, SchemaError};
use datafusion_expr::LogicalPlan;
use datafusion_optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion_optimizer::{Analyzer, AnalyzerRule};
use datafusion_sql::planner::{ParserOptions, SqlToRel};
use datafusion_sql::sqlparser::ast::Statement;
use model::{Level, UnitDeclaration};

use self::made::Made;
pub(crate) use self::part::{Needed, aggregate};
use crate::context::Context;
use crate::lower::Bound;
use crate::parse;
use crate::plan::{MAX_ALL_CANDIDATES, MAX_REPLY, OutputColumn, PrivatePlan};
use crate::public::PublicTable;
use crate::refusal::{Planned, Refusal, Rule, Span};
use crate::relation::{Relation, Tables};
use crate::scalar::ScalarExpr;
use crate::source::{ScanTable, Shape, Source};

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
        let statement = parse::parse(sql, tables);
        let plan = statement.and_then(|statement| decide(statement, tables));
        plan.and_then(crate::travel::checked)
            .map_err(|refusal| refusal.within(sql))
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
    let decision = Decision {
        tables,
        calendar_nanos: Cell::new(calendar::MAX_NANOS),
    };
    let plan = decision.query(&analysed)?;
    let reply = plan.parts.iter().map(|part| part.core.reply_bytes());
    if reply.fold(0, u64::saturating_add) > MAX_REPLY {
        return Err(Refusal::about(
            Rule::TooManyCells,
            format!("up to {} undeclared cells", plan.cells()),
        ));
    }
    let candidates = plan.all_candidates();
    if candidates > MAX_ALL_CANDIDATES.into() {
        let what = format!("{candidates} candidates of quantiles in all cells, at most {MAX_ALL_CANDIDATES}");
        return Err(Refusal::about(Rule::TooManyCells, what));
    }
    if let Some(rows) = plan.joins_too_many() {
        return Err(Refusal::about(
            Rule::TooManyCells,
            format!(
                "a join of released tables with up to {rows} rows, at most {}",
                plan.row_limit()
            ),
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
        root => misfit(&root.strip_backtrace()),
    };
    refusal.with_span(span)
}

/// What the planner complains about, without its words for its own workings.
fn misfit(text: &str) -> Refusal {
    const OWN_WORDS: [&str; 6] = [
        "Error during planning: ",
        "Execution error: ",
        "This feature is not implemented: ",
        "Schema error: ",
        "SQL error: ",
        "Internal error: ",
    ];
    let mut text = text;
    while let Some(rest) = OWN_WORDS.iter().find_map(|words| text.strip_prefix(words)) {
        text = rest;
    }
    let quoted = |mark: char| text.split(mark).nth(1).filter(|name| !name.is_empty());
    if text.contains("GROUP BY clause") {
        let column = quoted('"').unwrap_or_default();
        let column = column.rsplit('.').next().unwrap_or_default();
        return Refusal::about(
            Rule::InvalidQuery,
            format!("{column} is neither grouped nor aggregated"),
        );
    }
    if text.contains("oerc") || text.contains("andidate functions") {
        return match quoted('\'') {
            Some(name) if text.contains("unction") => {
                Refusal::about(Rule::UnsupportedExpression, format!("the arguments of {name}"))
            }
            _ => Refusal::about(Rule::UnsupportedExpression, "types that do not go together"),
        };
    }
    Refusal::about(Rule::InvalidQuery, text.lines().next().unwrap_or_default())
}

pub(crate) struct Decision<'a> {
    pub(crate) tables: Tables<'a>,
    /// How long calendars may still take.
    calendar_nanos: Cell<u64>,
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

impl Decision<'_> {
    fn query(&self, plan: &LogicalPlan) -> Planned<PrivatePlan> {
        let mut made = Made::default();
        let plan = &self.with_scalars_joined(plan)?;
        let above = self.above(plan, &mut made)?;
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
        made.finish(above.arrangement, output)
    }
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
