//! How many rows an arrangement can have, from the plan alone: what is charged for has to be shown whatever the noise.

use super::{Arrangement, Outer, ReleasedColumn, Step};
use crate::plan::{Leaf, MAX_CELLS, PrivatePlan, matches_of};
use crate::scalar::ScalarExpr;

impl PrivatePlan {
    /// The most rows of an arrangement.
    pub(crate) fn most_rows(&self, arrangement: &Arrangement) -> u64 {
        match arrangement {
            Arrangement::Leaf(leaf) => match self.leaves.get(*leaf) {
                Some(Leaf::Part(part)) => self.parts.get(*part).map_or(0, |part| part.most_rows()),
                Some(Leaf::Public(table)) => self.public.get(*table).map_or(0, |table| table.rows.into()),
                None => 0,
            },
            Arrangement::Steps { input, steps } => {
                let cut = |step: &Step| match step {
                    Step::Limit { fetch, .. } => fetch.and_then(|fetch| u64::try_from(fetch).ok()),
                    Step::Filter(_) | Step::Sort(_) => None,
                };
                let rows = self.most_rows(input);
                steps.iter().filter_map(cut).fold(rows, u64::min)
            }
            Arrangement::Stack(members) => {
                let rows = members.iter().map(|member| self.most_rows(member));
                rows.fold(0, u64::saturating_add)
            }
            Arrangement::Join {
                left,
                right,
                kind,
                on,
                ..
            } => {
                let (lefts, rights) = (self.most_rows(left), self.most_rows(right));
                let (own, other): (Vec<&ScalarExpr>, Vec<&ScalarExpr>) =
                    on.iter().map(|(own, other)| (own, other)).unzip();
                // A row without a match is none of the pairs.
                let (matches, matched) = (self.most_matches(right, &other), self.most_matches(left, &own));
                let pairs = lefts.saturating_mul(matches).min(rights.saturating_mul(matched));
                match kind {
                    Outer::Neither => pairs,
                    Outer::Left => lefts
                        .saturating_mul(matches.max(1))
                        .min(pairs.saturating_add(lefts)),
                    Outer::Both => pairs.saturating_add(lefts).saturating_add(rights),
                }
            }
        }
    }

    /// The most rows of an arrangement in which these expressions have one value each.
    fn most_matches(&self, arrangement: &Arrangement, exprs: &[&ScalarExpr]) -> u64 {
        let most = match arrangement {
            Arrangement::Leaf(leaf) => match self.leaves.get(*leaf) {
                Some(Leaf::Part(part)) => {
                    let joined: Vec<usize> =
                        exprs.iter().filter_map(|expr| self.key_of(*leaf, expr)).collect();
                    self.parts
                        .get(*part)
                        .map_or(u64::MAX, |part| part.most_matches(&joined))
                }
                Some(Leaf::Public(table)) => {
                    let own = exprs.iter().filter_map(|expr| self.public_of(*leaf, expr));
                    let on: Vec<_> = own.map(|expr| (expr.clone(), expr)).collect();
                    let matches = self.public.get(*table).map(|table| matches_of(table, &on));
                    matches.and_then(Result::ok).map_or(u64::MAX, u64::from)
                }
                None => u64::MAX,
            },
            Arrangement::Steps { input, .. } => self.most_matches(input, exprs),
            Arrangement::Stack(members) => {
                let rows = members.iter().map(|member| self.most_matches(member, exprs));
                rows.fold(0, u64::saturating_add)
            }
            Arrangement::Join {
                left, right, kind, ..
            } => {
                let (own, other) = (self.most_matches(left, exprs), self.most_matches(right, exprs));
                let alone = match kind {
                    Outer::Neither => 0,
                    Outer::Left => own,
                    Outer::Both => own.saturating_add(other),
                };
                own.saturating_mul(other).saturating_add(alone)
            }
        };
        most.min(self.most_rows(arrangement))
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

    /// How many rows some join could have, if that is more than an answer may have and than twice both its sides: rows that
    /// are joined by all keys of one side are never too many.
    pub(crate) fn joins_too_many(&self, arrangement: &Arrangement) -> Option<u64> {
        let deeper = arrangement.inputs().into_iter();
        if let Some(rows) = deeper.filter_map(|input| self.joins_too_many(input)).next() {
            return Some(rows);
        }
        let Arrangement::Join { left, right, .. } = arrangement else {
            return None;
        };
        let sides = self.most_rows(left).saturating_add(self.most_rows(right));
        let rows = self.most_rows(arrangement);
        (rows > sides.saturating_mul(2).max(MAX_CELLS.into())).then_some(rows)
    }
}
