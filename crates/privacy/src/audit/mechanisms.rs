//! The auditor on the mechanisms as they are used, and on ones that are broken on purpose: it must not flag the first and
//! has to catch the others. What is aggregated is computed once for each neighbour; only the draw is repeated.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::{Leak, Neighbour, leak};
use crate::allocation::{AggregateBound, JointPlan};
use crate::conversion::epsilon;
use crate::cost::{Delta, Rho};
use crate::mechanism::{NoiseSource as _, OpenDpNoise, Scale};
use crate::quantile;
use crate::threshold::release_threshold;

/// A false alarm, by any test here, in a million runs of it.
const RISK: f64 = 1e-6;
/// A ρ that shows in seconds; the thorough runs take one that jobs have besides.
const LARGE: Rho = Rho::from_nano(500_000_000);

fn thorough() -> bool {
    std::env::var("SHAPAN_AUDIT").is_ok_and(|value| value == "1")
}

/// The costs to audit, with as many runs as show a leak of four times each.
fn costs() -> Vec<(Rho, u32)> {
    if thorough() {
        vec![
            (LARGE, 120_000),
            (Rho::from_nano(56_000_000), 120_000),
            (Rho::from_nano(4_000_000), 120_000),
        ]
    } else {
        vec![(LARGE, 4_000)]
    }
}

fn runs(quick: u32) -> u32 {
    if thorough() { 100_000 } else { quick }
}

/// Fails where a mechanism that claims ρ, and the ε that it converts to at δ, leaks more.
fn acquit(found: Leak, rho: Rho, delta: f64, what: &str) {
    let claimed = epsilon(rho, Delta::from_units((delta * 1e21) as u64)).map(|epsilon| epsilon.value());
    assert!(found.rho <= rho.as_f64(), "{what} leaks ρ {}", found.rho);
    assert!(
        found.epsilon <= claimed.unwrap_or(f64::INFINITY),
        "{what} leaks ε {}",
        found.epsilon
    );
}

/// Fails where the broken mechanism is not caught.
fn convict(found: Leak, rho: Rho, what: &str) {
    assert!(found.rho > rho.as_f64(), "{what} is not caught: {found:?}");
}

/// The exact totals of a query on both neighbours, and the noise's scales.
struct Totals {
    with: Vec<i128>,
    without: Vec<i128>,
    scales: Vec<Scale>,
}

impl Totals {
    fn of(&self, neighbour: Neighbour) -> &[i128] {
        match neighbour {
            Neighbour::With => &self.with,
            Neighbour::Without => &self.without,
        }
    }

    /// The logarithm of the likelihood ratio of two Gaussians, but for a constant: the best view there is.
    fn likelihood(&self, noised: &[i128]) -> f64 {
        let cells = self.with.iter().zip(&self.without).zip(noised).zip(&self.scales);
        cells
            .map(|(((with, without), noised), scale)| {
                let (shift, seen) = ((with - without) as f64, (noised - without) as f64);
                shift * seen / scale.as_f64().powi(2)
            })
            .sum()
    }
}

/// Rows and a sum by five groups, of which one unit can be in two: the unit brings `times` what it may.
fn joint(rho: Rho, times: i128) -> (JointPlan, Totals) {
    let bounds = [AggregateBound(10.0), AggregateBound(5_000.0)];
    let plan = JointPlan::new(&bounds, 2, 1_000_000, rho).unwrap();
    let without: Vec<i128> = (0..10).map(|cell| 1_000 * cell).collect();
    let mut unit: Vec<i64> = (0..10).map(|_| 0).collect();
    for (cell, own) in unit.iter_mut().enumerate().take(4) {
        *own = i64::try_from(plan.grid(cell % 2).unwrap().bound()).unwrap();
    }
    plan.clip().clip(&mut unit);
    let with = without
        .iter()
        .zip(&unit)
        .map(|(total, own)| total + times * i128::from(*own))
        .collect();
    let scales = (0..10).map(|cell| plan.scale(cell % 2).unwrap()).collect();
    (
        plan,
        Totals {
            with,
            without,
            scales,
        },
    )
}

/// The first and last cell, a difference, and the likelihood ratio of all.
fn views(totals: &Totals, noised: &[i128]) -> [f64; 4] {
    let apart = (noised[0] - noised[2]) as f64;
    [
        noised[0] as f64,
        noised[9] as f64,
        apart,
        totals.likelihood(noised),
    ]
}

