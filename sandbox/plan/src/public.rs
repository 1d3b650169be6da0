//! Public relations: what an open dataset, or a query over open data, has to give to a private plan.
//!
//! They are computed before planning, by the engine for open data and under its limits, and frozen in the plan. So their
//! values, domains and how often a key repeats are public facts that bounds may rest on, and a plan that is run again
//! sees the same rows.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimeUnit};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use model::FieldType;
use serde::{Deserialize, Serialize};

use crate::context::planner_type;
use crate::eval::EvalError;
use crate::interval::Range;
use crate::scalar::Real;

/// The most rows of a public relation.
pub const MAX_PUBLIC_ROWS: usize = 100_000;

/// The most bytes that all public relations of a plan take.
pub const MAX_PUBLIC_BYTES: usize = 1 << 20;

/// The most values of a public column that become cells of a grouping key.
const MAX_DOMAIN: usize = 10_000;

/// Why rows cannot be a public relation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicError {
    /// More rows than can be frozen in a plan.
    #[error("more than {MAX_PUBLIC_ROWS} rows")]
    TooManyRows,
    /// More bytes than can be frozen in a plan.
    #[error("more than {MAX_PUBLIC_BYTES} bytes")]
    TooLarge,
    /// A type that private plans have not.
    #[error("the column {0} has a type that cannot be used here")]
    Type(String),
    /// It cannot be written or read back.
    #[error("the rows cannot be kept")]
    Broken,
}

/// A column of a public relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub field_type: FieldType,
}

/// A public relation, frozen.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicTable {
    /// The name by which the query knows it.
    pub name: String,
    /// Its columns.
    pub columns: Vec<PublicColumn>,
    /// Its rows.
    pub rows: u32,
    /// The rows as an Arrow IPC stream, hexadecimal where it is written.
    #[serde(with = "hex")]
    data: Vec<u8>,
}

impl std::fmt::Debug for PublicTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicTable")
            .field("name", &self.name)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// The type by which a private plan knows values of an Arrow type.
fn field_type(data_type: &DataType) -> Option<FieldType> {
    Some(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => FieldType::Text,
        DataType::Dictionary(_, values) => field_type(values)?,
        DataType::UInt64 | DataType::Decimal128(..) | DataType::Float16 => FieldType::Number,
        integer if integer.is_integer() => FieldType::Integer,
        DataType::Float32 | DataType::Float64 => FieldType::Number,
        DataType::Boolean => FieldType::Boolean,
        DataType::Date32 | DataType::Date64 => FieldType::Date,
        DataType::Timestamp(..) => FieldType::Timestamp,
        _ => return None,
    })
}

impl PublicTable {
    /// Freezes rows under a name. Numbers that are none (NaN, infinities) become NULL.
    ///
    /// # Errors
    /// [`PublicError`] if there are too many of them, or a column's type is not one of a private plan's.
    pub fn freeze(name: &str, schema: &Schema, batches: &[RecordBatch]) -> Result<Self, PublicError> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if rows > MAX_PUBLIC_ROWS {
            return Err(PublicError::TooManyRows);
        }
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            columns.push(PublicColumn {
                name: field.name().clone(),
                field_type: field_type(field.data_type())
                    .ok_or_else(|| PublicError::Type(field.name().clone()))?,
            });
        }
        let frozen = frozen_schema(&columns);
        let mut tidy = Vec::with_capacity(batches.len());
        for batch in batches {
            let arrays = batch
                .columns()
                .iter()
                .zip(&columns)
                .map(|(array, column)| tidied(array, column))
                .collect::<Result<Vec<_>, _>>()?;
            tidy.push(RecordBatch::try_new(Arc::clone(&frozen), arrays).map_err(|_| PublicError::Broken)?);
        }
        let whole = concat_batches(&frozen, &tidy).map_err(|_| PublicError::Broken)?;
        let mut data = Vec::new();
        let mut writer = StreamWriter::try_new(&mut data, &frozen).map_err(|_| PublicError::Broken)?;
        writer
            .write(&whole)
            .and_then(|()| writer.finish())
            .map_err(|_| PublicError::Broken)?;
        if data.len() > MAX_PUBLIC_BYTES {
            return Err(PublicError::TooLarge);
        }
        Ok(Self {
            name: name.to_owned(),
            columns,
            rows: u32::try_from(rows).map_err(|_| PublicError::TooManyRows)?,
            data,
        })
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The types of its columns.
    pub(crate) fn types(&self) -> Vec<FieldType> {
        self.columns.iter().map(|column| column.field_type).collect()
    }

    /// Its rows.
    pub(crate) fn read(&self) -> Result<RecordBatch, EvalError> {
        let mut reader = StreamReader::try_new(self.data.as_slice(), None).map_err(|_| EvalError)?;
        let schema = frozen_schema(&self.columns);
        let batch = match reader.next() {
            Some(batch) => batch.map_err(|_| EvalError)?,
            None => RecordBatch::new_empty(Arc::clone(&schema)),
        };
        let whole = reader.next().is_none() && batch.num_rows() == self.rows as usize;
        if whole && batch.schema() == schema {
            Ok(batch)
        } else {
            Err(EvalError)
        }
    }

    /// What its columns hold.
    pub(crate) fn facts(&self) -> Result<Vec<PublicFacts>, EvalError> {
        let batch = self.read()?;
        Ok(batch.columns().iter().map(facts_of).collect())
    }
}

