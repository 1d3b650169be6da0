//! Data that breaks its promise is an incident, and no operator slips past the check of the physical plan.

use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion_physical_plan::empty::EmptyExec;
use tempfile::TempDir;

use super::fixture::{SECRET, Trip, key, plan, run, trip, write_part};
use super::world::world_of;
use crate::Granted;
use crate::bounding::{BoundingExec, Pass};
use crate::execute::{ExecutionError, Incident, check_physical};
use crate::plan::AggregateFunction;
use crate::scalar::{Comparison, Function, Literal, ScalarExpr};
use crate::scan::{Cut, UnitScanExec};
use crate::source::Source;

#[test]
fn order_and_ranges_are_checked() {
    let folder = TempDir::new().unwrap();
    let plan = plan("SELECT COUNT(*), SUM(fare) FROM bike_trips");
    let t = |unit| trip(unit, "东城");
    let path = |name: &str| folder.path().join(name);
    let check = |parts: &[crate::Part], want: Incident| {
        for threads in [1, 2] {
            let error = run(&plan, parts, threads).unwrap_err();
            assert_eq!(error, ExecutionError::Incident(want), "{threads} threads");
        }
    };
    let unsorted = write_part(&path("a"), &[&[t(1), t(3), t(2)]]);
    check(&[unsorted], Incident::OutOfOrder);
    let returning = write_part(&path("b"), &[&[t(1), t(2), t(1)]]);
    check(&[returning], Incident::OutOfOrder);
    let split = write_part(&path("c"), &[&[t(1), t(2)], &[t(2), t(3)]]);
    check(&[split], Incident::RangesOverlap);
    let (low, high) = (
        write_part(&path("d"), &[&[t(1), t(2)]]),
        write_part(&path("e"), &[&[t(3), t(4)]]),
    );
    check(&[high.clone(), low.clone()], Incident::RangesOverlap);
    check(&[low.clone(), low.clone()], Incident::RangesOverlap);
    let mut narrow = high.clone();
    narrow.unit_range = (3, 3);
    check(&[low.clone(), narrow], Incident::UnitOutsideRange);
    let mut fewer = high.clone();
    fewer.rows -= 1;
    check(&[fewer], Incident::PartChanged);
    let mut longer = high.clone();
    longer.bytes += 1;
    check(&[longer], Incident::PartChanged);
    assert!(run(&plan, &[low, high], 2).is_ok());
    std::fs::write(path("f"), b"PAR1 nonsense PAR1").unwrap();
    let garbage = crate::Part {
        path: path("f"),
        sha256: String::new(),
        bytes: 18,
        rows: 1,
        place: 0,
        unit_range: (0, 1),
    };
    check(std::slice::from_ref(&garbage), Incident::Unreadable);
    let missing = crate::Part {
        path: path("nowhere"),
        ..garbage
    };
    assert!(matches!(run(&plan, &[missing], 1), Err(ExecutionError::Io(_))));
}

#[test]
fn errors_carry_no_values() {
    let folder = TempDir::new().unwrap();
    let odd = Trip {
        note: Some("geheim"),
        ..trip(77_777, "东城")
    };
    let part = write_part(&folder.path().join("x"), &[&[odd, trip(1, "东城")]]);
    let error = run(&plan("SELECT COUNT(*) FROM bike_trips"), &[part], 1).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(!text.contains("77777") && !text.contains("geheim"), "{text}");
}

#[test]
fn an_empty_version_has_zero_totals() {
    let plan = plan("SELECT district, COUNT(*) FROM bike_trips GROUP BY 1");
    let totals = run(&plan, &[], 2).unwrap();
    assert_eq!(totals.values, vec![0; 5]);
    let folder = TempDir::new().unwrap();
    let empty = write_part(&folder.path().join("x"), &[]);
    assert_eq!(run(&plan, &[empty], 2).unwrap().values, vec![0; 5]);
}

