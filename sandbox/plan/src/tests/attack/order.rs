//! The engine's own habits as a channel: the order of rows and of additions, low bits, partitions.

use super::super::fixture::{DISTRICTS, Trip, plan, run, totals, trip, write_city};

fn numbers() -> Vec<Trip> {
    (0..60u64)
        .map(|unit| Trip {
            distance: Some(0.1 + (unit as f64) * 1.000_000_1),
            fare: Some(i64::try_from(unit % 9).unwrap()),
            ..trip(unit, DISTRICTS[usize::try_from(unit % 3).unwrap()])
        })
        .collect()
}

/// Sums of floating-point numbers depend on the order of additions, which tells who is in which file. Learns: nothing, for
/// totals are integers: any number of parts, row groups and threads gives the same.
#[test]
fn the_order_of_additions_does_not_show() {
    let plan =
        plan("SELECT home, SUM(distance), SUM(distance * 0.1), COUNT(*) FROM bike_trips GROUP BY home");
    let folder = tempfile::TempDir::new().unwrap();
    let mut seen = vec![];
    for (units_per_group, threads) in [(1, 1), (2, 3), (7, 2), (60, 1), (5, 9)] {
        seen.push(run(&plan, &write_city(&folder, &numbers(), units_per_group), threads).unwrap());
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
}

/// The order of one unit's rows, which a join or a sort could give away.
#[test]
fn the_order_of_rows_does_not_show() {
    let plan = plan("SELECT district, SUM(distance), COUNT(*) FROM bike_trips GROUP BY district");
    let rows = |order: &[usize]| -> Vec<Trip> {
        order
            .iter()
            .map(|n| Trip {
                distance: Some(0.1 * (*n as f64)),
                ..trip(1, DISTRICTS[n % 3])
            })
            .collect()
    };
    let forward: Vec<usize> = (0..9).collect();
    let backward: Vec<usize> = (0..9).rev().collect();
    assert_eq!(totals(&plan, &rows(&forward)), totals(&plan, &rows(&backward)));
}

/// Mironov's attack reads a value off the low bits that floating-point noise leaves. Learns: nothing; every total is a whole
/// number of grid steps, the same steps for any data, before integer noise is added.
#[test]
fn low_bits_are_cut_off_before_the_noise() {
    let plan = plan("SELECT SUM(distance) FROM bike_trips");
    let of = |distance: f64| {
        let one = Trip {
            distance: Some(distance),
            ..trip(1, "东城")
        };
        totals(&plan, &[one]).values[0]
    };
    let step = plan.parts[0].core.aggregates[0].step();
    let on_grid = 1_000.0;
    for bits in [0.2, 0.5, 0.99] {
        assert_eq!(of(on_grid + bits * step), of(on_grid), "{bits} of a step");
    }
    assert_eq!(of(on_grid + step), of(on_grid) + 1);
    assert_eq!(of(f64::MIN_POSITIVE), 0);
    assert_eq!(of(0.3 - 0.1), of(0.2), "what differs in the last bit is the same");
}

/// A unit whose rows fall into several parts, row groups, batches or partitions would be bounded several times over.
/// Learns: nothing, for it stays one unit or the version is not read at all.
#[test]
fn a_unit_is_not_split() {
    let plan = plan("SELECT COUNT(*) FROM bike_trips");
    let mut trips = numbers();
    trips.extend((0..20_000).map(|_| trip(30, "东城")));
    let folder = tempfile::TempDir::new().unwrap();
    for threads in [1, 2, 8] {
        let parts = write_city(&folder, &trips, 4);
        assert_eq!(
            run(&plan, &parts, threads).unwrap().values,
            [59 + 10],
            "{threads} threads"
        );
    }
    // The same unit in two parts: their ranges touch, and nothing is answered.
    let of = |place: u32, unit: u64| {
        super::super::fixture::write_part_at(
            place,
            &folder.path().join(format!("split{place}")),
            &[&[trip(unit, "东城"), trip(unit + 1, "东城")]],
        )
    };
    let split = [of(0, 1), of(1, 2)];
    let refused = run(&plan, &split, 2).unwrap_err();
    assert_eq!(
        refused,
        crate::ExecutionError::Incident(crate::execute::Incident::RangesOverlap)
    );
}
