//! Medians and quantiles: values are counted by public candidate; one is picked by the server.

use proptest::prelude::*;
use tempfile::TempDir;

use super::fixture::{
    DISTRICTS, Trip, cases, plan, relation, relation_with, run, shown, totals, trip, write_city,
};
use crate::plan::{Candidates, MAX_ALL_CANDIDATES, MAX_CANDIDATES, Quantile};
use crate::release::{Noised, Picks};
use crate::{Measure, PrivatePlan, ReleasedColumn, Rule, Totals};

fn fare(unit: u64, district: &'static str, fare: i64) -> Trip {
    Trip {
        fare: Some(fare),
        ..trip(unit, district)
    }
}

/// The counts that are not zero, by cell and candidate's value.
fn counted(plan: &PrivatePlan, totals: &Totals) -> Vec<(usize, f64, u64)> {
    let candidates = plan.parts[0].core.candidates();
    let of = |quantile: &Quantile, at: usize| quantile.candidates.value(u32::try_from(at).unwrap());
    let [quantile] = plan.parts[0].core.quantiles.as_slice() else {
        panic!("one quantile")
    };
    totals
        .counted
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(at, count)| (at / candidates, of(quantile, at % candidates), *count))
        .collect()
}

#[test]
fn values_are_counted_by_candidate() {
    let plan = plan("SELECT district, MEDIAN(fare) AS m FROM bike_trips WHERE fare < 1500 GROUP BY district");
    let [quantile] = plan.parts[0].core.quantiles.as_slice() else {
        panic!("one quantile")
    };
    assert_eq!(quantile.rank, 500);
    assert_eq!(
        quantile.candidates,
        Candidates::Integer {
            lo: 0,
            step: 1,
            count: 2_001
        }
    );
    assert_eq!(
        plan.parts[0].core.aggregates.len(),
        1,
        "the rows that have a value are counted too"
    );
    let trips = [
        fare(1, "东城", 7),
        fare(2, "东城", 7),
        fare(3, "西城", 9),
        fare(3, "西城", 1_600),
        Trip {
            fare: None,
            ..fare(4, "西城", 0)
        },
        // Beyond the declared bounds: clamped by the scan.
        fare(5, "东城", -40),
    ];
    let found = totals(&plan, &trips);
    assert_eq!(counted(&plan, &found), [(0, 0.0, 1), (0, 7.0, 2), (1, 9.0, 1)]);
}

#[test]
fn candidates_are_spread_over_the_bounds() {
    let of = |sql: &str| plan(sql).parts[0].core.quantiles[0].candidates;
    let wide = of("SELECT QUANTILE(fare * 1000, 0.9) FROM bike_trips");
    assert!(
        wide.count() <= MAX_CANDIDATES && wide.count() > MAX_CANDIDATES / 2,
        "{wide:?}"
    );
    let numbers = of("SELECT MEDIAN(distance) FROM bike_trips");
    assert_eq!(numbers.count(), MAX_CANDIDATES);
    assert!((numbers.value(MAX_CANDIDATES - 1) - 20_000.0).abs() < 1e-6);
    // More cells, fewer candidates in each.
    let spread =
        plan("SELECT district, date_part('hour', start), MEDIAN(distance) FROM bike_trips GROUP BY 1, 2");
    let all = spread.parts[0].core.cells * spread.parts[0].core.quantiles[0].candidates.count();
    assert!(all <= MAX_ALL_CANDIDATES && all > MAX_ALL_CANDIDATES / 2, "{all}");
    assert_eq!(of("SELECT QUANTILE(fare, 0.25) FROM bike_trips").count(), 2_001);
    assert_eq!(
        plan("SELECT QUANTILE(fare, 0.25) FROM bike_trips").parts[0]
            .core
            .quantiles[0]
            .rank,
        250
    );
    let both = plan("SELECT MEDIAN(distance), QUANTILE(distance, 0.5), AVG(distance) FROM bike_trips");
    assert_eq!(
        (both.parts[0].core.quantiles.len(), both.parts[0].core.shares()),
        (1, 3),
        "the same twice is one"
    );
}