#[test]
fn only_known_operators_run() {
    let folder = TempDir::new().unwrap();
    let plan = plan("SELECT COUNT(*) FROM bike_trips");
    let part = write_part(
        &folder.path().join("x"),
        &[&[trip(1, "东城")], &[trip(2, "东城")]],
    );
    let core = Arc::new(plan.parts[0].core.clone());
    let scan: Arc<dyn ExecutionPlan> =
        Arc::new(UnitScanExec::open(&core.tables[0], &[part], &key(), Cut::Into(2)).unwrap());
    let bound = |input: Arc<dyn ExecutionPlan>| -> Arc<dyn ExecutionPlan> {
        Arc::new(BoundingExec::new(
            Arc::clone(&core),
            SECRET,
            Pass::Whole { room: u64::MAX },
            input,
        ))
    };
    assert_eq!(check_physical(&core, &bound(Arc::clone(&scan))), Ok(()));
    let refused = |plan: Arc<dyn ExecutionPlan>, name: &str| {
        assert_eq!(
            check_physical(&core, &plan),
            Err(ExecutionError::Operator(name.to_owned()))
        );
    };
    refused(Arc::clone(&scan), "UnitScanExec");
    let coalesced: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(Arc::clone(&scan)));
    refused(bound(coalesced), "CoalescePartitionsExec");
    refused(bound(Arc::new(EmptyExec::new(scan.schema()))), "EmptyExec");
    refused(bound(bound(scan)), "BoundingExec");
}

fn equal(left: ScalarExpr, right: ScalarExpr) -> ScalarExpr {
    ScalarExpr::Compare(Comparison::Equal, Box::new(left), Box::new(right))
}

/// Whoever could forge plans could have rows multiply beyond what time and memory were reserved for, or answers that nobody can
/// hold.
#[test]
fn a_plan_cannot_say_less_than_it_costs() {
    let world = world_of(5);
    let sql = "SELECT home, SUM(places) FROM bike_trips JOIN parks ON bike_trips.district = parks.district \
               GROUP BY ROLLUP (home)";
    let plan = world.plan(sql).unwrap();
    assert_eq!(plan.check(), Ok(()));
    let mut forged = plan.clone();
    let Source::PublicJoin { matches, .. } = &mut forged.parts[0].core.source else {
        panic!("{:?}", forged.parts[0].core.source);
    };
    assert_eq!(std::mem::replace(matches, 1), 2);
    assert!(forged.check().is_err());
    let mut forged = plan.clone();
    forged.parts[0].sets = Some(vec![vec![0]; 65]);
    assert!(forged.check().is_err());
    let mut forged = plan.clone();
    forged.parts[0].sets = Some(vec![vec![1]]);
    assert!(forged.check().is_err());
    let mut forged = plan;
    let source = forged.parts[0].core.source.clone();
    forged.parts[0].core.source = (0..12).fold(source, |input, _| Source::Filter {
        input: Box::new(input),
        condition: ScalarExpr::Or(vec![]),
    });
    assert!(forged.check().is_err());
}

#[test]
fn a_damaged_plan_is_not_run() {
    let good = plan("SELECT district, SUM(fare) FROM bike_trips GROUP BY 1").parts[0]
        .core
        .clone();
    let spoil: [fn(&mut crate::PlanCore); 16] = [
        |core| core.cells += 1,
        |core| core.groups_per_unit = 0,
        |core| core.groups_per_unit = 6,
        |core| core.aggregates[0].unit_most += 1,
        |core| core.aggregates[0].row_hi = i64::MAX,
        |core| core.aggregates.clear(),
        |core| core.tables[0].columns.clear(),
        // Products of sensitivities that overflow are no noise at all.
        |core| core.aggregates[0].spread = 2,
        |core| core.aggregates[0].spread = u32::MAX,
        // What fails over some rows only would tell which there are.
        |core| core.aggregates[0].exponent = -49,
        |core| core.aggregates[0].exponent = 63,
        |core| core.filter = Some(ScalarExpr::And(vec![])),
        |core| {
            core.filter = Some(equal(
                ScalarExpr::Column(0),
                ScalarExpr::Literal(Literal::Integer(1)),
            ))
        },
        |core| core.keys[0].expr = ScalarExpr::Call(Function::Upper, vec![]),
        // A count that counts nothing would be clipped by nobody.
        |core| {
            let count = &mut core.aggregates[0];
            count.function = AggregateFunction::CountRows;
            (count.row_lo, count.row_hi, count.unit_most) = (0, 0, 1);
        },
        |core| core.format = 0,
    ];
    for (at, spoil) in spoil.into_iter().enumerate() {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert!(
            matches!(
                crate::execute(
                    &bad,
                    &[Granted {
                        parts: vec![],
                        key: key()
                    }],
                    &SECRET,
                    1
                ),
                Err(ExecutionError::Plan(_))
            ),
            "case {at}"
        );
    }
}
