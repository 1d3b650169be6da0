//! Keys without a declared domain are shown only when enough units hold them.
//!
//! Assumed: a hidden COUNT(DISTINCT unit) per key, in grid units, in which one unit counts `one` for at most
//! C keys; it is charged and noised like every cell with discrete Gaussian noise of `scale`; a key is shown
//! if and only if its *noised* count is at least T, and only keys that at least M units hold are looked at, M ≥ 10 as
//! the plan says.
//!
//! Guaranteed: a key held by M units or fewer is shown with probability at most δ_T / C, and the release
//! as a whole costs δ_T beside the ρ of its cells.
//!
//! Why: T = M · one + k with P[X ≥ k] ≤ δ_T / C. For n ≤ M units P[n · one + X ≥ T] ≤ P[X ≥ k]. Neighbours
//! differ by one unit: on keys that both have, the noised counts are covered by ρ and the choice of keys is
//! post-processing; the at most C keys that only one has are held by that unit alone, and unless one of them
//! is shown, which has probability at most C · δ_T / C, the two outputs are distributed alike.
//!
//! A check of the *exact* count against 10 would break this: with 9 and 10 units the key is hidden with
//! certainty in one dataset and shown in the other, an event of probability 0 against nearly 1, which no δ
//! below 1 allows. And a noised count that is checked against 10 alone shows a key of one unit whenever the
//! noise exceeds 9.

use crate::accuracy::gaussian_quantile;
use crate::cost::Delta;
use crate::mechanism::Scale;

/// Units that a shown key must plausibly have (standards: threshold 10).
pub const MIN_UNITS: i128 = 10;

/// The least noised count, in grid units, at which a key is shown; `one` is one unit's contribution and
/// `max_groups` is C, the most keys that a unit can contribute to. `None` when `delta` or `max_groups` is
/// zero: nothing can be shown then.
#[must_use]
pub fn release_threshold(scale: Scale, one: u64, delta: Delta, max_groups: u32) -> Option<i128> {
    release_threshold_above(MIN_UNITS, scale, one, delta, max_groups)
}

