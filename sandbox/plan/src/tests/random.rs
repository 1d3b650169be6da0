//! White box over random plans, noise off: whatever the query and the rows, all rows of one unit, in all datasets, change
//! the exact totals by no more than the noise is calibrated to, and no more cells than the threshold's δ pays for.

pub(super) mod query;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use self::query::{AGGREGATES, Tape, query};
use super::fixture::{DISTRICTS, SECRET, Trip, cases, key, noised, trip};
use super::world::world_of;
use crate::bounding::Pass;
use crate::execute::{physical_plan, run_physical};
use crate::plan::MIN_FOUND_UNITS;
use crate::release::{Noised, Picks};
use crate::source::Source;
use crate::wire::Operator;
use crate::{Arrangement, KeyValue, PlanCore, PrivatePlan, Totals};

/// The most numbers that a query is made of.
const TAPE: usize = 90;

fn any_trip() -> impl Strategy<Value = Trip> {
    let district = prop_oneof![
        3 => (0..3usize).prop_map(|d| Some(DISTRICTS[d])),
        1 => Just(None),
        1 => Just(Some("火星"))
    ];
    let distance = prop_oneof![
        6 => (-10.0..30_000.0f64).prop_map(Some),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
        1 => Just(Some(f64::INFINITY)),
        1 => Just(Some(-1e300)),
        1 => Just(Some(-0.0))
    ];
    let fare = prop_oneof![
        6 => (-10..3_000i64).prop_map(Some),
        1 => Just(None),
        1 => Just(Some(i64::MIN)),
        1 => Just(Some(i64::MAX))
    ];
    let start = prop_oneof![
        3 => (0..2_000_000_000_000_000i64).prop_map(Some),
        1 => Just(None),
        1 => Just(Some(i64::MIN)),
        1 => Just(Some(i64::MAX)),
        2 => Just(Some(1_700_000_000_000_000))
    ];
    let day = prop_oneof![2 => Just(Some(19_675)), 1 => Just(None), 1 => any::<i32>().prop_map(Some)];
    let note = prop_oneof![
        4 => Just(Some("a")),
        4 => Just(Some("b")),
        1 => Just(None),
        1 => Just(Some("")),
        1 => Just(Some("城abc城")),
        1 => Just(Some("12"))
    ];
    let electric = prop_oneof![2 => any::<bool>().prop_map(Some), 1 => Just(None)];
    (0..16u64, district, distance, fare, start, day, note, electric).prop_map(
        |(unit, district, distance, fare, start, day, note, electric)| Trip {
            unit,
            district,
            distance,
            fare,
            start,
            day,
            note,
            electric,
            ..trip(unit, "东城")
        },
    )
}

/// The cells of totals by name, empty ones left out: a listed cell that nobody is in and one that is not found are the
/// same here.
fn by_cell(core: &PlanCore, totals: &Totals) -> BTreeMap<Vec<KeyValue>, Vec<i128>> {
    let count = totals.aggregates;
    let cells = totals.values.chunks_exact(count.max(1)).map(<[i128]>::to_vec);
    match &totals.found {
        Some(found) => found.iter().cloned().zip(cells).collect(),
        None => (0..core.cells).map(|cell| core.cell(cell)).zip(cells).collect(),
    }
}

/// What one unit changed, checked against all that is declared of it.
fn check(plan: &PrivatePlan, with: &[Totals], without: &[Totals]) -> Result<(), TestCaseError> {
    prop_assert_eq!((with.len(), without.len()), (plan.parts.len(), plan.parts.len()));
    let mut joint = 0.0;
    for (at, (with, without)) in with.iter().zip(without).enumerate() {
        joint += check_part(plan, at, with, without)?;
    }
    // Jointly, as σ assumes it: Σ |difference|² / (A · Δ²) ≤ 1 over all aggregates of all parts.
    prop_assert!(joint <= 1.0 + 1e-9, "{joint}");
    Ok(())
}

