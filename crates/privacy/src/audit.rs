//! What a mechanism leaks at the least, from repeated runs: a statistical auditor.
//!
//! Assumed: runs are independent, and what is claimed is (ε, δ)-DP or δ-approximate ρ-zCDP for the two neighbours that
//! are tried. Guaranteed: a [`Leak`] beyond the claim is wrong with probability at most the stated risk. Why: half of the
//! runs choose an event, so that it is fixed before the other half counts it (Jagielski, Ullman and Oprea 2020, "Auditing
//! differentially private machine learning: how private is private SGD?", section 4). By Clopper and Pearson (1934, "The
//! use of confidence or fiducial limits illustrated in the case of the binomial") its true probabilities on the neighbours
//! lie, but for the risk, within exact binomial bounds, and what these say about ε or ρ the mechanism leaks at least.
//!
//! It sees what shifts, narrows or repeats the noise on the neighbours it is given: a scale too small, a sensitivity
//! understated, a draw used twice, noise computed from data. It does not see
//! - δ, nor any event rarer than one over the number of runs: tails are computed instead ([`crate::threshold`]);
//! - neighbours it is not given: that no other pair is worse is shown by the exact tests on random plans;
//! - a leak of less than its resolution: four times a claimed ρ shows from about 300/ρ runs a side, less needs more;
//! - a bad source of random bits whose output still looks independent.
//!
//! So a leak above the claim convicts, and one below it acquits nothing.

/// The most thresholds that are tried per view.
const THRESHOLDS: usize = 128;

/// One of two neighbouring datasets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// With the unit's rows.
    With,
    /// Without them.
    Without,
}

/// Lower bounds on what a mechanism leaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leak {
    /// It is not (ε, δ)-DP for any smaller ε.
    pub epsilon: f64,
    /// It is not δ-approximately ρ-zCDP for any smaller ρ.
    pub rho: f64,
}

/// "The view reaches the threshold" or "does not".
#[derive(Debug, Clone, Copy)]
struct Event {
    view: usize,
    threshold: f64,
    reaches: bool,
    /// The neighbour on which it happens more often.
    likelier: Neighbour,
}

impl Event {
    fn happens(&self, views: &[f64]) -> bool {
        views
            .get(self.view)
            .is_some_and(|value| (*value >= self.threshold) == self.reaches)
    }
}

/// Runs a mechanism `runs` times on each of two neighbours and bounds what it leaks beyond `delta`; both bounds hold but
/// with probability `risk`.
///
/// `draw` gives numbers computed from one output, its views: of each, one-sided events are tried. The cheap choice is one
/// view per released number; the best one is the logarithm of the likelihood ratio.
pub fn leak<const VIEWS: usize>(
    runs: u32,
    risk: f64,
    delta: f64,
    mut draw: impl FnMut(Neighbour) -> [f64; VIEWS],
) -> Leak {
    let half = (runs / 2).max(1);
    let mut sample = |neighbour| -> Vec<[f64; VIEWS]> { (0..half).map(|_| draw(neighbour)).collect() };
    let seen = [sample(Neighbour::With), sample(Neighbour::Without)];
    let fresh = [sample(Neighbour::With), sample(Neighbour::Without)];
    let tried = tried(&seen, half);
    let bound = |of: fn(f64, f64, f64) -> f64| {
        let promise = |(_, low, high): &(Event, f64, f64)| of(*low, *high, delta);
        let best = tried.iter().max_by(|a, b| promise(a).total_cmp(&promise(b)));
        best.map_or(0.0, |(event, ..)| {
            let (p, q) = counts(event, &fresh);
            let low = probability_lower_bound(p, half, risk / 4.0);
            let high = probability_upper_bound(q, half, risk / 4.0);
            of(low, high, delta)
        })
    };
    Leak {
        epsilon: bound(epsilon_between),
        rho: bound(rho_between),
    }
}

