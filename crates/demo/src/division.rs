//! Administrative divisions: the city, its 16 districts, and their 180 subdistricts, towns and townships.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::city::{CITY_CODE, CITY_NAME, City, DISTRICTS};
use crate::organization::CIVIL_AFFAIRS;
use crate::place::place_name;
use crate::random::{Draw, Stream};
use crate::spec::{ColumnSpec, Level, TableSpec, text};
use crate::table::{Rows, Table};

/// Rows at any scale: 1 + 16 + 180.
pub(crate) const ROWS: u64 = 197;

/// Residents of the city; its tables at scale 1 are about a part of them.
const RESIDENTS: f64 = 6_480_000.0;

/// What is declared of administrative divisions.
pub(crate) fn spec() -> TableSpec {
    let columns = vec![
        ColumnSpec::utf8(
            "code",
            text("区划代码", "Code"),
            text(
                "6 位（市、区县）或 9 位（街道、乡镇）代码",
                "Six digits (city, district) or nine (street, town)",
            ),
        ),
        ColumnSpec::utf8(
            "local_code",
            text("本级代码", "Local code"),
            text(
                "本级的 2 位或 3 位代码，保留前导零",
                "The 2 or 3 digits of its own level, leading zeros kept",
            ),
        ),
        ColumnSpec::utf8("name", text("名称", "Name"), text("中文名称", "Name in Chinese")),
        ColumnSpec::utf8(
            "name_pinyin",
            text("拼音名称", "Name in pinyin"),
            text("汉语拼音，不标声调", "Name in pinyin without tones"),
        ),
        ColumnSpec::utf8(
            "name_en",
            text("英文名称", "English name"),
            text("英文名称", "Name in English"),
        ),
        ColumnSpec::utf8(
            "level",
            text("级别", "Level"),
            text("地级、县级或乡级", "Prefecture, county or township level"),
        )
        .among(&["地级", "县级", "乡级"]),
        ColumnSpec::utf8(
            "parent_code",
            text("上级代码", "Parent code"),
            text(
                "上级区划代码；市为空",
                "Code of the division above; none for the city",
            ),
        ),
        ColumnSpec::integer(
            "population",
            text("常住人口", "Population"),
            text("常住人口，人", "Residents"),
        ),
        ColumnSpec::number(
            "area_km2",
            text("面积", "Area"),
            text("面积，平方千米", "Area in square kilometres"),
        ),
    ];
    TableSpec {
        slug: Table::AdministrativeDivisions.slug(),
        title: text("行政区划", "Administrative divisions"),
        summary: text(
            "云州市及其 16 个区县、180 个街道和乡镇的代码、中英文名称、上下级关系、人口和面积。",
            "Codes, names in Chinese and English, hierarchy, population and area of Yunzhou, its 16 districts and \
             180 subdistricts, towns and townships.",
        ),
        keywords: &[
            "行政区划",
            "区县",
            "街道",
            "乡镇",
            "人口",
            "divisions",
            "districts",
            "population",
        ],
        theme: "government",
        level: Level::L1,
        special: false,
        department: CIVIL_AFFAIRS,
        update_cycle: "yearly",
        license: "cc-by-4.0",
        conditions: None,
        columns,
        unit: None,
    }
}

/// A subdistrict (街道), town (镇) or township (乡).
#[derive(Debug, Clone)]
pub struct Street {
    /// Nine-digit code.
    pub code: String,
    /// Chinese name.
    pub zh: String,
    /// Name in pinyin with its kind.
    pub pinyin: String,
    /// English name.
    pub en: String,
    /// The Chinese name without its kind.
    pub short: String,
    /// Index into [`DISTRICTS`].
    pub district: usize,
}

/// The 180 streets and towns, by code.
pub fn streets(seed: u64) -> Vec<Street> {
    let mut streets = Vec::new();
    for (district, of) in DISTRICTS.iter().enumerate() {
        for at in 0..of.streets {
            let name = place_name(seed, streets.len() as u64);
            // GB/T 10114: 001–099 subdistricts, 100–199 towns, 200–399 townships.
            let rural = at.saturating_sub(of.urban_streets);
            let (local, zh, pinyin, en) = if at < of.urban_streets {
                (at + 1, "街道", "Jiedao", "Subdistrict")
            } else if rural.is_multiple_of(3) && of.streets - of.urban_streets > 3 {
                (200 + rural / 3, "乡", "Xiang", "Township")
            } else {
                (100 + rural, "镇", "Zhen", "Town")
            };
            streets.push(Street {
                code: format!("{}{local:03}", of.code),
                zh: format!("{}{zh}", name.zh),
                pinyin: format!("{} {pinyin}", name.pinyin),
                en: format!("{} {en}", name.pinyin),
                short: name.zh,
                district,
            });
        }
    }
    streets.sort_by(|a, b| a.code.cmp(&b.code));
    streets
}

