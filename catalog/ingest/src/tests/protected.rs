//! Protected files: what is clustered, capped, dropped and refused, and what is never in the copy.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, UInt64Type};
use serde_json::{Value, json};

use super::*;

fn unit(kind: &str, max_units: u64, max_rows: u64, cap: u32) -> Value {
    json!({"type": kind, "max_units": max_units, "max_rows": max_rows, "max_rows_per_unit": cap})
}

fn trips(max_units: u64, max_rows: u64, cap: u32) -> DeclaredMetadata {
    declared(
        json!({"unit": unit("person", max_units, max_rows, cap), "fields": [
            {"name": "person_id", "type": "text", "level": "L3", "role": "unit_key"},
            {"name": "phone", "type": "text", "level": "L3", "role": "direct_identifier"},
            {"name": "home", "type": "text", "level": "L3", "unit_static": true, "domain": ["东", "西"]},
            {"name": "n", "type": "integer", "level": "L3", "bounds": {"lo": 0, "hi": 1e9}},
        ]}),
    )
}

const HEADER: &str = "person_id,phone,home,n\n";

fn row(person: usize, n: usize) -> String {
    let home = if person.is_multiple_of(2) { "东" } else { "西" };
    format!("{},1380000{person:04},{home},{n}\n", id_number(person))
}

/// For each unit, the values of `n` in the copy, in their order.
fn by_unit(house: &House, outcome: &Outcome) -> BTreeMap<u64, Vec<i64>> {
    let mut found: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    for part in house.parts(outcome) {
        let units = part
            .column_by_name(UNIT_COLUMN)
            .unwrap()
            .as_primitive::<UInt64Type>()
            .clone();
        let values = part
            .column_by_name("n")
            .unwrap()
            .as_primitive::<Int64Type>()
            .clone();
        for (unit, value) in units.values().iter().zip(values.values()) {
            found.entry(*unit).or_default().push(*value);
        }
    }
    found
}

#[test]
fn parts_and_row_groups_are_clustered_and_never_split_a_unit() {
    let house = House::new();
    let mut text = String::from(HEADER);
    // Skewed: person p has about 60,000 / (p + 1) rows.
    let mut rows = 0;
    for n in 0..60_000 {
        let person = (n * 7_919 % 60_000) * (n % 13 + 1) / 60_000 * 40 + n % 40;
        text.push_str(&row(person, n));
        rows += 1;
    }
    let plan = IngestPlan {
        row_group_rows: 500,
        ..house.protected_plan(trips(1_000, 100_000, 200))
    };
    let outcome = house.run(&house.file(&text), &plan).unwrap();
    let manifest = &outcome.manifest;
    manifest.check().unwrap();
    assert!(manifest.clustered && manifest.distributions.is_empty());
    assert!(manifest.parts.len() > 1, "several parts");
    assert_eq!(
        manifest.rows + outcome.dropped.over_cap + outcome.dropped.invalid_key,
        rows
    );
    let mut seen = BTreeSet::new();
    let mut last = None;
    for (at, (part, batch)) in manifest.parts.iter().zip(house.parts(&outcome)).enumerate() {
        let file = std::fs::File::open(house.part_path(&outcome, at)).unwrap();
        let options =
            ArrowReaderOptions::new().with_file_decryption_properties(house.decryption(&outcome, at));
        let metadata = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
        let groups: Vec<usize> = metadata
            .metadata()
            .row_groups()
            .iter()
            .map(|g| g.num_rows() as usize)
            .collect();
        assert!(groups.iter().all(|rows| *rows <= 500), "{groups:?}");
        assert_eq!(
            batch
                .schema()
                .fields()
                .iter()
                .map(|f| f.name().as_str())
                .collect::<Vec<_>>(),
            ["__unit", "home", "n"]
        );
        assert!(!batch.schema().field(0).is_nullable());
        let units = batch.column(0).as_primitive::<UInt64Type>();
        assert_eq!(rows_per_unit(&house, &outcome, at), most_rows(units.values()));
        assert_eq!(
            part.unit_range,
            Some((units.value(0), units.value(units.len() - 1)))
        );
        assert_eq!(part.rows, units.len() as u64);
        let mut start = 0;
        for rows in groups {
            let group: BTreeSet<u64> = units.values()[start..start + rows].iter().copied().collect();
            assert!(
                group.iter().all(|unit| seen.insert(*unit)),
                "a unit in two row groups or parts"
            );
            start += rows;
        }
        for &unit in units.values() {
            assert!(last <= Some(unit), "units increase");
            last = Some(unit);
        }
    }
    assert_eq!(outcome.units, Some(seen.len() as u64));
    assert!(by_unit(&house, &outcome).values().all(|rows| rows.len() <= 200));
    assert!(outcome.dropped.over_cap > 0);
    // The same file gives the same rows in the same parts, encrypted anew.
    let parts = house.parts(&outcome);
    let again = house.run(&house.file(&text), &plan).unwrap();
    assert_eq!(house.parts(&again), parts);
    assert_ne!(again.manifest.parts[0].sha256, manifest.parts[0].sha256);
    // So does sorting less at a time.
    let mut thrifty = plan;
    thrifty.limits.sort_bytes = 20_000;
    let sliced = house.run(&house.file(&text), &thrifty).unwrap();
    assert_eq!(house.parts(&sliced), parts);
    assert_eq!(sliced.units, outcome.units);
    for (at, part) in parts.iter().enumerate() {
        let units = part.column(0).as_primitive::<UInt64Type>();
        assert_eq!(rows_per_unit(&house, &sliced, at), most_rows(units.values()));
    }
    let leftovers = house
        .files()
        .into_iter()
        .filter(|file| file.starts_with(house.root.path().join("quarantine")));
    assert_eq!(leftovers.count(), 0, "spill files are gone");
}