#[test]
fn gaussian_totals_leak_what_is_charged() {
    for (rho, runs) in costs() {
        let (plan, totals) = joint(rho, 1);
        let found = leak(runs, RISK, 1e-9, |neighbour| {
            let exact = totals.of(neighbour).iter().enumerate();
            let noised: Vec<i128> = exact
                .map(|(cell, total)| plan.noised(cell % 2, *total, &mut OpenDpNoise).unwrap())
                .collect();
            views(&totals, &noised)
        });
        acquit(found, rho, 1e-9, "the joint Gaussian");
        // The neighbours are the worst ones: a much smaller claim would be refuted.
        assert!(rho != LARGE || found.rho > rho.as_f64() / 8.0, "{found:?}");
    }
}

#[test]
fn half_the_noise_is_caught() {
    for (rho, runs) in costs() {
        let (_, totals) = joint(rho, 1);
        let found = leak(runs, RISK, 0.0, |neighbour| {
            let noise = totals
                .scales
                .iter()
                .map(|scale| OpenDpNoise.gaussian(scale.halved()).unwrap());
            let noised: Vec<i128> = totals
                .of(neighbour)
                .iter()
                .zip(noise)
                .map(|(total, x)| total + x)
                .collect();
            views(&totals, &noised)
        });
        convict(found, rho, "half the noise");
    }
}

#[test]
fn a_sensitivity_without_the_rows_per_unit_is_caught() {
    // Ten rows a unit, noise for one; the totals are not clamped, as by a worker that does not bound.
    for (rho, runs) in costs() {
        let (_, totals) = joint(rho, 10);
        let found = leak(runs, RISK, 0.0, |neighbour| {
            let noise = totals
                .scales
                .iter()
                .map(|scale| OpenDpNoise.gaussian(*scale).unwrap());
            let noised: Vec<i128> = totals
                .of(neighbour)
                .iter()
                .zip(noise)
                .map(|(total, x)| total + x)
                .collect();
            views(&totals, &noised)
        });
        convict(found, rho, "a sensitivity without the rows per unit");
    }
}

#[test]
fn one_draw_for_several_cells_is_caught() {
    // A unit is in the first cell and not in the third: their difference has no noise.
    let scale = Scale::calibrate(1, LARGE).unwrap();
    let found = leak(runs(400), RISK, 0.0, |neighbour| {
        let drawn = OpenDpNoise.gaussian(scale).unwrap();
        let own = i128::from(neighbour == Neighbour::With);
        [(20 + own + drawn) as f64, (drawn + 20) as f64, own as f64]
    });
    convict(found, LARGE, "one draw for two cells");
    // Each of the two alone is as good as it should be, so the view of the difference is what catches it.
    let found = leak(runs(400), RISK, 0.0, |neighbour| {
        let drawn = OpenDpNoise.gaussian(scale).unwrap();
        [(20 + i128::from(neighbour == Neighbour::With) + drawn) as f64]
    });
    acquit(found, LARGE, 0.0, "one cell");
}

