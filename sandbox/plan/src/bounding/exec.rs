//! Bounding as an operator of a physical plan.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Decimal128Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
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

use super::{Bounding, GroupKeySecret, Partial, Pass, Sieve};
use crate::execute::ExecutionError;
use crate::plan::PlanCore;

/// The plan node: takes rows in unit order, gives one batch per partition with the exact totals of every cell.
#[derive(Debug)]
pub struct BoundingExec {
    core: Arc<PlanCore>,
    secret: GroupKeySecret,
    pass: Pass,
    /// What a sieve has found before; it does not travel.
    sieve: Option<Arc<Sieve>>,
    input: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl BoundingExec {
    /// Bounds the rows of `input`, a scan in unit order.
    pub fn new(
        core: Arc<PlanCore>,
        secret: GroupKeySecret,
        pass: Pass,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        let total = |at| Field::new(format!("total_{at}"), DataType::Decimal128(38, 0), false);
        let mut fields: Vec<_> = (0..core.aggregates.len()).map(total).collect();
        // The name of a found cell, or the counts and distinct values of a listed one.
        fields.push(Field::new("cell", DataType::Binary, false));
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
            pass,
            sieve: None,
            input,
            schema,
            properties,
        }
    }

    /// The same, without the cells that a sieve does not let through.
    #[must_use]
    pub fn sieved(self, sieve: Option<Arc<Sieve>>) -> Self {
        Self { sieve, ..self }
    }
}

impl BoundingExec {
    /// What it is made of, beside its input.
    pub(crate) fn spec(&self) -> (&PlanCore, Pass) {
        (&self.core, self.pass)
    }
}

impl DisplayAs for BoundingExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cells, groups) = (self.core.cells, self.core.groups_per_unit);
        write!(f, "BoundingExec: cells={cells}, groups_per_unit={groups}")
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
            (Some(input), true) => {
                let (core, secret) = (Arc::clone(&self.core), self.secret.clone());
                let replaced = Self::new(core, secret, self.pass, input);
                Ok(Arc::new(replaced.sieved(self.sieve.clone())))
            }
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
        let external = |error: ExecutionError| DataFusionError::External(Box::new(error));
        let bounding = Bounding::new(&self.core, self.secret.clone(), self.pass).map_err(external)?;
        let mut bounding = bounding.sieved(self.sieve.clone());
        let schema = Arc::clone(&self.schema);
        let work = async move {
            while let Some(batch) = input.next().await {
                bounding.push(&batch?).map_err(external)?;
            }
            let core = Arc::clone(&bounding.core);
            let count = core.aggregates.len();
            let (totals, names): (Vec<i128>, BinaryArray) = match bounding.finish() {
                Partial::Listed {
                    totals,
                    counted,
                    distinct,
                } => {
                    let candidates = core.candidates();
                    let bytes = |cell: usize| -> Vec<u8> {
                        let of_cell = &counted[cell * candidates..(cell + 1) * candidates];
                        of_cell.iter().flat_map(|count| count.to_le_bytes()).collect()
                    };
                    let mut names: Vec<Vec<u8>> = (0..core.cells as usize).map(bytes).collect();
                    for (cell, aggregate, value) in distinct {
                        let name = &mut names[cell as usize];
                        name.extend(aggregate.to_le_bytes());
                        name.extend(value.to_le_bytes());
                    }
                    (totals, BinaryArray::from_iter_values(names))
                }
                Partial::Found(cells) => (cells.totals, cells.names),
                Partial::Sieved(counts) => (vec![0; count], BinaryArray::from_iter_values([counts])),
            };
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(count + 1);
            for at in 0..count {
                let values = totals.iter().skip(at).step_by(count).copied();
                let array = Decimal128Array::from_iter_values(values).with_precision_and_scale(38, 0)?;
                columns.push(Arc::new(array));
            }
            columns.push(Arc::new(names));
            Ok(RecordBatch::try_new(schema, columns)?)
        };
        let stream = futures::stream::once(work);
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream,
        )))
    }
}

/// The plan that a node bounds for, if it is this operator.
pub(crate) fn bounded(plan: &dyn ExecutionPlan) -> Option<&PlanCore> {
    (plan as &dyn Any)
        .downcast_ref::<BoundingExec>()
        .map(|bounding| bounding.spec().0)
}

/// Whether a node counts by hashes alone.
pub(crate) fn sieves(plan: &dyn ExecutionPlan) -> bool {
    let bounding = (plan as &dyn Any).downcast_ref::<BoundingExec>();
    bounding.is_some_and(|bounding| matches!(bounding.pass, Pass::Sieve { .. }))
}
