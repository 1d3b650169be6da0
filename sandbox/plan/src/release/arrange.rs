//! From the released tables to the rows of an answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, UInt32Builder, new_null_array,
};
use arrow::compute::{SortColumn, SortOptions, concat, interleave, lexsort_to_indices, take};
use arrow::datatypes::DataType;

use super::{Arrangement, Measure, Noised, Outer, PartRows, ReleasedColumn, Row, SortKey, Step};
use crate::eval::{self, EvalError, Evaluated};
use crate::plan::{Leaf, PrivatePlan};
use crate::public::KeyIndex;
use crate::scalar::ScalarExpr;

/// The rows of an answer: for each, which row it has of every table.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    /// The tables of the plan's parts.
    pub parts: Vec<PartRows>,
    /// The public relations.
    public: Vec<RecordBatch>,
    rows: Rows,
}

/// A figure of a row, and what it is made of.
#[derive(Debug, Clone, Copy)]
pub struct Figure<'a> {
    /// Its part's place in the plan.
    pub part: usize,
    /// How it is made of totals.
    pub measure: &'a Measure,
    /// The row of the part's table.
    pub row: &'a Row,
    /// That row's totals.
    pub totals: &'a [i128],
    /// What was picked for that row's quantiles.
    pub picked: &'a [super::Picks],
}

/// Rows, by what they have of every leaf; NULL for nothing.
#[derive(Debug, Clone, PartialEq)]
struct Rows {
    count: usize,
    places: Vec<UInt32Array>,
}

/// A released column over the rows of its own table.
enum Values {
    Of(usize, ArrayRef),
    Present(Vec<usize>),
    Fixed(ArrayRef),
    Stacked(Vec<(usize, Values)>),
}

impl Released {
    /// How many rows there are.
    pub const fn len(&self) -> usize {
        self.rows.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.rows.count == 0
    }

    /// The figure that a released column shows in a row; none where the row has nothing of its table.
    pub fn figure<'a>(&'a self, plan: &'a PrivatePlan, column: usize, row: usize) -> Option<Figure<'a>> {
        plan.released
            .get(column)?
            .measures()
            .into_iter()
            .find_map(|(leaf, measure)| {
                let Leaf::Part(part) = *plan.leaves.get(leaf)? else {
                    return None;
                };
                let places = self.rows.places.get(leaf)?;
                let at = (row < places.len() && places.is_valid(row)).then(|| places.value(row) as usize)?;
                let (core, rows) = (&plan.parts.get(part)?.core, self.parts.get(part)?);
                let (count, quantiles) = (core.aggregates.len(), core.quantiles.len());
                Some(Figure {
                    part,
                    measure,
                    row: rows.rows.get(at)?,
                    totals: rows.totals.get(at * count..(at + 1) * count)?,
                    picked: rows.picked.get(at * quantiles..(at + 1) * quantiles)?,
                })
            })
    }

    /// The same rows, with no other rows of the parts' tables than they need.
    fn compact(mut self, plan: &PrivatePlan) -> Evaluated<Self> {
        for (part, rows) in self.parts.iter_mut().enumerate() {
            let of_part = |leaf: &Leaf| matches!(leaf, Leaf::Part(own) if *own == part);
            let leaves: Vec<usize> = (0..plan.leaves.len())
                .filter(|leaf| plan.leaves.get(*leaf).is_some_and(of_part))
                .collect();
            let mut used = BTreeSet::new();
            for leaf in &leaves {
                let places = self.rows.places.get(*leaf).ok_or(EvalError)?;
                used.extend(places.iter().flatten());
            }
            let kept: Vec<u32> = used.into_iter().collect();
            let place = |old: u32| {
                let new = kept.binary_search(&old).map_err(|_| EvalError)?;
                u32::try_from(new).map_err(|_| EvalError)
            };
            for leaf in &leaves {
                let places = self.rows.places.get_mut(*leaf).ok_or(EvalError)?;
                let moved = places.iter().map(|old| old.map(place).transpose());
                *places = moved.collect::<Evaluated<UInt32Array>>()?;
            }
            *rows = rows.keep(&kept);
        }
        Ok(self)
    }
}

