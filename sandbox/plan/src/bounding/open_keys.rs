//! Keys without a declared domain: their values become bytes that name a cell, and back.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Date32Type, Int64Type, TimestampMicrosecondType};
use arrow::row::{RowConverter, Rows, SortField};
use model::FieldType;

use super::cells::add_codes;
use crate::context::planner_type;
use crate::eval::{self, EvalError};
use crate::execute::ExecutionError;
use crate::plan::{KeyCells, KeyValue, MAX_OPEN_TEXT, PlanCore};

/// Encodes the keys of a plan some of which are open. Keys with declared cells are encoded by the cell's number.
#[derive(Debug)]
pub(crate) struct OpenKeys {
    converter: RowConverter,
}

impl OpenKeys {
    pub(crate) fn new(core: &PlanCore) -> Result<Self, ExecutionError> {
        let fields = core.keys.iter().map(|key| {
            SortField::new(match key.cells {
                KeyCells::Open(field_type) => planner_type(field_type),
                _ => DataType::Int64,
            })
        });
        let converter = RowConverter::new(fields.collect()).map_err(|_| ExecutionError::Internal)?;
        Ok(Self { converter })
    }

    /// The names of the rows' cells.
    pub(super) fn encode(
        &self,
        core: &PlanCore,
        texts: &[HashMap<String, u32>],
        columns: &[ArrayRef],
        rows: usize,
    ) -> Result<Rows, ExecutionError> {
        let mut values: Vec<ArrayRef> = Vec::with_capacity(core.keys.len());
        for (key, codes) in core.keys.iter().zip(texts) {
            values.push(match key.cells {
                KeyCells::Open(field_type) => {
                    let array = eval::evaluate(&key.expr, columns, rows)?.into_array(rows)?;
                    if field_type == FieldType::Text {
                        short(&array)?
                    } else {
                        array
                    }
                }
                _ => {
                    let mut cells = vec![0; rows];
                    add_codes(key, codes, 1, &mut cells, columns, rows)?;
                    let cells = cells.into_iter().map(i64::from);
                    std::sync::Arc::new(cells.map(Some).collect::<Int64Array>())
                }
            });
        }
        self.convert(&values)
    }

    /// The names of cells with these keys, row by row.
    pub(super) fn convert(&self, keys: &[ArrayRef]) -> Result<Rows, ExecutionError> {
        self.converter
            .convert_columns(keys)
            .map_err(|_| ExecutionError::Internal)
    }

    /// The key values of cells, in the order of the plan's keys.
    pub(crate) fn decode(
        &self,
        core: &PlanCore,
        names: &[&[u8]],
    ) -> Result<Vec<Vec<KeyValue>>, ExecutionError> {
        let parser = self.converter.parser();
        let rows = names.iter().map(|name| parser.parse(name));
        let columns = self
            .converter
            .convert_rows(rows)
            .map_err(|_| ExecutionError::Internal)?;
        (0..names.len())
            .map(|row| {
                let keys = core.keys.iter().zip(&columns);
                keys.map(|(key, column)| value(&key.cells, column, row)).collect()
            })
            .collect()
    }
}

/// Long texts are no keys: they count as NULL.
pub(super) fn short(array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    let texts = array.as_string_opt::<i32>().ok_or(EvalError)?;
    if texts.iter().flatten().all(|text| text.len() <= MAX_OPEN_TEXT) {
        return Ok(std::sync::Arc::clone(array));
    }
    let kept = texts
        .iter()
        .map(|text| text.filter(|text| text.len() <= MAX_OPEN_TEXT));
    Ok(std::sync::Arc::new(kept.collect::<StringArray>()))
}

fn value(cells: &KeyCells, column: &ArrayRef, row: usize) -> Result<KeyValue, ExecutionError> {
    if column.is_null(row) {
        return Ok(KeyValue::Null);
    }
    let integer = || {
        column
            .as_primitive_opt::<Int64Type>()
            .map(|values| values.value(row))
    };
    let value = match cells {
        KeyCells::Open(FieldType::Text) => column
            .as_string_opt::<i32>()
            .map(|texts| KeyValue::Text(texts.value(row).to_owned())),
        KeyCells::Open(FieldType::Integer) => integer().map(KeyValue::Integer),
        KeyCells::Open(FieldType::Date) => column
            .as_primitive_opt::<Date32Type>()
            .map(|days| KeyValue::Date(days.value(row))),
        KeyCells::Open(FieldType::Timestamp) => column
            .as_primitive_opt::<TimestampMicrosecondType>()
            .map(|micros| KeyValue::Timestamp(micros.value(row))),
        KeyCells::Open(FieldType::Boolean | FieldType::Number) => None,
        listed => integer()
            .and_then(|code| u64::try_from(code).ok())
            .map(|code| listed.value(code)),
    };
    value.ok_or(ExecutionError::Internal)
}
