//! Joins and inner aggregations: what they compute, what is refused, and that one unit changes no more than declared.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int64Array, StringArray};
use proptest::prelude::*;
use tempfile::TempDir;

use super::fixture::{DISTRICTS, Trip, cases, key, relation, trip, write_city};
use super::world::{World, public, world_of};
use crate::plan::KeyValue;
use crate::{Granted, Rule};

fn world() -> World {
    world_of(10)
}

impl World {
    fn rule(&self, sql: &str) -> Rule {
        match self.plan(sql) {
            Ok(_) => panic!("accepted: {sql}"),
            Err(refusal) => refusal.rule,
        }
    }

    /// Cells that are not zero, as text.
    fn cells(&self, sql: &str, trips: &[Trip], rides: &[Trip]) -> BTreeMap<String, Vec<i128>> {
        let plan = self
            .plan(sql)
            .unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
        let totals = self.totals(&plan, trips, rides, 1);
        for threads in [2, 5] {
            assert_eq!(
                totals,
                self.totals(&plan, trips, rides, threads),
                "{threads} threads"
            );
        }
        let mut cells = BTreeMap::new();
        for cell in 0..plan.parts[0].core.cells {
            let values: Vec<i128> = (0..totals.aggregates)
                .map(|at| totals.get(cell, at).unwrap())
                .collect();
            if values.iter().any(|value| *value != 0) {
                let names: Vec<String> = plan.parts[0]
                    .core
                    .cell(cell)
                    .into_iter()
                    .map(|value| match value {
                        KeyValue::Text(text) => text,
                        KeyValue::Integer(x) => x.to_string(),
                        other => format!("{other:?}"),
                    })
                    .collect();
                cells.insert(names.join(" "), values);
            }
        }
        cells
    }
}

fn at(unit: u64, district: &'static str, fare: i64) -> Trip {
    Trip {
        fare: Some(fare),
        ..trip(unit, district)
    }
}

fn city() -> Vec<Trip> {
    vec![
        at(1, "东城", 100),
        at(1, "西城", 200),
        at(2, "东城", 300),
        at(3, "南城", 400),
        at(3, "南城", 500),
        at(7, "西城", 600),
    ]
}

fn expect(got: &BTreeMap<String, Vec<i128>>, want: &[(&str, &[i128])]) {
    let want: BTreeMap<String, Vec<i128>> = want
        .iter()
        .map(|(name, values)| ((*name).to_owned(), values.to_vec()))
        .collect();
    assert_eq!(*got, want);
}

#[test]
fn a_public_table_is_joined_by_its_key() {
    let world = world();
    let got = world.cells(
        "SELECT z.zone, COUNT(*) FROM bike_trips t JOIN zones z ON t.district = z.name GROUP BY z.zone",
        &city(),
        &[],
    );
    expect(&got, &[("内环", &[2]), ("外环", &[2])]);
    // Written the other way round, and with a condition on the pair.
    let got = world.cells(
        "SELECT z.zone, COUNT(*) FROM zones z JOIN bike_trips t ON z.name = t.district AND t.fare < z.capacity / 40 \
         GROUP BY z.zone",
        &city(),
        &[],
    );
    expect(&got, &[("内环", &[1]), ("外环", &[2])]);
    // The cells of a public integer are those that it has.
    let plan = world
        .plan("SELECT z.capacity, COUNT(*) FROM bike_trips t JOIN zones z ON t.district = z.name GROUP BY 1")
        .unwrap();
    assert_eq!(plan.parts[0].core.cells, 3, "two values and NULL");
    assert_eq!(plan.parts[0].core.unit.max_rows_per_unit, 10);
}

#[test]
fn a_row_that_meets_several_public_rows_counts_for_each() {
    let world = world();
    let sql = "SELECT t.district, COUNT(*), SUM(p.places) FROM bike_trips t JOIN parks p ON t.district = p.district \
               GROUP BY t.district";
    let plan = world.plan(sql).unwrap();
    assert_eq!(
        plan.parts[0].core.unit.max_rows_per_unit, 20,
        "a district has two parks at most"
    );
    let got = world.cells(sql, &city(), &[]);
    // The order of aggregates is canonical: counts before sums.
    expect(&got, &[("东城", &[4, 60]), ("西城", &[2, 60])]);
}

