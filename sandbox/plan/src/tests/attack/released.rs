//! Attacks by what stands above the noise.

use super::super::fixture::{Trip, noised, trip};
use super::super::world::world_of;
use crate::release::Outer;
use crate::{Arrangement, Leaf, PrivatePlan, Rule};

const RHO: f64 = 0.004;

fn plan(sql: &str) -> PrivatePlan {
    let plan = world_of(7).plan(sql);
    plan.unwrap_or_else(|refusal| panic!("{sql}: {refusal}"))
}

/// Everyone in one aggregation, everyone but one person in the next, and the difference as a column. Learns: what one question
/// about that person would tell, with more noise: each of the two has a share of the price.
#[test]
fn the_difference_of_two_aggregations_has_the_noise_of_both() {
    let all = "SELECT COUNT(*) AS n FROM bike_trips";
    let difference = plan(&format!(
        "SELECT a.n - b.n AS one FROM ({all}) a CROSS JOIN ({all} WHERE note <> 'theirs' OR note IS NULL) b"
    ));
    assert_eq!((difference.parts.len(), difference.shares()), (2, 2));
    let single = plan(&format!("{all} WHERE note = 'theirs'"));
    let variance = |plan: &PrivatePlan| -> f64 {
        let parts = 0..plan.parts.len();
        parts
            .map(|part| plan.expected_error(part, 0, RHO).unwrap().powi(2))
            .sum()
    };
    let ratio = variance(&difference) / variance(&single);
    assert!((ratio - 4.0).abs() < 1e-9, "{ratio}");
}

/// Grouping sets without the finest, so that those who check a special answer see totals of cells that they do not see. Gets: a
/// view of all cells, whatever is added up from them.
#[test]
fn checkers_see_the_cells_behind_totals() {
    let world = world_of(7);
    let plan = |sql: &str| world.plan(sql).unwrap();
    let pairs = plan(
        "SELECT COUNT(*) AS n FROM bike_trips \
         GROUP BY GROUPING SETS ((electric, fare > 5), (electric, fare > 50), (fare > 5, fare > 50))",
    );
    assert!(pairs.parts[0].sets.is_some(), "27 cells add up to all of them");
    let cells = plan("SELECT electric, fare > 5, fare > 50, COUNT(*) AS n FROM bike_trips GROUP BY 1, 2, 3");
    assert_eq!(
        pairs.hash(),
        cells.hash(),
        "and whoever has paid for these can have those"
    );
    let [whole] = pairs.whole().try_into().unwrap();
    assert_eq!(whole.check(), Ok(()));
    assert_eq!(whole, cells.whole().remove(0));
    let zeros = vec![0; 27];
    let nothing = crate::Noised {
        totals: &zeros,
        picked: &[],
        found: None,
    };
    assert_eq!(whole.release(&[nothing]).unwrap().len(), 27);
}

/// The same aggregation under two names, to see two draws for one price. Learns: nothing: it is one draw, and its difference
/// with itself is zero.
#[test]
fn one_aggregation_under_two_names_is_drawn_once() {
    let districts = "SELECT district, COUNT(*) AS n FROM bike_trips GROUP BY district";
    let twice = plan(&format!(
        "SELECT a.district, a.n - b.n AS nothing FROM ({districts}) a JOIN ({districts}) b ON a.district = b.district"
    ));
    assert_eq!(twice.leaves, [Leaf::Part(0), Leaf::Part(0)]);
    assert_eq!((twice.parts.len(), twice.shares()), (1, 1));
    let world = world_of(7);
    let trips: Vec<Trip> = (0..9).map(|unit| trip(unit, "东城")).collect();
    let mut totals = world.totals(&twice, &trips, &[], 1);
    totals
        .values
        .iter_mut()
        .zip([5, -3, 8, 0, 1])
        .for_each(|(total, noise)| *total += noise);
    let released = twice.release(&[noised(&totals, &[])]).unwrap();
    let shown = twice.output_columns(&released).unwrap();
    let zeros = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&shown[1]);
    assert!(zeros.len() == 4 && zeros.values().iter().all(|difference| *difference == 0));
    // With another condition it is another question, and pays.
    let other = plan(&format!(
        "SELECT a.n - b.n AS more FROM ({districts}) a JOIN ({districts} HAVING COUNT(*) > 0) b ON a.district = b.district"
    ));
    assert_eq!(other.parts.len(), 1, "HAVING is above the noise");
    let filtered = "SELECT district, COUNT(*) AS n FROM bike_trips WHERE fare > 1 GROUP BY district";
    let other = plan(&format!(
        "SELECT a.n - b.n AS more FROM ({districts}) a JOIN ({filtered}) b ON a.district = b.district"
    ));
    assert_eq!((other.parts.len(), other.shares()), (2, 2));
}

