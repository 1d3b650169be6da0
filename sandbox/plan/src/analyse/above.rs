//! What stands above the release: filters, sorts, limits, projections and joins of released figures. All of it is
//! post-processing; it is compiled so that everything reads columns of the released tables.

use datafusion_common::NullEquality;
use datafusion_expr::logical_plan::{FetchType, SkipType};
use datafusion_expr::{Aggregate as PlannerGrouping, Expr, Join, JoinType, LogicalPlan};

use super::grouping::{grouping_bits, grouping_sets};
use super::join::named_once;
use super::made::Made;
use super::part::{Draft, Grouped, count_cells};
use super::per_unit::Below;
use super::shape::{not_above, place_in};
use super::{Decision, MAX_EXPRESSIONS, bound_size, occurring};
use crate::lower::{Bound, Lowering};
use crate::plan::{GroupKey, KeyCells, MAX_CELLS, MAX_KEYS};
use crate::refusal::{Planned, Refusal, Rule};
use crate::release::{Arrangement, Outer, ReleasedColumn, SortKey, Step};
use crate::scalar::{Arithmetic, Comparison, Literal, ScalarExpr};

/// A relation of released figures, over the columns of [`Made`].
pub(super) struct Above {
    pub(super) arrangement: Arrangement,
    pub(super) columns: Vec<Bound>,
}

