//! The second pass over delimited text: columns of a chunk as Arrow arrays.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Array, Float64Array, Int64Array, NullBufferBuilder, PrimitiveArray,
    StringBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, Schema, SchemaRef, TimeUnit};
use jiff::tz::TimeZone;
use model::FieldType;

use crate::error::IngestError;
use crate::record::Fields;
use crate::survey::Column;
use crate::value;

/// The Arrow type of a field. Timestamps are civil time in the dataset's declared zone, without a zone of their own.
pub(crate) const fn arrow_type(field_type: FieldType) -> DataType {
    match field_type {
        FieldType::Text => DataType::Utf8,
        FieldType::Integer => DataType::Int64,
        FieldType::Number => DataType::Float64,
        FieldType::Boolean => DataType::Boolean,
        FieldType::Date => DataType::Date32,
        FieldType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// The Arrow schema of columns.
pub(crate) fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(column.name.as_str(), arrow_type(column.field_type), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// A column of a chunk.
///
/// # Errors
/// [`IngestError::Value`] if a value does not fit the type.
pub(crate) fn array(fields: &Fields<'_>, column: &Column, zone: &TimeZone) -> Result<ArrayRef, IngestError> {
    Ok(match column.field_type {
        FieldType::Text => text(fields, column),
        FieldType::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(fields.rows());
            for (row, span) in fields.column(column.source).enumerate() {
                let text = span.text(fields.text);
                match value::boolean(&text) {
                    Some(value) => builder.append_value(value),
                    None if is_missing(&text, column) => builder.append_null(),
                    None => return Err(misfit(fields, row, column)),
                }
            }
            Arc::new(builder.finish())
        }
        FieldType::Integer => Arc::<Int64Array>::new(primitive(fields, column, value::declared_integer)?),
        FieldType::Number => Arc::<Float64Array>::new(primitive(fields, column, value::declared_number)?),
        FieldType::Date => Arc::<Date32Array>::new(primitive(fields, column, value::date)?),
        FieldType::Timestamp => {
            let read = |text: &str| value::timestamp(text, zone);
            Arc::<TimestampMicrosecondArray>::new(primitive(fields, column, read)?)
        }
    })
}

fn is_missing(text: &str, column: &Column) -> bool {
    text.is_empty() || column.missing.iter().any(|mark| mark == text)
}

fn misfit(fields: &Fields<'_>, row: usize, column: &Column) -> IngestError {
    IngestError::Value {
        line: fields.line_of(row),
        column: column.name.as_str().to_owned(),
        expected: column.field_type,
    }
}

fn text(fields: &Fields<'_>, column: &Column) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(fields.rows(), fields.rows() * 12);
    let plain = column.missing.is_empty();
    for span in fields.column(column.source) {
        let text = span.text(fields.text);
        if text.is_empty() || (!plain && is_missing(&text, column)) {
            builder.append_null();
        } else {
            builder.append_value(&text);
        }
    }
    Arc::new(builder.finish())
}

fn primitive<T: ArrowPrimitiveType>(
    fields: &Fields<'_>,
    column: &Column,
    read: impl Fn(&str) -> Option<T::Native>,
) -> Result<PrimitiveArray<T>, IngestError> {
    let rows = fields.rows();
    let mut values: Vec<T::Native> = Vec::with_capacity(rows);
    let mut nulls = NullBufferBuilder::new(rows);
    for (row, span) in fields.column(column.source).enumerate() {
        let text = span.text(fields.text);
        // `NaN` and the like may be marks: a mark is missing even where it could be read as a value.
        if text.is_empty() || (!column.missing.is_empty() && is_missing(&text, column)) {
            values.push(T::Native::default());
            nulls.append_null();
        } else if let Some(value) = read(&text) {
            values.push(value);
            nulls.append_non_null();
        } else {
            return Err(misfit(fields, row, column));
        }
    }
    Ok(PrimitiveArray::new(ScalarBuffer::from(values), nulls.finish()))
}
