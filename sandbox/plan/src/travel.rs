//! Plans travel as JSON: from the planner to the server, to the database and to workers. A plan that somebody on the way
//! could not read is refused while it costs nothing.

use serde_json::{from_slice, to_vec};

use crate::plan::PrivatePlan;
use crate::refusal::{Planned, Refusal, Rule};

/// The longest plan, in bytes of JSON. A worker takes requests of 16 MiB, of which grants are the rest.
pub const MAX_PLAN: usize = 12 * 1024 * 1024;

/// A plan within messages and rows. They nest it less deeply than this.
type Wrapped<T> = [[[[T; 1]; 1]; 1]; 1];

/// The plan, if it can be read wherever it goes: readers stop at a depth of 128, which a long sum comes to.
pub(crate) fn checked(plan: PrivatePlan) -> Planned<PrivatePlan> {
    let wrapped: Wrapped<&PrivatePlan> = [[[[&plan]]]];
    let text = to_vec(&wrapped).map_err(|_| Refusal::new(Rule::UnsupportedPlan))?;
    if text.len() > MAX_PLAN || from_slice::<Wrapped<PrivatePlan>>(&text).is_err() {
        return Err(Refusal::new(Rule::TooComplex));
    }
    Ok(plan)
}
