//! From a private plan and granted parts to exact totals: builds the physical plan, checks it, runs it on threads.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Decimal128Type;
use datafusion_common::DataFusionError;
use datafusion_execution::TaskContext;
use datafusion_physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::StreamExt;
use seal::DataKey;
use serde::{Deserialize, Serialize};

use crate::bounding::{
    BoundingExec, Distinct, FoundCells, GroupKeySecret, OpenKeys, Partial, Pass, Share, Sieve, bounded,
    sieves,
};
use crate::eval::EvalError;
use crate::operator::{SourceExec, SourceSpec, source_of};
use crate::plan::{FOUND_MEMORY, KeyValue, Passes, PlanCore, PlanError};
use crate::scan::{Cut, Part, UnitScanExec, unit_scan};
use crate::source::Source;

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
    /// The data key of a version was not granted.
    #[error("the key of a version was not granted")]
    NoKey,
    /// The found cells do not fit the memory of one pass. Several passes take them; nobody outside of [`execute`] sees it.
    #[error("the cells do not fit one pass")]
    Room,
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
    /// Cell by cell, all aggregates of a cell together: in plan order, or in that of `found`.
    pub values: Vec<i128>,
    /// Values for each candidate of the plan's quantiles, cell by cell.
    pub counted: Vec<u64>,
    /// The keys of the cells where they are not known beforehand: those that at least [`PlanCore::least_units`] units are in.
    pub found: Option<Vec<Vec<KeyValue>>>,
}

impl std::fmt::Debug for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Totals({} values)", self.values.len())
    }
}

impl Totals {
    /// Nothing yet.
    fn none(core: &PlanCore) -> Self {
        let (cells, aggregates) = if core.is_open() {
            (0, core.aggregates.len())
        } else {
            (core.cells as usize, core.aggregates.len())
        };
        Self {
            aggregates,
            values: vec![0; cells * aggregates],
            counted: vec![0; cells * core.candidates()],
            found: core.is_open().then(Vec::new),
        }
    }

    /// Adds those of one pass.
    fn add(&mut self, other: Self) {
        match (&mut self.found, other.found) {
            (Some(found), Some(more)) => {
                found.extend(more);
                self.values.extend(other.values);
            }
            _ => {
                for (total, part) in self.values.iter_mut().zip(other.values) {
                    *total += part;
                }
                for (total, part) in self.counted.iter_mut().zip(other.counted) {
                    *total += part;
                }
            }
        }
    }

    /// Puts found cells in the order of their keys: neither partitions nor passes show.
    fn sort(&mut self) {
        let Some(found) = &mut self.found else { return };
        let values = self
            .values
            .chunks_exact(self.aggregates.max(1))
            .map(<[i128]>::to_vec);
        let mut cells: Vec<_> = std::mem::take(found).into_iter().zip(values).collect();
        cells.sort_unstable();
        let (keys, values): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
        (*found, self.values) = (keys, values.concat());
    }

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

/// The granted parts of one of a plan's tables, with the key of their version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Granted {
    /// The parts, in unit order.
    pub parts: Vec<Part>,
    /// The version's data key: without it the parts are noise.
    pub key: DataKey,
}

/// Computes the totals of a plan over the granted parts of its tables, in the plan's order, on so many threads.
///
/// # Errors
/// [`ExecutionError`]; the class says whether it is the data, the machine or us.
pub fn execute(
    core: &PlanCore,
    granted: &[Granted],
    secret: &GroupKeySecret,
    threads: usize,
) -> Result<Totals, ExecutionError> {
    execute_within(
        core,
        granted,
        secret,
        threads,
        (FOUND_MEMORY, core.found_passes()),
    )
}