impl Rows {
    /// The rows of one leaf, as they are.
    fn of_leaf(leaf: usize, leaves: usize, count: usize) -> Evaluated<Self> {
        let all: UInt32Array = (0..u32::try_from(count).map_err(|_| EvalError)?).collect();
        let places = |at: usize| {
            if at == leaf {
                all.clone()
            } else {
                UInt32Array::new_null(count)
            }
        };
        Ok(Self {
            count,
            places: (0..leaves).map(places).collect(),
        })
    }

    /// Some of the rows, in this order; where there is NULL, nothing of any leaf.
    fn take(&self, rows: &UInt32Array) -> Evaluated<Self> {
        let taken = |places: &UInt32Array| -> Evaluated<UInt32Array> {
            Ok(take(places, rows, None)?
                .as_primitive_opt()
                .ok_or(EvalError)?
                .clone())
        };
        Ok(Self {
            count: rows.len(),
            places: self.places.iter().map(taken).collect::<Evaluated<_>>()?,
        })
    }

    /// Row by row, what either has.
    fn beside(&self, other: &Self) -> Evaluated<Self> {
        let either = |(own, other): (&UInt32Array, &UInt32Array)| {
            // A leaf is on one side only.
            if other.null_count() == other.len() {
                own.clone()
            } else {
                other.clone()
            }
        };
        if self.count != other.count {
            return Err(EvalError);
        }
        Ok(Self {
            count: self.count,
            places: self.places.iter().zip(&other.places).map(either).collect(),
        })
    }

    fn stack(members: &[Self]) -> Evaluated<Self> {
        let first = members.first().ok_or(EvalError)?;
        let stacked = |leaf: usize| -> Evaluated<UInt32Array> {
            let all = members
                .iter()
                .map(|rows| Some(rows.places.get(leaf)? as &dyn Array));
            let all = all.collect::<Option<Vec<_>>>().ok_or(EvalError)?;
            Ok(concat(&all)?.as_primitive_opt().ok_or(EvalError)?.clone())
        };
        Ok(Self {
            count: members.iter().map(|rows| rows.count).sum(),
            places: (0..first.places.len()).map(stacked).collect::<Evaluated<_>>()?,
        })
    }

    fn has(&self, leaf: usize, row: usize) -> bool {
        self.places.get(leaf).is_some_and(|places| places.is_valid(row))
    }

    /// A column's values in these rows.
    fn gather(&self, values: &Values) -> Evaluated<ArrayRef> {
        match values {
            Values::Of(leaf, own) => Ok(take(own, self.places.get(*leaf).ok_or(EvalError)?, None)?),
            Values::Present(leaves) => {
                let present = |row| leaves.iter().any(|leaf| self.has(*leaf, row));
                let present = (0..self.count).map(|row| Some(present(row)));
                Ok(Arc::new(present.collect::<BooleanArray>()))
            }
            Values::Fixed(value) => Ok(take(value, &UInt32Array::from(vec![0; self.count]), None)?),
            Values::Stacked(members) => self.gather_stacked(members),
        }
    }

    fn gather_stacked(&self, members: &[(usize, Values)]) -> Evaluated<ArrayRef> {
        let gathered = members
            .iter()
            .map(|(_, values)| self.gather(values))
            .collect::<Evaluated<Vec<_>>>()?;
        let none = gathered.first().map(|first| new_null_array(first.data_type(), 1));
        let none = none.ok_or(EvalError)?;
        let mut arrays: Vec<&dyn Array> = gathered.iter().map(|array| array as &dyn Array).collect();
        arrays.push(&none);
        let from = |row| match members.iter().position(|(leaf, _)| self.has(*leaf, row)) {
            Some(member) => (member, row),
            None => (members.len(), 0),
        };
        let from: Vec<(usize, usize)> = (0..self.count).map(from).collect();
        Ok(interleave(&arrays, &from)?)
    }

