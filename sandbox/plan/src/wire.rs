//! The physical operators of a private plan as values that can be sent: what each is made of beside its inputs, and back.
//!
//! A scan carries its grant, which is the table, the columns and the parts, but not the data key; bounding not the secret by which groups
//! are chosen. Both are attached where the operator is opened, so that a plan on its way, or in a log, opens nothing.

use std::any::Any;
use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use model::VersionId;
use seal::DataKey;
use serde::{Deserialize, Serialize};

use crate::bounding::{BoundingExec, GroupKeySecret, Pass};
use crate::execute::ExecutionError;
use crate::operator::{SourceExec, SourceSpec};
use crate::plan::PlanCore;
use crate::scan::{Cut, Part, UnitScanExec};
use crate::source::ScanTable;

/// An operator on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Operator(Kind);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Kind {
    Bounding {
        core: Box<PlanCore>,
        pass: Pass,
    },
    Source(Box<SourceSpec>),
    Scan {
        table: Box<ScanTable>,
        parts: Vec<Part>,
        cuts: Vec<u64>,
        tells_units: bool,
    },
}

impl Operator {
    /// What a node is made of; `None` if it is none of ours.
    pub fn of(node: &dyn ExecutionPlan) -> Option<Self> {
        let node = node as &dyn Any;
        let kind = if let Some(bounding) = node.downcast_ref::<BoundingExec>() {
            let (core, pass) = bounding.spec();
            Kind::Bounding {
                core: Box::new(core.clone()),
                pass,
            }
        } else if let Some(source) = node.downcast_ref::<SourceExec>() {
            Kind::Source(Box::new(source.spec().clone()))
        } else {
            let scan = node.downcast_ref::<UnitScanExec>()?;
            let (table, parts) = scan.grant();
            Kind::Scan {
                table: Box::new(table.clone()),
                parts: parts.to_vec(),
                cuts: scan.cuts(),
                tells_units: scan.tells_units(),
            }
        };
        Some(Self(kind))
    }

    /// The node again, over its inputs. `key` gives the data keys that were granted, and `secret` chooses groups.
    ///
    /// # Errors
    /// [`ExecutionError`] if the operator does not fit its inputs, a plan does not hold together, a key was not granted, or a
    /// part is not what its grant says.
    pub fn open(
        self,
        inputs: &[Arc<dyn ExecutionPlan>],
        key: impl FnOnce(VersionId) -> Option<DataKey>,
        secret: &GroupKeySecret,
    ) -> Result<Arc<dyn ExecutionPlan>, ExecutionError> {
        Ok(match (self.0, inputs) {
            (Kind::Bounding { core, pass }, [input]) => {
                core.check()?;
                let (core, input) = (Arc::new(*core), Arc::clone(input));
                Arc::new(BoundingExec::new(core, secret.clone(), pass, input))
            }
            (Kind::Source(spec), inputs) => Arc::new(SourceExec::new(*spec, inputs.to_vec())?),
            (
                Kind::Scan {
                    table,
                    parts,
                    cuts,
                    tells_units,
                },
                [],
            ) => {
                let key = key(table.version).ok_or(ExecutionError::NoKey)?;
                let scan = UnitScanExec::open(&table, &parts, &key, Cut::At(&cuts))?;
                Arc::new(if tells_units { scan } else { scan.without_units() })
            }
            _ => return Err(ExecutionError::Internal),
        })
    }
}
