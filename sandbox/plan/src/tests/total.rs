//! Accepted queries: exact totals against sums written out by hand.

use super::fixture::{
    SECRET, Trip, granted, key, noised, plan, relation, relation_with, run, totals, trip, write_city,
};
use crate::{Arrangement, Totals};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use tempfile::TempDir;

const HOUR: i64 = 3_600_000_000;

fn city() -> Vec<Trip> {
    let base = 1_700_006_400_000_000; // 2023-11-15T00:00
    vec![
        Trip {
            distance: Some(500.0),
            fare: Some(100),
            start: Some(base + 8 * HOUR),
            ..trip(1, "东城")
        },
        Trip {
            distance: Some(6_000.5),
            fare: Some(300),
            start: Some(base + 9 * HOUR),
            ..trip(1, "西城")
        },
        Trip {
            distance: None,
            fare: None,
            note: None,
            start: None,
            ..trip(1, "东城")
        },
        Trip {
            distance: Some(90_000.0),
            fare: Some(9_999),
            ..trip(2, "南城")
        },
        Trip {
            district: None,
            distance: Some(f64::NAN),
            electric: Some(true),
            ..trip(2, "南城")
        },
        Trip {
            district: Some("火星"),
            distance: Some(-5.0),
            note: Some("No"),
            ..trip(3, "南城")
        },
        Trip {
            start: Some(base + 8 * HOUR + 1),
            electric: None,
            day: None,
            ..trip(4, "东城")
        },
    ]
}

