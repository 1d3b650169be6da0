//! The mathematics of the sandbox's promise: what a unit may contribute, how much noise hides it, what it
//! costs.
//!
//! The crate is pure: no I/O but the random bytes that noise needs, no SQL, no clock. Each mechanism has its
//! proof beside it, as module documentation: what is assumed, what is guaranteed, and why.
//!
//! | module | what |
//! |---|---|
//! | [`cost`] | (ρ, δ) as integers; sums are exact |
//! | [`conversion`] | ρ to ε for people, and back |
//! | [`accountant`] | does a charge or an allocation fit the caps |
//! | [`bounds`] | declared ranges, interval arithmetic, fixed-point grids |
//! | [`clip`] | a unit's joint contribution, bounded in integers |
//! | [`allocation`] | one ρ over the aggregates of a job |
//! | [`mechanism`] | discrete Gaussian and Laplace noise |
//! | [`accuracy`] | tails, 95 % intervals, intervals of ratios |
//! | [`threshold`] | keys without a declared domain |
//! | [`disclosure`] | rules for low-sensitivity cells without noise |
//! | [`audit`] | statistical lower bounds on what a mechanism leaks |
//!
//! # The promise
//! Neighbours are two datasets of which one has all rows of one unit more. A mechanism is δ-approximately
//! ρ-zCDP (Bun and Steinke 2016, definition 8.1) when, but for events of probability δ, all Rényi divergences
//! of order α between its outputs on neighbours are at most ρα. Such costs add up under adaptive composition,
//! in both parts (lemma 8.2 there), and do not grow under post-processing.

#[cfg(all(feature = "test-noise", not(debug_assertions)))]
compile_error!("the feature `test-noise` replaces privacy noise and must never be in a release build");

pub mod accountant;
pub mod accuracy;
pub mod allocation;
pub mod audit;
pub mod bounds;
pub mod clip;
pub mod conversion;
pub mod cost;
pub mod disclosure;
pub mod mechanism;
pub mod quantile;
pub mod threshold;

pub use accountant::{Allocation, Caps, Charge, ProjectKey, Refusal, Remaining};
pub use allocation::{AggregateBound, JointPlan, PlanError};
pub use bounds::{BoundsError, Grid, Interval};
pub use clip::JointClip;
pub use cost::{Cost, Delta, Epsilon, Rho};
pub use mechanism::{NoiseError, NoiseSource, OpenDpNoise, Scale};
