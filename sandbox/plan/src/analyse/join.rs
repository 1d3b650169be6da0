//! Joins below the release: of a per-unit relation with a public one, and of two by their unit keys.

use datafusion_common::{DFSchema, NullEquality};
use datafusion_expr::{BinaryExpr, Expr, Join, JoinConstraint, JoinType, Operator};
use model::FieldType;

use super::per_unit::Below;
use super::{Decision, PerUnit};
use crate::lower::{Bound, Lowering, canonical};
use crate::plan::{MAX_CROSS, matches_of};
use crate::refusal::{Planned, Refusal, Rule};
use crate::scalar::{Comparison, Literal, ScalarExpr};
use crate::source::{JoinKind, MAX_TABLES, Source, shifted};

/// What a join condition asks for.
#[derive(Default)]
struct Conditions {
    /// Whether the unit keys of both sides have to be equal.
    units: bool,
    /// Equal pairs, over the columns of both sides.
    pairs: Vec<(ScalarExpr, ScalarExpr)>,
    /// The rest.
    others: Vec<ScalarExpr>,
}

/// The columns of two sides, the left's first.
struct Both<'a> {
    schema: DFSchema,
    columns: Vec<Bound>,
    types: Vec<FieldType>,
    /// How many of the columns that expressions read are the left's.
    left: usize,
    join: &'a Join,
}

/// Refuses USING where rows of the right side stay: the planner takes the column of the left for the one that is named once, which
/// has no value there.
pub(super) fn named_once(join: &Join) -> Planned<()> {
    if join.join_constraint == JoinConstraint::Using {
        return Err(Refusal::about(
            Rule::Join,
            "USING in a RIGHT or FULL JOIN: write ON, and COALESCE",
        ));
    }
    Ok(())
}

impl Decision<'_> {
    pub(super) fn join(&self, join: &Join) -> Planned<PerUnit> {
        if join.null_equality != NullEquality::NullEqualsNothing || join.null_aware {
            return Err(Refusal::new(Rule::Join));
        }
        match (self.below(&join.left)?, self.below(&join.right)?) {
            (Below::PerUnit(left), Below::PerUnit(right)) => unit_join(join, *left, *right),
            (Below::PerUnit(own), Below::Public(place, columns)) => {
                let kind = match join.join_type {
                    JoinType::Inner => JoinKind::Inner,
                    JoinType::Left => JoinKind::Left,
                    JoinType::LeftSemi => JoinKind::Semi,
                    JoinType::LeftAnti => JoinKind::Anti,
                    JoinType::Right | JoinType::Full => return Err(Refusal::new(Rule::OuterJoin)),
                    _ => return Err(Refusal::new(Rule::Join)),
                };
                self.public_join(join, *own, place, columns, kind, false)
            }
            (Below::Public(place, columns), Below::PerUnit(own)) => {
                let kind = match join.join_type {
                    JoinType::Inner => JoinKind::Inner,
                    JoinType::Right => {
                        named_once(join)?;
                        JoinKind::Left
                    }
                    JoinType::RightSemi => JoinKind::Semi,
                    JoinType::RightAnti => JoinKind::Anti,
                    JoinType::Left | JoinType::Full => return Err(Refusal::new(Rule::OuterJoin)),
                    _ => return Err(Refusal::new(Rule::Join)),
                };
                self.public_join(join, *own, place, columns, kind, true)
            }
            (Below::Public(..), Below::Public(..)) => Err(Refusal::about(
                Rule::Join,
                "two public relations: join them in a subquery of their own",
            )),
        }
    }

    /// A join with a public relation; `swapped` says that the public one is written first.
    fn public_join(
        &self,
        join: &Join,
        mut own: PerUnit,
        place: usize,
        columns: Vec<Bound>,
        kind: JoinKind,
        swapped: bool,
    ) -> Planned<PerUnit> {
        own.settle();
        if kind == JoinKind::Left && !columns.iter().all(is_column) {
            // Where no row is met they are NULL, and what is computed from that need not be.
            return Err(Refusal::new(Rule::Join));
        }
        let table = &self.tables.public[place];
        let width = own.shape.columns.0.len();
        let side: Vec<Bound> = columns.iter().map(|bound| moved(bound, width)).collect();
        let mut types = own.shape.columns.types();
        types.extend(table.types());
        let (first, second) = if swapped {
            (side.clone(), own.columns.clone())
        } else {
            (own.columns.clone(), side.clone())
        };
        let both = Both::new(join, first, second, types, width)?;
        let conditions = both.conditions()?;
        if conditions.units {
            return Err(Refusal::new(Rule::UnitKey));
        }
        let mut on: Vec<(ScalarExpr, ScalarExpr)> = conditions
            .pairs
            .into_iter()
            .map(|(left, right)| (left, unshifted(&right, width)))
            .collect();
        on.sort_by_cached_key(crate::lower::canonical_key);
        let matches = matches_of(table, &on).map_err(|_| Refusal::new(Rule::UnsupportedPlan))?;
        if on.is_empty() && matches > MAX_CROSS {
            return Err(Refusal::about(
                Rule::JoinCondition,
                format!("{matches} public rows, and no equality that says which of them"),
            ));
        }
        if own.public.len() + own.scans.len() >= MAX_TABLES {
            return Err(Refusal::new(Rule::TooManyTables));
        }
        let at = own.public.len();
        own.public.push(table.clone());
        own.source = Source::PublicJoin {
            input: Box::new(std::mem::replace(&mut own.source, Source::Scan(0))),
            public: at,
            kind,
            on,
            condition: all(conditions.others),
            matches,
        };
        own.columns = match (kind.shows_right(), swapped) {
            (true, false) => [own.columns, side].concat(),
            (true, true) => [side, own.columns].concat(),
            (false, _) => own.columns,
        };
        own.measure()?;
        Ok(own)
    }
}

