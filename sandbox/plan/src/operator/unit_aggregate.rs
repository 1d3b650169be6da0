//! Groups within each unit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, UInt32Array, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};

use super::align::aligned;
use super::{Batches, flat_map, parts, rows_of, values};
use crate::execute::ExecutionError;
use crate::interval::Range;
use crate::scalar::{Real, ScalarExpr};
use crate::source::UnitFunction;

/// What is computed of which groups.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) keys: Vec<ScalarExpr>,
    pub(super) functions: Vec<UnitFunction>,
    /// The values that each function can take.
    pub(super) ranges: Vec<Option<Range>>,
    /// The types of keys and functions.
    pub(super) types: Vec<DataType>,
    /// The most rows of a unit; further ones are left out.
    pub(super) rows: u32,
}

pub(super) fn run(input: Batches, terms: Arc<Terms>, schema: SchemaRef) -> Batches {
    flat_map(aligned(input), move |batch| {
        Ok(std::iter::once(aggregate(&batch, &terms, &schema)))
    })
}

/// Which group each row belongs to, and the row that each group began with. Groups are numbered as they begin, so those
/// of a unit stand together and units stay in order.
struct Groups {
    of_row: Vec<Option<u32>>,
    first: Vec<u32>,
}

fn groups(units: &[u64], keys: &[ArrayRef], most: u32) -> Result<Groups, ExecutionError> {
    let encoded = encode(keys)?;
    let (mut of_row, mut first) = (Vec::with_capacity(units.len()), Vec::new());
    let mut known: HashMap<&[u8], u32> = HashMap::new();
    let (mut unit, mut rows) = (None, 0u32);
    for (row, own) in (0u32..).zip(units) {
        if unit != Some(*own) {
            (unit, rows) = (Some(*own), 0);
            known.clear();
        }
        rows = rows.saturating_add(1);
        if rows > most {
            of_row.push(None);
            continue;
        }
        let next = u32::try_from(first.len()).map_err(|_| ExecutionError::Internal)?;
        let group = match &encoded {
            None if rows == 1 => next,
            None => next.saturating_sub(1),
            Some(encoded) => *known.entry(encoded.row(row as usize).data()).or_insert(next),
        };
        if group == next {
            first.push(row);
        }
        of_row.push(Some(group));
    }
    Ok(Groups { of_row, first })
}

/// Values as bytes that are equal where the values are, NULL among them.
fn encode(columns: &[ArrayRef]) -> Result<Option<Rows>, ExecutionError> {
    if columns.is_empty() {
        return Ok(None);
    }
    let fields = columns
        .iter()
        .map(|column| SortField::new(column.data_type().clone()));
    let converter = RowConverter::new(fields.collect()).map_err(|_| ExecutionError::Internal)?;
    let rows = converter.convert_columns(columns);
    Ok(Some(rows.map_err(|_| ExecutionError::Internal)?))
}

fn aggregate(batch: &RecordBatch, terms: &Terms, schema: &SchemaRef) -> Result<RecordBatch, ExecutionError> {
    let (units, columns) = parts(batch)?;
    let rows = batch.num_rows();
    let keys = terms
        .keys
        .iter()
        .map(|key| values(key, columns, rows))
        .collect::<Result<Vec<_>, _>>()?;
    let groups = groups(units.values(), &keys, terms.rows)?;
    let first = UInt32Array::from(groups.first.clone());
    let owners: UInt64Array = groups
        .first
        .iter()
        .map(|row| units.value(*row as usize))
        .collect();
    let mut made: Vec<ArrayRef> = vec![Arc::new(owners)];
    made.extend(rows_of(&keys, &first)?);
    for (function, range) in terms.functions.iter().zip(&terms.ranges) {
        let argument = match function.argument() {
            Some(argument) => Some(values(argument, columns, rows)?),
            None => None,
        };
        made.push(compute(function, argument.as_ref(), *range, &groups)?);
    }
    for (array, wanted) in made.iter_mut().skip(1).zip(&terms.types) {
        if array.data_type() != wanted {
            *array = cast(array, wanted).map_err(|_| ExecutionError::Internal)?;
        }
    }
    RecordBatch::try_new(Arc::clone(schema), made).map_err(|_| ExecutionError::Internal)
}