/// The same of one part; returns what it adds to the joint norm.
fn check_part(
    plan: &PrivatePlan,
    part: usize,
    with: &Totals,
    without: &Totals,
) -> Result<f64, TestCaseError> {
    let core = &plan.parts[part].core;
    let (all, less) = (by_cell(core, with), by_cell(core, without));
    let mut norms = vec![0u128; core.aggregates.len()];
    let (mut touched, mut alone) = (BTreeSet::new(), 0);
    for (name, values) in &all {
        let Some(before) = less.get(name) else {
            // Only found cells can be there on one side alone; such a one has ten units exactly.
            alone += 1;
            prop_assert_eq!(values[core.units_aggregate().unwrap()], MIN_FOUND_UNITS);
            touched.insert(name.clone());
            continue;
        };
        for ((norm, value), before) in norms.iter_mut().zip(values).zip(before) {
            *norm += (value - before).unsigned_abs().pow(2);
        }
        if values != before {
            touched.insert(name.clone());
        }
    }
    for name in less.keys() {
        prop_assert!(all.contains_key(name), "a unit more hides nothing");
    }
    prop_assert!(alone == 0 || core.is_open());
    for (norm, aggregate) in norms.iter().zip(&core.aggregates) {
        let most = aggregate.sensitivity_squared();
        prop_assert!(*norm <= most, "{norm} > {most} in {:?}", aggregate.function);
    }
    let joint: f64 = (0..norms.len())
        .map(|at| norms[at] as f64 / plan.noise_sensitivity_squared(part, at).unwrap().max(1) as f64)
        .sum();
    let candidates = core.candidates();
    let changed: Vec<(usize, u64)> = with
        .counted
        .iter()
        .zip(&without.counted)
        .enumerate()
        .filter(|(_, (a, b))| a != b)
        .map(|(at, (a, b))| (at, a.abs_diff(*b)))
        .collect();
    touched.extend(
        changed
            .iter()
            .map(|(at, _)| core.cell(u32::try_from(at / candidates).unwrap())),
    );
    prop_assert!(
        touched.len() <= core.groups_per_unit as usize,
        "{} cells for C = {}",
        touched.len(),
        core.groups_per_unit
    );
    // Of each quantile at most R values, in all cells together.
    let mut first = 0;
    for quantile in &core.quantiles {
        let count = quantile.candidates.count() as usize;
        let own = |at: usize| (first..first + count).contains(&(at % candidates));
        let rows: u64 = changed.iter().filter(|(at, _)| own(*at)).map(|(_, n)| n).sum();
        prop_assert!(rows <= u64::from(core.unit.max_rows_per_unit), "{rows} values");
        first += count;
    }
    for totals in [with, without] {
        for values in totals.values.chunks_exact(core.aggregates.len().max(1)) {
            for (aggregate, total) in core.aggregates.iter().zip(values) {
                prop_assert_eq!(core.clamp_total(aggregate, *total), *total, "a true total is cut");
            }
        }
    }
    Ok(joint)
}

/// What stands above the noise takes any totals.
fn release(plan: &PrivatePlan, totals: &[Totals]) -> Result<(), TestCaseError> {
    let pick = Picks {
        low: 0,
        middle: 0,
        high: 0,
    };
    let picks = |core: &PlanCore| vec![pick; core.cells as usize * core.quantiles.len()];
    let picked: Vec<Vec<Picks>> = plan.parts.iter().map(|part| picks(&part.core)).collect();
    let parts = totals.iter().zip(&picked);
    let all: Vec<Noised<'_>> = parts.map(|(totals, picked)| noised(totals, picked)).collect();
    let failed = |error| TestCaseError::fail(format!("{error:?}"));
    let released = plan.release(&all).map_err(failed)?;
    let most = plan.most_rows();
    prop_assert!(
        released.len() as u64 <= most,
        "{} rows, at most {most}",
        released.len()
    );
    let shown = plan.output_columns(&released).map_err(failed)?;
    prop_assert_eq!(shown.len(), plan.output.len());
    Ok(())
}

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn one_unit_changes_no_more_than_is_charged(
        tape in prop::collection::vec(any::<u16>(), TAPE),
        trips in prop::collection::vec(any_trip(), 0..120),
        rides in prop::collection::vec(any_trip(), 0..30),
        loud in prop::collection::vec(any_trip(), 0..20),
        rows_per_unit in prop_oneof![Just(1u32), Just(2), Just(7), Just(100)],
        gone in 0..16u64,
        threads in 1..4usize,
    ) {
        let sql = query(&mut Tape::new(&tape));
        let world = world_of(rows_per_unit);
        // What is refused reads nothing.
        let Ok(plan) = world.plan(&sql) else { return Ok(()) };
        // The unit that comes and goes has rows enough to pass every bound.
        let mut trips = trips;
        trips.extend(loud.into_iter().map(|row| Trip { unit: gone, home: trip(gone, "东城").home, ..row }));
        let without = |rows: &[Trip]| -> Vec<Trip> {
            rows.iter().filter(|trip| trip.unit != gone).cloned().collect()
        };
        let with = world.all_totals(&plan, &trips, &rides, threads);
        let less = world.all_totals(&plan, &without(&trips), &without(&rides), 1);
        let told = |error| match error {
            TestCaseError::Fail(why) => TestCaseError::fail(format!("{why}\n{sql}")),
            other => other,
        };
        check(&plan, &with, &less).map_err(told)?;
        release(&plan, &with).map_err(told)?;
    }
}