/// What a part says of its units in its footer.
fn rows_per_unit(house: &House, outcome: &Outcome, at: usize) -> usize {
    let file = std::fs::File::open(house.part_path(outcome, at)).unwrap();
    let options = ArrowReaderOptions::new().with_file_decryption_properties(house.decryption(outcome, at));
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let said = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let said = said.iter().find(|pair| pair.key == seal::ROWS_PER_UNIT).unwrap();
    said.value.as_deref().unwrap().parse().unwrap()
}

/// The most rows that a unit has, its rows standing together.
fn most_rows(units: &[u64]) -> usize {
    let runs = units.chunk_by(|a, b| a == b);
    runs.map(<[u64]>::len).max().unwrap()
}

#[test]
fn one_person_in_many_spellings_is_one_unit() {
    let house = House::new();
    let wide = |text: &str| {
        text.chars()
            .map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap())
            .collect::<String>()
    };
    let id = "11010519491231002X";
    let keys = [
        id.to_owned(),
        id.to_lowercase(),
        format!(" {id} "),
        wide(id),
        "110105491231002".to_owned(),
        id_number(1),
    ];
    let invalid = ["", "110105194912310021", "abc"];
    let mut text = String::from(HEADER);
    for (n, key) in keys.iter().map(String::as_str).chain(invalid).enumerate() {
        text.push_str(&format!("\"{key}\",1,东,{n}\n"));
    }
    let outcome = house
        .run(&house.file(&text), &house.protected_plan(trips(10, 10, 10)))
        .unwrap();
    let units = by_unit(&house, &outcome);
    let mut sizes: Vec<usize> = units.values().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 5]);
    assert_eq!(
        outcome.dropped,
        Dropped {
            invalid_key: 3,
            over_cap: 0
        }
    );
    assert_eq!(outcome.units, Some(2));
}

#[test]
fn what_a_unit_keeps_does_not_depend_on_the_others() {
    let house = House::new();
    let plan = house.protected_plan(trips(100, 10_000, 10));
    let rows: Vec<String> = (0..3_000).map(|n| row(n % 3, n)).collect();
    let all = house
        .run(&house.file(format!("{HEADER}{}", rows.concat())), &plan)
        .unwrap();
    let neighbour: String = rows
        .iter()
        .enumerate()
        .filter(|(n, _)| n % 3 != 1)
        .map(|(_, row)| row.as_str())
        .collect();
    let without = house
        .run(&house.file(format!("{HEADER}{neighbour}")), &plan)
        .unwrap();
    let (all_units, without_units) = (by_unit(&house, &all), by_unit(&house, &without));
    assert_eq!((all_units.len(), without_units.len()), (3, 2));
    for (unit, kept) in &without_units {
        assert_eq!(kept.len(), 10);
        assert_eq!(
            all_units.get(unit),
            Some(kept),
            "removing a person changes nobody else's rows"
        );
        assert!(
            kept.iter().any(|n| *n > 300),
            "the kept rows are not just the first ones"
        );
    }
    assert_eq!(all.dropped.over_cap, 3_000 - 30);
}

#[test]
fn identifiers_are_in_no_part_profile_or_message() {
    let house = House::new();
    let text = format!("{HEADER}{}{}", row(1, 5), row(2, 6));
    let outcome = house
        .run(&house.file(&text), &house.protected_plan(trips(10, 10, 10)))
        .unwrap();
    let profile = serde_json::to_string(&outcome.profile).unwrap();
    let mut needles = vec![id_number(1), id_number(2), "13800000001".to_owned()];
    let cells = house.table(&outcome).concat().concat();
    assert!(
        cells.contains('东') && needles.iter().all(|needle| !cells.contains(needle)),
        "{cells}"
    );
    assert!(
        needles.iter().all(|needle| !profile.contains(needle)),
        "{profile}"
    );
    assert_eq!(outcome.profile.columns[0].distinct.count, 2);
    needles.push("绝密".to_owned());
    let bad = format!("{HEADER}{},1,东,绝密\n", id_number(1));
    for data in [bad, id_number(1), format!("{}\n{}", id_number(1), id_number(2))] {
        let error = house
            .run(&house.file(data), &house.protected_plan(trips(10, 10, 10)))
            .unwrap_err();
        let message = format!("{error} {error:?}");
        assert!(
            needles.iter().all(|needle| !message.contains(needle)),
            "{message}"
        );
    }
}

