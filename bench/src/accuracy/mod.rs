//! `accuracy/…`: how far answers are from the truth, and whether intervals hold what they say.
//!
//! *Coverage*: each aggregate is computed once over the demo's trips; its noise is drawn again and again, and the 95 %
//! intervals have to hold the bounded statistic as often as they say. What bounding itself cut off is told apart.
//!
//! *Error*: at the same (ε, δ) and with the same bounds, the root mean square error of our answers, of the programs that one
//! would write with OpenDP, and of SmartNoise SQL, over the Adult census (each row a unit) and the demo's trips, whose
//! persons have up to a hundred rows. One question is asked alone: there Laplace noise, which needs no δ, is smaller than the
//! Gaussian noise by which ours lets many questions add up in ρ. The peers' times are from columns in memory, ours from encrypted parts.
//!
//! The ratios go to the summary; the table with confidence bounds and times is written beside it, as `accuracy.md`.

mod coverage;
mod data;
mod error;
mod peer;
mod statistics;

use std::fmt::Write as _;
use std::path::Path;

use crate::summary::Summary;
use crate::world::World;
use crate::{Failure, Settings, say};

/// What every job here costs: the most that one may.
const EPSILON: f64 = 0.5;
/// Draws of noise for the coverage of one aggregate at the full size: the standard error of a share of 95 % is 0.22 %.
const DRAWS: u64 = 10_000;
/// Answers of each side whose errors are averaged, at the full size.
const RUNS: u64 = 500;
/// Rows of the trips whose errors are measured, at the full size.
const TRIPS: u64 = 100_000;
/// Rows of the trips whose intervals are measured, at the full size and at least: of few rows, noise leaves nothing.
const COVERED_TRIPS: [u64; 2] = [1_000_000, 100_000];

/// The table that people read.
#[derive(Debug, Default)]
struct Report(String);

impl Report {
    fn line(&mut self, line: &str) {
        say(line);
        let _ = writeln!(self.0, "{line}");
    }
}

pub(crate) async fn measure(
    world: &World,
    settings: &Settings,
    summary: &mut Summary,
    beside: &Path,
) -> Result<(), Failure> {
    let mut report = Report::default();
    let [full, least] = COVERED_TRIPS;
    let covered = data::trips(world, settings.rows(full).max(least)).await?;
    coverage::measure(&covered, settings.draws(DRAWS, 200), summary, &mut report).await?;
    let mut all = Vec::new();
    match data::census(world, &settings.adult).await? {
        Some(census) => all.push(census),
        None => say(&format!(
            "accuracy: there is no census at {}; --adult says where it is (the Adult data set, as CSV without a header). \
             Only the demo's trips are measured.",
            settings.adult.display()
        )),
    }
    all.push(data::trips(world, settings.rows(TRIPS)).await?);
    report.line("");
    report.line("| data | question | system | RMS error | 95 % bounds | median time, s |");
    report.line("|---|---|---|---|---|---|");
    for data in &all {
        error::measure(data, settings, settings.draws(RUNS, 20), summary, &mut report).await?;
    }
    let path = beside.with_file_name("accuracy.md");
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(&path, report.0)?;
    say(&format!("accuracy: the table is in {}", path.display()));
    Ok(())
}
