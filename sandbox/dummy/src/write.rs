//! Files of dummy tables.

use arrow::csv::WriterBuilder;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::{DummyError, DummyTable, MARK};

impl DummyTable {
    /// The table as CSV in UTF-8, with names in the first line; missing values are empty.
    ///
    /// # Errors
    /// [`DummyError::Broken`] only.
    pub fn to_csv(&self) -> Result<Vec<u8>, DummyError> {
        let mut file = Vec::new();
        let mut writer = WriterBuilder::new().with_header(true).build(&mut file);
        writer.write(self.batch())?;
        drop(writer);
        Ok(file)
    }

    /// The table as Parquet; the file's own key-value metadata says as well that it is a dummy (`shapan.dummy`).
    ///
    /// # Errors
    /// [`DummyError::Broken`] only.
    pub fn to_parquet(&self) -> Result<Vec<u8>, DummyError> {
        let mark = KeyValue::new("shapan.dummy".to_owned(), MARK.to_owned());
        let properties = WriterProperties::builder()
            .set_key_value_metadata(Some(vec![mark]))
            .build();
        let broken = |error: ParquetError| ArrowError::ParquetError(error.to_string());
        let mut file = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut file, self.batch().schema(), Some(properties)).map_err(broken)?;
        writer.write(self.batch()).map_err(broken)?;
        writer.close().map_err(broken)?;
        Ok(file)
    }
}
