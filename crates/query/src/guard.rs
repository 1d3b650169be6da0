//! What a plan over open data may contain: `SELECT` in all its forms, nothing that acts, explains or reads elsewhere.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};

use crate::error::{QueryError, Refused};

/// Refuses every node that is not part of a plain query, subqueries included.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut found = None;
    let walked = plan.apply_with_subqueries(|node| {
        found = refused_node(node);
        if found.is_none() {
            node.apply_expressions(|expr| {
                expr.apply(|part| {
                    found = found.take().or_else(|| refused_expr(part));
                    Ok(if found.is_some() {
                        TreeNodeRecursion::Stop
                    } else {
                        TreeNodeRecursion::Continue
                    })
                })
            })?;
        }
        Ok(if found.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    walked?;
    match found {
        Some(refused) => Err(QueryError::Refused(refused)),
        None => Ok(()),
    }
}

fn refused_node(node: &LogicalPlan) -> Option<Refused> {
    let what = match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Unnest(_) => return None,
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => "EXPLAIN",
        LogicalPlan::DescribeTable(_) => "DESCRIBE",
        LogicalPlan::Copy(_) => "COPY",
        LogicalPlan::Ddl(_) => "DDL",
        LogicalPlan::Dml(_) => "DML",
        LogicalPlan::Statement(_) => return Some(Refused::NoQuery),
        LogicalPlan::RecursiveQuery(_) => "WITH RECURSIVE",
        _ => return Some(Refused::NoQuery),
    };
    Some(Refused::Statement(what))
}

fn refused_expr(expr: &Expr) -> Option<Refused> {
    match expr {
        Expr::ScalarVariable(..) | Expr::Placeholder(_) => Some(Refused::Placeholder),
        // The operator makes text of any length without asking; the function is bounded.
        Expr::BinaryExpr(binary) if binary.op == Operator::StringConcat => Some(Refused::Concatenation),
        _ => None,
    }
}
