//! What a query has been found to need: parts, public relations, and the columns that everything above the release reads.

use std::collections::BTreeSet;

use model::FieldType;

use super::above::Above;
use super::occurring::MAX_COMPARISONS;
use super::part::{canonical_order, number_columns};
use crate::lower::{Bound, canonical};
use crate::plan::{Leaf, MAX_PARTS, MAX_SHARES, OutputColumn, PlanCore, PlanPart, PrivatePlan};
use crate::public::PublicTable;
use crate::refusal::{Planned, Refusal, Rule};
use crate::release::{Arrangement, LeafTables, Outer, ReleasedColumn, Step};
use crate::scalar::{Comparison, Literal, ScalarExpr};
use crate::source::shifted;

/// A plan as far as it is made.
pub(super) struct Made {
    parts: Vec<PlanPart>,
    public: Vec<PublicTable>,
    leaves: Vec<Leaf>,
    released: Vec<ReleasedColumn>,
    /// The comparisons that telling impossible cells apart may still take.
    pub(super) comparisons: u64,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            parts: vec![],
            public: vec![],
            leaves: vec![],
            released: vec![],
            comparisons: MAX_COMPARISONS,
        }
    }
}

impl Made {
    /// The types of the released columns.
    pub(super) fn types(&self) -> Vec<FieldType> {
        let tables = LeafTables {
            leaves: &self.leaves,
            parts: &self.parts,
            public: &self.public,
        };
        let columns = self.released.iter();
        columns.map(|column| column.field_type(&tables)).collect()
    }

    /// The table of a part. One that is there already is not noised again.
    pub(super) fn part(&mut self, mut core: PlanCore, sets: Option<Vec<Vec<usize>>>) -> Planned<usize> {
        number_columns(&mut core)?;
        let part = PlanPart { core, sets };
        let at = match self.parts.iter().position(|other| *other == part) {
            Some(at) => at,
            None => {
                self.parts.push(part);
                self.parts.len() - 1
            }
        };
        let shares: u32 = self.parts.iter().map(|part| part.core.shares()).sum();
        if self.parts.len() > MAX_PARTS {
            let parts =
                format!("more than {MAX_PARTS} aggregations or grouping sets that are noised on their own");
            return Err(Refusal::about(Rule::TooManyColumns, parts));
        }
        if shares > MAX_SHARES {
            let shares = format!("{shares} figures in all tables, at most {MAX_SHARES}");
            return Err(Refusal::about(Rule::TooManyColumns, shares));
        }
        self.leaves.push(Leaf::Part(at));
        Ok(self.leaves.len() - 1)
    }

    /// A public relation as a table, with some of its columns or what is computed from them.
    pub(super) fn public(&mut self, table: &PublicTable, columns: &[Bound]) -> Above {
        let at = match self.public.iter().position(|other| other == table) {
            Some(at) => at,
            None => {
                self.public.push(table.clone());
                self.public.len() - 1
            }
        };
        let leaf = self.leaves.len();
        self.leaves.push(Leaf::Public(at));
        let base = self.released.len();
        self.columns(
            (0..table.columns.len())
                .map(|column| ReleasedColumn::Public { leaf, column })
                .collect(),
        );
        let moved = |bound: &Bound| match bound {
            Bound::Value(expr) => Bound::Value(shifted(expr, base)),
            other => other.clone(),
        };
        Above {
            arrangement: Arrangement::Leaf(leaf),
            columns: columns.iter().map(moved).collect(),
        }
    }

    /// New released columns, as names stand for them.
    pub(super) fn columns(&mut self, columns: Vec<ReleasedColumn>) -> Vec<Bound> {
        let base = self.released.len();
        self.released.extend(columns);
        (base..self.released.len())
            .map(|at| Bound::Value(ScalarExpr::Column(at)))
            .collect()
    }

    /// The place of a key of a table among the released columns.
    pub(super) fn key(&self, leaf: usize, key: usize) -> Option<usize> {
        let wanted = ReleasedColumn::Key { leaf, key };
        self.released.iter().position(|column| *column == wanted)
    }

