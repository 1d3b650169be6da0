//! Keys made of times, between the times that a query asks about.

use std::time::{Duration, Instant};

use model::FieldType;
use proptest::prelude::*;

use super::fixture::{Trip, cases, plan, totals, trip};
use crate::plan::{KeyCells, KeyValue};

/// The first key's cells.
fn cells(key: &str, filter: &str) -> KeyCells {
    let sql = format!("SELECT {key}, COUNT(*) AS n FROM bike_trips WHERE {filter} GROUP BY 1");
    plan(&sql).parts[0].core.keys[0].cells.clone()
}

#[test]
fn what_lies_between_two_times_is_known() {
    let year = "start >= '2025-01-01' AND start < '2026-01-01'";
    let table = [
        // The key, the condition, and how many values it has.
        ("date_trunc('month', start)", year, 12),
        ("date_trunc('week', start)", year, 53),
        ("CAST(start AS DATE)", year, 365),
        ("to_char(start, 'YYYY-MM')", year, 12),
        (
            "to_char(start, 'YYYY年') || '第' || CAST(quarter(start) AS VARCHAR) || '季'",
            year,
            4,
        ),
        ("year(start) * 100 + month(start)", year, 12),
        ("CASE WHEN month(start) < 7 THEN last_day(start) END", year, 6),
        ("year(start)", year, 1),
        (
            "date_trunc('month', start)",
            "start BETWEEN '2025-01-15' AND '2025-03-02'",
            3,
        ),
        (
            "date_trunc('month', start)",
            "start > '2025-01-15' AND '2025-04-01' > start",
            3,
        ),
        (
            "date_trunc('month', start)",
            "start > '2025-01-15' AND '2025-04-01' >= start",
            4,
        ),
        ("date_trunc('month', start)", "year(start) = 2024", 12),
        (
            "date_trunc('month', start)",
            "year(start) IN (2023, 2025) AND month(start) > 6",
            12,
        ),
        (
            "date_trunc('year', start)",
            "year(start) >= 2020 AND year(start) < 2024",
            4,
        ),
        (
            "date_trunc('month', start)",
            "date_trunc('year', start) = '2025-01-01'",
            12,
        ),
        (
            "CAST(start AS DATE)",
            "CAST(start AS DATE) BETWEEN '2025-01-01' AND '2025-01-31'",
            31,
        ),
        (
            "date_trunc('day', start)",
            "CAST(start AS DATE) = '2025-01-31' AND fare > 3",
            1,
        ),
        (
            "date_trunc('hour', start)",
            "CAST(start AS DATE) = '2025-01-31'",
            24,
        ),
        (
            "date_trunc('hour', start)",
            "CAST(start AS DATE) = '2025-01-31' AND hour(start) BETWEEN 7 AND 9",
            3,
        ),
        (
            "date_trunc('minute', start)",
            "start >= '2025-01-31 08:00:00' AND start < '2025-01-31 09:00:00'",
            60,
        ),
        ("day", "day >= '2025-01-01' AND day < '2025-02-01'", 31),
        (
            "day",
            "day > '2025-01-01' AND day <= '2025-02-01' AND is_weekend(day)",
            9,
        ),
        (
            "date_trunc('month', day)",
            "day >= '2025-01-01' AND day < '2026-01-01'",
            12,
        ),
        (
            "day",
            "day = '2025-01-01' OR day BETWEEN '2025-01-05' AND '2025-01-06' OR day IN ('2025-01-09')",
            4,
        ),
        ("day", "day BETWEEN '1925-01-01' AND '1950-12-31'", 9_496),
        // Nothing is in it, and no key has to be found.
        ("day", "day BETWEEN '2025-02-01' AND '2025-01-01'", 0),
        (
            "to_char(start, 'YYYY')",
            "date_trunc('month', start) = '2025-03-15'",
            0,
        ),
        (
            "year(day)",
            "day BETWEEN '2025-01-01' AND '2025-12-31' AND month(day) = 13",
            0,
        ),
    ];
    for (key, filter, values) in table {
        let cells = cells(key, filter);
        assert!(!matches!(cells, KeyCells::Open(_)), "{key} where {filter}");
        // One more where there is no value.
        assert_eq!(cells.count(), values + 1, "{key} where {filter}");
    }
    let days = cells("day", "day BETWEEN '1970-01-02' AND '1970-01-03'");
    assert_eq!(days, KeyCells::Dates { values: vec![1, 2] });
    let months = cells(
        "to_char(start, 'MM/YYYY')",
        "start BETWEEN '2024-12-31' AND '2025-01-01'",
    );
    let values = ["12/2024", "01/2025"].map(String::from).to_vec();
    assert_eq!(months, KeyCells::Text { values, other: false });
}

