//! The other formats of an open version, written from its Parquet file.

use arrow::array::RecordBatch;
use arrow::csv::writer::{Terminator, Writer as CsvWriter, WriterBuilder as CsvBuilder};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use arrow::json::writer::{JsonArray, LineDelimited, Writer as JsonWriter, WriterBuilder as JsonBuilder};
use model::VersionId;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;
use storage::{DistributionFormat, OpenStore, PendingObject, StorageError};

use crate::error::IngestError;
use crate::progress::{Phase, Watch};

/// A file of one format being written.
enum FormatWriter {
    /// RFC 4180: CRLF, header row.
    Csv(Box<CsvWriter<PendingObject>>),
    Json(Box<JsonWriter<PendingObject, JsonArray>>),
    Ndjson(Box<JsonWriter<PendingObject, LineDelimited>>),
    Arrow(Box<FileWriter<PendingObject>>),
}

const BATCH_ROWS: usize = 32_768;
/// Microseconds only where there are any.
const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.f";

impl FormatWriter {
    fn new(
        format: DistributionFormat,
        object: PendingObject,
        schema: &arrow::datatypes::Schema,
    ) -> Result<Option<Self>, IngestError> {
        let json = || {
            JsonBuilder::new()
                .with_explicit_nulls(true)
                .with_timestamp_format(TIME_FORMAT.to_owned())
        };
        Ok(Some(match format {
            DistributionFormat::Csv => {
                let builder = CsvBuilder::new().with_line_terminator(Terminator::CRLF);
                Self::Csv(Box::new(
                    builder
                        .with_timestamp_format(TIME_FORMAT.to_owned())
                        .build(object),
                ))
            }
            DistributionFormat::Json => Self::Json(Box::new(json().build(object))),
            DistributionFormat::Ndjson => Self::Ndjson(Box::new(json().build(object))),
            DistributionFormat::Arrow => Self::Arrow(Box::new(
                FileWriter::try_new(object, schema).map_err(write_error)?,
            )),
            DistributionFormat::Parquet => return Ok(None),
        }))
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            Self::Csv(writer) => writer.write(batch),
            Self::Json(writer) => writer.write(batch),
            Self::Ndjson(writer) => writer.write(batch),
            Self::Arrow(writer) => writer.write(batch),
        }
    }

    fn finish(self) -> Result<PendingObject, ArrowError> {
        Ok(match self {
            Self::Csv(writer) => writer.into_inner(),
            Self::Json(mut writer) => {
                writer.finish()?;
                writer.into_inner()
            }
            Self::Ndjson(mut writer) => {
                writer.finish()?;
                writer.into_inner()
            }
            Self::Arrow(writer) => writer.into_inner()?,
        })
    }
}

fn write_error(error: ArrowError) -> IngestError {
    match error {
        ArrowError::IoError(_, io) => IngestError::Storage(StorageError::from(io)),
        ArrowError::CsvError(_) | ArrowError::ExternalError(_) => {
            IngestError::Internal("writing a distribution")
        }
        _ => IngestError::Internal("writing a distribution"),
    }
}

/// Writes the formats but Parquet.
pub(crate) fn write(
    store: &OpenStore,
    version: VersionId,
    formats: &[DistributionFormat],
    part: &mut PendingObject,
    rows: u64,
    watch: &Watch<'_>,
) -> Result<Vec<(DistributionFormat, PendingObject)>, IngestError> {
    let unreadable = |_| IngestError::Internal("reading a part back");
    let builder = ParquetRecordBatchReaderBuilder::try_new(part.reopen()?).map_err(unreadable)?;
    let schema = builder.schema().clone();
    let mut writers = Vec::new();
    for &format in formats
        .iter()
        .filter(|format| **format != DistributionFormat::Parquet)
    {
        let object = store.begin(version, format.extension())?;
        if let Some(writer) = FormatWriter::new(format, object, &schema)? {
            writers.push((format, writer));
        }
    }
    if writers.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = builder.with_batch_size(BATCH_ROWS).build().map_err(unreadable)?;
    let mut done = 0;
    // An empty batch first, so that a version without rows has its header.
    let mut current = Some(RecordBatch::new_empty(schema));
    while let Some(batch) = current {
        watch.check()?;
        let write = || {
            writers
                .par_iter_mut()
                .try_for_each(|(_, writer)| writer.write(&batch))
                .map_err(write_error)
        };
        let (written, next) = rayon::join(write, || reader.next());
        written?;
        done += batch.num_rows() as u64;
        watch.tell(Phase::Distribute, done, rows, done);
        current = next
            .transpose()
            .map_err(|_| IngestError::Internal("reading a part back"))?;
    }
    writers
        .into_iter()
        .map(|(format, writer)| Ok((format, writer.finish().map_err(write_error)?)))
        .collect()
}