impl Decision<'_> {
    /// The released tables, and what stands above them: projections are put into the expressions that read them, so that
    /// everything reads released columns.
    pub(super) fn above(&self, plan: &LogicalPlan, made: &mut Made) -> Planned<Above> {
        let above = self.above_node(plan, made);
        above.map_err(|refusal| refusal.with_span(place_in(plan)))
    }

    fn above_node(&self, plan: &LogicalPlan, made: &mut Made) -> Planned<Above> {
        match plan {
            LogicalPlan::Aggregate(grouping) => self.released(grouping, made),
            LogicalPlan::SubqueryAlias(alias) => self.above(&alias.input, made),
            LogicalPlan::Join(join) if releases(plan) => self.joined(join, made),
            LogicalPlan::Projection(projection) => {
                let mut above = self.above_or(plan, &projection.input, made)?;
                let types = made.types();
                let lowering = above.lowering(&projection.input, &types);
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
                let above = self.above_or(plan, &filter.input, made)?;
                let types = made.types();
                let condition = above
                    .lowering(&filter.input, &types)
                    .condition(&filter.predicate)?;
                Ok(Above {
                    arrangement: made.filtered(above.arrangement, condition),
                    columns: above.columns,
                })
            }
            LogicalPlan::Sort(sort) => {
                let above = self.above_or(plan, &sort.input, made)?;
                let types = made.types();
                let lowering = above.lowering(&sort.input, &types);
                let keys = sort.expr.iter().map(|key| {
                    Ok(SortKey {
                        expr: lowering.expr(&key.expr)?,
                        descending: !key.asc,
                        nulls_first: key.nulls_first,
                    })
                });
                let keys = keys.collect::<Planned<_>>()?;
                let mut arrangement = above.arrangement.then(Step::Sort(keys));
                if sort.fetch.is_some() {
                    arrangement = arrangement.then(Step::Limit {
                        skip: 0,
                        fetch: sort.fetch,
                    });
                }
                Ok(Above {
                    arrangement,
                    columns: above.columns,
                })
            }
            LogicalPlan::Limit(limit) => {
                let above = self.above_or(plan, &limit.input, made)?;
                let (Ok(SkipType::Literal(skip)), Ok(FetchType::Literal(fetch))) =
                    (limit.get_skip_type(), limit.get_fetch_type())
                else {
                    return Err(Refusal::new(Rule::Limit));
                };
                Ok(Above {
                    arrangement: above.arrangement.then(Step::Limit { skip, fetch }),
                    columns: above.columns,
                })
            }
            other => Err(not_above(other)),
        }
    }

    /// What stands under a node that may only stand above the release.
    fn above_or(&self, node: &LogicalPlan, input: &LogicalPlan, made: &mut Made) -> Planned<Above> {
        if releases(input) {
            self.above(input, made)
        } else {
            Err(not_above(node))
        }
    }

    /// The aggregation by which figures are released.
    fn released(&self, grouping: &PlannerGrouping, made: &mut Made) -> Planned<Above> {
        let below = self.per_unit(&grouping.input)?;
        let types = below.shape.columns.types();
        let lowering = below.lowering(grouping.input.schema(), &types);
        let (written, sets) = grouping_sets(&grouping.group_expr)?;
        if written.len() > MAX_KEYS {
            return Err(Refusal::new(Rule::TooManyColumns));
        }
        let called = grouping
            .aggr_expr
            .iter()
            .map(called)
            .collect::<Planned<Vec<_>>>()?;
        if called.is_empty() {
            return Err(Refusal::new(Rule::Rows));
        }
        let of_data = |call: &&_| {
            let call: &datafusion_expr::expr::AggregateFunction = call;
            call.func.name() != "grouping"
        };
        let grouped = Grouped {
            below: &below,
            lowering: &lowering,
            calendar_nanos: &self.calendar_nanos,
            calls: called
                .iter()
                .copied()
                .map(|call| Some(call).filter(of_data))
                .collect(),
        };
        let keys = written.iter().map(|expr| grouped.key(expr));
        let keys = keys.collect::<Planned<Vec<GroupKey>>>()?;
        // The keys that each GROUPING(…) names, by their places as written.
        let all: Vec<usize> = (0..written.len()).collect();
        let bits = called.iter().map(|call| match of_data(call) {
            true => Ok(vec![]),
            false => grouping_bits(call, &written, &all),
        });
        let bits = bits.collect::<Planned<Vec<_>>>()?;
        let has_sets = sets.is_some();
        let above = match sets {
            None => {
                let draft = grouped.draft(&keys, 1)?;
                let (core_keys, cells) = (draft.core.keys.clone(), draft.core.cells);
                let open = draft.core.is_open();
                let above = one_part(draft, None, &bits, made)?;
                let Above {
                    mut arrangement,
                    columns,
                } = above;
                if let (false, Arrangement::Leaf(leaf)) = (open, &arrangement) {
                    let conditions = occurring::conditions(&below, &core_keys, made, *leaf, cells);
                    for condition in conditions {
                        arrangement = arrangement.then(Step::Filter(condition));
                    }
                }
                Ok(Above { arrangement, columns })
            }
            Some(sets) => match additive(&grouped, &keys, &sets) {
                Some(draft) => one_part(draft, Some(&sets), &bits, made),
                None => parts_of_sets(&grouped, &keys, &sets, &bits, made),
            },
        };
        Ok(without_impossible(above?, &keys, has_sets))
    }

    /// A join of released tables, with each other or with public relations.
    fn joined(&self, join: &Join, made: &mut Made) -> Planned<Above> {
        if join.null_equality != NullEquality::NullEqualsNothing || join.null_aware {
            return Err(Refusal::new(Rule::Join));
        }
        let (kind, swapped) = match join.join_type {
            JoinType::Inner => (Outer::Neither, false),
            JoinType::Left => (Outer::Left, false),
            JoinType::Right => (Outer::Left, true),
            JoinType::Full => (Outer::Both, false),
            _ => return Err(Refusal::new(Rule::Join)),
        };
        if kind != Outer::Neither && (swapped || kind == Outer::Both) {
            named_once(join)?;
        }
        let left = self.joined_side(&join.left, made)?;
        let right = self.joined_side(&join.right, made)?;
        // A row that has nothing of a side has NULL in all of its columns, whatever they compute.
        let (left_stays, right_stays) = match (kind, swapped) {
            (Outer::Neither, _) => (true, true),
            (Outer::Left, false) => (true, false),
            (Outer::Left, true) => (false, true),
            (Outer::Both, _) => (false, false),
        };
        let columns = [made.shown(&left, left_stays)?, made.shown(&right, right_stays)?].concat();
        let schema = join.left.schema().join(join.right.schema());
        let schema = schema.map_err(|_| Refusal::new(Rule::Join))?;
        let bare = [left.columns, right.columns].concat();
        let types = made.types();
        let lowering = Lowering {
            schema: &schema,
            columns: &bare,
            types: &types,
        };
        let mut conditions = Vec::new();
        for (own, other) in &join.on {
            let (own, other) = lowering.equal_pair(own, other)?;
            conditions.push(ScalarExpr::Compare(
                Comparison::Equal,
                Box::new(own),
                Box::new(other),
            ));
        }
        if let Some(filter) = &join.filter {
            conditions.push(lowering.condition(filter)?);
        }
        let (own, other) = if swapped {
            (right.arrangement, left.arrangement)
        } else {
            (left.arrangement, right.arrangement)
        };
        let bare = Arrangement::Join {
            left: Box::new(own),
            right: Box::new(other),
            kind,
            on: vec![],
            condition: None,
        };
        let arrangement = conditions
            .into_iter()
            .fold(bare, |join, condition| made.on(join, condition));
        Ok(Above { arrangement, columns })
    }

    fn joined_side(&self, plan: &LogicalPlan, made: &mut Made) -> Planned<Above> {
        if releases(plan) {
            return self.above(plan, made);
        }
        match self.below(plan)? {
            Below::Public(place, columns) => {
                let table = self.tables.public.get(place);
                let table = table.ok_or_else(|| Refusal::new(Rule::UnsupportedPlan))?;
                Ok(made.public(table, &columns))
            }
            Below::PerUnit(_) => Err(Refusal::new(Rule::JoinReleased)),
        }
    }
}

