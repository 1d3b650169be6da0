//! Keys without a declared domain: cells are found, and those of few units never leave the worker.

use proptest::prelude::*;
use tempfile::TempDir;

use super::fixture::{
    SECRET, Trip, cases, granted, key, plan, relation, relation_with, run, shown, totals, trip, write_city,
};
use crate::execute::{ExecutionError, execute_within};
use crate::plan::{AggregateFunction, KeyCells, KeyValue, MAX_OPEN_TEXT, MAX_REPLY, MIN_FOUND_UNITS, Passes};
use crate::{Noised, PrivatePlan, Rule, Totals};
use model::FieldType;

fn noted(unit: u64, note: &'static str) -> Trip {
    Trip {
        note: Some(note),
        ..trip(unit, "东城")
    }
}

fn names(totals: &Totals) -> Vec<Vec<KeyValue>> {
    totals.found.clone().unwrap()
}

fn text(text: &str) -> KeyValue {
    KeyValue::Text(text.to_owned())
}

#[test]
fn only_cells_of_ten_units_leave_the_worker() {
    let plan = plan("SELECT note, COUNT(*) AS n FROM bike_trips GROUP BY note");
    assert_eq!(plan.parts[0].core.keys[0].cells, KeyCells::Open(FieldType::Text));
    let units = plan.parts[0].core.units_aggregate().unwrap();
    assert_eq!(
        plan.parts[0].core.aggregates.len(),
        2,
        "a hidden count of units is charged too"
    );
    assert_eq!(plan.output.len(), 2, "and not shown");
    let mut trips = vec![];
    for unit in 0..12 {
        trips.push(noted(unit, "common"));
        trips.push(noted(unit, "common"));
    }
    trips.extend((20..30).map(|unit| noted(unit, "just")));
    trips.extend((40..49).map(|unit| noted(unit, "few")));
    // A hundred rows of one unit are one unit.
    trips.extend((0..10).map(|_| noted(60, "loud")));
    trips.extend((70..81).map(|unit| Trip {
        note: None,
        ..trip(unit, "东城")
    }));
    let found = totals(&plan, &trips);
    assert_eq!(
        names(&found),
        [[text("common")], [text("just")], [KeyValue::Null]]
    );
    let counts: Vec<i128> = (0..3).map(|cell| found.get(cell, units).unwrap()).collect();
    assert_eq!(counts, [12, 10, 11]);
    let rows = 1 - units;
    assert_eq!(found.get(0, rows), Some(24));
}

/// Many units are declared, so several passes could be needed; how many are made does not show.
#[test]
fn one_pass_and_several_find_the_same() {
    let mut relation = relation();
    let mut json = serde_json::to_value(&relation.metadata).unwrap();
    (json["unit"]["max_units"], json["unit"]["max_rows"]) = (1_000_000.into(), 10_000_000.into());
    relation.metadata = serde_json::from_value(json).unwrap();
    let sql = "SELECT note, fare, COUNT(*) AS n, SUM(distance) AS d FROM bike_trips GROUP BY note, fare";
    let plan = crate::plan(sql, &relation).unwrap();
    assert!(plan.parts[0].core.passes() > 1);
    let notes = ["a", "b", "c", "d", "e"];
    let trips: Vec<Trip> = (0..400u64)
        .map(|row| Trip {
            fare: Some(i64::try_from(row % 3).unwrap()),
            distance: Some(row as f64),
            ..noted(row / 4, notes[(row % 5) as usize])
        })
        .collect();
    let folder = TempDir::new().unwrap();
    let granted = [granted(&write_city(&folder, &trips, 7), &key())];
    let core = &plan.parts[0].core;
    let within = |room, passes| execute_within(core, &granted, &SECRET, 3, (room, passes)).unwrap();
    let passes = |sieve, shares| Passes { sieve, shares };
    let one = within(u64::MAX, core.found_passes());
    assert!(one.found.as_ref().unwrap().len() > 10);
    assert_eq!(within(0, core.found_passes()), one);
    assert_eq!(within(3_000, core.found_passes()), one);
    // However few buckets a sieve has, it lets all through that have enough units.
    for shares in [1, 3] {
        assert_eq!(within(0, passes(None, shares)), one);
        for buckets in [1, 2, 16, 1 << 20] {
            assert_eq!(within(0, passes(Some(buckets), shares)), one, "{buckets} buckets");
        }
    }
    for wrong in [0, 3, 1 << 28] {
        let refused = execute_within(core, &granted, &SECRET, 3, (0, passes(Some(wrong), 1)));
        assert_eq!(refused.unwrap_err(), ExecutionError::Internal, "{wrong} buckets");
    }
}