#[test]
fn left_semi_and_anti_joins_keep_the_protected_side() {
    let world = world();
    let got = world.cells(
        "SELECT z.zone, COUNT(*) FROM bike_trips t LEFT JOIN zones z ON t.district = z.name GROUP BY z.zone",
        &city(),
        &[],
    );
    expect(&got, &[("Null", &[2]), ("内环", &[2]), ("外环", &[2])]);
    let same = world.cells(
        "SELECT z.zone, COUNT(*) FROM zones z RIGHT JOIN bike_trips t ON t.district = z.name GROUP BY z.zone",
        &city(),
        &[],
    );
    assert_eq!(got, same);
    let got = world.cells(
        "SELECT t.district, COUNT(*) FROM bike_trips t LEFT SEMI JOIN parks p ON t.district = p.district \
         AND p.places > 15 GROUP BY t.district",
        &city(),
        &[],
    );
    expect(&got, &[("东城", &[2]), ("西城", &[2])]);
    let got = world.cells(
        "SELECT t.district, COUNT(*) FROM bike_trips t LEFT ANTI JOIN parks p ON t.district = p.district \
         AND p.places > 25 GROUP BY t.district",
        &city(),
        &[],
    );
    expect(&got, &[("东城", &[2]), ("南城", &[2])]);
}

#[test]
fn protected_tables_are_joined_by_unit() {
    let world = world();
    let rides = [
        at(1, "南城", 1),
        at(1, "南城", 2),
        at(3, "东城", 3),
        at(9, "东城", 4),
    ];
    let sql = "SELECT t.district, COUNT(*), COUNT(DISTINCT t.person_id) FROM bike_trips t \
               JOIN rides r ON t.person_id = r.person_id GROUP BY t.district";
    let plan = world.plan(sql).unwrap();
    assert_eq!(plan.parts[0].core.unit.max_rows_per_unit, 10 * 4);
    assert_eq!(plan.datasets().len(), 2, "both are charged");
    let got = world.cells(sql, &city(), &rides);
    expect(&got, &[("东城", &[2, 1]), ("南城", &[2, 1]), ("西城", &[2, 1])]);
    let got = world.cells(
        "SELECT r.district, COUNT(*) FROM bike_trips t LEFT JOIN rides r ON t.person_id = r.person_id \
         AND r.fare > 1 GROUP BY r.district",
        &city(),
        &rides,
    );
    // Unit 1 keeps one of its rides for each of two trips, unit 3 one for each of two; units 2 and 7 have none.
    expect(&got, &[("Null", &[2]), ("东城", &[2]), ("南城", &[2])]);
    // The same table twice.
    let got = world.cells(
        "SELECT COUNT(*) FROM bike_trips a JOIN bike_trips b ON a.person_id = b.person_id AND a.fare < b.fare",
        &city(),
        &[],
    );
    expect(&got, &[("", &[2])]);
}

