//! The planner's side: one query, one decision, and the end.

use std::io::{Read, Write};

use sandbox_plan::{MAX_PLAN, PrivatePlan, PublicQuery, PublicTable, Refusal, Relation};
use serde::{Deserialize, Serialize};

use crate::{frame, isolation};

/// The largest request to a planner, in bytes: the declarations of a project's datasets, with long domains, fit.
pub const MAX_PLAN_REQUEST: usize = 64 * 1024 * 1024;

/// The largest answer of a planner, in bytes: the longest plan, and what stands around it.
pub const MAX_PLANNED: usize = MAX_PLAN + 1024;

/// One query for a planner.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// The query.
    pub sql: String,
    /// The protected datasets that it may name.
    pub protected: Vec<Relation>,
    /// The public relations that it needs, frozen; none as long as nobody has asked which.
    pub public: Option<Vec<PublicTable>>,
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// Processor time, in seconds.
    pub cpu_seconds: u64,
}

/// What a query comes to that is not refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Planned {
    /// Its plan.
    Plan(Box<PrivatePlan>),
    /// It is to be planned once these are frozen.
    Needs(Vec<PublicQuery>),
}

impl PlanRequest {
    /// A query over protected datasets, of which nobody has asked yet what else it needs.
    pub fn new(sql: &str, protected: Vec<Relation>) -> Self {
        Self {
            sql: sql.to_owned(),
            protected,
            public: None,
            memory_bytes: 0,
            cpu_seconds: 0,
        }
    }

    /// Decides on the query, in the process that calls it.
    ///
    /// # Errors
    /// A [`Refusal`] with the rule that it breaks.
    pub fn decide(&self) -> Result<Planned, Refusal> {
        let public = match &self.public {
            Some(public) => public.as_slice(),
            None => {
                let needed = sandbox_plan::public_queries(&self.sql, &self.protected)?;
                if !needed.is_empty() {
                    return Ok(Planned::Needs(needed));
                }
                &[]
            }
        };
        let tables = sandbox_plan::Tables {
            protected: &self.protected,
            public,
        };
        let plan = sandbox_plan::plan(&self.sql, tables)?;
        Ok(Planned::Plan(Box::new(plan)))
    }
}

/// Serves one request as the process it runs in: shuts itself in, reads the request, answers, returns.
///
/// Call it first thing in `main`: it closes every inherited file and limits the whole process for good.
///
/// # Errors
/// If the pipe breaks, the request is none, or the process cannot be shut in; the parent sees that there is no answer.
pub fn run_planner(mut stdin: impl Read, mut stdout: impl Write) -> std::io::Result<()> {
    isolation::enter()?;
    let payload = frame::read(&mut stdin, MAX_PLAN_REQUEST)?;
    let request: PlanRequest = serde_json::from_slice(&payload)?;
    isolation::limit(request.memory_bytes, request.cpu_seconds)?;
    // Both depend on the kernel; the limit on open files does not.
    isolation::confine_files(&[]);
    isolation::filter_calls();
    isolation::open_no_files()?;
    let answer = serde_json::to_vec(&request.decide())?;
    frame::write(&mut stdout, &answer, MAX_PLANNED)?;
    crate::process::hang_up();
    Ok(())
}
