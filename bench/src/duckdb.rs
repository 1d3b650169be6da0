//! DuckDB, run by a small Python program beside this one, over standard input and output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::{Failure, Settings};

/// A DuckDB that has views over Parquet files.
#[derive(Debug)]
pub(crate) struct DuckDb {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// An answer's time and size.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Timed {
    /// From the text to all rows in the client's hands.
    pub(crate) seconds: f64,
    /// Rows of the answer.
    pub(crate) rows: usize,
}

impl DuckDb {
    /// Starts it with a view per table.
    pub(crate) fn start<'a>(
        settings: &Settings,
        tables: impl Iterator<Item = (&'a str, &'a Path)>,
    ) -> Result<Self, Failure> {
        let mut command = settings.duckdb("sql");
        for (name, path) in tables {
            command.arg(format!("{name}={}", path.display()));
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut this = Self { child, input, output };
        this.line()?;
        Ok(this)
    }

    /// Runs a query.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Timed, Failure> {
        let input = self.input.as_mut().ok_or("no standard input")?;
        writeln!(input, "{}", json!({"sql": sql}))?;
        input.flush()?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            return Err("DuckDB ended; what it said stands above".into());
        }
        Ok(line)
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.input.take();
        let _ = self.child.wait();
    }
}
