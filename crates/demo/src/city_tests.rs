//! What holds of all tables together.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};

use crate::calendar::{MICROS, YEAR_START, midnight};
use crate::identity_number::tests::{canonical, is_credit_code};
use crate::{City, Defects, Scale, Table};

const SEED: u64 = 20_251_123;

fn city() -> City {
    City::new(SEED, Scale::TEST)
}

fn clean() -> City {
    city().with_defects(Defects::NONE)
}

fn whole(city: &City, table: Table) -> RecordBatch {
    let batches: Vec<_> = city.batches(table, 4_000).map(Result::unwrap).collect();
    concat_batches(&city.schema(table), &batches).unwrap()
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    batch
        .column_by_name(column)
        .unwrap()
        .as_string::<i32>()
        .iter()
        .map(|v| v.map(str::to_owned))
        .collect()
}

/// The numbers of a column; NULL is left out.
fn numbers(batch: &RecordBatch, column: &str) -> Vec<f64> {
    let array = batch.column_by_name(column).unwrap();
    match array.data_type() {
        DataType::Int64 => array
            .as_primitive::<Int64Type>()
            .iter()
            .flatten()
            .map(|v| v as f64)
            .collect(),
        _ => array.as_primitive::<Float64Type>().iter().flatten().collect(),
    }
}

/// The unit of each row, canonical; none for invalid keys.
fn units(batch: &RecordBatch, table: Table) -> Vec<Option<String>> {
    let column = table.spec(Scale::TEST).unit.unwrap().column;
    let key = |text: String| match table {
        Table::EnterpriseTax => is_credit_code(&text).then_some(text),
        _ => canonical(&text),
    };
    texts(batch, column)
        .into_iter()
        .map(|text| text.and_then(key))
        .collect()
}

fn rows_per_unit(units: &[Option<String>]) -> HashMap<&str, u64> {
    let mut counts = HashMap::new();
    for unit in units.iter().flatten() {
        *counts.entry(unit.as_str()).or_insert(0) += 1;
    }
    counts
}

const PROTECTED: [Table; 3] = [
    Table::BikeShareTrips,
    Table::OutpatientVisits,
    Table::EnterpriseTax,
];

#[test]
fn batches_and_threads_change_nothing() {
    for table in Table::ALL {
        let one = whole(&city(), table);
        assert_eq!(one.num_rows() as u64, city().rows(table), "{}", table.slug());
        let halves: Vec<_> = std::thread::scope(|scope| {
            let middle = city().rows(table) / 2 + 1;
            let parts = [0..middle, middle..u64::MAX].map(|range| {
                scope.spawn(move || {
                    city()
                        .batches_of(table, range, 777)
                        .map(Result::unwrap)
                        .collect::<Vec<_>>()
                })
            });
            parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
        });
        assert_eq!(
            one,
            concat_batches(&city().schema(table), &halves).unwrap(),
            "{}",
            table.slug()
        );
        let other = whole(&City::new(SEED + 1, Scale::TEST), table);
        assert_ne!(one, other, "{}: another seed is another city", table.slug());
    }
    assert_eq!(
        city().batches_of(Table::BikeParking, 1_000..2_000, 10).count(),
        0,
        "past the end"
    );
}

/// The first rows of every table, hashed: a change here changes every published figure of the demo and the benches.
#[test]
fn the_city_is_the_same_on_every_machine() {
    let hash = |table: Table| {
        let batch = city().batches(table, 500).next().unwrap().unwrap();
        let mut bytes = Vec::new();
        arrow::csv::Writer::new(&mut bytes).write(&batch).unwrap();
        // FNV-1a, which no library changes under us.
        bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3)
        })
    };
    let hashes = Table::ALL.map(|table| format!("{} {:016x}", table.slug(), hash(table)));
    let expected: [&str; 7] = [
        "bike-share-trips c5bd1ee8c0dd6009",
        "outpatient-visits 03bfd5d9cd8f39b3",
        "enterprise-tax 0ef14cbcc0580630",
        "administrative-divisions 65a3d50c9046b5d6",
        "air-quality 2f57c5708bcaf3a6",
        "traffic-index 7ad8f65ff94cc277",
        "bike-parking 904eb1ec0a91a4c5",
    ];
    assert_eq!(hashes, expected);
}