/// As [`execute`], with so many bytes for the found cells of a first, single pass, and these if they do not fit.
pub(crate) fn execute_within(
    core: &PlanCore,
    granted: &[Granted],
    secret: &GroupKeySecret,
    threads: usize,
    (room, passes): (u64, Passes),
) -> Result<Totals, ExecutionError> {
    core.check()?;
    if granted.len() != core.tables.len() {
        return Err(PlanError("grants").into());
    }
    let mut cuts = None;
    let rows = physical(core, &core.source, granted, threads, &mut cuts)?;
    let shared = Arc::new(core.clone());
    let planned = |pass, sieve| -> Result<Arc<dyn ExecutionPlan>, ExecutionError> {
        let bounding = BoundingExec::new(Arc::clone(&shared), secret.clone(), pass, Arc::clone(&rows));
        let physical: Arc<dyn ExecutionPlan> = Arc::new(bounding.sieved(sieve));
        check_physical(core, &physical)?;
        Ok(physical)
    };
    let one = |pass, sieve| run(core, &planned(pass, sieve)?);
    // Mostly there are far fewer cells than there could be, and they fit.
    let partitions = rows.output_partitioning().partition_count().max(1) as u64;
    let room = room / partitions;
    let mut all = match one(Pass::Whole { room }, None) {
        Err(ExecutionError::Room) => {
            let mut all = Totals::none(core);
            let sieve = match passes.sieve {
                Some(buckets) => Some(Arc::new(sieve(core, &planned(Pass::Sieve { buckets }, None)?)?)),
                None => None,
            };
            let count = passes.shares;
            for index in 0..count {
                all.add(one(Pass::Share(Share { index, count }), sieve.clone())?);
            }
            all
        }
        other => other?,
    };
    all.sort();
    Ok(all)
}

/// The physical plan of one pass, as [`execute`] makes it.
///
/// # Errors
/// [`ExecutionError`] if plan and grants do not fit, or a part is not what its grant says.
pub fn physical_plan(
    core: &PlanCore,
    granted: &[Granted],
    secret: &GroupKeySecret,
    threads: usize,
    pass: Pass,
) -> Result<Arc<dyn ExecutionPlan>, ExecutionError> {
    core.check()?;
    if granted.len() != core.tables.len() {
        return Err(PlanError("grants").into());
    }
    let rows = physical(core, &core.source, granted, threads, &mut None)?;
    Ok(Arc::new(BoundingExec::new(
        Arc::new(core.clone()),
        secret.clone(),
        pass,
        rows,
    )))
}

/// The totals of one pass of a plan, by its physical plan.
///
/// # Errors
/// [`ExecutionError`]; also where the physical plan holds what is not allowed, or the found cells do not fit the pass.
pub fn run_physical(core: &PlanCore, physical: &Arc<dyn ExecutionPlan>) -> Result<Totals, ExecutionError> {
    core.check()?;
    check_physical(core, physical)?;
    let mut totals = run(core, physical)?;
    totals.sort();
    Ok(totals)
}

/// The operators of a source. Its first scan is cut into as many partitions as there are threads, and the others at the
/// same units.
pub(crate) fn physical(
    core: &PlanCore,
    source: &Source,
    granted: &[Granted],
    threads: usize,
    cuts: &mut Option<Vec<u64>>,
) -> Result<Arc<dyn ExecutionPlan>, ExecutionError> {
    if let Source::Scan(table) = source {
        let granted = granted.get(*table).ok_or(PlanError("grants"))?;
        let table = core.tables.get(*table).ok_or(PlanError("table"))?;
        let cut = cuts.as_deref().map_or(Cut::Into(threads), Cut::At);
        let mut scan = UnitScanExec::open(table, &granted.parts, &granted.key, cut)?;
        if core.asks_no_unit() {
            scan = scan.without_units();
        }
        cuts.get_or_insert_with(|| scan.cuts());
        return Ok(Arc::new(scan));
    }
    let mut inputs = Vec::new();
    for input in source.inputs() {
        inputs.push(physical(core, input, granted, threads, cuts)?);
    }
    let spec = SourceSpec {
        source: source.clone(),
        tables: core.tables.clone(),
        public: core.public.clone(),
    };
    Ok(Arc::new(SourceExec::new(spec, inputs)?))
}

