//! White box, noise off: on neighbouring datasets the exact totals differ by no more than is declared.

use proptest::prelude::*;
use tempfile::TempDir;

use super::fixture::{DISTRICTS, Trip, cases, relation_with, run, trip, write_city};
use crate::Totals;

fn any_trip() -> impl Strategy<Value = Trip> {
    let district = prop_oneof![
        Just(None),
        Just(Some("火星")),
        (0..3usize).prop_map(|d| Some(DISTRICTS[d]))
    ];
    let distance = prop_oneof![
        Just(None),
        Just(Some(f64::NAN)),
        Just(Some(f64::INFINITY)),
        Just(Some(-1e300)),
        Just(Some(-0.0)),
        (-10.0..30_000.0f64).prop_map(Some)
    ];
    let fare = prop_oneof![
        Just(None),
        Just(Some(i64::MIN)),
        Just(Some(i64::MAX)),
        (-10..3_000i64).prop_map(Some)
    ];
    let start = prop_oneof![
        Just(None),
        Just(Some(i64::MIN)),
        (0..2_000_000_000_000_000i64).prop_map(Some)
    ];
    let electric = prop_oneof![Just(None), any::<bool>().prop_map(Some)];
    (0..12u64, district, distance, fare, start, electric).prop_map(
        |(unit, district, distance, fare, start, electric)| Trip {
            unit,
            district,
            distance,
            fare,
            start,
            electric,
            ..trip(unit, "东城")
        },
    )
}

fn any_query() -> impl Strategy<Value = String> {
    let sums = prop_oneof![
        Just("COUNT(*)"),
        Just("COUNT(distance)"),
        Just("COUNT(DISTINCT person_id)"),
        Just("COUNT(DISTINCT person_id) FILTER (WHERE fare > 50)"),
        Just("SUM(fare)"),
        Just("SUM(distance)"),
        Just("SUM(distance - 10000)"),
        Just("SUM(fare * 3 - 1000)"),
        Just("SUM(distance * fare / 1000.0)"),
        Just("SUM(CASE WHEN electric THEN -fare ELSE distance END)"),
        Just("SUM(fare % 7)"),
        Just("SUM(fare / 3)"),
        Just("SUM(round(distance, 1))"),
        Just("SUM(least(greatest(free, -5), 500))"),
        Just("SUM(sqrt(distance))"),
        Just("SUM(length(note))"),
    ];
    let keys = prop_oneof![
        Just(""),
        Just("district"),
        Just("home"),
        Just("home, district"),
        Just("district, date_part('hour', start)"),
        Just("electric, district"),
        Just("fare % 5"),
        Just("CASE WHEN fare > 1000 THEN 'a' WHEN fare > 10 THEN 'b' END, district"),
    ];
    let filters = prop_oneof![
        Just(""),
        Just("WHERE distance > 100"),
        Just("WHERE fare / (fare - 5) > 1 OR electric"),
        Just("WHERE district IN ('东城', '火星') AND NOT start IS NULL"),
    ];
    (prop::collection::vec(sums, 1..4), keys, filters).prop_map(|(sums, keys, filter)| {
        let group = if keys.is_empty() {
            String::new()
        } else {
            format!("GROUP BY {keys}")
        };
        let sums: Vec<_> = sums
            .iter()
            .enumerate()
            .map(|(n, sum)| format!("{sum} AS a{n}"))
            .collect();
        format!("SELECT {} FROM bike_trips {filter} {group}", sums.join(", "))
    })
}

fn norms(before: &Totals, after: &Totals) -> Vec<u128> {
    (0..before.aggregates)
        .map(|at| {
            let pairs = before
                .values
                .iter()
                .zip(&after.values)
                .skip(at)
                .step_by(before.aggregates);
            pairs.map(|(a, b)| (a - b).unsigned_abs().pow(2)).sum()
        })
        .collect()
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn removing_a_unit_changes_no_more_than_declared(
        sql in any_query(),
        trips in prop::collection::vec(any_trip(), 0..80),
        rows_per_unit in prop_oneof![Just(1u32), Just(2), Just(6), Just(100)],
        gone in 0..12u64,
        units_per_group in 1..6usize,
        threads in 1..4usize,
    ) {
        let relation = relation_with(rows_per_unit);
        let plan = crate::plan(&sql, &relation).map_err(|e| TestCaseError::fail(format!("{sql}: {e}")))?;
        let folder = TempDir::new().unwrap();
        let all = run(&plan, &write_city(&folder, &trips, units_per_group), threads).unwrap();
        let without: Vec<Trip> = trips.iter().filter(|t| t.unit != gone).cloned().collect();
        let folder = TempDir::new().unwrap();
        let less = run(&plan, &write_city(&folder, &without, units_per_group + 1), 1).unwrap();
        for (norm, aggregate) in norms(&all, &less).into_iter().zip(&plan.parts[0].core.aggregates) {
            prop_assert!(
                norm <= aggregate.sensitivity_squared(),
                "{sql}: {norm} > {}", aggregate.sensitivity_squared()
            );
        }
        let touched = (0..plan.parts[0].core.cells).filter(|cell| {
            (0..all.aggregates).any(|at| all.get(*cell, at) != less.get(*cell, at))
        });
        prop_assert!(touched.count() <= plan.parts[0].core.groups_per_unit as usize);
        for (at, aggregate) in plan.parts[0].core.aggregates.iter().enumerate() {
            for cell in 0..plan.parts[0].core.cells {
                let total = all.get(cell, at).unwrap();
                prop_assert_eq!(plan.parts[0].core.clamp_total(aggregate, total), total);
            }
        }
    }
}

