//! Open files: dialects and types as bureaus export them, downloads, Parquet uploads.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, ListArray, StringArray};
use arrow::array::{TimestampMillisecondArray, UInt64Array};
use arrow::datatypes::Int32Type;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::json;

use super::*;

#[test]
fn files_as_bureaus_export_them() {
    let gb = |text: &str| encoding_rs::GB18030.encode(text).0.into_owned();
    let utf16 = |text: &str| {
        let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
    };
    let areas = "区县代码,名称,人口\r\n110101,\"东城区\",708000\r\n110102,\"西城区\",1106000\r\n";
    let areas_types = vec![("区县代码", "text"), ("名称", "text"), ("人口", "integer")];
    type Case<'a> = (&'a str, Vec<u8>, Vec<(&'a str, &'a str)>, Vec<Vec<&'a str>>);
    let cases: Vec<Case<'_>> = vec![
        (
            "GB18030 with CRLF",
            gb(areas),
            areas_types.clone(),
            vec![vec!["110101", "东城区", "708000"], vec!["110102", "西城区", "1106000"]],
        ),
        (
            "UTF-8 with a byte order mark",
            format!("\u{FEFF}{areas}").into_bytes(),
            areas_types.clone(),
            vec![vec!["110101", "东城区", "708000"], vec!["110102", "西城区", "1106000"]],
        ),
        (
            "UTF-16",
            utf16(areas),
            areas_types,
            vec![vec!["110101", "东城区", "708000"], vec!["110102", "西城区", "1106000"]],
        ),
        (
            "no header, blanks after commas, question marks",
            b"39, State-gov, ?, <=50K\n50, ?, Male, >50K\n".to_vec(),
            vec![("column_1", "integer"), ("column_2", "text"), ("column_3", "text"), ("column_4", "text")],
            vec![vec!["39", "State-gov", "", "<=50K"], vec!["50", "", "Male", ">50K"]],
        ),
        (
            "NA for missing numbers, and what is no mark in text",
            "no,pm2.5,wind\n1,NA,NW\n2,1.5,无\n3,7,cv\n".as_bytes().to_vec(),
            vec![("no", "integer"), ("pm2.5", "number"), ("wind", "text")],
            vec![vec!["1", "", "NW"], vec!["2", "1.5", "无"], vec!["3", "7.0", "cv"]],
        ),
        (
            "codes, ID numbers and telephones are text",
            b"code,zip,idno,tel,n\n1,012345,110101199003070011,13812345678,3\n2,100010,11010119900307002X,13912345678,4\n"
                .to_vec(),
            vec![("code", "text"), ("zip", "text"), ("idno", "text"), ("tel", "text"), ("n", "integer")],
            vec![
                vec!["1", "012345", "110101199003070011", "13812345678", "3"],
                vec!["2", "100010", "11010119900307002X", "13912345678", "4"],
            ],
        ),
        (
            "dates, times, booleans, semicolons",
            "d;t;b\n2024/1/2;2024-01-02 03:04;true\n2024年1月3日;2024-01-02T03:04:05.5;FALSE\n".as_bytes().to_vec(),
            vec![("d", "date"), ("t", "timestamp"), ("b", "boolean")],
            vec![
                vec!["2024-01-02", "2024-01-02T03:04:00", "true"],
                vec!["2024-01-03", "2024-01-02T03:04:05.500", "false"],
            ],
        ),
        (
            "quoted line ends, delimiters and quotes; tabs; no last line end",
            b"a\tb\n\"x\r\ny\"\t\"p\tq \"\"r\"\"\"\n5\" pipe\t2".to_vec(),
            vec![("a", "text"), ("b", "text")],
            vec![vec!["x\r\ny", "p\tq \"r\""], vec!["5\" pipe", "2"]],
        ),
        (
            "one column with blank lines",
            b"n\n\n1\n\n2\n".to_vec(),
            vec![("n", "integer")],
            vec![vec!["1"], vec!["2"]],
        ),
        (
            "years as column names",
            "地区,2019,2020\n北京,1,2\n".as_bytes().to_vec(),
            vec![("地区", "text"), ("2019", "integer"), ("2020", "integer")],
            vec![vec!["北京", "1", "2"]],
        ),
    ];
    for (name, data, want_types, want_rows) in cases {
        let house = House::new();
        let outcome = house.ingest(data).expect(name);
        assert_eq!(types(&outcome), want_types, "{name}");
        assert_eq!(house.table(&outcome), want_rows, "{name}");
        assert_eq!(outcome.profile.rows, want_rows.len() as u64, "{name}");
    }
}

