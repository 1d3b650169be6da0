//! Declared ranges and what follows from them: interval arithmetic, sensitivities, fixed-point grids.

/// The most bits of a grid's bound.
pub const MAX_GRID_BITS: u32 = 31;
/// The fewest bits of a grid's bound: below, quantising would show beside the noise.
pub const MIN_GRID_BITS: u32 = 10;
/// Sums over all units stay below 2⁶².
const SUM_BITS: u32 = 62;

/// Bounds that no mechanism can be built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
    /// Not a range of finite numbers.
    #[error("a range needs finite ends, the lower one first")]
    Range,
    /// Not a positive, finite bound.
    #[error("a bound must be a positive finite number within 10^±200")]
    Bound,
    /// A bound times the number of units leaves no room for a grid.
    #[error("with {0} units, sums would pass 2⁶² or lose their precision; declare fewer units")]
    Units(u64),
    /// No cells, or more than a unit may contribute to.
    #[error("a unit can contribute to 1 to 2²⁰ cells, not to {0}")]
    Cells(u64),
    /// A norm limit that is not a positive number.
    #[error("a norm limit must be a positive number")]
    Norm,
}

/// The least of 1, 2, 5, 10, 20, 50, … that is at least `value`: declared sizes are published on this coarse
/// ladder. Zero stays zero; `None` above 10¹⁹.
#[must_use]
pub const fn ladder_up(value: u64) -> Option<u64> {
    if value == 0 {
        return Some(0);
    }
    let mut power: u64 = 1;
    loop {
        let mut i = 0;
        while i < 3 {
            let Some(step) = power.checked_mul([1, 2, 5][i]) else {
                return None;
            };
            if step >= value {
                return Some(step);
            }
            i += 1;
        }
        match power.checked_mul(10) {
            Some(next) => power = next,
            None => return None,
        }
    }
}

/// A closed range of finite numbers that surely holds a value. Results are rounded outward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    low: f64,
    high: f64,
}

impl Interval {
    /// The range from `low` to `high`.
    ///
    /// # Errors
    /// [`BoundsError::Range`] when an end is not finite or `low` exceeds `high`.
    pub fn new(low: f64, high: f64) -> Result<Self, BoundsError> {
        if low.is_finite() && high.is_finite() && low <= high {
            Ok(Self { low, high })
        } else {
            Err(BoundsError::Range)
        }
    }

    /// The lower end.
    #[must_use]
    pub const fn low(self) -> f64 {
        self.low
    }

    /// The upper end.
    #[must_use]
    pub const fn high(self) -> f64 {
        self.high
    }

    /// The most that one value in the range can change a sum by being there or not: max(|low|, |high|). (Not
    /// the range's width: neighbours add or remove a unit, they do not replace it.)
    #[must_use]
    pub fn sensitivity(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// The range of −x.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self {
            low: -self.high,
            high: -self.low,
        }
    }

    /// The range of |x|.
    #[must_use]
    pub fn absolute(self) -> Self {
        let touches_zero = self.low <= 0.0 && self.high >= 0.0;
        let low = if touches_zero {
            0.0
        } else {
            self.low.abs().min(self.high.abs())
        };
        Self {
            low,
            high: self.sensitivity(),
        }
    }

    /// The range of x + y, `None` when it is not finite.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        Self::outward(self.low + other.low, self.high + other.high)
    }

    /// The range of x − y, `None` when it is not finite.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated())
    }

    /// The range of x · y, `None` when it is not finite.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        let corners = [
            self.low * other.low,
            self.low * other.high,
            self.high * other.low,
            self.high * other.high,
        ];
        let (low, high) = corners
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), c| {
                (l.min(*c), h.max(*c))
            });
        Self::outward(low, high)
    }

    /// The least range that holds both.
    #[must_use]
    pub const fn hull(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// What both have in common, `None` for nothing.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.low.max(other.low), self.high.min(other.high)).ok()
    }

    /// The range of a sum of 0 to `count` values of this range, `None` when it is not finite. It holds 0: the
    /// sum of no values.
    #[must_use]
    pub fn summed(self, count: u64) -> Option<Self> {
        let with_zero = Self {
            low: self.low.min(0.0),
            high: self.high.max(0.0),
        };
        with_zero.times(Self {
            low: 0.0,
            high: (count as f64).next_up(),
        })
    }

    fn outward(low: f64, high: f64) -> Option<Self> {
        // Zero is exact as a sum or product of these ends unless it underflowed, which next_up covers too.
        Self::new(low.next_down(), high.next_up()).ok()
    }
}