/// A join of two per-unit relations by their unit keys.
fn unit_join(join: &Join, left: PerUnit, right: PerUnit) -> Planned<PerUnit> {
    if left.shape.unit.unit_type != right.shape.unit.unit_type {
        return Err(Refusal::new(Rule::UnitTypes));
    }
    let (kind, swapped) = match join.join_type {
        JoinType::Inner => (JoinKind::Inner, false),
        JoinType::Left => (JoinKind::Left, false),
        JoinType::Right => {
            named_once(join)?;
            (JoinKind::Left, true)
        }
        JoinType::Full => return Err(Refusal::new(Rule::OuterJoin)),
        _ => return Err(Refusal::new(Rule::Join)),
    };
    let (mut own, mut other) = if swapped { (right, left) } else { (left, right) };
    own.settle();
    other.settle();
    if own.scans.len() + own.public.len() + other.scans.len() + other.public.len() > MAX_TABLES {
        return Err(Refusal::new(Rule::TooManyTables));
    }
    let width = own.shape.columns.0.len();
    let side: Vec<Bound> = other.columns.iter().map(|bound| moved(bound, width)).collect();
    let mut types = own.shape.columns.types();
    types.extend(other.shape.columns.types());
    let (first, second) = if swapped {
        (side.clone(), own.columns.clone())
    } else {
        (own.columns.clone(), side.clone())
    };
    let met = types.len();
    let both = Both::new(join, first, second, types.clone(), width)?;
    let conditions = both.conditions()?;
    if !conditions.units {
        return Err(Refusal::new(Rule::JoinUnit));
    }
    let equal = |(left, right): (ScalarExpr, ScalarExpr)| {
        canonical(ScalarExpr::Compare(
            Comparison::Equal,
            Box::new(left),
            Box::new(right),
        ))
    };
    let condition = all(conditions
        .pairs
        .into_iter()
        .map(equal)
        .chain(conditions.others)
        .collect());
    let (scans, public) = (own.scans.len(), own.public.len());
    renumber_tables(&mut other.source, scans, public);
    own.scans.append(&mut other.scans);
    own.public.append(&mut other.public);
    own.source = Source::UnitJoin {
        left: Box::new(std::mem::replace(&mut own.source, Source::Scan(0))),
        right: Box::new(other.source),
        kind,
        condition,
    };
    // Where a unit has no row on the other side, that side's key is NULL, which is not the row's unit; and so are its columns,
    // whatever they compute.
    let side = side.into_iter().map(|bound| match (bound, kind) {
        (Bound::UnitKey, JoinKind::Left) => Ok(Bound::OtherKey),
        (Bound::Value(expr), JoinKind::Left) if !matches!(expr, ScalarExpr::Column(_)) => {
            let field_type = expr.field_type(&types);
            let field_type = field_type.ok_or_else(|| Refusal::new(Rule::UnsupportedExpression))?;
            Ok(Bound::Value(ScalarExpr::Case {
                when: vec![(ScalarExpr::Column(met), expr)],
                otherwise: Box::new(ScalarExpr::Literal(Literal::Null(field_type))),
            }))
        }
        (bound, _) => Ok(bound),
    });
    let side = side.collect::<Planned<Vec<Bound>>>()?;
    own.columns = if swapped {
        [side, own.columns].concat()
    } else {
        [own.columns, side].concat()
    };
    own.measure()?;
    Ok(own)
}

