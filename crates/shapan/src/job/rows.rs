//! Dummy rows as sealed parts, such as a worker reads.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::properties::WriterProperties;
use sandbox_dummy::DummyTable;
use sandbox_plan::scan::UNIT_COLUMN;
use sandbox_plan::{Granted, Part, PlanCore, Relation};
use seal::DataKey;

use crate::failure::Failure;

/// How many rows, from which seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) rows: u32,
    pub(super) seed: u64,
}

/// Writes dummy rows of the tables of a plan, in the plan's order.
pub(super) fn write(
    core: &PlanCore,
    relations: &[Relation],
    size: Size,
    folder: &Path,
) -> Result<Vec<Granted>, Failure> {
    let mut granted = Vec::with_capacity(core.tables.len());
    for (at, table) in core.tables.iter().enumerate() {
        let relation = relations
            .iter()
            .find(|relation| relation.version == table.version)
            .ok_or_else(|| Failure::new("the plan has a table that nobody declared"))?;
        let dummy = DummyTable::generate(&relation.metadata, size.rows, size.seed)?;
        let path = folder.join(format!("{at}.parquet"));
        granted.push(write_part(&dummy, relation, &path)?);
    }
    Ok(granted)
}

/// Writes a table as the only part of its version.
fn write_part(table: &DummyTable, relation: &Relation, path: &Path) -> Result<Granted, Failure> {
    let key = DataKey::generate().map_err(Failure::cannot("make a key"))?;
    let units: UInt64Array = table.units().iter().map(|unit| u64::from(*unit)).collect();
    let unit_range = (
        units.values().first().copied().unwrap_or(0),
        units.values().last().copied().unwrap_or(0),
    );
    let rows = units.len() as u64;
    let batch = table.batch();
    let unit = Arc::new(Field::new(UNIT_COLUMN, DataType::UInt64, false));
    let schema = batch.schema();
    let fields = std::iter::once(unit).chain(schema.fields().iter().cloned());
    let columns = std::iter::once(Arc::new(units) as ArrayRef).chain(batch.columns().iter().cloned());
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        columns.collect(),
    )?;
    let encryption = FileEncryptionProperties::builder(key.expose().to_vec())
        .with_aad_prefix(seal::part_identity(relation.version, 0))
        .build()?;
    let properties = WriterProperties::builder()
        .with_file_encryption_properties(encryption)
        .build();
    let file = File::create(path).map_err(Failure::cannot("write dummy rows"))?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    let bytes = std::fs::metadata(path)
        .map_err(Failure::cannot("write dummy rows"))?
        .len();
    let part = Part {
        path: path.to_owned(),
        // Nothing compares it: the part was made just now.
        sha256: String::new(),
        bytes,
        rows,
        place: 0,
        unit_range,
    };
    Ok(Granted {
        parts: vec![part],
        key,
    })
}
