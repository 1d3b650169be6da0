//! What an answer leaks, audited as it is made: the exact totals of two neighbours are computed once, and the noise, the
//! threshold and the picks are drawn again and again ([`privacy::audit`] says what that can see and what it cannot).

use model::{BudgetPolicy, DatasetId, DeclaredMetadata, Level, Slug, Timestamp, VersionId};
use privacy::accuracy::gaussian_tail;
use privacy::audit::{Leak, Neighbour, leak};
use privacy::threshold::release_threshold;
use privacy::{Delta, OpenDpNoise, Scale};
use sandbox_plan::{KeyValue, PrivatePlan, Relation, Totals};
use serde_json::json;

use crate::JobCost;
use crate::answer::{noised, show};

/// A false alarm in a million runs.
const RISK: f64 = 1e-6;

/// ε of the jobs, and runs on each neighbour that show four times the ρ of it.
fn jobs() -> Vec<(f64, u32)> {
    if std::env::var("SHAPAN_AUDIT").is_ok_and(|value| value == "1") {
        vec![(6.0, 100_000), (0.5, 100_000)]
    } else {
        vec![(6.0, 2_000)]
    }
}

fn plan(sql: &str) -> PrivatePlan {
    let metadata: DeclaredMetadata = serde_json::from_value(json!({
        "unit": {"type": "person", "max_units": 1_000, "max_rows": 10_000, "max_rows_per_unit": 10},
        "fields": [
            {"name": "id", "type": "text", "role": "unit_key", "level": "L3"},
            {"name": "sex", "type": "text", "level": "L3", "domain": ["男", "女"], "unit_static": true},
            {"name": "fare", "type": "integer", "level": "L3", "bounds": {"lo": 0, "hi": 100}},
            {"name": "note", "type": "text", "level": "L3"},
        ],
    }))
    .unwrap();
    let now = Timestamp::from_micros(1_700_000_000_000_000);
    let relation = Relation {
        slug: Slug::parse("trips").unwrap(),
        dataset: DatasetId::at(now),
        version: VersionId::at(now),
        level: Level::L3,
        metadata,
    };
    sandbox_plan::plan(sql, &relation).unwrap()
}

fn cost(plan: &PrivatePlan, epsilon: f64) -> JobCost {
    let policy = BudgetPolicy {
        job_epsilon: 10.0,
        ..BudgetPolicy::default()
    };
    JobCost::of(epsilon, plan, &policy).unwrap()
}

/// Audits the shown numbers of an answer: those of the first row, their sum, an interval, and
/// how many rows there are.
fn audit(plan: &PrivatePlan, cost: &JobCost, runs: u32, [with, without]: [&Totals; 2]) -> Leak {
    let delta = Delta::from_units(u64::try_from(cost.delta_atto).unwrap() * 1_000).as_f64();
    leak(runs, RISK, delta, |neighbour| {
        let totals = if neighbour == Neighbour::With {
            with
        } else {
            without
        };
        let drawn = noised(plan, std::slice::from_ref(totals), cost, &mut OpenDpNoise).unwrap();
        let answer = show(plan, &drawn, cost.answer_rho()).unwrap();
        let numbers: Vec<f64> = answer.rows.first().map_or(vec![], |row| {
            row.values.iter().filter_map(serde_json::Value::as_f64).collect()
        });
        // The ends of a quantile's interval are drawn too.
        let ends = answer
            .rows
            .first()
            .and_then(|row| row.interval95.iter().flatten().next().copied());
        let ends = ends.unwrap_or([-1e9; 2]);
        let at = |n: usize| numbers.get(n).copied().unwrap_or(-1e9);
        // Each in units of what one unit may add, so that the sum is the likelihood ratio of Gaussians.
        let sum = numbers
            .iter()
            .zip([10.0, 1_000.0])
            .map(|(number, most)| number / most)
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "few rows")]
        let rows = answer.rows.len() as f64;
        [at(0), at(1), sum, rows, ends[0], ends[1]]
    })
}

fn acquit(found: Leak, cost: &JobCost) {
    assert!(
        found.rho <= cost.rho() && found.epsilon <= cost.epsilon,
        "{found:?} for {cost:?}"
    );
}

/// Totals with what the unit adds to the first cell.
fn totals(plan: &PrivatePlan, unit: &[i128]) -> Totals {
    let aggregates = plan.parts[0].core.aggregates.len();
    let mut values = vec![500; plan.parts[0].core.cells as usize * aggregates];
    for (total, own) in values.iter_mut().zip(unit) {
        *total += own;
    }
    Totals {
        aggregates,
        values,
        counted: vec![],
        found: None,
    }
}

#[test]
fn counts_and_sums_leak_no_more_than_is_charged() {
    let plan = plan("SELECT sex, COUNT(*) AS n, SUM(fare) AS total FROM trips GROUP BY sex");
    let most: Vec<i128> = plan.parts[0]
        .core
        .aggregates
        .iter()
        .map(|a| i128::from(a.unit_most))
        .collect();
    let without = totals(&plan, &[]);
    for (epsilon, runs) in jobs() {
        let cost = cost(&plan, epsilon);
        acquit(
            audit(&plan, &cost, runs, [&totals(&plan, &most), &without]),
            &cost,
        );
        // From a worker that lets a unit add four times what it may, the same would be too much.
        let much: Vec<i128> = most.iter().map(|most| most * 4).collect();
        let found = audit(&plan, &cost, runs, [&totals(&plan, &much), &without]);
        assert!(found.rho > cost.rho(), "{found:?}");
    }
}