#[test]
fn a_type_that_changes_in_the_last_row_is_seen() {
    let mut text = String::from("n,m\n");
    for row in 0..100_000 {
        text.push_str(&format!("{row},{row}\n"));
    }
    text.push_str("x,1.5\n");
    let house = House::new();
    let outcome = house.ingest(&text).unwrap();
    assert_eq!(types(&outcome), [("n", "text"), ("m", "number")]);
    assert_eq!(outcome.manifest.rows, 100_001);
    let batch = &house.parts(&outcome)[0];
    assert_eq!(batch.column(0).as_string::<i32>().value(99_999), "99999");
    assert_eq!(batch.column(0).as_string::<i32>().value(100_000), "x");
    let profile = &outcome.profile.columns[0];
    assert!(profile.distinct.standard_error.is_some());
    assert!(
        (profile.distinct.count as f64 / 100_001.0 - 1.0).abs() < 0.05,
        "{:?}",
        profile.distinct
    );
}

#[test]
fn a_file_that_turns_gb18030_after_a_megabyte_is_read() {
    let mut text = String::from("n,name\n");
    while text.len() < 1_200_000 {
        text.push_str("1,plain\n");
    }
    text.push_str("2,北京市海淀区人民政府\n");
    let house = House::new();
    let outcome = house.ingest(encoding_rs::GB18030.encode(&text).0).unwrap();
    assert_eq!(outcome.detection.encoding, Encoding::Gb18030);
    let batch = &house.parts(&outcome)[0];
    assert_eq!(
        batch.column(1).as_string::<i32>().value(batch.num_rows() - 1),
        "北京市海淀区人民政府"
    );
}

#[test]
fn what_is_proposed_can_be_corrected() {
    let house = House::new();
    let path = house.file("code|n\n007|none\n008|3\n");
    let mut plan = house.open_plan();
    plan.options.missing = Some(vec!["none".into()]);
    plan.options
        .types
        .insert("code".into(), model::FieldType::Integer);
    let outcome = house.run(&path, &plan).unwrap();
    assert_eq!(types(&outcome), [("code", "integer"), ("n", "integer")]);
    assert_eq!(house.table(&outcome), [["7", ""], ["8", "3"]]);
    plan.options.header = Some(false);
    plan.options.types.clear();
    plan.options.delimiter = Some(';');
    let outcome = house.run(&path, &plan).unwrap();
    assert_eq!(types(&outcome), [("column_1", "text")]);
    assert_eq!(outcome.manifest.rows, 3);
    let options = serde_json::to_string(&plan.options).unwrap();
    assert_eq!(
        serde_json::from_str::<IngestOptions>(&options).unwrap(),
        plan.options
    );
    assert!(serde_json::from_str::<IngestOptions>(r#"{"delimeter": ","}"#).is_err());
}

#[test]
fn a_declared_file_may_have_no_rows_and_any_order() {
    let house = House::new();
    let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "level": "L1"});
    let metadata = declared(json!({"fields": [field("b", "date"), field("a", "text")]}));
    let plan = IngestPlan {
        declared: Some(metadata),
        formats: ALL_FORMATS.to_vec(),
        ..house.open_plan()
    };
    let outcome = house.run(&house.file("A,b\n"), &plan).unwrap();
    assert_eq!(outcome.manifest.rows, 0);
    let csv = outcome
        .manifest
        .find_distribution(DistributionFormat::Csv)
        .unwrap();
    let text = std::fs::read_to_string(house.open.local_path(plan.version, &csv.name).unwrap()).unwrap();
    assert_eq!(text, "b,a\r\n");
    let outcome = house.run(&house.file("A,b\n007,2024-01-02\n"), &plan).unwrap();
    assert_eq!(house.table(&outcome), [["2024-01-02", "007"]]);
}

