//! The table as a whole.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use model::{Category, DeclaredMetadata, FieldRole};

use crate::{column, unit};

/// Rows of a table if none are wanted in particular.
pub const DEFAULT_ROWS: u32 = 1_000;
/// The most rows of a table.
pub const MAX_ROWS: u32 = 100_000;
/// The most bytes that the values of a table may take, by the longest that each could be.
pub const MAX_BYTES: u64 = 64 << 20;
/// The seed if none is given.
pub const DEFAULT_SEED: u64 = 2_024;
/// The last column. Names that begin so are the sandbox's own: no field has one.
pub const MARK_COLUMN: &str = "__dummy";
/// What stands in it, in every row.
pub const MARK: &str = "模拟数据 dummy data";

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum DummyError {
    /// None, or over [`MAX_ROWS`].
    #[error("rows is 1 to {MAX_ROWS}; got {0}")]
    Rows(u32),
    /// So many rows of these fields could take more than [`MAX_BYTES`].
    #[error("of these fields there are at most {0} rows")]
    TooLarge(u32),
    /// Our fault.
    #[error("a table that does not hold together")]
    Broken(#[from] ArrowError),
}

impl DummyError {
    /// The category for the edge.
    pub const fn category(&self) -> Category {
        match self {
            Self::Rows(_) => Category::Invalid,
            Self::TooLarge(_) => Category::TooLarge,
            Self::Broken(_) => Category::Internal,
        }
    }
}

/// Rows that nobody has ever measured.
#[derive(Debug, Clone, PartialEq)]
pub struct DummyTable {
    batch: RecordBatch,
    units: Vec<u32>,
}

impl DummyTable {
    /// Makes so many rows, or as many as the declaration allows at most.
    ///
    /// # Errors
    /// [`DummyError`] if too many are wanted, or none.
    pub fn generate(declared: &DeclaredMetadata, rows: u32, seed: u64) -> Result<Self, DummyError> {
        if rows == 0 || rows > MAX_ROWS {
            return Err(DummyError::Rows(rows));
        }
        let shown = || {
            let fields = declared.fields().iter();
            fields.filter(|field| field.role != FieldRole::DirectIdentifier)
        };
        let width: u64 = shown().map(column::width).sum::<u64>() + MARK.len() as u64;
        let most = u32::try_from(MAX_BYTES / width).unwrap_or(MAX_ROWS);
        if rows > most {
            return Err(DummyError::TooLarge(most));
        }
        let units = unit::units(declared.unit(), rows, seed);
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        let mut add = |name: &str, column: ArrayRef| {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        };
        for field in shown() {
            let column = match field.role {
                FieldRole::UnitKey => column::keys(&units),
                _ => column::values(field, &units, seed),
            };
            add(field.name.as_str(), column);
        }
        let mark = StringArray::from_iter_values(std::iter::repeat_n(MARK, units.len()));
        add(MARK_COLUMN, Arc::new(mark));
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(Self { batch, units })
    }

    /// The rows, those of a unit one after another: the columns that a private query can name, then [`MARK_COLUMN`].
    pub const fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The unit of every row: numbers from 0 without gaps, in order. Tables about the same kind of units share them.
    pub fn units(&self) -> &[u32] {
        &self.units
    }
}
