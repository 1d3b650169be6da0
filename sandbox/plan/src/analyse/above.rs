//! What stands above the release: filters, sorts, limits and projections over released figures. All of it is
//! post-processing; it is compiled so that everything reads columns of the released table.

use datafusion_expr::LogicalPlan;
use datafusion_expr::logical_plan::{FetchType, SkipType};
use model::FieldType;

use super::shape::not_above;
use super::{Decision, MAX_EXPRESSIONS, bound_size};
use crate::lower::{Bound, Lowering};
use crate::plan::PlanCore;
use crate::refusal::{Planned, Refusal, Rule};
use crate::release::{ReleasedColumn, SortKey, Step};

/// A relation of released figures, and what it is made of.
pub(super) struct Above {
    pub(super) core: PlanCore,
    pub(super) sets: Option<Vec<Vec<usize>>>,
    pub(super) released: Vec<ReleasedColumn>,
    pub(super) types: Vec<FieldType>,
    pub(super) steps: Vec<Step>,
    pub(super) columns: Vec<Bound>,
}

impl Decision<'_> {
    /// The released table, and what stands above it: projections are put into the expressions that read them, so that
    /// everything reads released columns.
    pub(super) fn above(&self, plan: &LogicalPlan) -> Planned<Above> {
        match plan {
            LogicalPlan::Aggregate(grouping) => self.released(grouping),
            LogicalPlan::SubqueryAlias(alias) => self.above(&alias.input),
            LogicalPlan::Projection(projection) => {
                let mut above = self.above_or(plan, &projection.input)?;
                let lowering = above.lowering(&projection.input);
                let columns = projection
                    .expr
                    .iter()
                    .map(|expr| Ok(Bound::Value(lowering.expr(expr)?)));
                above.columns = columns.collect::<Planned<_>>()?;
                let size: usize = above.columns.iter().map(bound_size).sum();
                if size > MAX_EXPRESSIONS {
                    return Err(Refusal::new(Rule::TooComplex));
                }
                Ok(above)
            }
            LogicalPlan::Filter(filter) => {
                let mut above = self.above_or(plan, &filter.input)?;
                let condition = above.lowering(&filter.input).condition(&filter.predicate)?;
                above.steps.push(Step::Filter(condition));
                Ok(above)
            }
            LogicalPlan::Sort(sort) => {
                let mut above = self.above_or(plan, &sort.input)?;
                let lowering = above.lowering(&sort.input);
                let keys = sort.expr.iter().map(|key| {
                    Ok(SortKey {
                        expr: lowering.expr(&key.expr)?,
                        descending: !key.asc,
                        nulls_first: key.nulls_first,
                    })
                });
                let keys = keys.collect::<Planned<_>>()?;
                above.steps.push(Step::Sort(keys));
                if sort.fetch.is_some() {
                    above.steps.push(Step::Limit {
                        skip: 0,
                        fetch: sort.fetch,
                    });
                }
                Ok(above)
            }
            LogicalPlan::Limit(limit) => {
                let mut above = self.above_or(plan, &limit.input)?;
                let (Ok(SkipType::Literal(skip)), Ok(FetchType::Literal(fetch))) =
                    (limit.get_skip_type(), limit.get_fetch_type())
                else {
                    return Err(Refusal::new(Rule::Limit));
                };
                above.steps.push(Step::Limit { skip, fetch });
                Ok(above)
            }
            other => Err(not_above(other)),
        }
    }

    /// What stands under a node that may only stand above the release.
    fn above_or(&self, node: &LogicalPlan, input: &LogicalPlan) -> Planned<Above> {
        if releases(input) {
            self.above(input)
        } else {
            Err(not_above(node))
        }
    }
}

impl Above {
    fn lowering<'b>(&'b self, plan: &'b LogicalPlan) -> Lowering<'b> {
        Lowering {
            schema: plan.schema(),
            columns: &self.columns,
            types: &self.types,
        }
    }
}

/// Whether a node gives released figures: an aggregation, perhaps under others.
fn releases(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(_) => true,
        LogicalPlan::Projection(projection) => releases(&projection.input),
        LogicalPlan::Filter(filter) => releases(&filter.input),
        LogicalPlan::Sort(sort) => releases(&sort.input),
        LogicalPlan::Limit(limit) => releases(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => releases(&alias.input),
        _ => false,
    }
}
