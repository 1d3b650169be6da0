//! Parquet files as uploads: the same columns, types and checks as for delimited text.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::array::{BooleanArray, Date32Array, Float64Array, Int64Array, TimestampMicrosecondArray};
use arrow::compute::{CastOptions, cast_with_options, max, min};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use jiff::tz::TimeZone;
use model::{DeclaredMetadata, FieldName, FieldType};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::batch::{arrow_type, schema};
use crate::error::IngestError;
use crate::input::{Input, Source};
use crate::options::{
    DetectLimits, DetectedColumn, Detection, Encoding, Glance, IngestOptions, SourceFormat,
};
use crate::progress::{Phase, Watch};
use crate::record::Dialect;
use crate::scan::Range;
use crate::source::read_full;
use crate::survey::{Column, GLANCE_TEXT, Survey, check_names, layout, zone_of};
use crate::value;

const BATCH_ROWS: usize = 32_768;

type Builder = ParquetRecordBatchReaderBuilder<Input>;

/// Runs a step of the Parquet reader: its errors quote what they met, and a hostile file may trip an assertion.
fn guarded<T, E>(step: impl FnOnce() -> Result<T, E>) -> Result<T, IngestError> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) | Err(_) => Err(IngestError::BrokenParquet),
    }
}

fn open(source: &Source, limits: &DetectLimits) -> Result<Builder, IngestError> {
    let file = source.open()?;
    let length = file.length();
    if length < 12 {
        return Err(IngestError::Truncated);
    }
    let mut end = [0; 4];
    read_full(&mut file.reader_at(length - 4), &mut end)?;
    if &end != b"PAR1" {
        return Err(IngestError::Truncated);
    }
    let builder = guarded(|| Builder::try_new(file))?;
    let mut chunks = builder
        .metadata()
        .row_groups()
        .iter()
        .flat_map(|group| group.columns());
    let limit = limits.column_chunk_bytes;
    if chunks.any(|chunk| u64::try_from(chunk.uncompressed_size()).map_or(true, |size| size > limit)) {
        return Err(IngestError::RowGroupTooLarge { limit });
    }
    Ok(builder)
}

/// The type of a Parquet column, if a table can hold it.
fn field_type(data_type: &DataType) -> Option<FieldType> {
    Some(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => FieldType::Text,
        DataType::Dictionary(_, values) => return field_type(values),
        data_type if data_type.is_integer() => FieldType::Integer,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => FieldType::Number,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => FieldType::Number,
        DataType::Boolean => FieldType::Boolean,
        DataType::Date32 | DataType::Date64 => FieldType::Date,
        DataType::Timestamp(..) => FieldType::Timestamp,
        _ => return None,
    })
}

/// The names of a file's columns, and the types that they have in a table.
fn columns_of(
    builder: &Builder,
    limits: &DetectLimits,
) -> Result<(Vec<FieldName>, Vec<FieldType>), IngestError> {
    let fields = builder.schema().fields();
    if fields.len() > limits.columns {
        return Err(IngestError::TooManyColumns {
            limit: limits.columns,
        });
    }
    let mut names = Vec::with_capacity(fields.len());
    let mut natural = Vec::with_capacity(fields.len());
    for (at, field) in fields.iter().enumerate() {
        names.push(FieldName::parse(field.name()).map_err(|_| IngestError::ColumnName { column: at + 1 })?);
        let unsupported = || IngestError::UnsupportedColumn {
            column: field.name().chars().take(128).collect(),
        };
        natural.push(field_type(field.data_type()).ok_or_else(unsupported)?);
    }
    check_names(&names)?;
    Ok((names, natural))
}

fn detection(columns: Vec<DetectedColumn>, rows: u64) -> Detection {
    Detection {
        format: SourceFormat::Parquet,
        encoding: Encoding::Utf8,
        delimiter: ',',
        header: true,
        quoted: true,
        trim: false,
        columns,
        rows,
    }
}

/// Looks at a file's columns and first rows; a Parquet file says the rest itself.
pub(crate) fn glance(
    source: &Source,
    options: &IngestOptions,
    limits: &DetectLimits,
    shown: usize,
) -> Result<Glance, IngestError> {
    let builder = open(source, limits)?;
    let (names, natural) = columns_of(&builder, limits)?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let mut first = Vec::new();
    if shown > 0 {
        let mut reader = guarded(|| builder.with_batch_size(shown).with_limit(shown).build())?;
        if let Some(batch) = guarded(|| reader.next().transpose())? {
            let format = FormatOptions::default();
            let columns = batch.columns().iter();
            let columns = columns.map(|array| guarded(|| ArrayFormatter::try_new(array.as_ref(), &format)));
            let columns: Vec<ArrayFormatter<'_>> = columns.collect::<Result<_, _>>()?;
            for row in 0..batch.num_rows() {
                let value = |(column, array): (&ArrayFormatter<'_>, &ArrayRef)| {
                    let text = || column.value(row).to_string().chars().take(GLANCE_TEXT).collect();
                    array.is_valid(row).then(text)
                };
                first.push(columns.iter().zip(batch.columns()).map(value).collect());
            }
        }
    }
    let columns = names.into_iter().zip(natural);
    let columns = columns.map(|(name, field_type)| DetectedColumn {
        field_type: options.types.get(name.as_str()).copied().unwrap_or(field_type),
        name,
        missing: Vec::new(),
    });
    Ok(Glance {
        detection: detection(columns.collect(), rows),
        rows: first,
        whole: true,
    })
}