#[test]
fn downloads_hold_the_same_rows_in_every_format() {
    let house = House::new();
    let plan = IngestPlan {
        formats: ALL_FORMATS.to_vec(),
        ..house.open_plan()
    };
    let path = house.file("name,n,t\n\"a,\"\"b\"\"\",1,2024-01-02 03:04:05\n甲,,2024-01-02 00:00:00.25\n");
    let outcome = house.run(&path, &plan).unwrap();
    let read = |format: DistributionFormat| {
        let file = outcome.manifest.find_distribution(format).unwrap();
        let path = house.open.local_path(plan.version, &file.name).unwrap();
        assert_eq!(path.metadata().unwrap().len(), file.bytes);
        assert!(file.name.starts_with(&file.sha256));
        (path.clone(), std::fs::read(path).unwrap())
    };
    let csv = String::from_utf8(read(DistributionFormat::Csv).1).unwrap();
    let want = "name,n,t\r\n\"a,\"\"b\"\"\",1,2024-01-02T03:04:05\r\n甲,,2024-01-02T00:00:00.250\r\n";
    assert_eq!(csv, want);
    let want = json!([
        {"name": "a,\"b\"", "n": 1, "t": "2024-01-02T03:04:05"},
        {"name": "甲", "n": null, "t": "2024-01-02T00:00:00.250"}
    ]);
    let array: serde_json::Value = serde_json::from_slice(&read(DistributionFormat::Json).1).unwrap();
    assert_eq!(array, want);
    let lines = String::from_utf8(read(DistributionFormat::Ndjson).1).unwrap();
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(json!(lines), want);
    let file = std::fs::File::open(read(DistributionFormat::Arrow).0).unwrap();
    let arrow = arrow::ipc::reader::FileReader::try_new(file, None).unwrap();
    assert_eq!(arrow.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
    assert_eq!(
        read_parquet(&read(DistributionFormat::Parquet).0, ArrowReaderOptions::new()),
        house.parts(&outcome)[0]
    );
    assert_eq!(
        outcome.manifest.parts[0].sha256,
        outcome.manifest.distributions[3].sha256
    );
    // Re-reading our own download gives the same table.
    let again = house.ingest(csv).unwrap();
    assert_eq!(house.table(&again), house.table(&outcome));
}

#[test]
fn row_groups_are_as_large_as_planned_and_keep_the_order() {
    let house = House::new();
    let text: String = std::iter::once("n\n".to_owned())
        .chain((0..2_500).map(|row| format!("{row}\n")))
        .collect();
    let plan = IngestPlan {
        row_group_rows: 1_000,
        ..house.open_plan()
    };
    let outcome = house.run(&house.file(text), &plan).unwrap();
    let path = house
        .open
        .local_path(plan.version, &outcome.manifest.parts[0].name)
        .unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
    let groups: Vec<i64> = builder
        .metadata()
        .row_groups()
        .iter()
        .map(|group| group.num_rows())
        .collect();
    assert_eq!(groups, [1_000, 1_000, 500]);
    assert!(
        builder.metadata().row_groups()[0]
            .column(0)
            .column_index_offset()
            .is_some(),
        "a page index"
    );
    let rows = read_parquet(&path, ArrowReaderOptions::new());
    let rows = rows.column(0).as_primitive::<arrow::datatypes::Int64Type>();
    assert!(rows.values().iter().copied().eq(0..2_500));
}

fn parquet(columns: Vec<(&str, ArrayRef)>, compression: Compression) -> Vec<u8> {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut data = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut data, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    data
}

#[test]
fn parquet_uploads_are_read_alike() {
    let house = House::new();
    let utc = TimestampMillisecondArray::from(vec![Some(0), None]).with_timezone("UTC");
    let data = parquet(
        vec![
            ("n", Arc::new(Int32Array::from(vec![Some(1), None]))),
            ("x", Arc::new(Float64Array::from(vec![f64::NAN, 2.5]))),
            ("s", Arc::new(StringArray::from(vec!["a", "b"]))),
            ("t", Arc::new(utc)),
        ],
        Compression::SNAPPY,
    );
    let outcome = house.ingest(&data).unwrap();
    assert_eq!(
        types(&outcome),
        [
            ("n", "integer"),
            ("x", "number"),
            ("s", "text"),
            ("t", "timestamp")
        ]
    );
    let want = [["1", "", "a", "1970-01-01T08:00:00"], ["", "2.5", "b", ""]];
    assert_eq!(
        house.table(&outcome),
        want,
        "UTC becomes civil time of the declared zone"
    );
    assert_eq!(outcome.profile.columns[1].nulls, 1);
    let error = house.ingest(&data[..data.len() / 2]).unwrap_err();
    assert_eq!(error.code(), "ingest-truncated");
    let mut damaged = data.clone();
    let middle = data.len() / 2;
    damaged[middle..middle + 20].fill(0xFF);
    assert!(matches!(
        house.ingest(&damaged),
        Err(IngestError::BrokenParquet) | Ok(_)
    ));
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
    let nested = parquet(vec![("l", Arc::new(list))], Compression::UNCOMPRESSED);
    assert_eq!(
        house.ingest(nested).unwrap_err().code(),
        "ingest-unsupported-column"
    );
    let huge = parquet(
        vec![("u", Arc::new(UInt64Array::from(vec![1, u64::MAX])))],
        Compression::UNCOMPRESSED,
    );
    let error = house.ingest(&huge).unwrap_err();
    assert_eq!((error.code(), error.line()), ("ingest-value", Some(2)));
    let mut plan = house.open_plan();
    plan.limits.column_chunk_bytes = 8;
    assert_eq!(
        house.run(&house.file(&huge), &plan).unwrap_err().code(),
        "ingest-row-group-too-large"
    );
}

#[test]
fn profiles_count_what_is_outside_of_declarations() {
    let house = House::new();
    let metadata = declared(json!({"fields": [
        {"name": "n", "type": "integer", "level": "L1", "bounds": {"lo": 0, "hi": 10}},
        {"name": "s", "type": "text", "level": "L1", "domain": ["a", "b"]},
    ]}));
    let plan = IngestPlan {
        declared: Some(metadata),
        ..house.open_plan()
    };
    let outcome = house.run(&house.file("n,s\n5,a\n11,c\n-1,b\n"), &plan).unwrap();
    let [n, s] = outcome.profile.columns.as_slice() else {
        panic!("two columns")
    };
    assert_eq!((n.outside_bounds, n.outside_domain), (Some(2), None));
    assert_eq!((s.outside_bounds, s.outside_domain), (None, Some(1)));
    assert_eq!(n.mean, Some(5.0));
    assert_eq!(n.histogram.iter().map(|bin| bin.count).sum::<u64>(), 3);
    let json = serde_json::to_string(&outcome.profile).unwrap();
    assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), outcome.profile);
    assert_eq!(n.name.as_str().len() + s.name.as_str().len(), 2);
    assert!(
        house.parts(&outcome)[0].column(0).null_count() == 0,
        "outside of bounds is counted, not refused"
    );
}
