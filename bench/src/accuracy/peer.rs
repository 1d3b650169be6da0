//! The peers, as Python programs beside this one: a task in, a line a case out.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use super::data::Data;
use super::error::Values;
use crate::{Failure, Settings};

/// A peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct System {
    pub(super) name: &'static str,
    pub(super) slug: &'static str,
    program: &'static str,
    mechanism: &'static str,
}

pub(super) const SYSTEMS: [System; 3] = [
    System {
        name: "OpenDP, Gaussian",
        slug: "opendp",
        program: "opendp_peer.py",
        mechanism: "gaussian",
    },
    System {
        name: "OpenDP, Laplace",
        slug: "opendp-laplace",
        program: "opendp_peer.py",
        mechanism: "laplace",
    },
    System {
        name: "SmartNoise SQL",
        slug: "smartnoise",
        program: "smartnoise_peer.py",
        mechanism: "laplace",
    },
];

/// The one whose questions are also asked until a budget is spent.
pub(super) const OF_BUDGETS: System = SYSTEMS[2];

/// Answers to a case.
#[derive(Debug, Deserialize)]
pub(super) struct Answered {
    pub(super) answers: Vec<Values>,
    /// The median time of one.
    pub(super) seconds: f64,
}

#[derive(Deserialize)]
struct Line {
    name: String,
    #[serde(flatten)]
    answered: Answered,
}

/// Has a peer answer the cases of some data.
pub(super) fn ask(
    system: System,
    data: &Data,
    settings: &Settings,
    (epsilon, delta): (f64, f64),
    runs: u64,
) -> Result<BTreeMap<String, Answered>, Failure> {
    let python = match system.slug {
        "smartnoise" => &settings.smartnoise_python,
        _ => &settings.python,
    };
    let program = format!("{}/peer/{}", env!("CARGO_MANIFEST_DIR"), system.program);
    let mut child = Command::new(python)
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    input.write_all(task(system, data, (epsilon, delta), runs)?.to_string().as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("it ended with {}", output.status).into());
    }
    let mut all = BTreeMap::new();
    for line in std::str::from_utf8(&output.stdout)?.lines() {
        let line: Line = serde_json::from_str(line)?;
        all.insert(line.name, line.answered);
    }
    Ok(all)
}

fn task(system: System, data: &Data, (epsilon, delta): (f64, f64), runs: u64) -> Result<Value, Failure> {
    let relation = data.relation()?;
    let declared = &relation.metadata;
    let mut columns: Vec<&str> = data.unit.into_iter().collect();
    let mut types = serde_json::Map::new();
    for unit in &columns {
        types.insert((*unit).to_owned(), json!("str"));
    }
    let mut cases = Vec::new();
    for case in &data.cases {
        let mut value = json!({"name": case.name, "kind": case.kind, "sql": case.text("data.rows")});
        if let Some((column, lo, hi)) = case.column {
            value["column"] = json!(column);
            value["lo"] = json!(lo);
            value["hi"] = json!(hi);
            columns.push(column);
        }
        if let Some(key) = case.key {
            let field = declared.find_field(key).ok_or("a key that is not declared")?;
            let domain = field.domain.as_ref().ok_or("a key without a domain")?;
            value["key"] = json!(key);
            value["categories"] = json!(domain.values());
            columns.push(key);
            types.insert(key.to_owned(), json!("str"));
        }
        cases.push(value);
    }
    columns.sort_unstable();
    columns.dedup();
    Ok(json!({
        "file": data.file, "unit": data.unit, "columns": columns, "types": types,
        "rows_per_unit": declared.unit().map_or(1, |unit| unit.max_rows_per_unit),
        "epsilon": epsilon, "delta": delta, "mechanism": system.mechanism, "runs": runs, "cases": cases,
    }))
}