/// A check that cannot fail would prove nothing: each of its bounds is passed once, by one.
#[test]
fn a_unit_that_changes_more_is_found_out() {
    let world = world_of(7);
    let check = |plan: &PrivatePlan, with: &Totals, less: &Totals| {
        check(plan, std::slice::from_ref(with), std::slice::from_ref(less))
    };
    let plan = world
        .plan("SELECT district, COUNT(*), MEDIAN(LEAST(fare, 9)) FROM bike_trips GROUP BY district")
        .unwrap();
    let core = &plan.parts[0].core;
    let base = Totals {
        aggregates: core.aggregates.len(),
        values: vec![100; core.cells as usize * core.aggregates.len()],
        counted: vec![100; core.cells as usize * core.candidates()],
        found: None,
    };
    assert!(check(&plan, &base, &base).is_ok());
    let most = i128::from(core.aggregates[0].unit_most);
    for (more, fits) in [(most, true), (most + 1, false)] {
        let mut with = base.clone();
        with.values[0] += more;
        assert_eq!(check(&plan, &with, &base).is_ok(), fits, "{more} rows");
    }
    for (rows, fits) in [(7, true), (8, false)] {
        let mut with = base.clone();
        with.counted[3] += rows;
        assert_eq!(check(&plan, &with, &base).is_ok(), fits, "{rows} values");
    }
    // All five cells are as many as C: one group a unit is what `home` allows.
    let fixed = world
        .plan("SELECT home, COUNT(*) FROM bike_trips GROUP BY home")
        .unwrap();
    let base = Totals {
        aggregates: 1,
        values: vec![100; fixed.parts[0].core.cells as usize],
        counted: vec![],
        found: None,
    };
    let mut with = base.clone();
    with.values[0] += 1;
    assert!(check(&fixed, &with, &base).is_ok());
    with.values[1] += 1;
    assert!(check(&fixed, &with, &base).is_err(), "two cells for C = 1");
    let open = world
        .plan("SELECT note, COUNT(DISTINCT person_id) FROM bike_trips GROUP BY note")
        .unwrap();
    let found = |cells: usize, units: i128| Totals {
        aggregates: 1,
        values: vec![units; cells],
        counted: vec![],
        found: Some(
            (0..cells)
                .map(|cell| vec![KeyValue::Text(cell.to_string())])
                .collect(),
        ),
    };
    assert!(check(&open, &found(5, 10), &found(0, 10)).is_ok());
    assert!(
        check(&open, &found(6, 10), &found(0, 10)).is_err(),
        "six new cells"
    );
    assert!(
        check(&open, &found(1, 11), &found(0, 11)).is_err(),
        "a new cell of eleven units"
    );
    assert!(
        check(&open, &found(0, 10), &found(1, 10)).is_err(),
        "a cell that goes"
    );
}

/// Plans of random queries, always the same ones.
fn plans(count: usize) -> (Vec<(String, PrivatePlan)>, BTreeMap<&'static str, usize>) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(cases(1), rng);
    let tapes = prop::collection::vec(any::<u16>(), TAPE);
    let world = world_of(7);
    let (mut accepted, mut refused) = (vec![], BTreeMap::new());
    for _ in 0..count {
        let tape = tapes.new_tree(&mut runner).unwrap().current();
        let sql = query(&mut Tape::new(&tape));
        match world.plan(&sql) {
            Ok(plan) => accepted.push((sql, plan)),
            Err(refusal) => *refused.entry(refusal.rule.id()).or_insert(0) += 1,
        }
    }
    (accepted, refused)
}

fn sources(of: &Source) -> Vec<&'static str> {
    let own = match of {
        Source::Scan(_) => "scan",
        Source::Filter { .. } => "filter",
        Source::PublicJoin { .. } => "public join",
        Source::UnitJoin { .. } => "unit join",
        Source::UnitAggregate { .. } => "unit aggregate",
    };
    let mut all = vec![own];
    all.extend(of.inputs().into_iter().flat_map(sources));
    all
}

