//! Bounding: one fused operator that limits what each privacy unit adds to the totals (privacy.md "Bounding").
//!
//! # What is proved
//! *Assumed:* rows of a unit stand together (the order is checked row by row, and the scan has checked that no unit is
//! split over segments), and the hash key is secret and fixed per version.
//! *Guaranteed, for any rows whatever:* adding or removing one unit changes the totals of aggregate *a* by an integer
//! vector whose squared L2 norm is at most [`Aggregate::sensitivity_squared`].
//! *Why:* totals are sums over units of vectors that depend on that unit's rows (and the key) alone, so the change is the
//! unit's own vector. That vector has at most C non-zero cells per aggregate, because at most C slots exist; each entry is
//! clamped to ± `unit_most`; and the vector is finally scaled down, toward zero, onto the ball of the declared radius.
//! Totals are exact integers in 128 bits, so the order of addition and the number of partitions cannot show.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, UInt64Type};
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result as PlanResult};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use crate::eval::{self, EvalError};
use crate::execute::{ExecutionError, Incident};
use crate::plan::{Aggregate, AggregateFunction, KeyCells, PlanCore};
use crate::scalar::ScalarExpr;

/// The secret by which a unit with too many groups keeps the same C of them every time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupKeySecret(pub [u8; 16]);

impl fmt::Debug for GroupKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupKeySecret(…)")
    }
}

/// The open unit's group: which cell, and what the unit adds to it per aggregate.
#[derive(Debug, Clone)]
struct Slot {
    cell: u32,
    hash: u64,
    sums: Vec<i64>,
}

/// Adds up bounded contributions, batch by batch, in unit order.
#[derive(Debug)]
pub struct Bounding {
    core: Arc<PlanCore>,
    secret: GroupKeySecret,
    texts: Vec<HashMap<String, u32>>,
    strides: Vec<u64>,
    unit: Option<u64>,
    unit_rows: u32,
    used: usize,
    slots: Vec<Slot>,
    totals: Vec<i128>,
    cells: Vec<u32>,
}

/// What a row adds to an aggregate.
enum Added {
    One,
    Presence,
    Values(Vec<i64>),
}

impl Bounding {
    /// A fresh operator for one partition.
    pub fn new(core: Arc<PlanCore>, secret: GroupKeySecret) -> Self {
        let texts = core
            .keys
            .iter()
            .map(|key| match &key.cells {
                KeyCells::Text { values, .. } => values.iter().cloned().zip(0u32..).collect(),
                KeyCells::Integer { .. } | KeyCells::Boolean => HashMap::new(),
            })
            .collect();
        let aggregates = core.aggregates.len();
        let slot = Slot {
            cell: 0,
            hash: 0,
            sums: vec![0; aggregates],
        };
        let slots = vec![slot; core.groups_per_unit as usize];
        let totals = vec![0; core.cells as usize * aggregates];
        let strides = core.strides();
        Self {
            core,
            secret,
            texts,
            strides,
            unit: None,
            unit_rows: 0,
            used: 0,
            slots,
            totals,
            cells: vec![],
        }
    }

