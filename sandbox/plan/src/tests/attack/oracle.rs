//! Errors as answers: an expression that fails for the rows of one person and for no other.

use super::super::fixture::{Trip, plan, relation, totals, trip};
use super::{differences, neighbours};
use crate::Rule;

/// A city in which one unit, the target, has values that nobody else has.
fn city() -> Vec<Trip> {
    let mut trips: Vec<Trip> = (10..30).map(|unit| trip(unit, "东城")).collect();
    trips.push(Trip {
        fare: Some(777),
        distance: Some(0.0),
        note: Some("目标 12x"),
        start: Some(i64::MAX),
        day: Some(i32::MAX),
        ..trip(1, "东城")
    });
    trips
}

/// Tries a condition that would stop at the target's row. It must run, give the row no special weight, and be NULL there,
/// which neither keeps the row nor its negation.
fn no_error(condition: &str) {
    for (sql, kept) in [
        (
            format!("SELECT COUNT(*) FROM bike_trips WHERE {condition}"),
            "the condition",
        ),
        (
            format!("SELECT COUNT(*) FROM bike_trips WHERE NOT ({condition})"),
            "its negation",
        ),
    ] {
        let plan = plan(&sql);
        let (with, without) = neighbours(&plan, &city(), 1);
        assert!(differences(&with, &without).is_empty(), "{kept} tells: {sql}");
    }
    // Beside the row, it is one like any other: the same NULL as of a value that is missing.
    let isolated = plan(&format!(
        "SELECT COUNT(*) FROM bike_trips WHERE ({condition}) IS NULL"
    ));
    let (with, without) = neighbours(&isolated, &city(), 1);
    let told: Vec<i128> = differences(&with, &without).into_values().collect();
    assert_eq!(
        told,
        [1],
        "{condition}: one row changes one count by one, and noise covers that"
    );
}

/// `1 / (fare - 777)`: a division by zero for the target alone. Learns: nothing but a count with noise.
#[test]
fn division_by_zero_is_null() {
    no_error("1 / (fare - 777) > -5");
    no_error("5 % (fare - 777) >= -5");
    no_error("mod(5, fare - 777) >= -5");
    no_error("div(5, fare - 777) >= -5");
    no_error("1.0 / distance > -1");
}

/// Arithmetic beyond 64 bits for the target alone.
#[test]
fn overflow_is_null() {
    no_error("CASE WHEN fare = 777 THEN 9223372036854775807 ELSE 0 END + 1 > 0");
    no_error("CASE WHEN fare = 777 THEN 9223372036854775807 ELSE 1 END * 2 > 0");
    no_error("-(CASE WHEN fare = 777 THEN -9223372036854775807 - 1 ELSE 1 END) < 0");
    no_error("abs(CASE WHEN fare = 777 THEN -9223372036854775807 - 1 ELSE 1 END) > 0");
    no_error("CAST(CASE WHEN fare = 777 THEN 1e300 ELSE 1.0 END AS BIGINT) > 0");
    no_error("CAST(CASE WHEN fare = 777 THEN 70000 ELSE 1 END AS SMALLINT) > 0");
    no_error("factorial(fare - 100) > 0");
    no_error("ln(CASE WHEN fare = 777 THEN -1.0 ELSE 1.0 END) = 0");
    no_error("sqrt(CASE WHEN fare = 777 THEN -1.0 ELSE 1.0 END) = 1");
}

/// A cast of a text that is no number, date or time for the target alone.
#[test]
fn casts_of_nonsense_are_null() {
    for (target, good) in [
        ("BIGINT", "'5'"),
        ("DOUBLE", "'5.5'"),
        ("DATE", "'2026-01-31'"),
        ("TIMESTAMP", "'2026-01-31T00:00:00'"),
        ("BOOLEAN", "'true'"),
    ] {
        no_error(&format!(
            "CAST(CASE WHEN fare = 777 THEN note ELSE {good} END AS {target}) = CAST({good} AS {target})"
        ));
    }
    no_error("to_date(CASE WHEN fare = 777 THEN note ELSE '2026-01-31' END) > DATE '2000-01-01'");
    no_error("make_date(2026, CASE WHEN fare = 777 THEN 13 ELSE 1 END, 1) > DATE '2000-01-01'");
}

