//! `make bench`: what Shapan does, side by side with the peers, in one run; writes `target/bench/summary.json`.
//!
//! Machines differ and are busy, so what counts is the ratio of two figures taken in turn on the same machine. Data is
//! generated from a seed, once, and kept; nothing here is tuned to it. Rows of a bar have the project's own promise in
//! the peer's place.
#![expect(clippy::print_stderr, reason = "a command-line program")]

mod accuracy;
mod download;
mod duckdb;
mod ingest;
mod load;
mod open_sql;
mod private_sql;
mod process;
mod search;
mod start;
mod summary;
mod world;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

use crate::summary::Summary;
use crate::world::World;

/// What went wrong, for the person who runs it.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A group of benchmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Family {
    /// Seeding, being ready, rest.
    Start,
    /// CSV to published Parquet, against DuckDB.
    Ingest,
    /// A gigabyte over HTTP, against nginx.
    Download,
    /// Ten queries over open data, against DuckDB.
    OpenSql,
    /// The named private queries, against plain DataFusion.
    PrivateSql,
    /// Searching 10,000 entries.
    Search,
    /// Errors and intervals of private answers, against OpenDP and SmartNoise SQL.
    Accuracy,
}

#[derive(Debug, Parser)]
#[command(about = "Measures Shapan side by side with its peers")]
struct Cli {
    /// Only these families, separated by commas; all if not given.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Family>,
    /// Rows, entries and bytes in relation to the full size.
    #[arg(long, default_value_t = 1.0, value_parser = parse_scale)]
    scale: f64,
    /// Runs that count, for each side; the median is reported.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// The largest size of private-sql, in millions of rows.
    #[arg(long, default_value_t = 50)]
    millions: u64,
    /// Only these queries of private-sql, separated by commas; all if not given. There is no geometric mean of some.
    #[arg(long, value_delimiter = ',', value_parser = parse_query)]
    queries: Vec<&'static str>,
    /// The Adult census as CSV without a header, for accuracy; left out where it is not there.
    #[arg(
        long,
        env = "SHAPAN_BENCH_ADULT",
        default_value = "../shared/data/adult-census-income.csv"
    )]
    adult: PathBuf,
    /// Where generated data is kept.
    #[arg(long, env = "SHAPAN_BENCH_DATA", default_value = "target/bench/data")]
    data: PathBuf,
    /// The summary.
    #[arg(long, default_value = "target/bench/summary.json")]
    out: PathBuf,
    #[command(subcommand)]
    command: Option<Hidden>,
}

#[derive(Debug, Subcommand)]
enum Hidden {
    /// One ingest in a process of its own, so that its memory can be measured.
    #[command(hide = true)]
    IngestOnce {
        file: PathBuf,
        table: String,
        rows: u64,
        data: PathBuf,
    },
}

fn parse_scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if scale > 0.0 && scale <= 10.0 => Ok(scale),
        _ => Err("must be a number above 0, at most 10".to_owned()),
    }
}

fn parse_query(text: &str) -> Result<&'static str, String> {
    let mut names = demo::queries::PRIVATE.iter().map(|query| query.name);
    names
        .find(|name| *name == text)
        .ok_or_else(|| "must be one of q01 to q24".to_owned())
}

/// What all families go by.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// In relation to the full size.
    pub(crate) scale: f64,
    /// Runs that count.
    pub(crate) repeats: usize,
    /// The largest size of private-sql.
    pub(crate) most_millions: u64,
    /// These queries of private-sql; if none, all.
    pub(crate) queries: Vec<&'static str>,
    /// Where the Adult census would be.
    pub(crate) adult: PathBuf,
    /// The Python that has DuckDB and OpenDP.
    pub(crate) python: PathBuf,
    /// The Python that has SmartNoise SQL, which wants an older OpenDP.
    pub(crate) smartnoise_python: PathBuf,
}

impl Settings {
    /// A number of rows at this scale.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of at most ten times a billion"
    )]
    pub(crate) fn rows(&self, full: u64) -> u64 {
        ((full as f64 * self.scale) as u64).max(1_000)
    }

    /// A number of draws at this scale, not fewer than `least`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a hundred thousand"
    )]
    pub(crate) fn draws(&self, full: u64, least: u64) -> u64 {
        ((full as f64 * self.scale.min(1.0)) as u64).max(least)
    }

    /// DuckDB doing this.
    pub(crate) fn duckdb(&self, act: &str) -> Command {
        let mut command = Command::new(&self.python);
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peer/duckdb_peer.py"))
            .arg(act);
        command
    }
}

/// A line for the person who waits.
pub(crate) fn say(line: &str) {
    eprintln!("bench: {line}");
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The Python that a variable names, else the system's.
fn python(variable: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| PathBuf::from("python3"), PathBuf::from)
}

async fn run(cli: Cli) -> Result<(), Failure> {
    if let Some(Hidden::IngestOnce {
        file,
        table,
        rows,
        data,
    }) = cli.command
    {
        return ingest::once(&file, &table, rows, &data);
    }
    if cfg!(debug_assertions) {
        say("this is a debug build: its figures say nothing; `make bench` builds another");
    }
    let settings = Settings {
        scale: cli.scale,
        repeats: cli.repeats.max(1),
        most_millions: cli.millions,
        queries: cli.queries,
        adult: cli.adult,
        python: python("SHAPAN_BENCH_PYTHON"),
        smartnoise_python: python("SHAPAN_BENCH_SMARTNOISE_PYTHON"),
    };
    let world = World::open(&cli.data)?;
    let mut summary = Summary::default();
    for family in Family::value_variants() {
        if !cli.only.is_empty() && !cli.only.contains(family) {
            continue;
        }
        match family {
            Family::Start => start::measure(&world, &settings, &mut summary).await?,
            Family::Ingest => ingest::measure(&world, &settings, &mut summary)?,
            Family::Download => download::measure(&world, &settings, &mut summary).await?,
            Family::OpenSql => open_sql::measure(&world, &settings, &mut summary).await?,
            Family::PrivateSql => private_sql::measure(&world, &settings, &mut summary).await?,
            Family::Search => search::measure(&world, &settings, &mut summary).await?,
            Family::Accuracy => accuracy::measure(&world, &settings, &mut summary, &cli.out).await?,
        }
        // What was measured is not lost when a later family fails.
        summary.write(&cli.out)?;
    }
    say(&format!("written to {}", cli.out.display()));
    Ok(())
}