#[test]
fn what_is_open_at_an_end_or_depends_on_more_is_found() {
    let year = "start >= '2025-01-01' AND start < '2026-01-01'";
    let table = [
        ("date_trunc('month', start)", "TRUE", FieldType::Timestamp),
        (
            "date_trunc('month', start)",
            "start >= '2025-01-01'",
            FieldType::Timestamp,
        ),
        (
            "date_trunc('month', start)",
            "NOT (start >= '2025-01-01' AND start < '2026-01-01')",
            FieldType::Timestamp,
        ),
        (
            "date_trunc('month', start)",
            "start < '2026-01-01' OR fare = 3",
            FieldType::Timestamp,
        ),
        (
            "date_trunc('month', start)",
            "day BETWEEN '2025-01-01' AND '2025-12-31'",
            FieldType::Timestamp,
        ),
        ("year(start)", "month(start) = 3", FieldType::Integer),
        ("year(start) + fare", year, FieldType::Integer),
        ("start", year, FieldType::Timestamp),
        ("date_trunc('second', start)", year, FieldType::Timestamp),
        (
            "to_char(start, 'YYYY-MM-DD HH24:MI:SS.US')",
            year,
            FieldType::Text,
        ),
        (
            "date_trunc('day', date_add(start, 1))",
            year,
            FieldType::Timestamp,
        ),
        (
            "day",
            "day BETWEEN '1900-01-01' AND '2000-12-31'",
            FieldType::Date,
        ),
        (
            "day",
            "day BETWEEN '0001-01-01' AND '9999-12-31'",
            FieldType::Date,
        ),
    ];
    for (key, filter, field_type) in table {
        assert_eq!(
            cells(key, filter),
            KeyCells::Open(field_type),
            "{key} where {filter}"
        );
    }
}

