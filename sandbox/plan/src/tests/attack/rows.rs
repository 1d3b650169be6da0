//! Getting rows out, or figures that are rows in disguise: refused by the text and the declaration alone.

use std::time::Instant;

use super::super::fixture::{Trip, plan, relation, trip};
use super::super::world::world_of;
use super::{differences, neighbours};
use crate::Rule;

fn rule(sql: &str) -> Rule {
    match crate::plan(sql, &relation()) {
        Ok(_) => panic!("accepted: {sql}"),
        Err(refusal) => refusal.rule,
    }
}

/// Selecting rows, by name, by star, by a row of a group of one or by a function that returns rows. Gets: a refusal.
#[test]
fn rows_are_not_exported() {
    for (sql, want) in [
        ("SELECT * FROM bike_trips", Rule::Wildcard),
        ("SELECT district, fare FROM bike_trips", Rule::Rows),
        ("SELECT fare FROM bike_trips WHERE fare = 1999", Rule::Rows),
        ("SELECT DISTINCT fare FROM bike_trips", Rule::Distinct),
        ("SELECT fare, day FROM bike_trips GROUP BY fare, day", Rule::Rows),
        (
            "SELECT person_id, COUNT(*) FROM bike_trips GROUP BY person_id",
            Rule::UnitKey,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips GROUP BY upper(person_id)",
            Rule::UnitKey,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips WHERE person_id = '110101199001011234'",
            Rule::UnitKey,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips WHERE __unit = 7",
            Rule::SystemColumn,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips WHERE phone = '13800000000'",
            Rule::UnknownColumn,
        ),
        ("SELECT array_agg(fare) FROM bike_trips", Rule::UnboundedAggregate),
        (
            "SELECT string_agg(note, ',') FROM bike_trips",
            Rule::UnboundedAggregate,
        ),
        (
            "SELECT fare FROM bike_trips UNION ALL SELECT fare FROM bike_trips",
            Rule::SetOperation,
        ),
        ("SELECT fare, row_number() OVER () FROM bike_trips", Rule::Window),
    ] {
        assert_eq!(rule(sql), want, "{sql}");
    }
}

/// Statements beside SELECT, files, settings and catalogues of the engine. Gets: a refusal, at the first word.
#[test]
fn explain_copy_set_and_files_are_no_way_in() {
    for sql in [
        "EXPLAIN SELECT COUNT(*) FROM bike_trips",
        "EXPLAIN ANALYZE VERBOSE SELECT COUNT(*) FROM bike_trips",
        "DESCRIBE bike_trips",
        "ANALYZE TABLE bike_trips COMPUTE STATISTICS",
        "COPY (SELECT COUNT(*) FROM bike_trips) TO 'out.csv'",
        "COPY bike_trips TO PROGRAM 'sh'",
        "SET datafusion.execution.batch_size = 1",
        "SHOW ALL",
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE VIEW x AS SELECT * FROM bike_trips",
        "INSERT INTO bike_trips VALUES (1)",
        "CALL x()",
        "PREPARE x AS SELECT COUNT(*) FROM bike_trips",
        "DECLARE c CURSOR FOR SELECT COUNT(*) FROM bike_trips",
    ] {
        let rule = rule(sql);
        assert!(matches!(rule, Rule::SelectOnly | Rule::Syntax), "{sql}: {rule}");
    }
    for sql in [
        "SELECT COUNT(*) FROM '/etc/passwd'",
        "SELECT COUNT(*) FROM \"file:///etc/passwd\"",
        "SELECT COUNT(*) FROM read_csv('/etc/passwd')",
        "SELECT COUNT(*) FROM information_schema.columns",
        "SELECT COUNT(*) FROM pg_catalog.pg_class",
        "SELECT COUNT(*) FROM bike_trips WHERE version() = ''",
        "SELECT COUNT(*) FROM bike_trips WHERE now() > start",
        "SELECT COUNT(*) FROM bike_trips WHERE random() < 0.5",
    ] {
        let rule = rule(sql);
        let known = [
            Rule::UnknownTable,
            Rule::TableFunction,
            Rule::UnknownFunction,
            Rule::VolatileFunction,
            Rule::Syntax,
        ];
        assert!(known.contains(&rule), "{sql}: {rule}");
    }
}