    /// The columns that some expressions read; the others stand there empty.
    fn columns<'e>(
        &self,
        values: &[Values],
        exprs: impl IntoIterator<Item = &'e ScalarExpr>,
    ) -> Evaluated<Vec<ArrayRef>> {
        let mut used = BTreeSet::new();
        for expr in exprs {
            expr.collect_columns(&mut used);
        }
        let unread = new_null_array(&DataType::Null, self.count);
        let column = |(at, values)| {
            if used.contains(&at) {
                self.gather(values)
            } else {
                Ok(Arc::clone(&unread))
            }
        };
        values.iter().enumerate().map(column).collect()
    }
}

impl PrivatePlan {
    /// The rows of the answer from what was noised of each part.
    ///
    /// # Errors
    /// [`EvalError`] if it is not what the plan has, or the plan does not hold together.
    pub fn release(&self, noised: &[Noised<'_>]) -> Evaluated<Released> {
        if noised.len() != self.parts.len() {
            return Err(EvalError);
        }
        let parts = self.parts.iter().zip(noised).enumerate();
        let parts = parts.map(|(at, (part, noised))| part.release(noised, &self.shown_keys(at)));
        let parts = parts.collect::<Evaluated<Vec<_>>>()?;
        let mut read = BTreeSet::new();
        for expr in self.arrangement.exprs() {
            expr.collect_columns(&mut read);
        }
        let public = self.public.iter().map(crate::public::PublicTable::read);
        let public = public.collect::<Evaluated<Vec<_>>>()?;
        let values = self.values(&parts, &public, &read)?;
        let rows = self.rows(&self.arrangement, &parts, &values)?;
        Released { parts, public, rows }.compact(self)
    }

    /// The answer's columns.
    ///
    /// # Errors
    /// [`EvalError`] if an output does not fit the columns.
    pub fn output_columns(&self, released: &Released) -> Evaluated<Vec<ArrayRef>> {
        let all: Vec<usize> = (0..self.output.len()).collect();
        self.some_output_columns(released, &all)
    }

    /// Some of the answer's columns.
    ///
    /// # Errors
    /// [`EvalError`] if there is no such column, or it does not fit.
    pub fn some_output_columns(&self, released: &Released, columns: &[usize]) -> Evaluated<Vec<ArrayRef>> {
        let exprs = columns.iter().map(|at| Some(&self.output.get(*at)?.expr));
        let exprs = exprs.collect::<Option<Vec<_>>>().ok_or(EvalError)?;
        let mut read = BTreeSet::new();
        for expr in &exprs {
            expr.collect_columns(&mut read);
        }
        let values = self.values(&released.parts, &released.public, &read)?;
        let here = released.rows.columns(&values, exprs.iter().copied())?;
        let rows = released.len();
        let output = exprs
            .into_iter()
            .map(|expr| eval::evaluate(expr, &here, rows)?.into_array(rows));
        output.collect()
    }

    /// Some of the released columns, each over the rows of its own table; the others are not computed.
    fn values(
        &self,
        parts: &[PartRows],
        public: &[RecordBatch],
        read: &BTreeSet<usize>,
    ) -> Evaluated<Vec<Values>> {
        let column = |(at, column): (usize, &ReleasedColumn)| {
            if read.contains(&at) {
                self.column_values(column, parts, public)
            } else {
                Ok(Values::Fixed(new_null_array(&DataType::Null, 1)))
            }
        };
        self.released.iter().enumerate().map(column).collect()
    }

    fn column_values(
        &self,
        column: &ReleasedColumn,
        parts: &[PartRows],
        public: &[RecordBatch],
    ) -> Evaluated<Values> {
        let part = |leaf: usize| match self.leaves.get(leaf) {
            Some(Leaf::Part(at)) => Some((self.parts.get(*at)?, parts.get(*at)?)),
            _ => None,
        };
        let own = |leaf: usize| part(leaf).ok_or(EvalError);
        Ok(match column {
            ReleasedColumn::Key { leaf, key } => {
                let (part, rows) = own(*leaf)?;
                Values::Of(*leaf, part.key_column(rows, *key)?)
            }
            ReleasedColumn::Grouping { leaf, keys } => {
                let (part, rows) = own(*leaf)?;
                Values::Of(*leaf, part.grouping_column(rows, keys))
            }
            ReleasedColumn::Measure { leaf, measure } => {
                let (part, rows) = own(*leaf)?;
                Values::Of(*leaf, part.measure_column(rows, measure)?)
            }
            ReleasedColumn::Public { leaf, column } => {
                let Some(Leaf::Public(table)) = self.leaves.get(*leaf) else {
                    return Err(EvalError);
                };
                let batch = public.get(*table).ok_or(EvalError)?;
                Values::Of(*leaf, Arc::clone(batch.columns().get(*column).ok_or(EvalError)?))
            }
            ReleasedColumn::Present(leaves) => Values::Present(leaves.clone()),
            ReleasedColumn::Fixed(literal) => {
                let value = eval::evaluate(&ScalarExpr::Literal(literal.clone()), &[], 1)?;
                Values::Fixed(value.into_array(1)?)
            }
            ReleasedColumn::Stacked(members) => {
                let member = |(leaf, column): &(usize, ReleasedColumn)| {
                    Ok((*leaf, self.column_values(column, parts, public)?))
                };
                Values::Stacked(members.iter().map(member).collect::<Evaluated<_>>()?)
            }
        })
    }

    fn rows(&self, arrangement: &Arrangement, parts: &[PartRows], values: &[Values]) -> Evaluated<Rows> {
        match arrangement {
            Arrangement::Leaf(leaf) => {
                let count = match self.leaves.get(*leaf).ok_or(EvalError)? {
                    Leaf::Part(part) => parts.get(*part).ok_or(EvalError)?.rows.len(),
                    Leaf::Public(table) => self.public.get(*table).ok_or(EvalError)?.rows as usize,
                };
                Rows::of_leaf(*leaf, self.leaves.len(), count)
            }
            Arrangement::Steps { input, steps } => {
                let mut rows = self.rows(input, parts, values)?;
                for step in steps {
                    rows = stepped(&rows, step, values)?;
                }
                Ok(rows)
            }
            Arrangement::Stack(members) => {
                let members = members.iter().map(|member| self.rows(member, parts, values));
                Rows::stack(&members.collect::<Evaluated<Vec<_>>>()?)
            }
            Arrangement::Join {
                left,
                right,
                kind,
                on,
                condition,
            } => {
                let join = Joining {
                    left: self.rows(left, parts, values)?,
                    right: self.rows(right, parts, values)?,
                    values,
                };
                join.run(*kind, on, condition.as_ref(), self.row_limit())
            }
        }
    }
}

fn stepped(rows: &Rows, step: &Step, values: &[Values]) -> Evaluated<Rows> {
    let here = rows.columns(values, step.exprs())?;
    let order: UInt32Array = match step {
        Step::Filter(condition) => kept(condition, &here, rows.count)?,
        Step::Sort(keys) => sorted(keys, &here, rows.count)?,
        Step::Limit { skip, fetch } => {
            let skip = (*skip).min(rows.count);
            let fetch = fetch.unwrap_or(usize::MAX).min(rows.count - skip);
            let place = |at: usize| u32::try_from(at).map_err(|_| EvalError);
            (place(skip)?..place(skip + fetch)?).collect()
        }
    };
    rows.take(&order)
}

/// The rows where a condition is true.
fn kept(condition: &ScalarExpr, here: &[ArrayRef], rows: usize) -> Evaluated<UInt32Array> {
    let mask = eval::evaluate(condition, here, rows)?.into_array(rows)?;
    let mask: &BooleanArray = mask.as_boolean_opt().ok_or(EvalError)?;
    Ok((0u32..)
        .zip(mask)
        .filter_map(|(row, holds)| (holds == Some(true)).then_some(row))
        .collect())
}

/// The order of a stable sort.
fn sorted(keys: &[SortKey], here: &[ArrayRef], rows: usize) -> Evaluated<UInt32Array> {
    let by = |key: &SortKey| {
        Ok(SortColumn {
            values: eval::evaluate(&key.expr, here, rows)?.into_array(rows)?,
            options: Some(SortOptions::new(key.descending, key.nulls_first)),
        })
    };
    let mut by = keys.iter().map(by).collect::<Evaluated<Vec<_>>>()?;
    // Equal rows stay in the order they had.
    let places: UInt32Array = (0..u32::try_from(rows).map_err(|_| EvalError)?).collect();
    by.push(SortColumn {
        values: Arc::new(places),
        options: None,
    });
    Ok(lexsort_to_indices(&by, None)?)
}

struct Joining<'a> {
    left: Rows,
    right: Rows,
    values: &'a [Values],
}