#[test]
fn random_queries_reach_the_whole_language() {
    // A property over queries that are all refused would prove nothing.
    let (accepted, refused) = plans(600);
    assert!(
        accepted.len() > 360,
        "{} of 600 are accepted: {refused:?}",
        accepted.len()
    );
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (sql, plan) in &accepted {
        for part in &plan.parts {
            seen.extend(sources(&part.core.source).into_iter().map(str::to_owned));
        }
        for word in
            AGGREGATES
                .iter()
                .chain(&["CASE", "HAVING", "ORDER BY", "LIMIT", "SEMI", "ANTI", "LEFT JOIN"])
        {
            if sql.contains(word) {
                seen.insert((*word).to_owned());
            }
        }
        let shapes = [
            ("sets", plan.parts[0].sets.is_some()),
            ("several parts", plan.parts.len() > 1),
            (
                "one part twice",
                plan.leaves.len() > plan.parts.len() + plan.public.len(),
            ),
            ("public above", !plan.public.is_empty()),
            ("stack", matches!(&plan.arrangement, Arrangement::Stack(_))),
            (
                "join above",
                matches!(&plan.arrangement, Arrangement::Join { .. }),
            ),
            ("open", plan.parts[0].core.is_open()),
            ("quantile", !plan.parts[0].core.quantiles.is_empty()),
            (
                "distinct values",
                plan.parts[0]
                    .core
                    .aggregates
                    .iter()
                    .any(|a| a.function.is_distinct()),
            ),
            ("where", plan.parts[0].core.filter.is_some()),
            ("several groups", plan.parts[0].core.groups_per_unit > 1),
            ("one group", plan.parts[0].core.groups_per_unit == 1),
            ("several tables", plan.parts[0].core.tables.len() > 1),
        ];
        seen.extend(
            shapes
                .iter()
                .filter(|(_, is)| *is)
                .map(|(name, _)| (*name).to_owned()),
        );
    }
    let wanted = [
        "several parts",
        "one part twice",
        "public above",
        "stack",
        "join above",
        "distinct values",
        "scan",
        "public join",
        "unit join",
        "unit aggregate",
        "sets",
        "open",
        "quantile",
        "where",
        "several groups",
        "one group",
        "several tables",
        "CASE",
        "HAVING",
        "ORDER BY",
        "LIMIT",
        "SEMI",
        "ANTI",
        "LEFT JOIN",
    ];
    let missing: Vec<&&str> = AGGREGATES
        .iter()
        .chain(&wanted)
        .filter(|name| !seen.contains(**name))
        .collect();
    assert!(
        missing.is_empty(),
        "{missing:?} never come up; refused: {refused:?}"
    );
}

#[test]
fn plans_are_the_same_after_a_journey_as_json() {
    for (sql, plan) in plans(200).0 {
        let text = serde_json::to_string(&plan).unwrap();
        let back: PrivatePlan = serde_json::from_str(&text).unwrap();
        assert_eq!(back, plan, "{sql}");
        assert_eq!(back.hash(), plan.hash(), "{sql}");
        assert!(back.check().is_ok(), "{sql}");
    }
}

/// A physical plan taken apart, sent node by node, and put together again.
fn sent(plan: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let inputs: Vec<_> = plan.children().into_iter().map(sent).collect();
    let text = serde_json::to_string(&Operator::of(plan.as_ref()).unwrap()).unwrap();
    let operator: Operator = serde_json::from_str(&text).unwrap();
    operator.open(&inputs, |_| Some(key()), &SECRET).unwrap()
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn physical_plans_are_the_same_after_a_journey(
        tape in prop::collection::vec(any::<u16>(), TAPE),
        trips in prop::collection::vec(any_trip(), 0..120),
        rides in prop::collection::vec(any_trip(), 0..30),
        threads in 1..4usize,
    ) {
        let sql = query(&mut Tape::new(&tape));
        let world = world_of(7);
        let Ok(plan) = world.plan(&sql) else { return Ok(()) };
        for part in &plan.parts {
            let (granted, _folders) = world.granted(&part.core, &trips, &rides);
            let pass = Pass::Whole { room: u64::MAX };
            let here = physical_plan(&part.core, &granted, &SECRET, threads, pass).unwrap();
            let there = sent(&here);
            prop_assert_eq!(
                run_physical(&part.core, &there).unwrap(),
                run_physical(&part.core, &here).unwrap(),
                "{}", sql
            );
        }
    }
}
