//! Totals that need no unit are computed without the column of units, where the parts vouch for the rows of each (docs/adr/0024).

use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tempfile::TempDir;

use super::fixture::{SECRET, Trip, granted, key, plan, run, trip, write_part_saying, write_part_with};
use super::world::world_of;
use crate::bounding::{BoundingExec, Pass};
use crate::execute::{ExecutionError, Incident, check_physical, physical_plan};
use crate::plan::PlanCore;
use crate::scan::{Cut, Part, UnitScanExec, unit_scan};

const WHOLE: Pass = Pass::Whole { room: 1 << 20 };

/// Four persons, one of whom has three rows.
fn trips() -> Vec<Trip> {
    [
        (1, "东城"),
        (2, "西城"),
        (2, "东城"),
        (2, "南城"),
        (3, "西城"),
        (4, "东城"),
    ]
    .map(|(unit, district)| trip(unit, district))
    .to_vec()
}

fn part(folder: &TempDir, says: Option<usize>) -> Part {
    let trips = trips();
    write_part_saying(says, 0, &folder.path().join("part"), &[&trips[..4], &trips[4..]])
}

/// Whether the scan at the bottom of a plan over one table tells units.
fn tells_units(core: &PlanCore, part: &Part) -> bool {
    let granted = [granted(std::slice::from_ref(part), &key())];
    let mut node = physical_plan(core, &granted, &SECRET, 2, WHOLE).unwrap();
    loop {
        if let Some(scan) = unit_scan(node.as_ref()) {
            return scan.tells_units();
        }
        let below = Arc::clone(node.children()[0]);
        node = below;
    }
}

#[test]
fn units_are_read_only_where_something_depends_on_them() {
    let folder = TempDir::new().unwrap();
    let part = part(&folder, Some(3));
    let world = world_of(10);
    for (tells, sql) in [
        (false, "SELECT COUNT(*) FROM bike_trips"),
        (
            false,
            "SELECT COUNT(*), SUM(fare) FROM bike_trips WHERE distance > 5",
        ),
        (
            false,
            "SELECT district, AVG(fare), STDDEV(distance) FROM bike_trips GROUP BY district",
        ),
        (
            false,
            "SELECT zone, SUM(places) FROM bike_trips JOIN parks ON bike_trips.district = parks.district \
             LEFT JOIN zones ON bike_trips.district = zones.name GROUP BY zone",
        ),
        (true, "SELECT COUNT(DISTINCT person_id) FROM bike_trips"),
        (true, "SELECT COUNT(*), COUNT(DISTINCT person_id) FROM bike_trips"),
        (true, "SELECT COUNT(DISTINCT fare) FROM bike_trips"),
        (true, "SELECT MEDIAN(fare) FROM bike_trips"),
        (true, "SELECT note, COUNT(*) FROM bike_trips GROUP BY note"),
        (
            true,
            "SELECT n, COUNT(*) FROM (SELECT person_id, COUNT(*) AS n FROM bike_trips GROUP BY 1) AS p GROUP BY n",
        ),
    ] {
        let plan = world
            .plan(sql)
            .unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
        assert_eq!(tells_units(&plan.parts[0].core, &part), tells, "{sql}");
    }
}

#[test]
fn a_part_that_does_not_vouch_for_its_units_has_them_read() {
    let plan = plan("SELECT district, COUNT(*), SUM(fare) FROM bike_trips GROUP BY district");
    let folder = TempDir::new().unwrap();
    let told = run(&plan, &[part(&folder, None)], 2).unwrap();
    assert_eq!(told.values.iter().sum::<i128>(), 6 + 600);
    // Ten rows a unit are declared.
    for (says, tells) in [
        (None, true),
        (Some(11), true),
        (Some(10), false),
        (Some(3), false),
    ] {
        let part = part(&folder, says);
        assert_eq!(tells_units(&plan.parts[0].core, &part), tells, "{says:?}");
        for threads in [1, 2] {
            assert_eq!(
                run(&plan, std::slice::from_ref(&part), threads).unwrap(),
                told,
                "{says:?}"
            );
        }
    }
    // One part that says nothing is enough.
    let trips = trips();
    let first = write_part_saying(Some(3), 0, &folder.path().join("a"), &[&trips[..4]]);
    let second = write_part_saying(None, 1, &folder.path().join("b"), &[&trips[4..]]);
    assert_eq!(run(&plan, &[first.clone(), second.clone()], 2).unwrap(), told);
    let granted = [granted(&[first, second], &key())];
    let physical = physical_plan(&plan.parts[0].core, &granted, &SECRET, 2, WHOLE).unwrap();
    assert!(unit_scan(physical.children()[0].as_ref()).unwrap().tells_units());
}