#[test]
fn what_breaks_the_declaration_is_refused() {
    let people =
        |count: usize, each: usize| -> String { (0..count * each).map(|n| row(n % count, n)).collect() };
    let moved = format!("{}{},1,西,2\n", row(2, 1), id_number(2));
    let unsettled = format!("{}{},1,,2\n", row(2, 1), id_number(2));
    for (name, rows, metadata, code) in [
        (
            "units",
            people(11, 1),
            trips(10, 100, 10),
            "ingest-too-many-units",
        ),
        ("rows", people(2, 60), trips(10, 100, 10), "ingest-too-many-rows"),
        ("static", moved, trips(10, 100, 10), "ingest-unit-not-static"),
        (
            "static, missing",
            unsettled,
            trips(10, 100, 10),
            "ingest-unit-not-static",
        ),
        (
            "keys",
            "abc,1,东,1\n".to_owned(),
            trips(10, 100, 10),
            "ingest-no-valid-unit",
        ),
        ("no rows", String::new(), trips(10, 100, 10), "ingest-header-only"),
    ] {
        let house = House::new();
        let path = house.file(format!("{HEADER}{rows}"));
        let error = house.run(&path, &house.protected_plan(metadata)).expect_err(name);
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(house.files().is_empty(), "{name}");
    }
    let house = House::new();
    let no_key = "phone,home,n\n1,东,1\n";
    let error = house
        .run(&house.file(no_key), &house.protected_plan(trips(10, 100, 10)))
        .unwrap_err();
    assert!(
        matches!(error, IngestError::MissingColumn { ref name } if name == "person_id"),
        "{error}"
    );
}

#[test]
fn enterprises_and_rows_are_units_too() {
    let house = House::new();
    let taxes = declared(json!({"unit": unit("enterprise", 10, 10, 12), "fields": [
        {"name": "credit_code", "type": "text", "level": "L3", "role": "unit_key"},
        {"name": "n", "type": "integer", "level": "L3"},
    ]}));
    let text = "credit_code,n\n91350100M000100Y43,1\n91350100m000100y43,2\n91350100M000100Y44,3\n";
    let outcome = house
        .run(&house.file(text), &house.protected_plan(taxes))
        .unwrap();
    assert_eq!((outcome.units, outcome.dropped.invalid_key), (Some(1), 1));
    let readings = declared(json!({"unit": unit("row", 10, 10, 1), "fields": [
        {"name": "n", "type": "integer", "level": "L3"},
    ]}));
    let mut plan = house.protected_plan(readings);
    let outcome = house.run(&house.file("n\n1\n1\n1\n"), &plan).unwrap();
    assert_eq!((outcome.units, outcome.manifest.rows), (Some(3), 3));
    let first = by_unit(&house, &outcome);
    plan.version = VersionId::at(Timestamp::from_micros(1_900_000_000_000_000));
    let second = by_unit(&house, &house.run(&house.file("n\n1\n1\n1\n"), &plan).unwrap());
    assert!(
        first.keys().all(|unit| !second.contains_key(unit)),
        "synthetic units join with nothing"
    );
}

#[test]
fn datasets_of_two_departments_join_by_unit() {
    let house = House::new();
    let plan = |level| IngestPlan {
        level,
        ..house.protected_plan(trips(10, 10, 10))
    };
    let one = house
        .run(&house.file(format!("{HEADER}{}", row(3, 1))), &plan(Level::L3))
        .unwrap();
    let one = by_unit(&house, &one);
    let other = House {
        secret: house.secret.clone(),
        ..House::new()
    };
    let two = other
        .run(
            &other.file(format!("{HEADER}{}", row(3, 9).to_lowercase())),
            &plan(Level::L3),
        )
        .unwrap();
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        by_unit(&other, &two).keys().collect::<Vec<_>>()
    );
    let stranger = House {
        secret: UnitSecret::new([9; 32]),
        ..House::new()
    };
    let three = stranger
        .run(&stranger.file(format!("{HEADER}{}", row(3, 9))), &plan(Level::L3))
        .unwrap();
    assert_ne!(
        one.keys().collect::<Vec<_>>(),
        by_unit(&stranger, &three).keys().collect::<Vec<_>>()
    );
}