/// Results joined with rows of people, to have those rows counted by figures or shown. Learns: a refusal.
#[test]
fn results_and_rows_do_not_meet() {
    let districts = "(SELECT district, COUNT(*) AS n FROM bike_trips GROUP BY district)";
    for (sql, rule) in [
        (
            format!("SELECT a.n FROM {districts} a JOIN bike_trips b ON a.district = b.district"),
            Rule::JoinReleased,
        ),
        (
            format!("SELECT a.n FROM bike_trips b LEFT JOIN {districts} a ON a.district = b.district"),
            Rule::JoinReleased,
        ),
        (
            format!("SELECT a.n FROM {districts} a CROSS JOIN (SELECT fare FROM rides) b"),
            Rule::JoinReleased,
        ),
        (
            format!("SELECT COUNT(*) FROM {districts} a JOIN bike_trips b ON a.district = b.district"),
            Rule::InnerAggregation,
        ),
        (
            "SELECT a.n FROM (SELECT person_id, COUNT(*) AS n FROM bike_trips GROUP BY person_id) a \
             CROSS JOIN (SELECT COUNT(*) AS m FROM rides) b"
                .to_owned(),
            Rule::UnitKey,
        ),
    ] {
        let refused = world_of(7).plan(&sql).unwrap_err();
        assert_eq!(refused.rule, rule, "{sql}");
    }
}

/// Joins that would show more rows than an answer may have, so that its reader pays in the server's time. Learns: a refusal before
/// the charge; and which rows find each other is said by keys, so noise cannot make them more.
#[test]
fn joins_of_results_do_not_multiply() {
    let hours = "SELECT date_part('hour', start) AS hour, fare % 100 AS f, COUNT(*) AS n FROM bike_trips GROUP BY 1, 2";
    let refused = |on: &str| {
        let sql = format!("SELECT a.n, b.n AS m FROM ({hours}) a JOIN ({hours}) b ON {on}");
        world_of(7).plan(&sql).map(|_| ()).map_err(|refusal| refusal.rule)
    };
    assert_eq!(refused("a.n = b.n"), Err(Rule::TooManyCells));
    assert_eq!(refused("a.f = b.f AND a.n < b.n"), Err(Rule::TooManyCells));
    assert_eq!(refused("a.hour = b.hour AND a.f = b.f"), Ok(()));
    // Nor does one after the other: every join is measured by the tables, and not by what the joins before made of them.
    let twice = "CROSS JOIN zones p";
    let chain = |joins: usize| {
        let joins: Vec<String> = (0..joins).map(|at| format!("{twice}{at}")).collect();
        let sql = format!("SELECT a.n FROM ({hours} , sex) a {}", joins.join(" "));
        let sql = sql.replace(" , sex", ", electric");
        world_of(7).plan(&sql).map(|_| ()).map_err(|refusal| refusal.rule)
    };
    assert_eq!(chain(2), Ok(()));
    for joins in [3, 4, 9] {
        assert_eq!(chain(joins), Err(Rule::TooManyCells), "{joins}");
    }
    // Many columns of many rows are many values.
    let wide: Vec<String> = (0..700).map(|at| format!("n n{at}")).collect();
    let sql = format!(
        "SELECT {} FROM ({hours}, electric) a CROSS JOIN zones p CROSS JOIN zones q",
        wide.join(", ")
    );
    assert_eq!(world_of(7).plan(&sql).unwrap_err().rule, Rule::TooSlow);
    // Deep joins are planned, or refused, at once.
    let begun = std::time::Instant::now();
    let all = "SELECT COUNT(*) AS n FROM bike_trips";
    let zones: Vec<String> = (0..24)
        .map(|at| format!("JOIN zones z{at} ON z{at}.name = a.district"))
        .collect();
    let sql = format!(
        "SELECT a.n FROM (SELECT district, COUNT(*) AS n FROM bike_trips GROUP BY 1) a {}",
        zones.join(" ")
    );
    assert!(world_of(7).plan(&sql).is_ok());
    let tables: Vec<String> = (0..40).map(|at| format!("CROSS JOIN ({all}) t{at}")).collect();
    let sql = format!("SELECT a.n FROM ({all}) a {}", tables.join(" "));
    assert!(world_of(7).plan(&sql).is_err());
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    let mut forged = plan(&format!(
        "SELECT a.n, b.n AS m FROM ({hours}) a JOIN ({hours}) b ON a.hour = b.hour AND a.f = b.f"
    ));
    assert_eq!(forged.check(), Ok(()));
    let Arrangement::Join { on, kind, .. } = &mut forged.arrangement else {
        panic!("{:?}", forged.arrangement)
    };
    assert_eq!(*kind, Outer::Neither);
    on.clear();
    assert!(forged.check().is_err());
}
