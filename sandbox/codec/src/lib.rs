//! Physical private plans as `datafusion-proto` bytes, for workers on other machines.
//!
//! A plan travels with its grants: each scan names its version, columns and parts. Keys and the secret by which groups are chosen do
//! not travel with it; whoever decodes is given them, and a plan over a version whose key was not granted does not open. What was
//! decoded is compared with the private plan that it is to compute before it runs ([`sandbox_plan::execute::run_physical`]).

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::{DataFusionError, Result as PlanResult, internal_err};
use datafusion_execution::TaskContext;
use datafusion_physical_plan::ExecutionPlan;
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use model::VersionId;
use sandbox_plan::ExecutionError;
use sandbox_plan::bounding::GroupKeySecret;
use sandbox_plan::wire::Operator;
use seal::DataKey;

/// Knows the operators of private plans, and no others.
#[derive(Debug)]
pub struct PrivatePlanCodec {
    keys: HashMap<VersionId, DataKey>,
    secret: GroupKeySecret,
}

impl PrivatePlanCodec {
    /// One that opens plans over these versions.
    pub fn new(keys: impl IntoIterator<Item = (VersionId, DataKey)>, secret: GroupKeySecret) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            secret,
        }
    }

    /// The bytes of a plan.
    ///
    /// # Errors
    /// [`ExecutionError::Operator`] names an operator that is none of a private plan's.
    pub fn encode(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<u8>, ExecutionError> {
        let bytes = physical_plan_to_bytes_with_extension_codec(Arc::clone(plan), self)?;
        Ok(bytes.to_vec())
    }

    /// The plan of bytes, its parts opened.
    ///
    /// # Errors
    /// [`ExecutionError::NoKey`] if a version was not granted, [`ExecutionError::Incident`] or [`ExecutionError::Io`] if a part
    /// is not what its grant says or cannot be read, [`ExecutionError::Internal`] if the bytes are no plan.
    pub fn decode(&self, bytes: &[u8]) -> Result<Arc<dyn ExecutionPlan>, ExecutionError> {
        let context = TaskContext::default();
        Ok(physical_plan_from_bytes_with_extension_codec(
            bytes, &context, self,
        )?)
    }
}

impl PhysicalExtensionCodec for PrivatePlanCodec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let Ok(operator) = serde_json::from_slice::<Operator>(bytes) else {
            return internal_err!("not an operator of a private plan");
        };
        let opened = operator.open(inputs, |version| self.keys.get(&version).cloned(), &self.secret);
        opened.map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> PlanResult<()> {
        let refused = || {
            let name = node.name().to_owned();
            DataFusionError::External(Box::new(ExecutionError::Operator(name)))
        };
        let operator = Operator::of(node.as_ref()).ok_or_else(refused)?;
        serde_json::to_writer(bytes, &operator).map_err(|error| DataFusionError::External(Box::new(error)))
    }
}

#[cfg(test)]
mod tests;
