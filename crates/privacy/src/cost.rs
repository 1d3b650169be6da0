//! Privacy cost as integers, so that thousands of charges add up exactly and compare exactly.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A zCDP cost ρ in units of 10⁻⁹. Made from fractions by rounding up, so that nothing is undercharged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rho(u64);

/// A failure probability δ in units of 10⁻²¹: a thousand jobs of 10⁻¹² are exact, and the largest value,
/// 0.018, is far beyond any cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Delta(u64);

/// An ε for people to read. It does not add up: budgets are kept in [`Cost`].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Epsilon(f64);

/// What a release costs: δ-approximate ρ-zCDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Cost {
    /// The zCDP part.
    pub rho: Rho,
    /// The probability that the zCDP part does not hold.
    pub delta: Delta,
}

/// Units of [`Rho`] in 1.
pub const RHO_UNITS: u64 = 1_000_000_000;
/// Units of [`Delta`] in 10⁻⁹.
const DELTA_UNITS_PER_BILLIONTH: u64 = 1_000_000_000_000;

impl Rho {
    /// No cost.
    pub const ZERO: Self = Self(0);

    /// From a number of units of 10⁻⁹.
    #[must_use]
    pub const fn from_nano(nano: u64) -> Self {
        Self(nano)
    }

    /// The number of units of 10⁻⁹.
    #[must_use]
    pub const fn nano(self) -> u64 {
        self.0
    }

    /// The least value that is at least `rho`, for charges. `None` unless `rho` is finite, not negative and
    /// below 10⁹.
    #[must_use]
    pub fn from_f64_up(rho: f64) -> Option<Self> {
        units(rho, RHO_UNITS as f64).map(|units| Self(units.ceil() as u64))
    }

    /// The largest value that is at most `rho`, for caps and budgets; `None` as for [`Rho::from_f64_up`].
    #[must_use]
    pub fn from_f64_down(rho: f64) -> Option<Self> {
        units(rho, RHO_UNITS as f64).map(|units| Self(units.floor() as u64))
    }

    /// The value as a fraction.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / RHO_UNITS as f64
    }
}

fn units(value: f64, per_one: f64) -> Option<f64> {
    // 2⁵³ units are the last that a double counts exactly.
    let units = value * per_one;
    (value >= 0.0 && units <= 9_007_199_254_740_992.0).then_some(units)
}

impl Delta {
    /// No failure.
    pub const ZERO: Self = Self(0);
    /// 10⁻⁹: no dataset promises less.
    pub const BILLIONTH: Self = Self(DELTA_UNITS_PER_BILLIONTH);

    /// From a number of units of 10⁻²¹.
    #[must_use]
    pub const fn from_units(units: u64) -> Self {
        Self(units)
    }

    /// The number of units of 10⁻²¹.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// The δ that a dataset promises: min(10⁻⁹, 1 / (10 · `max_units`)), rounded down. A mechanism that
    /// publishes one unit in 1/δ whole would satisfy δ, hence the second term.
    #[must_use]
    pub const fn promise(max_units: u64) -> Self {
        // 10²¹ / (10 · units) exceeds 10¹² only below 10⁸ units, where the first term decides.
        let most = 100_000_000;
        if max_units <= most {
            return Self::BILLIONTH;
        }
        Self((100_000_000_000_000_000_000_u128 / max_units as u128) as u64)
    }

    /// The value as a fraction.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e21
    }

    /// The odds that one given unit shares its keyed 64-bit hash with one of `units` others, n / 2⁶⁴, rounded
    /// up. The hashes are the same in every job, so this is charged once per lineage and key, not per job.
    #[must_use]
    pub const fn collision(units: u64) -> Self {
        // 10²¹ / 2⁶⁴ is 54.21…; fewer than 2⁵⁸ units stay in range.
        let product = (units as u128) * 55;
        Self(if product > u64::MAX as u128 {
            u64::MAX
        } else {
            product as u64
        })
    }

    /// The sum, `None` beyond the range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }
}

