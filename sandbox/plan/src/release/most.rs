//! How many rows an arrangement can have, from the plan alone: what is charged for has to be shown whatever the noise.

use super::{Arrangement, Outer, ReleasedColumn, Step};
use crate::plan::{Leaf, MAX_CELLS, PrivatePlan, matches_of};
use crate::scalar::ScalarExpr;

/// An arrangement with the most rows that it can have, and those of what it is made of.
pub(crate) struct Sized<'a> {
    pub(crate) arrangement: &'a Arrangement,
    pub(crate) rows: u64,
    pub(crate) inputs: Vec<Sized<'a>>,
}

impl Sized<'_> {
    /// The most rows anywhere in it.
    pub(crate) fn most(&self) -> u64 {
        self.inputs.iter().map(Self::most).fold(self.rows, u64::max)
    }
}

impl PrivatePlan {
    /// The most rows of the answer.
    #[cfg(test)]
    pub(crate) fn most_rows(&self) -> u64 {
        self.sized().rows
    }

    /// The arrangement with the most rows of each of its parts.
    pub(crate) fn sized(&self) -> Sized<'_> {
        self.sized_part(&self.arrangement)
    }

    fn sized_part<'a>(&'a self, arrangement: &'a Arrangement) -> Sized<'a> {
        let inputs = arrangement.inputs().into_iter();
        let inputs: Vec<Sized<'a>> = inputs.map(|input| self.sized_part(input)).collect();
        let rows = match arrangement {
            Arrangement::Leaf(leaf) => self.leaf_rows(*leaf),
            Arrangement::Steps { steps, .. } => {
                let cut = |step: &Step| match step {
                    Step::Limit { fetch, .. } => fetch.and_then(|fetch| u64::try_from(fetch).ok()),
                    Step::Filter(_) | Step::Sort(_) => None,
                };
                let rows = inputs.first().map_or(0, |input| input.rows);
                steps.iter().filter_map(cut).fold(rows, u64::min)
            }
            Arrangement::Stack(_) => inputs.iter().map(|input| input.rows).fold(0, u64::saturating_add),
            Arrangement::Join { kind, on, .. } => match inputs.as_slice() {
                [left, right] => self.joined_rows(left, right, *kind, on),
                _ => u64::MAX,
            },
        };
        Sized {
            arrangement,
            rows,
            inputs,
        }
    }

    fn leaf_rows(&self, leaf: usize) -> u64 {
        match self.leaves.get(leaf) {
            Some(Leaf::Part(part)) => self.parts.get(*part).map_or(0, |part| part.most_rows()),
            Some(Leaf::Public(table)) => self.public.get(*table).map_or(0, |table| table.rows.into()),
            None => 0,
        }
    }

    fn joined_rows(
        &self,
        left: &Sized<'_>,
        right: &Sized<'_>,
        kind: Outer,
        on: &[(ScalarExpr, ScalarExpr)],
    ) -> u64 {
        let (own, other): (Vec<&ScalarExpr>, Vec<&ScalarExpr>) =
            on.iter().map(|(own, other)| (own, other)).unzip();
        // A row without a match is none of the pairs.
        let (matches, matched) = (self.most_matches(right, &other), self.most_matches(left, &own));
        let by_left = left.rows.saturating_mul(matches);
        let pairs = by_left.min(right.rows.saturating_mul(matched));
        match kind {
            Outer::Neither => pairs,
            Outer::Left => left
                .rows
                .saturating_mul(matches.max(1))
                .min(pairs.saturating_add(left.rows)),
            Outer::Both => pairs.saturating_add(left.rows).saturating_add(right.rows),
        }
    }

    /// The most rows of an arrangement in which these expressions have one value each.
    fn most_matches(&self, sized: &Sized<'_>, exprs: &[&ScalarExpr]) -> u64 {
        let of_inputs = || sized.inputs.iter().map(|input| self.most_matches(input, exprs));
        let most = match sized.arrangement {
            Arrangement::Leaf(leaf) => self.leaf_matches(*leaf, exprs),
            Arrangement::Steps { .. } | Arrangement::Stack(_) => of_inputs().fold(0, u64::saturating_add),
            Arrangement::Join { kind, .. } => match of_inputs().collect::<Vec<_>>().as_slice() {
                [own, other] => {
                    let alone = match kind {
                        Outer::Neither => 0,
                        Outer::Left => *own,
                        Outer::Both => own.saturating_add(*other),
                    };
                    own.saturating_mul(*other).saturating_add(alone)
                }
                _ => u64::MAX,
            },
        };
        most.min(sized.rows)
    }

    fn leaf_matches(&self, leaf: usize, exprs: &[&ScalarExpr]) -> u64 {
        match self.leaves.get(leaf) {
            Some(Leaf::Part(part)) => {
                let joined: Vec<usize> = exprs.iter().filter_map(|expr| self.key_of(leaf, expr)).collect();
                self.parts
                    .get(*part)
                    .map_or(u64::MAX, |part| part.most_matches(&joined))
            }
            Some(Leaf::Public(table)) => {
                let own = exprs.iter().filter_map(|expr| self.public_of(leaf, expr));
                let on: Vec<_> = own.map(|expr| (expr.clone(), expr)).collect();
                if on.is_empty() {
                    return u64::MAX;
                }
                let matches = self.public.get(*table).map(|table| matches_of(table, &on));
                matches.and_then(Result::ok).map_or(u64::MAX, u64::from)
            }
            None => u64::MAX,
        }
    }

    /// The key of a part's table that an expression is.
    fn key_of(&self, leaf: usize, expr: &ScalarExpr) -> Option<usize> {
        let ScalarExpr::Column(at) = expr else {
            return None;
        };
        match self.released.get(*at)? {
            ReleasedColumn::Key { leaf: own, key } => (*own == leaf).then_some(*key),
            ReleasedColumn::Stacked(members) => members.iter().find_map(|(_, column)| match column {
                ReleasedColumn::Key { leaf: own, key } if *own == leaf => Some(*key),
                _ => None,
            }),
            _ => None,
        }
    }

    /// An expression over a public relation's own columns, if it reads no others and any.
    fn public_of(&self, leaf: usize, expr: &ScalarExpr) -> Option<ScalarExpr> {
        fn walk(expr: &mut ScalarExpr, place: &impl Fn(usize) -> Option<usize>) -> Option<bool> {
            let mut reads = false;
            if let ScalarExpr::Column(at) = expr {
                *at = place(*at)?;
                reads = true;
            }
            for child in expr.children_mut() {
                reads |= walk(child, place)?;
            }
            Some(reads)
        }
        let place = |at: usize| match self.released.get(at) {
            Some(ReleasedColumn::Public { leaf: own, column }) if *own == leaf => Some(*column),
            _ => None,
        };
        let mut own = expr.clone();
        walk(&mut own, &place)?.then_some(own)
    }

    /// The most rows that may stand anywhere above the release: those of an answer, or twice the largest table, which joins by all
    /// keys of one side never pass.
    pub(crate) fn row_limit(&self) -> u64 {
        let largest = (0..self.leaves.len()).map(|leaf| self.leaf_rows(leaf)).max();
        largest.unwrap_or(0).saturating_mul(2).max(MAX_CELLS.into())
    }

    /// How many rows the arrangement could have somewhere, if they are more than that.
    pub(crate) fn joins_too_many(&self) -> Option<u64> {
        let joins = |arrangement: &Arrangement| arrangement.has_join();
        let most = self.sized().most();
        (joins(&self.arrangement) && most > self.row_limit()).then_some(most)
    }
}
