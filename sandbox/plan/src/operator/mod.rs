//! The physical operators between the scans and the bounding operator: one for each kind of [`Source`].
//!
//! All of them take and give batches with the unit column first, in unit order, and look at one unit at a time: what
//! they give for a unit depends on that unit's rows and on public data alone. They never look across partitions, which
//! hold disjoint ranges of units.

mod align;
mod filter;
mod public_join;
mod unit_aggregate;
mod unit_join;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result as PlanResult};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::context::planner_type;
use crate::eval::{self, EvalError};
use crate::execute::ExecutionError;
use crate::public::PublicTable;
use crate::scalar::ScalarExpr;
use crate::source::{JoinKind, ScanTable, Source};

use public_join::PublicSide;

/// Batches on their way, or why there are no more.
type Batches = BoxStream<'static, Result<RecordBatch, ExecutionError>>;

/// The most rows of a batch that an operator makes, unless one unit alone has more.
const BATCH_ROWS: usize = 8_192;

/// What an operator does, with what it has to know beforehand.
#[derive(Debug)]
enum Work {
    Filter(ScalarExpr),
    PublicJoin(Arc<PublicSide>),
    UnitJoin(Arc<unit_join::Terms>),
    UnitAggregate(Arc<unit_aggregate::Terms>),
}

/// A per-unit relation being computed.
#[derive(Debug)]
pub(crate) struct SourceExec {
    spec: Arc<SourceSpec>,
    work: Arc<Work>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

/// What an operator is made of, beside its inputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceSpec {
    /// The relation.
    pub(crate) source: Source,
    /// The tables that it names by number.
    pub(crate) tables: Vec<ScanTable>,
    /// The public relations that it names by number.
    pub(crate) public: Vec<PublicTable>,
}

impl SourceExec {
    /// The operator of a source over the operators of its inputs.
    pub(crate) fn new(spec: SourceSpec, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Self, ExecutionError> {
        let (core, source) = (&spec, &spec.source);
        if inputs.len() != source.inputs().len() {
            return Err(ExecutionError::Internal);
        }
        let shape = source.shape(&core.tables, &core.public)?;
        let input = inputs.first().ok_or(ExecutionError::Internal)?;
        let below =
            |source: &Source| -> Result<_, ExecutionError> { Ok(source.shape(&core.tables, &core.public)?) };
        // Units come through as they are, told or not.
        let units = input.schema().fields().first().map(Arc::clone);
        let mut fields: Vec<Field> = vec![units.ok_or(ExecutionError::Internal)?.as_ref().clone()];
        let numbered = |at: usize, data_type: DataType| Field::new(format!("c{at}"), data_type, true);
        // Columns that come through keep their encoding.
        let passed = |plan: &Arc<dyn ExecutionPlan>| -> Vec<DataType> {
            let schema = plan.schema();
            let types = schema.fields().iter().skip(1);
            types.map(|field| field.data_type().clone()).collect()
        };
        let (work, types) = match source {
            Source::Scan(_) => return Err(ExecutionError::Internal),
            Source::Filter { condition, .. } => (Work::Filter(condition.clone()), passed(input)),
            Source::PublicJoin {
                public,
                kind,
                on,
                condition,
                ..
            } => {
                let table = core.public.get(*public).ok_or(ExecutionError::Internal)?;
                let side = PublicSide::new(table, *kind, on, condition.clone())?;
                let mut types = passed(input);
                if kind.shows_right() {
                    types.extend(side.types());
                }
                (Work::PublicJoin(Arc::new(side)), types)
            }
            Source::UnitJoin {
                left,
                right,
                kind,
                condition,
            } => {
                let other = inputs.get(1).ok_or(ExecutionError::Internal)?;
                let terms = unit_join::Terms {
                    kind: *kind,
                    condition: condition.clone(),
                    rows: [
                        below(left)?.unit.max_rows_per_unit,
                        below(right)?.unit.max_rows_per_unit,
                    ],
                    right: other.schema(),
                };
                let mut types = passed(input);
                types.extend(passed(other));
                types.extend((*kind == JoinKind::Left).then_some(DataType::Boolean));
                (Work::UnitJoin(Arc::new(terms)), types)
            }
            Source::UnitAggregate {
                input: below_groups,
                keys,
                functions,
            } => {
                let below = below(below_groups)?;
                let types: Vec<_> = shape.columns.types().into_iter().map(planner_type).collect();
                let terms = unit_aggregate::Terms {
                    keys: keys.clone(),
                    functions: functions.clone(),
                    ranges: shape.columns.0[keys.len()..]
                        .iter()
                        .map(|column| column.range)
                        .collect(),
                    types: types.clone(),
                    rows: below.unit.max_rows_per_unit,
                };
                (Work::UnitAggregate(Arc::new(terms)), types)
            }
        };
        if types.len() != shape.columns.0.len() {
            return Err(ExecutionError::Internal);
        }
        fields.extend(types.into_iter().enumerate().map(|(at, kind)| numbered(at, kind)));
        let schema = Arc::new(Schema::new(fields));
        Ok(Self::assemble(Arc::new(spec), Arc::new(work), inputs, schema))
    }

    /// What it is made of.
    pub(crate) fn spec(&self) -> &SourceSpec {
        &self.spec
    }

    fn assemble(
        spec: Arc<SourceSpec>,
        work: Arc<Work>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        schema: SchemaRef,
    ) -> Self {
        let partitions = inputs
            .first()
            .map_or(1, |input| input.output_partitioning().partition_count());
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self {
            spec,
            work,
            inputs,
            schema,
            properties,
        }
    }
}

/// What a plan node is made of, if it is one of these operators.
pub(crate) fn source_of(plan: &dyn ExecutionPlan) -> Option<&SourceSpec> {
    (plan as &dyn Any)
        .downcast_ref::<SourceExec>()
        .map(SourceExec::spec)
}

impl DisplayAs for SourceExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = match *self.work {
            Work::Filter(_) => "filter",
            Work::PublicJoin(_) => "public join",
            Work::UnitJoin(_) => "unit join",
            Work::UnitAggregate(_) => "unit aggregate",
        };
        write!(f, "SourceExec: {work}")
    }
}