/// Every event worth a try, with rough bounds on its probabilities: thresholds are at values that were seen.
fn tried<const VIEWS: usize>(seen: &[Vec<[f64; VIEWS]>; 2], runs: u32) -> Vec<(Event, f64, f64)> {
    let mut tried = Vec::new();
    for view in 0..VIEWS {
        let sorted = |outputs: &[[f64; VIEWS]]| {
            let mut values: Vec<f64> = outputs
                .iter()
                .filter_map(|views| views.get(view).copied())
                .collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let [with, without] = seen.each_ref().map(|outputs| sorted(outputs));
        let mut values = [with.as_slice(), without.as_slice()].concat();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let apart = values.len().div_ceil(THRESHOLDS).max(1);
        for threshold in values.into_iter().step_by(apart) {
            let below = |sorted: &[f64]| sorted.partition_point(|value| *value < threshold);
            let reach = [&with, &without].map(|sorted| sorted.len() - below(sorted));
            for reaches in [true, false] {
                let [with, without] = reach.map(|n| {
                    let n = u32::try_from(n).unwrap_or(u32::MAX);
                    if reaches { n } else { runs.saturating_sub(n) }
                });
                for (likelier, p, q) in [
                    (Neighbour::With, with, without),
                    (Neighbour::Without, without, with),
                ] {
                    let event = Event {
                        view,
                        threshold,
                        reaches,
                        likelier,
                    };
                    let (low, high) = rough_bounds(p, q, runs);
                    tried.push((event, low, high));
                }
            }
        }
    }
    tried
}

/// How often an event happened on the neighbour where it is likelier, and on the other.
fn counts<const VIEWS: usize>(event: &Event, [with, without]: &[Vec<[f64; VIEWS]>; 2]) -> (u32, u32) {
    let count = |outputs: &[[f64; VIEWS]]| {
        let hits = outputs.iter().filter(|views| event.happens(views.as_slice()));
        u32::try_from(hits.count()).unwrap_or(u32::MAX)
    };
    match event.likelier {
        Neighbour::With => (count(with), count(without)),
        Neighbour::Without => (count(without), count(with)),
    }
}

/// Bounds about as wide as the exact ones, by the normal approximation: they choose an event and prove nothing.
fn rough_bounds(p: u32, q: u32, n: u32) -> (f64, f64) {
    let n = f64::from(n);
    let half_width = |share: f64| 4.0 * (share * (1.0 - share) / n).sqrt() + 8.0 / n;
    let (p, q) = (f64::from(p) / n, f64::from(q) / n);
    ((p - half_width(p)).max(0.0), (q + half_width(q)).min(1.0))
}

/// The ε that an event tells of which the probability is at least `low` on one neighbour and at most `high` on the other.
fn epsilon_between(low: f64, high: f64, delta: f64) -> f64 {
    let low = low - delta;
    if low <= 0.0 || high <= 0.0 {
        0.0
    } else {
        (low / high).ln().max(0.0)
    }
}

/// The ρ that such an event tells: the Kullback-Leibler divergence, which is the Rényi divergence of order 1, is at most ρ
/// between outputs and, by data processing, between events. Where but for probability δ: of what is left the event has
/// at least low − δ, and at most high / (1 − δ).
fn rho_between(low: f64, high: f64, delta: f64) -> f64 {
    let (low, high) = (low - delta, high / (1.0 - delta));
    if low.is_nan() || high.is_nan() || low <= high || high <= 0.0 {
        return 0.0;
    }
    let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    term(low, high) + term(1.0 - low, 1.0 - high)
}

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
    let low = probability_lower_bound(p, n, risk / 2.0);
    let high = probability_upper_bound(q, n, risk / 2.0);
    epsilon_between(low, high, delta)
}

/// A lower bound on the ρ of a ρ-zCDP mechanism, as [`epsilon_lower_bound`].
#[must_use]
pub fn rho_lower_bound(p: u32, q: u32, n: u32, risk: f64) -> f64 {
    let low = probability_lower_bound(p, n, risk / 2.0);
    let high = probability_upper_bound(q, n, risk / 2.0);
    rho_between(low, high, 0.0)
}

#[cfg(test)]
mod mechanisms;

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

    #[test]
    fn bounds_are_wrong_no_more_often_than_stated() {
        // Exactly: over all outcomes of n runs, the probability of those whose bound is beyond the truth.
        let (n, risk) = (60, 0.05);
        let table = ln_factorials(n);
        for truth in [0.01, 0.2, 0.5, 0.93] {
            let of = |k: u32| upper_tail(k, n, truth, &table) - upper_tail(k + 1, n, truth, &table);
            let wrong = |bad: &dyn Fn(u32) -> bool| -> f64 { (0..=n).filter(|k| bad(*k)).map(of).sum() };
            let low = wrong(&|k| probability_lower_bound(k, n, risk) > truth);
            let high = wrong(&|k| probability_upper_bound(k, n, risk) < truth);
            assert!(low <= risk && high <= risk, "{truth}: {low} {high}");
        }
    }

    #[test]
    fn the_event_is_chosen_on_other_runs_than_it_is_counted_on() {
        // The two neighbours differ in the runs that choose and in no other.
        let mut drawn = 0;
        let all = 400;
        let found = leak(all, 1e-6, 0.0, |neighbour| {
            drawn += 1;
            let choosing = drawn <= all;
            [f64::from(choosing && neighbour == Neighbour::With)]
        });
        assert_eq!((found.epsilon, found.rho), (0.0, 0.0));
        assert_eq!(drawn, 2 * all);
    }

    #[test]
    fn known_leaks_are_bounded_from_below_and_nearly_reached() {
        // Randomised response, the answer kept with probability 3/4: ε = ln 3, D₁ = ½ ln 3.
        let mut turn = 0;
        let found = leak(40_000, 1e-6, 0.0, |neighbour| {
            turn += 1;
            [f64::from((turn % 4 == 0) != (neighbour == Neighbour::With))]
        });
        let (epsilon, rho) = (3f64.ln(), 3f64.ln() / 2.0);
        assert!(
            found.epsilon <= epsilon && found.epsilon > 0.9 * epsilon,
            "{found:?}"
        );
        assert!(found.rho <= rho && found.rho > 0.85 * rho, "{found:?}");
        let most = leak(400, 1e-6, 1.0, |neighbour| {
            [f64::from(neighbour == Neighbour::With)]
        });
        assert_eq!((most.epsilon, most.rho), (0.0, 0.0), "δ = 1 allows everything");
    }
}
