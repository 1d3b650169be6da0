//! Discrete Gaussian and discrete Laplace noise on integers.
//!
//! Assumed: an integer vector q(D) with neighbours D, D' such that Σ (qⱼ(D) − qⱼ(D'))² / Δⱼ² ≤ 1 (Gaussian),
//! or Σ |qⱼ(D) − qⱼ(D')| / Δⱼ ≤ 1 (Laplace); each coordinate gets independent noise, drawn once; the
//! generator's bits are uniform.
//!
//! Guaranteed, with [`Scale::calibrate`] of each Δⱼ² and ρ: the noised vector is ρ-zCDP.
//!
//! Why, Gaussian: Canonne, Kamath and Steinke 2020, theorem 14: independent N_ℤ(0, σⱼ²) give ½ε²-zCDP when
//! Σ (difference)²/σⱼ² ≤ ε²; σⱼ² ≥ Δⱼ²/(2ρ) makes the sum at most 2ρ, hence ρ. Laplace: noise of scale bⱼ on
//! ℤ gives ε-DP with ε = Σ |difference|/bⱼ ≤ √(2ρ) for bⱼ ≥ Δⱼ/√(2ρ), and ε-DP is ½ε²-zCDP (Bun and Steinke
//! 2016, proposition 1.4). A larger scale only divides the divergences, and every scale here is rounded up in
//! integer arithmetic, so no floating-point number touches the noise (Mironov 2012 shows what happens when
//! one does). The samplers are those of opendp, whose `use-openssl` feature draws from OpenSSL's private
//! generator and whose proofs are published with them; they sample exactly from rational scales.

use std::fmt;

use dashu::base::SquareRoot as _;
use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;
use opendp::domains::{AtomDomain, VectorDomain};
use opendp::measurements::make_noisy_max;
use opendp::measures::ZeroConcentratedDivergence;
use opendp::metrics::LInfDistance;
use opendp::traits::samplers::{sample_discrete_gaussian, sample_discrete_laplace};

use crate::cost::{RHO_UNITS, Rho};

/// Fractional bits of a [`Scale`].
const FRACTION_BITS: u32 = 20;
/// Fractional bits of a relative sensitivity, see [`Scale::calibrate_relative`].
pub(crate) const RELATIVE_BITS: u32 = 100;

/// The scale of integer noise, σ of a Gaussian or b of a Laplace, in grid units: a rational with denominator
/// 2²⁰.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scale(u128);

/// Noise that cannot be calibrated or drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoiseError {
    /// ρ is zero, which no amount of noise satisfies.
    #[error("a cost of zero allows no answer, however noisy")]
    NoBudget,
    /// The scale is beyond the integers that sums are kept in.
    #[error("the noise would be larger than any sum")]
    ScaleTooLarge,
    /// The system gave no random bits, or the sampler failed.
    #[error("noise cannot be drawn: {0}")]
    Sampler(String),
}

impl Scale {
    /// The least scale that is at least √(`sensitivity_squared` / (2ρ)): σ for an L2 sensitivity, b for an L1
    /// one.
    ///
    /// # Errors
    /// [`NoiseError::NoBudget`] or [`NoiseError::ScaleTooLarge`].
    pub fn calibrate(sensitivity_squared: u128, rho: Rho) -> Result<Self, NoiseError> {
        Self::at_least_root(UBig::from(sensitivity_squared), UBig::ONE, rho)
    }

    /// As [`Scale::calibrate`] for one coordinate of a joint vector: its bound is `bound` grid units, and the
    /// vector with each coordinate divided by its bound has an L2 norm whose square is at most
    /// `relative_squared` · 2⁻¹⁰⁰.
    ///
    /// # Errors
    /// As [`Scale::calibrate`].
    pub fn calibrate_relative(bound: u64, relative_squared: u128, rho: Rho) -> Result<Self, NoiseError> {
        let bound = UBig::from(bound);
        let numerator = &bound * &bound * UBig::from(relative_squared);
        Self::at_least_root(numerator, UBig::ONE << RELATIVE_BITS as usize, rho)
    }

    fn at_least_root(numerator: UBig, denominator: UBig, rho: Rho) -> Result<Self, NoiseError> {
        if rho == Rho::ZERO {
            return Err(NoiseError::NoBudget);
        }
        let numerator = (numerator * UBig::from(RHO_UNITS)) << (2 * FRACTION_BITS) as usize;
        let denominator = denominator * UBig::from(rho.nano()) * UBig::from(2_u8);
        // ⌈√⌈x⌉⌉ ≥ √x.
        let square = (numerator + &denominator - UBig::ONE) / denominator;
        let mut root = square.sqrt();
        if &root * &root < square {
            root += UBig::ONE;
        }
        match u128::try_from(root) {
            Ok(root) if root < 1 << 100 => Ok(Self(root)),
            _ => Err(NoiseError::ScaleTooLarge),
        }
    }

