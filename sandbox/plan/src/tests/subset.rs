//! Which units a plan is about: those that its conditions leave in, and no others.

use proptest::prelude::*;

use super::fixture::{DISTRICTS, Trip, trip};
use super::world::{World, world_of};
use crate::{PrivatePlan, Totals};

/// The subset of the units of trips, as `field=value|value`.
fn told(world: &World, plan: &PrivatePlan) -> String {
    let subset = plan.subset(world.protected[0].dataset);
    subset.map_or_else(
        || "all".to_owned(),
        |subset| {
            let values: Vec<String> = subset.values.into_iter().collect();
            format!("{}={}", subset.field, values.join("|"))
        },
    )
}

#[test]
fn conditions_on_unit_static_fields_tell_whom_a_query_is_about() {
    let world = world_of(7);
    let city = "SELECT COUNT(*) FROM bike_trips";
    let by_person = "SELECT person_id, home, COUNT(*) AS n FROM bike_trips";
    for (sql, want) in [
        (format!("{city} WHERE home = '东城'"), "home=东城"),
        (format!("{city} WHERE '东城' = home AND fare > 3"), "home=东城"),
        (format!("{city} WHERE home IN ('西城', '东城')"), "home=东城|西城"),
        (format!("{city} WHERE home = '东城' OR home = '南城'"), "home=东城|南城"),
        (format!("{city} WHERE home IN ('东城', '西城') AND home <> '东城'"), "home=东城|西城"),
        (format!("{city} WHERE home IN ('东城', '西城') AND home IN ('西城', '南城')"), "home=西城"),
        (format!("{city} t JOIN zones z ON t.district = z.name WHERE t.home = '东城'"), "home=东城"),
        (format!("{by_person} WHERE home = '东城' GROUP BY 1, 2").replace("SELECT", "SELECT n, COUNT(*) FROM (SELECT") + ") x GROUP BY n % 5, n", "home=东城"),
        (format!("SELECT COUNT(*) FROM ({by_person} GROUP BY 1, 2) x WHERE home = '东城'"), "home=东城"),
        (
            format!("SELECT a.n, b.n AS m FROM ({city} WHERE home = '东城') a CROSS JOIN ({city} WHERE home = '西城') b")
                .replace("COUNT(*)", "COUNT(*) AS n"),
            "home=东城|西城",
        ),
        (
            "SELECT COUNT(*) FROM (SELECT person_id, fare FROM bike_trips WHERE home = '东城') a \
             JOIN rides b ON a.person_id = b.person_id"
                .to_owned(),
            "home=东城",
        ),
        // About everyone, as far as can be told.
        (city.to_owned(), "all"),
        (format!("{city} WHERE district = '东城'"), "all"),
        (format!("{city} WHERE home <> '东城'"), "all"),
        (format!("{city} WHERE NOT home = '东城'"), "all"),
        (format!("{city} WHERE home = '东城' OR fare > 3"), "all"),
        (format!("{city} WHERE home = '东城' OR district = '西城'"), "all"),
        (format!("{city} WHERE upper(home) = '东城'"), "all"),
        (format!("{city} WHERE home LIKE '东城'"), "all"),
        (format!("{city} WHERE COALESCE(home, '东城') = '东城'"), "all"),
        (format!("{city} WHERE home IS NULL"), "all"),
        (format!("{city} WHERE home = district"), "all"),
        (format!("{city} WHERE home = '东城' AND home = '西城'"), "all"),
        ("SELECT COUNT(*) FILTER (WHERE home = '东城') FROM bike_trips".to_owned(), "all"),
        ("SELECT SUM(CASE WHEN home = '东城' THEN 1 ELSE 0 END) FROM bike_trips".to_owned(), "all"),
        (format!("{} HAVING home = '东城'", "SELECT home, COUNT(*) FROM bike_trips GROUP BY home"), "all"),
        (
            format!("SELECT a.n, b.n AS m FROM ({city} WHERE home = '东城') a CROSS JOIN ({city}) b")
                .replace("COUNT(*)", "COUNT(*) AS n"),
            "all",
        ),
        (
            "SELECT COUNT(*) FROM bike_trips a JOIN bike_trips b ON a.person_id = b.person_id WHERE a.home = '东城'"
                .to_owned(),
            "all",
        ),
        ("SELECT COUNT(*) FROM rides WHERE home = '东城'".to_owned(), "all"),
    ] {
        let plan = world.plan(&sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
        assert_eq!(told(&world, &plan), want, "{sql}");
    }
}

fn any_trip() -> impl Strategy<Value = Trip> {
    let district = prop_oneof![Just(None), (0..3usize).prop_map(|at| Some(DISTRICTS[at]))];
    (0..12u64, district, -5..50i64).prop_map(|(unit, district, fare)| Trip {
        district,
        fare: Some(fare),
        ..trip(unit, "东城")
    })
}

const ABOUT_EAST: [&str; 6] = [
    "SELECT district, COUNT(*), SUM(fare) FROM bike_trips WHERE home = '东城' GROUP BY district",
    "SELECT note, COUNT(DISTINCT person_id) FROM bike_trips WHERE home = '东城' AND fare > 1 GROUP BY note",
    "SELECT MEDIAN(fare), COUNT(DISTINCT fare) FROM bike_trips WHERE home IN ('东城')",
    "SELECT SUM(n) FROM (SELECT person_id, home, LEAST(COUNT(*), 9) AS n FROM bike_trips GROUP BY 1, 2) x WHERE home = '东城'",
    "SELECT COUNT(*) FROM (SELECT person_id FROM bike_trips WHERE home = '东城') a LEFT JOIN rides b ON a.person_id = b.person_id",
    "SELECT a.n, b.m FROM (SELECT COUNT(*) AS n FROM bike_trips WHERE home = '东城') a \
     CROSS JOIN (SELECT SUM(fare) AS m FROM bike_trips WHERE home = '东城' AND electric) b",
];

proptest! {
    #![proptest_config(super::fixture::cases(24))]

    /// White box: whoever is not among the units that are told changes nothing at all.
    #[test]
    fn units_that_are_not_told_change_nothing(
        trips in prop::collection::vec(any_trip(), 0..60),
        rides in prop::collection::vec(any_trip(), 0..20),
        gone in 0..12u64,
        of in 0..ABOUT_EAST.len(),
    ) {
        let world = world_of(7);
        let plan = world.plan(ABOUT_EAST[of]).unwrap();
        prop_assert_eq!(told(&world, &plan), "home=东城");
        let less: Vec<Trip> = trips.iter().filter(|trip| trip.unit != gone).cloned().collect();
        let with: Vec<Totals> = world.all_totals(&plan, &trips, &rides, 2);
        let without: Vec<Totals> = world.all_totals(&plan, &less, &rides, 1);
        if trip(gone, "东城").home != "东城" {
            prop_assert_eq!(with, without);
        }
    }
}