#[test]
fn groups_within_a_unit_are_aggregated_again() {
    let world = world();
    let sql = "SELECT home, COUNT(*), COUNT(DISTINCT person_id), SUM(total) FROM (\
               SELECT person_id, home, COUNT(*) AS trips, SUM(fare) AS total FROM bike_trips \
               GROUP BY person_id, home) AS p WHERE trips >= 2 GROUP BY home";
    let plan = world.plan(sql).unwrap();
    assert_eq!(
        plan.parts[0].core.unit.max_rows_per_unit, 1,
        "home is the same in all rows of a unit"
    );
    assert_eq!(plan.parts[0].core.groups_per_unit, 1);
    let got = world.cells(sql, &city(), &[]);
    // Homes by unit: 1 西城, 3 东城.
    expect(&got, &[("东城", &[1, 1, 900]), ("西城", &[1, 1, 300])]);
    let got = world.cells(
        "WITH p AS (SELECT person_id, MIN(fare) AS least, MAX(fare) AS most, AVG(fare) AS mean, \
         COUNT(DISTINCT district) AS places FROM bike_trips GROUP BY person_id HAVING COUNT(*) > 1) \
         SELECT places, SUM(least), SUM(most), SUM(mean) FROM p GROUP BY places",
        &city(),
        &[],
    );
    let mut kept: Vec<_> = got.keys().cloned().collect();
    kept.sort();
    assert_eq!(kept, ["1", "2"]);
    // More keys than the unit: so many rows a unit at most.
    let plan = world
        .plan("SELECT COUNT(*) FROM (SELECT person_id, district, COUNT(*) AS n FROM bike_trips GROUP BY 1, 2) x")
        .unwrap();
    assert_eq!(plan.parts[0].core.unit.max_rows_per_unit, 10);
    // Joined with another protected table: one row a unit on this side.
    let sql = "SELECT c.home, COUNT(*) FROM rides AS v JOIN (SELECT person_id, home, COUNT(*) AS trips \
               FROM bike_trips GROUP BY person_id, home) AS c ON v.person_id = c.person_id \
               WHERE c.trips >= 2 GROUP BY c.home";
    let plan = world.plan(sql).unwrap();
    assert_eq!(
        (
            plan.parts[0].core.unit.max_rows_per_unit,
            plan.parts[0].core.groups_per_unit
        ),
        (4, 1)
    );
    let rides = [
        at(1, "南城", 1),
        at(1, "南城", 2),
        at(2, "东城", 3),
        at(3, "东城", 3),
    ];
    expect(
        &world.cells(sql, &city(), &rides),
        &[("东城", &[1]), ("西城", &[2])],
    );
}

#[test]
fn what_is_not_a_join_of_units_is_refused_by_rule() {
    let world = world();
    for (sql, rule) in [
        (
            "SELECT COUNT(*) FROM bike_trips t JOIN rides r ON t.district = r.district",
            Rule::JoinUnit,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips t CROSS JOIN rides r",
            Rule::JoinUnit,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips t JOIN rides r ON t.person_id = r.note",
            Rule::UnitKey,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips t JOIN rides r ON t.person_id < r.person_id",
            Rule::UnitKey,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips t JOIN rides r ON t.person_id = t.person_id",
            Rule::UnitKey,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips t FULL JOIN rides r ON t.person_id = r.person_id",
            Rule::OuterJoin,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips t RIGHT JOIN zones z ON t.district = z.name",
            Rule::OuterJoin,
        ),
        (
            "SELECT COUNT(*) FROM zones z LEFT JOIN bike_trips t ON t.district = z.name",
            Rule::OuterJoin,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips t FULL JOIN zones z ON t.district = z.name",
            Rule::OuterJoin,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips t LEFT SEMI JOIN rides r ON t.person_id = r.person_id",
            Rule::Join,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips t LEFT ANTI JOIN rides r ON t.person_id = r.person_id",
            Rule::Join,
        ),
        (
            "SELECT COUNT(*) FROM zones z LEFT ANTI JOIN bike_trips t ON t.district = z.name",
            Rule::Join,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips t JOIN zones z ON t.person_id = z.name",
            Rule::UnitKey,
        ),
        ("SELECT COUNT(*) FROM bike_trips t, zones z", Rule::Join),
        (
            "SELECT COUNT(*) FROM zones z JOIN parks p ON z.name = p.district",
            Rule::Join,
        ),
        ("SELECT COUNT(*) FROM zones", Rule::NoTable),
        (
            "SELECT COUNT(*) FROM bike_trips t JOIN nowhere n ON t.district = n.x",
            Rule::UnknownTable,
        ),
        (
            "SELECT COUNT(DISTINCT r.person_id) FROM bike_trips t LEFT JOIN rides r ON t.person_id = r.person_id",
            Rule::UnitKey,
        ),
        (
            "SELECT district, COUNT(*) FROM (SELECT district, COUNT(*) AS n FROM bike_trips GROUP BY district) x \
             GROUP BY district",
            Rule::InnerAggregation,
        ),
        (
            "SELECT MAX(n) FROM (SELECT person_id, COUNT(*) AS n FROM bike_trips GROUP BY person_id) x",
            Rule::UnboundedAggregate,
        ),
        ("SELECT MAX(fare) FROM bike_trips", Rule::UnboundedAggregate),
        (
            "SELECT COUNT(*) FROM (SELECT person_id, STDDEV(fare) AS s FROM bike_trips GROUP BY person_id) x",
            Rule::InnerFunction,
        ),
        (
            "SELECT p.person_id, COUNT(*) FROM (SELECT person_id, COUNT(*) AS n FROM bike_trips GROUP BY person_id) p \
             GROUP BY p.person_id",
            Rule::UnitKey,
        ),
        (
            "SELECT COUNT(*) FROM bike_trips a JOIN bike_trips b ON a.person_id = b.person_id \
             JOIN bike_trips c ON a.person_id = c.person_id JOIN bike_trips d ON a.person_id = d.person_id \
             JOIN bike_trips e ON a.person_id = e.person_id JOIN bike_trips f ON a.person_id = f.person_id \
             JOIN bike_trips g ON a.person_id = g.person_id",
            Rule::FanOut,
        ),
    ] {
        assert_eq!(world.rule(sql), rule, "{sql}");
    }
}

