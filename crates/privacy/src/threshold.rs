//! Keys without a declared domain are shown only when enough units hold them.
//!
//! Assumed: a hidden COUNT(DISTINCT unit) per key, in grid units, in which one unit counts `one` for at most
//! C keys; it is charged and noised like every cell with discrete Gaussian noise of `scale`; a key is shown
//! if and only if its *noised* count is at least T, and only keys that some unit holds are looked at.
//!
//! Guaranteed: a key held by fewer than 11 units is shown with probability at most δ_T / C, and the release
//! as a whole costs δ_T beside the ρ of its cells.
//!
//! Why: T = 10 · one + k with P[X ≥ k] ≤ δ_T / C. For n ≤ 10 units P[n · one + X ≥ T] ≤ P[X ≥ k]. Neighbours
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
    if max_groups == 0 {
        return None;
    }
    let per_key = delta.as_f64() / f64::from(max_groups) * (1.0 - 1e-12);
    let above = gaussian_quantile(scale, per_key)?;
    MIN_UNITS.checked_mul(i128::from(one))?.checked_add(above)
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
        assert_eq!(release_threshold(scale, 1, Delta::ZERO, 5), None);
        assert_eq!(release_threshold(scale, 1, Delta::BILLIONTH, 0), None);
    }
}