/// What a column of a public relation holds, as bounds and cells rest on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PublicFacts {
    /// The least and greatest number.
    pub(crate) range: Option<Range>,
    /// Its distinct texts in order, if they are few.
    pub(crate) texts: Option<Vec<String>>,
    /// Its distinct integers in order, if they are few.
    pub(crate) integers: Option<Vec<i64>>,
}

fn facts_of(array: &ArrayRef) -> PublicFacts {
    let range = match array.data_type() {
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>();
            match (arrow::compute::min(values), arrow::compute::max(values)) {
                (Some(lo), Some(hi)) => Some(Range::Integer(lo, hi)),
                _ => Some(Range::Integer(0, 0)),
            }
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            match (arrow::compute::min(values), arrow::compute::max(values)) {
                (Some(lo), Some(hi)) => Some(Range::Number(lo, hi)),
                _ => Some(Range::Number(0.0, 0.0)),
            }
        }
        _ => None,
    };
    let texts = array.as_string_opt::<i32>().and_then(|texts| {
        let distinct: BTreeSet<&str> = texts.iter().flatten().collect();
        (distinct.len() <= MAX_DOMAIN).then(|| distinct.into_iter().map(str::to_owned).collect())
    });
    let integers = array.as_primitive_opt::<Int64Type>().and_then(|integers| {
        let distinct: BTreeSet<i64> = integers.iter().flatten().collect();
        (distinct.len() <= MAX_DOMAIN).then(|| distinct.into_iter().collect())
    });
    PublicFacts {
        range,
        texts,
        integers,
    }
}

fn frozen_schema(columns: &[PublicColumn]) -> Arc<Schema> {
    let fields: Vec<_> = columns
        .iter()
        .map(|column| Field::new(&column.name, planner_type(column.field_type), true))
        .collect();
    Arc::new(Schema::new(fields))
}

fn tidied(array: &ArrayRef, column: &PublicColumn) -> Result<ArrayRef, PublicError> {
    let bad = |_| PublicError::Type(column.name.clone());
    // Instants with a zone keep their civil time of that zone, as the open engine shows them.
    let array = match array.data_type() {
        DataType::Timestamp(_, Some(_)) => {
            let civil = DataType::Timestamp(TimeUnit::Microsecond, None);
            cast(array, &civil).map_err(bad)?
        }
        _ => Arc::clone(array),
    };
    let array = cast(&array, &planner_type(column.field_type)).map_err(bad)?;
    if column.field_type != FieldType::Number {
        return Ok(array);
    }
    let values = array.as_primitive::<Float64Type>();
    let finite = values.iter().map(|x| x.and_then(Real::new).map(Real::get));
    Ok(Arc::new(finite.collect::<arrow::array::Float64Array>()))
}

/// How often the most frequent key occurs among rows of key columns; NULL keys match nothing.
pub(crate) fn most_matches(keys: &[ArrayRef], rows: usize) -> Result<u32, EvalError> {
    let index = KeyIndex::new(keys, rows)?;
    let most = index.buckets.iter().map(Vec::len).max().unwrap_or(0);
    u32::try_from(most).map_err(|_| EvalError)
}

/// The rows of a public relation by their keys.
#[derive(Debug)]
pub(crate) struct KeyIndex {
    converter: arrow::row::RowConverter,
    /// Which bucket each key has.
    keys: HashMap<Box<[u8]>, u32>,
    /// Rows with one key each.
    buckets: Vec<Vec<u32>>,
}

impl KeyIndex {
    /// Without keys, all rows are in one bucket.
    pub(crate) fn new(keys: &[ArrayRef], rows: usize) -> Result<Self, EvalError> {
        let fields = keys
            .iter()
            .map(|key| arrow::row::SortField::new(key.data_type().clone()));
        let converter = arrow::row::RowConverter::new(fields.collect()).map_err(|_| EvalError)?;
        let count = u32::try_from(rows).map_err(|_| EvalError)?;
        let mut index = Self {
            converter,
            keys: HashMap::new(),
            buckets: Vec::new(),
        };
        if keys.is_empty() {
            index.buckets.push((0..count).collect());
            return Ok(index);
        }
        let encoded = index.converter.convert_columns(keys).map_err(|_| EvalError)?;
        for (place, row) in (0..count).zip(encoded.iter()) {
            if keys.iter().any(|key| key.is_null(place as usize)) {
                continue;
            }
            let next = u32::try_from(index.buckets.len()).map_err(|_| EvalError)?;
            let bucket = *index.keys.entry(row.as_ref().into()).or_insert(next);
            if bucket == next {
                index.buckets.push(Vec::new());
            }
            index.buckets[bucket as usize].push(place);
        }
        Ok(index)
    }

    /// Which bucket each of the given keys finds.
    pub(crate) fn find(&self, keys: &[ArrayRef], rows: usize) -> Result<Vec<Option<u32>>, EvalError> {
        if keys.is_empty() {
            return Ok(vec![Some(0); rows]);
        }
        let encoded = self.converter.convert_columns(keys).map_err(|_| EvalError)?;
        let found = encoded.iter().enumerate().map(|(row, key)| {
            if keys.iter().any(|key| key.is_null(row)) {
                return None;
            }
            self.keys.get(key.as_ref()).copied()
        });
        Ok(found.collect())
    }

    /// Whether no key finds more than one row.
    pub(crate) fn is_unique(&self) -> bool {
        self.buckets.iter().all(|rows| rows.len() <= 1)
    }

    /// The rows of a bucket; none for none.
    pub(crate) fn rows(&self, bucket: Option<u32>) -> &[u32] {
        let bucket = bucket.and_then(|bucket| self.buckets.get(bucket as usize));
        bucket.map_or(&[], Vec::as_slice)
    }
}
