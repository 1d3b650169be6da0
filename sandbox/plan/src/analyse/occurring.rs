//! Which combinations of keys can occur: an inner join with a public relation ties its columns to each other and to the column that
//! it is joined by, and the cells of all other combinations hold nothing but noise. They are computed like all cells, so that
//! nothing depends on which they are, and not shown. Post-processing by public rows.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use super::PerUnit;
use super::made::Made;
use crate::plan::{GroupKey, KeyCells};
use crate::public::PublicTable;
use crate::release::OTHER;
use crate::scalar::{Comparison, Literal, ScalarExpr};
use crate::source::{JoinKind, Source};

/// The most combinations that are told apart: a condition has a part for each.
const MAX_COMBINATIONS: usize = 512;

/// The most comparisons of a cell's key with that of a combination, for all joins of a query: about a fiftieth of the time that
/// showing an answer may take, so that hardly any query is refused for them.
pub(super) const MAX_COMPARISONS: u64 = 1 << 22;

/// The conditions that the released keys fulfil wherever there can be rows: one for each inner join with a public relation that
/// ties any of them, unless it has too many combinations.
pub(super) fn conditions(
    below: &PerUnit,
    keys: &[GroupKey],
    made: &mut Made,
    leaf: usize,
    cells: u32,
) -> Vec<ScalarExpr> {
    let mut conditions = Vec::new();
    // The columns that show the keys.
    let shown: Vec<Option<usize>> = (0..keys.len()).map(|key| made.key(leaf, key)).collect();
    let room = &mut made.comparisons;
    let mut source = &below.source;
    loop {
        source = match source {
            Source::Filter { input, .. } => input,
            Source::UnitJoin { left, .. } => left,
            Source::Scan(_) | Source::UnitAggregate { .. } => return conditions,
            Source::PublicJoin {
                input,
                public,
                kind,
                on,
                ..
            } => {
                if *kind == JoinKind::Inner
                    && let Ok(shape) = input.shape(&below.scans, &below.public)
                    && let Some(table) = below.public.get(*public)
                {
                    let tied = tied(keys, &shown, shape.columns.0.len(), table, on);
                    conditions.extend(condition(&tied, table, on, cells, room));
                }
                input
            }
        };
    }
}

/// A key that a public row decides.
struct Tied<'a> {
    /// Its column of the released table.
    released: usize,
    cells: &'a KeyCells,
    /// The column of the public relation whose value it has.
    public: usize,
}

fn tied<'a>(
    keys: &'a [GroupKey],
    shown: &[Option<usize>],
    own_columns: usize,
    table: &PublicTable,
    on: &[(ScalarExpr, ScalarExpr)],
) -> Vec<Tied<'a>> {
    let mut tied = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        let joined = match &key.expr {
            ScalarExpr::Column(column) => column.checked_sub(own_columns),
            _ => None,
        };
        let joined = joined.filter(|column| *column < table.columns.len());
        let equal = on.iter().find_map(|(own, other)| match other {
            ScalarExpr::Column(column) if *own == key.expr => Some(*column),
            _ => None,
        });
        let shown = shown.get(at).copied().flatten();
        if let (Some(public), Some(released)) = (joined.or(equal), shown) {
            tied.push(Tied {
                released,
                cells: &key.cells,
                public,
            });
        }
    }
    tied
}

/// That the tied keys are those of some public row that can be met.
fn condition(
    tied: &[Tied<'_>],
    table: &PublicTable,
    on: &[(ScalarExpr, ScalarExpr)],
    cells: u32,
    room: &mut u64,
) -> Option<ScalarExpr> {
    if tied.is_empty() {
        return None;
    }
    let rows = table.read().ok()?;
    let mut combinations: BTreeSet<Vec<Option<Value>>> = BTreeSet::new();
    for row in 0..rows.num_rows() {
        // NULL equals nothing.
        let met = on.iter().all(|(_, other)| match other {
            ScalarExpr::Column(column) => rows.columns().get(*column).is_some_and(|own| own.is_valid(row)),
            _ => true,
        });
        if !met {
            continue;
        }
        let values = tied.iter().map(|key| value(key, &rows, row));
        combinations.insert(values.collect::<Option<_>>()?);
        if combinations.len() > MAX_COMBINATIONS {
            return None;
        }
    }
    let comparisons = (combinations.len() * tied.len()) as u64 * u64::from(cells);
    if combinations.is_empty() || comparisons > *room {
        return None;
    }
    *room -= comparisons;
    let one = |values: &Vec<Option<Value>>| {
        let parts = tied.iter().zip(values).map(|(key, value)| {
            let literal = match value {
                Some(Value::Text(text)) => Literal::Text(text.clone()),
                Some(Value::Integer(value)) => Literal::Integer(*value),
                Some(Value::Boolean(value)) => Literal::Boolean(*value),
                None => Literal::Null(key.cells.field_type()),
            };
            let sides = [ScalarExpr::Column(key.released), ScalarExpr::Literal(literal)];
            let [key, literal] = sides.map(Box::new);
            ScalarExpr::Compare(Comparison::NotDistinct, key, literal)
        });
        ScalarExpr::And(parts.collect())
    };
    Some(ScalarExpr::Or(combinations.iter().map(one).collect()))
}

/// What a key holds, ordered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
}

/// What the released table shows for a key whose value is that of a public row: its own, the word for values outside the domain, or
/// NULL. `None` if that cannot be told.
fn value(key: &Tied<'_>, rows: &RecordBatch, row: usize) -> Option<Option<Value>> {
    let column = rows.columns().get(key.public)?;
    if column.is_null(row) {
        return Some(None);
    }
    Some(match key.cells {
        KeyCells::Text { values, other } => {
            let text = column.as_string_opt::<i32>()?.value(row);
            if values.iter().any(|value| value == text) {
                Some(Value::Text(text.to_owned()))
            } else {
                other.then(|| Value::Text(OTHER.to_owned()))
            }
        }
        KeyCells::Integer { lo, hi } => {
            let value = column.as_primitive_opt::<Int64Type>()?.value(row);
            (*lo..=*hi).contains(&value).then_some(Value::Integer(value))
        }
        KeyCells::Integers { values } => {
            let value = column.as_primitive_opt::<Int64Type>()?.value(row);
            values.binary_search(&value).ok().map(|_| Value::Integer(value))
        }
        KeyCells::Boolean => Some(Value::Boolean(column.as_boolean_opt()?.value(row))),
        KeyCells::Dates { .. } | KeyCells::Timestamps { .. } | KeyCells::Open(_) => return None,
    })
}