/// Extremes are single rows: MIN, MAX, the first, the most frequent, a percentile by sorting. Gets: a refusal. An outlier
/// in a sum: it counts as the declared bound.
#[test]
fn outliers_do_not_show() {
    for aggregate in [
        "MIN(fare)",
        "MAX(fare)",
        "first_value(fare)",
        "last_value(fare)",
        "nth_value(fare, 2)",
        "mode(fare)",
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY fare)",
        "bit_xor(fare)",
        "bool_or(electric)",
        "approx_distinct(fare)",
    ] {
        let rule = rule(&format!("SELECT {aggregate} FROM bike_trips"));
        let known = [Rule::UnboundedAggregate, Rule::UnknownFunction];
        assert!(known.contains(&rule), "{aggregate}: {rule}");
    }
    let plan = plan("SELECT SUM(fare), SUM(distance) FROM bike_trips");
    let of = |fare: i64, distance: f64| {
        let mut trips: Vec<Trip> = (10..20).map(|unit| trip(unit, "东城")).collect();
        trips.push(Trip {
            fare: Some(fare),
            distance: Some(distance),
            ..trip(1, "东城")
        });
        super::super::fixture::totals(&plan, &trips)
    };
    let at_the_bound = of(2_000, 20_000.0);
    for (fare, distance) in [(2_001, 20_000.1), (i64::MAX, 1e308), (1_000_000, 1e300)] {
        assert_eq!(of(fare, distance), at_the_bound, "{fare} {distance}");
    }
    assert_eq!(of(i64::MIN, -1e308), of(0, 0.0));
    // What is no number is missing, as NULL is: less than the bound, not more.
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(of(0, odd), of(0, 0.0), "{odd}");
    }
}

/// A sum that has no bounds would need no bound on one unit. Gets: a refusal, however the bound is argued away.
#[test]
fn sums_without_bounds_are_refused() {
    for x in [
        "free",
        "fare * 1e300 * 1e300",
        "1.0 / distance",
        "exp(distance)",
        "power(fare, distance)",
        "CASE WHEN fare < 10 THEN free ELSE 0 END",
        "CAST(note AS DOUBLE)",
        "GREATEST(free, 0)",
        "COALESCE(free, 0)",
    ] {
        for aggregate in ["SUM", "AVG", "STDDEV"] {
            let sql = format!("SELECT {aggregate}({x}) FROM bike_trips");
            assert_eq!(rule(&sql), Rule::MissingBounds, "{sql}");
        }
    }
}

/// A public table with many rows for one key, or one's own rows on both sides, multiplies a unit. Gets: nothing more, for
/// the sensitivity multiplies alike; too many are refused.
#[test]
fn join_fan_out_is_paid_for() {
    let world = world_of(10);
    let single = world.plan("SELECT COUNT(*) FROM bike_trips").unwrap();
    let double = world
        .plan("SELECT COUNT(*) FROM bike_trips t JOIN parks p ON t.district = p.district")
        .unwrap();
    let most = |plan: &crate::PrivatePlan| plan.parts[0].core.aggregates[0].unit_most;
    assert_eq!((most(&single), most(&double)), (10, 20));
    let trips: Vec<Trip> = (0..30).map(|_| trip(1, "东城")).collect();
    let with = world.totals(&double, &trips, &[], 1);
    assert_eq!(
        with.values,
        [20],
        "the loudest unit reaches the bound and no more"
    );
    let sevenfold = "SELECT COUNT(*) FROM bike_trips a JOIN bike_trips b ON a.person_id = b.person_id \
                     JOIN bike_trips c ON a.person_id = c.person_id JOIN bike_trips d ON a.person_id = d.person_id \
                     JOIN bike_trips e ON a.person_id = e.person_id JOIN bike_trips f ON a.person_id = f.person_id \
                     JOIN bike_trips g ON a.person_id = g.person_id";
    assert_eq!(world.plan(sevenfold).unwrap_err().rule, Rule::FanOut);
}