#[test]
fn the_bound_is_reached() {
    // A check that cannot fail would prove nothing: the worst unit attains the declared sensitivity.
    let relation = relation_with(6);
    let cases = [
        ("SELECT SUM(fare), COUNT(*) FROM bike_trips", vec![6, 6]),
        (
            "SELECT district, COUNT(DISTINCT person_id) FROM bike_trips GROUP BY 1",
            vec![3],
        ),
    ];
    for (sql, _) in cases {
        let plan = crate::plan(sql, &relation).unwrap();
        let mut trips = vec![trip(9, "东城")];
        for n in 0..6usize {
            let district = [Some("东城"), Some("西城"), Some("南城"), Some("火星"), None, None][n];
            trips.push(Trip {
                district,
                fare: Some(2_000),
                ..trip(1, "东城")
            });
        }
        let folder = TempDir::new().unwrap();
        let all = run(&plan, &write_city(&folder, &trips, 2), 1).unwrap();
        let folder = TempDir::new().unwrap();
        let less = run(&plan, &write_city(&folder, &trips[..1], 2), 1).unwrap();
        for (norm, aggregate) in norms(&all, &less).into_iter().zip(&plan.parts[0].core.aggregates) {
            assert_eq!(norm, aggregate.sensitivity_squared(), "{sql}");
        }
    }
}

#[test]
fn the_groups_of_a_unit_are_chosen_by_its_key_alone() {
    let relation = relation_with(100);
    let sql = "SELECT date_part('hour', start), COUNT(*), COUNT(DISTINCT person_id), COUNT(DISTINCT fare) FROM bike_trips GROUP BY 1";
    let plan = crate::plan(sql, &relation).unwrap();
    let hours = |order: &[i64]| -> Vec<Trip> {
        order
            .iter()
            .map(|h| Trip {
                start: Some(h * 3_600_000_000),
                ..trip(1, "东城")
            })
            .collect()
    };
    let forward: Vec<i64> = (0..24).chain(0..24).collect();
    let backward: Vec<i64> = forward.iter().rev().copied().collect();
    let folder = TempDir::new().unwrap();
    let one = run(&plan, &write_city(&folder, &hours(&forward), 1), 1).unwrap();
    let two = run(&plan, &write_city(&folder, &hours(&backward), 1), 1).unwrap();
    assert_eq!(one, two, "the order of rows within a unit does not show");
    assert_eq!(plan.parts[0].core.groups_per_unit, 5);
    let touched = one.values.chunks(one.aggregates);
    let touched = touched.filter(|cell| cell.iter().any(|total| *total != 0));
    assert_eq!(touched.count(), 5);
    // Of few groups none is left out: what is missing would be more than noise.
    let sql =
        "SELECT date_part('hour', start), COUNT(*), COUNT(DISTINCT person_id) FROM bike_trips GROUP BY 1";
    let plan = crate::plan(sql, &relation).unwrap();
    assert_eq!(plan.parts[0].core.groups_per_unit, 25);
    let folder = TempDir::new().unwrap();
    let few = run(&plan, &write_city(&folder, &hours(&forward), 1), 1).unwrap();
    assert_eq!(few.values.iter().filter(|v| **v != 0).count(), 2 * 24);
    // Where nothing counts units, neither of many.
    let sql = "SELECT date_part('hour', start), COUNT(*) FROM bike_trips GROUP BY 1";
    let plan = crate::plan(sql, &relation).unwrap();
    let folder = TempDir::new().unwrap();
    let all = run(&plan, &write_city(&folder, &hours(&forward), 1), 1).unwrap();
    assert_eq!(all.values.iter().filter(|v| **v == 2).count(), 24);
}

proptest! {
    #![proptest_config(cases(48))]

    /// Adding row by row and adding unit by unit are one, where a unit can be in no more groups than it counts in.
    #[test]
    fn rows_add_as_units_do(
        trips in prop::collection::vec(any_trip(), 0..80),
        rows_per_unit in prop_oneof![Just(1u32), Just(2), Just(6), Just(100)],
        units_per_group in 1..6usize,
        threads in 1..4usize,
    ) {
        let relation = relation_with(rows_per_unit);
        let sums = "COUNT(*), COUNT(distance), SUM(fare), AVG(distance), VAR_POP(distance), SUM(distance * fare / 1000.0)";
        let query = |more: &str| {
            format!("SELECT district, {sums}{more} FROM bike_trips WHERE distance > 100 OR electric GROUP BY 1")
        };
        let by_row = crate::plan(&query(""), &relation).unwrap();
        let by_unit = crate::plan(&query(", COUNT(DISTINCT person_id)"), &relation).unwrap();
        prop_assert!(by_row.parts[0].core.adds_by_row() && !by_unit.parts[0].core.adds_by_row());
        let folder = TempDir::new().unwrap();
        let parts = write_city(&folder, &trips, units_per_group);
        let rows = run(&by_row, &parts, threads).unwrap();
        let units = run(&by_unit, &parts, 1).unwrap();
        for (at, aggregate) in by_row.parts[0].core.aggregates.iter().enumerate() {
            let same = by_unit.parts[0].core.aggregates.iter().position(|other| other == aggregate).unwrap();
            for cell in 0..by_row.parts[0].core.cells {
                prop_assert_eq!(rows.get(cell, at), units.get(cell, same), "{:?}", aggregate.function);
            }
        }
    }
}
