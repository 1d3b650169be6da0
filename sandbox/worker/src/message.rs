//! What goes over the pipe.

use std::collections::HashSet;

use model::{Timestamp, VersionId};
use sandbox_plan::bounding::GroupKeySecret;
use sandbox_plan::plan::MAX_OPEN_TEXT;
use sandbox_plan::{KeyCells, KeyValue, Part, PlanCore, Totals};
use seal::DataKey;
use serde::{Deserialize, Serialize};

use crate::error::Fault;

/// What a worker may read of one version, and until when.
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
    /// What may be read for it: a grant for each of the plan's tables, in their order.
    pub grants: Vec<Grant>,
    /// The secret for choosing groups.
    pub secret: GroupKeySecret,
    /// Threads.
    pub threads: u32,
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// Processor time, in seconds, over all threads.
    pub cpu_seconds: u64,
}

impl WorkRequest {
    /// Whether plan and grants agree.
    pub(crate) fn holds_together(&self) -> bool {
        self.plan.check().is_ok()
            && self.grants.len() == self.plan.tables.len()
            && self.grants.iter().zip(&self.plan.tables).all(|(grant, table)| {
                let granted = |name: &str| grant.columns.iter().any(|column| column == name);
                grant.version == table.version
                    && table.columns.iter().all(|column| granted(column.name.as_str()))
            })
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
    usize::try_from(plan.reply_bytes())
        .unwrap_or(usize::MAX)
        .saturating_add(16)
}

/// Status, walls, then every total as 128-bit little-endian; of cells that were found, their keys before them.
pub(crate) fn encode(answer: &Result<Totals, Fault>, (files, calls): (bool, bool)) -> Vec<u8> {
    match answer {
        Err(fault) => vec![FAULT, fault.code()],
        Ok(totals) => {
            let mut bytes = Vec::with_capacity(2 + totals.values.len() * 16);
            bytes.extend([OK, u8::from(files) | u8::from(calls) << 1]);
            if let Some(found) = &totals.found {
                put_length(&mut bytes, found.len());
                found.iter().flatten().for_each(|key| put_key(&mut bytes, key));
            }
            bytes.extend(totals.values.iter().flat_map(|total| total.to_le_bytes()));
            bytes.extend(totals.counted.iter().flat_map(|count| count.to_le_bytes()));
            bytes
        }
    }
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    // Longer ones do not fit the frame either.
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_key(bytes: &mut Vec<u8>, key: &KeyValue) {
    match key {
        KeyValue::Null => bytes.push(0),
        KeyValue::Other => bytes.push(1),
        KeyValue::Boolean(value) => bytes.extend([2, u8::from(*value)]),
        KeyValue::Integer(value) => {
            bytes.push(3);
            bytes.extend(value.to_le_bytes());
        }
        KeyValue::Date(value) => {
            bytes.push(4);
            bytes.extend(value.to_le_bytes());
        }
        KeyValue::Timestamp(value) => {
            bytes.push(5);
            bytes.extend(value.to_le_bytes());
        }
        KeyValue::Text(text) => {
            bytes.push(6);
            put_length(bytes, text.len());
            bytes.extend(text.as_bytes());
        }
    }
}

/// What is left to read of an answer.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.array()?)).ok()
    }

    /// A key that its column can have; anything else is no answer.
    fn key(&mut self, (cells, texts): &(&KeyCells, HashSet<&str>)) -> Option<KeyValue> {
        let [tag] = self.array()?;
        let value = match tag {
            0 => KeyValue::Null,
            1 => KeyValue::Other,
            2 => KeyValue::Boolean(self.array::<1>()? == [1]),
            3 => KeyValue::Integer(i64::from_le_bytes(self.array()?)),
            4 => KeyValue::Date(i32::from_le_bytes(self.array()?)),
            5 => KeyValue::Timestamp(i64::from_le_bytes(self.array()?)),
            6 => {
                let length = self.length().filter(|length| *length <= MAX_OPEN_TEXT)?;
                KeyValue::Text(String::from_utf8(self.take(length)?.to_vec()).ok()?)
            }
            _ => return None,
        };
        let can_hold = match (cells, &value) {
            (KeyCells::Text { .. }, KeyValue::Text(text)) => texts.contains(text.as_str()),
            _ => cells.can_hold(&value),
        };
        can_hold.then_some(value)
    }
}

/// Reads an answer; whatever is not exactly one is `None`. Totals are clamped, and of found cells there are no more than
/// the plan allows, none twice: a worker is not believed.
pub(crate) fn decode(bytes: &[u8], plan: &PlanCore) -> Option<Result<Reply, Fault>> {
    let (walls, mut rest) = match bytes {
        [FAULT, code] => return Fault::from_code(*code).map(Err),
        [OK, walls @ 0..4, rest @ ..] => (*walls, Rest(rest)),
        _ => return None,
    };
    let mut cells = plan.cells as usize;
    let mut found = None;
    if plan.is_open() {
        let count = rest.length().filter(|count| *count <= cells)?;
        // There may be many cells, and many texts in a domain.
        let domains = plan.keys.iter().map(|key| match &key.cells {
            KeyCells::Text { values, .. } => (&key.cells, values.iter().map(String::as_str).collect()),
            other => (other, HashSet::new()),
        });
        let domains: Vec<(&KeyCells, HashSet<&str>)> = domains.collect();
        let mut keys = Vec::new();
        for _ in 0..count {
            let of_cell = domains.iter().map(|domain| rest.key(domain));
            keys.push(of_cell.collect::<Option<Vec<_>>>()?);
        }
        let distinct: HashSet<&Vec<KeyValue>> = keys.iter().collect();
        if distinct.len() != count {
            return None;
        }
        cells = count;
        found = Some(keys);
    }
    let aggregates = plan.aggregates.len();
    let values = rest.take(cells.checked_mul(aggregates)?.checked_mul(16)?)?;
    let clamped = values.as_chunks::<16>().0.iter().enumerate();
    let clamped = clamped
        .map(|(at, chunk)| plan.clamp_total(&plan.aggregates[at % aggregates], i128::from_le_bytes(*chunk)));
    let clamped = clamped.collect();
    let counted = rest.take(cells.checked_mul(plan.candidates())?.checked_mul(8)?)?;
    let most = plan.most_counted();
    let counted = counted.as_chunks::<8>().0.iter();
    let counted = counted.map(|chunk| u64::from_le_bytes(*chunk).min(most));
    let counted = counted.collect();
    if !rest.0.is_empty() {
        return None;
    }
    let totals = Totals {
        aggregates,
        values: clamped,
        counted,
        found,
    };
    let (files_confined, calls_filtered) = (walls & 1 != 0, walls & 2 != 0);
    Some(Ok(Reply {
        totals,
        files_confined,
        calls_filtered,
    }))
}
