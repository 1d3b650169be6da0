//! Measures nanoseconds per row of one core against the worst case that deadlines are computed from: the constants in
//! `plan.rs` must stay above what this prints for a release build. `calibrate ROWS [THREADS]`.
#![expect(clippy::print_stdout, reason = "a tool for people")]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use model::{DatasetId, Level, Slug, Timestamp, VersionId};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::properties::WriterProperties;
use sandbox_plan::bounding::GroupKeySecret;
use sandbox_plan::{Granted, Part, Relation};
use seal::DataKey;

const GROUP_ROWS: u64 = 250_000;
const UNIT_ROWS: u64 = 20;
const QUERIES: &[&str] = &[
    "SELECT COUNT(*) FROM trips",
    "SELECT COUNT(*) FROM trips WHERE distance > 5000",
    "SELECT place, COUNT(*) FROM trips GROUP BY 1",
    "SELECT place, SUM(distance), COUNT(*), COUNT(DISTINCT id) FROM trips WHERE distance > 100 GROUP BY 1",
    "SELECT date_part('hour', start), COUNT(*) FROM trips GROUP BY 1",
    "SELECT place, SUM(distance * 2 + 1) FROM trips WHERE note LIKE '%a%' AND upper(place) <> 'P1' GROUP BY 1",
    "SELECT COUNT(*) FROM trips WHERE lower(trim(note)) LIKE '%x%y%'",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let rows: u64 = args.next().unwrap_or_default().parse().unwrap_or(2_000_000);
    let threads: usize = args.next().unwrap_or_default().parse().unwrap_or(1);
    let path = std::env::temp_dir().join(format!("calibrate-{}.parquet", std::process::id()));
    let relation = relation(rows)?;
    let key = DataKey::generate()?;
    let part = write(&path, rows, relation.version, &key)?;
    for sql in QUERIES {
        let plan = sandbox_plan::plan(sql, &relation)?;
        let started = Instant::now();
        for of_plan in &plan.parts {
            let granted = Granted {
                parts: vec![part.clone()],
                key: key.clone(),
            };
            sandbox_plan::execute(&of_plan.core, &[granted], &GroupKeySecret([3; 16]), threads)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let measured = started.elapsed().as_nanos() as f64 * threads as f64 / rows as f64;
        let declared = plan.worst_case_nanos() / rows;
        println!("{measured:7.1} ns/row measured, {declared:5} ns/row in the deadline: {sql}");
    }
    std::fs::remove_file(&path)?;
    Ok(())
}

fn relation(rows: u64) -> Result<Relation, Box<dyn Error>> {
    let places: Vec<String> = (0..16).map(|p| format!("p{p}")).collect();
    let metadata = serde_json::json!({
        "unit": {"type": "person", "max_units": model::metadata::ladder_at_least(rows / UNIT_ROWS),
                 "max_rows": model::metadata::ladder_at_least(rows), "max_rows_per_unit": 100},
        "fields": [
            {"name": "id", "type": "text", "level": "L3", "role": "unit_key"},
            {"name": "place", "type": "text", "level": "L3", "domain": places},
            {"name": "distance", "type": "number", "level": "L3", "bounds": {"lo": 0.0, "hi": 20000.0}},
            {"name": "start", "type": "timestamp", "level": "L3"},
            {"name": "note", "type": "text", "level": "L3"}
        ]
    });
    Ok(Relation {
        slug: Slug::parse("trips")?,
        dataset: DatasetId::at(Timestamp::from_micros(1)),
        version: VersionId::at(Timestamp::from_micros(1)),
        level: Level::L3,
        metadata: serde_json::from_value(metadata)?,
    })
}

fn write(
    path: &std::path::Path,
    rows: u64,
    version: VersionId,
    key: &DataKey,
) -> Result<Part, Box<dyn Error>> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("__unit", DataType::UInt64, false),
        Field::new("place", DataType::Utf8, true),
        Field::new("distance", DataType::Float64, true),
        Field::new("start", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("note", DataType::Utf8, true),
    ]));
    let level = Compression::ZSTD(ZstdLevel::try_new(3)?);
    let encryption = FileEncryptionProperties::builder(key.expose().to_vec())
        .with_aad_prefix(seal::part_identity(version, 0))
        .build()?;
    let properties = WriterProperties::builder()
        .set_compression(level)
        .with_file_encryption_properties(encryption)
        .build();
    let mut writer = ArrowWriter::try_new(
        std::fs::File::create(path)?,
        Arc::clone(&schema),
        Some(properties),
    )?;
    // A mixing step of SplitMix64 stands for data without pattern.
    let mix = |n: u64| {
        let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11
    };
    for first in (0..rows).step_by(usize::try_from(GROUP_ROWS)?) {
        let all = first..(first + GROUP_ROWS).min(rows);
        let unit = |n: u64| (n / UNIT_ROWS).wrapping_mul(1 << 40);
        #[expect(clippy::cast_precision_loss, reason = "made-up data")]
        let distance = |n: u64| (n % 2_000_000) as f64 / 100.0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(all.clone().map(|n| Some(unit(n))).collect::<UInt64Array>()),
            Arc::new(
                all.clone()
                    .map(|n| Some(format!("p{}", mix(n) % 16)))
                    .collect::<StringArray>(),
            ),
            Arc::new(
                all.clone()
                    .map(|n| Some(distance(mix(n))))
                    .collect::<Float64Array>(),
            ),
            Arc::new(
                all.clone()
                    .map(|n| i64::try_from(mix(n) % 1_000_000_000_000_000).ok())
                    .collect::<TimestampMicrosecondArray>(),
            ),
            Arc::new(
                all.clone()
                    .map(|n| Some(format!(" note {:x}", mix(n) % 1_000_000)))
                    .collect::<StringArray>(),
            ),
        ];
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
        writer.flush()?;
    }
    writer.close()?;
    Ok(Part {
        path: path.to_owned(),
        sha256: "0".repeat(64),
        bytes: std::fs::metadata(path)?.len(),
        rows,
        place: 0,
        unit_range: (0, (rows.saturating_sub(1) / UNIT_ROWS).wrapping_mul(1 << 40)),
    })
}