/// The fixed-point grid of one aggregate: steps of a power of two, and the bound of one unit's contribution
/// to one cell in steps.
///
/// Guaranteed by [`Grid::choose`]: `units` × bound < 2⁶², so no sum over all units overflows 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grid {
    exponent: i32,
    bound: u64,
}

impl Grid {
    /// The finest grid for contributions of at most `bound` by at most `units` units, of at most
    /// 2^[`MAX_GRID_BITS`] steps. Integers up to the bound lie on it exactly where the bound is below 2³¹.
    ///
    /// # Errors
    /// [`BoundsError::Bound`] or [`BoundsError::Units`].
    pub fn choose(bound: f64, units: u64) -> Result<Self, BoundsError> {
        if !(1e-200..=1e200).contains(&bound) {
            return Err(BoundsError::Bound);
        }
        // The bits that `units` takes: units < 2^unit_bits.
        let unit_bits = u64::BITS - units.leading_zeros();
        let bits = SUM_BITS.saturating_sub(unit_bits).min(MAX_GRID_BITS);
        if bits < MIN_GRID_BITS {
            return Err(BoundsError::Units(units));
        }
        // The least power of two that is at least the bound becomes 2^bits steps.
        let top = bound.log2().ceil() as i32;
        let top = if 2f64.powi(top) < bound { top + 1 } else { top };
        let exponent = top - bits as i32;
        let bound = (bound * 2f64.powi(-exponent)).ceil() as u64;
        Ok(Self {
            exponent,
            bound: bound.clamp(1, 1 << bits),
        })
    }

    /// The bound in steps: no quantised value exceeds it.
    #[must_use]
    pub const fn bound(self) -> u64 {
        self.bound
    }

    /// The size of a step, an exact power of two.
    #[must_use]
    pub fn step(self) -> f64 {
        2f64.powi(self.exponent)
    }

    /// A value in steps, rounded toward zero, so that rounding never adds to a contribution; beyond the
    /// bound, the bound; 0 for NaN.
    #[must_use]
    pub fn quantise(self, value: f64) -> i64 {
        // Multiplying by a power of two is exact but for underflow, which rounds to zero as it must.
        let steps = value * 2f64.powi(-self.exponent);
        (steps as i64).clamp(-(self.bound as i64), self.bound as i64)
    }

    /// An integer value in steps: exact where the step divides it, else rounded toward zero; clamped to the
    /// bound.
    #[must_use]
    pub const fn quantise_integer(self, value: i128) -> i64 {
        let bound = self.bound as i128;
        let steps = if self.exponent >= 0 {
            // Division, unlike a shift, rounds toward zero. Beyond 2¹²⁶ nothing but zero is left.
            if self.exponent >= 127 {
                0
            } else {
                value / (1_i128 << self.exponent)
            }
        } else if value == 0 || self.exponent < -62 {
            // A bound below 2⁻³¹ times the least integer: any other integer is beyond it.
            value.signum() * bound
        } else {
            match value.checked_mul(1_i128 << -self.exponent) {
                Some(steps) => steps,
                None => value.signum() * bound,
            }
        };
        let clamped = if steps > bound {
            bound
        } else if steps < -bound {
            -bound
        } else {
            steps
        };
        clamped as i64
    }