#[test]
fn quantiles_leak_no_more_than_is_charged() {
    let plan = plan("SELECT MEDIAN(LEAST(fare, 63)) AS m FROM trips");
    let candidates = plan.parts[0].core.candidates();
    let of = |rows: u64| {
        let mut counted = vec![0; candidates];
        counted[0] = 100;
        counted[candidates - 1] = 100 + rows;
        Totals {
            counted,
            ..totals(&plan, &[])
        }
    };
    for (epsilon, runs) in jobs() {
        let runs = runs / 4;
        let cost = cost(&plan, epsilon);
        let rows = u64::from(plan.parts[0].core.unit.max_rows_per_unit);
        acquit(audit(&plan, &cost, runs, [&of(rows), &of(0)]), &cost);
        let found = audit(&plan, &cost, runs, [&of(rows * 100), &of(0)]);
        assert!(found.rho > cost.rho(), "{found:?}");
    }
}

/// Cells of a key without a declared domain, by how many units are in them.
fn found(plan: &PrivatePlan, cells: &[i128]) -> Totals {
    let units = plan.parts[0].core.units_aggregate().unwrap();
    let aggregates = plan.parts[0].core.aggregates.len();
    let mut all = Totals {
        aggregates,
        values: vec![],
        counted: vec![],
        found: Some(vec![]),
    };
    for (name, count) in (0..).zip(cells) {
        let cell = (0..aggregates).map(|at| if at == units { *count } else { *count * 10 });
        all.values.extend(cell);
        all.found
            .as_mut()
            .unwrap()
            .push(vec![KeyValue::Text(format!("note {name}"))]);
    }
    all
}

#[test]
fn found_cells_leak_no_more_than_is_charged() {
    let plan = plan("SELECT note, COUNT(*) AS n FROM trips GROUP BY note");
    for (epsilon, runs) in jobs() {
        let cost = cost(&plan, epsilon);
        let units = plan.parts[0].core.units_aggregate().unwrap();
        let squared = plan.noise_sensitivity_squared(0, units).unwrap();
        let scale = Scale::calibrate(squared, cost.drawn_rho()).unwrap();
        let delta = Delta::from_units(cost.threshold_delta);
        let least = release_threshold(scale, 1, delta, plan.parts[0].core.groups_per_unit).unwrap();
        // With ten units a cell leaves the worker, with nine it does not; and a cell that is shown every other time.
        acquit(
            audit(&plan, &cost, runs, [&found(&plan, &[10]), &found(&plan, &[])]),
            &cost,
        );
        acquit(
            audit(
                &plan,
                &cost,
                runs,
                [&found(&plan, &[least]), &found(&plan, &[least - 1])],
            ),
            &cost,
        );
        // Were the new cell shown like one that many units have, everybody would see it.
        let seen = audit(
            &plan,
            &cost,
            runs,
            [&found(&plan, &[3 * least]), &found(&plan, &[])],
        );
        assert!(seen.rho > cost.rho(), "{seen:?}");
    }
}

/// The whole δ of a job, computed rather than sampled: the threshold's over all keys of a unit, and a collision of hashes.
#[test]
fn delta_is_charged_in_full() {
    let questions = [
        "SELECT note, COUNT(DISTINCT id) AS n FROM trips GROUP BY note",
        "SELECT note, COUNT(*), SUM(fare), STDDEV(fare) FROM trips GROUP BY note",
        "SELECT sex, fare, COUNT(*) FROM trips GROUP BY sex, fare",
        "SELECT COUNT(*) FROM trips",
    ];
    for sql in questions {
        let plan = plan(sql);
        for units in [1, 1_000, 200_000, 100_000_000, 20_000_000_000] {
            for epsilon in [0.01, 0.5, 4.0] {
                let policy = BudgetPolicy {
                    job_epsilon: 10.0,
                    ..BudgetPolicy::default()
                };
                let cost =
                    JobCost::over(epsilon, units, units, plan.parts[0].core.is_open(), &policy).unwrap();
                #[expect(clippy::cast_precision_loss, reason = "a probability")]
                let (charged, collision) = (cost.delta_atto as f64 / 1e18, units as f64 / 2f64.powi(64));
                let mut taken = collision;
                if let Some(counted) = plan.parts[0]
                    .core
                    .units_aggregate()
                    .filter(|_| plan.parts[0].core.is_open())
                {
                    let squared = plan.noise_sensitivity_squared(0, counted).unwrap();
                    let scale = Scale::calibrate(squared, cost.drawn_rho()).unwrap();
                    let keys = plan.parts[0].core.groups_per_unit;
                    let delta = Delta::from_units(cost.threshold_delta);
                    let least = release_threshold(scale, 1, delta, keys).unwrap();
                    // Ten units is the most that a key has which appears or vanishes with one of them.
                    taken += f64::from(keys) * gaussian_tail(scale, least - 10);
                    assert!(taken > collision, "a threshold takes something");
                }
                assert!(taken <= charged, "{sql}, {units} units: {taken} of {charged}");
                // Half of what the dataset promises is there for charges, and one job is far from it.
                let promised = Delta::promise(units).as_f64() / 2.0;
                assert!(
                    charged <= promised / 10.0 || units > 1_000_000_000,
                    "{charged} of {promised}"
                );
            }
        }
    }
}
