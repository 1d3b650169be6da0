//! Quantiles by the exponential mechanism over public candidates.
//!
//! Assumed: values are cut toward public candidates c₀ < c₁ < …, so that a data set is a vector n of counts, n_j values at
//! c_j; a unit adds or removes at most R values in all the cells of an answer together. With α = p/1000 let
//!
//! inner(j) = (1000 − p) · #{values below c_j} − p · #{values above c_j},   score(j) = −|inner(j) + shift|,
//!
//! for a public shift. At the α-quantile inner changes sign.
//!
//! Guaranteed: a pick of j with probability proportional to exp(score(j) / s), where s ≥ w · R / √(8ρ) and
//! w = 2 · max(p, 1000 − p), is ρ-zCDP; and so are the picks of all cells together.
//!
//! Why: one value more at c_i raises inner(j) by 1000 − p for j > i, lowers it by p for j < i and leaves it at i. So a score
//! rises or falls by at most max(p, 1000 − p), and two of them move apart by at most w, which is reached: of two candidates
//! below c_i one can lie below the quantile and the other above it. With k values the range of differences is at most
//! w · k, so the pick is ε-bounded-range with ε = w · k / s (Dong, Durfee and Rogers 2020, "Optimal differential privacy
//! composition for exponential mechanisms", definition 2.1), which is ε²/8-zCDP (Cesar and Rogers 2021, "Bounding,
//! concentrating, and truncating: unifying privacy loss composition for data analytics", lemma 3.4). A unit with k_c values
//! in cell c, Σ k_c ≤ R, costs Σ (w · k_c / s)²/8 ≤ (w · R / s)²/8 ≤ ρ.

use crate::cost::Rho;
use crate::mechanism::{NoiseError, NoiseSource, Scale};

/// What a rank is told in: thousandths.
pub const RANKS: u32 = 1_000;

/// A quantile and the candidates on its two sides that hold the quantile of the values with probability 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picked {
    /// The lower end.
    pub low: u32,
    /// The quantile.
    pub middle: u32,
    /// The upper end.
    pub high: u32,
}

/// The scale, in score, of a quantile of a rank that has one of `shares` equal shares of ρ for its three picks; `rows` is R.
///
/// # Errors
/// As [`Scale::calibrate`].
pub fn scale(rows: u32, rank: u32, shares: u32, rho: Rho) -> Result<Scale, NoiseError> {
    // w·R/√(8ρ/(3·shares)) = √(S/(2ρ)) with S = (w·R)²·3·shares/4.
    let range = u128::from(rows) * u128::from(spread(rank));
    let squared = range * range * 3 * u128::from(shares);
    Scale::calibrate(squared.div_ceil(4), rho)
}

/// w: how far the scores of two candidates move apart by one value more.
fn spread(rank: u32) -> u32 {
    2 * rank.max(RANKS.saturating_sub(rank))
}

/// How far, in score, a pick is from the best candidate at most, with probability 1 − 1/`odds`.
///
/// P[score ≤ best − x] ≤ B·exp(−x/s) over B candidates (McSherry and Talwar 2007, "Mechanism design via differential
/// privacy", lemma 7).
pub fn reach(scale: Scale, candidates: u32, odds: f64) -> i64 {
    let reach = scale.as_f64() * (f64::from(candidates) * odds).ln();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; then the whole range is the interval"
    )]
    let reach = reach.ceil() as i64;
    reach
}

/// Picks the p/1000-quantile of a vector of counts, and both ends of its interval, each by one draw.
///
/// The ends are picks of lower and higher ranks: by so much that a pick is on its side of the quantile with probability
/// 39/40, which makes 95 % for both (and more in most cases: the bound is a union over all candidates).
///
/// # Errors
/// [`NoiseError::Sampler`] if nothing can be drawn, or there are no candidates.
pub fn pick(
    counts: &[u64],
    rank: u32,
    scale: Scale,
    noise: &mut dyn NoiseSource,
) -> Result<Picked, NoiseError> {
    let candidates = u32::try_from(counts.len()).unwrap_or(u32::MAX);
    let inner = inner(counts, rank);
    let reach = reach(scale, candidates, 40.0);
    let mut drawn = |shift: i64| -> Result<u32, NoiseError> {
        let scores: Vec<i64> = inner
            .iter()
            .map(|inner| -inner.saturating_add(shift).saturating_abs())
            .collect();
        let at = noise.choose(&scores, scale)?;
        u32::try_from(at).map_err(|_| NoiseError::Sampler("no candidates".to_owned()))
    };
    let (low, middle, high) = (drawn(reach)?, drawn(0)?, drawn(-reach)?);
    Ok(Picked {
        low: low.min(middle),
        middle,
        high: high.max(middle),
    })
}