    /// Steps as a value, for what is released.
    #[must_use]
    pub fn value(self, steps: i128) -> f64 {
        steps as f64 * self.step()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ladder_rounds_up() {
        for (value, step) in [
            (0, Some(0)),
            (1, Some(1)),
            (2, Some(2)),
            (3, Some(5)),
            (5, Some(5)),
            (6, Some(10)),
            (11, Some(20)),
            (99, Some(100)),
            (100, Some(100)),
            (101, Some(200)),
            (12_345_678, Some(20_000_000)),
            (10_000_000_000_000_000_000, Some(10_000_000_000_000_000_000)),
            (10_000_000_000_000_000_001, None),
            (u64::MAX, None),
        ] {
            assert_eq!(ladder_up(value), step, "{value}");
        }
    }

    #[test]
    fn sensitivity_is_of_adding_or_removing() {
        for (low, high, expected) in [
            (0.0, 5.0, 5.0),
            (-3.0, 2.0, 3.0),
            (100.0, 101.0, 101.0),
            (-9.0, -8.0, 9.0),
        ] {
            assert_eq!(Interval::new(low, high).unwrap().sensitivity(), expected);
        }
        for (low, high) in [(1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
            assert_eq!(Interval::new(low, high), Err(BoundsError::Range));
        }
    }

    #[test]
    fn grids_leave_room_for_all_units() {
        assert_eq!(
            Grid::choose(1.0, 1_000_000).unwrap(),
            Grid {
                exponent: -31,
                bound: 1 << 31
            }
        );
        assert_eq!(
            Grid::choose(3.0, 1_000_000).unwrap(),
            Grid {
                exponent: -29,
                bound: 3 << 29
            }
        );
        assert_eq!(Grid::choose(1.0, 1 << 40).unwrap().bound(), 1 << 21);
        assert_eq!(Grid::choose(1.0, 1 << 52), Err(BoundsError::Units(1 << 52)));
        assert_eq!(Grid::choose(1.0, u64::MAX), Err(BoundsError::Units(u64::MAX)));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 1e-300] {
            assert_eq!(Grid::choose(bad, 10), Err(BoundsError::Bound), "{bad}");
        }
        for units in [0, 1, 1000, 1 << 31, (1 << 51) - 1] {
            let grid = Grid::choose(12_345.678, units).unwrap();
            assert!(u128::from(grid.bound()) * u128::from(units) < 1 << 62, "{units}");
        }
    }

    #[test]
    fn integers_are_exact_and_fractions_round_toward_zero() {
        let grid = Grid::choose(10.0, 1_000_000).unwrap();
        for value in -10..=10_i32 {
            let steps = grid.quantise(f64::from(value));
            assert_eq!(grid.value(steps.into()), f64::from(value));
            assert_eq!(grid.quantise_integer(value.into()), steps);
        }
        assert_eq!(grid.quantise(1e300), grid.bound() as i64);
        assert_eq!(grid.quantise(f64::NEG_INFINITY), -(grid.bound() as i64));
        assert_eq!(grid.quantise(f64::NAN), 0);
        let coarse = Grid::choose(1e15, 1_000_000).unwrap();
        assert!(coarse.step() > 1.0);
        assert_eq!(coarse.quantise_integer(-3), 0);
        assert_eq!(coarse.quantise(-3.0), 0);
        assert_eq!(coarse.quantise_integer(i128::MIN), -(coarse.bound() as i64));
        let fine = Grid::choose(1e-30, 10).unwrap();
        assert_eq!(fine.quantise_integer(1), fine.bound() as i64);
        assert_eq!(fine.quantise_integer(0), 0);
        let huge = Grid::choose(1e100, 10).unwrap();
        assert_eq!(huge.quantise_integer(i128::MAX), 0);
    }

    proptest! {
        #[test]
        fn intervals_hold_their_results(
            a in -1e6..1e6f64, b in -1e6..1e6f64, c in -1e6..1e6f64, d in -1e6..1e6f64,
            s in 0.0..=1.0f64, t in 0.0..=1.0f64, n in 0..100u64,
        ) {
            let x = Interval::new(a.min(b), a.max(b)).unwrap();
            let y = Interval::new(c.min(d), c.max(d)).unwrap();
            let pick = |i: Interval, s: f64| (i.low() + s * (i.high() - i.low())).clamp(i.low(), i.high());
            let (p, q) = (pick(x, s), pick(y, t));
            let holds = |i: Option<Interval>, v: f64| i.is_some_and(|i| i.low() <= v && v <= i.high());
            prop_assert!(holds(x.plus(y), p + q));
            prop_assert!(holds(x.minus(y), p - q));
            prop_assert!(holds(x.times(y), p * q));
            prop_assert!(holds(Some(x.negated()), -p));
            prop_assert!(holds(Some(x.absolute()), p.abs()));
            prop_assert!(holds(Some(x.hull(y)), q));
            prop_assert!(holds(x.summed(n), (0..n).map(|_| p).sum::<f64>() * (1.0 - 1e-12)));
            prop_assert!(p.abs() <= x.sensitivity());
        }

        #[test]
        fn quantising_never_grows_and_loses_less_than_a_step(
            bound in 1e-9..1e12f64, value in -2e12..2e12f64, units in 1..1_000_000_000_u64,
        ) {
            let grid = Grid::choose(bound, units).unwrap();
            let back = grid.value(grid.quantise(value).into());
            prop_assert!(back.abs() <= value.abs());
            prop_assert!(grid.value(grid.bound().into()) >= bound);
            if value.abs() <= bound {
                prop_assert!((value - back).abs() < grid.step());
            }
        }
    }
}
