//! Writes one table of the demo city to a file, by the file's ending: `.csv`, `.gb18030.csv` or `.parquet`.
//!
//! `cargo run --release -p demo --example generate -- bike-share-trips 1 trips.parquet`; the file `-` writes nothing
//! and measures how fast rows are made.

#![expect(clippy::print_stdout, reason = "a command-line program")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use demo::{City, CsvEncoding, Scale, Table, write_csv, write_parquet};

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: generate TABLE SCALE FILE";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [slug, scale, file] = arguments.as_slice() else {
        return Err(usage.into());
    };
    let table = Table::from_slug(slug).ok_or(usage)?;
    let city = City::new(1, Scale::new(scale.parse()?)?);
    let path = Path::new(file);
    let start = Instant::now();
    let rows = if file == "-" {
        let mut rows = 0;
        for batch in city.batches(table, 16_384) {
            rows += batch?.num_rows() as u64;
        }
        rows
    } else if file.ends_with(".parquet") {
        write_parquet(&city, table, path)?.rows
    } else if file.ends_with(".gb18030.csv") {
        write_csv(&city, table, path, CsvEncoding::Gb18030)?.rows
    } else {
        write_csv(&city, table, path, CsvEncoding::Utf8)?.rows
    };
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{slug}: {rows} rows in {seconds:.2} s, {:.2} million rows/s",
        rows as f64 / seconds / 1e6
    );
    Ok(())
}