/// The same where only keys that at least `min_units` units hold are looked at; fewer than [`MIN_UNITS`] are taken for that.
#[must_use]
pub fn release_threshold_above(
    min_units: i128,
    scale: Scale,
    one: u64,
    delta: Delta,
    max_groups: u32,
) -> Option<i128> {
    if max_groups == 0 {
        return None;
    }
    let per_key = delta.as_f64() / f64::from(max_groups) * (1.0 - 1e-12);
    let above = gaussian_quantile(scale, per_key)?;
    let min_units = min_units.max(MIN_UNITS);
    min_units.checked_mul(i128::from(one))?.checked_add(above)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::accuracy::gaussian_tail;
    use crate::cost::Rho;

    #[test]
    fn few_units_are_shown_with_probability_below_delta() {
        let delta = Delta::from_units(1_000_000_000); // 10⁻¹²
        for (one, groups, rho) in [
            (1_u64, 1, 4_000_000),
            (1, 5, 4_000_000),
            (1 << 20, 5, 4_000_000),
            (1, 5, 1_000),
        ] {
            let squared = u128::from(one).pow(2) * u128::from(groups);
            let scale = Scale::calibrate(squared, Rho::from_nano(rho)).unwrap();
            let threshold = release_threshold(scale, one, delta, groups).unwrap();
            for units in 1..=10 {
                let shown = gaussian_tail(scale, threshold - units * i128::from(one));
                assert!(shown * f64::from(groups) <= delta.as_f64(), "{units}: {shown}");
            }
            // It is the least such threshold.
            let tail = gaussian_tail(scale, threshold - 1 - 10 * i128::from(one));
            assert!(tail * f64::from(groups) > delta.as_f64());
            // T ≈ 10 + σ·z(1 − δ_T/C), with z(1 − 10⁻¹²/C) between 7 and 7.5.
            let z = (threshold - 10 * i128::from(one)) as f64 / scale.as_f64();
            assert!((7.0..7.5).contains(&z), "{z}");
        }
    }

    /// P[X ≥ k] of the discrete Gaussian, summed term by term, the smallest first: exact but for rounding, of 10⁻¹².
    fn exact_tail(scale: Scale, k: i128) -> f64 {
        let sigma = scale.as_f64();
        let density = |x: i128| (-(x as f64 / sigma).powi(2) / 2.0).exp();
        let reach = (13.0 * sigma).ceil() as i128 + 2;
        let above: f64 = (k..k.max(0) + reach).rev().map(density).sum();
        let total = 1.0 + 2.0 * (1..reach).rev().map(density).sum::<f64>();
        above / total
    }

    /// Nothing is sampled: over all costs, shares, δ and C that jobs have, and every number of units below the threshold.
    #[test]
    fn exact_tails_are_within_the_delta_that_is_charged() {
        for nano in [
            1_000_u64,
            100_000,
            4_000_000,
            56_000_000,
            500_000_000,
            5_000_000_000,
        ] {
            for delta in [10, 1_000_000, 1_000_000_000, 1_000_000_000_000].map(Delta::from_units) {
                for groups in 1..=5_u32 {
                    // Alone, and with as many other aggregates as a query can have.
                    for shares in [1_u32, 3, 16] {
                        let squared = u128::from(groups * shares);
                        let scale = Scale::calibrate(squared, Rho::from_nano(nano)).unwrap();
                        let threshold = release_threshold(scale, 1, delta, groups).unwrap();
                        let per_key = delta.as_f64() / f64::from(groups);
                        let what = format!("ρ {nano}, δ {}, C {groups}, {shares} shares", delta.units());
                        // The worker hides a key of nine units whatever the noise; with ten the tail is all that differs.
                        let edge = exact_tail(scale, threshold - 10);
                        assert!(edge <= per_key, "{what}: {edge} > {per_key}");
                        // And if the worker did not hide it, fewer units would be seen still less.
                        if scale.as_f64() < 100.0 {
                            for units in 0..10 {
                                assert!(
                                    exact_tail(scale, threshold - units) < edge,
                                    "{what}, {units} units"
                                );
                            }
                        }
                        // All keys that only one neighbour has, together.
                        assert!(f64::from(groups) * edge <= delta.as_f64(), "{what}");
                        // It is not far too high either: a hundredth of σ lower would be too low.
                        let lower = threshold - 11 - (scale.as_f64() / 100.0) as i128;
                        assert!(exact_tail(scale, lower) > per_key, "{what}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_above_the_edge_is_covered_by_rho() {
        // With ten units and more both neighbours' keys leave the worker: shown with n or with n + 1, hidden with n or
        // with n + 1, are within (ε, δ) of each other for the ε of the count's own ρ.
        for nano in [1_000_000_u64, 50_000_000, 500_000_000] {
            let rho = Rho::from_nano(nano);
            let scale = Scale::calibrate(1, rho).unwrap();
            let threshold = release_threshold(scale, 1, Delta::from_units(1_000_000_000), 1).unwrap();
            let epsilon = crate::conversion::epsilon(rho, Delta::BILLIONTH).unwrap().value();
            let reach = 12 * (scale.as_f64() as i128 + 1);
            for units in (10..threshold + reach).step_by(1 + (reach / 200) as usize) {
                let (less, more) = (threshold - units, threshold - units - 1);
                let shown = [exact_tail(scale, less), exact_tail(scale, more)];
                // P[X < k] = P[X ≥ 1 − k].
                let hidden = [exact_tail(scale, 1 - less), exact_tail(scale, 1 - more)];
                for [a, b] in [shown, hidden] {
                    assert!(
                        a <= epsilon.exp() * b + 1e-9 && b <= epsilon.exp() * a + 1e-9,
                        "{nano}, {units}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_check_at_ten_alone_would_break_delta() {
        let delta = Delta::from_units(1_000_000_000);
        let scale = Scale::calibrate(5, Rho::from_nano(4_000_000)).unwrap();
        assert!(
            gaussian_tail(scale, 9) > 1e6 * delta.as_f64(),
            "a lone unit would be seen one time in three"
        );
    }

    #[test]
    fn without_delta_nothing_is_shown() {
        let scale = Scale::of(10);
        assert_eq!(
            release_threshold_above(32, scale, 1, Delta::BILLIONTH, 5),
            release_threshold(scale, 1, Delta::BILLIONTH, 5).map(|least| least + 22)
        );
        assert_eq!(
            release_threshold_above(3, scale, 1, Delta::BILLIONTH, 5),
            release_threshold(scale, 1, Delta::BILLIONTH, 5),
            "never fewer than ten"
        );
        assert_eq!(release_threshold(scale, 1, Delta::ZERO, 5), None);
        assert_eq!(release_threshold(scale, 1, Delta::BILLIONTH, 0), None);
    }
}
