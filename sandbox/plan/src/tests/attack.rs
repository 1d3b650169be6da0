//! What somebody learns who may write any SQL and knows everything but one unit. Each test says what the attacker does and
//! what they get; docs/attacks.md lists them all. Noise is off unless it is what the attack meets.

mod difference;
mod key;
mod oracle;
mod order;
mod released;
mod rows;

use std::collections::BTreeMap;

use super::fixture::{Trip, totals};
use crate::{PrivatePlan, Totals};

/// Totals with and without a unit.
fn neighbours(plan: &PrivatePlan, trips: &[Trip], unit: u64) -> (Totals, Totals) {
    let without: Vec<Trip> = trips.iter().filter(|trip| trip.unit != unit).cloned().collect();
    (totals(plan, trips), totals(plan, &without))
}

/// By how much each total differs, those that do not left out: (cell, aggregate) to difference.
fn differences(a: &Totals, b: &Totals) -> BTreeMap<(usize, usize), i128> {
    assert_eq!(a.values.len(), b.values.len(), "the shape tells");
    let count = a.aggregates;
    let pairs = a.values.iter().zip(&b.values).enumerate();
    pairs
        .filter(|(_, (a, b))| a != b)
        .map(|(at, (a, b))| ((at / count, at % count), a - b))
        .collect()
}