    /// Takes in the next rows: the unit column first, then the plan's columns.
    ///
    /// # Errors
    /// [`Incident::OutOfOrder`] if units do not increase; [`ExecutionError::Internal`] if the batch does not fit the plan.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), ExecutionError> {
        let rows = batch.num_rows();
        let (unit_column, columns) = batch.columns().split_first().ok_or(ExecutionError::Internal)?;
        let units = unit_column
            .as_primitive_opt::<UInt64Type>()
            .ok_or(ExecutionError::Internal)?;
        let core = Arc::clone(&self.core);
        let mask = match &core.filter {
            Some(filter) => Some(condition(filter, columns, rows)?),
            None => None,
        };
        self.find_cells(columns, rows)?;
        let mut added = Vec::with_capacity(core.aggregates.len());
        for aggregate in &core.aggregates {
            added.push(row_values(aggregate, columns, rows)?);
        }
        let cells = std::mem::take(&mut self.cells);
        let most_rows = core.unit.max_rows_per_unit;
        let mut result = Ok(());
        for (row, unit) in units.values().iter().enumerate() {
            if self.unit != Some(*unit) {
                if self.unit.is_some_and(|open| open > *unit) {
                    result = Err(Incident::OutOfOrder.into());
                    break;
                }
                self.close_unit();
                self.unit = Some(*unit);
            }
            self.unit_rows = self.unit_rows.saturating_add(1);
            if self.unit_rows > most_rows || mask.as_ref().is_some_and(|mask| !mask.value(row)) {
                continue;
            }
            let Some(slot) = self.slot(*unit, cells.get(row).copied().unwrap_or(0)) else {
                continue;
            };
            for (sum, added) in self.slots[slot].sums.iter_mut().zip(&added) {
                match added {
                    Added::One => *sum += 1,
                    Added::Presence => *sum = 1,
                    Added::Values(values) => *sum += values[row],
                }
            }
        }
        self.cells = cells;
        result
    }

    /// The totals: cell by cell, all aggregates of a cell together.
    pub fn finish(mut self) -> Vec<i128> {
        self.close_unit();
        self.totals
    }

    /// The cell of every row.
    fn find_cells(&mut self, columns: &[ArrayRef], rows: usize) -> Result<(), ExecutionError> {
        self.cells.clear();
        self.cells.resize(rows, 0);
        for (at, key) in self.core.keys.iter().enumerate() {
            let stride = u32::try_from(self.strides[at]).map_err(|_| ExecutionError::Internal)?;
            let vector = eval::evaluate(&key.expr, columns, rows)?;
            let null = u32::try_from(key.cells.count() - 1).map_err(|_| ExecutionError::Internal)?;
            match &key.cells {
                KeyCells::Text { values, other } => {
                    let outside = if *other {
                        u32::try_from(values.len()).unwrap_or(null)
                    } else {
                        null
                    };
                    let codes = &self.texts[at];
                    let code = |text: &str| codes.get(text).copied().unwrap_or(outside);
                    match vector
                        .array
                        .as_dictionary_opt::<Int32Type>()
                        .filter(|_| !vector.scalar)
                    {
                        Some(dictionary) => {
                            let texts = dictionary.values().as_string_opt::<i32>().ok_or(EvalError)?;
                            let by_key: Vec<u32> = texts
                                .iter()
                                .map(|text| text.map_or(null, code) * stride)
                                .collect();
                            let missing = null * stride;
                            for (cell, key) in self.cells.iter_mut().zip(dictionary.keys()) {
                                let key = key.and_then(|key| usize::try_from(key).ok());
                                *cell += key.and_then(|key| by_key.get(key).copied()).unwrap_or(missing);
                            }
                        }
                        None => {
                            let texts = eval::texts(&vector)?;
                            for (row, cell) in self.cells.iter_mut().enumerate() {
                                *cell += texts.get(row).map_or(null, code) * stride;
                            }
                        }
                    }
                }
                KeyCells::Integer { lo, hi } => {
                    let values = eval::integers(&vector)?;
                    for (row, cell) in self.cells.iter_mut().enumerate() {
                        let value = values.get(row).filter(|value| (lo..=hi).contains(&value));
                        let code = value.and_then(|value| u32::try_from(value.abs_diff(*lo)).ok());
                        *cell += code.unwrap_or(null) * stride;
                    }
                }
                KeyCells::Boolean => {
                    let array = vector.into_array(rows)?;
                    let values = array.as_boolean_opt().ok_or(EvalError)?;
                    for (cell, value) in self.cells.iter_mut().zip(values) {
                        *cell += value.map_or(null, u32::from) * stride;
                    }
                }
            }
        }
        Ok(())
    }

    /// The open unit's slot for a cell, if the cell is among the C with the least hashes so far.
    ///
    /// Keeping the C least at every step leaves the C least at the end: a cell once pushed out has a larger hash than C
    /// others and cannot come back.
    #[inline]
    fn slot(&mut self, unit: u64, cell: u32) -> Option<usize> {
        if let Some(found) = self.slots[..self.used].iter().position(|slot| slot.cell == cell) {
            return Some(found);
        }
        let hash = if self.slots.len() as u64 >= u64::from(self.core.cells) {
            0
        } else {
            let mut hasher = SipHasher24::new_with_key(&self.secret.0);
            hasher.write_u64(unit);
            hasher.write_u32(cell);
            hasher.finish()
        };
        let at = if self.used < self.slots.len() {
            self.used += 1;
            self.used - 1
        } else {
            let (at, worst) = self
                .slots
                .iter()
                .enumerate()
                .max_by_key(|(_, s)| (s.hash, s.cell))?;
            if (worst.hash, worst.cell) <= (hash, cell) {
                return None;
            }
            at
        };
        let slot = &mut self.slots[at];
        (slot.cell, slot.hash) = (cell, hash);
        slot.sums.fill(0);
        Some(at)
    }

    /// Clips the open unit's vector and adds it to the totals.
    fn close_unit(&mut self) {
        let count = self.core.aggregates.len();
        let slots = &mut self.slots[..self.used];
        for (at, aggregate) in self.core.aggregates.iter().enumerate() {
            clip(slots.iter_mut().map(|slot| &mut slot.sums[at]), aggregate);
            for slot in slots.iter() {
                self.totals[slot.cell as usize * count + at] += i128::from(slot.sums[at]);
            }
        }
        self.used = 0;
        self.unit_rows = 0;
    }
}

