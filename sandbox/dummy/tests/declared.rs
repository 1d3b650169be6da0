//! Whatever is declared holds in the rows, and nothing but it goes in.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use model::DeclaredMetadata;
use sandbox_dummy::{DummyError, DummyTable, KEY_PREFIX, MARK, MARK_COLUMN, MAX_ROWS};
use serde_json::{Value, json};

const DISTRICTS: [&str; 3] = ["东城", "西城", "南城"];

fn trips_with(unit: &Value) -> DeclaredMetadata {
    let field = |name: &str, kind: &str, more: Value| {
        let mut field = json!({"name": name, "type": kind, "level": "L3"});
        field
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        field
    };
    serde_json::from_value(json!({"unit": unit, "fields": [
        field("person_id", "text", json!({"role": "unit_key"})),
        field("phone", "text", json!({"role": "direct_identifier"})),
        field("district", "text", json!({"domain": DISTRICTS})),
        field("home", "text", json!({"domain": DISTRICTS, "unit_static": true})),
        field("fare", "integer", json!({"bounds": {"lo": -3.0, "hi": 20.5}})),
        field("distance", "number", json!({"bounds": {"lo": 0.0, "hi": 0.25}, "unit_static": true})),
        field("free", "number", json!({})),
        field("note", "text", json!({})),
        field("electric", "boolean", json!({})),
        field("day", "date", json!({})),
        field("born", "timestamp", json!({"unit_static": true})),
    ]}))
    .unwrap()
}