/// Outer joins that keep public rows, or anti joins against protected rows, would answer "is there nobody?" without a
/// unit to bound. Gets: a refusal.
#[test]
fn outer_and_anti_joins_make_no_rows_without_a_unit() {
    let world = world_of(10);
    for sql in [
        "SELECT COUNT(*) FROM zones z LEFT JOIN bike_trips t ON t.district = z.name",
        "SELECT COUNT(*) FROM bike_trips t RIGHT JOIN zones z ON t.district = z.name",
        "SELECT COUNT(*) FROM bike_trips t FULL JOIN zones z ON t.district = z.name",
        "SELECT COUNT(*) FROM zones z LEFT ANTI JOIN bike_trips t ON t.district = z.name",
        "SELECT COUNT(*) FROM zones z LEFT SEMI JOIN bike_trips t ON t.district = z.name",
        "SELECT COUNT(*) FROM bike_trips t LEFT ANTI JOIN rides r ON t.person_id = r.person_id",
        "SELECT COUNT(*) FROM bike_trips t FULL JOIN rides r ON t.person_id = r.person_id",
        "SELECT COUNT(*) FROM bike_trips t JOIN rides r ON t.district = r.district",
        "SELECT COUNT(*) FROM bike_trips t, rides r",
    ] {
        let rule = world.plan(sql).map(|_| ()).unwrap_err().rule;
        assert!(
            matches!(rule, Rule::OuterJoin | Rule::Join | Rule::JoinUnit),
            "{sql}: {rule}"
        );
    }
}

/// A subquery in an expression carries an exact figure of all rows into every row. Gets: a refusal.
#[test]
fn subqueries_in_expressions_are_refused() {
    for condition in [
        "fare > (SELECT AVG(fare) FROM bike_trips)",
        "fare IN (SELECT fare FROM bike_trips)",
        "EXISTS (SELECT 1 FROM bike_trips u WHERE u.fare > 1999)",
        "NOT EXISTS (SELECT 1 FROM bike_trips u WHERE u.note = 'x')",
        "fare > ALL (SELECT fare FROM bike_trips)",
        "fare = (SELECT 1)",
    ] {
        let sql = format!("SELECT COUNT(*) FROM bike_trips WHERE {condition}");
        let rule = rule(&sql);
        assert!(
            matches!(rule, Rule::Subquery | Rule::UnsupportedExpression),
            "{sql}: {rule}"
        );
    }
    assert_eq!(
        rule("SELECT (SELECT COUNT(*) FROM bike_trips) FROM bike_trips"),
        Rule::Rows
    );
    // For a value stands what is an aggregation of all rows, and nothing else.
    for value in [
        "(SELECT fare FROM bike_trips)",
        "(SELECT fare FROM bike_trips LIMIT 1)",
        "(SELECT COUNT(*) FROM bike_trips GROUP BY district)",
        "(SELECT COUNT(*) FROM bike_trips GROUP BY district LIMIT 1)",
        "(SELECT COUNT(*) FROM bike_trips HAVING COUNT(*) > 5)",
        "(SELECT COUNT(*) FROM bike_trips b WHERE b.district = a.district)",
        "(SELECT SUM(n) FROM (SELECT COUNT(*) AS n FROM bike_trips b WHERE b.home = a.district) x)",
        "SUM(a.fare / (SELECT COUNT(*) FROM bike_trips))",
        "SUM(a.fare) FILTER (WHERE a.fare > (SELECT AVG(fare) FROM bike_trips))",
        "(SELECT a.district)",
    ] {
        let sql = format!("SELECT a.district, COUNT(*), {value} AS x FROM bike_trips a GROUP BY a.district");
        let rule = rule(&sql);
        assert!(
            matches!(
                rule,
                Rule::Subquery | Rule::NoTable | Rule::UnsupportedExpression | Rule::InnerAggregation
            ),
            "{sql}: {rule}"
        );
    }
}