/// Clamps every entry to the unit's range, then scales the vector, toward zero, onto the ball of the declared radius.
///
/// With n = ⌈‖x‖⌉ and s = ⌊Δ⌋ every entry becomes ⌊|x|·s/n⌋ with its sign, so the squared norm is at most
/// s²·‖x‖²/n² ≤ s² ≤ Δ².
fn clip<'a>(entries: impl Iterator<Item = &'a mut i64>, aggregate: &Aggregate) {
    let (lo, hi) = aggregate.unit_range();
    let mut norm = 0u128;
    let mut clamped: Vec<&'a mut i64> = Vec::new();
    for entry in entries {
        *entry = (*entry).clamp(lo, hi);
        norm = norm.saturating_add(u128::from(entry.unsigned_abs()).pow(2));
        clamped.push(entry);
    }
    let allowed = aggregate.sensitivity_squared();
    if norm <= allowed {
        return;
    }
    let floor = norm.isqrt();
    let length = if floor * floor == norm { floor } else { floor + 1 };
    let radius = allowed.isqrt();
    for entry in clamped {
        let scaled = u128::from(entry.unsigned_abs()) * radius / length;
        let scaled = i64::try_from(scaled).unwrap_or(0);
        *entry = if *entry < 0 { -scaled } else { scaled };
    }
}

fn condition(
    filter: &ScalarExpr,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<BooleanBuffer, ExecutionError> {
    let array = eval::evaluate(filter, columns, rows)?.into_array(rows)?;
    let mask = array.as_boolean_opt().ok_or(EvalError)?;
    Ok(eval::truth(mask).values().clone())
}

/// What each row adds, on the aggregate's grid and within its row bounds.
fn row_values(aggregate: &Aggregate, columns: &[ArrayRef], rows: usize) -> Result<Added, ExecutionError> {
    let (lo, hi) = (aggregate.row_lo, aggregate.row_hi);
    Ok(match &aggregate.function {
        AggregateFunction::CountRows => Added::One,
        AggregateFunction::CountUnits => Added::Presence,
        AggregateFunction::CountValues(expr) => {
            let array = eval::evaluate(expr, columns, rows)?.into_array(rows)?;
            Added::Values((0..rows).map(|row| i64::from(array.is_valid(row))).collect())
        }
        AggregateFunction::Sum(expr) => {
            let vector = eval::evaluate(expr, columns, rows)?;
            if *vector.array.data_type() == DataType::Float64 {
                let values = eval::numbers(&vector)?;
                // A power of two: scaling is exact, and `as` cuts toward zero and saturates.
                let scale = f64::from(-aggregate.exponent).exp2();
                #[expect(clippy::cast_possible_truncation, reason = "the cut toward zero is wanted")]
                let on_grid = |x: f64| (x * scale) as i64;
                Added::Values(
                    (0..rows)
                        .map(|row| values.get(row).map_or(0, on_grid).clamp(lo, hi))
                        .collect(),
                )
            } else {
                let values = eval::integers(&vector)?;
                let step = u32::try_from(aggregate.exponent)
                    .ok()
                    .and_then(|e| 1i64.checked_shl(e));
                let step = step.filter(|step| *step > 0).ok_or(ExecutionError::Internal)?;
                Added::Values(
                    (0..rows)
                        .map(|row| (values.get(row).unwrap_or(0) / step).clamp(lo, hi))
                        .collect(),
                )
            }
        }
    })
}

/// The plan node: takes rows in unit order, gives one batch per partition with the exact totals of every cell.
#[derive(Debug)]
pub struct BoundingExec {
    core: Arc<PlanCore>,
    secret: GroupKeySecret,
    input: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl BoundingExec {
    /// Bounds the rows of `input`, a scan in unit order.
    pub fn new(core: Arc<PlanCore>, secret: GroupKeySecret, input: Arc<dyn ExecutionPlan>) -> Self {
        let fields: Vec<_> = (0..core.aggregates.len())
            .map(|at| Field::new(format!("total_{at}"), DataType::Decimal128(38, 0), false))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        Self {
            core,
            secret,
            input,
            schema,
            properties,
        }
    }
}

impl DisplayAs for BoundingExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "BoundingExec: cells={}, groups_per_unit={}",
            self.core.cells, self.core.groups_per_unit
        )
    }
}

impl ExecutionPlan for BoundingExec {
    fn name(&self) -> &'static str {
        "BoundingExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(
                Arc::clone(&self.core),
                self.secret.clone(),
                input,
            ))),
            _ => Err(DataFusionError::External(Box::new(ExecutionError::Internal))),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let mode = datafusion_physical_plan::execution_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(mode))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let mut input = self.input.execute(partition, context)?;
        let mut bounding = Bounding::new(Arc::clone(&self.core), self.secret.clone());
        let schema = Arc::clone(&self.schema);
        let work = async move {
            while let Some(batch) = input.next().await {
                bounding
                    .push(&batch?)
                    .map_err(|e| DataFusionError::External(Box::new(e)))?;
            }
            let count = bounding.core.aggregates.len();
            let totals = bounding.finish();
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(count);
            for at in 0..count {
                let values = totals.iter().skip(at).step_by(count).copied();
                let array = Decimal128Array::from_iter_values(values).with_precision_and_scale(38, 0)?;
                columns.push(Arc::new(array));
            }
            Ok(RecordBatch::try_new(schema, columns)?)
        };
        let stream = futures::stream::once(work);
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream,
        )))
    }
}

/// Whether a plan node is this operator.
pub(crate) fn is_bounding(plan: &dyn ExecutionPlan) -> bool {
    (plan as &dyn Any).is::<BoundingExec>()
}
