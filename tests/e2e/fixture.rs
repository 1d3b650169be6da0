//! Datasets to publish: tables of the demo city at a small scale, with what is declared of them.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use demo::write::CsvEncoding;
use demo::{City, Defects, Scale, Table, UnitSpec, write_csv};
use serde_json::{Value, json};

/// The city of all tests.
pub(crate) fn city(scale: f64) -> City {
    City::new(20_250_101, Scale::new(scale).unwrap()).with_defects(Defects::NONE)
}

/// About 600 persons and 10,000 trips: a number of rows that stands nowhere else by chance.
pub(crate) const SMALL: f64 = 0.005_23;
/// 2,000 persons.
pub(crate) const STORY: f64 = 2_000.0 / 120_000.0;

/// The catalogue entry of a table under a slug, as the API takes it.
pub(crate) fn entry(city: &City, table: Table, slug: &str) -> Value {
    let spec = table.spec(city.scale);
    let text = |text: demo::Text| json!({"zh": text.zh, "en": text.en});
    let fields: Vec<Value> = spec
        .columns
        .iter()
        .map(|column| {
            let mut field = json!({
                "name": column.name, "label": text(column.label), "description": text(column.description),
                "type": field_type(&column.data_type.to_string()), "role": column.role.as_str(),
                "level": column.level.as_str(), "unit_static": column.unit_static,
            });
            if let Some((lo, hi)) = column.bounds {
                field["bounds"] = json!({"lo": lo, "hi": hi});
            }
            if let Some(domain) = &column.domain {
                field["domain"] = json!(domain);
            }
            field
        })
        .collect();
    let mut metadata = json!({
        "title": text(spec.title), "summary": text(spec.summary), "theme": spec.theme,
        "update_cycle": spec.update_cycle, "license": spec.license, "special": spec.special,
        "keywords": spec.keywords, "region": spec.department.region,
    });
    if let Some(conditions) = spec.conditions {
        metadata["conditions"] = text(conditions);
        metadata["recipe"] = json!({
            "zh": "去除身份证号，以密钥散列替代；数值按申报边界截断。",
            "en": "Identity numbers are replaced by keyed hashes; numbers are clipped to their declared bounds.",
        });
    }
    let mut declared = json!({"fields": fields});
    if let Some(unit) = spec.unit {
        declared["unit"] = unit_json(&unit);
    }
    json!({"slug": slug, "level": spec.level.as_str(), "metadata": metadata, "declared": declared})
}

fn unit_json(unit: &UnitSpec) -> Value {
    json!({
        "type": unit.unit_type.as_str(), "max_units": unit.max_units, "max_rows": unit.max_rows,
        "max_rows_per_unit": unit.max_rows_per_unit,
    })
}

/// The catalogue's word for an Arrow type.
fn field_type(arrow: &str) -> &'static str {
    match arrow {
        "Utf8" => "text",
        "Int64" => "integer",
        "Float64" => "number",
        "Date32" => "date",
        other if other.starts_with("Timestamp") => "timestamp",
        other => panic!("the demo has no columns of type {other}"),
    }
}

/// A table as a CSV file.
pub(crate) fn csv(city: &City, table: Table, encoding: CsvEncoding) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    write_csv(city, table, file.path(), encoding).unwrap();
    read(file.path())
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// The entry of an open dataset without declaration, for files of a test's own.
pub(crate) fn plain_entry(slug: &str) -> Value {
    json!({
        "slug": slug, "level": "L1",
        "metadata": {
            "title": {"zh": format!("测试数据 {slug}"), "en": format!("Test data {slug}")},
            "summary": {"zh": "用于测试的小表。", "en": "A small table for tests."},
            "theme": "transport", "update_cycle": "once", "license": "cc-by-4.0",
        },
    })
}

/// What the trips really say; the tests know it, the portal must not tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Truth {
    /// Rows.
    pub(crate) rows: u64,
    /// Persons.
    pub(crate) persons: u64,
    /// Persons by district of residence; the empty text stands for none.
    pub(crate) residents: BTreeMap<String, u64>,
    /// Rows by sex.
    pub(crate) rows_by_sex: BTreeMap<String, u64>,
}

/// Counts the trips in a CSV file.
pub(crate) fn truth(csv: &[u8]) -> Truth {
    let mut reader = csv::Reader::from_reader(csv);
    let headers = reader.headers().unwrap().clone();
    let place = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (person, district, sex) = (place("person_id"), place("residence_district"), place("sex"));
    let mut truth = Truth {
        rows: 0,
        persons: 0,
        residents: BTreeMap::new(),
        rows_by_sex: BTreeMap::new(),
    };
    let mut seen = HashSet::new();
    for record in reader.records() {
        let record = record.unwrap();
        truth.rows += 1;
        *truth.rows_by_sex.entry(record[sex].to_owned()).or_default() += 1;
        if seen.insert(record[person].to_owned()) {
            *truth.residents.entry(record[district].to_owned()).or_default() += 1;
        }
    }
    truth.persons = seen.len() as u64;
    truth
}

/// The same file without one person: a neighbouring dataset.
pub(crate) fn without_first_person(csv: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(csv).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let first = text.lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    let kept = lines.filter(|line| line.split(',').next() != Some(&first));
    let mut out = std::iter::once(header).chain(kept).collect::<Vec<_>>().join("\n");
    out.push('\n');
    assert!(out.len() < text.len());
    out.into_bytes()
}