impl Above {
    fn lowering<'b>(&'b self, plan: &'b LogicalPlan, types: &'b [model::FieldType]) -> Lowering<'b> {
        Lowering {
            schema: plan.schema(),
            columns: &self.columns,
            types,
        }
    }
}

/// The aggregate that an expression calls.
fn called(expr: &Expr) -> Planned<&datafusion_expr::expr::AggregateFunction> {
    match expr {
        Expr::Alias(alias) => called(&alias.expr),
        Expr::AggregateFunction(call) => Ok(call),
        _ => Err(Refusal::new(Rule::UnsupportedExpression)),
    }
}

/// Without the rows in which a key is NULL that cannot be: their cells hold nothing but noise. Of several sets, a key is NULL as
/// well where it is left out.
fn without_impossible(above: Above, keys: &[GroupKey], has_sets: bool) -> Above {
    let Above {
        mut arrangement,
        columns,
    } = above;
    let number = |number: i64| Box::new(ScalarExpr::Literal(Literal::Integer(number)));
    let whole = keys.len();
    for (at, key) in keys.iter().enumerate() {
        let Some(Bound::Value(shown)) = columns.get(at).filter(|_| !key.can_be_null) else {
            continue;
        };
        let there = ScalarExpr::Not(Box::new(ScalarExpr::IsNull(Box::new(shown.clone()))));
        let condition = match columns.get(whole) {
            // The planner's own column has a bit for each key, the last one for the last.
            Some(Bound::Value(left_out)) if has_sets => {
                let place = 1i64 << (whole - 1 - at).min(62);
                let above =
                    ScalarExpr::Arithmetic(Arithmetic::Divide, Box::new(left_out.clone()), number(place));
                let bit = ScalarExpr::Arithmetic(Arithmetic::Remainder, Box::new(above), number(2));
                ScalarExpr::Or(vec![
                    there,
                    ScalarExpr::Compare(Comparison::Equal, Box::new(bit), number(1)),
                ])
            }
            _ => there,
        };
        arrangement = arrangement.then(Step::Filter(condition));
    }
    Above { arrangement, columns }
}

/// The part whose cells add up to all sets; none if they do not, or if each set is more exact on its own: the noise of a total is
/// that of all its cells, which is nothing to care about where these are asked for as well.
fn additive(grouped: &Grouped<'_>, keys: &[GroupKey], sets: &[Vec<usize>]) -> Option<Draft> {
    let open = |key: &GroupKey| matches!(key.cells, KeyCells::Open(_));
    let cells = count_cells(keys).saturating_mul(sets.len() as u64);
    if keys.iter().any(open) || cells > MAX_CELLS.into() {
        return None;
    }
    let whole = (0..keys.len()).collect::<Vec<_>>();
    let summed = |set: &Vec<usize>| {
        let left_out = whole.iter().filter(|key| !set.contains(key));
        let left_out = left_out.filter_map(|key| keys.get(*key));
        left_out.fold(1u64, |cells, key| cells.saturating_mul(key.cells.count()))
    };
    let all_kept = sets.iter().any(|set| summed(set) == 1);
    let most = sets.iter().map(summed).max().unwrap_or(1);
    if !all_kept && most > sets.len() as u64 {
        return None;
    }
    grouped.draft(keys, 1).ok().filter(|draft| draft.adds_up)
}