/// Takes the first pass.
pub(crate) fn survey(
    source: &Source,
    bytes: u64,
    options: &IngestOptions,
    declared: Option<&DeclaredMetadata>,
    limits: &DetectLimits,
    watch: &Watch<'_>,
) -> Result<Survey, IngestError> {
    let builder = open(source, limits)?;
    let (names, natural) = columns_of(&builder, limits)?;
    let zone = zone_of(declared);
    let mut columns: Vec<Column> = layout(&names, declared)?
        .into_iter()
        .map(|(declaration, source)| Column {
            name: declaration.map_or_else(|| names[source].clone(), |field| field.name.clone()),
            field_type: declaration
                .map(|field| field.field_type)
                .or_else(|| options.types.get(names[source].as_str()).copied())
                .unwrap_or(natural[source]),
            missing: Vec::new(),
            range: None,
            declaration: declaration.cloned(),
            source,
        })
        .collect();
    let total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let mut batches = Batches::new(builder, &columns, zone.clone(), limits)?;
    while let Some(batch) = batches.next()? {
        watch.check()?;
        for (column, array) in columns.iter_mut().zip(batch.columns()) {
            column.range = widest(column.range, range(array));
        }
        watch.tell(
            Phase::Detect,
            bytes * batches.row / total.max(1),
            bytes,
            batches.row,
        );
    }
    let detected = columns.iter().map(|column| DetectedColumn {
        name: column.name.clone(),
        field_type: column.field_type,
        missing: Vec::new(),
    });
    let detection = detection(detected.collect(), batches.row);
    let dialect = Dialect {
        delimiter: b',',
        quoted: true,
        trim: false,
    };
    Ok(Survey {
        source: source.clone(),
        detection,
        dialect,
        columns,
        zone,
        bytes,
    })
}

fn range(array: &ArrayRef) -> Option<Range> {
    Some(match array.data_type() {
        DataType::Int64 => {
            let array = array.as_primitive::<Int64Type>();
            Range::Integer(min(array)?, max(array)?)
        }
        DataType::Float64 => {
            let array = array.as_primitive::<Float64Type>();
            Range::Number(min(array)?, max(array)?)
        }
        DataType::Date32 => {
            let array = array.as_primitive::<Date32Type>();
            Range::Days(min(array)?, max(array)?)
        }
        DataType::Timestamp(..) => {
            let array = array.as_primitive::<TimestampMicrosecondType>();
            Range::Micros(min(array)?, max(array)?)
        }
        _ => return None,
    })
}

fn widest(one: Option<Range>, other: Option<Range>) -> Option<Range> {
    Some(match (one, other) {
        (Some(Range::Integer(a, b)), Some(Range::Integer(c, d))) => Range::Integer(a.min(c), b.max(d)),
        (Some(Range::Number(a, b)), Some(Range::Number(c, d))) => Range::Number(a.min(c), b.max(d)),
        (Some(Range::Days(a, b)), Some(Range::Days(c, d))) => Range::Days(a.min(c), b.max(d)),
        (Some(Range::Micros(a, b)), Some(Range::Micros(c, d))) => Range::Micros(a.min(c), b.max(d)),
        (None, found) | (found, _) => return found,
    })
}

/// The rows of a Parquet file in the layout of the output.
pub(crate) struct Batches {
    reader: ParquetRecordBatchReader,
    columns: Vec<Column>,
    schema: SchemaRef,
    zone: TimeZone,
    field_bytes: usize,
    /// Rows read so far.
    pub(crate) row: u64,
}

impl Batches {
    fn new(
        builder: Builder,
        columns: &[Column],
        zone: TimeZone,
        limits: &DetectLimits,
    ) -> Result<Self, IngestError> {
        let reader = guarded(|| builder.with_batch_size(BATCH_ROWS).build())?;
        let schema = schema(columns);
        Ok(Self {
            reader,
            columns: columns.to_vec(),
            schema,
            zone,
            field_bytes: limits.field_bytes,
            row: 0,
        })
    }

    /// Opens the file of a survey for the second pass.
    pub(crate) fn open(survey: &Survey, limits: &DetectLimits) -> Result<Self, IngestError> {
        Self::new(
            open(&survey.source, limits)?,
            &survey.columns,
            survey.zone.clone(),
            limits,
        )
    }

