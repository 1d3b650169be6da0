//! The language by example: the files in `slt/` are read by people; this holds them to the planner and the engine.
//!
//! `SHAPAN_BLESS=1` writes what comes out into the files instead, for a person to read and to agree with.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{
    DataType, Date32Type, Field, Float64Type, Int64Type, Schema, TimestampMicrosecondType,
};
use model::{DatasetId, Level, Slug};
use tempfile::TempDir;

use super::fixture::{SECRET, Trip, key, noised, relation, relation_with, write_city};
use crate::release::{Noised, Picks};
use crate::source::ScanTable;
use crate::{Granted, Part, PlanCore, PrivatePlan, PublicTable, Refusal, Relation, Rule, Tables, Totals};

/// A record of a file.
#[derive(Debug, PartialEq)]
struct Record {
    line: usize,
    /// `TI`, or `error rule`.
    head: String,
    sql: String,
    want: Vec<String>,
}

/// Reads a file; what is no record or comment is an error.
fn records(text: &str) -> Vec<Record> {
    let mut found = vec![];
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let head = line
            .strip_prefix("query ")
            .unwrap_or_else(|| panic!("line {}: {line:?}", at + 1));
        let mut record = Record {
            line: at + 1,
            head: head.trim().to_owned(),
            sql: String::new(),
            want: vec![],
        };
        let mut answer = false;
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
            if line == "----" {
                answer = true;
            } else if answer {
                record
                    .want
                    .push(line.split_whitespace().collect::<Vec<_>>().join(" "));
            } else {
                record.sql.push_str(line);
                record.sql.push('\n');
            }
        }
        found.push(record);
    }
    found
}

/// The tables of the README.
struct World {
    protected: Vec<Relation>,
    public: Vec<PublicTable>,
    trips: Vec<Part>,
    rides: Vec<Part>,
    _folders: [TempDir; 2],
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/slt")
}

fn read(name: &str) -> Vec<Trip> {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("person,district,home,distance,fare,note,start,day,electric")
    );
    lines.map(trip).collect()
}

fn trip(line: &str) -> Trip {
    // The fixture's texts live as long as the program.
    let line: &'static str = line.to_owned().leak();
    let cells: Vec<Option<&'static str>> = line
        .split(',')
        .map(|cell| (!cell.is_empty()).then_some(cell))
        .collect();
    let [person, district, home, distance, fare, note, start, day, electric] = cells.try_into().unwrap();
    Trip {
        unit: person.unwrap().parse().unwrap(),
        district,
        home: home.unwrap(),
        distance: distance.map(|x| x.parse().unwrap()),
        fare: fare.map(|x| x.parse().unwrap()),
        note,
        start: start.map(|x| {
            let civil: jiff::civil::DateTime = x.parse().unwrap();
            civil
                .to_zoned_datetime(jiff::tz::TimeZone::UTC)
                .unwrap()
                .timestamp()
                .as_microsecond()
        }),
        day: day.map(|x| {
            let day: jiff::civil::Date = x.parse().unwrap();
            day.since(jiff::civil::date(1970, 1, 1)).unwrap().get_days()
        }),
        electric: electric.map(|x| x.parse().unwrap()),
    }
}

fn public(name: &str, columns: Vec<(&str, ArrayRef)>) -> PublicTable {
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
    PublicTable::freeze(name, &schema, &[batch]).unwrap()
}