/// Of very many units very many cells could have ten: a sieve goes before the passes, and how many units a cell needs follows from
/// what an answer can hold.
#[test]
fn very_many_units_need_more_in_a_cell() {
    let of = |units: u64| {
        let mut relation = relation();
        let mut json = serde_json::to_value(&relation.metadata).unwrap();
        json["unit"]["max_units"] = units.into();
        json["unit"]["max_rows"] = (units * 10).into();
        relation.metadata = serde_json::from_value(json).unwrap();
        let sql = "SELECT note, COUNT(*) AS n FROM bike_trips GROUP BY note";
        crate::plan(sql, &relation).unwrap().parts.remove(0).core
    };
    let few = of(1_000);
    assert_eq!(few.least_units(), MIN_FOUND_UNITS);
    assert_eq!((few.found_passes().sieve, few.passes()), (None, 1));
    let many = of(5_000_000);
    assert!((20..40).contains(&many.least_units()), "{}", many.least_units());
    assert!((MAX_REPLY / 10 * 9..=MAX_REPLY).contains(&many.reply_bytes()));
    let passes = many.found_passes();
    assert_eq!(passes.sieve, Some(1 << 25));
    assert!(passes.shares <= 4, "{passes:?}");
    let mut forged = many.clone();
    forged.cells += 1;
    assert!(forged.check().is_err());
}

#[test]
fn declared_and_undeclared_keys_go_together() {
    let plan = plan(
        "SELECT district, note, date_part('hour', start) AS hour, COUNT(DISTINCT person_id) AS units \
         FROM bike_trips GROUP BY 1, 2, 3",
    );
    assert_eq!(
        plan.parts[0].core.aggregates.len(),
        1,
        "the count that is asked for decides"
    );
    let mut trips: Vec<Trip> = (0..10).map(|unit| noted(unit, "a")).collect();
    trips.extend((10..20).map(|unit| Trip {
        district: Some("火星"),
        start: None,
        ..noted(unit, "a")
    }));
    let found = totals(&plan, &trips);
    let shown: Vec<Vec<KeyValue>> = names(&found);
    assert_eq!(shown.len(), 2);
    let keys = &plan.parts[0].core.keys;
    let open = keys
        .iter()
        .position(|key| matches!(key.cells, KeyCells::Open(_)))
        .unwrap();
    assert!(shown.iter().all(|cell| cell[open] == text("a")), "{shown:?}");
    assert!(shown.iter().flatten().any(|value| *value == KeyValue::Other));
    for (cell, key) in shown.iter().flat_map(|cell| cell.iter().zip(keys)) {
        assert!(key.cells.can_hold(cell));
    }
}

#[test]
fn what_the_number_of_partitions_is_does_not_show() {
    let plan = plan("SELECT note, day, SUM(fare) FROM bike_trips GROUP BY note, day");
    let notes = ["a", "b", "c"];
    let trips: Vec<Trip> = (0..120)
        .map(|unit| Trip {
            day: Some(i32::try_from(unit % 2).unwrap()),
            ..noted(unit, notes[usize::try_from(unit % 3).unwrap()])
        })
        .collect();
    let folder = TempDir::new().unwrap();
    let parts = write_city(&folder, &trips, 7);
    let one = run(&plan, &parts, 1).unwrap();
    assert_eq!(names(&one).len(), 6);
    for threads in [2, 3, 9] {
        assert_eq!(run(&plan, &parts, threads).unwrap(), one);
    }
}

#[test]
fn a_unit_is_in_few_undeclared_cells() {
    let relation = relation_with(100);
    let plan = crate::plan("SELECT start, COUNT(*) FROM bike_trips GROUP BY start", &relation).unwrap();
    assert_eq!(plan.parts[0].core.groups_per_unit, 5);
    let trips: Vec<Trip> = (0..20)
        .flat_map(|unit| {
            (0..30).map(move |minute| Trip {
                start: Some(minute * 60_000_000),
                ..trip(unit, "东城")
            })
        })
        .collect();
    let folder = TempDir::new().unwrap();
    let found = run(&plan, &write_city(&folder, &trips, 3), 2).unwrap();
    let units = plan.parts[0].core.units_aggregate().unwrap();
    let all: i128 = (0..).map_while(|cell| found.get(cell, units)).sum();
    assert!(all <= 20 * 5, "{all}");
}