    /// The next rows, or nothing at the end.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>, IngestError> {
        let Some(batch) = guarded(|| self.reader.next().transpose())? else {
            return Ok(None);
        };
        let arrays: Result<Vec<_>, _> = self
            .columns
            .iter()
            .map(|column| self.convert(batch.column(column.source), column))
            .collect();
        self.row += batch.num_rows() as u64;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), arrays?, &options)
            .map(Some)
            .map_err(|_| IngestError::Internal("reading Parquet"))
    }

    fn convert(&self, array: &ArrayRef, column: &Column) -> Result<ArrayRef, IngestError> {
        let misfit = |row: usize| IngestError::Value {
            line: self.row + row as u64 + 1,
            column: column.name.as_str().to_owned(),
            expected: column.field_type,
        };
        let source = field_type(array.data_type()).ok_or_else(|| misfit(0))?;
        let to = |data_type: &DataType| {
            cast_with_options(
                array,
                data_type,
                &CastOptions {
                    safe: true,
                    ..Default::default()
                },
            )
            .map_err(|_| misfit(0))
        };
        let converted: ArrayRef = match (source, column.field_type) {
            (FieldType::Text, FieldType::Text) => {
                let texts = to(&DataType::Utf8)?;
                let too_long = |text: Option<&str>| text.is_some_and(|text| text.len() > self.field_bytes);
                if let Some(row) = texts.as_string::<i32>().iter().position(too_long) {
                    let line = self.row + row as u64 + 1;
                    return Err(IngestError::FieldTooLong {
                        line,
                        column: column.source + 1,
                        limit: self.field_bytes,
                    });
                }
                texts
            }
            (FieldType::Text, wanted) => self.parse(&to(&DataType::Utf8)?, wanted),
            (FieldType::Timestamp, FieldType::Timestamp) => {
                let zoned = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
                let micros = to(&DataType::Timestamp(
                    TimeUnit::Microsecond,
                    zoned.then(|| "+00:00".into()),
                ))?;
                let micros = micros.as_primitive::<TimestampMicrosecondType>();
                if zoned {
                    let civil = micros
                        .iter()
                        .map(|utc| utc.and_then(|utc| value::in_zone(utc, &self.zone)));
                    Arc::new(civil.collect::<TimestampMicrosecondArray>())
                } else {
                    Arc::new(micros.clone())
                }
            }
            (FieldType::Number, FieldType::Integer) => {
                let numbers = to(&DataType::Float64)?;
                let whole = |number: f64| {
                    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
                };
                let numbers = numbers.as_primitive::<Float64Type>();
                // Tools without nullable integers write NaN for a missing one.
                let missing = |number: &f64| !number.is_nan();
                if let Some(row) = numbers.iter().position(|number| {
                    number
                        .filter(missing)
                        .is_some_and(|number| whole(number).is_none())
                }) {
                    return Err(misfit(row));
                }
                return Ok(Arc::new(
                    numbers
                        .iter()
                        .map(|number| number.and_then(whole))
                        .collect::<Int64Array>(),
                ));
            }
            (FieldType::Integer | FieldType::Number, FieldType::Number) => {
                let numbers = to(&DataType::Float64)?;
                // Neither NaN nor infinity is a measurement: they count as missing.
                let numbers = numbers.as_primitive::<Float64Type>().iter();
                return Ok(Arc::new(
                    numbers
                        .map(|number| number.filter(|n| n.is_finite()))
                        .collect::<Float64Array>(),
                ));
            }
            (FieldType::Date, FieldType::Timestamp)
            | (FieldType::Integer | FieldType::Boolean | FieldType::Date, FieldType::Text) => {
                to(&arrow_type(column.field_type))?
            }
            (source, wanted) if source == wanted => to(&arrow_type(wanted))?,
            _ => return Err(misfit(0)),
        };
        match (0..array.len()).find(|&row| converted.is_null(row) && array.is_valid(row)) {
            Some(row) if !is_null_key(array, row) => Err(misfit(row)),
            _ => Ok(converted),
        }
    }

    fn parse(&self, texts: &ArrayRef, wanted: FieldType) -> ArrayRef {
        let texts = texts.as_string::<i32>().iter();
        match wanted {
            FieldType::Integer => Arc::new(
                texts
                    .map(|t| t.and_then(value::declared_integer))
                    .collect::<Int64Array>(),
            ),
            FieldType::Number => Arc::new(
                texts
                    .map(|t| t.and_then(value::declared_number))
                    .collect::<Float64Array>(),
            ),
            FieldType::Boolean => Arc::new(
                texts
                    .map(|t| t.and_then(value::boolean))
                    .collect::<BooleanArray>(),
            ),
            FieldType::Date => Arc::new(texts.map(|t| t.and_then(value::date)).collect::<Date32Array>()),
            FieldType::Timestamp | FieldType::Text => {
                let read = |text: &str| value::timestamp(text, &self.zone);
                Arc::new(
                    texts
                        .map(|t| t.and_then(read))
                        .collect::<TimestampMicrosecondArray>(),
                )
            }
        }
    }
}

/// Whether a dictionary's key points at a missing value.
fn is_null_key(array: &ArrayRef, row: usize) -> bool {
    array.logical_nulls().is_some_and(|nulls| nulls.is_null(row))
}
