//! Which of the listed cells a row is in.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int32Type;

use crate::eval::{self, EvalError};
use crate::execute::ExecutionError;
use crate::plan::{GroupKey, KeyCells, PlanCore};

/// The cell of every row.
pub(super) fn find_cells(
    core: &PlanCore,
    (texts, strides): (&[HashMap<String, u32>], &[u64]),
    cells: &mut Vec<u32>,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<(), ExecutionError> {
    cells.clear();
    cells.resize(rows, 0);
    for (at, key) in core.keys.iter().enumerate() {
        let stride = u32::try_from(strides[at]).map_err(|_| ExecutionError::Internal)?;
        add_codes(key, &texts[at], stride, cells, columns, rows)?;
    }
    Ok(())
}

/// Adds the codes of one key, times its stride.
pub(super) fn add_codes(
    key: &GroupKey,
    codes: &HashMap<String, u32>,
    stride: u32,
    cells: &mut [u32],
    columns: &[ArrayRef],
    rows: usize,
) -> Result<(), ExecutionError> {
    let vector = eval::evaluate(&key.expr, columns, rows)?;
    let null = u32::try_from(key.cells.count() - 1).map_err(|_| ExecutionError::Internal)?;
    match &key.cells {
        KeyCells::Text { values, other } => {
            let outside = if *other {
                u32::try_from(values.len()).unwrap_or(null)
            } else {
                null
            };
            let code = |text: &str| codes.get(text).copied().unwrap_or(outside);
            let dictionary = vector.array.as_dictionary_opt::<Int32Type>();
            match dictionary.filter(|dictionary| !vector.scalar && dictionary.values().len() < rows) {
                Some(dictionary) => {
                    let texts = dictionary.values().as_string_opt::<i32>().ok_or(EvalError)?;
                    let by_key: Vec<u32> = texts
                        .iter()
                        .map(|text| text.map_or(null, code) * stride)
                        .collect();
                    let missing = null * stride;
                    for (cell, key) in cells.iter_mut().zip(dictionary.keys()) {
                        let key = key.and_then(|key| usize::try_from(key).ok());
                        *cell += key.and_then(|key| by_key.get(key).copied()).unwrap_or(missing);
                    }
                }
                None => {
                    let texts = eval::texts(&vector)?;
                    for (row, cell) in cells.iter_mut().enumerate() {
                        *cell += texts.get(row).map_or(null, code) * stride;
                    }
                }
            }
        }
        KeyCells::Integer { lo, hi } => {
            let values = eval::integers(&vector)?;
            let code = |value: i64| {
                let inside = (*lo..=*hi).contains(&value);
                let code = u32::try_from(value.abs_diff(*lo)).ok().filter(|_| inside);
                code.unwrap_or(null) * stride
            };
            for (cell, code) in cells.iter_mut().zip(values.to_vec(rows, null * stride, code)) {
                *cell += code;
            }
        }
        KeyCells::Integers { values: listed } | KeyCells::Timestamps { values: listed } => {
            add_places(listed, &eval::integers(&vector)?, (null, stride), cells);
        }
        KeyCells::Dates { values: listed } => {
            add_places(listed, &eval::days(&vector)?, (null, stride), cells);
        }
        KeyCells::Boolean => {
            let array = vector.into_array(rows)?;
            let values = array.as_boolean_opt().ok_or(EvalError)?;
            for (cell, value) in cells.iter_mut().zip(values) {
                *cell += value.map_or(null, u32::from) * stride;
            }
        }
        KeyCells::Open(_) => return Err(ExecutionError::Internal),
    }
    Ok(())
}

/// Adds the places of values in a list that is in order.
fn add_places<T: Copy + Ord>(
    listed: &[T],
    values: &eval::Slots<'_, T>,
    (null, stride): (u32, u32),
    cells: &mut [u32],
) {
    for (row, cell) in cells.iter_mut().enumerate() {
        let place = values
            .get(row)
            .and_then(|value| listed.binary_search(&value).ok());
        let code = place.and_then(|place| u32::try_from(place).ok());
        *cell += code.unwrap_or(null) * stride;
    }
}