struct Division {
    code: String,
    local_code: String,
    name: [String; 3],
    level: &'static str,
    parent: Option<&'static str>,
    population: i64,
    area: f64,
}

pub(crate) struct DivisionRows {
    schema: SchemaRef,
    divisions: Vec<Division>,
}

impl DivisionRows {
    pub(crate) fn new(city: &City) -> Self {
        let streets = streets(city.seed);
        let weight: f64 = DISTRICTS.iter().map(|d| d.weight).sum();
        let mut below = Vec::new();
        let mut population = 0;
        for (at, district) in DISTRICTS.iter().enumerate() {
            let own: Vec<&Street> = streets.iter().filter(|s| s.district == at).collect();
            let share =
                |street: &Street| 0.4 + Draw::new(city.seed, Stream::Division, number(&street.code)).unit();
            let all: f64 = own.iter().map(|s| share(s)).sum();
            let people = RESIDENTS * district.weight / weight;
            let residents = |street: &Street| (people * share(street) / all) as i64;
            let sum = own.iter().map(|s| residents(s)).sum();
            population += sum;
            below.push(Division {
                code: district.code.to_owned(),
                local_code: district.code[4..].to_owned(),
                name: [district.zh, district.pinyin, district.en].map(str::to_owned),
                level: "县级",
                parent: Some(CITY_CODE),
                population: sum,
                area: district.area,
            });
            // A crowded street is a small one.
            let inverse: f64 = own.iter().map(|s| 1.0 / share(s)).sum();
            below.extend(own.iter().map(|street| Division {
                code: street.code.clone(),
                local_code: street.code[6..].to_owned(),
                name: [street.zh.clone(), street.pinyin.clone(), street.en.clone()],
                level: "乡级",
                parent: Some(district.code),
                population: residents(street),
                area: (district.area / share(street) / inverse * 100.0).floor() / 100.0,
            }));
        }
        let mut divisions = vec![Division {
            code: CITY_CODE.to_owned(),
            local_code: CITY_CODE[2..4].to_owned(),
            name: [CITY_NAME.zh, "Yunzhou Shi", CITY_NAME.en].map(str::to_owned),
            level: "地级",
            parent: None,
            population,
            area: (DISTRICTS.iter().map(|d| d.area).sum::<f64>() * 10.0).floor() / 10.0,
        }];
        divisions.extend(below);
        Self {
            schema: Table::AdministrativeDivisions.schema(),
            divisions,
        }
    }
}

fn number(code: &str) -> u64 {
    code.bytes()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}

impl Rows for DivisionRows {
    fn row_count(&self) -> u64 {
        self.divisions.len() as u64
    }

    fn batch(&self, rows: Range<u64>) -> Result<RecordBatch, ArrowError> {
        let divisions = &self.divisions[rows.start as usize..rows.end as usize];
        let texts =
            |of: fn(&Division) -> &str| Arc::new(StringArray::from_iter_values(divisions.iter().map(of)));
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                texts(|d| &d.code),
                texts(|d| &d.local_code),
                texts(|d| &d.name[0]),
                texts(|d| &d.name[1]),
                texts(|d| &d.name[2]),
                texts(|d| d.level),
                Arc::new(StringArray::from_iter(divisions.iter().map(|d| d.parent))),
                Arc::new(Int64Array::from_iter_values(
                    divisions.iter().map(|d| d.population),
                )),
                Arc::new(Float64Array::from_iter_values(divisions.iter().map(|d| d.area))),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scale;

    #[test]
    fn codes_are_distinct_nested_and_keep_their_zeros() {
        let rows = DivisionRows::new(&City::new(1, Scale::TEST));
        assert_eq!(rows.row_count(), ROWS);
        let codes: std::collections::HashSet<_> = rows.divisions.iter().map(|d| d.code.as_str()).collect();
        assert_eq!(codes.len() as u64, ROWS);
        for division in &rows.divisions {
            assert!(division.parent.is_none_or(|parent| codes.contains(parent)));
            assert!(division.code.ends_with(&division.local_code) || division.level == "地级");
            assert!(
                (2..=6).contains(&division.name[0].chars().count()),
                "{}",
                division.name[0]
            );
            assert!(division.name[1..].iter().all(|name| name.is_ascii()));
            assert!(division.population > 0 && division.area > 0.0);
        }
        assert!(rows.divisions.iter().any(|d| d.local_code == "001"));
        let sum: i64 = rows
            .divisions
            .iter()
            .filter(|d| d.level == "乡级")
            .map(|d| d.population)
            .sum();
        assert_eq!(sum, rows.divisions[0].population);
    }
}