fn compute(
    function: &UnitFunction,
    argument: Option<&ArrayRef>,
    range: Option<Range>,
    groups: &Groups,
) -> Result<ArrayRef, ExecutionError> {
    let count = groups.first.len();
    let rows = || {
        let numbered = groups.of_row.iter().enumerate();
        numbered.filter_map(|(row, group)| Some((row, (*group)? as usize)))
    };
    let Some(argument) = argument else {
        let mut counts = vec![0i64; count];
        rows().for_each(|(_, group)| counts[group] += 1);
        return Ok(Arc::new(Int64Array::from(counts)));
    };
    let present = || rows().filter(|(row, _)| argument.is_valid(*row));
    Ok(match function {
        UnitFunction::CountRows | UnitFunction::Count(_) => {
            let mut counts = vec![0i64; count];
            present().for_each(|(_, group)| counts[group] += 1);
            Arc::new(Int64Array::from(counts))
        }
        UnitFunction::CountDistinct(_) => {
            let encoded = encode(std::slice::from_ref(argument))?.ok_or(ExecutionError::Internal)?;
            let mut seen: HashSet<(usize, &[u8])> = HashSet::new();
            let mut counts = vec![0i64; count];
            for (row, group) in present() {
                counts[group] += i64::from(seen.insert((group, encoded.row(row).data())));
            }
            Arc::new(Int64Array::from(counts))
        }
        UnitFunction::Sum(_) if *argument.data_type() == DataType::Int64 => {
            let numbers = argument.as_primitive::<Int64Type>();
            let mut sums: Vec<Option<i128>> = vec![None; count];
            for (row, group) in present() {
                *sums[group].get_or_insert(0) += i128::from(numbers.value(row));
            }
            let within = |sum: Option<i128>| i64::try_from(sum?).ok();
            Arc::new(sums.into_iter().map(within).collect::<Int64Array>())
        }
        UnitFunction::Sum(_) | UnitFunction::Mean(_) => {
            let numbers = cast(argument, &DataType::Float64).map_err(|_| ExecutionError::Internal)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            let mut sums: Vec<(f64, u32)> = vec![(0.0, 0); count];
            for (row, group) in present() {
                sums[group].0 += numbers.value(row);
                sums[group].1 += 1;
            }
            let (lo, hi) = range.map_or((f64::MIN, f64::MAX), Range::ends);
            let mean = matches!(function, UnitFunction::Mean(_));
            let value = |(sum, count): (f64, u32)| {
                let value = if mean { sum / f64::from(count) } else { sum };
                // Rounding may have left the range that was promised.
                let value = Real::new(value).filter(|_| count > 0)?;
                Real::new(value.get().clamp(lo, hi)).map(Real::get)
            };
            Arc::new(sums.into_iter().map(value).collect::<Float64Array>())
        }
        UnitFunction::Min(_) | UnitFunction::Max(_) => {
            let encoded = encode(std::slice::from_ref(argument))?.ok_or(ExecutionError::Internal)?;
            let least = matches!(function, UnitFunction::Min(_));
            let mut best: Vec<Option<u32>> = vec![None; count];
            for (row, group) in present() {
                let better = best[group].is_none_or(|known| {
                    let (own, other) = (encoded.row(row), encoded.row(known as usize));
                    if least { own < other } else { own > other }
                });
                if better {
                    best[group] = Some(u32::try_from(row).map_err(|_| ExecutionError::Internal)?);
                }
            }
            let places = UInt32Array::from(best);
            rows_of(std::slice::from_ref(argument), &places)?
                .pop()
                .ok_or(ExecutionError::Internal)?
        }
    })
}