impl ExecutionPlan for SourceExec {
    fn name(&self) -> &'static str {
        "SourceExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true; self.inputs.len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        if children.len() != self.inputs.len() {
            return Err(DataFusionError::External(Box::new(ExecutionError::Internal)));
        }
        let (spec, work) = (Arc::clone(&self.spec), Arc::clone(&self.work));
        let schema = Arc::clone(&self.schema);
        Ok(Arc::new(Self::assemble(spec, work, children, schema)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let mode = datafusion_physical_plan::execution_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(mode))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let batches = input.execute(partition, Arc::clone(&context))?;
            inputs.push(batches.map_err(ExecutionError::from).boxed());
        }
        let mut inputs = inputs.into_iter();
        let mut input = || {
            let none = DataFusionError::External(Box::new(ExecutionError::Internal));
            inputs.next().ok_or(none)
        };
        let schema = Arc::clone(&self.schema);
        let batches: Batches = match &*self.work {
            Work::Filter(condition) => filter::run(input()?, condition.clone()),
            Work::PublicJoin(side) => public_join::run(input()?, Arc::clone(side), schema),
            Work::UnitJoin(terms) => unit_join::run(input()?, input()?, Arc::clone(terms), schema),
            Work::UnitAggregate(terms) => unit_aggregate::run(input()?, Arc::clone(terms), schema),
        };
        let batches = batches.map_err(|error| DataFusionError::External(Box::new(error)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        )))
    }
}

/// The units of a batch and its other columns.
fn parts(batch: &RecordBatch) -> Result<(&UInt64Array, &[ArrayRef]), ExecutionError> {
    let (units, columns) = batch.columns().split_first().ok_or(ExecutionError::Internal)?;
    let units = units
        .as_primitive_opt::<UInt64Type>()
        .ok_or(ExecutionError::Internal)?;
    Ok((units, columns))
}

/// The columns of a batch behind the units, told or not.
fn columns_of(batch: &RecordBatch) -> Result<&[ArrayRef], ExecutionError> {
    let (_, columns) = batch.columns().split_first().ok_or(ExecutionError::Internal)?;
    Ok(columns)
}

/// The values of an expression, one a row.
fn values(expr: &ScalarExpr, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, EvalError> {
    eval::evaluate(expr, columns, rows)?.into_array(rows)
}

/// Some rows of columns, in this order; a place that is NULL gives a row of NULLs.
fn rows_of(columns: &[ArrayRef], places: &UInt32Array) -> Result<Vec<ArrayRef>, ExecutionError> {
    let taken = columns
        .iter()
        .map(|column| take(column, places, None).map_err(|_| ExecutionError::Internal));
    taken.collect()
}

/// Each batch of a stream turned into several, one at a time: what a batch becomes need not fit the memory.
fn flat_map<S, I>(
    batches: S,
    mut work: impl FnMut(RecordBatch) -> Result<I, ExecutionError> + Send + 'static,
) -> Batches
where
    S: Stream<Item = Result<RecordBatch, ExecutionError>> + Send + 'static,
    I: Iterator<Item = Result<RecordBatch, ExecutionError>> + Send + 'static,
{
    batches
        .map(move |batch| batch.and_then(&mut work).map(futures::stream::iter))
        .try_flatten()
        .boxed()
}
