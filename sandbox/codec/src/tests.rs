#![expect(clippy::unwrap_used, reason = "tests")]
//! Plans over two departments and a public table, as bytes and back.

use std::fs::File;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use datafusion_physical_plan::empty::EmptyExec;
use model::{DatasetId, Level, Slug};
use parquet::arrow::ArrowWriter;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::properties::WriterProperties;
use sandbox_plan::bounding::Pass;
use sandbox_plan::execute::{physical_plan, run_physical};
use sandbox_plan::{Granted, Part, PrivatePlan, PublicTable, Relation, Tables};
use serde_json::json;
use tempfile::TempDir;

use super::*;

const SECRET: GroupKeySecret = GroupKeySecret([3; 16]);
const WHOLE: Pass = Pass::Whole { room: 1 << 20 };

/// One query for each kind of operator, and for each way in which totals are kept.
const QUERIES: [&str; 7] = [
    "SELECT COUNT(*), SUM(fare) FROM trips",
    "SELECT district, COUNT(*), COUNT(DISTINCT person_id) FROM trips WHERE fare > 3 GROUP BY 1",
    "SELECT note, COUNT(*) FROM trips GROUP BY 1",
    "SELECT district, MEDIAN(fare), COUNT(DISTINCT fare) FROM trips GROUP BY 1",
    "SELECT zone, SUM(fare) FROM trips JOIN zones ON trips.district = zones.name GROUP BY 1",
    "SELECT n, COUNT(*) FROM (SELECT person_id, COUNT(*) AS n FROM trips GROUP BY 1) AS p GROUP BY 1",
    "SELECT t.district, SUM(t.fare + r.fare) FROM trips AS t JOIN rides AS r ON t.person_id = r.person_id GROUP BY 1",
];

fn version(of: u128) -> VersionId {
    VersionId::from_uuid(uuid::Uuid::from_u128(of))
}

fn key(of: u128) -> DataKey {
    DataKey::from_bytes([u8::try_from(of).unwrap(); 32])
}

fn relation(slug: &str, id: u128) -> Relation {
    let metadata = json!({
        "unit": {"type": "person", "max_units": 1_000, "max_rows": 10_000, "max_rows_per_unit": 5},
        "fields": [
            {"name": "person_id", "type": "text", "level": "L3", "role": "unit_key"},
            {"name": "district", "type": "text", "level": "L3", "domain": ["东城", "西城"]},
            {"name": "fare", "type": "integer", "level": "L3", "bounds": {"lo": 0.0, "hi": 50.0}},
            {"name": "note", "type": "text", "level": "L3"},
        ],
    });
    Relation {
        slug: Slug::parse(slug).unwrap(),
        dataset: DatasetId::from_uuid(uuid::Uuid::from_u128(id)),
        version: version(id),
        level: Level::L3,
        metadata: serde_json::from_value(metadata).unwrap(),
    }
}

/// Forty persons with up to four rows each.
fn part(folder: &TempDir, id: u128) -> Part {
    let units: Vec<u64> = (0..40u64)
        .flat_map(|unit| vec![unit; 1 + unit as usize % 4])
        .collect();
    let text = |of: fn(usize) -> &'static str| -> ArrayRef {
        std::sync::Arc::new(StringArray::from_iter_values((0..units.len()).map(of)))
    };
    let fares = (0..).take(units.len()).map(|row: i64| row * 7 % 50);
    let batch = RecordBatch::try_from_iter([
        (
            "__unit",
            std::sync::Arc::new(UInt64Array::from(units.clone())) as ArrayRef,
        ),
        ("district", text(|row| ["东城", "西城", "别处"][row % 3])),
        ("fare", std::sync::Arc::new(Int64Array::from_iter_values(fares))),
        ("note", text(|row| ["早", "晚"][row % 2])),
    ]);
    let (batch, path) = (batch.unwrap(), folder.path().join(id.to_string()));
    let encryption = FileEncryptionProperties::builder(key(id).expose().to_vec())
        .with_aad_prefix(seal::part_identity(version(id), 0));
    let properties = WriterProperties::builder().with_file_encryption_properties(encryption.build().unwrap());
    let file = File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    Part {
        bytes: std::fs::metadata(&path).unwrap().len(),
        path,
        sha256: "0".repeat(64),
        rows: units.len() as u64,
        place: 0,
        unit_range: (0, 39),
    }
}

