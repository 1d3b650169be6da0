//! ρ-zCDP to (ε, δ) and back, tightly.
//!
//! Assumed: a mechanism is ρ-zCDP. Guaranteed by [`epsilon`]: it is (ε, δ)-differentially private. Why:
//! Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (NeurIPS 2020), proposition
//! 12: for every α > 1, a Rényi divergence of at most ρα gives (ε, δ) with
//! ε = αρ + ln(1 − 1/α) − (ln δ + ln α) / (α − 1).
//! Each α gives a valid ε, so an inexact minimum over α is a larger ε, never a wrong one; rounding is covered
//! by a relative margin of 10⁻⁹.
//!
//! A promise (ε, δ) about all charges together splits δ into halves: one for this conversion, one for the δ
//! that the charges themselves carry ([`cap`]).

use crate::cost::{Cost, Delta, Epsilon, Rho};

/// The ε at order α = 1 + e^`t`.
fn epsilon_at(t: f64, rho: f64, ln_delta: f64) -> f64 {
    let order_less_one = t.exp();
    let order = 1.0 + order_less_one;
    order * rho + (-1.0 / order).ln_1p() - (ln_delta + order.ln()) / order_less_one
}

fn minimal_epsilon(rho: f64, delta: f64) -> f64 {
    if rho <= 0.0 {
        return 0.0;
    }
    let ln_delta = delta.ln();
    let at = |t: f64| epsilon_at(t, rho, ln_delta);
    // A coarse scan brackets the minimum, a golden-section search refines it.
    let step = 0.25;
    let best = (0..140)
        .map(|i| -8.0 + step * f64::from(i))
        .min_by(|a, b| at(*a).total_cmp(&at(*b)));
    let centre = best.unwrap_or(0.0);
    let (mut low, mut high) = (centre - step, centre + step);
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    for _ in 0..40 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if at(a) <= at(b) {
            high = b;
        } else {
            low = a;
        }
    }
    (at((low + high) / 2.0).min(at(centre)) * (1.0 + 1e-9)).max(0.0)
}

/// The least ε, to 9 digits, that ρ-zCDP gives at `delta`; `None` when `delta` is zero and `rho` is not.
#[must_use]
pub fn epsilon(rho: Rho, delta: Delta) -> Option<Epsilon> {
    if rho == Rho::ZERO {
        return Epsilon::new(0.0);
    }
    if delta == Delta::ZERO {
        return None;
    }
    Epsilon::new(minimal_epsilon(rho.as_f64(), delta.as_f64()))
}

/// The largest ρ whose ε at `delta` is at most `epsilon`, by bisection, rounded down.
#[must_use]
pub fn rho(epsilon: Epsilon, delta: Delta) -> Rho {
    if delta == Delta::ZERO {
        return Rho::ZERO;
    }
    let fits = |nano: u64| minimal_epsilon(Rho::from_nano(nano).as_f64(), delta.as_f64()) <= epsilon.value();
    // Any order gives ε ≥ ρ − ln(1/δ) …, so ρ = ε + 50 is beyond every δ of the integer range.
    let mut high = Rho::from_f64_up(epsilon.value().min(1e6) + 50.0)
        .unwrap_or_default()
        .nano();
    let mut low = 0;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Rho::from_nano(low)
}

/// The cost that may be spent in all under the promise (`epsilon`, `delta`): half of δ for the conversion,
/// half for the charges' own δ.
#[must_use]
pub fn cap(epsilon: Epsilon, delta: Delta) -> Cost {
    let half = Delta::from_units(delta.units() / 2);
    Cost::new(rho(epsilon, half), half)
}