/// Answers of the exact totals as lines of values; cells of a plain GROUP BY with nothing in them left out.
fn lines(sql: &str) -> Vec<String> {
    let plan = plan(sql);
    let folder = TempDir::new().unwrap();
    let city = [granted(&write_city(&folder, &city(), 3), &key())];
    let totals: Vec<Totals> = plan
        .parts
        .iter()
        .map(|part| crate::execute(&part.core, &city, &SECRET, 2).unwrap())
        .collect();
    let exact: Vec<_> = totals.iter().map(|totals| noised(totals, &[])).collect();
    let released = plan.release(&exact).unwrap();
    let output = plan.output_columns(&released).unwrap();
    let shown = output
        .iter()
        .map(|column| arrow::compute::cast(column, &DataType::Utf8).unwrap())
        .collect::<Vec<_>>();
    let part = &plan.parts[0];
    let count = part.core.aggregates.len();
    let plain = part.sets.is_none() && matches!(plan.arrangement, Arrangement::Leaf(_));
    let empty = |row: usize| {
        let totals = &released.parts[0].totals;
        plain && totals[row * count..][..count].iter().all(|t| *t == 0)
    };
    let text = |column: &ArrayRef, row: usize| {
        if column.is_null(row) {
            "(null)".to_owned()
        } else {
            column.as_string::<i32>().value(row).to_owned()
        }
    };
    (0..released.len())
        .filter(|row| !empty(*row))
        .map(|row| {
            shown
                .iter()
                .map(|column| text(column, row))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[test]
fn answers_are_exact() {
    let cases: &[(&str, &[&str])] = &[
        ("SELECT COUNT(*) FROM bike_trips", &["7"]),
        ("select count ( * ) as n from bike_trips as t", &["7"]),
        ("SELECT COUNT(DISTINCT person_id) FROM bike_trips", &["4"]),
        ("SELECT COUNT(distance) FROM bike_trips", &["5"]),
        // 500 + 6000.5 + 20000 (clamped) + 0 (clamped) + 1000
        ("SELECT SUM(distance) FROM bike_trips", &["27500.5"]),
        // 100 + 300 + 2000 (clamped) + 100 + 100 + 100
        ("SELECT SUM(fare) FROM bike_trips", &["2700"]),
        ("SELECT COUNT(*) FROM bike_trips WHERE distance > 5000", &["2"]),
        (
            "SELECT COUNT(*) FROM bike_trips WHERE NOT distance > 5000",
            &["3"],
        ),
        (
            "SELECT district, COUNT(*) FROM bike_trips GROUP BY district",
            &["东城 3", "西城 1", "南城 1", "other 1", "(null) 1"],
        ),
        (
            "SELECT COUNT(DISTINCT person_id), district AS d, SUM(fare) FROM bike_trips GROUP BY d",
            &[
                "2 东城 200",
                "1 西城 300",
                "1 南城 2000",
                "1 other 100",
                "1 (null) 100",
            ],
        ),
        (
            "SELECT date_part('hour', start) AS h, COUNT(*) FROM bike_trips WHERE start IS NOT NULL GROUP BY 1",
            &["8 2", "9 1", "22 3"],
        ),
        (
            "SELECT EXTRACT(hour FROM start), COUNT(*) FROM bike_trips WHERE start < '2023-11-15' GROUP BY 1",
            &["22 3"],
        ),
        (
            "SELECT electric, COUNT(*) FROM bike_trips GROUP BY electric",
            &["false 5", "true 1", "(null) 1"],
        ),
        (
            "SELECT CASE WHEN distance > 5000 THEN 'long' WHEN distance > 0 THEN 'short' END AS c, COUNT(*) \
             FROM bike_trips GROUP BY 1",
            &["long 2", "short 2", "(null) 3"],
        ),
        (
            "SELECT CAST(floor(distance / 10000) AS INT) AS bin, COUNT(*) FROM bike_trips GROUP BY 1",
            &["0 4", "2 1", "(null) 2"],
        ),
        (
            "SELECT home, district, COUNT(*) FROM bike_trips WHERE district = '西城' GROUP BY 1, 2",
            &["西城 西城 1"],
        ),
        ("SELECT COUNT(*) FROM bike_trips WHERE note LIKE '%o%'", &["6"]),
        ("SELECT COUNT(*) FROM bike_trips WHERE note ILIKE 'N_'", &["1"]),
        (
            "SELECT COUNT(*) FROM bike_trips WHERE upper(note) IN ('NO', 'X')",
            &["1"],
        ),
        (
            "SELECT COUNT(*) FROM bike_trips WHERE district IN ('东城', '火星')",
            &["4"],
        ),
        (
            "SELECT COUNT(*) FROM bike_trips WHERE coalesce(district, '?') = '?'",
            &["1"],
        ),
        (
            "SELECT COUNT(*) FROM bike_trips WHERE fare BETWEEN 200 AND 2000",
            &["2"],
        ),
        (
            "SELECT SUM(distance / (fare - 100)) FROM bike_trips WHERE false",
            &[],
        ),
        (
            "SELECT SUM(least(greatest(free, 0), 1000)) FROM bike_trips",
            &["3500.0"],
        ),
        (
            "SELECT SUM(CASE WHEN electric THEN 1 ELSE 0 END) FROM bike_trips",
            &["1"],
        ),
        (
            "SELECT SUM(-fare) FROM bike_trips WHERE district = '西城'",
            &["-300"],
        ),
        (
            "SELECT COUNT(*) FROM bike_trips WHERE day >= DATE '2023-11-14' AND day IS NOT NULL",
            &["6"],
        ),
        ("SELECT COUNT(*) FROM bike_trips WHERE 1 / 0 IS NULL", &["7"]),
        (
            "SELECT COUNT(*) FROM bike_trips WHERE CAST(note AS INT) IS NULL",
            &["7"],
        ),
    ];
    for (sql, want) in cases {
        if sql.contains("/ (fare") {
            // A quotient by something that can be zero has no bounds.
            assert_eq!(
                crate::plan(sql, &relation()).unwrap_err().rule.id(),
                "missing-bounds"
            );
            continue;
        }
        assert_eq!(&lines(sql), want, "{sql}");
    }
}

#[test]
fn words_do_not_change_the_hash_and_meaning_does() {
    let base =
        plan("SELECT district, COUNT(*) FROM bike_trips WHERE fare > 3 AND distance < 9 GROUP BY district");
    let same = [
        "select  district d , count(*) as n\nfrom BIKE_TRIPS where (distance<9) and 3 < fare group by 1 -- c",
        "SELECT COUNT(1), t.district FROM bike_trips t WHERE fare > 2 + 1 AND distance < 9 GROUP BY t.district",
        "SELECT district, COUNT(*), COUNT(*) AS again FROM bike_trips WHERE fare > 3 AND distance < 9 AND fare > 3 \
         GROUP BY district",
    ];
    for sql in same {
        let again = plan(sql);
        assert_eq!(again.hash(), base.hash(), "{sql}");
    }
    let other = [
        "SELECT district, COUNT(*) FROM bike_trips WHERE fare > 4 AND distance < 9 GROUP BY district",
        "SELECT district, COUNT(*) FROM bike_trips WHERE fare > 3 OR distance < 9 GROUP BY district",
        "SELECT home, COUNT(*) FROM bike_trips WHERE fare > 3 AND distance < 9 GROUP BY home",
        "SELECT district, COUNT(fare) FROM bike_trips WHERE fare > 3 AND distance < 9 GROUP BY district",
    ];
    for sql in other {
        assert_ne!(plan(sql).hash(), base.hash(), "{sql}");
    }
    let mut next = relation();
    next.version = model::VersionId::from_uuid(uuid::Uuid::from_u128(9));
    let sql = "SELECT district, COUNT(*) FROM bike_trips WHERE fare > 3 AND distance < 9 GROUP BY district";
    assert_ne!(
        crate::plan(sql, &next).unwrap().hash(),
        base.hash(),
        "another version, another answer"
    );
}

#[test]
fn plans_survive_their_serialisation() {
    let sql = "SELECT home, district, SUM(distance * 0.1), COUNT(*) FROM bike_trips \
               WHERE note LIKE 'a%' AND distance IN (1.5, 2.25) AND start > '2024-01-01T00:00:00' GROUP BY 1, 2";
    let plan = plan(sql);
    let again: crate::PrivatePlan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(plan, again);
    assert_eq!(plan.hash(), again.hash());
    assert_eq!(plan.parts[0].core.check(), Ok(()));
}

#[test]
fn groups_and_sensitivities_follow_the_declaration() {
    let cases = [
        ("SELECT COUNT(*) FROM bike_trips", 1, 100),
        ("SELECT home, COUNT(*) FROM bike_trips GROUP BY home", 1, 100),
        (
            "SELECT upper(home) = 'X', COUNT(*) FROM bike_trips GROUP BY 1",
            3,
            100,
        ),
        (
            "SELECT district, COUNT(*) FROM bike_trips GROUP BY district",
            5,
            100,
        ),
        (
            "SELECT district, COUNT(DISTINCT person_id) FROM bike_trips GROUP BY district",
            5,
            5,
        ),
        (
            "SELECT home, COUNT(DISTINCT person_id) FROM bike_trips GROUP BY home",
            1,
            1,
        ),
        ("SELECT SUM(fare) FROM bike_trips", 1, 400_000_000),
    ];
    for (sql, groups, squared) in cases {
        let plan = plan(sql);
        assert_eq!(plan.parts[0].core.groups_per_unit, groups, "{sql}");
        assert_eq!(
            plan.parts[0].core.aggregates[0].sensitivity_squared(),
            squared,
            "{sql}"
        );
    }
    let one_row = crate::plan(
        "SELECT district, COUNT(*) FROM bike_trips GROUP BY 1",
        &relation_with(1),
    )
    .unwrap();
    assert_eq!(one_row.parts[0].core.groups_per_unit, 1);
    let two = plan("SELECT COUNT(*), COUNT(DISTINCT person_id) FROM bike_trips");
    let shared: Vec<_> = (0..3).map(|at| two.noise_sensitivity_squared(0, at)).collect();
    assert!(shared.contains(&Some(200)) && shared.contains(&Some(2)) && shared[2].is_none());
    let plan = plan("SELECT SUM(distance) FROM bike_trips");
    let sum = &plan.parts[0].core.aggregates[0];
    assert!(
        sum.step() < 1e-4,
        "the grid is far below the noise: {}",
        sum.step()
    );
    let rho = 0.004;
    let sigma = plan.expected_error(0, 0, rho).unwrap();
    assert!(
        (sigma - 200_000.0 / (2.0 * rho).sqrt()).abs() < 1.0,
        "σ = Δ/√(2ρ); got {sigma}"
    );
}

#[test]
fn threads_parts_and_row_groups_do_not_show() {
    let trips: Vec<Trip> = (0..3_000u64)
        .flat_map(|unit| {
            (0..unit % 7).map(move |n| Trip {
                distance: Some(0.1 * (unit * 7 + n) as f64),
                ..trip(unit * 977 % 3_001, super::fixture::DISTRICTS[(n % 3) as usize])
            })
        })
        .collect();
    let plan = plan(
        "SELECT district, COUNT(*), SUM(distance), COUNT(DISTINCT person_id) FROM bike_trips GROUP BY 1",
    );
    let folder = tempfile::TempDir::new().unwrap();
    let mut answers = vec![];
    for (units_per_group, threads) in [(5_000, 1), (17, 2), (400, 4), (1_000, 3)] {
        let parts = write_city(&folder, &trips, units_per_group);
        answers.push(run(&plan, &parts, threads).unwrap());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    let rows: i128 = (0..plan.parts[0].core.cells)
        .map(|cell| {
            let at = plan.parts[0]
                .core
                .aggregates
                .iter()
                .position(|a| a.function == crate::AggregateFunction::CountRows);
            answers[0].get(cell, at.unwrap()).unwrap()
        })
        .sum();
    assert_eq!(rows, trips.len() as i128);
}

#[test]
fn a_unit_longer_than_a_batch_stays_one_unit() {
    let relation = relation_with(10_000);
    let plan = crate::plan(
        "SELECT COUNT(DISTINCT person_id), COUNT(*) FROM bike_trips",
        &relation,
    )
    .unwrap();
    let mut trips = vec![trip(5, "东城"); 20_000];
    trips.push(trip(6, "东城"));
    let totals = totals(&plan, &trips);
    let mut got = totals.values.clone();
    got.sort_unstable();
    // Rows beyond the declared maximum are dropped.
    assert_eq!(got, [2, 10_001]);
}

#[test]
fn deadlines_come_from_the_declaration() {
    let sqls = [
        "SELECT COUNT(*) FROM bike_trips",
        "SELECT home, electric, SUM(fare) FROM bike_trips GROUP BY 1, 2",
        "SELECT date_part('hour', start), COUNT(*) FROM bike_trips GROUP BY 1",
        "SELECT district, SUM(distance), COUNT(*) FROM bike_trips WHERE distance > 5000 GROUP BY 1",
    ];
    for sql in sqls {
        // 200,000 units of at most 60 rows: 12 million rows.
        let plan = crate::plan(sql, &relation_with(60)).unwrap();
        assert_eq!(plan.parts[0].core.max_rows(), 12_000_000);
        let due = plan.parts[0].core.due_in(2);
        assert!(due.as_secs_f64() <= 3.0, "{sql}: {due:?}");
        assert!(plan.parts[0].core.due_in(1) > due);
    }
}

#[test]
fn a_worker_is_not_believed_beyond_the_plan() {
    let plan = plan("SELECT SUM(fare), COUNT(*) FROM bike_trips");
    for aggregate in &plan.parts[0].core.aggregates {
        let most = 200_000 * i128::from(aggregate.unit_most);
        assert_eq!(plan.parts[0].core.clamp_total(aggregate, i128::MAX), most);
        assert_eq!(plan.parts[0].core.clamp_total(aggregate, -1), 0);
        assert_eq!(plan.parts[0].core.clamp_total(aggregate, 17), 17);
    }
}

/// Moments are made from sums on a grid: equal to within rounding.
fn assert_close(got: &str, want: f64, sql: &str) {
    let got: f64 = got.parse().unwrap();
    assert!(
        (got - want).abs() <= 1e-6 * want.abs().max(1.0),
        "{sql}: {got}, not {want}"
    );
}

#[test]
fn moments_are_those_of_the_clamped_values() {
    let cases = [
        ("AVG(distance)", 27_500.5 / 5.0),
        ("mean(fare)", 450.0),
        ("AVG(fare) FILTER (WHERE fare < 1000)", 140.0),
        ("VAR_POP(fare)", 485_833.333_333_333_3),
        ("VAR_SAMP(fare)", 583_000.0),
        ("variance(fare)", 583_000.0),
        ("STDDEV(fare)", 763.544_366_752_842_9),
        ("STDDEV_POP(fare)", 697.017_455_544_216_1),
        ("CORR(distance, fare)", 0.982_713_605_095_734_7),
        ("COVAR_SAMP(distance, fare)", 6_912_472.5),
        ("COVAR_POP(distance, fare)", 5_529_978.0),
        ("CORR(fare, fare)", 1.0),
        ("SUM(fare) / COUNT(fare) + 0.5", 450.5),
        ("SUM(distance) / SUM(fare)", 27_500.5 / 2_700.0),
        ("COUNT(*) FILTER (WHERE fare >= 300)", 2.0),
        ("SUM(fare) FILTER (WHERE district = '东城')", 200.0),
    ];
    for (expr, want) in cases {
        let sql = format!("SELECT {expr} FROM bike_trips");
        let lines = lines(&sql);
        assert_eq!(lines.len(), 1, "{sql}");
        assert_close(&lines[0], want, &sql);
    }
}

#[test]
fn what_is_released_can_be_filtered_sorted_cut_and_computed_with() {
    let cases: &[(&str, &[&str])] = &[
        (
            "SELECT district, COUNT(*) AS n FROM bike_trips GROUP BY 1 ORDER BY n DESC, district LIMIT 2",
            &["东城 3", "other 1"],
        ),
        (
            "SELECT district FROM bike_trips GROUP BY 1 HAVING COUNT(*) > 1",
            &["东城"],
        ),
        (
            "SELECT district || '区' AS d, COUNT(*) * 2 AS twice FROM bike_trips GROUP BY district \
             HAVING SUM(fare) BETWEEN 200 AND 300 ORDER BY SUM(fare)",
            &["东城区 6", "西城区 2"],
        ),
        (
            "WITH by_district AS (SELECT district AS d, COUNT(*) AS n, SUM(fare) AS f FROM bike_trips GROUP BY district) \
             SELECT d, CASE WHEN n > 1 THEN 'many' ELSE 'few' END FROM by_district WHERE f IS NOT NULL AND n > 0 \
             ORDER BY f DESC, d NULLS LAST OFFSET 1",
            &["西城 few", "东城 many", "other few", "(null) few"],
        ),
        (
            "SELECT x.n FROM (SELECT COUNT(*) AS n FROM bike_trips) AS x WHERE x.n > 100",
            &[],
        ),
        (
            "SELECT d, COUNT(*) FROM (SELECT CASE WHEN fare > 150 THEN 'dear' ELSE 'cheap' END AS d, fare AS f \
             FROM bike_trips WHERE fare IS NOT NULL) AS t WHERE t.f < 2000 GROUP BY d",
            &["dear 1", "cheap 4"],
        ),
        (
            "WITH t AS (SELECT person_id AS p, home FROM bike_trips) SELECT COUNT(DISTINCT p) FROM t",
            &["4"],
        ),
        (
            "SELECT COUNT(DISTINCT x.person_id) FROM (SELECT fare, person_id FROM bike_trips) AS x WHERE x.fare > 150",
            &["2"],
        ),
        (
            "SELECT electric, COUNT(*), GROUPING(electric) FROM bike_trips GROUP BY ROLLUP(electric)",
            &["false 5 0", "true 1 0", "(null) 1 0", "(null) 7 1"],
        ),
        (
            "SELECT COUNT(*), electric, fare > 150 AS dear FROM bike_trips \
             GROUP BY GROUPING SETS ((electric), (fare > 150), ()) ORDER BY GROUPING(electric), 2, 3",
            &[
                "5 false (null)",
                "1 true (null)",
                "1 (null) (null)",
                "4 (null) false",
                "2 (null) true",
                "1 (null) (null)",
                "7 (null) (null)",
            ],
        ),
        (
            "SELECT AVG(fare) AS a, electric FROM bike_trips GROUP BY CUBE(electric) HAVING GROUPING(electric) = 1",
            &["450.0 (null)"],
        ),
        (
            "SELECT home, COUNT(DISTINCT person_id) FROM bike_trips GROUP BY ROLLUP(home) \
             HAVING COUNT(DISTINCT person_id) > 0",
            &["东城 1", "西城 2", "南城 1", "(null) 4"],
        ),
    ];
    for (sql, want) in cases {
        assert_eq!(&lines(sql), want, "{sql}");
    }
}

#[test]
fn the_same_totals_answer_every_question_about_them() {
    let base = plan("SELECT district, COUNT(*), SUM(fare) FROM bike_trips GROUP BY district");
    for sql in [
        "SELECT SUM(fare) / COUNT(*) AS each, district FROM bike_trips GROUP BY district ORDER BY each LIMIT 3",
        "SELECT district, COUNT(*), SUM(fare) FROM bike_trips GROUP BY ROLLUP(district)",
        "SELECT d FROM (SELECT district AS d, COUNT(*) AS n, SUM(fare) AS f FROM bike_trips GROUP BY 1) t WHERE n > f",
    ] {
        // The last shows no figure: what it filters by is one.
        match crate::plan(sql, &relation()) {
            Ok(plan) => assert_eq!(plan.hash(), base.hash(), "{sql}"),
            Err(refusal) => panic!("{sql}: {refusal}"),
        }
    }
}

#[test]
fn a_mean_is_summed_about_the_middle_of_its_bounds() {
    let mean = plan("SELECT AVG(fare) FROM bike_trips");
    let sum = plan("SELECT SUM(fare) FROM bike_trips");
    let most = |plan: &crate::PrivatePlan| {
        plan.parts[0]
            .core
            .aggregates
            .iter()
            .map(|a| a.unit_most as f64 * a.step())
            .fold(0.0, f64::max)
    };
    assert!((most(&mean) - most(&sum) / 2.0).abs() < 1e-6 * most(&sum));
}