#[test]
fn long_texts_are_no_keys_and_fractions_neither() {
    let long: &'static str = Box::leak("长".repeat(MAX_OPEN_TEXT).into_boxed_str());
    let plan = plan("SELECT note, COUNT(*) FROM bike_trips GROUP BY note");
    let trips: Vec<Trip> = (0..10).map(|unit| noted(unit, long)).collect();
    assert_eq!(names(&totals(&plan, &trips)), [[KeyValue::Null]]);
    let rule = |sql: &str| crate::plan(sql, &relation()).unwrap_err().rule;
    assert_eq!(
        rule("SELECT distance, COUNT(*) FROM bike_trips GROUP BY distance"),
        Rule::UndeclaredDomain
    );
}

#[test]
fn an_answer_is_made_of_the_cells_that_are_shown() {
    let plan: PrivatePlan =
        plan("SELECT note, COUNT(*) AS n FROM bike_trips GROUP BY note HAVING COUNT(*) > 5 ORDER BY n DESC");
    let units = plan.parts[0].core.units_aggregate().unwrap();
    assert_eq!(
        plan.parts[0].core.aggregates[units].function,
        AggregateFunction::CountUnits
    );
    let found = [vec![text("b")], vec![KeyValue::Null], vec![text("a")]];
    let mut totals = vec![];
    for rows in [7, 3, 9] {
        let mut cell = [20, 20];
        cell[1 - units] = rows;
        totals.extend(cell);
    }
    let noised = Noised {
        totals: &totals,
        picked: &[],
        found: Some(&found),
    };
    let (_, shown) = shown(&plan, noised);
    let notes: Vec<Option<&str>> = arrow::array::AsArray::as_string::<i32>(&shown[0])
        .iter()
        .collect();
    assert_eq!(notes, [Some("a"), Some("b")]);
    let nameless = Noised {
        found: None,
        ..noised
    };
    assert!(plan.release(&[nameless]).is_err(), "keys are needed");
    let short = Noised {
        totals: &totals[1..],
        ..noised
    };
    assert!(plan.release(&[short]).is_err());
    assert!(plan.release(&[]).is_err());
    assert!(plan.release(&[noised, noised]).is_err());
}

fn any_trip() -> impl Strategy<Value = Trip> {
    let notes = prop_oneof![
        Just("a"),
        Just("b"),
        Just("c"),
        Just("d"),
        Just("e"),
        Just("f"),
        Just("g")
    ];
    (0..40u64, notes, 0..2_000i64).prop_map(|(unit, note, fare)| Trip {
        fare: Some(fare),
        ..noted(unit, note)
    })
}

proptest! {
    #![proptest_config(cases(48))]

    /// Noise off. On cells that are there with and without a unit the totals differ by no more than is declared; at most C
    /// cells are there with it alone, and those have ten units exactly: the ones that the noised threshold hides.
    #[test]
    fn removing_a_unit_changes_no_more_than_declared(
        trips in prop::collection::vec(any_trip(), 0..400),
        gone in 0..40u64,
        rows_per_unit in prop_oneof![Just(2u32), Just(50)],
    ) {
        let relation = relation_with(rows_per_unit);
        let sql = "SELECT note, COUNT(*), SUM(fare) FROM bike_trips GROUP BY note";
        let plan = crate::plan(sql, &relation).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let units = plan.parts[0].core.units_aggregate().unwrap();
        let folder = TempDir::new().unwrap();
        let all = run(&plan, &write_city(&folder, &trips, 5), 2).unwrap();
        let without: Vec<Trip> = trips.iter().filter(|trip| trip.unit != gone).cloned().collect();
        let folder = TempDir::new().unwrap();
        let less = run(&plan, &write_city(&folder, &without, 4), 1).unwrap();
        let place = |totals: &Totals, name: &Vec<KeyValue>| -> Option<u32> {
            let at = totals.found.as_ref()?.iter().position(|other| other == name)?;
            u32::try_from(at).ok()
        };
        let mut alone = 0;
        let mut norms = vec![0u128; all.aggregates];
        for (cell, name) in (0..).zip(all.found.as_ref().unwrap()) {
            match place(&less, name) {
                Some(other) => for (at, norm) in norms.iter_mut().enumerate() {
                    let difference = all.get(cell, at).unwrap() - less.get(other, at).unwrap();
                    *norm += difference.unsigned_abs().pow(2);
                },
                None => {
                    alone += 1;
                    prop_assert_eq!(all.get(cell, units), Some(MIN_FOUND_UNITS));
                }
            }
        }
        prop_assert!(alone <= plan.parts[0].core.groups_per_unit);
        for name in less.found.as_ref().unwrap() {
            prop_assert!(place(&all, name).is_some(), "a unit more hides nothing");
        }
        for (norm, aggregate) in norms.into_iter().zip(&plan.parts[0].core.aggregates) {
            prop_assert!(norm <= aggregate.sensitivity_squared());
        }
    }
}
