//! Which rule a plan breaks by its shape.

use datafusion_expr::LogicalPlan;

use crate::lower::place_of;
use crate::refusal::{Refusal, Rule, Span};

/// The place of the first column that a node itself names.
pub(super) fn place_in(plan: &LogicalPlan) -> Option<Span> {
    plan.expressions().iter().find_map(place_of)
}

/// The rule that a node breaks where an aggregation's output was expected.
pub(super) fn not_above(plan: &LogicalPlan) -> Refusal {
    let rule = match plan {
        LogicalPlan::Sort(sort) => match not_above(&sort.input).rule {
            Rule::Rows => Rule::OrderBy,
            other => other,
        },
        LogicalPlan::Limit(limit) => match not_above(&limit.input).rule {
            Rule::Rows => Rule::Limit,
            other => other,
        },
        LogicalPlan::Projection(projection) => return not_above(&projection.input),
        LogicalPlan::Filter(filter) => return not_above(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => return not_above(&alias.input),
        LogicalPlan::TableScan(_) | LogicalPlan::Join(_) => Rule::Rows,
        other => return not_below(other),
    };
    Refusal::new(rule)
}

/// The rule that a node breaks where only filters over the table may stand.
pub(super) fn not_below(plan: &LogicalPlan) -> Refusal {
    Refusal::new(match plan {
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
        LogicalPlan::Aggregate(_) => Rule::InnerAggregation,
        LogicalPlan::Projection(_) | LogicalPlan::Subquery(_) | LogicalPlan::SubqueryAlias(_) => {
            Rule::Subquery
        }
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