impl<'a> Both<'a> {
    fn new(
        join: &'a Join,
        first: Vec<Bound>,
        second: Vec<Bound>,
        types: Vec<FieldType>,
        left: usize,
    ) -> Planned<Self> {
        let schema = join
            .left
            .schema()
            .join(join.right.schema())
            .map_err(|_| Refusal::new(Rule::Join))?;
        Ok(Self {
            schema,
            columns: [first, second].concat(),
            types,
            left,
            join,
        })
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering {
            schema: &self.schema,
            columns: &self.columns,
            types: &self.types,
        }
    }

    fn conditions(&self) -> Planned<Conditions> {
        let mut conditions = Conditions::default();
        for (left, right) in &self.join.on {
            self.equality(left, right, &mut conditions)?;
        }
        if let Some(filter) = &self.join.filter {
            self.conjunct(filter, &mut conditions)?;
        }
        Ok(conditions)
    }

    fn conjunct(&self, expr: &Expr, into: &mut Conditions) -> Planned<()> {
        match expr {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::And,
                right,
            }) => {
                self.conjunct(left, into)?;
                self.conjunct(right, into)
            }
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Eq,
                right,
            }) => self.equality(left, right, into),
            other => {
                into.others.push(self.lowering().condition(other)?);
                Ok(())
            }
        }
    }

    fn equality(&self, left: &Expr, right: &Expr, into: &mut Conditions) -> Planned<()> {
        let lowering = self.lowering();
        if lowering.is_unit_key(left) && lowering.is_unit_key(right) {
            if self.is_first(left) == self.is_first(right) {
                return Err(Refusal::new(Rule::UnitKey));
            }
            into.units = true;
            return Ok(());
        }
        let equal = lowering.equal_pair(left, right)?;
        match (self.sides(&equal.0), self.sides(&equal.1)) {
            ((true, false), (false, true)) => into.pairs.push(equal),
            ((false, true), (true, false)) => into.pairs.push((equal.1, equal.0)),
            _ => into.others.push(canonical(ScalarExpr::Compare(
                Comparison::Equal,
                Box::new(equal.0),
                Box::new(equal.1),
            ))),
        }
        Ok(())
    }

    /// Whether a unit key is that of the side that is written first.
    fn is_first(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Alias(alias) => self.is_first(&alias.expr),
            Expr::Column(column) => self
                .schema
                .maybe_index_of_column(column)
                .is_some_and(|at| at < self.join.left.schema().fields().len()),
            _ => false,
        }
    }

    /// Whether an expression reads columns of the per-unit or left side, and whether of the other.
    fn sides(&self, expr: &ScalarExpr) -> (bool, bool) {
        let mut used = std::collections::BTreeSet::new();
        expr.collect_columns(&mut used);
        (
            used.first().is_some_and(|first| *first < self.left),
            used.last().is_some_and(|last| *last >= self.left),
        )
    }
}

fn all(mut conditions: Vec<ScalarExpr>) -> Option<ScalarExpr> {
    match conditions.len() {
        0 | 1 => conditions.pop(),
        _ => Some(canonical(ScalarExpr::And(conditions))),
    }
}

const fn is_column(bound: &Bound) -> bool {
    matches!(bound, Bound::Value(ScalarExpr::Column(_)))
}

fn moved(bound: &Bound, by: usize) -> Bound {
    match bound {
        Bound::Value(expr) => Bound::Value(shifted(expr, by)),
        Bound::UnitKey => Bound::UnitKey,
        Bound::OtherKey => Bound::OtherKey,
    }
}

/// The expression over its own side's columns.
fn unshifted(expr: &ScalarExpr, by: usize) -> ScalarExpr {
    let mut expr = expr.clone();
    fn walk(expr: &mut ScalarExpr, by: usize) {
        if let ScalarExpr::Column(column) = expr {
            *column = column.saturating_sub(by);
        }
        for child in expr.children_mut() {
            walk(child, by);
        }
    }
    walk(&mut expr, by);
    expr
}

/// Puts tables after so many others.
fn renumber_tables(source: &mut Source, scans: usize, public: usize) {
    match source {
        Source::Scan(table) => *table += scans,
        Source::Filter { input, .. } | Source::UnitAggregate { input, .. } => {
            renumber_tables(input, scans, public);
        }
        Source::PublicJoin {
            input, public: place, ..
        } => {
            *place += public;
            renumber_tables(input, scans, public);
        }
        Source::UnitJoin { left, right, .. } => {
            renumber_tables(left, scans, public);
            renumber_tables(right, scans, public);
        }
    }
}