#[test]
fn datasets_about_different_units_are_not_joined() {
    let mut world = world();
    let mut json = serde_json::to_value(&world.protected[1].metadata).unwrap();
    json["unit"]["type"] = "enterprise".into();
    world.protected[1].metadata = serde_json::from_value(json).unwrap();
    let sql = "SELECT COUNT(*) FROM bike_trips t JOIN rides r ON t.person_id = r.person_id";
    assert_eq!(world.rule(sql), Rule::UnitTypes);
}

#[test]
fn what_is_public_is_asked_for_beforehand() {
    let protected = [relation()];
    let asked = |sql: &str| -> Vec<(String, String)> {
        let queries = crate::public_queries(sql, &protected).unwrap();
        let text = |body: crate::PublicBody| match body {
            crate::PublicBody::Dataset { mentioned } => format!("dataset {}", mentioned.contains("district")),
            crate::PublicBody::Query(sql) => sql,
        };
        queries
            .into_iter()
            .map(|query| (query.name, text(query.body)))
            .collect()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(asked("SELECT COUNT(*) FROM bike_trips"), []);
    assert_eq!(
        asked("SELECT COUNT(*) FROM bike_trips t JOIN parks p USING (district)"),
        [pair("parks", "dataset true")]
    );
    assert_eq!(
        asked(
            "SELECT COUNT(*) FROM bike_trips t JOIN (SELECT district, SUM(places) AS n FROM parks GROUP BY 1) p \
             ON t.district = p.district"
        ),
        [pair(
            "__public_0",
            "SELECT * FROM (SELECT district, SUM(places) AS n FROM parks GROUP BY 1) AS t"
        )]
    );
    assert_eq!(
        asked(
            "WITH a AS (SELECT * FROM parks), b AS (SELECT * FROM a), t AS (SELECT * FROM bike_trips) \
             SELECT COUNT(*) FROM t JOIN b ON t.district = b.district"
        ),
        [pair(
            "b",
            "WITH a AS (SELECT * FROM parks), b AS (SELECT * FROM a) SELECT * FROM \"b\""
        )]
    );
    assert_eq!(
        asked(
            "SELECT COUNT(*) * 1.0 / (SELECT SUM(places) FROM parks WHERE places > 9) AS n FROM bike_trips"
        ),
        [pair(
            "__public_0",
            "SELECT __member FROM (SELECT SUM(places) FROM parks WHERE places > 9) AS t (__member)"
        )]
    );
    // Whatever reads a protected table, by whatever name, is not public.
    for sql in [
        "SELECT COUNT(*) FROM (SELECT * FROM bike_trips) x",
        "WITH x AS (SELECT * FROM bike_trips), y AS (SELECT * FROM x) SELECT COUNT(*) FROM y",
        "SELECT COUNT(*) FROM (SELECT 1 FROM (SELECT * FROM bike_trips) a) b",
        "SELECT COUNT(*) FROM (SELECT (SELECT COUNT(*) FROM bike_trips) AS n FROM \"bike_trips\") b",
    ] {
        assert_eq!(asked(sql), [], "{sql}");
    }
    let hidden =
        asked("SELECT COUNT(*) FROM bike_trips t JOIN (SELECT 1 AS x FROM parks, bike_trips) p ON true");
    assert_eq!(hidden.len(), 1, "{hidden:?}");
    assert_eq!(hidden[0].0, "parks");
}

#[test]
fn a_name_of_with_is_given_once() {
    let world = world();
    for sql in [
        "WITH k AS (SELECT COUNT(*) AS s FROM bike_trips) SELECT COUNT(*) * 1.0 / (WITH k AS (SELECT SUM(places) AS s \
         FROM parks) SELECT s FROM k) AS x FROM bike_trips",
        "WITH k AS (SELECT SUM(places) AS s FROM parks) SELECT * FROM (WITH K AS (SELECT COUNT(*) AS s FROM bike_trips) \
         SELECT s FROM k) AS t",
        "WITH k AS (SELECT 1 AS s FROM parks), k AS (SELECT 2 AS s FROM parks) SELECT COUNT(*) FROM bike_trips CROSS JOIN k",
    ] {
        assert_eq!(world.rule(sql), Rule::Cte, "{sql}");
    }
}

#[test]
fn an_open_value_is_one_row() {
    let mut world = world();
    let sql = "SELECT district, COUNT(*) * 1.0 / (SELECT SUM(places) FROM parks ORDER BY 1 LIMIT 5) AS n \
               FROM bike_trips GROUP BY district HAVING COUNT(*) > (SELECT SUM(places) FROM parks ORDER BY 1 LIMIT 5)";
    let asked = crate::public_queries(sql, &world.protected).unwrap();
    assert_eq!(asked.len(), 2);
    for (rows, accepted) in [(0, false), (1, true), (2, false)] {
        let value = |name: &str| {
            let values: Vec<i64> = (0..rows).collect();
            public(name, vec![("__member", Arc::new(Int64Array::from(values)))])
        };
        world.public = asked.iter().map(|query| value(&query.name)).collect();
        match world.plan(sql) {
            Ok(plan) => assert!(accepted && plan.parts.len() == 1, "{rows} rows"),
            Err(refusal) => assert!(
                !accepted && refusal.rule == Rule::Subquery,
                "{rows} rows: {refusal}"
            ),
        }
    }
}

/// What a batch becomes by a join need not fit the memory: neither many public rows for a key nor many rows of a unit on
/// both sides are made at once.
#[test]
fn pairs_are_made_a_batch_at_a_time() {
    use futures::StreamExt;

    let mut world = world_of(1_000);
    let wide: i64 = 900;
    world.public.push(public(
        "wide",
        vec![
            ("place", Arc::new(StringArray::from(vec!["东城"; 900]))),
            ("n", Arc::new(Int64Array::from_iter_values(0..wide))),
        ],
    ));
    let trips: Vec<Trip> = (0..900).map(|n| at(1 + n / 450, "东城", 1)).collect();
    for (sql, pairs) in [
        (
            "SELECT SUM(w.n) FROM bike_trips t JOIN wide w ON t.district = w.place",
            900 * 900,
        ),
        (
            "SELECT SUM(a.fare) FROM bike_trips a JOIN bike_trips b ON a.person_id = b.person_id AND a.fare = b.fare",
            2 * 450 * 450,
        ),
    ] {
        let plan = world.plan(sql).unwrap();
        let folder = TempDir::new().unwrap();
        let parts = write_city(&folder, &trips, 2);
        let granted: Vec<Granted> = plan.parts[0]
            .core
            .tables
            .iter()
            .map(|_| Granted {
                parts: parts.clone(),
                key: key(),
            })
            .collect();
        let rows = crate::execute::physical(
            &plan.parts[0].core,
            &plan.parts[0].core.source,
            &granted,
            1,
            &mut None,
        )
        .unwrap();
        let mut stream = rows.execute(0, Arc::default()).unwrap();
        let (mut most, mut all) = (0, 0);
        while let Some(batch) = futures::executor::block_on(stream.next()) {
            let count = batch.unwrap().num_rows();
            (most, all) = (most.max(count), all + count);
        }
        assert_eq!(all, pairs, "{sql}");
        assert!(most <= 8_192 + 900, "{sql}: {most} pairs at once");
    }
}

fn any_trip() -> impl Strategy<Value = Trip> {
    (0..9u64, 0..3usize, -100..3_000i64)
        .prop_map(|(unit, district, fare)| at(unit, DISTRICTS[district], fare))
}

fn any_query() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just(
            "SELECT z.zone, COUNT(*), SUM(t.fare) FROM bike_trips t JOIN zones z ON t.district = z.name GROUP BY 1"
        ),
        Just(
            "SELECT COUNT(*), SUM(p.places * t.fare) FROM bike_trips t JOIN parks p ON t.district = p.district"
        ),
        Just(
            "SELECT t.district, SUM(p.places) FROM bike_trips t LEFT JOIN parks p ON t.district = p.district GROUP BY 1"
        ),
        Just(
            "SELECT t.district, COUNT(*) FROM bike_trips t LEFT ANTI JOIN parks p ON t.district = p.district GROUP BY 1"
        ),
        Just(
            "SELECT t.district, COUNT(*), SUM(r.fare) FROM bike_trips t JOIN rides r ON t.person_id = r.person_id GROUP BY 1"
        ),
        Just(
            "SELECT r.district, COUNT(*), COUNT(DISTINCT t.person_id) FROM bike_trips t LEFT JOIN rides r \
              ON t.person_id = r.person_id AND r.fare > t.fare GROUP BY 1"
        ),
        Just(
            "SELECT home, COUNT(*), SUM(total), AVG(mean) FROM (SELECT person_id, home, SUM(fare) AS total, \
              AVG(distance) AS mean, COUNT(*) AS n FROM bike_trips GROUP BY 1, 2) x WHERE n > 1 GROUP BY 1"
        ),
        Just(
            "SELECT district, COUNT(*), SUM(n) FROM (SELECT person_id, district, COUNT(*) AS n FROM bike_trips \
              GROUP BY 1, 2) x GROUP BY 1"
        ),
        Just(
            "SELECT r.district, SUM(c.n) FROM rides r JOIN (SELECT person_id, MAX(fare) AS n FROM bike_trips \
              GROUP BY 1) c ON r.person_id = c.person_id GROUP BY 1"
        ),
    ]
}