fn trips() -> DeclaredMetadata {
    trips_with(
        &json!({"type": "person", "max_units": 200_000, "max_rows": 2_000_000, "max_rows_per_unit": 12}),
    )
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn every_value_of_a_domain_appears_and_no_other() {
    for rows in [200, 1_000, 20_000] {
        let table = DummyTable::generate(&trips(), rows, 1).unwrap();
        assert_eq!(table.batch().num_rows(), rows as usize);
        for name in ["district", "home"] {
            let values: BTreeSet<_> = texts(table.batch(), name).into_iter().collect();
            let declared = DISTRICTS.iter().map(|district| Some((*district).to_owned()));
            assert_eq!(values, declared.chain([None]).collect(), "{name} in {rows} rows");
        }
        let electric = table.batch().column_by_name("electric").unwrap().as_boolean();
        let values: BTreeSet<_> = electric.iter().collect();
        assert_eq!(values.len(), 3);
    }
}

#[test]
fn numbers_reach_their_bounds_and_stay_within() {
    let table = DummyTable::generate(&trips(), 1_000, 1).unwrap();
    let fares = table
        .batch()
        .column_by_name("fare")
        .unwrap()
        .as_primitive::<Int64Type>();
    assert_eq!(arrow::compute::min(fares), Some(-3));
    assert_eq!(arrow::compute::max(fares), Some(20), "integers within [-3, 20.5]");
    let distances = table
        .batch()
        .column_by_name("distance")
        .unwrap()
        .as_primitive::<Float64Type>();
    assert_eq!(arrow::compute::min(distances), Some(0.0));
    assert_eq!(arrow::compute::max(distances), Some(0.25));
    let different: BTreeSet<u64> = distances.iter().flatten().map(f64::to_bits).collect();
    assert!(
        different.len() > 50,
        "close bounds are cut finely: {}",
        different.len()
    );
    let days = table
        .batch()
        .column_by_name("day")
        .unwrap()
        .as_primitive::<Date32Type>();
    let ends = [arrow::compute::min(days), arrow::compute::max(days)];
    assert_eq!(ends, [Some(19_723), Some(20_088)], "the year 2024");
    let born = table
        .batch()
        .column_by_name("born")
        .unwrap()
        .as_primitive::<TimestampMicrosecondType>();
    assert!(
        born.iter()
            .flatten()
            .all(|at| (19_723..20_089).contains(&(at / 86_400_000_000)))
    );
    for column in table.batch().columns() {
        assert!(column.null_count() < 100, "values are missing here and there");
    }
    for name in ["fare", "distance", "free", "note", "day", "born"] {
        assert!(
            table.batch().column_by_name(name).unwrap().null_count() > 0,
            "{name}"
        );
    }
}

#[test]
fn a_unit_has_no_more_rows_than_declared_and_one_static_value() {
    for (unit, mean) in [
        (
            json!({"type": "person", "max_units": 200_000, "max_rows": 2_000_000, "max_rows_per_unit": 12}),
            8,
        ),
        (
            json!({"type": "person", "max_units": 1_000, "max_rows": 2_000, "max_rows_per_unit": 3}),
            2,
        ),
        (
            json!({"type": "person", "max_units": 100, "max_rows": 10_000, "max_rows_per_unit": 100}),
            10,
        ),
        (
            json!({"type": "person", "max_units": 10_000, "max_rows": 10_000, "max_rows_per_unit": 1}),
            1,
        ),
    ] {
        let declared = trips_with(&unit);
        let table = DummyTable::generate(&declared, 900, 5).unwrap();
        let keys = texts(table.batch(), "person_id");
        assert!(
            keys.iter().flatten().all(|key| key.starts_with(KEY_PREFIX)) && keys.iter().all(Option::is_some)
        );
        let mut rows: BTreeMap<&str, u32> = BTreeMap::new();
        for key in keys.iter().flatten() {
            *rows.entry(key).or_default() += 1;
        }
        let declared = declared.unit().unwrap();
        assert!(
            rows.values().all(|count| *count <= declared.max_rows_per_unit),
            "{unit}"
        );
        assert!(rows.len() as u64 <= declared.max_units, "{unit}");
        assert!(
            (rows.len() * mean).abs_diff(900) < 120,
            "{} units: {unit}",
            rows.len()
        );
        if mean > 1 {
            assert!(
                rows.values().max() > rows.values().min(),
                "not all units are alike"
            );
        }
        for name in ["home", "distance", "born"] {
            let column = table.batch().column_by_name(name).unwrap();
            let shown = arrow::util::display::ArrayFormatter::try_new(column, &Default::default()).unwrap();
            let mut of_unit = BTreeMap::new();
            for (row, key) in keys.iter().enumerate() {
                let value = shown.value(row).to_string();
                assert_eq!(
                    of_unit.entry(key).or_insert_with(|| value.clone()),
                    &value,
                    "{name} of {key:?}"
                );
            }
        }
    }
}

#[test]
fn a_small_declaration_has_few_rows() {
    let few =
        trips_with(&json!({"type": "person", "max_units": 10, "max_rows": 20, "max_rows_per_unit": 12}));
    assert_eq!(
        DummyTable::generate(&few, 1_000, 1).unwrap().batch().num_rows(),
        20
    );
    let fewer =
        trips_with(&json!({"type": "person", "max_units": 2, "max_rows": 50, "max_rows_per_unit": 3}));
    let table = DummyTable::generate(&fewer, 1_000, 1).unwrap();
    assert_eq!(table.units(), [0, 0, 0, 1, 1, 1]);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let files = |seed| {
        let table = DummyTable::generate(&trips(), 500, seed).unwrap();
        (table.to_csv().unwrap(), table.to_parquet().unwrap())
    };
    assert_eq!(files(7), files(7));
    let (a, b) = (files(7), files(8));
    assert!(a.0 != b.0 && a.1 != b.1);
    // A fixed point: rows that were handed out once can be made again by any later version.
    let csv = String::from_utf8(files(2_024).0).unwrap();
    assert_eq!(
        csv.lines().nth(1).unwrap(),
        "DUMMY-0000000,西城,南城,17,0.0015,238.41,模拟文本06,false,2024-01-25,2024-12-16T01:40:09,模拟数据 dummy data"
    );
}

#[test]
fn every_row_says_that_it_is_a_dummy_and_names_nobody() {
    let table = DummyTable::generate(&trips(), 50, 1).unwrap();
    let csv = String::from_utf8(table.to_csv().unwrap()).unwrap();
    let (head, rows) = csv.split_once('\n').unwrap();
    assert_eq!(
        head,
        format!("person_id,district,home,fare,distance,free,note,electric,day,born,{MARK_COLUMN}")
    );
    assert_eq!(rows.lines().count(), 50);
    assert!(
        rows.lines()
            .all(|row| row.ends_with(MARK) && row.starts_with(KEY_PREFIX)),
        "{rows}"
    );
    let file = bytes::Bytes::from(table.to_parquet().unwrap());
    let read = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let kept = read.metadata().file_metadata().key_value_metadata().unwrap();
    assert!(kept.iter().any(|pair| pair.key == "shapan.dummy"));
    let read: Vec<RecordBatch> = read.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(read, [table.batch().clone()]);
}

#[test]
fn too_much_is_refused() {
    let wanted = |declared: &DeclaredMetadata, rows| DummyTable::generate(declared, rows, 1).map(|_| ());
    assert!(matches!(wanted(&trips(), 0), Err(DummyError::Rows(0))));
    assert!(matches!(wanted(&trips(), MAX_ROWS + 1), Err(DummyError::Rows(_))));
    assert!(wanted(&trips(), MAX_ROWS).is_ok());
    let fields: Vec<Value> = (0..100)
        .map(|n| json!({"name": format!("f{n}"), "type": "text", "level": "L3", "domain": ["长".repeat(80)]}))
        .collect();
    let wide: DeclaredMetadata = serde_json::from_value(json!({"fields": fields})).unwrap();
    let Err(DummyError::TooLarge(most)) = wanted(&wide, MAX_ROWS) else {
        panic!("100 columns of 240 bytes")
    };
    assert!(wanted(&wide, most).is_ok() && wanted(&wide, most + 1).is_err());
}
