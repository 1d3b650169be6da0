//! Random tables come back as they went in, and chunks are cut between records.

use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, Float64Type, Int64Type};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::record::{self, Chunk, Dialect};

type Row = (
    Option<String>,
    Option<i64>,
    Option<f64>,
    Option<bool>,
    Option<i32>,
);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let text = proptest::option::of("[a-z,\"\n\r;甲 乙'\t|#]{1,12}");
    let number = proptest::option::of(-1e12..1e12f64);
    let day = proptest::option::of(-700_000..2_900_000i32);
    proptest::collection::vec(
        (text, any::<Option<i64>>(), number, any::<Option<bool>>(), day),
        1..60,
    )
}

fn iso(days: i32) -> String {
    let second = i64::from(days) * 86_400;
    let moment = jiff::Timestamp::from_second(second).unwrap();
    jiff::tz::TimeZone::UTC.to_datetime(moment).date().to_string()
}

fn write_csv(rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["s", "i", "f", "b", "d"]).unwrap();
    for (s, i, f, b, d) in rows {
        let cell = |value: Option<String>| value.unwrap_or_default();
        writer
            .write_record([
                cell(s.clone()),
                cell(i.map(|i| i.to_string())),
                cell(f.map(|f| f.to_string())),
                cell(b.map(|b| b.to_string())),
                cell(d.map(iso)),
            ])
            .unwrap();
    }
    writer.into_inner().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        // `make audit` asks for more.
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48),
        ..ProptestConfig::default()
    })]

    #[test]
    fn tables_come_back_as_they_went_in(rows in rows()) {
        let house = House::new();
        let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "level": "L1"});
        let metadata = declared(json!({"fields": [
            field("s", "text"), field("i", "integer"), field("f", "number"), field("b", "boolean"), field("d", "date"),
        ]}));
        let options = IngestOptions {
            delimiter: Some(','),
            trim: Some(false),
            missing: Some(vec![]),
            ..IngestOptions::default()
        };
        let plan = IngestPlan { declared: Some(metadata), options, row_group_rows: 7, ..house.open_plan() };
        let outcome = house.run(&house.file(write_csv(&rows)), &plan).unwrap();
        let batch = &house.parts(&outcome)[0];
        let texts: Vec<Option<&str>> = batch.column(0).as_string::<i32>().iter().collect();
        prop_assert_eq!(texts, rows.iter().map(|row| row.0.as_deref()).collect::<Vec<_>>());
        let integers: Vec<Option<i64>> = batch.column(1).as_primitive::<Int64Type>().iter().collect();
        prop_assert_eq!(integers, rows.iter().map(|row| row.1).collect::<Vec<_>>());
        let numbers: Vec<Option<f64>> = batch.column(2).as_primitive::<Float64Type>().iter().collect();
        prop_assert_eq!(numbers, rows.iter().map(|row| row.2).collect::<Vec<_>>());
        let booleans: Vec<Option<bool>> = batch.column(3).as_boolean().iter().collect();
        prop_assert_eq!(booleans, rows.iter().map(|row| row.3).collect::<Vec<_>>());
        let days: Vec<Option<i32>> = batch.column(4).as_primitive::<Date32Type>().iter().collect();
        prop_assert_eq!(days, rows.iter().map(|row| row.4).collect::<Vec<_>>());
    }

    #[test]
    fn chunks_are_cut_between_records(rows in rows(), step in 1..200usize) {
        let data = write_csv(&rows);
        let dialect = Dialect { delimiter: b',', quoted: true, trim: false };
        let limits = DetectLimits::default();
        let split = |bytes: &[u8]| -> Vec<String> {
            let chunk = Chunk { bytes, line: 1, offset: 0 };
            let fields = record::split(chunk, dialect, 5, &limits).unwrap();
            let texts = |column| fields.column(column).map(|span| span.text(fields.text).into_owned()).collect::<Vec<_>>();
            let columns: Vec<Vec<String>> = (0..5).map(texts).collect();
            (0..fields.rows()).flat_map(|row| columns.iter().map(move |c| c[row].clone()).collect::<Vec<_>>()).collect()
        };
        let ends = record::record_ends(&data, dialect, step);
        prop_assert_eq!(ends.last().copied(), Some(data.len()));
        let mut start = 0;
        let mut pieces = Vec::new();
        for end in ends {
            pieces.extend(split(&data[start..end]));
            start = end;
        }
        prop_assert_eq!(pieces, split(&data));
        // The judge: another library's reading of the same bytes.
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(data.as_slice());
        let judged: Vec<String> =
            reader.records().flat_map(|r| r.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).collect();
        prop_assert_eq!(judged, split(&data));
    }
}