#[test]
fn what_has_no_quantile_is_refused() {
    for (sql, rule) in [
        ("SELECT MEDIAN(free) FROM bike_trips", Rule::MissingBounds),
        (
            "SELECT note, MEDIAN(fare) FROM bike_trips GROUP BY note",
            Rule::QuantileCells,
        ),
        (
            "SELECT note, MEDIAN(fare) FROM bike_trips GROUP BY ROLLUP (note)",
            Rule::QuantileCells,
        ),
        (
            "SELECT fare, MEDIAN(fare) FROM bike_trips GROUP BY fare",
            Rule::TooManyCells,
        ),
        (
            "SELECT QUANTILE(fare, 1.5) FROM bike_trips",
            Rule::UnsupportedExpression,
        ),
        (
            "SELECT QUANTILE(fare, distance) FROM bike_trips",
            Rule::UnsupportedExpression,
        ),
        (
            "SELECT MEDIAN(DISTINCT fare) FROM bike_trips",
            Rule::DistinctValues,
        ),
        ("SELECT MEDIAN(note) FROM bike_trips", Rule::UnsupportedExpression),
        ("SELECT MEDIAN(person_id) FROM bike_trips", Rule::UnitKey),
        (
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY fare) FROM bike_trips",
            Rule::UnboundedAggregate,
        ),
    ] {
        let refused = crate::plan(sql, &relation()).map(|_| ()).unwrap_err();
        assert_eq!(refused.rule, rule, "{sql}");
    }
}

#[test]
fn what_is_picked_is_shown() {
    let plan =
        plan("SELECT district, MEDIAN(fare) AS m FROM bike_trips GROUP BY district ORDER BY m DESC LIMIT 2");
    assert_eq!(
        plan.released[1],
        ReleasedColumn::Measure {
            leaf: 0,
            measure: Measure::Quantile { place: 0, count: 0 }
        }
    );
    let picked: Vec<Picks> = [10, 30, 20, 0, 0]
        .map(|middle| Picks {
            low: middle,
            middle,
            high: middle + 5,
        })
        .to_vec();
    let counts = [100; 5];
    let noised = Noised {
        totals: &counts,
        picked: &picked,
        found: None,
    };
    let (released, shown) = shown(&plan, noised);
    let medians = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&shown[1]);
    assert_eq!(medians.values(), &[30, 20]);
    let of_row = |row| released.figure(&plan, 1, row).unwrap().picked[0];
    assert_eq!([of_row(0).high, of_row(1).high], [35, 25]);
    let short = Noised {
        picked: &picked[1..],
        ..noised
    };
    assert!(plan.release(&[short]).is_err());
}

fn any_trip() -> impl Strategy<Value = Trip> {
    (0..10u64, 0..3usize, -50..2_500i64).prop_map(|(unit, district, x)| fare(unit, DISTRICTS[district], x))
}

proptest! {
    #![proptest_config(cases(48))]

    /// Noise off: a unit changes the counts of all cells together by at most its declared rows, as `privacy::quantile`
    /// assumes, and of at most C cells.
    #[test]
    fn removing_a_unit_changes_no_more_than_declared(
        trips in prop::collection::vec(any_trip(), 0..80),
        gone in 0..10u64,
        rows_per_unit in prop_oneof![Just(1u32), Just(3), Just(50)],
        by in prop_oneof![Just("district"), Just("home"), Just("date_part('hour', start), district")],
    ) {
        let relation = relation_with(rows_per_unit);
        let sql = format!("SELECT {by}, MEDIAN(fare), COUNT(*) FROM bike_trips GROUP BY {by}");
        let plan = crate::plan(&sql, &relation).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let folder = TempDir::new().unwrap();
        let all = run(&plan, &write_city(&folder, &trips, 3), 2).unwrap();
        let without: Vec<Trip> = trips.iter().filter(|trip| trip.unit != gone).cloned().collect();
        let folder = TempDir::new().unwrap();
        let less = run(&plan, &write_city(&folder, &without, 4), 1).unwrap();
        let changed = all.counted.iter().zip(&less.counted);
        let rows: u64 = changed.clone().map(|(a, b)| a.abs_diff(*b)).sum();
        prop_assert!(rows <= u64::from(plan.parts[0].core.unit.max_rows_per_unit), "{rows}");
        let mut cells: Vec<usize> = changed
            .enumerate()
            .filter(|(_, (a, b))| a != b)
            .map(|(at, _)| at / plan.parts[0].core.candidates())
            .collect();
        cells.dedup();
        prop_assert!(cells.len() <= plan.parts[0].core.groups_per_unit as usize);
    }
}
