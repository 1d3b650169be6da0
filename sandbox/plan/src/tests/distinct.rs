//! COUNT(DISTINCT x): of each unit at most m values in a cell, chosen by keyed hash; then each value once.

use proptest::prelude::*;
use tempfile::TempDir;

use super::fixture::{DISTRICTS, Trip, cases, plan, relation, relation_with, run, totals, trip, write_city};
use crate::plan::{AggregateFunction, MAX_DISTINCT_PER_UNIT, distinct_spread};
use crate::{PrivatePlan, Rule};

fn fare(unit: u64, district: &'static str, fare: i64) -> Trip {
    Trip {
        fare: Some(fare),
        ..trip(unit, district)
    }
}

/// The only aggregate's totals, cell by cell.
fn counts(plan: &PrivatePlan, trips: &[Trip]) -> Vec<i128> {
    assert_eq!(plan.parts[0].core.aggregates.len(), 1);
    totals(plan, trips).values
}

#[test]
fn each_value_counts_once_whoever_has_it() {
    let by_district = plan("SELECT district, COUNT(DISTINCT fare) AS n FROM bike_trips GROUP BY district");
    let trips = [
        fare(1, "东城", 7),
        fare(1, "东城", 7),
        fare(2, "东城", 7),
        fare(3, "东城", 9),
        fare(3, "西城", 9),
        Trip {
            fare: None,
            ..fare(4, "西城", 0)
        },
    ];
    assert_eq!(counts(&by_district, &trips), [2, 1, 0, 0, 0]);
    let all = plan("SELECT COUNT(DISTINCT fare) AS n FROM bike_trips");
    assert_eq!(counts(&all, &trips), [2]);
    let one = plan("SELECT COUNT(DISTINCT fare) FILTER (WHERE district = '西城') AS n FROM bike_trips");
    assert_eq!(counts(&one, &trips), [1]);
}

#[test]
fn every_type_has_values() {
    let trips = [
        Trip {
            distance: Some(0.0),
            ..trip(1, "东城")
        },
        Trip {
            distance: Some(-0.0),
            ..trip(2, "西城")
        },
        Trip {
            distance: None,
            ..trip(3, "东城")
        },
    ];
    for (x, expected) in [
        ("distance", 1),
        ("district", 2),
        ("electric", 1),
        ("date_trunc('month', start)", 1),
        ("day", 1),
        ("upper(note)", 1),
        ("CAST(NULL AS TEXT)", 0),
    ] {
        let sql = format!("SELECT COUNT(DISTINCT {x}) AS n FROM bike_trips");
        assert_eq!(counts(&plan(&sql), &trips), [expected], "{x}");
    }
}

#[test]
fn of_one_unit_no_more_than_said_count() {
    let all = plan("SELECT COUNT(DISTINCT fare) AS n FROM bike_trips");
    let many: Vec<Trip> = (0..10).map(|n| fare(1, "东城", n)).collect();
    let most = i128::from(MAX_DISTINCT_PER_UNIT);
    assert_eq!(counts(&all, &many), [most]);
    // Which of them does not depend on where they stand.
    let mut backwards = many.clone();
    backwards.reverse();
    let both: Vec<Trip> = many
        .iter()
        .cloned()
        .chain((0..10).map(|n| fare(2, "东城", n)))
        .collect();
    let chosen = counts(&all, &both)[0];
    backwards.extend((0..10).rev().map(|n| fare(2, "东城", n)));
    assert_eq!(counts(&all, &backwards), [chosen]);
    // Two units need not choose the same ones.
    assert!((most..=2 * most).contains(&chosen));
    // A declaration of fewer rows is a tighter bound than m.
    let sparse = crate::plan(
        "SELECT COUNT(DISTINCT fare) AS n FROM bike_trips",
        &relation_with(2),
    )
    .unwrap();
    assert_eq!(sparse.parts[0].core.aggregates[0].unit_most, 2);
}

