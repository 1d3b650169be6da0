//! What a mechanism leaks at the least, from repeated runs: a statistical auditor.
//!
//! Run a mechanism `n` times on each of two neighbours and count an event fixed in advance. By Clopper and
//! Pearson (1934) the true probabilities lie, but for the stated risk, within exact binomial bounds; what
//! these bounds say about ε or ρ the mechanism leaks at least (Jagielski, Ullman and Oprea 2020). A bound
//! above the claim convicts; one below acquits nothing, since δ and rare events are invisible to sampling:
//! hence the proofs beside the mechanisms and the exact tests on neighbouring inputs.

/// Natural logarithms of 0! to `n`!.
fn ln_factorials(n: u32) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain((1..=n).map(|k| {
            sum += f64::from(k).ln();
            sum
        }))
        .collect()
}

/// P[Binomial(n, p) ≥ k].
fn upper_tail(k: u32, n: u32, p: f64, ln_factorials: &[f64]) -> f64 {
    let choose = |i: u32| {
        let at = |j: u32| ln_factorials.get(j as usize).copied().unwrap_or(f64::INFINITY);
        at(n) - at(i) - at(n - i)
    };
    (k..=n)
        .map(|i| (choose(i) + f64::from(i) * p.ln() + f64::from(n - i) * (-p).ln_1p()).exp())
        .sum()
}

/// The largest p that `k` hits in `n` runs rule out from below: the true probability is at least this, but
/// with probability `risk`.
#[must_use]
pub fn probability_lower_bound(k: u32, n: u32, risk: f64) -> f64 {
    if k == 0 {
        return 0.0;
    }
    let table = ln_factorials(n);
    let (mut low, mut high) = (0.0, f64::from(k.min(n)) / f64::from(n));
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if upper_tail(k, n, middle, &table) <= risk {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The true probability is at most this, but with probability `risk`.
#[must_use]
pub fn probability_upper_bound(k: u32, n: u32, risk: f64) -> f64 {
    1.0 - probability_lower_bound(n.saturating_sub(k), n, risk)
}

/// A lower bound on the ε of an (ε, `delta`)-DP mechanism, of which the event happened `p` times in `n` runs
/// on one neighbour and `q` times in `n` runs on the other; wrong with probability at most `risk`.
#[must_use]
pub fn epsilon_lower_bound(p: u32, q: u32, n: u32, delta: f64, risk: f64) -> f64 {
    let low = probability_lower_bound(p, n, risk / 2.0) - delta;
    let high = probability_upper_bound(q, n, risk / 2.0);
    if low <= 0.0 || high <= 0.0 {
        0.0
    } else {
        (low / high).ln().max(0.0)
    }
}

/// A lower bound on the ρ of a ρ-zCDP mechanism, as [`epsilon_lower_bound`]: the Kullback-Leibler divergence
/// of the event, the Rényi divergence of order 1, is at most ρ by data processing.
#[must_use]
pub fn rho_lower_bound(p: u32, q: u32, n: u32, risk: f64) -> f64 {
    let low = probability_lower_bound(p, n, risk / 2.0);
    let high = probability_upper_bound(q, n, risk / 2.0);
    if low <= high {
        return 0.0;
    }
    let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    term(low, high) + term(1.0 - low, 1.0 - high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clopper_pearson_has_its_closed_forms_at_the_ends() {
        // k = n: p ≥ risk^(1/n). k = 0: p ≤ 1 − risk^(1/n).
        let expected = 0.05f64.powf(1.0 / 20.0);
        assert!((probability_lower_bound(20, 20, 0.05) - expected).abs() < 1e-9);
        assert!((probability_upper_bound(0, 20, 0.05) - (1.0 - expected)).abs() < 1e-9);
        assert_eq!(probability_lower_bound(0, 20, 0.05), 0.0);
        // Clopper and Pearson's interval for 10 of 30 at 95 %: 0.1729 to 0.5281.
        assert!((probability_lower_bound(10, 30, 0.025) - 0.1729).abs() < 1e-4);
        assert!((probability_upper_bound(10, 30, 0.025) - 0.5281).abs() < 1e-4);
    }

    #[test]
    fn bounds_say_nothing_without_evidence() {
        assert_eq!(epsilon_lower_bound(50, 50, 100, 0.0, 0.05), 0.0);
        assert_eq!(epsilon_lower_bound(0, 0, 100, 0.0, 0.05), 0.0);
        assert_eq!(rho_lower_bound(50, 50, 100, 0.05), 0.0);
        assert!(epsilon_lower_bound(1000, 0, 1000, 0.0, 1e-6) > 3.0);
        assert_eq!(epsilon_lower_bound(1000, 0, 1000, 1.0, 1e-6), 0.0);
        assert!(rho_lower_bound(1000, 0, 1000, 1e-6) > 1.0);
    }
}
