//! Any bytes as SQL over a fixed declaration: planned or refused, never a panic, a hang or memory without bound, and a plan
//! is the same after a journey as JSON. libFuzzer ends a text that takes 20 s or 2 GB (`make fuzz`).
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sandbox_plan::Relation;

#[path = "../../sandbox/plan/src/tests/mutation/front.rs"]
mod front;

/// What the front is made of, here and in the test of mutated queries.
mod subject {
    pub(super) use sandbox_plan::{PrivatePlan, Relation, plan, public_queries};
}

static RELATION: LazyLock<Relation> = LazyLock::new(front::relation);

fuzz_target!(|bytes: &[u8]| {
    front::try_bytes(bytes, &RELATION);
});