    /// The scale as a floating-point number, for errors shown to people.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / f64::from(1 << FRACTION_BITS)
    }

    fn rational(self) -> RBig {
        RBig::from_parts(IBig::from(self.0), UBig::from(1_u32 << FRACTION_BITS))
    }

    /// The scale halved: a mechanism broken on purpose.
    #[cfg(test)]
    pub(crate) const fn halved(self) -> Self {
        Self(self.0 / 2)
    }

    /// A scale of `units` grid units.
    #[cfg(test)]
    pub(crate) const fn of(units: u128) -> Self {
        Self(units << FRACTION_BITS)
    }
}

/// Where noise comes from. Production has one implementation, [`OpenDpNoise`].
pub trait NoiseSource: fmt::Debug + Send {
    /// Draws from the discrete Gaussian N_ℤ(0, `scale`²).
    ///
    /// # Errors
    /// [`NoiseError::Sampler`]; the caller must then release nothing.
    fn gaussian(&mut self, scale: Scale) -> Result<i128, NoiseError>;

    /// Draws from the discrete Laplace distribution of `scale`.
    ///
    /// # Errors
    /// [`NoiseError::Sampler`]; the caller must then release nothing.
    fn laplace(&mut self, scale: Scale) -> Result<i128, NoiseError>;

    /// Chooses a place with probability proportional to exp(score / `scale`): the exponential mechanism.
    ///
    /// # Errors
    /// [`NoiseError::Sampler`], also if there are no scores; the caller must then release nothing.
    fn choose(&mut self, scores: &[i64], scale: Scale) -> Result<usize, NoiseError>;
}

/// The samplers of opendp on OpenSSL's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenDpNoise;

fn to_i128(drawn: opendp::error::Fallible<IBig>) -> Result<i128, NoiseError> {
    let drawn = drawn.map_err(|error| NoiseError::Sampler(format!("{:?}", error.variant)))?;
    i128::try_from(drawn).map_err(|_| NoiseError::Sampler("beyond 128 bits".to_owned()))
}

impl NoiseSource for OpenDpNoise {
    fn gaussian(&mut self, scale: Scale) -> Result<i128, NoiseError> {
        to_i128(sample_discrete_gaussian(scale.rational()))
    }

    fn laplace(&mut self, scale: Scale) -> Result<i128, NoiseError> {
        to_i128(sample_discrete_laplace(scale.rational()))
    }

    fn choose(&mut self, scores: &[i64], scale: Scale) -> Result<usize, NoiseError> {
        let failed = |error: opendp::error::Error| NoiseError::Sampler(format!("{:?}", error.variant));
        // With `ZeroConcentratedDivergence` noisy max is the exponential mechanism, sampled exactly.
        let mechanism = make_noisy_max(
            VectorDomain::new(AtomDomain::<i64>::default()),
            LInfDistance::<i64>::default(),
            ZeroConcentratedDivergence,
            scale.as_f64().next_up(),
            false,
        )
        .map_err(failed)?;
        mechanism.invoke(&scores.to_vec()).map_err(failed)
    }
}

/// No noise: makes exact what a test compares. It cannot be compiled into a release.
#[cfg(any(test, feature = "test-noise"))]
#[derive(Debug, Clone, Copy, Default)]
pub struct ZeroNoise;

#[cfg(any(test, feature = "test-noise"))]
impl NoiseSource for ZeroNoise {
    fn gaussian(&mut self, _scale: Scale) -> Result<i128, NoiseError> {
        Ok(0)
    }

    fn laplace(&mut self, _scale: Scale) -> Result<i128, NoiseError> {
        Ok(0)
    }

    fn choose(&mut self, scores: &[i64], _scale: Scale) -> Result<usize, NoiseError> {
        best(scores)
    }
}

/// The first place with the best score.
#[cfg(any(test, feature = "test-noise"))]
fn best(scores: &[i64]) -> Result<usize, NoiseError> {
    let best = scores.iter().max();
    let place = best.and_then(|best| scores.iter().position(|score| score == best));
    place.ok_or_else(|| NoiseError::Sampler("no scores".to_owned()))
}

/// The same draws, in order and over again. It cannot be compiled into a release.
#[cfg(any(test, feature = "test-noise"))]
#[derive(Debug, Clone, Default)]
pub struct FixedNoise {
    draws: Vec<i128>,
    next: usize,
}

#[cfg(any(test, feature = "test-noise"))]
impl FixedNoise {
    /// Noise that repeats `draws`; nothing at all for none.
    #[must_use]
    pub const fn new(draws: Vec<i128>) -> Self {
        Self { draws, next: 0 }
    }

