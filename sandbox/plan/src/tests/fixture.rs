//! A small city: trips of persons, written as clustered Parquet parts.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use model::{DatasetId, Level, Slug, Timestamp, VersionId};
use parquet::arrow::ArrowWriter;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use proptest::prelude::ProptestConfig;
use seal::DataKey;
use serde_json::json;
use tempfile::TempDir;

use crate::bounding::GroupKeySecret;
use crate::{ExecutionError, Granted, Noised, Part, Picks, PrivatePlan, Relation, Released, Totals};

/// So many cases, or as many as `make audit` asks for.
pub(super) fn cases(quick: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(quick),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

pub(super) const SECRET: GroupKeySecret = GroupKeySecret([7; 16]);
pub(super) const DISTRICTS: [&str; 3] = ["东城", "西城", "南城"];

/// One trip.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trip {
    pub(super) unit: u64,
    pub(super) district: Option<&'static str>,
    pub(super) home: &'static str,
    pub(super) distance: Option<f64>,
    pub(super) fare: Option<i64>,
    pub(super) note: Option<&'static str>,
    pub(super) start: Option<i64>,
    pub(super) day: Option<i32>,
    pub(super) electric: Option<bool>,
}

/// A plain trip to start from.
pub(super) fn trip(unit: u64, district: &'static str) -> Trip {
    Trip {
        unit,
        district: Some(district),
        home: DISTRICTS[usize::try_from(unit % 3).unwrap()],
        distance: Some(1_000.0),
        fare: Some(100),
        note: Some("ok"),
        start: Some(1_700_000_000_000_000),
        day: Some(19_675),
        electric: Some(false),
    }
}

/// The declaration: at most 10 rows a unit unless told.
pub(super) fn relation_with(max_rows_per_unit: u32) -> Relation {
    let field = |name: &str, kind: &str, more: serde_json::Value| {
        let mut field = json!({"name": name, "type": kind, "level": "L3"});
        field
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        field
    };
    let metadata = serde_json::from_value(json!({
        "unit": {"type": "person", "max_units": 200_000, "max_rows": 20_000_000,
                 "max_rows_per_unit": max_rows_per_unit},
        "fields": [
            field("person_id", "text", json!({"role": "unit_key"})),
            field("phone", "text", json!({"role": "direct_identifier"})),
            field("district", "text", json!({"domain": DISTRICTS})),
            field("home", "text", json!({"domain": DISTRICTS, "unit_static": true})),
            field("distance", "number", json!({"bounds": {"lo": 0.0, "hi": 20000.0}})),
            field("fare", "integer", json!({"bounds": {"lo": 0.0, "hi": 2000.0}})),
            field("note", "text", json!({})),
            field("start", "timestamp", json!({})),
            field("day", "date", json!({})),
            field("electric", "boolean", json!({})),
            field("free", "number", json!({})),
        ]
    }))
    .unwrap();
    Relation {
        slug: Slug::parse("bike-trips").unwrap(),
        dataset: DatasetId::at(Timestamp::from_micros(1)),
        // Parts are encrypted for it.
        version: version(),
        level: Level::L3,
        metadata,
    }
}

pub(super) fn relation() -> Relation {
    let mut relation = relation_with(10);
    // Ids carry random bits; tests compare hashes.
    relation.dataset = DatasetId::from_uuid(uuid::Uuid::from_u128(1));
    relation
}