#[test]
fn clean_data_keeps_every_declaration() {
    for table in Table::ALL {
        let (spec, batch) = (table.spec(Scale::TEST), whole(&clean(), table));
        assert_eq!(batch.schema().as_ref(), &spec.arrow_schema());
        for column in &spec.columns {
            if let Some((low, high)) = column.bounds {
                let values = numbers(&batch, column.name);
                assert!(!values.is_empty());
                let out = values.iter().find(|v| !(low..=high).contains(*v));
                assert_eq!(out, None, "{}.{} in [{low}, {high}]", spec.slug, column.name);
            }
            if let Some(domain) = &column.domain {
                let seen: HashSet<String> = texts(&batch, column.name).into_iter().flatten().collect();
                let strange = seen.iter().find(|value| !domain.contains(&value.as_str()));
                assert_eq!(strange, None, "{}.{}", spec.slug, column.name);
                // Rare values, such as international organisations, need more rows than this to show; and what
                // dominates the air in the first days of January is one or two pollutants.
                let few = seen.len() * 2 < domain.len() && table != Table::AirQuality;
                assert!(!few, "{}.{}: {seen:?}", spec.slug, column.name);
            }
        }
        if let Some(unit) = spec.unit {
            let units = units(&batch, table);
            let counts = rows_per_unit(&units);
            assert!(
                units.iter().all(Option::is_some),
                "{}: every key is valid",
                spec.slug
            );
            let busiest = counts.values().copied().max().unwrap();
            assert_eq!(busiest, u64::from(unit.max_rows_per_unit), "{}", spec.slug);
            assert!(counts.len() as u64 <= unit.max_units && batch.num_rows() as u64 <= unit.max_rows);
        }
    }
}