proptest! {
    #![proptest_config(cases(64))]

    /// Noise off: whatever the joins, all rows of one unit, in all datasets, change the totals by no more than is declared.
    #[test]
    fn removing_a_unit_changes_no_more_than_declared(
        sql in any_query(),
        trips in prop::collection::vec(any_trip(), 0..60),
        rides in prop::collection::vec(any_trip(), 0..40),
        rows_per_unit in prop_oneof![Just(1u32), Just(3), Just(50)],
        gone in 0..9u64,
        threads in 1..4usize,
    ) {
        let world = world_of(rows_per_unit);
        let plan = world.plan(sql).map_err(|e| TestCaseError::fail(format!("{sql}: {e}")))?;
        let without = |rows: &[Trip]| -> Vec<Trip> {
            rows.iter().filter(|trip| trip.unit != gone).cloned().collect()
        };
        let all = world.totals(&plan, &trips, &rides, threads);
        let less = world.totals(&plan, &without(&trips), &without(&rides), 1);
        for (at, aggregate) in plan.parts[0].core.aggregates.iter().enumerate() {
            let norm: u128 = (0..plan.parts[0].core.cells)
                .map(|cell| {
                    let difference = all.get(cell, at).unwrap() - less.get(cell, at).unwrap();
                    difference.unsigned_abs().pow(2)
                })
                .sum();
            prop_assert!(
                norm <= aggregate.sensitivity_squared(),
                "{sql}: {norm} > {}", aggregate.sensitivity_squared()
            );
        }
    }
}
