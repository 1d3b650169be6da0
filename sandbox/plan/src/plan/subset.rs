//! Which units a plan can tell anything about, where a condition leaves out the others.
//!
//! A field that holds one value for all rows of a unit, as was verified when the version was made, parts the units. Where the rows of
//! a table only count if that field has one of some values, a unit with another value adds nothing to any total, so it loses
//! nothing by the answer (privacy.md "Accounting": disjoint filters on unit-static fields compose in parallel).

use std::collections::{BTreeMap, BTreeSet};

use model::{DatasetId, FieldName, VersionId};

use super::{PlanCore, PrivatePlan};
use crate::scalar::{Comparison, Literal, ScalarExpr};
use crate::source::Source;

/// The most values that a subset is told by.
const MAX_VALUES: usize = 64;

/// Those units of a version that hold one of some values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitSubset {
    /// The version.
    pub version: VersionId,
    /// A unit-static field of it.
    pub field: FieldName,
    /// Its values; never none.
    pub values: BTreeSet<String>,
}

/// What columns have to hold for a row to count.
type Held = BTreeMap<usize, BTreeSet<String>>;

impl PrivatePlan {
    /// The units of a dataset that the plan is about; none if that is all of them, or cannot be told.
    ///
    /// Where several fields are restricted, the one with the fewest values is told.
    pub fn subset(&self, dataset: DatasetId) -> Option<UnitSubset> {
        let mut version = None;
        // Of each field, the values that any scan reads.
        let mut fields: Option<BTreeMap<FieldName, BTreeSet<String>>> = None;
        for part in &self.parts {
            let mut scans = vec![];
            held_by_scans(&part.core.source, held_by_filter(&part.core), &mut scans);
            for (table, held) in scans {
                let table = part.core.tables.get(table)?;
                if table.dataset != dataset {
                    continue;
                }
                if *version.get_or_insert(table.version) != table.version {
                    return None;
                }
                let own = held.into_iter().filter_map(|(column, values)| {
                    let column = table.columns.get(column)?;
                    column.unit_static.then(|| (column.name.clone(), values))
                });
                let own: BTreeMap<FieldName, BTreeSet<String>> = own.collect();
                fields = Some(match fields {
                    None => own,
                    Some(before) => both(before, &own),
                });
            }
        }
        let fields = fields?.into_iter();
        let (field, values) = fields
            .filter(|(_, values)| (1..=MAX_VALUES).contains(&values.len()))
            .min_by_key(|(_, values)| values.len())?;
        Some(UnitSubset {
            version: version?,
            field,
            values,
        })
    }
}

/// The fields that both scans restrict, with the values that either reads.
fn both(
    before: BTreeMap<FieldName, BTreeSet<String>>,
    own: &BTreeMap<FieldName, BTreeSet<String>>,
) -> BTreeMap<FieldName, BTreeSet<String>> {
    let united = |(field, mut values): (FieldName, BTreeSet<String>)| {
        values.extend(own.get(&field)?.iter().cloned());
        Some((field, values))
    };
    before.into_iter().filter_map(united).collect()
}

fn held_by_filter(core: &PlanCore) -> Held {
    let mut held = Held::new();
    if let Some(filter) = &core.filter {
        hold(filter, &mut held);
    }
    held
}

/// Of each scan below a source, what its columns hold in every row that counts.
fn held_by_scans(source: &Source, mut held: Held, scans: &mut Vec<(usize, Held)>) {
    match source {
        Source::Scan(table) => scans.push((*table, held)),
        Source::Filter { input, condition } => {
            hold(condition, &mut held);
            held_by_scans(input, held, scans);
        }
        // The columns of the per-unit side come first; those of the other are none of a scan's.
        Source::PublicJoin { input, .. } => held_by_scans(input, held, scans),
        Source::UnitJoin { left, right, .. } => {
            // Where the columns of the left end is not known here; a filter below the join is seen on both sides.
            held_by_scans(left, Held::new(), scans);
            held_by_scans(right, Held::new(), scans);
        }
        Source::UnitAggregate { input, keys, .. } => {
            let of_key = |(at, key): (usize, &ScalarExpr)| match key {
                ScalarExpr::Column(column) => Some((*column, held.remove(&at)?)),
                _ => None,
            };
            let below = keys.iter().enumerate().filter_map(of_key).collect();
            held_by_scans(input, below, scans);
        }
    }
}

/// Adds what a condition lets columns hold.
fn hold(condition: &ScalarExpr, held: &mut Held) {
    if let ScalarExpr::And(list) = condition {
        list.iter().for_each(|part| hold(part, held));
        return;
    }
    if let Some((column, values)) = values_of(condition) {
        held.entry(column)
            .and_modify(|before| before.retain(|value| values.contains(value)))
            .or_insert(values);
    }
}

/// The values that a column has to have for a condition to be true.
fn values_of(condition: &ScalarExpr) -> Option<(usize, BTreeSet<String>)> {
    let column = |expr: &ScalarExpr| match expr {
        ScalarExpr::Column(column) => Some(*column),
        _ => None,
    };
    let one = |value: String| BTreeSet::from([value]);
    match condition {
        ScalarExpr::Compare(Comparison::Equal, left, right) => match (&**left, &**right) {
            (ScalarExpr::Column(column), ScalarExpr::Literal(literal))
            | (ScalarExpr::Literal(literal), ScalarExpr::Column(column)) => {
                Some((*column, one(value(literal)?)))
            }
            _ => None,
        },
        ScalarExpr::InList { expr, list, .. } => {
            let values = list.iter().map(value);
            Some((column(expr)?, values.collect::<Option<_>>()?))
        }
        ScalarExpr::Or(list) => {
            let mut all: Option<(usize, BTreeSet<String>)> = None;
            for part in list {
                let (column, values) = values_of(part)?;
                let (first, united) = all.get_or_insert_with(|| (column, BTreeSet::new()));
                if *first != column {
                    return None;
                }
                united.extend(values);
            }
            all
        }
        ScalarExpr::Column(column) => Some((*column, one(true.to_string()))),
        ScalarExpr::Not(negated) => Some((column(negated)?, one(false.to_string()))),
        _ => None,
    }
}

/// A value as it is told; none for those of types that part no units.
fn value(literal: &Literal) -> Option<String> {
    match literal {
        Literal::Text(text) => Some(text.clone()),
        Literal::Integer(value) => Some(value.to_string()),
        Literal::Boolean(value) => Some(value.to_string()),
        Literal::Null(_) | Literal::Number(_) | Literal::Date(_) | Literal::Timestamp(_) => None,
    }
}