/// inner(j) of every candidate.
fn inner(counts: &[u64], rank: u32) -> Vec<i64> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX / 2);
    let (below_weight, above_weight) = (i64::from(RANKS.saturating_sub(rank)), i64::from(rank));
    let mut above = counts.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
    let mut below = 0u64;
    counts
        .iter()
        .map(|count| {
            above = above.saturating_sub(*count);
            let inner = below_weight
                .saturating_mul(number(below))
                .saturating_sub(above_weight.saturating_mul(number(above)));
            below = below.saturating_add(*count);
            inner
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::mechanism::{OpenDpNoise, ZeroNoise};
    use proptest::prelude::*;

    fn scores(counts: &[u64], rank: u32, shift: i64) -> Vec<i64> {
        inner(counts, rank).iter().map(|x| -(x + shift).abs()).collect()
    }

    #[test]
    fn without_noise_it_is_the_quantile() {
        let tiny = Scale::calibrate(1, Rho::from_nano(1_000_000_000)).unwrap();
        for (counts, rank, want) in [
            (vec![1, 1, 1, 1, 1], 500, 2),
            (vec![0, 10, 0, 0, 1], 500, 1),
            (vec![5, 0, 0, 0, 95], 900, 4),
            (vec![90, 0, 0, 0, 10], 800, 0),
            (vec![1, 0, 0, 0, 9], 0, 0),
            (vec![9, 0, 0, 0, 1], 1_000, 4),
        ] {
            assert_eq!(
                pick(&counts, rank, tiny, &mut ZeroNoise).unwrap().middle,
                want,
                "{counts:?}"
            );
        }
        assert!(pick(&[], 500, tiny, &mut OpenDpNoise).is_err());
    }

    #[test]
    fn the_interval_holds_the_quantile_as_often_as_it_says() {
        // Two hundred values of 7 to 27 among a hundred candidates; one value a unit.
        let mut counts = vec![0u64; 100];
        for n in 0..200 {
            counts[7 + n % 21] += 1;
        }
        let scale = scale(1, 500, 1, Rho::from_nano(20_000_000)).unwrap();
        let runs = 400;
        let (mut held, mut off) = (0, 0u32);
        for _ in 0..runs {
            let picked = pick(&counts, 500, scale, &mut OpenDpNoise).unwrap();
            held += u32::from((picked.low..=picked.high).contains(&17));
            off += picked.middle.abs_diff(17);
        }
        assert!(f64::from(held) >= 0.93 * f64::from(runs), "{held} of {runs}");
        assert!(f64::from(off) / f64::from(runs) < 3.0, "{off}");
    }

    #[test]
    fn scores_move_apart_as_far_as_declared() {
        // A check that cannot fail would prove nothing. With rank 501 two candidates below the added value, on either side
        // of the quantile, move apart by 2 · 501.
        let (before, after) = ([0, 40, 0, 0], [0, 40, 0, 1]);
        let moved: Vec<i64> = scores(&before, 501, 0)
            .iter()
            .zip(scores(&after, 501, 0))
            .map(|(before, after)| after - before)
            .collect();
        assert_eq!(moved[2] - moved[0], 1_002);
    }

    #[test]
    fn picks_follow_the_exponential_law() {
        // Scores 0, −1000 and −2000 at scale 1000: probabilities e⁰, e⁻¹, e⁻² over their sum.
        let scale = Scale::calibrate(2_000_000, Rho::from_nano(1_000_000_000)).unwrap();
        assert!((scale.as_f64() - 1_000.0).abs() < 0.01);
        let runs = 6_000;
        let mut seen = [0u32; 3];
        for _ in 0..runs {
            seen[OpenDpNoise.choose(&[0, -1_000, -2_000], scale).unwrap()] += 1;
        }
        let sum = 1.0 + (-1f64).exp() + (-2f64).exp();
        for (at, seen) in seen.into_iter().enumerate() {
            let wanted = (-(at as f64)).exp() / sum;
            let share = f64::from(seen) / f64::from(runs);
            let error = (wanted * (1.0 - wanted) / f64::from(runs)).sqrt();
            assert!((share - wanted).abs() < 5.0 * error, "{at}: {share} for {wanted}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// White box: on neighbouring data the scores of two candidates move apart by at most w a value.
        #[test]
        fn scores_move_apart_by_no_more_than_declared(
            counts in prop::collection::vec(0u64..50, 1..12),
            added in prop::collection::vec(0usize..12, 0..6),
            rank in 0u32..=1_000,
            shift in -20_000i64..20_000,
        ) {
            let mut more = counts.clone();
            let added: Vec<usize> = added.into_iter().map(|at| at % counts.len()).collect();
            for at in &added {
                more[*at] += 1;
            }
            let moved: Vec<i64> = scores(&counts, rank, shift)
                .iter()
                .zip(scores(&more, rank, shift))
                .map(|(before, after)| after - before)
                .collect();
            let range = moved.iter().max().unwrap() - moved.iter().min().unwrap();
            let most = i64::from(spread(rank)) * i64::try_from(added.len()).unwrap();
            prop_assert!(range <= most, "{range}");
        }
    }
}
