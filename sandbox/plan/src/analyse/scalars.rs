//! Queries in parentheses that stand for a value, above the release: `COUNT(*) * 100.0 / (SELECT COUNT(*) FROM t)`.
//!
//! One that has exactly one row is a join without conditions in other words, and is made one. So it is paid for and noised as
//! any other released table.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DataFusionError};
use datafusion_expr::logical_plan::Subquery;
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::Decision;
use super::above::releases;
use crate::lower::place_of;
use crate::refusal::{Planned, Refusal, Rule};

impl Decision<'_> {
    /// The plan with all such queries joined to what they stand in. Others are left where they are, and refused there.
    pub(super) fn with_scalars_joined(&self, plan: &LogicalPlan) -> Planned<LogicalPlan> {
        let mut joined = 0;
        let mut refusal = None;
        let rewritten = plan.clone().transform_up(|node| {
            let input = match &node {
                LogicalPlan::Projection(projection) => &projection.input,
                LogicalPlan::Filter(filter) => &filter.input,
                _ => return Ok(Transformed::no(node)),
            };
            let queries = scalars(&node.expressions())?;
            if queries.is_empty() || !releases(input) {
                return Ok(Transformed::no(node));
            }
            let mut input = LogicalPlanBuilder::from(Arc::clone(input));
            let mut columns = Vec::with_capacity(queries.len());
            for query in &queries {
                if let Err(wrong) = self.has_one_row(query) {
                    refusal.get_or_insert(wrong);
                    return Ok(Transformed::no(node));
                }
                let name = format!("__scalar_{joined}");
                joined += 1;
                // A name that nothing else has: `count(*)` may stand on both sides.
                let only = Expr::Column(query.subquery.schema().columns().swap_remove(0));
                let inner = LogicalPlanBuilder::from(Arc::clone(&query.subquery));
                input = input.cross_join(inner.project([only.alias(&name)])?.build()?)?;
                columns.push(Expr::Column(Column::from_name(name)));
            }
            let put_in = |expr: Expr| -> Result<Expr, DataFusionError> {
                let name = expr.schema_name().to_string();
                let replaced = expr.transform_up(|part| {
                    let place = match &part {
                        Expr::ScalarSubquery(query) => queries.iter().position(|other| other == query),
                        _ => None,
                    };
                    Ok(match place.and_then(|place| columns.get(place)) {
                        Some(column) => Transformed::yes(column.clone()),
                        None => Transformed::no(part),
                    })
                })?;
                replaced.data.alias_if_changed(name)
            };
            let exprs = node.expressions().into_iter().map(put_in);
            let exprs = exprs.collect::<Result<Vec<_>, _>>()?;
            let input = input.build()?;
            let node = match exprs.as_slice() {
                // A filter's condition has no name.
                [condition] if matches!(node, LogicalPlan::Filter(_)) => {
                    let condition = condition.clone().unalias();
                    LogicalPlanBuilder::from(input).filter(condition)?.build()?
                }
                _ => LogicalPlanBuilder::from(input).project(exprs)?.build()?,
            };
            Ok(Transformed::yes(node))
        });
        match (refusal, rewritten) {
            (Some(refusal), _) => Err(refusal),
            (None, Ok(rewritten)) => Ok(rewritten.data),
            (None, Err(_)) => Err(Refusal::new(Rule::Subquery)),
        }
    }

    /// Whether a query has exactly one row, whatever the data: an aggregation of all rows, or a public relation of one row.
    fn has_one_row(&self, query: &Subquery) -> Planned<()> {
        let place = || query.subquery.expressions().iter().find_map(place_of);
        let refused = || Refusal::new(Rule::Subquery).with_span(place());
        if !query.outer_ref_columns.is_empty() || query.subquery.schema().fields().len() != 1 {
            return Err(refused());
        }
        let mut plan = &query.subquery;
        loop {
            plan = match &**plan {
                LogicalPlan::Projection(projection) => &projection.input,
                LogicalPlan::SubqueryAlias(alias) => &alias.input,
                LogicalPlan::Aggregate(grouping) if grouping.group_expr.is_empty() => return Ok(()),
                LogicalPlan::TableScan(scan) => {
                    let name = scan.table_name.table();
                    let public = self.tables.public.iter().find(|table| table.name == name);
                    return match public.map(|table| table.rows) {
                        Some(1) => Ok(()),
                        Some(rows) => Err(Refusal::about(Rule::Subquery, format!("{rows} rows"))),
                        None => Err(refused()),
                    };
                }
                _ => return Err(refused()),
            };
        }
    }
}

/// The queries that stand for values in some expressions, each once.
fn scalars(exprs: &[Expr]) -> Result<Vec<Subquery>, DataFusionError> {
    let mut found = Vec::new();
    for expr in exprs {
        expr.apply(|part| {
            if let Expr::ScalarSubquery(query) = part
                && !found.contains(query)
            {
                found.push(query.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(found)
}