#[test]
fn what_is_charged_is_what_a_unit_can_do() {
    // R = 10 rows fill ⌈10/5⌉ = 2 cells with five values each: Δ² = 2 · 25.
    let plan = plan("SELECT district, COUNT(DISTINCT fare) AS n FROM bike_trips GROUP BY district");
    assert_eq!(plan.parts[0].core.unit.max_rows_per_unit, 10);
    assert_eq!(plan.parts[0].core.aggregates[0].sensitivity_squared(), 50);
    assert_eq!(distinct_spread(&plan.parts[0].core.unit, 5, 5), 2);
    // A plan that was tampered with on its way pays for less, and is not run.
    let mut cheap = plan.parts[0].core.clone();
    cheap.aggregates[0].spread = 1;
    assert!(cheap.check().is_err());
    let mut greedy = plan.parts[0].core.clone();
    greedy.aggregates[0].function = AggregateFunction::CountDistinct {
        of: match &greedy.aggregates[0].function {
            AggregateFunction::CountDistinct { of, .. } => of.clone(),
            other => panic!("{other:?}"),
        },
        per_unit: MAX_DISTINCT_PER_UNIT + 1,
    };
    assert!(greedy.check().is_err());
}

#[test]
fn more_units_have_fewer_values_each_and_too_many_none() {
    let with_units = |units: u64| {
        let mut relation = relation();
        let mut json = serde_json::to_value(&relation.metadata).unwrap();
        json["unit"]["max_units"] = units.into();
        json["unit"]["max_rows"] = (units * 10).into();
        relation.metadata = serde_json::from_value(json).unwrap();
        crate::plan(
            "SELECT district, COUNT(DISTINCT fare) AS n FROM bike_trips GROUP BY district",
            &relation,
        )
    };
    let per_unit = |units| match with_units(units).unwrap().parts[0].core.aggregates[0].function {
        AggregateFunction::CountDistinct { per_unit, .. } => per_unit,
        ref other => panic!("{other:?}"),
    };
    assert_eq!((per_unit(100_000), per_unit(1_000_000)), (5, 3));
    assert_eq!(with_units(10_000_000).unwrap_err().rule, Rule::DistinctCells);
}

fn any_trip() -> impl Strategy<Value = Trip> {
    (0..8u64, 0..3usize, 0..12i64).prop_map(|(unit, district, x)| fare(unit, DISTRICTS[district], x))
}

proptest! {
    #![proptest_config(cases(48))]

    /// Noise off: in no cell a unit changes more than m, in all cells together no more than is charged, and neither
    /// threads nor row groups show.
    #[test]
    fn removing_a_unit_changes_no_more_than_charged(
        trips in prop::collection::vec(any_trip(), 0..90),
        gone in 0..8u64,
        rows_per_unit in prop_oneof![Just(1u32), Just(3), Just(50)],
        by in prop_oneof![Just("district"), Just("home"), Just("date_part('hour', start), district")],
    ) {
        let relation = relation_with(rows_per_unit);
        let sql = format!("SELECT {by}, COUNT(DISTINCT fare) AS n, COUNT(*) AS rows FROM bike_trips GROUP BY {by}");
        let plan = crate::plan(&sql, &relation).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let folder = TempDir::new().unwrap();
        let parts = write_city(&folder, &trips, 3);
        let all = run(&plan, &parts, 3).unwrap();
        prop_assert_eq!(&all.values, &run(&plan, &parts, 1).unwrap().values);
        let without: Vec<Trip> = trips.iter().filter(|trip| trip.unit != gone).cloned().collect();
        let folder = TempDir::new().unwrap();
        let less = run(&plan, &write_city(&folder, &without, 4), 2).unwrap();
        for (at, aggregate) in plan.parts[0].core.aggregates.iter().enumerate() {
            let of = |values: &[i128]| -> Vec<i128> {
                values.iter().copied().skip(at).step_by(plan.parts[0].core.aggregates.len()).collect()
            };
            let changes = of(&all.values).into_iter().zip(of(&less.values)).map(|(a, b)| a - b);
            let changes: Vec<i128> = changes.collect();
            prop_assert!(changes.iter().all(|change| (0..=i128::from(aggregate.unit_most)).contains(change)));
            let norm: u128 = changes.iter().map(|change| change.unsigned_abs().pow(2)).sum();
            prop_assert!(norm <= aggregate.sensitivity_squared(), "{norm} in {:?}", aggregate.function);
        }
    }
}