/// However much there would be to compute, a plan is there at once: what is too much is found.
#[test]
fn a_calendar_takes_no_time() {
    let begun = Instant::now();
    let century = "day BETWEEN '1901-01-01' AND '2000-12-31'";
    let labels = |count: usize| vec!["to_char(day, 'YYYY')"; count].join(" || ");
    assert!(matches!(cells(&labels(2), century), KeyCells::Text { .. }));
    assert_eq!(cells(&labels(4), century), KeyCells::Open(FieldType::Text));
    let month = "day BETWEEN '2000-12-01' AND '2000-12-31'";
    assert!(matches!(cells(&labels(4), month), KeyCells::Text { .. }));
    // What has to be sought may take long whatever its size.
    let sought = format!(
        "CASE WHEN rpad(to_char(day, 'D'), 4000, 'a') LIKE '%{}b' THEN year(day) END",
        "a".repeat(200)
    );
    assert_eq!(cells(&sought, century), KeyCells::Open(FieldType::Integer));
    let long = "rpad(to_char(day, 'YYYY-MM-DD'), 4000, 'x')";
    assert_eq!(cells(long, month), KeyCells::Open(FieldType::Text));
    assert_eq!(
        cells("to_char(day, 'YYYY-MM-DD')", century),
        KeyCells::Open(FieldType::Text)
    );
    // All keys of a query share the time.
    let keys: Vec<String> = (0..8).map(|n| format!("to_char(day, 'YYYY') || '{n}'")).collect();
    let sql = format!(
        "SELECT {0}, COUNT(*) FROM bike_trips WHERE {century} GROUP BY {0}",
        keys.join(", ")
    );
    let keys = &plan(&sql).parts[0].core.keys;
    assert!(keys.iter().any(|key| matches!(key.cells, KeyCells::Open(_))));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Known days and known other keys may be too many together: then the days are found, as they were before they were known.
#[test]
fn a_calendar_refuses_nothing() {
    let between = "FROM bike_trips WHERE day BETWEEN '2025-01-01' AND '2025-12-31'";
    let of = |select: &str, group: &str| {
        plan(&format!("SELECT {select} {between} GROUP BY {group}")).parts[0]
            .core
            .clone()
    };
    let few = of("day, district, COUNT(*)", "day, district");
    assert_eq!((few.is_open(), few.cells), (false, 366 * 5));
    let many = of("day, fare, COUNT(*)", "day, fare");
    assert!(many.is_open());
    // Each set of a grouping for itself.
    let sql = format!("SELECT day, fare, COUNT(*) {between} GROUP BY GROUPING SETS ((day, fare), (day))");
    let mut sets: Vec<bool> = plan(&sql).parts.iter().map(|part| part.core.is_open()).collect();
    sets.sort_unstable();
    assert_eq!(sets, [false, true]);
}

/// Trips of persons who ride all year are all there, and a person counts in more months than in five of keys that are found.
#[test]
fn months_of_a_year_leave_no_trip_out() {
    let sql = |more: &str| {
        format!(
            "SELECT date_trunc('month', start) AS month, COUNT(*) AS trips{more} FROM bike_trips \
             WHERE year(start) = 2023 GROUP BY 1"
        )
    };
    let trips = plan(&sql(""));
    let month = |month: i64| (19_358 + 31 * month) * 86_400_000_000;
    let rows = (0..20).flat_map(|unit| {
        (0..10).map(move |at| Trip {
            start: Some(month(at)),
            ..trip(unit, "东城")
        })
    });
    let totals = totals(&trips, &rows.collect::<Vec<_>>());
    let core = &trips.parts[0].core;
    assert_eq!((core.cells, totals.found.is_none()), (13, true));
    for cell in 0..13 {
        let there = if cell < 10 { 20 } else { 0 };
        assert_eq!(totals.get(cell, 0), Some(there), "{cell}");
    }
    let february = KeyValue::Timestamp(1_675_209_600_000_000);
    assert_eq!(core.keys[0].cells.value(1), february);
    let persons = plan(&sql(", COUNT(DISTINCT person_id) AS persons"));
    assert!(persons.parts[0].core.groups_per_unit > 5);
    // Where there is one month, a person is in one group, and not in a second of those without a time.
    let one = "SELECT date_trunc('month', start), COUNT(DISTINCT person_id) FROM bike_trips \
               WHERE year(start) = 2023 AND month(start) = 3 GROUP BY 1";
    let core = &plan(one).parts[0].core;
    assert_eq!((core.cells, core.groups_per_unit), (2, 1));
}

proptest! {
    #![proptest_config(cases(48))]

    /// Every row that the condition lets through has its cell, and others have none.
    #[test]
    fn no_row_is_without_its_cell(
        starts in prop::collection::vec(prop::option::weighted(0.9, -40_000_000i64..80_000_000), 1..60),
        key in prop::sample::select(vec![
            "date_trunc('month', start)", "date_trunc('week', start)", "date_trunc('hour', start)", "CAST(start AS DATE)",
            "to_char(start, 'IYYY-IW')", "year(start) * 1000 + date_part('doy', start)", "to_char(start, 'YYYY-MM-DD AM')", "last_day(start)",
        ]),
        filter in prop::sample::select(vec![
            "start >= '2025-01-01' AND start < '2026-01-01'",
            "start > '2025-01-01' AND start <= '2025-12-31'",
            "'2025-02-03 04:05:06' <= start AND start BETWEEN '2025-01-01' AND '2025-06-30 23:59:59'",
            "year(start) = 2025",
            "year(start) >= 2025 AND start < '2025-11-11 11:11:11'",
            "year(start) IN (2024, 2025) AND month(start) IN (1, 2, 12)",
            "CAST(start AS DATE) > '2024-12-30' AND CAST(start AS DATE) < '2025-03-01'",
            "date_trunc('month', start) BETWEEN '2024-12-01' AND '2025-02-01' AND NOT is_weekend(start)",
            "date_trunc('quarter', start) = '2025-01-01' OR start BETWEEN '2025-06-01' AND '2025-06-02'",
            "hour(start) > 7 AND CAST(start AS DATE) BETWEEN '2025-01-01' AND '2025-12-31'",
        ]),
    ) {
        // Around 2025-01-01, by seconds.
        let rows = starts.into_iter().zip(0u64..).map(|(start, unit)| Trip {
            start: start.map(|seconds| (1_735_689_600 + seconds) * 1_000_000),
            ..trip(unit, "东城")
        });
        let rows: Vec<Trip> = rows.collect();
        let sql = format!("SELECT {key}, COUNT(*) AS n FROM bike_trips WHERE {filter} GROUP BY 1");
        let by_key = plan(&sql);
        let core = &by_key.parts[0].core;
        prop_assert!(!core.is_open(), "{}", sql);
        let sums = totals(&by_key, &rows);
        let there: i128 = (0..core.cells - 1).filter_map(|cell| sums.get(cell, 0)).sum();
        let all = totals(&plan(&format!("SELECT COUNT(*) FROM bike_trips WHERE {filter}")), &rows);
        prop_assert_eq!(Some(there), all.get(0, 0), "{}", sql);
        prop_assert_eq!(sums.get(core.cells - 1, 0), Some(0), "{}", sql);
    }
}
