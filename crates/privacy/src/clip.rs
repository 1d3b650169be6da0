//! The joint contribution of one unit, bounded in integers.
//!
//! A unit contributes to at most C groups, with k aggregates each: a vector of C · k cells. Cell values are
//! integers on the grid of their aggregate ([`crate::bounds::Grid`]), whose bound is M. The *relative* vector
//! has each value divided by its M.
//!
//! Guaranteed by [`JointClip::clip`], whatever it is given: every |value| ≤ M; at most C · k cells are not
//! zero; the squared L2 norm of the relative vector is at most [`JointClip::relative_squared`] · 2⁻¹⁰⁰.
//! Adding or removing the unit changes the sums by exactly this vector, so that is the joint sensitivity.
//!
//! Why. Without a norm limit, C · k values of relative size at most 1 have a squared norm of at most C · k.
//! With a limit L (in units of 2⁻⁵⁰): let uⱼ = ⌈2⁵⁰/Mⱼ⌉ and N = ⌈√Σ(qⱼuⱼ)²⌉. If N ≤ L the vector stays; else
//! q'ⱼ = qⱼL/N, rounded toward zero. Then Σ(q'ⱼuⱼ)² ≤ (L/N)² Σ(qⱼuⱼ)² ≤ L², and since uⱼ ≥ 2⁵⁰/Mⱼ,
//! Σ(q'ⱼ/Mⱼ)² ≤ Σ(q'ⱼuⱼ)² · 2⁻¹⁰⁰ ≤ L² · 2⁻¹⁰⁰. Nothing overflows: qⱼuⱼ ≤ 2⁵¹ as Mⱼ ≤ 2³¹, and at most 2²⁰
//! squares of that are summed in 128 bits. All in integers, so the bound holds exactly and on every machine
//! alike.

use crate::bounds::{BoundsError, Grid, MAX_GRID_BITS};
use crate::mechanism::RELATIVE_BITS;

/// Fractional bits of weights and of the limit.
const WEIGHT_BITS: u32 = RELATIVE_BITS / 2;
/// The most cells that one unit can contribute to.
pub const MAX_CELLS: u32 = 1 << 20;

/// Clips one unit's cells; made once per job, used for each unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JointClip {
    /// Bound and weight of each aggregate.
    aggregates: Vec<(i64, u128)>,
    cells: usize,
    /// In units of 2⁻⁵⁰, where the norm is limited below what C · k cells can reach.
    limit: Option<u128>,
    relative_squared: u128,
}

impl JointClip {
    /// A clip for `max_groups` groups of aggregates on these grids.
    ///
    /// # Errors
    /// [`BoundsError::Cells`] when there are no cells or more than [`MAX_CELLS`].
    pub fn new(grids: &[Grid], max_groups: u32) -> Result<Self, BoundsError> {
        let cells = (grids.len() as u64).saturating_mul(max_groups.into());
        if cells == 0 || cells > MAX_CELLS.into() {
            return Err(BoundsError::Cells(cells));
        }
        let weigh = |grid: &Grid| {
            let bound = grid.bound();
            debug_assert!((1..=1 << MAX_GRID_BITS).contains(&bound));
            (bound as i64, (1_u128 << WEIGHT_BITS).div_ceil(bound.into()))
        };
        Ok(Self {
            aggregates: grids.iter().map(weigh).collect(),
            cells: cells as usize,
            limit: None,
            relative_squared: u128::from(cells) << RELATIVE_BITS,
        })
    }

    /// The same with the norm of the relative vector limited to `norm`, in which 1 is one cell at its bound.
    /// A limit that the cells cannot reach changes nothing.
    ///
    /// # Errors
    /// [`BoundsError::Norm`] when `norm` is not a positive number.
    pub fn with_norm(mut self, norm: f64) -> Result<Self, BoundsError> {
        let scaled = norm * (1_u64 << WEIGHT_BITS) as f64;
        if scaled.is_nan() || scaled < 1.0 {
            return Err(BoundsError::Norm);
        }
        // Saturates; beyond 2⁶² no vector is clipped.
        let limit = scaled.min((1_u64 << 62) as f64) as u128;
        if limit * limit < self.relative_squared {
            self.limit = Some(limit);
            self.relative_squared = limit * limit;
        }
        Ok(self)
    }

    /// The largest squared L2 norm of a clipped relative vector, in units of 2⁻¹⁰⁰: the joint sensitivity for
    /// [`crate::mechanism::Scale::calibrate_relative`].
    #[must_use]
    pub const fn relative_squared(&self) -> u128 {
        self.relative_squared
    }