#[test]
fn noise_that_is_computed_from_data_is_caught() {
    // As a generator would that is seeded with a hash of the totals: the same answer for the same data, another for the
    // neighbour's.
    let seeded = |total: i128| {
        let mixed = (total as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        i128::from(mixed % 21) - 10
    };
    let found = leak(runs(400), RISK, 0.0, |neighbour| {
        let total = 20 + i128::from(neighbour == Neighbour::With);
        [(total + seeded(total)) as f64]
    });
    convict(found, LARGE, "noise seeded by data");
}

#[test]
fn noise_that_is_kept_from_one_version_to_the_next_is_caught() {
    // Two answers, before and after a unit came: the second job gets the first one's draw.
    let scale = Scale::calibrate(1, LARGE).unwrap();
    let both = Rho::from_nano(2 * LARGE.nano());
    let answers = |neighbour: Neighbour, again: bool| {
        let first = OpenDpNoise.gaussian(scale).unwrap();
        let second = if again {
            first
        } else {
            OpenDpNoise.gaussian(scale).unwrap()
        };
        let (before, after) = (50 + first, 50 + i128::from(neighbour == Neighbour::With) + second);
        [before as f64, after as f64, (after - before) as f64]
    };
    let found = leak(runs(400), RISK, 0.0, |neighbour| answers(neighbour, true));
    convict(found, both, "noise drawn once for two jobs");
    let found = leak(runs(400), RISK, 0.0, |neighbour| answers(neighbour, false));
    acquit(found, both, 0.0, "noise drawn for each job");
}

#[test]
fn laplace_noise_leaks_its_epsilon_and_half_of_it_more() {
    // At ρ = ½ it is ε-DP with ε = 1.
    let scale = Scale::calibrate(100, LARGE).unwrap();
    let total = |neighbour| if neighbour == Neighbour::With { 110 } else { 100 };
    let of = |scale: Scale| {
        leak(runs(3_000), RISK, 0.0, |neighbour| {
            [(total(neighbour) + OpenDpNoise.laplace(scale).unwrap()) as f64]
        })
    };
    let right = of(scale);
    assert!(right.epsilon <= 1.0 && right.rho <= 0.5, "{right:?}");
    let wrong = of(scale.halved());
    assert!(wrong.epsilon > 1.0, "{wrong:?}");
}

/// Picks of a median over two candidates between which the unit's rows tip the scales the most.
fn picks(scale: Scale, rows: u64, runs: u32) -> Leak {
    // Scores move apart by 1,000 per row in one direction: the unit's rows all lie at the upper candidate.
    let (with, without) = ([30, 30 + rows], [30, 30]);
    leak(runs, RISK, 0.0, |neighbour| {
        let counts = if neighbour == Neighbour::With {
            &with
        } else {
            &without
        };
        let picked = quantile::pick(counts, 500, scale, &mut OpenDpNoise).unwrap();
        let all = [picked.low, picked.middle, picked.high].map(f64::from);
        [all[0], all[1], all[2], all.iter().sum()]
    })
}

#[test]
fn quantiles_leak_no_more_than_is_charged_and_without_their_weight_they_do() {
    for (rho, runs) in costs() {
        let rows = 10;
        acquit(
            picks(quantile::scale(10, 500, 1, rho).unwrap(), rows, runs),
            rho,
            0.0,
            "a quantile",
        );
        // w is 1,000 at the median; a scale for a weight of 1 is a thousandth.
        let unweighted = Scale::calibrate(10 * 10 * 3 / 4, rho).unwrap();
        convict(
            picks(unweighted, rows, runs),
            rho,
            "a quantile without its weight",
        );
        // As if a unit had one row.
        let one_row = quantile::scale(1, 500, 1, rho).unwrap();
        convict(picks(one_row, rows, runs), rho, "a quantile of one row a unit");
    }
}

/// Whether a key of so many units is shown, as the server decides: the worker leaves out what has fewer than ten.
fn shown(units: i128, scale: Scale, least: i128) -> [f64; 1] {
    let noised = units + OpenDpNoise.gaussian(scale).unwrap();
    [f64::from(units >= 10 && noised >= least)]
}

#[test]
fn keys_are_shown_as_charged_and_by_their_true_count_they_are_not() {
    // One hidden count of units, C = 5, at the δ of a job.
    let delta = Delta::from_units(1_000_000_000);
    let scale = Scale::calibrate(5, LARGE).unwrap();
    let least = release_threshold(scale, 1, delta, 5).unwrap();
    let at = |units: i128, neighbour| units + i128::from(neighbour == Neighbour::With);
    // From none to one, from nine to ten, and where the key is shown half of the time.
    for units in [0, 9, least - 1] {
        let found = leak(runs(800), RISK, delta.as_f64(), |neighbour| {
            shown(at(units, neighbour), scale, least)
        });
        acquit(found, LARGE, 1e-9, "the threshold");
    }
    // "Ten units or more" by the exact count, whatever the noise: shown with ten, hidden with nine.
    let found = leak(40_000, RISK, delta.as_f64(), |neighbour| {
        [f64::from(at(9, neighbour) >= 10)]
    });
    convict(found, LARGE, "a threshold on the true count");
    let claimed = epsilon(LARGE, Delta::BILLIONTH).unwrap().value();
    assert!(found.epsilon > claimed, "{found:?}, {claimed}");
}