/// A comparison of a text with a number, by which the planner itself inserts a cast. Learns: what the same cast written out
/// would tell, or a refusal by the text alone.
#[test]
fn casts_that_the_planner_inserts_are_no_errors_either() {
    let mut accepted = 0;
    for condition in [
        "note > 5",
        "note = fare",
        "note + 1 > 0",
        "CASE WHEN fare = 777 THEN note ELSE '5' END = 5",
        "coalesce(note, 5) = 'x'",
        "note BETWEEN 1 AND 9",
        "note IN (1, 2)",
        "start > '2026-13-45'",
        "day = 'never'",
        "start = day",
        "electric = 'maybe'",
        "distance = '1e999'",
    ] {
        let sql = format!("SELECT COUNT(*) FROM bike_trips WHERE {condition}");
        // Refused or not is decided without a row; what is accepted runs over the hostile ones.
        let Ok(plan) = crate::plan(&sql, &relation()) else {
            continue;
        };
        accepted += 1;
        let (with, without) = neighbours(&plan, &city(), 1);
        let told = differences(&with, &without);
        assert!(
            told.values().all(|difference| difference.abs() <= 1),
            "{sql}: {told:?}"
        );
    }
    assert!(accepted >= 3, "{accepted}");
}

/// A pattern that takes long, or does not compile, for the target alone. Learns: nothing; patterns are constants, compiled
/// before the first row, in time linear in the text.
#[test]
fn regular_expressions_are_no_oracle() {
    for pattern in [
        "note",
        "CASE WHEN fare = 777 THEN '(' ELSE 'a' END",
        "concat(note, '(')",
    ] {
        for sql in [
            format!("SELECT COUNT(*) FROM bike_trips WHERE note ~ {pattern}"),
            format!("SELECT COUNT(*) FROM bike_trips WHERE regexp_like(note, {pattern})"),
            format!("SELECT COUNT(*) FROM bike_trips WHERE note LIKE {pattern}"),
        ] {
            assert_eq!(
                crate::plan(&sql, &relation()).unwrap_err().rule,
                Rule::Pattern,
                "{sql}"
            );
        }
    }
    let slow = plan("SELECT COUNT(*) FROM bike_trips WHERE note ~ '(a*)*b'");
    let long: &'static str = Box::leak("a".repeat(4_096).into_boxed_str());
    let of = |note: &'static str| {
        let trips: Vec<Trip> = (0..200)
            .map(|unit| Trip {
                note: Some(note),
                ..trip(unit, "东城")
            })
            .collect();
        let begun = std::time::Instant::now();
        totals(&slow, &trips);
        begun.elapsed()
    };
    let (plain, hostile) = (of("ok"), of(long));
    // 800 KB of text: what backtracking would take years for takes moments.
    assert!(
        hostile < plain + std::time::Duration::from_secs(10),
        "{plain:?} {hostile:?}"
    );
}

/// Texts and times that no calendar and no memory has room for.
#[test]
fn long_texts_and_times_out_of_range_are_null() {
    no_error("char_length(repeat('x', CASE WHEN fare = 777 THEN 5000 ELSE 1 END)) > 0");
    no_error("char_length(lpad('x', CASE WHEN fare = 777 THEN 1000000000 ELSE 1 END, 'y')) > 0");
    no_error("char_length(chr(CASE WHEN fare = 777 THEN 55296 ELSE 65 END)) > 0");
    let plan = plan(
        "SELECT COUNT(date_add(day, 1)), COUNT(date_trunc('week', start)), COUNT(start + INTERVAL '300 years'), \
         COUNT(last_day(day)) FROM bike_trips",
    );
    let (with, without) = neighbours(&plan, &city(), 1);
    for difference in differences(&with, &without).into_values() {
        assert!((0..=1).contains(&difference), "{difference}");
    }
}
