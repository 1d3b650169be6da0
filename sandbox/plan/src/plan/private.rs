//! A job as a whole: what is noised, in parts, and what the query makes of it.

use std::time::Duration;

use model::{DatasetId, VersionId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{PlanCore, PlanHash, cost};
use crate::public::PublicTable;
use crate::release::{Arrangement, ReleasedColumn, Sized};
use crate::scalar::ScalarExpr;
use crate::source::ScanTable;

/// The most parts.
pub const MAX_PARTS: usize = 16;

/// The most aggregates and quantiles in all parts together.
pub const MAX_SHARES: u32 = 64;

/// What finding the match of a row takes, and writing down a pair.
const JOIN_NANOS: u64 = 200;

/// What writing down a value of the answer takes, with its interval.
const VALUE_NANOS: u64 = 200;
const VALUE_BYTES: u64 = 32;

/// A column of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputColumn {
    /// Its name: the alias, or the expression as written.
    pub name: String,
    /// Its value, from the released columns.
    pub expr: ScalarExpr,
}

/// What is computed and noised at a time, with a table of its own above the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPart {
    /// What decides the noised totals.
    pub core: PlanCore,
    /// The grouping sets that are added up from its cells, each by the keys it keeps (in canonical order); none for a plain
    /// GROUP BY.
    pub sets: Option<Vec<Vec<usize>>>,
}

/// A table above the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leaf {
    /// The released cells of a part. Several tables can be those of one: they are paid for once.
    Part(usize),
    /// A public relation.
    Public(usize),
}

/// A job that the sandbox accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivatePlan {
    /// What is noised, in canonical order.
    pub parts: Vec<PlanPart>,
    /// The public relations that released tables are joined with.
    pub public: Vec<PublicTable>,
    /// The tables that the answer is made of.
    pub leaves: Vec<Leaf>,
    /// Their columns, as expressions read them.
    pub released: Vec<ReleasedColumn>,
    /// How the answer's rows are made of them.
    pub arrangement: Arrangement,
    /// What is shown.
    pub output: Vec<OutputColumn>,
}

/// Each thing once, in the order in which it comes.
fn once<T: PartialEq>(things: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for thing in things {
        if !once.contains(&thing) {
            once.push(thing);
        }
    }
    once
}

impl PrivatePlan {
    /// The protected tables that its parts read.
    pub fn scans(&self) -> impl Iterator<Item = &ScanTable> {
        self.parts.iter().flat_map(|part| &part.core.tables)
    }

    /// The versions that are read, each once, in the plan's order.
    pub fn versions(&self) -> Vec<VersionId> {
        once(self.scans().map(|table| table.version))
    }

    /// The datasets whose lineages are charged, each once, in the plan's order.
    pub fn datasets(&self) -> Vec<DatasetId> {
        once(self.scans().map(|table| table.dataset))
    }

    /// The most units that any dataset of the plan declares.
    pub fn most_units(&self) -> u64 {
        let units = self.scans().map(|table| table.unit.max_units);
        units.max().unwrap_or(0)
    }

    /// The units that all datasets of the plan declare together: so many keyed hashes may meet where they are joined.
    pub fn all_units(&self) -> u64 {
        let datasets = once(self.scans().map(|table| (table.dataset, table.unit.max_units)));
        let units = datasets.into_iter().map(|(_, units)| units);
        units.fold(0, u64::saturating_add)
    }

    /// How many parts have cells that are found: each has a threshold, and a share of the job's δ.
    pub fn open_parts(&self) -> u64 {
        self.parts.iter().filter(|part| part.core.is_open()).count() as u64
    }

    /// The most cells of all parts together.
    pub fn cells(&self) -> u32 {
        let cells = self.parts.iter().map(|part| part.core.cells);
        cells.fold(0, u32::saturating_add)
    }

    /// The candidates of all quantiles in all cells.
    pub(crate) fn all_candidates(&self) -> u64 {
        let of_part =
            |part: &PlanPart| u64::from(part.core.cells).saturating_mul(part.core.candidates() as u64);
        self.parts.iter().map(of_part).fold(0, u64::saturating_add)
    }

    /// Into how many equal shares the job's ρ is divided: one for each aggregate and quantile of any part.
    pub fn shares(&self) -> u32 {
        let shares = self.parts.iter().map(|part| part.core.shares());
        shares.fold(0, u32::saturating_add)
    }

