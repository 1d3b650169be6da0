//! From a private plan and granted parts to exact totals: builds the physical plan, checks it, runs it on threads.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Decimal128Type;
use datafusion_common::DataFusionError;
use datafusion_execution::TaskContext;
use datafusion_physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::StreamExt;
use seal::DataKey;
use serde::{Deserialize, Serialize};

use crate::bounding::{BoundingExec, GroupKeySecret, is_bounding};
use crate::eval::EvalError;
use crate::plan::{PlanCore, PlanError};
use crate::scan::{Part, UnitScanExec, is_unit_scan};

/// The data is not what its manifest promises: nothing of the version is released until people have looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Incident {
    /// A unit comes after a greater one.
    #[error("units are out of order")]
    OutOfOrder,
    /// A unit lies outside the range of its part or row group, or is NULL.
    #[error("a unit lies outside the range of its part")]
    UnitOutsideRange,
    /// Ranges of parts or row groups overlap, so a unit could be split.
    #[error("unit ranges overlap")]
    RangesOverlap,
    /// Length or number of rows differ from the manifest.
    #[error("a part is not the one that was published")]
    PartChanged,
    /// A column is missing or has another type.
    #[error("a part has other columns than declared")]
    Schema,
    /// The Parquet file is damaged.
    #[error("a part cannot be decoded")]
    Unreadable,
}

/// Why there are no totals. No variant carries a value from the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionError {
    /// The data breaks its promise.
    #[error("incident: {0}")]
    Incident(#[from] Incident),
    /// A part cannot be opened or read now.
    #[error("a part cannot be read: {0}")]
    Io(std::io::ErrorKind),
    /// The plan was damaged on its way.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An operator that the sandbox has not.
    #[error("the physical plan has an operator that is not allowed: {0}")]
    Operator(String),
    /// A bug of ours.
    #[error("internal error of the sandbox")]
    Internal,
}

impl ExecutionError {
    pub(crate) fn io(error: std::io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<EvalError> for ExecutionError {
    fn from(_: EvalError) -> Self {
        Self::Internal
    }
}

impl From<DataFusionError> for ExecutionError {
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::External(inner) => match inner.downcast::<Self>() {
                Ok(own) => *own,
                Err(_) => Self::Internal,
            },
            DataFusionError::Context(_, inner) => Self::from(*inner),
            _ => Self::Internal,
        }
    }
}

/// Exact integer totals: no noise yet, never to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Totals {
    /// Aggregates per cell.
    pub aggregates: usize,
    /// Cell by cell in plan order, all aggregates of a cell together.
    pub values: Vec<i128>,
}

impl std::fmt::Debug for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Totals({} values)", self.values.len())
    }
}

impl Totals {
    /// One total.
    pub fn get(&self, cell: u32, aggregate: usize) -> Option<i128> {
        let at = (cell as usize)
            .checked_mul(self.aggregates)?
            .checked_add(aggregate)?;
        (aggregate < self.aggregates)
            .then(|| self.values.get(at).copied())
            .flatten()
    }
}

/// Computes the totals of a plan over the parts of its version, which open with the version's key, on so many threads.
///
/// # Errors
/// [`ExecutionError`]; the class says whether it is the data, the machine or us.
pub fn execute(
    core: &PlanCore,
    parts: &[Part],
    key: &DataKey,
    secret: &GroupKeySecret,
    threads: usize,
) -> Result<Totals, ExecutionError> {
    core.check()?;
    let scan = UnitScanExec::open(core, parts, key, threads)?;
    let shared = Arc::new(core.clone());
    let physical: Arc<dyn ExecutionPlan> =
        Arc::new(BoundingExec::new(shared, secret.clone(), Arc::new(scan)));
    check_physical(&physical)?;
    run(core, &physical)
}

/// The second check: over the physical plan. Only the bounding operator over the scan in unit order is known; nothing
/// may repartition, reorder or limit rows below it.
///
/// # Errors
/// [`ExecutionError::Operator`] names the first operator that is not allowed.
pub fn check_physical(plan: &Arc<dyn ExecutionPlan>) -> Result<(), ExecutionError> {
    let refuse = |plan: &Arc<dyn ExecutionPlan>| Err(ExecutionError::Operator(plan.name().to_owned()));
    if !is_bounding(plan.as_ref()) {
        return refuse(plan);
    }
    match plan.children().as_slice() {
        [scan] if is_unit_scan(scan.as_ref()) && scan.children().is_empty() => {
            let same =
                scan.output_partitioning().partition_count() == plan.output_partitioning().partition_count();
            if same { Ok(()) } else { refuse(plan) }
        }
        [other, ..] => refuse(other),
        [] => refuse(plan),
    }
}

fn run(core: &PlanCore, physical: &Arc<dyn ExecutionPlan>) -> Result<Totals, ExecutionError> {
    let context = Arc::new(TaskContext::default());
    let partitions = physical.output_partitioning().partition_count();
    let partials = std::thread::scope(|scope| {
        let work: Vec<_> = (0..partitions)
            .map(|partition| {
                let (physical, context) = (Arc::clone(physical), Arc::clone(&context));
                scope.spawn(move || partial(core, physical.as_ref(), partition, context))
            })
            .collect();
        let joined = work
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err(ExecutionError::Internal)));
        joined.collect::<Result<Vec<_>, _>>()
    })?;
    let aggregates = core.aggregates.len();
    let mut values = vec![0i128; core.cells as usize * aggregates];
    for partial in partials {
        for (total, part) in values.iter_mut().zip(partial) {
            *total += part;
        }
    }
    Ok(Totals { aggregates, values })
}

fn partial(
    core: &PlanCore,
    physical: &dyn ExecutionPlan,
    partition: usize,
    context: Arc<TaskContext>,
) -> Result<Vec<i128>, ExecutionError> {
    let mut stream = physical.execute(partition, context)?;
    let aggregates = core.aggregates.len();
    let mut values = vec![0i128; core.cells as usize * aggregates];
    while let Some(batch) = futures::executor::block_on(stream.next()) {
        let batch = batch?;
        if batch.num_rows() != core.cells as usize || batch.num_columns() != aggregates {
            return Err(ExecutionError::Internal);
        }
        for at in 0..aggregates {
            let column = batch
                .column(at)
                .as_primitive_opt::<Decimal128Type>()
                .ok_or(ExecutionError::Internal)?;
            for (cell, total) in column.values().iter().enumerate() {
                values[cell * aggregates + at] += total;
            }
        }
    }
    Ok(values)
}