#[test]
fn unit_static_columns_have_one_value_a_unit() {
    let mut checked = 0;
    for table in PROTECTED {
        let batch = whole(&city(), table);
        let units = units(&batch, table);
        for column in table
            .spec(Scale::TEST)
            .columns
            .iter()
            .filter(|column| column.unit_static)
        {
            let mut seen: HashMap<&str, &Option<String>> = HashMap::new();
            let values = texts(&batch, column.name);
            for (unit, value) in units.iter().zip(&values) {
                if let Some(unit) = unit {
                    assert_eq!(
                        *seen.entry(unit).or_insert(value),
                        value,
                        "{}.{}",
                        table.slug(),
                        column.name
                    );
                }
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 5, "residence, age band, sex; district, credit grade");
}

#[test]
fn defects_are_there_and_few() {
    let mut much = city();
    much.defects.absurd_rows = 5_000;
    for table in PROTECTED {
        let (spec, batch) = (table.spec(Scale::TEST), whole(&much, table));
        let rows = batch.num_rows() as f64;
        let mut outside = 0;
        for column in spec.columns.iter().filter(|column| column.bounds.is_some()) {
            let (low, high) = column.bounds.unwrap();
            outside += numbers(&batch, column.name)
                .iter()
                .filter(|v| !(low..=high).contains(*v))
                .count();
            let missing = batch.column_by_name(column.name).unwrap().null_count() as f64 / rows;
            assert!(
                missing > 0.0 && missing < 0.03,
                "{}.{}: {missing}",
                spec.slug,
                column.name
            );
        }
        let share = outside as f64 / rows;
        assert!((0.002..0.009).contains(&share), "{}: {share}", spec.slug);

        let units = units(&batch, table);
        let bad = units.iter().filter(|unit| unit.is_none()).count() as f64 / rows;
        assert!((0.0005..0.002).contains(&bad), "{}: {bad} bad keys", spec.slug);
        let cap = u64::from(spec.unit.unwrap().max_rows_per_unit);
        let over = rows_per_unit(&units).values().filter(|n| **n > cap).count();
        assert_eq!(over, 1, "{}", spec.slug);
    }
}

#[test]
fn the_same_persons_cycle_and_see_doctors() {
    let (trips, visits) = (
        whole(&city(), Table::BikeShareTrips),
        whole(&city(), Table::OutpatientVisits),
    );
    let riders = units(&trips, Table::BikeShareTrips);
    let patients = units(&visits, Table::OutpatientVisits);
    let (riders, patients) = (rows_per_unit(&riders), rows_per_unit(&patients));
    assert_eq!(riders.len() as u64, Scale::TEST.persons());
    let both = patients
        .keys()
        .filter(|person| riders.contains_key(*person))
        .count();
    assert_eq!(both, patients.len(), "every patient cycles");
    assert!((1_000..1_200).contains(&patients.len()), "{}", patients.len());
    let spellings: HashSet<Option<String>> = texts(&visits, "person_id").into_iter().collect();
    assert!(
        spellings.len() > 2 * patients.len(),
        "persons are spelt in several ways"
    );
    let raw = texts(&trips, "person_id").into_iter().flatten();
    assert!(
        raw.filter(|id| canonical(id).is_some())
            .all(|id| id.len() == 18 && !id.contains('x'))
    );
}

#[test]
fn persons_places_and_hours_are_skewed() {
    let trips = whole(&clean(), Table::BikeShareTrips);
    let units = units(&trips, Table::BikeShareTrips);
    let mut counts: Vec<u64> = rows_per_unit(&units).into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let share = |n: usize| counts[..n].iter().sum::<u64>() as f64 / trips.num_rows() as f64;
    assert!(share(12) > 0.05, "the top 1 % make {:.3} of the trips", share(12));
    assert!(
        share(120) > 0.3,
        "the top 10 % make {:.3} of the trips",
        share(120)
    );
    let mut places = HashMap::new();
    for place in texts(&trips, "start_district") {
        *places.entry(place).or_insert(0) += 1;
    }
    let (most, least) = (places.values().max().unwrap(), places.values().min().unwrap());
    assert!(most > &(5 * least), "{places:?}");

    let starts = trips
        .column_by_name("start_time")
        .unwrap()
        .as_primitive::<TimestampMicrosecondType>();
    assert!(starts.values().is_sorted(), "trips come in order of their start");
    assert!(
        starts
            .values()
            .iter()
            .all(|t| (midnight(0)..midnight(365)).contains(t))
    );
    let mut hours = [0; 24];
    for start in starts.values() {
        hours[(start / MICROS / 3_600 % 24) as usize] += 1;
    }
    assert!(
        hours[8] > 2 * hours[11] && hours[18] > 2 * hours[21] && hours[3] * 20 < hours[8],
        "{hours:?}"
    );

    let visits = whole(&clean(), Table::OutpatientVisits);
    let dates = visits
        .column_by_name("visit_date")
        .unwrap()
        .as_primitive::<Date32Type>();
    assert!(dates.values().is_sorted());
    assert!(
        dates
            .values()
            .iter()
            .all(|d| (YEAR_START..YEAR_START + 365).contains(d))
    );
    let mut codes = HashMap::new();
    for code in texts(&visits, "diagnosis_code").into_iter().flatten() {
        *codes.entry(code).or_insert(0) += 1;
    }
    let rare = codes.values().filter(|n| **n < 10).count();
    assert!(
        rare > 500 && codes.values().max().unwrap() > &300,
        "{rare} rare codes of {}",
        codes.len()
    );
}

#[test]
fn enterprises_file_once_a_quarter() {
    let tax = whole(&clean(), Table::EnterpriseTax);
    let mut filed = HashSet::new();
    for row in units(&tax, Table::EnterpriseTax)
        .into_iter()
        .zip(texts(&tax, "quarter"))
    {
        assert!(filed.insert(row));
    }
    assert_eq!(filed.len() as u64, 12 * Scale::TEST.enterprises());
}

#[test]
fn open_tables_look_like_the_real_ones() {
    let air = whole(&city(), Table::AirQuality);
    let pm25: Vec<f64> = numbers(&air, "pm25")
        .into_iter()
        .filter(|v| *v < 9_999.0)
        .collect();
    let mean = pm25.iter().sum::<f64>() / pm25.len() as f64;
    assert!((15.0..90.0).contains(&mean), "January's PM2.5 is {mean}");
    assert!(air.column_by_name("pm25").unwrap().null_count() > 0);
    let pairs = numbers(&air, "aqi").into_iter().filter(|aqi| *aqi > 50.0).count();
    let named = texts(&air, "dominant_pollutant").into_iter().flatten().count();
    assert_eq!(
        pairs, named,
        "a dominant pollutant exactly when the index is over 50"
    );

    let traffic = whole(&city(), Table::TrafficIndex);
    let mut states = HashMap::new();
    for state in texts(&traffic, "status").into_iter().flatten() {
        *states.entry(state).or_insert(0) += 1;
    }
    assert!(
        states["畅通"] > states["缓行"] && states["缓行"] > states["严重拥堵"],
        "{states:?}"
    );

    let parking = whole(&city(), Table::BikeParking);
    let districts: HashSet<_> = texts(&parking, "district").into_iter().flatten().collect();
    assert_eq!(districts.len(), 16);
    assert!(
        texts(&parking, "place_id")
            .into_iter()
            .flatten()
            .all(|id| id.len() == 6)
    );
    for name in texts(&parking, "name").into_iter().flatten() {
        assert!((7..=14).contains(&name.chars().count()), "{name}");
    }
}

#[test]
fn tables_scale() {
    let rows = |table: Table, rows: u64| table.rows(Scale::of_rows(table, rows).unwrap());
    for table in [Table::AirQuality, Table::TrafficIndex] {
        let got = rows(table, 10_000_000);
        assert!((9_950_000..10_050_000).contains(&got), "{}: {got}", table.slug());
    }
    assert_eq!(rows(Table::BikeShareTrips, 50_000_000), 50_000_000);
    let demo = Table::ALL.map(|table| table.rows(Scale::DEMO));
    assert_eq!(
        demo,
        [2_000_000, 1_000_000, 1_200_000, 197, 420_480, 537_600, 3_000]
    );
    // The last rows of a large city are made without the ones before.
    let large = City::new(1, Scale::of_rows(Table::BikeShareTrips, 50_000_000).unwrap());
    let last = large
        .batches_of(Table::BikeShareTrips, 49_999_990..50_000_000, 100)
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(last.num_rows(), 10);
}