/// The table of one part, perhaps with sets that are added up from its cells.
fn one_part(
    draft: Draft,
    sets: Option<&[Vec<usize>]>,
    bits: &[Vec<usize>],
    made: &mut Made,
) -> Planned<Above> {
    let places = draft.keys;
    let canonical = |set: &Vec<usize>| {
        let mut set: Vec<usize> = set.iter().filter_map(|key| places.get(*key).copied()).collect();
        set.sort_unstable();
        set.dedup();
        set
    };
    let own = sets.map(|sets| sets.iter().map(canonical).collect());
    let leaf = made.part(draft.core, own)?;
    let grouping = |bits: &[usize]| ReleasedColumn::Grouping {
        leaf,
        keys: bits.iter().filter_map(|key| places.get(*key).copied()).collect(),
    };
    let mut columns: Vec<ReleasedColumn> = places
        .iter()
        .map(|key| ReleasedColumn::Key { leaf, key: *key })
        .collect();
    if sets.is_some() {
        // The planner's own column, in its own order of bits.
        columns.push(grouping(&(0..places.len()).collect::<Vec<_>>()));
    }
    for (measure, bits) in draft.measures.into_iter().zip(bits) {
        columns.push(match measure {
            Some(measure) => ReleasedColumn::Measure { leaf, measure },
            None => grouping(bits),
        });
    }
    Ok(Above {
        arrangement: Arrangement::Leaf(leaf),
        columns: made.columns(columns),
    })
}

/// A part for each set, one after the other: each has noise of its own.
fn parts_of_sets(
    grouped: &Grouped<'_>,
    keys: &[GroupKey],
    sets: &[Vec<usize>],
    bits: &[Vec<usize>],
    made: &mut Made,
) -> Planned<Above> {
    let (mut leaves, mut of_sets) = (Vec::new(), Vec::new());
    for set in sets {
        let kept: Vec<GroupKey> = set.iter().filter_map(|key| keys.get(*key).cloned()).collect();
        let draft = grouped.draft(&kept, sets.len())?;
        let leaf = made.part(draft.core, None)?;
        let left_out = |bits: &[usize]| {
            let bits = bits.iter().map(|key| i64::from(!set.contains(key)));
            ReleasedColumn::Fixed(Literal::Integer(bits.fold(0, |all, bit| all << 1 | bit)))
        };
        let key = |(at, key): (usize, &GroupKey)| {
            let place = set.iter().position(|kept| *kept == at);
            match place.and_then(|place| draft.keys.get(place)) {
                Some(key) => ReleasedColumn::Key { leaf, key: *key },
                None => ReleasedColumn::Fixed(Literal::Null(key.cells.field_type())),
            }
        };
        let mut columns: Vec<ReleasedColumn> = keys.iter().enumerate().map(key).collect();
        columns.push(left_out(&(0..keys.len()).collect::<Vec<_>>()));
        for (measure, bits) in draft.measures.into_iter().zip(bits) {
            columns.push(match measure {
                Some(measure) => ReleasedColumn::Measure { leaf, measure },
                None => left_out(bits),
            });
        }
        leaves.push(leaf);
        of_sets.push(columns);
    }
    let width = of_sets.first().map_or(0, Vec::len);
    let stacked = |at: usize| {
        let of_set = leaves.iter().zip(&of_sets);
        let of_set = of_set.filter_map(|(leaf, columns)| Some((*leaf, columns.get(at)?.clone())));
        ReleasedColumn::Stacked(of_set.collect())
    };
    let columns = (0..width).map(stacked).collect();
    Ok(Above {
        arrangement: Arrangement::Stack(leaves.iter().copied().map(Arrangement::Leaf).collect()),
        columns: made.columns(columns),
    })
}

/// Whether a node gives released figures: an aggregation, perhaps under others.
pub(super) fn releases(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(_) => true,
        LogicalPlan::Projection(projection) => releases(&projection.input),
        LogicalPlan::Filter(filter) => releases(&filter.input),
        LogicalPlan::Sort(sort) => releases(&sort.input),
        LogicalPlan::Limit(limit) => releases(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => releases(&alias.input),
        LogicalPlan::Join(join) => releases(&join.left) || releases(&join.right),
        _ => false,
    }
}