    /// Clips one unit's cells in place: group after group, in each one value per aggregate. Cells beyond the
    /// most that are allowed become zero.
    pub fn clip(&self, cells: &mut [i64]) {
        for beyond in cells.iter_mut().skip(self.cells) {
            *beyond = 0;
        }
        let mut norm_squared: u128 = 0;
        for group in cells
            .chunks_mut(self.aggregates.len())
            .take(self.cells / self.aggregates.len())
        {
            for (value, (bound, weight)) in group.iter_mut().zip(&self.aggregates) {
                *value = (*value).clamp(-bound, *bound);
                let weighted = u128::from(value.unsigned_abs()) * weight;
                norm_squared += weighted * weighted;
            }
        }
        let Some(limit) = self.limit else { return };
        if norm_squared <= limit * limit {
            return;
        }
        let mut norm = norm_squared.isqrt();
        norm += u128::from(norm * norm < norm_squared);
        for value in cells {
            // |value| ≤ 2³¹ and limit < 2⁶¹, since it is less than what the cells can reach.
            let scaled = u128::from(value.unsigned_abs()) * limit / norm;
            *value = value.signum() * scaled as i64;
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use dashu::integer::UBig;
    use proptest::prelude::*;

    use super::*;

    fn grids(bounds: &[f64]) -> Vec<Grid> {
        bounds
            .iter()
            .map(|bound| Grid::choose(*bound, 1_000_000).unwrap())
            .collect()
    }

    /// Whether Σ(qⱼ/Mⱼ)² ≤ `squared` · 2⁻¹⁰⁰, in exact rationals.
    fn within(cells: &[i64], grids: &[Grid], squared: u128) -> bool {
        let product: UBig = grids
            .iter()
            .map(|g| UBig::from(g.bound()).pow(2))
            .fold(UBig::ONE, |a, b| a * b);
        let sum = cells
            .iter()
            .zip(grids.iter().cycle())
            .fold(UBig::ZERO, |sum, (q, grid)| {
                let others = &product / UBig::from(grid.bound()).pow(2);
                sum + UBig::from(q.unsigned_abs()).pow(2) * others
            });
        (sum << RELATIVE_BITS as usize) <= product * UBig::from(squared)
    }

    #[test]
    fn what_is_within_the_bounds_is_not_touched() {
        let grids = grids(&[1.0, 500.0]);
        let full: Vec<i64> = grids.iter().cycle().take(6).map(|g| g.bound() as i64).collect();
        let clip = JointClip::new(&grids, 3).unwrap();
        assert_eq!(clip.relative_squared(), 6 << RELATIVE_BITS);
        let mut cells = full.clone();
        clip.clip(&mut cells);
        assert_eq!(cells, full);
        assert_eq!(
            clip.clone().with_norm(100.0).unwrap(),
            clip,
            "a limit out of reach"
        );
        let limited = clip.with_norm(1.5).unwrap();
        let mut small: Vec<i64> = full.iter().map(|v| v / 2).collect();
        let before = small.clone();
        limited.clip(&mut small);
        assert_eq!(small, before, "√6/2 < 1.5");
        let mut large = full.clone();
        limited.clip(&mut large);
        let ratio = large[0] as f64 / full[0] as f64;
        assert!((ratio - 1.5 / 6f64.sqrt()).abs() < 1e-6, "{ratio}");
    }

    #[test]
    fn too_many_groups_and_too_large_values_are_cut() {
        let grids = grids(&[1.0]);
        let bound = grids[0].bound() as i64;
        let clip = JointClip::new(&grids, 2).unwrap();
        let mut cells = [i64::MAX, i64::MIN, 5, bound];
        clip.clip(&mut cells);
        assert_eq!(cells, [bound, -bound, 0, 0]);
    }

    #[test]
    fn impossible_clips_are_refused() {
        let grids = grids(&[1.0]);
        assert_eq!(JointClip::new(&grids, 0), Err(BoundsError::Cells(0)));
        assert_eq!(JointClip::new(&[], 5), Err(BoundsError::Cells(0)));
        assert!(JointClip::new(&grids, MAX_CELLS + 1).is_err());
        for norm in [0.0, -1.0, f64::NAN] {
            assert_eq!(
                JointClip::new(&grids, 1).unwrap().with_norm(norm),
                Err(BoundsError::Norm),
                "{norm}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_input_passes_the_sensitivity(
            bounds in prop::collection::vec(1e-6..1e9f64, 1..5),
            groups in 1..6u32,
            norm in prop::option::of(1e-3..4.0f64),
            cells in prop::collection::vec(prop_oneof![any::<i64>(), -(1i64 << 32)..1 << 32], 0..40),
        ) {
            let grids = grids(&bounds);
            let mut clip = JointClip::new(&grids, groups).unwrap();
            if let Some(norm) = norm {
                clip = clip.with_norm(norm).unwrap();
            }
            let mut clipped = cells.clone();
            clip.clip(&mut clipped);
            prop_assert!(within(&clipped, &grids, clip.relative_squared()));
            for (i, (after, before)) in clipped.iter().zip(&cells).enumerate() {
                prop_assert!(after.unsigned_abs() <= before.unsigned_abs());
                prop_assert!(*after == 0 || after.signum() == before.signum());
                prop_assert!(after.unsigned_abs() <= grids[i % grids.len()].bound());
                prop_assert!(*after == 0 || i < groups as usize * grids.len());
            }
            let mut again = clipped.clone();
            clip.clip(&mut again);
            prop_assert!(within(&again, &grids, clip.relative_squared()));
        }
    }
}
