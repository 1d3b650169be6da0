//! Keys as answers: which values there are, and in which cells somebody is.

use super::super::fixture::{DISTRICTS, Trip, noised, plan, relation, totals, trip};
use super::{differences, neighbours};
use crate::plan::MIN_FOUND_UNITS;
use crate::{KeyValue, PrivatePlan};

fn noted(unit: u64, note: &'static str) -> Trip {
    Trip {
        note: Some(note),
        ..trip(unit, "东城")
    }
}

fn names(plan: &PrivatePlan, trips: &[Trip]) -> Vec<Vec<KeyValue>> {
    totals(plan, trips).found.unwrap()
}

/// Grouping by a text that only the target has. Learns: nothing, not even to somebody who reads the worker's pipe.
#[test]
fn rare_keys_do_not_leave_the_worker() {
    let plan = plan("SELECT note, COUNT(*) FROM bike_trips GROUP BY note");
    let mut trips: Vec<Trip> = (10..40).map(|unit| noted(unit, "common")).collect();
    let before = names(&plan, &trips);
    trips.extend((0..10).map(|_| noted(1, "the target's own words")));
    assert_eq!(names(&plan, &trips), before);
    for units in 1..10u64 {
        let trips: Vec<Trip> = (0..units).map(|unit| noted(unit, "few")).collect();
        assert!(names(&plan, &trips).is_empty(), "{units}");
    }
}

/// Nine units of a key and the target as the tenth. Learns: the exact count decides only which cells are looked at; whether
/// one is shown is decided by the noised count, far above ten. The tail of what that leaves is computed in
/// crates/privacy/src/threshold.rs.
#[test]
fn nine_and_ten_differ_by_a_cell_that_the_threshold_hides() {
    let plan = plan("SELECT note, COUNT(*) FROM bike_trips GROUP BY note");
    let of = |units: u64| -> Vec<Trip> { (0..units).map(|unit| noted(unit, "edge")).collect() };
    let (nine, ten) = (totals(&plan, &of(9)), totals(&plan, &of(10)));
    assert_eq!(nine.found.unwrap().len(), 0);
    assert_eq!(ten.found.as_ref().unwrap().len(), 1);
    let units = plan.parts[0].core.units_aggregate().unwrap();
    assert_eq!(ten.get(0, units), Some(MIN_FOUND_UNITS));
    // The count of units that the threshold looks at is charged like the others, with a σ above one unit.
    assert!(plan.expected_error(0, units, 0.004).unwrap() > 10.0);
    let shown: Vec<_> = plan.output.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(shown.len(), 2, "and it is not shown: {shown:?}");
}

/// Whether a cell of a declared key is empty. Learns: nothing, for all cells are there, and there are as many with data as
/// without.
#[test]
fn empty_groups_are_there_as_well() {
    let plan = plan("SELECT district, electric, COUNT(*) FROM bike_trips GROUP BY district, electric");
    let one = vec![trip(1, "东城")];
    let (with, without) = neighbours(&plan, &one, 1);
    assert_eq!(with.values.len(), without.values.len());
    for totals in [&with, &without] {
        let released = plan.release(&[noised(totals, &[])]).unwrap();
        assert_eq!(released.len(), plan.parts[0].core.cells as usize);
    }
    assert_eq!(
        plan.parts[0].core.cells, 15,
        "three districts, other and NULL, by false, true and NULL"
    );
    assert_eq!(differences(&with, &without).len(), 1);
    // HAVING and LIMIT work on noised totals, so a cell that they drop is not known to be empty.
    let filtered = super::super::fixture::plan(
        "SELECT district, COUNT(*) FROM bike_trips GROUP BY district HAVING COUNT(*) = 0",
    );
    assert!(
        matches!(&filtered.arrangement, crate::Arrangement::Steps { steps, .. } if steps.len() == 1),
        "what stands above the noise is applied to it"
    );
}

/// Whether anybody did anything in some month. Learns: nothing, for all months between the times that are asked about are there,
/// and what they are is told by the query alone.
#[test]
fn months_without_anybody_are_there_as_well() {
    let plan = plan(
        "SELECT date_trunc('month', start) AS month, COUNT(*) FROM bike_trips \
         WHERE start >= '2023-01-01' AND start < '2024-01-01' GROUP BY 1",
    );
    // In November.
    let one = vec![trip(1, "东城")];
    let (with, without) = neighbours(&plan, &one, 1);
    assert_eq!(differences(&with, &without).len(), 1);
    for totals in [&with, &without] {
        assert!(totals.found.is_none());
        let released = plan.release(&[noised(totals, &[])]).unwrap();
        assert_eq!(released.len(), 12, "all months");
    }
}

/// NULL, NaN and values outside the declared domain as marks of one person. Learns: they have cells of their own or share
/// one, bounded like any other.
#[test]
fn unusual_values_are_in_cells_like_any_other() {
    let plan = plan("SELECT district, COUNT(*), COUNT(distance) FROM bike_trips GROUP BY district");
    for (district, distance) in [
        (None, None),
        (Some("火星"), Some(f64::NAN)),
        (Some("nowhere"), Some(f64::INFINITY)),
        (Some(""), Some(-0.0)),
    ] {
        let mut trips: Vec<Trip> = (10..20).map(|unit| trip(unit, "东城")).collect();
        trips.extend((0..50).map(|_| Trip {
            district,
            distance,
            ..trip(1, "东城")
        }));
        let (with, without) = neighbours(&plan, &trips, 1);
        let told = differences(&with, &without);
        assert!(
            told.keys()
                .all(|(cell, _)| *cell == told.keys().next().unwrap().0),
            "{told:?}"
        );
        assert!(
            told.values().all(|difference| (1..=10).contains(difference)),
            "{told:?}"
        );
    }
}

/// Metadata as an oracle: a plan, its cells, its price and its deadline come from the declaration. Learns: the same of two
/// versions, whatever is in them; `plan` takes no data, so this test fails only if it is given some.
#[test]
fn plans_know_the_declaration_alone() {
    let sql = "SELECT district, COUNT(*), SUM(fare) FROM bike_trips WHERE fare > 3 GROUP BY district";
    let (first, mut second) = (relation(), relation());
    second.version = model::VersionId::from_uuid(uuid::Uuid::from_u128(77));
    let (a, b) = (
        crate::plan(sql, &first).unwrap(),
        crate::plan(sql, &second).unwrap(),
    );
    assert_ne!(a.hash(), b.hash(), "another version is another question");
    assert_eq!(a.parts[0].core.aggregates, b.parts[0].core.aggregates);
    assert_eq!(
        (a.parts[0].core.cells, a.parts[0].core.groups_per_unit),
        (b.parts[0].core.cells, b.parts[0].core.groups_per_unit)
    );
    assert_eq!(a.parts[0].core.due_in(2), b.parts[0].core.due_in(2));
    assert_eq!(a.showing_cost(), b.showing_cost());
    assert_eq!(a.parts[0].core.reply_bytes(), b.parts[0].core.reply_bytes());
    // What the texts are that a refusal quotes: of the query, never of a row.
    let refused = crate::plan("SELECT COUNT(*) FROM bike_trips WHERE colour = 1", &first).unwrap_err();
    assert_eq!(
        refused,
        crate::plan("SELECT COUNT(*) FROM bike_trips WHERE colour = 1", &second).unwrap_err()
    );
    assert!(
        DISTRICTS
            .iter()
            .all(|district| !format!("{refused:?}").contains(district))
    );
}