pub(super) fn batch(trips: &[Trip]) -> RecordBatch {
    let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
    let schema = Schema::new(vec![
        Field::new("__unit", DataType::UInt64, false),
        Field::new("district", DataType::Utf8, true),
        Field::new("home", DataType::Utf8, true),
        Field::new("distance", DataType::Float64, true),
        Field::new("fare", DataType::Int64, true),
        Field::new("note", DataType::Utf8, true),
        Field::new("start", moment, true),
        Field::new("day", DataType::Date32, true),
        Field::new("electric", DataType::Boolean, true),
        Field::new("free", DataType::Float64, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(trips.iter().map(|t| Some(t.unit)).collect::<UInt64Array>()),
        Arc::new(trips.iter().map(|t| t.district).collect::<StringArray>()),
        Arc::new(trips.iter().map(|t| Some(t.home)).collect::<StringArray>()),
        Arc::new(trips.iter().map(|t| t.distance).collect::<Float64Array>()),
        Arc::new(trips.iter().map(|t| t.fare).collect::<Int64Array>()),
        Arc::new(trips.iter().map(|t| t.note).collect::<StringArray>()),
        Arc::new(
            trips
                .iter()
                .map(|t| t.start)
                .collect::<TimestampMicrosecondArray>(),
        ),
        Arc::new(trips.iter().map(|t| t.day).collect::<Date32Array>()),
        Arc::new(trips.iter().map(|t| t.electric).collect::<BooleanArray>()),
        Arc::new(trips.iter().map(|t| t.distance).collect::<Float64Array>()),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// The data key of the version.
pub(super) fn key() -> DataKey {
    DataKey::from_bytes([6; 32])
}

/// The version that parts are written for.
pub(super) fn version() -> VersionId {
    VersionId::from_uuid(uuid::Uuid::from_u128(2))
}

/// Writes one part with the given row groups, as if it were the first of the version.
pub(super) fn write_part(path: &Path, groups: &[&[Trip]]) -> Part {
    write_part_at(0, path, groups)
}

/// Writes one part at a place of the version, as parts were written before they said anything of their units.
pub(super) fn write_part_at(place: u32, path: &Path, groups: &[&[Trip]]) -> Part {
    write_part_saying(None, place, path, groups)
}

/// The most rows that a unit has.
pub(super) fn most_rows(trips: &[Trip]) -> usize {
    trips
        .chunk_by(|a, b| a.unit == b.unit)
        .map(<[Trip]>::len)
        .max()
        .unwrap_or(0)
}

/// Writes one part that says how many rows a unit has at most.
pub(super) fn write_part_saying(
    rows_per_unit: Option<usize>,
    place: u32,
    path: &Path,
    groups: &[&[Trip]],
) -> Part {
    let said = rows_per_unit.map(|rows| KeyValue::new(seal::ROWS_PER_UNIT.to_owned(), rows.to_string()));
    let properties = WriterProperties::builder().set_key_value_metadata(said.map(|said| vec![said]));
    write_part_with(properties, place, path, groups)
}

/// Writes one part as a writer with these properties does.
pub(super) fn write_part_with(
    properties: WriterPropertiesBuilder,
    place: u32,
    path: &Path,
    groups: &[&[Trip]],
) -> Part {
    let mut file = File::create(path).unwrap();
    let encryption = FileEncryptionProperties::builder(key().expose().to_vec())
        .with_aad_prefix(seal::part_identity(version(), place))
        .build()
        .unwrap();
    let properties = properties.with_file_encryption_properties(encryption).build();
    let mut writer = ArrowWriter::try_new(&mut file, batch(&[]).schema(), Some(properties)).unwrap();
    for group in groups {
        writer.write(&batch(group)).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let units = || groups.iter().flat_map(|group| group.iter().map(|t| t.unit));
    Part {
        path: path.to_owned(),
        sha256: "0".repeat(64),
        bytes: std::fs::metadata(path).unwrap().len(),
        rows: groups.iter().map(|group| group.len() as u64).sum(),
        place,
        unit_range: (units().min().unwrap_or(0), units().max().unwrap_or(0)),
    }
}

/// Writes trips, sorted by unit, as parts and row groups of about so many units, none split. The parts say how many rows a unit has.
pub(super) fn write_city(folder: &TempDir, trips: &[Trip], units_per_group: usize) -> Vec<Part> {
    let mut sorted = trips.to_vec();
    sorted.sort_by_key(|t| t.unit);
    let units: Vec<&[Trip]> = sorted.chunk_by(|a, b| a.unit == b.unit).collect();
    let groups: Vec<Vec<Trip>> = units.chunks(units_per_group.max(1)).map(|c| c.concat()).collect();
    let mut parts = vec![];
    for (at, pair) in (0..).zip(groups.chunks(2)) {
        let slices: Vec<&[Trip]> = pair.iter().map(Vec::as_slice).collect();
        let most = slices.iter().map(|slice| most_rows(slice)).max();
        let path = folder.path().join(format!("{at}.parquet"));
        parts.push(write_part_saying(most, at, &path, &slices));
    }
    parts
}

pub(super) fn plan(sql: &str) -> PrivatePlan {
    crate::plan(sql, &relation()).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"))
}

/// Parts with the key that opens them.
pub(super) fn granted(parts: &[Part], key: &DataKey) -> Granted {
    Granted {
        parts: parts.to_vec(),
        key: key.clone(),
    }
}

pub(super) fn run(plan: &PrivatePlan, parts: &[Part], threads: usize) -> Result<Totals, ExecutionError> {
    crate::execute(&plan.parts[0].core, &[granted(parts, &key())], &SECRET, threads)
}

/// The totals of a query over trips.
pub(super) fn totals(plan: &PrivatePlan, trips: &[Trip]) -> Totals {
    let folder = TempDir::new().unwrap();
    let parts = write_city(&folder, trips, 3);
    run(plan, &parts, 2).unwrap()
}

/// Exact totals as if they had been noised.
pub(super) fn noised<'a>(totals: &'a Totals, picked: &'a [Picks]) -> Noised<'a> {
    Noised {
        totals: &totals.values,
        picked,
        found: totals.found.as_deref(),
    }
}

/// The released rows of a plan of one part, and the columns that are shown.
pub(super) fn shown(plan: &PrivatePlan, noised: Noised<'_>) -> (Released, Vec<ArrayRef>) {
    let released = plan.release(&[noised]).unwrap();
    let shown = plan.output_columns(&released).unwrap();
    (released, shown)
}