/// Text that is long, deep or grows as it is planned. Gets: a refusal within seconds, whatever stands in it.
#[test]
fn plan_bombs_cost_no_time() {
    let begun = Instant::now();
    let filter = |condition: String| format!("SELECT COUNT(*) FROM bike_trips WHERE {condition}");
    for sql in [
        filter(format!("{}1{} = 1", "(".repeat(20_000), ")".repeat(20_000))),
        filter(format!("{}fare", "-".repeat(60_000))),
        filter(vec!["fare IS NULL"; 5_000].join(" AND ")),
        filter(format!("note = '{}'", "长".repeat(60_000))),
        format!(
            "SELECT COUNT(*) FROM {}bike_trips{}",
            "(SELECT * FROM ".repeat(1_000),
            ") x".repeat(1_000)
        ),
        format!(
            "SELECT {} FROM bike_trips",
            (0..3_000)
                .map(|n| format!("SUM(fare + {n})"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        format!(
            "SELECT COUNT(*) FROM bike_trips GROUP BY CUBE ({})",
            vec!["electric"; 40].join(", ")
        ),
        format!(
            "{} SELECT COUNT(*) FROM bike_trips",
            "WITH a AS (SELECT 1) ".repeat(500)
        ),
        // Twice as many tables with every name.
        format!(
            "WITH a0 AS (SELECT COUNT(*) AS n FROM bike_trips){} SELECT n FROM a15",
            (0..15)
                .map(|n| format!(", a{} AS (SELECT x.n FROM a{n} AS x CROSS JOIN a{n} AS y)", n + 1))
                .collect::<String>()
        ),
    ] {
        assert!(crate::plan(&sql, &relation()).is_err(), "{}", &sql[..80]);
    }
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

/// Cells and keys whose number is chosen by the attacker, one for each person they look for: of one unit ten rows are read,
/// each in one cell; where units are counted it is in as many cells as are paid for; and its vector is bounded over all of them together.
#[test]
fn many_groups_do_not_multiply_a_unit() {
    let loud = (0..100).map(|n| Trip {
        start: Some(n * 3_600_000_000),
        fare: Some(2_000),
        ..trip(1, "东城")
    });
    let trips: Vec<Trip> = loud.chain([trip(2, "东城")]).collect();
    let (hour, minute) = (
        "date_part('hour', start)",
        "date_part('hour', start) * 60 + date_part('minute', start)",
    );
    let cases = [
        (hour, "COUNT(*), SUM(fare)", 10),
        (hour, "COUNT(*), SUM(fare), COUNT(DISTINCT person_id)", 9),
        (minute, "COUNT(*), SUM(fare), COUNT(DISTINCT person_id)", 10),
        (hour, "COUNT(DISTINCT note), SUM(fare)", 5),
        (hour, "COUNT(DISTINCT note), COUNT(DISTINCT person_id)", 5),
        (hour, "MEDIAN(fare), COUNT(*)", 10),
    ];
    for (key, columns, most) in cases {
        let plan = plan(&format!("SELECT {key}, {columns} FROM bike_trips GROUP BY 1"));
        assert_eq!(plan.parts[0].core.groups_per_unit, most, "{key}: {columns}");
        let (with, without) = neighbours(&plan, &trips, 1);
        let changed = differences(&with, &without);
        let cells: std::collections::BTreeSet<usize> = changed.keys().map(|(cell, _)| *cell).collect();
        assert!(
            cells.len() <= most as usize && cells.len() >= 5,
            "{columns}: {changed:?}"
        );
        for (at, aggregate) in plan.parts[0].core.aggregates.iter().enumerate() {
            let squared: u128 = changed
                .iter()
                .filter(|((_, a), _)| *a == at)
                .map(|(_, d)| d.unsigned_abs().pow(2))
                .sum();
            assert!(squared <= aggregate.sensitivity_squared(), "{columns}");
        }
    }
}
