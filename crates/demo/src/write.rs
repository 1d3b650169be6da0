//! Files of a table, written batch by batch.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::csv::WriterBuilder;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::city::City;
use crate::table::Table;

/// Rows made at a time: about 1.5 MB of text.
const CSV_BATCH_ROWS: usize = 8_192;

/// Rows made at a time for Parquet.
const PARQUET_BATCH_ROWS: usize = 16_384;

/// Rows of a Parquet row group: bounds the writer's memory and lets readers share the work.
const ROW_GROUP_ROWS: usize = 131_072;

/// How the text of a CSV file is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CsvEncoding {
    /// UTF-8 without a byte order mark.
    Utf8,
    /// GB 18030, as many Chinese offices still save.
    Gb18030,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Rows, without the header.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system refused.
    #[error("cannot write {path}: {source}; check that the folder exists, is writable and has space")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A batch could not be made or turned into text.
    #[error("cannot make the rows of {table}: {source}")]
    Rows {
        /// Which table.
        table: &'static str,
        /// Why.
        source: ArrowError,
    },
    /// The Parquet writer refused.
    #[error("cannot write the Parquet file {path}: {source}; check that the disk has space")]
    Parquet {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
}

/// Writes a table as CSV: header, commas, `\n`, NULL as nothing, times as `2025-03-04 08:15:00`.
///
/// # Errors
/// If the file cannot be created or written.
pub fn write_csv(
    city: &City,
    table: Table,
    path: &Path,
    encoding: CsvEncoding,
) -> Result<Written, WriteError> {
    let io = |source| WriteError::Io {
        path: path.to_owned(),
        source,
    };
    let rows_failed = |source| WriteError::Rows {
        table: table.slug(),
        source,
    };
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(io)?);
    let mut written = Written { rows: 0, bytes: 0 };
    let mut text = Vec::new();
    for batch in city.batches(table, CSV_BATCH_ROWS) {
        let batch = batch.map_err(rows_failed)?;
        text.clear();
        let mut csv = WriterBuilder::new()
            .with_header(written.rows == 0)
            .with_timestamp_format("%Y-%m-%d %H:%M:%S".to_owned())
            .build(&mut text);
        csv.write(&batch).map_err(rows_failed)?;
        drop(csv);
        let bytes = match encoding {
            CsvEncoding::Utf8 => std::borrow::Cow::Borrowed(text.as_slice()),
            // Each batch is whole text, so encoding batch by batch is the same as encoding the file.
            CsvEncoding::Gb18030 => {
                let utf8 = std::str::from_utf8(&text)
                    .map_err(|e| rows_failed(ArrowError::CsvError(format!("the text is no UTF-8: {e}"))))?;
                encoding_rs::GB18030.encode(utf8).0
            }
        };
        file.write_all(&bytes).map_err(io)?;
        written.rows += batch.num_rows() as u64;
        written.bytes += bytes.len() as u64;
    }
    file.flush().map_err(io)?;
    Ok(written)
}

/// Writes a table as Parquet with zstd.
///
/// # Errors
/// If the file cannot be created or written.
pub fn write_parquet(city: &City, table: Table, path: &Path) -> Result<Written, WriteError> {
    let io = |source| WriteError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::create(path).map_err(io)?;
    let (_, rows) = parquet_into(city, table, file, path)?;
    let bytes = std::fs::metadata(path).map_err(io)?.len();
    Ok(Written { rows, bytes })
}

/// Writes a table as Parquet with zstd into anything that takes bytes, and gives it back with the number of rows.
///
/// # Errors
/// If it cannot be written.
pub fn write_parquet_into<W: Write + Send>(
    city: &City,
    table: Table,
    sink: W,
) -> Result<(W, u64), WriteError> {
    parquet_into(city, table, sink, Path::new(table.slug()))
}

/// `path` is for messages.
fn parquet_into<W: Write + Send>(
    city: &City,
    table: Table,
    sink: W,
    path: &Path,
) -> Result<(W, u64), WriteError> {
    let failed = |source| WriteError::Parquet {
        path: path.to_owned(),
        source,
    };
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let mut writer = ArrowWriter::try_new(sink, city.schema(table), Some(properties)).map_err(failed)?;
    let mut rows = 0;
    for batch in city.batches(table, PARQUET_BATCH_ROWS) {
        let batch = batch.map_err(|source| WriteError::Rows {
            table: table.slug(),
            source,
        })?;
        writer.write(&batch).map_err(failed)?;
        rows += batch.num_rows() as u64;
    }
    Ok((writer.into_inner().map_err(failed)?, rows))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use arrow::array::{Array, AsArray};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::Scale;

    fn city() -> City {
        City::new(20, Scale::new(0.002).unwrap())
    }

    #[test]
    fn gb18030_is_the_same_text() {
        let folder = tempfile::tempdir().unwrap();
        for table in [Table::OutpatientVisits, Table::AdministrativeDivisions] {
            let (utf8, gb) = (folder.path().join("utf8.csv"), folder.path().join("gb.csv"));
            let written = write_csv(&city(), table, &utf8, CsvEncoding::Utf8).unwrap();
            let in_gb = write_csv(&city(), table, &gb, CsvEncoding::Gb18030).unwrap();
            assert_eq!(written.rows, city().rows(table));
            assert!(
                in_gb.rows == written.rows && in_gb.bytes < written.bytes,
                "2 bytes a character, not 3"
            );
            let bytes = std::fs::read(&gb).unwrap();
            assert!(std::str::from_utf8(&bytes).is_err());
            let (text, _, broken) = encoding_rs::GB18030.decode(&bytes);
            assert!(!broken);
            let plain = std::fs::read_to_string(&utf8).unwrap();
            assert_eq!(text, plain);
            assert_eq!(
                plain.lines().count() as u64,
                written.rows + 1,
                "one header, one line a row"
            );
            assert_eq!(plain.len() as u64, written.bytes);
        }
    }

    #[test]
    fn times_and_codes_read_as_people_write_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("air.csv");
        write_csv(&city(), Table::AirQuality, &path, CsvEncoding::Utf8).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines = text.lines();
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("station_id,station_name,district_code,observed_at,pm25")
        );
        let first = lines.next().unwrap();
        assert!(
            first.starts_with("0001A,") && first.contains(",990102,2025-01-01 00:00:00,"),
            "{first}"
        );
    }

    #[test]
    fn parquet_holds_the_batches() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tax.parquet");
        let written = write_parquet(&city(), Table::EnterpriseTax, &path).unwrap();
        assert_eq!(written.rows, city().rows(Table::EnterpriseTax));
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let compression = reader.metadata().row_group(0).column(0).compression();
        assert!(matches!(compression, Compression::ZSTD(_)));
        let mut read = 0;
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            assert_eq!(
                batch.schema().fields(),
                city().schema(Table::EnterpriseTax).fields()
            );
            assert_eq!(batch.column(1).as_string::<i32>().null_count(), 0);
            read += batch.num_rows() as u64;
        }
        assert_eq!(read, written.rows);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let path = Path::new("/nowhere/at/all.csv");
        let error = write_csv(&city(), Table::BikeParking, path, CsvEncoding::Utf8).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all.csv"), "{error}");
    }
}
