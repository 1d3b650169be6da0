//! Answers and their encodings.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::error::QueryError;

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name as the query gave it.
    pub name: String,
    /// Its type in the portal's words: text, integer, number, boolean, date, timestamp, or Arrow's name.
    pub kind: String,
}

/// The rows of an answer, at most as many as the limits allow.
#[derive(Debug, Clone)]
pub struct Answer {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    truncated: bool,
}

impl Answer {
    pub(crate) const fn new(schema: SchemaRef, batches: Vec<RecordBatch>, truncated: bool) -> Self {
        Self {
            schema,
            batches,
            truncated,
        }
    }

    /// Names and types of the columns.
    pub fn columns(&self) -> Vec<Column> {
        let column = |field: &arrow::datatypes::FieldRef| Column {
            name: field.name().clone(),
            kind: kind(field.data_type()),
        };
        self.schema.fields().iter().map(column).collect()
    }

    /// How many rows there are.
    pub fn row_count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Whether rows beyond the limit were left out.
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The columns as Arrow names them.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The rows as Arrow batches.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// The rows as JSON values in column order. Integers beyond ±2⁵³ and non-finite numbers become texts.
    ///
    /// # Errors
    /// [`QueryError::Internal`] if a value cannot be written.
    pub fn rows(&self) -> Result<Vec<Vec<Value>>, QueryError> {
        let mut rows = Vec::with_capacity(self.row_count());
        for batch in &self.batches {
            let columns = batch
                .columns()
                .iter()
                .map(|c| column_values(c.as_ref()))
                .collect::<Result<Vec<_>, _>>()?;
            let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
            for _ in 0..batch.num_rows() {
                rows.push(
                    columns
                        .iter_mut()
                        .map(|c| c.next().unwrap_or(Value::Null))
                        .collect(),
                );
            }
        }
        Ok(rows)
    }

    /// `{"columns": [{"name", "type"}], "rows": [[…]], "row_count", "truncated"}`.
    ///
    /// # Errors
    /// [`QueryError::Internal`] if a value cannot be written.
    pub fn to_json(&self) -> Result<Value, QueryError> {
        let columns: Vec<_> = self
            .columns()
            .into_iter()
            .map(|c| json!({"name": c.name, "type": c.kind}))
            .collect();
        Ok(json!({
            "columns": columns, "rows": self.rows()?,
            "row_count": self.row_count(), "truncated": self.truncated,
        }))
    }

    /// CSV after RFC 4180 with a header, UTF-8.
    ///
    /// # Errors
    /// [`QueryError::Internal`] if a value cannot be written.
    pub fn to_csv(&self) -> Result<Bytes, QueryError> {
        let mut out = Vec::new();
        let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(&mut out);
        if self.batches.is_empty() {
            writer
                .write(&RecordBatch::new_empty(self.schema.clone()))
                .map_err(internal)?;
        }
        for batch in &self.batches {
            writer.write(batch).map_err(internal)?;
        }
        drop(writer);
        Ok(out.into())
    }

    /// An Arrow IPC stream.
    ///
    /// # Errors
    /// [`QueryError::Internal`] if a value cannot be written.
    pub fn to_arrow(&self) -> Result<Bytes, QueryError> {
        let mut writer =
            arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &self.schema).map_err(internal)?;
        for batch in &self.batches {
            writer.write(batch).map_err(internal)?;
        }
        Ok(writer.into_inner().map_err(internal)?.into())
    }

    /// A Parquet file (zstd).
    ///
    /// # Errors
    /// [`QueryError::Internal`] if a value cannot be written.
    pub fn to_parquet(&self) -> Result<Bytes, QueryError> {
        let properties = parquet::file::properties::WriterProperties::builder()
            .set_compression(parquet::basic::Compression::ZSTD(Default::default()))
            .build();
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(Vec::new(), self.schema.clone(), Some(properties))
                .map_err(internal)?;
        for batch in &self.batches {
            writer.write(batch).map_err(internal)?;
        }
        Ok(writer.into_inner().map_err(internal)?.into())
    }
}

fn internal(error: impl std::fmt::Display) -> QueryError {
    tracing::error!(%error, "answer could not be encoded");
    QueryError::Internal
}

fn kind(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Dictionary(_, value) => kind(value),
        t if t.is_integer() => "integer".to_owned(),
        t if t.is_floating() => "number".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        other => other.to_string(),
    }
}

fn column_values(array: &dyn arrow::array::Array) -> Result<Vec<Value>, QueryError> {
    use arrow::array::AsArray;
    use arrow::compute::cast;
    use arrow::datatypes::{Float64Type, Int64Type};
    let data_type = array.data_type();
    Ok(match data_type {
        DataType::Null => vec![Value::Null; array.len()],
        DataType::Boolean => array.as_boolean().iter().map(Value::from).collect(),
        t if t.is_integer() && *t != DataType::UInt64 => {
            let values = cast(array, &DataType::Int64).map_err(internal)?;
            values
                .as_primitive::<Int64Type>()
                .iter()
                .map(|v| v.map_or(Value::Null, integer))
                .collect()
        }
        t if t.is_floating() => {
            let values = cast(array, &DataType::Float64).map_err(internal)?;
            values
                .as_primitive::<Float64Type>()
                .iter()
                .map(|v| v.map_or(Value::Null, number))
                .collect()
        }
        _ => {
            let options = arrow::util::display::FormatOptions::default()
                .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"))
                .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.f%:z"));
            let formatter =
                arrow::util::display::ArrayFormatter::try_new(array, &options).map_err(internal)?;
            let text = |i: usize| {
                if array.is_null(i) {
                    Value::Null
                } else {
                    Value::String(formatter.value(i).to_string())
                }
            };
            (0..array.len()).map(text).collect()
        }
    })
}

fn integer(value: i64) -> Value {
    const EXACT: i64 = 1 << 53;
    if (-EXACT..=EXACT).contains(&value) {
        Value::from(value)
    } else {
        Value::from(value.to_string())
    }
}

fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::from(value.to_string()), Value::Number)
}
