//! What is asked of which data: rows in the sandbox, the same rows as a file for the peers, and the plain answers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use datafusion::prelude::{CsvReadOptions, SessionContext};
use demo::{Entry, Table};
use model::Slug;
use sandbox_plan::Relation;
use serde_json::json;

use crate::Failure;
use crate::private_sql::Protected;
use crate::world::World;

/// A question, for all sides.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What the OpenDP program is made of.
    pub(super) kind: &'static str,
    /// With the table as `{t}`. Its last column is the value.
    pub(super) sql: &'static str,
    /// A numeric column with its bounds.
    pub(super) column: Option<(&'static str, i64, i64)>,
    /// A key with a declared domain.
    pub(super) key: Option<&'static str>,
}

/// Data with questions.
pub(super) struct Data {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    pub(super) protected: Protected,
    /// The peers' file: CSV with a header.
    pub(super) file: PathBuf,
    /// The column that says whose a row is, for peers.
    pub(super) unit: Option<&'static str>,
    pub(super) cases: Vec<Case>,
    pub(super) plain: SessionContext,
}

const CENSUS: &str = "census";

const COLUMNS: [&str; 15] = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
];

const EDUCATION: [&str; 16] = [
    "Preschool",
    "1st-4th",
    "5th-6th",
    "7th-8th",
    "9th",
    "10th",
    "11th",
    "12th",
    "HS-grad",
    "Some-college",
    "Assoc-voc",
    "Assoc-acdm",
    "Bachelors",
    "Masters",
    "Prof-school",
    "Doctorate",
];

fn case(name: &'static str, kind: &'static str, sql: &'static str) -> Case {
    Case {
        name,
        kind,
        sql,
        column: None,
        key: None,
    }
}

impl Case {
    fn of(mut self, column: &'static str, lo: i64, hi: i64) -> Self {
        self.column = Some((column, lo, hi));
        self
    }

    fn by(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }

    /// The text over a table.
    pub(super) fn text(&self, table: &str) -> String {
        self.sql.replace("{t}", table)
    }
}

/// The demo's trips: up to a hundred rows a person.
pub(super) async fn trips(world: &World, rows: u64) -> Result<Data, Failure> {
    let table = Table::BikeShareTrips;
    let file = world.csv(table, rows)?;
    let entry = demo::entry(&table.spec(World::city(table, rows)?.scale))?;
    let name = format!("accuracy-{}-{rows}", table.slug());
    Ok(Data {
        name: "trips",
        table: table.sql_name(),
        protected: Protected::make(world, &name, entry, &file).await?,
        plain: plain(table.sql_name(), &file).await?,
        file,
        unit: Some("person_id"),
        cases: vec![
            case("count", "count", "SELECT COUNT(*) AS value FROM {t}"),
            case(
                "count-by-district",
                "count_by",
                "SELECT start_district, COUNT(*) AS value FROM {t} GROUP BY start_district",
            )
            .by("start_district"),
            case("sum", "sum", "SELECT SUM(duration_s) AS value FROM {t}").of("duration_s", 0, 10_000),
            case("mean", "mean", "SELECT AVG(distance_m) AS value FROM {t}").of("distance_m", 0, 20_000),
        ],
    })
}

/// The Adult census (Becker and Kohavi, UCI Machine Learning Repository, 1996), each row a unit; none if the file is not
/// there.
pub(super) async fn census(world: &World, source: &Path) -> Result<Option<Data>, Failure> {
    if !source.exists() {
        return Ok(None);
    }
    let file = world.file("census.csv", |path| tidy(source, path))?;
    let number = |name: &str, lo: i64, hi: i64| json!({"name": name, "type": "integer", "level": "L3", "bounds": {"lo": lo, "hi": hi}});
    let fields: Vec<serde_json::Value> = COLUMNS
        .iter()
        .map(|name| match *name {
            "age" => number(name, 0, 100),
            "hours_per_week" => number(name, 0, 100),
            "fnlwgt" | "education_num" | "capital_gain" | "capital_loss" => {
                json!({"name": name, "type": "integer", "level": "L3"})
            }
            "education" => json!({"name": name, "type": "text", "level": "L3", "domain": EDUCATION}),
            "sex" => json!({"name": name, "type": "text", "level": "L3", "domain": ["Female", "Male"]}),
            _ => json!({"name": name, "type": "text", "level": "L3"}),
        })
        .collect();
    let entry = Entry {
        slug: Slug::parse(CENSUS)?,
        level: model::Level::L3,
        metadata: serde_json::from_value(json!({
            "title": {"zh": "人口收入普查", "en": "Census income"}, "summary": {"zh": "公开研究数据集。"},
            "theme": "welfare", "update_cycle": "once", "license": "cc-by-4.0"
        }))?,
        declared: serde_json::from_value(json!({
            "unit": {"type": "row", "max_units": 50_000, "max_rows": 50_000, "max_rows_per_unit": 1},
            "fields": fields
        }))?,
    };
    Ok(Some(Data {
        name: CENSUS,
        table: CENSUS,
        protected: Protected::make(world, "accuracy-census", entry, &file).await?,
        plain: plain(CENSUS, &file).await?,
        file,
        unit: None,
        cases: vec![
            case("count", "count", "SELECT COUNT(*) AS value FROM {t}"),
            case(
                "count-by-education",
                "count_by",
                "SELECT education, COUNT(*) AS value FROM {t} GROUP BY education",
            )
            .by("education"),
            case("sum", "sum", "SELECT SUM(hours_per_week) AS value FROM {t}").of("hours_per_week", 0, 100),
            case("mean", "mean", "SELECT AVG(age) AS value FROM {t}").of("age", 0, 100),
            case("median", "median", "SELECT MEDIAN(age) AS value FROM {t}").of("age", 0, 100),
        ],
    }))
}

/// With a header, without blanks, and empty where a value is missing.
fn tidy(source: &Path, target: &Path) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(target)?);
    writeln!(out, "{}", COLUMNS.join(","))?;
    for line in BufReader::new(std::fs::File::open(source)?).lines() {
        let line = line?;
        let cells: Vec<&str> = line
            .split(',')
            .map(|cell| match cell.trim() {
                "?" => "",
                cell => cell,
            })
            .collect();
        if cells.len() == COLUMNS.len() {
            writeln!(out, "{}", cells.join(","))?;
        }
    }
    out.flush()?;
    Ok(())
}

async fn plain(table: &str, file: &Path) -> Result<SessionContext, Failure> {
    let context = SessionContext::new();
    let path = file.to_str().ok_or("a path that is no text")?;
    context.register_csv(table, path, CsvReadOptions::new()).await?;
    Ok(context)
}

impl Data {
    pub(super) fn relation(&self) -> Result<Relation, Failure> {
        self.protected.relation()
    }
}