/// The second check: over the physical plan. The bounding operator stands on top, scans in unit order at the bottom, and
/// between them our own operators that work unit by unit, each made of what the plan says and nothing else; all are cut at the same
/// units, and nothing may repartition, reorder or limit rows.
///
/// # Errors
/// [`ExecutionError::Operator`] names the first operator that is not allowed.
pub fn check_physical(core: &PlanCore, plan: &Arc<dyn ExecutionPlan>) -> Result<(), ExecutionError> {
    let children = plan.children();
    let [rows] = children.as_slice() else {
        return refuse(plan);
    };
    if bounded(plan.as_ref()) != Some(core) {
        return refuse(plan);
    }
    let mut cuts = None;
    check_rows(core, &core.source, rows, &mut cuts)?;
    let cuts = cuts.ok_or(ExecutionError::Internal)?;
    if plan.output_partitioning().partition_count() != cuts.len() + 1 {
        return refuse(plan);
    }
    Ok(())
}

fn check_rows(
    core: &PlanCore,
    source: &Source,
    plan: &Arc<dyn ExecutionPlan>,
    cuts: &mut Option<Vec<u64>>,
) -> Result<(), ExecutionError> {
    let (children, inputs) = (plan.children(), source.inputs());
    let as_planned = match source {
        Source::Scan(table) => unit_scan(plan.as_ref()).is_some_and(|scan| {
            core.tables.get(*table) == Some(scan.grant().0)
                && (scan.tells_units() || core.asks_no_unit())
                && *cuts.get_or_insert_with(|| scan.cuts()) == scan.cuts()
        }),
        _ => source_of(plan.as_ref()).is_some_and(|spec| {
            spec.source == *source && spec.tables == core.tables && spec.public == core.public
        }),
    };
    if !as_planned || children.len() != inputs.len() {
        return refuse(plan);
    }
    inputs
        .into_iter()
        .zip(children)
        .try_for_each(|(input, child)| check_rows(core, input, child, cuts))
}

fn refuse(plan: &Arc<dyn ExecutionPlan>) -> Result<(), ExecutionError> {
    Err(ExecutionError::Operator(plan.name().to_owned()))
}

/// What all partitions give, each on a thread of its own.
fn partials(core: &PlanCore, physical: &Arc<dyn ExecutionPlan>) -> Result<Vec<Partial>, ExecutionError> {
    let context = Arc::new(TaskContext::default());
    let partitions = physical.output_partitioning().partition_count();
    std::thread::scope(|scope| {
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
    })
}

/// The sieve that all partitions make together.
fn sieve(core: &PlanCore, physical: &Arc<dyn ExecutionPlan>) -> Result<Sieve, ExecutionError> {
    let mut all: Option<Sieve> = None;
    for partial in partials(core, physical)? {
        let Partial::Sieved(counts) = partial else {
            return Err(ExecutionError::Internal);
        };
        let own = Sieve::of_counts(counts, core.least_units());
        match &mut all {
            None => all = Some(own),
            Some(all) => all.add(&own),
        }
    }
    all.ok_or(ExecutionError::Internal)
}

