//! What a plan over open data may contain: `SELECT` in all its forms, nothing that acts, explains or reads elsewhere.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};

use crate::error::QueryError;

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
        Some((what, hint)) => Err(QueryError::Refused { what, hint }),
        None => Ok(()),
    }
}

type Refusal = Option<(String, &'static str)>;

fn refused_node(node: &LogicalPlan) -> Refusal {
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
        LogicalPlan::Statement(_) => "a statement",
        LogicalPlan::RecursiveQuery(_) => "WITH RECURSIVE",
        _ => "this kind of statement",
    };
    Some((what.to_owned(), "write one SELECT over open datasets"))
}

fn refused_expr(expr: &Expr) -> Refusal {
    match expr {
        Expr::ScalarVariable(..) => Some(("a variable".to_owned(), "write the value itself")),
        Expr::Placeholder(_) => Some(("a parameter".to_owned(), "write the value itself")),
        // The operator makes text of any length without asking; the function is bounded.
        Expr::BinaryExpr(binary) if binary.op == Operator::StringConcat => {
            Some(("the operator ||".to_owned(), "write concat(a, b)"))
        }
        _ => None,
    }
}