impl Joining<'_> {
    /// The joined rows: the left's order stays, and a row's matches are in the right's.
    fn run(
        &self,
        kind: Outer,
        on: &[(ScalarExpr, ScalarExpr)],
        condition: Option<&ScalarExpr>,
        most: u64,
    ) -> Evaluated<Rows> {
        let keys = |rows: &Rows, exprs: Vec<&ScalarExpr>| {
            let here = rows.columns(self.values, exprs.iter().copied())?;
            let keys = exprs
                .into_iter()
                .map(|key| eval::evaluate(key, &here, rows.count)?.into_array(rows.count));
            keys.collect::<Evaluated<Vec<ArrayRef>>>()
        };
        let own = keys(&self.left, on.iter().map(|(own, _)| own).collect())?;
        let others = keys(&self.right, on.iter().map(|(_, other)| other).collect())?;
        let index = KeyIndex::new(&others, self.right.count)?;
        let found = index.find(&own, self.left.count)?;
        let pairs: u64 = found.iter().map(|bucket| index.rows(*bucket).len() as u64).sum();
        if pairs > most {
            return Err(EvalError);
        }
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        for (row, bucket) in (0u32..).zip(&found) {
            let matches = index.rows(*bucket);
            lefts.extend(std::iter::repeat_n(row, matches.len()));
            rights.extend_from_slice(matches);
        }
        if let Some(condition) = condition {
            let pairs = self.pairs(&lefts, &rights)?;
            let here = pairs.columns(self.values, [condition])?;
            let kept = kept(condition, &here, pairs.count)?;
            let of = |rows: &[u32]| -> Option<Vec<u32>> {
                let rows = kept.values().iter().map(|at| rows.get(*at as usize).copied());
                rows.collect()
            };
            (lefts, rights) = (of(&lefts).ok_or(EvalError)?, of(&rights).ok_or(EvalError)?);
        }
        if kind == Outer::Neither {
            return self.pairs(&lefts, &rights);
        }
        let (mut own, mut other) = (UInt32Builder::new(), UInt32Builder::new());
        let mut pairs = lefts.iter().zip(&rights).peekable();
        for row in 0..u32::try_from(self.left.count).map_err(|_| EvalError)? {
            let before = own.values_slice().len();
            while let Some((left, right)) = pairs.next_if(|(left, _)| **left == row) {
                own.append_value(*left);
                other.append_value(*right);
            }
            if own.values_slice().len() == before {
                own.append_value(row);
                other.append_null();
            }
        }
        if kind == Outer::Both {
            let met: BTreeSet<u32> = rights.into_iter().collect();
            for row in 0..u32::try_from(self.right.count).map_err(|_| EvalError)? {
                if !met.contains(&row) {
                    own.append_null();
                    other.append_value(row);
                }
            }
        }
        self.left
            .take(&own.finish())?
            .beside(&self.right.take(&other.finish())?)
    }

    fn pairs(&self, lefts: &[u32], rights: &[u32]) -> Evaluated<Rows> {
        let (lefts, rights) = (
            UInt32Array::from(lefts.to_vec()),
            UInt32Array::from(rights.to_vec()),
        );
        self.left.take(&lefts)?.beside(&self.right.take(&rights)?)
    }
}