fn run(core: &PlanCore, physical: &Arc<dyn ExecutionPlan>) -> Result<Totals, ExecutionError> {
    let partials = partials(core, physical)?;
    let aggregates = core.aggregates.len();
    if !core.is_open() {
        let mut values = vec![0i128; core.cells as usize * aggregates];
        let mut counted = vec![0u64; core.cells as usize * core.candidates()];
        let mut distinct = Distinct::default();
        for partial in partials {
            let Partial::Listed {
                totals: partial,
                counted: counts,
                distinct: more,
            } = partial
            else {
                return Err(ExecutionError::Internal);
            };
            if distinct.is_empty() {
                distinct = more;
            } else {
                distinct.extend(more);
            }
            for (total, part) in values.iter_mut().zip(partial) {
                *total += part;
            }
            for (total, part) in counted.iter_mut().zip(counts) {
                *total += part;
            }
        }
        for (cell, aggregate, _) in distinct {
            let at = cell as usize * aggregates + aggregate as usize;
            *values.get_mut(at).ok_or(ExecutionError::Internal)? += 1;
        }
        return Ok(Totals {
            aggregates,
            values,
            counted,
            found: None,
        });
    }
    let mut found = Vec::with_capacity(partials.len());
    for partial in partials {
        let Partial::Found(cells) = partial else {
            return Err(ExecutionError::Internal);
        };
        found.push(cells);
    }
    // The totals of a cell are put where they are in the first partition that found it.
    let mut places: HashMap<&[u8], usize, foldhash::quality::RandomState> = HashMap::default();
    let (mut names, mut all): (Vec<&[u8]>, Vec<i128>) = (vec![], vec![]);
    for cells in &found {
        for (name, totals) in cells
            .names
            .iter()
            .flatten()
            .zip(cells.totals.chunks_exact(aggregates.max(1)))
        {
            match places.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(names.len());
                    names.push(name);
                    all.extend(totals);
                }
                Entry::Occupied(place) => {
                    let own = all.iter_mut().skip(place.get() * aggregates);
                    own.zip(totals).for_each(|(total, part)| *total += part);
                }
            }
        }
    }
    // Nothing of a cell with few units leaves the worker, not even that it is there.
    let units = core.units_aggregate().ok_or(ExecutionError::Internal)?;
    let least = core.least_units();
    let cells = names.into_iter().zip(all.chunks_exact(aggregates.max(1)));
    let kept = cells.filter(|(_, totals)| totals.get(units).is_some_and(|units| *units >= least));
    let (names, totals): (Vec<&[u8]>, Vec<&[i128]>) = kept.unzip();
    Ok(Totals {
        aggregates,
        values: totals.concat(),
        counted: vec![],
        found: Some(OpenKeys::new(core)?.decode(core, &names)?),
    })
}

fn partial(
    core: &PlanCore,
    physical: &dyn ExecutionPlan,
    partition: usize,
    context: Arc<TaskContext>,
) -> Result<Partial, ExecutionError> {
    let mut stream = physical.execute(partition, context)?;
    let batch = futures::executor::block_on(stream.next()).ok_or(ExecutionError::Internal)??;
    if futures::executor::block_on(stream.next()).is_some() {
        return Err(ExecutionError::Internal);
    }
    let (aggregates, rows) = (core.aggregates.len(), batch.num_rows());
    let mut values = vec![0i128; rows * aggregates];
    for at in 0..aggregates {
        let column = batch
            .column(at)
            .as_primitive_opt::<Decimal128Type>()
            .ok_or(ExecutionError::Internal)?;
        for (cell, total) in column.values().iter().enumerate() {
            values[cell * aggregates + at] += total;
        }
    }
    let names = batch
        .columns()
        .get(aggregates)
        .and_then(|names| names.as_binary_opt::<i32>())
        .ok_or(ExecutionError::Internal)?;
    if !core.is_open() {
        let candidates = core.candidates();
        let (mut counted, mut distinct) = (Vec::with_capacity(rows * candidates), Distinct::default());
        for (cell, bytes) in (0u32..).zip(names.iter().flatten()) {
            let (counts, named) = bytes
                .split_at_checked(candidates * 8)
                .ok_or(ExecutionError::Internal)?;
            counted.extend(
                counts
                    .as_chunks::<8>()
                    .0
                    .iter()
                    .map(|count| u64::from_le_bytes(*count)),
            );
            for named in named.as_chunks::<12>().0 {
                let [a, b, c, d, value @ ..] = *named;
                let aggregate = u32::from_le_bytes([a, b, c, d]);
                distinct.insert((cell, aggregate, u64::from_le_bytes(value)));
            }
        }
        let whole = rows == core.cells as usize && counted.len() == rows * candidates;
        return whole
            .then_some(Partial::Listed {
                totals: values,
                counted,
                distinct,
            })
            .ok_or(ExecutionError::Internal);
    }
    if sieves(physical) {
        let counts = names.iter().flatten().next().map(<[u8]>::to_vec);
        return counts.map(Partial::Sieved).ok_or(ExecutionError::Internal);
    }
    Ok(Partial::Found(FoundCells {
        names: names.clone(),
        totals: values,
    }))
}