impl Epsilon {
    /// An ε from a finite number that is not negative; `None` for any other.
    #[must_use]
    pub fn new(epsilon: f64) -> Option<Self> {
        (epsilon.is_finite() && epsilon >= 0.0).then_some(Self(epsilon))
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl Cost {
    /// No cost.
    pub const ZERO: Self = Self {
        rho: Rho::ZERO,
        delta: Delta::ZERO,
    };

    /// A cost of both parts.
    #[must_use]
    pub const fn new(rho: Rho, delta: Delta) -> Self {
        Self { rho, delta }
    }

    /// The sum, `None` beyond the range of either part.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let rho = self.rho.0.checked_add(other.rho.0)?;
        Some(Self {
            rho: Rho(rho),
            delta: self.delta.checked_add(other.delta)?,
        })
    }

    /// What is left of `self` after `spent`; `None` when either part is overspent.
    #[must_use]
    pub fn checked_sub(self, spent: Self) -> Option<Self> {
        let rho = self.rho.0.checked_sub(spent.rho.0)?;
        let delta = self.delta.0.checked_sub(spent.delta.0)?;
        Some(Self {
            rho: Rho(rho),
            delta: Delta(delta),
        })
    }

    /// What is left of `self` after `spent`, nothing where it is overspent.
    #[must_use]
    pub const fn saturating_sub(self, spent: Self) -> Self {
        let rho = self.rho.0.saturating_sub(spent.rho.0);
        Self {
            rho: Rho(rho),
            delta: Delta(self.delta.0.saturating_sub(spent.delta.0)),
        }
    }

    /// Whether both parts are at most those of `cap`.
    #[must_use]
    pub const fn fits(self, cap: Self) -> bool {
        self.rho.0 <= cap.rho.0 && self.delta.0 <= cap.delta.0
    }

    /// The smaller of each part.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            rho: self.rho.min(other.rho),
            delta: self.delta.min(other.delta),
        }
    }
}

impl fmt::Display for Epsilon {
    /// Three significant decimals, rounded up: a shown ε is never better than the true one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", (self.0 * 1000.0).ceil() / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_round_against_the_spender() {
        assert_eq!(Rho::from_f64_up(0.004_000_000_01), Some(Rho(4_000_001)));
        assert_eq!(Rho::from_f64_down(0.004_000_000_99), Some(Rho(4_000_000)));
        assert_eq!(Rho::from_f64_up(1e-30), Some(Rho(1)));
        assert_eq!(Rho::from_f64_up(0.0), Some(Rho::ZERO));
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(Rho::from_f64_up(bad), None, "{bad}");
        }
        assert_eq!(
            Epsilon::new(0.5001).map(|e| e.to_string()).as_deref(),
            Some("0.501")
        );
        assert_eq!(Epsilon::new(f64::NAN), None);
    }

    #[test]
    fn delta_promise_follows_the_number_of_units() {
        assert_eq!(Delta::promise(0), Delta::BILLIONTH);
        assert_eq!(Delta::promise(100_000_000), Delta::BILLIONTH);
        assert_eq!(Delta::promise(1_000_000_000), Delta(100_000_000_000));
        assert!((Delta::promise(1_000_000_000).as_f64() - 1e-10).abs() < 1e-22);
        assert_eq!(Delta::collision(1_000_000), Delta(55_000_000));
        assert!(Delta::collision(1_000_000).as_f64() >= 1e6 / 2f64.powi(64));
        assert_eq!(Delta::collision(u64::MAX), Delta(u64::MAX));
    }

    #[test]
    fn thousands_of_small_charges_are_exact_and_overflow_is_no_sum() {
        let job = Cost::new(Rho(4_000_000), Delta(1_000_000_000));
        let total = (0..1000).try_fold(Cost::ZERO, |sum, _| sum.checked_add(job));
        assert_eq!(total, Some(Cost::new(Rho(4_000_000_000), Delta::BILLIONTH)));
        let most = Cost::new(Rho(u64::MAX), Delta(u64::MAX));
        assert_eq!(most.checked_add(Cost::new(Rho(1), Delta::ZERO)), None);
        assert_eq!(most.checked_add(Cost::new(Rho::ZERO, Delta(1))), None);
        assert_eq!(Cost::ZERO.checked_sub(Cost::new(Rho::ZERO, Delta(1))), None);
        assert!(job.fits(job));
        assert!(!job.fits(Cost::new(Rho(u64::MAX), Delta(1))));
    }
}