impl World {
    fn new() -> Self {
        let named = |slug: &str, id: u128, mut relation: Relation| {
            relation.slug = Slug::parse(slug).unwrap();
            relation.dataset = DatasetId::from_uuid(uuid::Uuid::from_u128(id));
            relation
        };
        let mut cars = named("cars", 3, relation());
        let mut json = serde_json::to_value(&cars.metadata).unwrap();
        json["unit"]["type"] = "vehicle".into();
        cars.metadata = serde_json::from_value(json).unwrap();
        let mut grades = named("grades", 5, relation());
        grades.level = Level::L2;
        let mut weather = named("weather", 6, relation());
        let unitless = serde_json::json!({"fields": [{"name": "a", "type": "integer", "level": "L3"}]});
        weather.metadata = serde_json::from_value(unitless).unwrap();
        let rides = named("rides", 2, relation_with(4));
        let zones = public(
            "zones",
            vec![
                ("name", Arc::new(StringArray::from(vec!["东城", "西城"]))),
                ("zone", Arc::new(StringArray::from(vec!["内环", "外环"]))),
                ("capacity", Arc::new(Int64Array::from(vec![7_000, 90_000]))),
            ],
        );
        let districts = vec![Some("东城"), Some("东城"), Some("西城"), None, Some("火星")];
        let places = vec![Some(10), Some(20), Some(30), Some(40), None];
        let parks = public(
            "parks",
            vec![
                ("district", Arc::new(StringArray::from(districts))),
                ("places", Arc::new(Int64Array::from(places))),
            ],
        );
        let numbers = public(
            "numbers",
            vec![("n", Arc::new((1..=200).collect::<Int64Array>()))],
        );
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        Self {
            protected: vec![relation(), rides, cars, grades, weather],
            public: vec![zones, parks, numbers],
            trips: write_city(&folders[0], &read("trips.csv"), 2),
            rides: write_city(&folders[1], &read("rides.csv"), 2),
            _folders: folders,
        }
    }

    fn plan(&self, sql: &str) -> Result<PrivatePlan, Refusal> {
        let tables = Tables {
            protected: &self.protected,
            public: &self.public,
        };
        crate::plan(sql, tables)
    }

    /// The types of the answer's columns, and its rows, noise off.
    fn answer(&self, plan: &PrivatePlan) -> (String, Vec<String>) {
        let granted = |table: &ScanTable| Granted {
            parts: if table.dataset == self.protected[0].dataset {
                self.trips.clone()
            } else {
                assert_eq!(table.dataset, self.protected[1].dataset, "a table without rows");
                self.rides.clone()
            },
            key: key(),
        };
        let exact = plan.parts.iter().map(|part| {
            let granted: Vec<Granted> = part.core.tables.iter().map(granted).collect();
            let totals = crate::execute(&part.core, &granted, &SECRET, 2).unwrap();
            let picks = picks(&part.core, &totals);
            (totals, picks)
        });
        let exact: Vec<(Totals, Vec<Picks>)> = exact.collect();
        let noised: Vec<Noised<'_>> = exact
            .iter()
            .map(|(totals, picks)| noised(totals, picks))
            .collect();
        let released = plan.release(&noised).unwrap();
        let shown = plan.output_columns(&released).unwrap();
        let types = shown.iter().map(|column| match column.data_type() {
            DataType::Int64 => 'I',
            DataType::Float64 => 'R',
            DataType::Boolean => 'B',
            _ => 'T',
        });
        let row = |row: usize| {
            let cells: Vec<String> = shown.iter().map(|column| cell(column, row)).collect();
            cells.join(" ")
        };
        (types.collect(), (0..released.len()).map(row).collect())
    }
}

/// The candidates that stand at their ranks, as the least noise would pick them.
fn picks(core: &PlanCore, totals: &Totals) -> Vec<Picks> {
    let mut picks = vec![];
    for mut counted in totals.counted.chunks_exact(core.candidates().max(1)) {
        for quantile in &core.quantiles {
            let (own, rest) = counted.split_at(quantile.candidates.count() as usize);
            counted = rest;
            let rows: u64 = own.iter().sum();
            let mut below = 0;
            let at = own.iter().position(|count| {
                below += count;
                below * 1_000 >= rows * u64::from(quantile.rank)
            });
            let at = u32::try_from(at.unwrap()).unwrap();
            picks.push(Picks {
                low: at,
                middle: at,
                high: at,
            });
        }
    }
    picks
}

fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    match column.data_type() {
        DataType::Utf8 => match column.as_string::<i32>().value(row) {
            "" => "(empty)".to_owned(),
            text => text.replace(' ', "␣"),
        },
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => {
            let value = format!("{:.6}", column.as_primitive::<Float64Type>().value(row));
            let value = value.trim_end_matches('0').trim_end_matches('.');
            if value == "-0" { "0" } else { value }.to_owned()
        }
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Date32 => {
            let day = column.as_primitive::<Date32Type>().value_as_date(row);
            day.unwrap().to_string()
        }
        DataType::Timestamp(..) => {
            let time = column.as_primitive::<TimestampMicrosecondType>();
            time.value_as_datetime(row)
                .unwrap()
                .format("%Y-%m-%dT%H:%M:%S")
                .to_string()
        }
        other => panic!("a column of {other}"),
    }
}

/// What a record gives, in its own form.
fn outcome(world: &World, record: &Record) -> (String, Vec<String>) {
    match world.plan(&record.sql) {
        Ok(plan) => world.answer(&plan),
        Err(refusal) => (format!("error {}", refusal.rule), vec![]),
    }
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "slt"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_example_gives_what_its_file_says() {
    let world = World::new();
    let bless = std::env::var_os("SHAPAN_BLESS").is_some();
    let (mut wrong, mut count) = (String::new(), 0);
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let mut blessed = text.clone();
        for record in records(&text) {
            count += 1;
            let (head, rows) = outcome(&world, &record);
            if (&head, &rows) == (&record.head, &record.want) {
                continue;
            }
            let got = rows.join("\n");
            let _ = writeln!(
                wrong,
                "{name}:{}\n{}got query {head}\n----\n{got}\n",
                record.line, record.sql
            );
            let line = |head: &str| format!("query {head}\n{}", record.sql);
            let old = line(&record.head);
            let answer = record.want.join("\n");
            for old in [format!("{old}----\n{answer}\n"), old] {
                if blessed.contains(&old) {
                    let new = if head.starts_with("error") {
                        line(&head)
                    } else {
                        format!("{}----\n{got}\n", line(&head))
                    };
                    blessed = blessed.replacen(&old, &new, 1);
                    break;
                }
            }
        }
        if bless && blessed != text {
            std::fs::write(&file, blessed).unwrap();
        }
    }
    assert!(count > 150, "{count} examples");
    assert!(wrong.is_empty(), "{wrong}");
}

/// Rules that no query over the files' tables can show.
const ELSEWHERE: &[Rule] = &[
    // Texts too long to be read.
    Rule::TooLong,
    Rule::TooDeep,
    // The planner words them otherwise before.
    Rule::PostProcessing,
    Rule::UnsupportedPlan,
    // Declarations of other sizes, and the engine for open data.
    Rule::TotalTooLarge,
    Rule::TooSlow,
    Rule::PublicTooLarge,
    Rule::PublicQuery,
];

#[test]
fn every_rule_and_every_aggregate_has_an_example() {
    let mut refused = BTreeSet::new();
    let mut accepted = String::new();
    for file in files() {
        for record in records(&std::fs::read_to_string(&file).unwrap()) {
            match record.head.strip_prefix("error ") {
                Some(rule) => {
                    refused.insert(rule.to_owned());
                }
                None => accepted.push_str(&record.sql.to_lowercase()),
            }
        }
    }
    for rule in Rule::ALL {
        assert!(
            refused.contains(rule.id()) != ELSEWHERE.contains(rule),
            "{rule}: no example, or one that is listed as being elsewhere"
        );
    }
    for (name, _) in crate::function::AGGREGATES {
        assert!(accepted.contains(&format!("{name}(")), "{name} has no example");
    }
}

#[test]
fn records_are_read_as_they_are_written() {
    let text = "# a file\n\nquery TI\nSELECT a,\n  b\n----\nx   1\ny 2\n\nquery error rows\nSELECT c\n";
    let record = |line, head: &str, sql: &str, want: &[&str]| Record {
        line,
        head: head.to_owned(),
        sql: sql.to_owned(),
        want: want.iter().map(|row| (*row).to_owned()).collect(),
    };
    let want = [
        record(3, "TI", "SELECT a,\n  b\n", &["x 1", "y 2"]),
        record(10, "error rows", "SELECT c\n", &[]),
    ];
    assert_eq!(records(text), want);
}