/// The ε that a total cost amounts to at the promise's `delta`: what is left of δ after the charges' own
/// serves the conversion. `None` when the charges have used it up.
#[must_use]
pub fn spent_epsilon(total: Cost, delta: Delta) -> Option<Epsilon> {
    let rest = delta.units().checked_sub(total.delta.units())?;
    epsilon(total.rho, Delta::from_units(rest))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn rho_of(epsilon: f64) -> f64 {
        rho(Epsilon::new(epsilon).unwrap(), Delta::BILLIONTH).as_f64()
    }

    #[test]
    fn documented_figures() {
        // At δ = 10⁻⁹, computed apart by a scan of 4,000 orders.
        for (epsilon, expected) in [
            (0.5, 0.003_953),
            (2.0, 0.056_13),
            (10.0, 1.090_785),
            (25.0, 5.200_51),
        ] {
            let found = rho_of(epsilon);
            assert!((found / expected - 1.0).abs() < 1e-3, "ε {epsilon}: {found}");
        }
        let jobs = rho_of(2.0) / rho_of(0.5);
        assert!(
            (14.0..15.0).contains(&jobs),
            "a budget of 2 buys {jobs} jobs of 0.5"
        );
    }

    #[test]
    fn inverse_is_the_largest_that_fits() {
        for value in [0.01, 0.5, 2.0, 25.0] {
            let target = Epsilon::new(value).unwrap();
            let largest = rho(target, Delta::BILLIONTH);
            assert!(epsilon(largest, Delta::BILLIONTH).unwrap() <= target);
            let more = Rho::from_nano(largest.nano() + largest.nano() / 100_000 + 2);
            assert!(epsilon(more, Delta::BILLIONTH).unwrap() > target);
        }
        assert_eq!(rho(Epsilon::new(0.0).unwrap(), Delta::BILLIONTH), Rho::ZERO);
        assert_eq!(rho(Epsilon::new(1.0).unwrap(), Delta::ZERO), Rho::ZERO);
    }

    #[test]
    fn tight_conversion_beats_the_simple_one_and_is_monotone() {
        let mut before = 0.0;
        for nano in [1, 1000, 4_000_000, 56_000_000, 1_000_000_000, 20_000_000_000] {
            let rho = Rho::from_nano(nano);
            let tight = epsilon(rho, Delta::BILLIONTH).unwrap().value();
            // Bun and Steinke 2016, proposition 1.3.
            let loose = rho.as_f64() + 2.0 * (rho.as_f64() * 1e9f64.ln()).sqrt();
            assert!(tight <= loose && tight > before, "{nano}: {tight} {loose}");
            before = tight;
        }
        let rho = Rho::from_nano(56_000_000);
        assert!(epsilon(rho, Delta::from_units(1000)) > epsilon(rho, Delta::BILLIONTH));
        assert_eq!(epsilon(rho, Delta::ZERO), None);
    }

    #[test]
    fn tight_conversion_never_undercuts_the_gaussian_s_own_curve() {
        // δ(ε) of the Gaussian mechanism with ρ = μ²/2 (Balle and Wang 2018, theorem 8) is below what zCDP
        // alone allows, so the ε from zCDP must be at least the Gaussian's.
        let mu = (2.0 * 0.056_f64).sqrt();
        let eps = epsilon(
            Rho::from_nano(56_000_000),
            Delta::from_units(1_000_000_000_000_000),
        )
        .unwrap()
        .value();
        // Upper tail by numerical integration of the normal density.
        let tail = |z: f64| {
            let n = 200_000;
            let h = 12.0 / f64::from(n);
            (0..n)
                .map(|i| (-(z + h * (f64::from(i) + 0.5)).powi(2) / 2.0).exp())
                .sum::<f64>()
                * h
                / (2.0 * std::f64::consts::PI).sqrt()
        };
        let delta = tail(eps / mu - mu / 2.0) - eps.exp() * tail(eps / mu + mu / 2.0);
        assert!(delta <= 1e-6, "{delta}");
        assert!(delta > 1e-8, "the bound is not vacuous: {delta}");
    }

    #[test]
    fn caps_keep_their_promise() {
        let promise = Epsilon::new(2.0).unwrap();
        let cap = cap(promise, Delta::BILLIONTH);
        assert_eq!(cap.delta.units(), Delta::BILLIONTH.units() / 2);
        assert!(spent_epsilon(cap, Delta::BILLIONTH).unwrap() <= promise);
        let over = Cost::new(cap.rho, Delta::from_units(Delta::BILLIONTH.units() + 1));
        assert_eq!(spent_epsilon(over, Delta::BILLIONTH), None);
    }
}