/// Two parts that say nothing of their units' ranges could both hold all rows of one unit, whatever the manifest says.
#[test]
fn a_part_that_does_not_tell_its_range_has_its_units_read() {
    let folder = TempDir::new().unwrap();
    let said = KeyValue::new(seal::ROWS_PER_UNIT.to_owned(), "2".to_owned());
    let silent = || {
        let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![said.clone()]));
        properties.set_statistics_enabled(EnabledStatistics::None)
    };
    let twice = [trip(7, "东城"), trip(7, "西城")];
    let mut first = write_part_with(silent(), 0, &folder.path().join("a"), &[&twice]);
    let mut second = write_part_with(silent(), 1, &folder.path().join("b"), &[&twice]);
    let plan = plan("SELECT COUNT(*) FROM bike_trips");
    assert!(tells_units(&plan.parts[0].core, &first));
    assert_eq!(run(&plan, std::slice::from_ref(&first), 2).unwrap().values, [2]);
    (first.unit_range, second.unit_range) = ((0, 7), (8, 9));
    let error = run(&plan, &[first, second], 2).unwrap_err();
    assert_eq!(error, ExecutionError::Incident(Incident::UnitOutsideRange));
}

/// Declared limits may become stricter after a version was written: its rows are then counted as they are read.
#[test]
fn rows_beyond_a_stricter_limit_are_left_out() {
    let folder = TempDir::new().unwrap();
    let mut strict = plan("SELECT COUNT(*) FROM bike_trips").parts[0].core.clone();
    let counted = |core: &PlanCore| {
        let granted = [granted(&[part(&folder, Some(3))], &key())];
        crate::execute(core, &granted, &SECRET, 2).unwrap().values
    };
    assert_eq!(counted(&strict), [6]);
    let two = crate::plan(
        "SELECT COUNT(*) FROM bike_trips",
        &super::fixture::relation_with(2),
    );
    strict = two.unwrap().parts[0].core.clone();
    assert_eq!(counted(&strict), [5]);
}

/// Attack: a physical plan whose scan tells no units below totals that need them. Learned: nothing, it does not run.
#[test]
fn totals_that_need_units_do_not_run_without() {
    let folder = TempDir::new().unwrap();
    let part = part(&folder, Some(3));
    for sql in [
        "SELECT COUNT(DISTINCT person_id) FROM bike_trips",
        "SELECT note, COUNT(*) FROM bike_trips GROUP BY note",
    ] {
        let core = Arc::new(plan(sql).parts[0].core.clone());
        let scan =
            UnitScanExec::open(&core.tables[0], std::slice::from_ref(&part), &key(), Cut::Into(2)).unwrap();
        let scan: Arc<dyn ExecutionPlan> = Arc::new(scan.without_units());
        let bounding: Arc<dyn ExecutionPlan> =
            Arc::new(BoundingExec::new(Arc::clone(&core), SECRET, WHOLE, scan));
        let refused = ExecutionError::Operator("UnitScanExec".to_owned());
        assert_eq!(check_physical(&core, &bounding), Err(refused), "{sql}");
        // The operator itself does not believe such rows either.
        let mut rows = bounding.execute(0, Arc::default()).unwrap();
        let error = futures::executor::block_on(futures::StreamExt::next(&mut rows))
            .unwrap()
            .unwrap_err();
        assert_eq!(ExecutionError::from(error), ExecutionError::Internal, "{sql}");
    }
}
