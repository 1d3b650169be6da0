//! What goes over the pipe.

use model::{Timestamp, VersionId};
use sandbox_plan::bounding::GroupKeySecret;
use sandbox_plan::{Part, PlanCore, Totals};
use seal::DataKey;
use serde::{Deserialize, Serialize};

use crate::error::Fault;

/// What a worker may read, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The version; the plan must name the same.
    pub version: VersionId,
    /// Its parts, in unit order.
    pub parts: Vec<Part>,
    /// The version's data key: without it the parts are noise.
    pub key: DataKey,
    /// The columns that may be read; the plan may read no other.
    pub columns: Vec<String>,
    /// The moment from which it is void.
    pub expires_at: Timestamp,
}

/// One job for a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkRequest {
    /// What to compute.
    pub plan: PlanCore,
    /// What may be read for it.
    pub grant: Grant,
    /// The version's secret for choosing groups.
    pub secret: GroupKeySecret,
    /// Threads.
    pub threads: u32,
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// Processor time, in seconds, over all threads.
    pub cpu_seconds: u64,
}

impl WorkRequest {
    /// Whether plan and grant agree.
    pub(crate) fn holds_together(&self) -> bool {
        let granted = |name: &str| self.grant.columns.iter().any(|column| column == name);
        self.plan.check().is_ok()
            && self.plan.version == self.grant.version
            && self
                .plan
                .columns
                .iter()
                .all(|column| granted(column.name.as_str()))
    }
}

/// What a worker answers: exact totals, with the walls that stood around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Totals, clamped to what the plan allows.
    pub totals: Totals,
    /// Whether the kernel confined its files (landlock).
    pub files_confined: bool,
    /// Whether the kernel filtered its system calls (seccomp).
    pub calls_filtered: bool,
}

const OK: u8 = 0;
const FAULT: u8 = 1;

/// The longest answer to a plan.
pub(crate) fn reply_length(plan: &PlanCore) -> usize {
    2 + plan.cells as usize * plan.aggregates.len() * 16
}

/// Status, walls, then every total as 128-bit little-endian.
pub(crate) fn encode(answer: &Result<Totals, Fault>, (files, calls): (bool, bool)) -> Vec<u8> {
    match answer {
        Err(fault) => vec![FAULT, fault.code()],
        Ok(totals) => {
            let mut bytes = Vec::with_capacity(2 + totals.values.len() * 16);
            bytes.extend([OK, u8::from(files) | u8::from(calls) << 1]);
            bytes.extend(totals.values.iter().flat_map(|total| total.to_le_bytes()));
            bytes
        }
    }
}

/// Reads an answer; whatever is not exactly one is `None`. Totals are clamped: a worker is not believed.
pub(crate) fn decode(bytes: &[u8], plan: &PlanCore) -> Option<Result<Reply, Fault>> {
    match bytes {
        [FAULT, code] => Fault::from_code(*code).map(Err),
        [OK, walls @ 0..4, values @ ..] if bytes.len() == reply_length(plan) => {
            let aggregates = plan.aggregates.len();
            let (chunks, _) = values.as_chunks::<16>();
            let clamped = chunks.iter().enumerate().map(|(at, chunk)| {
                plan.clamp_total(&plan.aggregates[at % aggregates], i128::from_le_bytes(*chunk))
            });
            let totals = Totals {
                aggregates,
                values: clamped.collect(),
            };
            let (files_confined, calls_filtered) = (walls & 1 != 0, walls & 2 != 0);
            Some(Ok(Reply {
                totals,
                files_confined,
                calls_filtered,
            }))
        }
        _ => None,
    }
}
