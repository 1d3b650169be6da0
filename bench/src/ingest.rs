//! `ingest/…`: from a CSV file to published Parquet, with a profile and checksums, against DuckDB doing the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use demo::Table;
use storage::DistributionFormat;

use crate::process::{Run, run};
use crate::summary::{Summary, median};
use crate::world::{World, ingest_file, version};
use crate::{Failure, Settings};

/// Rows at scale 1.
const ROWS: u64 = 5_000_000;
/// What an ingest may take of memory, in megabytes: the project's own bar.
const MEMORY_MB: f64 = 500.0;

/// The hidden command that a measured process runs: one ingest, Parquet only.
pub(crate) fn once(file: &Path, table: &str, rows: u64, data: &Path) -> Result<(), Failure> {
    let table = Table::from_slug(table).ok_or("no such table")?;
    let entry = demo::entry(&table.spec(World::city(table, rows)?.scale))?;
    let formats: &[DistributionFormat] = if entry.level.is_open() {
        &[DistributionFormat::Parquet]
    } else {
        &[]
    };
    ingest_file(file, &entry, version(), data, formats)?;
    Ok(())
}

pub(crate) fn measure(world: &World, settings: &Settings, summary: &mut Summary) -> Result<(), Failure> {
    let rows = settings.rows(ROWS);
    let cases = [
        ("open", Table::AirQuality, None),
        ("protected", Table::BikeShareTrips, Some("person_id")),
    ];
    let mut memory = Vec::new();
    for (name, table, unit) in cases {
        let file = world.csv(table, rows)?;
        let ours = || {
            let data = world.scratch()?;
            run(Command::new(std::env::current_exe()?)
                .arg("ingest-once")
                .arg(&file)
                .args([table.slug(), &rows.to_string()])
                .arg(data.path()))
        };
        let theirs = || {
            let folder = world.scratch()?;
            run(settings
                .duckdb("ingest")
                .arg(&file)
                .arg(folder.path().join("data.parquet"))
                .args(unit))
        };
        let (ours, theirs) = side_by_side(settings, ours, theirs)?;
        summary.add(
            &format!("ingest/{name}"),
            seconds(&ours),
            seconds(&theirs),
            "DuckDB",
            "s",
        );
        memory.push((name, peak(&ours), peak(&theirs)));
    }
    let file = world.csv(Table::AirQuality, rows)?;
    let entry = entry_file(world, Table::AirQuality, rows)?;
    let ours = || {
        let data = world.scratch()?;
        prepare(data.path())?;
        run(Command::new(crate::process::shapan()?)
            .arg("import")
            .arg(&file)
            .args([
                "--dataset",
                Table::AirQuality.slug(),
                "--as",
                "officer",
                "--entry",
            ])
            .arg(&entry)
            .arg("--data")
            .arg(data.path()))
    };
    let theirs = || {
        let folder = world.scratch()?;
        run(settings.duckdb("ingest-all").arg(&file).arg(folder.path()))
    };
    let (ours, theirs) = side_by_side(settings, ours, theirs)?;
    summary.add(
        "ingest/import-five-formats",
        seconds(&ours),
        seconds(&theirs),
        "DuckDB (three of them)",
        "s",
    );
    memory.push(("import-five-formats", peak(&ours), peak(&theirs)));
    summary.add_geomean("ingest");
    for (name, ours, theirs) in memory {
        summary.add(&format!("ingest-memory/{name}"), ours, MEMORY_MB, "bar", "MB");
        summary.add(
            &format!("ingest-memory/{name}-peer"),
            ours,
            theirs,
            "DuckDB",
            "MB",
        );
    }
    Ok(())
}

/// A portal in an empty folder with the officer who imports.
fn prepare(data: &Path) -> Result<(), Failure> {
    let shapan = crate::process::shapan()?;
    run(Command::new(&shapan)
        .args([
            "organization",
            "create",
            "weather",
            "--kind",
            "department",
            "--name",
            "气象局",
        ])
        .arg("--data")
        .arg(data))?;
    run(Command::new(&shapan)
        .args([
            "user",
            "create",
            "officer",
            "--name",
            "测评员",
            "--organization",
            "weather",
        ])
        .args(["--role", "officer", "--data"])
        .arg(data))?;
    Ok(())
}

/// The entry of a table as `shapan import --entry` takes it.
fn entry_file(world: &World, table: Table, rows: u64) -> Result<PathBuf, Failure> {
    let entry = demo::entry(&table.spec(World::city(table, rows)?.scale))?;
    world.file(&format!("{}-{rows}-entry.json", table.slug()), |path| {
        let value = serde_json::json!({
            "level": entry.level, "metadata": entry.metadata, "declared": entry.declared,
        });
        Ok(std::fs::write(path, serde_json::to_vec(&value)?)?)
    })
}

/// Runs both in turn, as often as the settings say, so that what disturbs one disturbs the other.
fn side_by_side(
    settings: &Settings,
    ours: impl Fn() -> Result<Run, Failure>,
    theirs: impl Fn() -> Result<Run, Failure>,
) -> Result<(Vec<Run>, Vec<Run>), Failure> {
    let mut runs = (Vec::new(), Vec::new());
    for _ in 0..settings.repeats {
        runs.0.push(ours()?);
        runs.1.push(theirs()?);
    }
    Ok(runs)
}

fn seconds(runs: &[Run]) -> f64 {
    median(runs.iter().map(|run| run.seconds).collect())
}

fn peak(runs: &[Run]) -> f64 {
    runs.iter().map(|run| run.peak_mb).fold(0.0, f64::max)
}