    /// What the noise of one aggregate is calibrated to when the job's whole ρ is shared equally: A·Δ², in squared grid
    /// steps, for a discrete Gaussian of variance A·Δ²/(2ρ), with A shares in all parts. `None` if there is no such aggregate;
    /// a checked plan never overflows.
    pub fn noise_sensitivity_squared(&self, part: usize, aggregate: usize) -> Option<u128> {
        let aggregate = self.parts.get(part)?.core.aggregates.get(aggregate)?;
        aggregate.sensitivity_squared().checked_mul(self.shares().into())
    }

    /// The standard deviation of the noise on one aggregate of a cell, in units of the aggregate, when the whole job is
    /// given ρ, shared equally: σ² = A·Δ²/(2ρ).
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
    pub fn expected_error(&self, part: usize, aggregate: usize, rho: f64) -> Option<f64> {
        let calibrated = self.noise_sensitivity_squared(part, aggregate)? as f64;
        let step = self.parts.get(part)?.core.aggregates.get(aggregate)?.step();
        (rho > 0.0).then(|| (calibrated / (2.0 * rho)).sqrt() * step)
    }

    /// The name of the noised totals within a project: equal for queries that differ in nothing but words and in what they show.
    pub fn hash(&self) -> PlanHash {
        if let [part] = self.parts.as_slice() {
            return part.core.hash();
        }
        let mut hasher = Sha256::new();
        hasher.update(b"shapan private plan of parts 1\0");
        for part in &self.parts {
            hasher.update(part.core.hash().as_bytes());
        }
        PlanHash(hasher.finalize().into())
    }

    /// Nanoseconds of one core in the worst case the declaration allows: one part is computed after the other.
    pub fn worst_case_nanos(&self) -> u64 {
        let nanos = self.parts.iter().map(|part| part.core.worst_case_nanos());
        nanos.fold(0, u64::saturating_add)
    }

    /// How long after its charge a job is released: see [`PlanCore::due_in`].
    pub fn due_in(&self, cores: u32) -> Duration {
        let due = self.parts.iter().map(|part| part.core.due_in(cores));
        due.fold(Duration::ZERO, Duration::saturating_add)
    }

    /// What computing an answer from the released tables costs at most: nanoseconds of one core, and bytes of text.
    /// The server does this itself, for whoever reads the answer and as often as they do.
    pub fn showing_cost(&self) -> (u64, u64) {
        let mut sum = Showing {
            types: self.released_types(),
            nanos: 0,
            bytes: 0,
        };
        let sized = self.sized();
        sum.arrange(&sized);
        for column in &self.output {
            sum.add(&column.expr, sized.rows);
        }
        let values = sized.rows.saturating_mul(self.output.len() as u64);
        sum.nanos = sum.nanos.saturating_add(values.saturating_mul(VALUE_NANOS));
        sum.bytes = sum.bytes.saturating_add(values.saturating_mul(VALUE_BYTES));
        (sum.nanos, sum.bytes)
    }

    /// Nanoseconds of one core for one output column of one row.
    pub fn output_nanos(&self, column: usize) -> u64 {
        let types = self.released_types();
        self.output
            .get(column)
            .map_or(0, |column| cost::expr(&column.expr, &types))
    }
}

/// What showing an answer takes.
struct Showing {
    types: Vec<model::FieldType>,
    nanos: u64,
    bytes: u64,
}

impl Showing {
    /// What making the rows takes.
    fn arrange(&mut self, sized: &Sized<'_>) {
        sized.inputs.iter().for_each(|input| self.arrange(input));
        match (sized.arrangement, sized.inputs.as_slice()) {
            (Arrangement::Steps { steps, .. }, [input]) => {
                for expr in steps.iter().flat_map(|step| step.exprs()) {
                    self.add(expr, input.rows);
                }
            }
            (Arrangement::Join { on, condition, .. }, [left, right]) => {
                for (own, other) in on {
                    self.add(own, left.rows);
                    self.add(other, right.rows);
                }
                if let Some(condition) = condition {
                    self.add(condition, sized.rows);
                }
                let all = left.rows.saturating_add(right.rows).saturating_add(sized.rows);
                self.nanos = self.nanos.saturating_add(all.saturating_mul(JOIN_NANOS));
            }
            _ => {}
        }
    }

    fn add(&mut self, expr: &ScalarExpr, rows: u64) {
        let nanos = rows.saturating_mul(cost::expr(expr, &self.types));
        let bytes = rows.saturating_mul(cost::text_bytes(expr, &self.types));
        self.nanos = self.nanos.saturating_add(nanos).saturating_add(cost::setup(expr));
        self.bytes = self.bytes.saturating_add(bytes);
    }
}