struct World {
    relations: [Relation; 2],
    zones: PublicTable,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let zones = RecordBatch::try_from_iter([
            (
                "name",
                std::sync::Arc::new(StringArray::from(vec!["东城", "西城"])) as ArrayRef,
            ),
            (
                "zone",
                std::sync::Arc::new(StringArray::from(vec!["内环", "外环"])),
            ),
        ])
        .unwrap();
        Self {
            relations: [relation("trips", 1), relation("rides", 2)],
            zones: PublicTable::freeze("zones", &zones.schema(), &[zones]).unwrap(),
            folder: TempDir::new().unwrap(),
        }
    }

    fn plan(&self, sql: &str) -> (PrivatePlan, Arc<dyn ExecutionPlan>) {
        let public = [self.zones.clone()];
        let tables = Tables {
            protected: &self.relations,
            public: &public,
        };
        let plan = sandbox_plan::plan(sql, tables).unwrap();
        let grant = |version: VersionId| {
            let id = version.as_uuid().as_u128();
            Granted {
                parts: vec![part(&self.folder, id)],
                key: key(id),
            }
        };
        let granted: Vec<_> = plan.parts[0]
            .core
            .tables
            .iter()
            .map(|table| grant(table.version))
            .collect();
        let physical = physical_plan(&plan.parts[0].core, &granted, &SECRET, 2, WHOLE).unwrap();
        (plan, physical)
    }
}

fn both() -> PrivatePlanCodec {
    PrivatePlanCodec::new([1, 2].map(|id| (version(id), key(id))), SECRET)
}

#[test]
fn plans_survive_the_journey_with_their_grants_and_without_their_keys() {
    let world = World::new();
    for sql in QUERIES {
        let (plan, physical) = world.plan(sql);
        let bytes = PrivatePlanCodec::new([], SECRET).encode(&physical).unwrap();
        for secret in [
            key(1).expose().to_vec(),
            key(2).expose().to_vec(),
            SECRET.0.to_vec(),
        ] {
            let as_text = serde_json::to_vec(&secret).unwrap();
            let holds = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
            assert!(!holds(&secret) && !holds(&as_text[1..as_text.len() - 1]), "{sql}");
        }
        let back = both().decode(&bytes).unwrap();
        assert_eq!(both().encode(&back).unwrap(), bytes, "{sql}");
        assert_eq!(
            run_physical(&plan.parts[0].core, &back).unwrap(),
            run_physical(&plan.parts[0].core, &physical).unwrap(),
            "{sql}"
        );
    }
}

#[test]
fn a_plan_opens_with_the_keys_that_were_granted_alone() {
    let world = World::new();
    let (_, physical) = world.plan(QUERIES[6]);
    let bytes = both().encode(&physical).unwrap();
    let of =
        |keys: Vec<(VersionId, DataKey)>| PrivatePlanCodec::new(keys, SECRET).decode(&bytes).unwrap_err();
    assert_eq!(of(vec![]), ExecutionError::NoKey);
    assert_eq!(of(vec![(version(1), key(1))]), ExecutionError::NoKey);
    let wrong = of(vec![(version(1), key(1)), (version(2), key(1))]);
    assert!(matches!(wrong, ExecutionError::Incident(_)), "{wrong}");
}

#[test]
fn nothing_but_private_plans_goes_in_or_out() {
    let world = World::new();
    let (plan, physical) = world.plan(QUERIES[1]);
    let codec = both();
    // An operator of somebody else's has a form of its own, and is no private plan when it arrives.
    let other: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(physical.schema()));
    let arrived = codec.decode(&codec.encode(&other).unwrap()).unwrap();
    assert_eq!(
        run_physical(&plan.parts[0].core, &arrived).unwrap_err(),
        ExecutionError::Operator("EmptyExec".to_owned())
    );
    // The plan of another query, whose units may have more rows, is not the one that the noise is for.
    let (other, _) = world.plan(QUERIES[5]);
    assert_eq!(
        run_physical(&other.parts[0].core, &physical).unwrap_err(),
        ExecutionError::Operator("BoundingExec".to_owned())
    );
    let bytes = codec.encode(&physical).unwrap();
    for cut in 0..bytes.len() {
        let error = codec.decode(&bytes[..cut]);
        assert!(error.is_err(), "cut after {cut} bytes");
    }
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x11;
        // Whatever it says now: an error, or a plan that the second check has passed.
        if let Ok(plan_of_it) = codec.decode(&damaged) {
            let _ = run_physical(&plan.parts[0].core, &plan_of_it);
        }
    }
}