    fn draw(&mut self) -> i128 {
        let drawn = self
            .draws
            .get(self.next % self.draws.len().max(1))
            .copied()
            .unwrap_or_default();
        self.next += 1;
        drawn
    }
}

#[cfg(any(test, feature = "test-noise"))]
impl NoiseSource for FixedNoise {
    fn gaussian(&mut self, _scale: Scale) -> Result<i128, NoiseError> {
        Ok(self.draw())
    }

    fn laplace(&mut self, _scale: Scale) -> Result<i128, NoiseError> {
        Ok(self.draw())
    }

    fn choose(&mut self, scores: &[i64], _scale: Scale) -> Result<usize, NoiseError> {
        best(scores)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scales_are_exact_or_rounded_up() {
        // Δ = 1, ρ = ½: σ = 1 exactly. Δ = 3, ρ = 0.02: σ = 15.
        assert_eq!(
            Scale::calibrate(1, Rho::from_nano(500_000_000)).unwrap(),
            Scale::of(1)
        );
        assert_eq!(
            Scale::calibrate(9, Rho::from_nano(20_000_000)).unwrap(),
            Scale::of(15)
        );
        assert_eq!(Scale::calibrate(1, Rho::ZERO), Err(NoiseError::NoBudget));
        let relative = Scale::calibrate_relative(15, 1 << RELATIVE_BITS, Rho::from_nano(500_000_000));
        assert_eq!(relative.unwrap(), Scale::of(15));
        let most = Scale::calibrate_relative(u64::MAX, u128::MAX, Rho::from_nano(1));
        assert_eq!(most, Err(NoiseError::ScaleTooLarge));
    }

    proptest! {
        #[test]
        fn calibrated_scale_is_the_least_that_suffices(
            sensitivity in 1..1_u64 << 31, nano in 1..10_000_000_000_u64,
        ) {
            let squared = u128::from(sensitivity).pow(2);
            let scale = Scale::calibrate(squared, Rho::from_nano(nano)).unwrap();
            // σ² · 2ρ ≥ Δ² in exact integers, and not for the next smaller scale.
            let enough = |numerator: u128| {
                let left = UBig::from(numerator).pow(2) * UBig::from(nano) * UBig::from(2_u8);
                left >= (UBig::from(squared) * UBig::from(RHO_UNITS)) << (2 * FRACTION_BITS) as usize
            };
            prop_assert!(enough(scale.0));
            prop_assert!(!enough(scale.0 - 1));
        }
    }

    #[test]
    fn draws_have_the_right_mean_and_variance() {
        let mut noise = OpenDpNoise;
        let scale = Scale::of(50);
        let n = 3000;
        let moments = |draws: Vec<i128>| {
            let mean = draws.iter().sum::<i128>() as f64 / f64::from(n);
            let square = draws.iter().map(|x| (x * x) as f64).sum::<f64>() / f64::from(n);
            (mean, square.sqrt())
        };
        // Six standard errors either way: one false alarm in 10⁹ runs.
        let (mean, sd) = moments((0..n).map(|_| noise.gaussian(scale).unwrap()).collect());
        assert!(mean.abs() < 6.0 * 50.0 / f64::from(n).sqrt(), "{mean}");
        assert!((sd / 50.0 - 1.0).abs() < 6.0 / f64::from(2 * n).sqrt(), "{sd}");
        let (mean, sd) = moments((0..n).map(|_| noise.laplace(scale).unwrap()).collect());
        let expected = 50.0 * 2f64.sqrt();
        assert!(mean.abs() < 6.0 * expected / f64::from(n).sqrt(), "{mean}");
        assert!(
            (sd / expected - 1.0).abs() < 6.0 * 1.2 / f64::from(n).sqrt(),
            "{sd}"
        );
    }

    #[test]
    fn sums_of_128_bits_take_noise_of_their_size() {
        let scale =
            Scale::calibrate_relative(1 << 60, 1 << RELATIVE_BITS, Rho::from_nano(500_000_000)).unwrap();
        let drawn = OpenDpNoise.gaussian(scale).unwrap();
        assert!(
            drawn.unsigned_abs() > 1 << 30 && drawn.unsigned_abs() < 1 << 64,
            "{drawn}"
        );
    }

    #[test]
    fn doubles_do_as_they_say() {
        let mut fixed = FixedNoise::new(vec![3, -4]);
        let drawn: Vec<i128> = (0..3).map(|_| fixed.gaussian(Scale::of(1)).unwrap()).collect();
        assert_eq!(drawn, [3, -4, 3]);
        assert_eq!(FixedNoise::default().laplace(Scale::of(1)), Ok(0));
        assert_eq!(ZeroNoise.gaussian(Scale::of(9)), Ok(0));
    }
}
