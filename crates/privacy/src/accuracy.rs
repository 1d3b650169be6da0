//! How far a noised value may lie from the bounded statistic: tails and 95 % intervals.
//!
//! All intervals are about the statistic after bounding and clipping; the bias of bounding is a separate
//! figure.

use crate::mechanism::Scale;

/// The two-sided 95 % quantile of the standard normal distribution.
pub const Z95: f64 = 1.959_963_984_540_054;

/// Scales up to which tails are summed term by term.
const SUMMED: f64 = 500.0;

/// An upper bound on P[X ≥ `k`] for X from the discrete Gaussian of `scale`, to 10 digits where σ ≤ 500.
///
/// Why it is a bound beyond: with f(x) = exp(−x²/2σ²), Σ_{x≥k} f(x) ≤ f(k) + ∫_k^∞ f ≤ f(k)(1 + σ²/k) by
/// Mills' inequality for k > 0, and Σ_ℤ f ≥ σ√(2π) by Poisson summation (Canonne, Kamath and Steinke 2020,
/// fact 18).
#[must_use]
pub fn gaussian_tail(scale: Scale, k: i128) -> f64 {
    let sigma = scale.as_f64();
    if k <= 0 {
        return 1.0;
    }
    if sigma == 0.0 {
        return 0.0;
    }
    let density = |x: f64| (-(x / sigma) * (x / sigma) / 2.0).exp();
    let first = k as f64;
    let bound = if sigma <= SUMMED {
        let terms = (40.0 * sigma).ceil() as u32 + 1;
        let above: f64 = (0..terms).map(|i| density(first + f64::from(i))).sum();
        let total: f64 = 1.0 + 2.0 * (1..terms).map(|i| density(f64::from(i))).sum::<f64>();
        above / total
    } else {
        density(first) * (1.0 + sigma * sigma / first) / (sigma * (2.0 * std::f64::consts::PI).sqrt())
    };
    // The margin covers rounding and, where summed, the terms beyond 40 σ.
    (bound * (1.0 + 1e-10) + f64::MIN_POSITIVE).min(1.0)
}

