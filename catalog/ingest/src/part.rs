//! Parquet files: columns encoded in parallel, row groups closed where the caller or their size says. Those of protected
//! copies are encrypted by Parquet itself, footer, statistics and all (docs/adr/0013).

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use model::VersionId;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use rayon::prelude::*;
use seal::DataKey;
use storage::{PendingObject, StorageError};

use crate::error::IngestError;
use crate::profile::ColumnProfiler;

/// Rows of a row group unless the plan says otherwise: 60 vectors of 2,048, as DuckDB's default, so that readers split work alike.
pub const ROW_GROUP_ROWS: usize = 122_880;
/// A row group of wide rows closes when its encoded columns take this much memory.
const GROUP_BYTES: usize = 96 << 20;
/// zstd's own default level.
const ZSTD_LEVEL: i32 = 3;

/// Turns a failure of the Parquet writer into ours; a full disk stays one.
pub(crate) fn write_error(error: ParquetError) -> IngestError {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(io) => IngestError::Storage(StorageError::from(*io)),
            Err(_) => IngestError::Internal("writing Parquet"),
        },
        _ => IngestError::Internal("writing Parquet"),
    }
}

/// Parquet's modular encryption of one part: AES-256-GCM under the version's data key, an encrypted footer, and the
/// part's identity in every module's associated data.
pub(crate) fn encryption(
    key: &DataKey,
    version: VersionId,
    place: usize,
) -> Result<Arc<FileEncryptionProperties>, IngestError> {
    let place = u32::try_from(place).map_err(|_| IngestError::Internal("counting parts"))?;
    FileEncryptionProperties::builder(key.expose().to_vec())
        .with_aad_prefix(seal::part_identity(version, place))
        .build()
        .map_err(write_error)
}

/// A Parquet file being written.
pub(crate) struct PartWriter {
    file: SerializedFileWriter<PendingObject>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    columns: Vec<ArrowColumnWriter>,
    groups: usize,
    most_group_rows: usize,
    group_rows: usize,
    rows: u64,
    most_unit_rows: Option<usize>,
}

impl PartWriter {
    pub(crate) fn new(
        object: PendingObject,
        schema: SchemaRef,
        most_group_rows: usize,
        encryption: Option<Arc<FileEncryptionProperties>>,
    ) -> Result<Self, IngestError> {
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(write_error)?;
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_created_by("shapan".to_owned());
        if let Some(encryption) = encryption {
            properties = properties.with_file_encryption_properties(encryption);
        }
        let properties = properties.build();
        let writer =
            ArrowWriter::try_new(object, SchemaRef::clone(&schema), Some(properties)).map_err(write_error)?;
        let (file, factory) = writer.into_serialized_writer().map_err(write_error)?;
        Ok(Self {
            file,
            factory,
            schema,
            columns: Vec::new(),
            groups: 0,
            most_group_rows: most_group_rows.max(1),
            group_rows: 0,
            rows: 0,
            most_unit_rows: None,
        })
    }

    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether so many more rows do not fit into the open row group.
    pub(crate) const fn overflows(&self, more: usize) -> bool {
        self.group_rows + more > self.most_group_rows
    }

    pub(crate) const fn group_rows(&self) -> usize {
        self.group_rows
    }

    /// Notes that a unit has so many rows in this part.
    pub(crate) fn note_unit(&mut self, rows: usize) {
        self.most_unit_rows = self.most_unit_rows.max(Some(rows));
    }

    /// Appends batches in order, closing full row groups. Each column goes through its profiler.
    pub(crate) fn append(
        &mut self,
        batches: &[RecordBatch],
        profilers: &mut [ColumnProfiler],
    ) -> Result<(), IngestError> {
        let mut pending = Vec::new();
        let mut rows = 0;
        for batch in batches {
            let mut batch = batch.clone();
            while self.group_rows + rows + batch.num_rows() >= self.most_group_rows {
                let fits = self.most_group_rows - self.group_rows - rows;
                pending.push(batch.slice(0, fits));
                self.encode(&pending, profilers, 0)?;
                self.close_group()?;
                batch = batch.slice(fits, batch.num_rows() - fits);
                pending.clear();
                rows = 0;
            }
            rows += batch.num_rows();
            pending.push(batch);
        }
        self.encode(&pending, profilers, 0)?;
        self.close_large_group()
    }

    /// Closes the open row group if it takes too much memory.
    pub(crate) fn close_large_group(&mut self) -> Result<(), IngestError> {
        if self
            .columns
            .iter()
            .map(ArrowColumnWriter::memory_size)
            .sum::<usize>()
            > GROUP_BYTES
        {
            self.close_group()?;
        }
        Ok(())
    }

    /// Appends batches to the open row group. `profilers` belong to the columns from `first_profiled` on.
    pub(crate) fn encode(
        &mut self,
        batches: &[RecordBatch],
        profilers: &mut [ColumnProfiler],
        first_profiled: usize,
    ) -> Result<(), IngestError> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if rows == 0 {
            return Ok(());
        }
        if self.columns.is_empty() {
            self.columns = self
                .factory
                .create_column_writers(self.groups)
                .map_err(write_error)?;
        }
        let mut profilers: Vec<Option<&mut ColumnProfiler>> = (0..first_profiled)
            .map(|_| None)
            .chain(profilers.iter_mut().map(Some))
            .collect();
        profilers.resize_with(self.columns.len(), || None);
        let schema = &self.schema;
        self.columns
            .par_iter_mut()
            .zip(profilers)
            .enumerate()
            .try_for_each(|(at, (writer, mut profiler))| {
                for batch in batches {
                    let array = batch.column(at);
                    if let Some(profiler) = &mut profiler {
                        profiler.update(array);
                    }
                    for leaf in compute_leaves(schema.field(at), array)? {
                        writer.write(&leaf)?;
                    }
                }
                Ok(())
            })
            .map_err(write_error)?;
        self.group_rows += rows;
        self.rows += rows as u64;
        Ok(())
    }

    /// Closes the open row group, if it has rows.
    pub(crate) fn close_group(&mut self) -> Result<(), IngestError> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let columns = std::mem::take(&mut self.columns);
        let chunks: Vec<_> = columns.into_par_iter().map(ArrowColumnWriter::close).collect();
        let mut group = self.file.next_row_group().map_err(write_error)?;
        for chunk in chunks {
            chunk
                .and_then(|chunk| chunk.append_to_row_group(&mut group))
                .map_err(write_error)?;
        }
        group.close().map_err(write_error)?;
        self.groups += 1;
        self.group_rows = 0;
        Ok(())
    }

    /// Closes the file.
    pub(crate) fn finish(mut self) -> Result<PendingObject, IngestError> {
        self.close_group()?;
        // In the encrypted footer, so that readers need not count again (docs/adr/0024).
        if let Some(rows) = self.most_unit_rows {
            let most = KeyValue::new(seal::ROWS_PER_UNIT.to_owned(), rows.to_string());
            self.file.append_key_value_metadata(most);
        }
        self.file.into_inner().map_err(write_error)
    }
}
