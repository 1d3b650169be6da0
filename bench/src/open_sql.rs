//! `open-sql/…`: the ten named queries over open data, by `POST /api/v1/sql`, against DuckDB on the same files.

use std::path::PathBuf;
use std::time::Instant;

use demo::Table;
use demo::queries::OPEN;
use serde_json::{Value, json};
use storage::{DistributionFormat, OpenStore};

use crate::duckdb::DuckDb;
use crate::summary::{Summary, median};
use crate::world::{Catalogue, World, ingest_file, version};
use crate::{Failure, Settings, process};

/// Rows of the large tables at scale 1.
const ROWS: u64 = 10_000_000;
const TABLES: [Table; 3] = [
    Table::AirQuality,
    Table::TrafficIndex,
    Table::AdministrativeDivisions,
];

pub(crate) async fn measure(
    world: &World,
    settings: &Settings,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let rows = settings.rows(ROWS);
    let data = world
        .folder(&format!("portal-open-{rows}"), async |data| {
            let catalogue = Catalogue::create(data).await?;
            let mut entries = Vec::new();
            for table in TABLES {
                // Each large table has that many rows; the small one is the same in every city.
                let of = if table == Table::AdministrativeDivisions {
                    Table::AirQuality
                } else {
                    table
                };
                let file = world.parquet(table, of, rows)?;
                let entry = demo::entry(&table.spec(World::city(of, rows)?.scale))?;
                let version = version();
                let outcome = ingest_file(&file, &entry, version, data, &[DistributionFormat::Parquet])?;
                std::fs::write(
                    data.join(table.sql_name()),
                    parts(data, &outcome.manifest)?.join("\n"),
                )?;
                entries.push((entry, version, outcome.manifest));
            }
            catalogue.add(entries).await
        })
        .await?;
    let mut files = Vec::new();
    for table in TABLES {
        let list = std::fs::read_to_string(data.join(table.sql_name()))?;
        // An open version of this size is one part.
        let [file] = list.lines().collect::<Vec<_>>()[..] else {
            return Err(format!("{} has several parts: name them all to the peer", table.slug()).into());
        };
        files.push((table.sql_name(), PathBuf::from(file)));
    }
    let server = process::serve(&data).await?;
    let mut peer = DuckDb::start(settings, files.iter().map(|(name, path)| (*name, path.as_path())))?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let address = format!("{}/api/v1/sql", server.base);
    for query in OPEN {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // The first round warms both.
        for round in 0..=settings.repeats {
            let started = Instant::now();
            let answer = client
                .post(&address)
                .json(&json!({"sql": query.sql}))
                .send()
                .await?;
            let status = answer.status();
            let body: Value = answer.json().await?;
            let seconds = started.elapsed().as_secs_f64();
            if !status.is_success() {
                return Err(format!("{}: {status} {body}", query.name).into());
            }
            let timed = peer.query(query.sql)?;
            let found = body["rows"].as_array().map_or(0, Vec::len);
            if found != timed.rows {
                return Err(format!("{}: {found} rows, DuckDB has {}", query.name, timed.rows).into());
            }
            if round > 0 {
                ours.push(seconds);
                theirs.push(timed.seconds);
            }
        }
        summary.add(
            &format!("open-sql/{}", query.name),
            median(ours),
            median(theirs),
            "DuckDB",
            "s",
        );
    }
    summary.add_geomean("open-sql");
    Ok(())
}

/// The files of a version's parts.
fn parts(data: &std::path::Path, manifest: &storage::Manifest) -> Result<Vec<String>, Failure> {
    let store = OpenStore::open(data, 0)?;
    let mut paths = Vec::new();
    for part in &manifest.parts {
        let path = store.local_path(manifest.version, &part.name)?;
        paths.push(path.to_str().ok_or("a path that is no text")?.to_owned());
    }
    Ok(paths)
}