/// The least integer `k` > 0 with P[X ≥ `k`] ≤ `probability`; `None` for a probability that is not positive
/// or beyond what floating-point numbers tell from zero.
#[must_use]
pub fn gaussian_quantile(scale: Scale, probability: f64) -> Option<i128> {
    if probability.is_nan() || probability <= f64::MIN_POSITIVE {
        return None;
    }
    let small = |k: i128| gaussian_tail(scale, k) <= probability;
    let mut high = 1;
    while !small(high) {
        high *= 2;
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if small(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// The half-width h, in grid units, of an interval ±h that holds discrete Gaussian noise with 95 %.
#[must_use]
pub fn half_width_95(scale: Scale) -> i128 {
    if scale.as_f64() <= SUMMED {
        gaussian_quantile(scale, 0.025).map_or(0, |k| k - 1)
    } else {
        (scale.as_f64() * Z95).ceil() as i128 + 1
    }
}

/// The values that a ratio may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RatioInterval {
    /// Between the two numbers.
    Between(f64, f64),
    /// The denominator may be zero: nothing is excluded with confidence.
    Unbounded,
}

/// Fieller's 95 % interval (1954) of a ratio of two independently noised values, such as AVG = SUM / COUNT:
/// all r for which `numerator` − r · `denominator` is within 1.96 of its standard deviations of zero.
#[must_use]
pub fn ratio_interval_95(
    numerator: f64,
    numerator_sd: f64,
    denominator: f64,
    denominator_sd: f64,
) -> RatioInterval {
    let z2 = Z95 * Z95;
    // r² a − 2 r b + c ≤ 0.
    let a = denominator * denominator - z2 * denominator_sd * denominator_sd;
    let b = numerator * denominator;
    let c = numerator * numerator - z2 * numerator_sd * numerator_sd;
    let root = b.mul_add(b, -(a * c)).max(0.0).sqrt();
    if a.is_nan() || a <= 0.0 || !root.is_finite() {
        return RatioInterval::Unbounded;
    }
    RatioInterval::Between((b - root) / a, (b + root) / a)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::mechanism::{NoiseSource as _, OpenDpNoise};

    /// P[X ≥ k] by plain summation over the whole distribution.
    fn summed(sigma: f64, k: i64) -> f64 {
        let f = |x: i64| (-(x as f64 / sigma).powi(2) / 2.0).exp();
        let reach = (45.0 * sigma) as i64 + 5;
        (k..k + reach).map(f).sum::<f64>() / (-reach..=reach).map(f).sum::<f64>()
    }

    #[test]
    fn tails_are_upper_bounds_and_close() {
        for (sigma, ks) in [
            (1, [1, 3, 6]),
            (50, [10, 200, 300]),
            (499, [100, 2000, 3000]),
            (700, [700, 2800, 4200]),
        ] {
            for k in ks {
                let exact = summed(sigma as f64, k);
                let bound = gaussian_tail(Scale::of(sigma), k.into());
                assert!(
                    bound >= exact * (1.0 - 1e-12),
                    "σ {sigma}, k {k}: {bound} < {exact}"
                );
                let slack = if sigma <= 500 { 1e-9 } else { 1.0 };
                assert!(
                    bound <= exact * (1.0 + slack),
                    "σ {sigma}, k {k}: {bound} ≫ {exact}"
                );
            }
        }
        assert_eq!(gaussian_tail(Scale::of(5), 0), 1.0);
        assert_eq!(gaussian_tail(Scale::of(0), 1), 0.0);
    }

    #[test]
    fn quantile_is_the_least_that_suffices() {
        for sigma in [1, 30, 100_000] {
            for probability in [0.4, 0.025, 1e-12, 1e-20] {
                let k = gaussian_quantile(Scale::of(sigma), probability).unwrap();
                assert!(gaussian_tail(Scale::of(sigma), k) <= probability);
                assert!(gaussian_tail(Scale::of(sigma), k - 1) > probability);
            }
        }
        assert_eq!(gaussian_quantile(Scale::of(1), 0.0), None);
        assert_eq!(gaussian_quantile(Scale::of(1), f64::NAN), None);
        assert_eq!(gaussian_quantile(Scale::of(1), 1e-320), None);
        assert!(gaussian_quantile(Scale::of(1 << 79), 1e-300).is_some());
    }

    #[test]
    fn intervals_cover_at_least_95_percent() {
        for sigma in [1, 7, 499] {
            let h = half_width_95(Scale::of(sigma));
            let outside = |h: i128| 2.0 * summed(sigma as f64, i64::try_from(h).unwrap() + 1);
            assert!(outside(h) <= 0.05 && outside(h - 1) > 0.05, "σ {sigma}: {h}");
        }
        let scale = Scale::of(100_000);
        let h = half_width_95(scale);
        let mut noise = OpenDpNoise;
        let inside = (0..2000)
            .filter(|_| noise.gaussian(scale).unwrap().abs() <= h)
            .count();
        // Six standard errors of a binomial with 2000 runs.
        assert!((1842..=1958).contains(&inside), "{inside}");
    }

    #[test]
    fn ratio_intervals_are_fieller_s() {
        let RatioInterval::Between(low, high) = ratio_interval_95(5000.0, 100.0, 1000.0, 10.0) else {
            unreachable!("the denominator is far from zero");
        };
        // At both ends the difference is exactly 1.96 standard deviations from zero.
        for r in [low, high] {
            let deviations = (5000.0 - r * 1000.0).abs() / 100f64.hypot(r * 10.0);
            assert!((deviations - Z95).abs() < 1e-9, "{r}");
        }
        assert!(low < 5.0 && 5.0 < high);
        assert_eq!(ratio_interval_95(5.0, 1.0, 10.0, 6.0), RatioInterval::Unbounded);
        assert_eq!(ratio_interval_95(0.0, 1.0, 0.0, 0.0), RatioInterval::Unbounded);
        assert_eq!(
            ratio_interval_95(8.0, 0.0, 2.0, 0.0),
            RatioInterval::Between(4.0, 4.0)
        );
    }
}
