//! GROUP BY as written: keys, and the sets of ROLLUP, CUBE and GROUPING SETS.

use datafusion_expr::expr::AggregateFunction as PlannerAggregate;
use datafusion_expr::{Expr, GroupingSet};

use crate::plan::MAX_KEYS;
use crate::refusal::{Planned, Refusal, Rule};
use crate::release::MAX_SETS;

/// The keys of a grouping as written, each once, and the sets that keep some of them.
pub(super) type Grouping<'a> = (Vec<&'a Expr>, Option<Vec<Vec<usize>>>);

pub(super) fn grouping_sets(exprs: &[Expr]) -> Planned<Grouping<'_>> {
    let [Expr::GroupingSet(set)] = exprs else {
        return Ok((exprs.iter().collect(), None));
    };
    let written = set.distinct_expr();
    let all = 0..written.len();
    if written.len() > MAX_KEYS {
        return Err(Refusal::new(Rule::TooManyColumns));
    }
    let sets: Vec<Vec<usize>> = match set {
        GroupingSet::Rollup(_) => all
            .clone()
            .rev()
            .map(|n| (0..=n).collect())
            .chain([vec![]])
            .collect(),
        GroupingSet::Cube(_) => (0..1usize << written.len())
            .rev()
            .map(|bits| all.clone().filter(|key| bits >> key & 1 == 1).collect())
            .collect(),
        GroupingSet::GroupingSets(sets) => {
            let place = |expr: &Expr| written.iter().position(|other| *other == expr);
            sets.iter()
                .map(|set| set.iter().filter_map(place).collect())
                .collect()
        }
    };
    if sets.len() > MAX_SETS {
        return Err(Refusal::about(
            Rule::TooManyCells,
            format!("{} grouping sets, at most {MAX_SETS}", sets.len()),
        ));
    }
    Ok((written, Some(sets)))
}

/// The keys that GROUPING(…) names, in canonical places.
pub(super) fn grouping_bits(
    call: &PlannerAggregate,
    written: &[&Expr],
    places: &[usize],
) -> Planned<Vec<usize>> {
    let params = &call.params;
    if params.distinct || params.filter.is_some() || params.args.is_empty() {
        return Err(Refusal::new(Rule::AggregateClause));
    }
    let place = |expr: &Expr| written.iter().position(|key| *key == expr).map(|key| places[key]);
    let bits = params.args.iter().map(place).collect::<Option<Vec<_>>>();
    bits.ok_or_else(|| {
        Refusal::about(
            Rule::UnsupportedExpression,
            "GROUPING of something that is no key",
        )
    })
}