    /// The columns of one side of a join; NULL in rows that have nothing of it, unless every row has.
    pub(super) fn shown(&mut self, side: &Above, stays: bool) -> Planned<Vec<Bound>> {
        let computed = |bound: &Bound| !matches!(bound, Bound::Value(ScalarExpr::Column(_)));
        if stays || !side.columns.iter().any(computed) {
            return Ok(side.columns.clone());
        }
        let present = self.released.len();
        self.released
            .push(ReleasedColumn::Present(side.arrangement.leaves()));
        let types = self.types();
        let shown = side.columns.iter().map(|bound| {
            let Bound::Value(expr) = bound else {
                return Err(Refusal::new(Rule::UnitKey));
            };
            if !computed(bound) {
                return Ok(bound.clone());
            }
            let field_type = expr.field_type(&types);
            let field_type = field_type.ok_or_else(|| Refusal::new(Rule::UnsupportedExpression))?;
            Ok(Bound::Value(ScalarExpr::Case {
                when: vec![(ScalarExpr::Column(present), expr.clone())],
                otherwise: Box::new(ScalarExpr::Literal(Literal::Null(field_type))),
            }))
        });
        shown.collect()
    }

    /// Rows where a condition is true. Of an inner join it says which pairs there are.
    pub(super) fn filtered(&self, arrangement: Arrangement, condition: ScalarExpr) -> Arrangement {
        match arrangement {
            Arrangement::Join {
                kind: Outer::Neither, ..
            } => self.on(arrangement, condition),
            other => other.then(Step::Filter(condition)),
        }
    }

    /// A join with one more condition: an equality of both sides without figures finds the pairs, anything else is looked at pair
    /// by pair.
    pub(super) fn on(&self, arrangement: Arrangement, more: ScalarExpr) -> Arrangement {
        if let ScalarExpr::And(list) = more {
            return list
                .into_iter()
                .fold(arrangement, |join, part| self.on(join, part));
        }
        let Arrangement::Join {
            left,
            right,
            kind,
            mut on,
            mut condition,
        } = arrangement
        else {
            return arrangement.then(Step::Filter(more));
        };
        match self.pair(&left, &right, &more) {
            Some(pair) => on.push(pair),
            None => {
                condition = Some(match condition {
                    None => more,
                    Some(before) => canonical(ScalarExpr::And(vec![before, more])),
                });
            }
        }
        Arrangement::Join {
            left,
            right,
            kind,
            on,
            condition,
        }
    }

    fn pair(
        &self,
        left: &Arrangement,
        right: &Arrangement,
        condition: &ScalarExpr,
    ) -> Option<(ScalarExpr, ScalarExpr)> {
        let ScalarExpr::Compare(Comparison::Equal, one, other) = condition else {
            return None;
        };
        let (lefts, rights) = (left.leaves(), right.leaves());
        let of = |expr: &ScalarExpr, leaves: &[usize]| {
            let read = self.read(expr);
            read.is_some_and(|read| !read.is_empty() && read.iter().all(|leaf| leaves.contains(leaf)))
        };
        if of(one, &lefts) && of(other, &rights) {
            Some((ScalarExpr::clone(one), ScalarExpr::clone(other)))
        } else if of(other, &lefts) && of(one, &rights) {
            Some((ScalarExpr::clone(other), ScalarExpr::clone(one)))
        } else {
            None
        }
    }

    /// The tables that an expression reads; none if it reads a figure.
    fn read(&self, expr: &ScalarExpr) -> Option<BTreeSet<usize>> {
        fn of_column(column: &ReleasedColumn, into: &mut BTreeSet<usize>) -> Option<()> {
            match column {
                ReleasedColumn::Key { leaf, .. }
                | ReleasedColumn::Grouping { leaf, .. }
                | ReleasedColumn::Public { leaf, .. } => {
                    into.insert(*leaf);
                }
                ReleasedColumn::Measure { .. } => return None,
                ReleasedColumn::Present(leaves) => into.extend(leaves),
                ReleasedColumn::Fixed(_) => {}
                ReleasedColumn::Stacked(members) => {
                    into.extend(members.iter().map(|(leaf, _)| *leaf));
                    return members.iter().try_for_each(|(_, column)| of_column(column, into));
                }
            }
            Some(())
        }
        let (mut used, mut read) = (BTreeSet::new(), BTreeSet::new());
        expr.collect_columns(&mut used);
        for at in used {
            of_column(self.released.get(at)?, &mut read)?;
        }
        Some(read)
    }

    /// The plan, with its parts in canonical order.
    pub(super) fn finish(self, arrangement: Arrangement, output: Vec<OutputColumn>) -> Planned<PrivatePlan> {
        let (parts, places) = canonical_order(self.parts);
        let leaf = |leaf: Leaf| match leaf {
            Leaf::Part(part) => {
                let place = places.get(part).copied();
                place
                    .map(Leaf::Part)
                    .ok_or_else(|| Refusal::new(Rule::UnsupportedPlan))
            }
            public => Ok(public),
        };
        Ok(PrivatePlan {
            parts,
            public: self.public,
            leaves: self.leaves.into_iter().map(leaf).collect::<Planned<_>>()?,
            released: self.released,
            arrangement,
            output,
        })
    }
}
