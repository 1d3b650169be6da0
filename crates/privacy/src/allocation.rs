//! One job's ρ over all its aggregates.
//!
//! The aggregates of a job are one vector with one charge. Each aggregate's weight is the inverse of its
//! declared bound, so that each contributes an equal share to the joint sensitivity: in the relative vector
//! every cell at its bound counts 1. With C groups and k aggregates its squared norm S² is at most C · k
//! ([`crate::clip`]). The noise of an aggregate with bound B is σ = B · S / √(2ρ); by [`crate::mechanism`]
//! the whole answer then costs ρ, and ρ once: a second aggregate costs accuracy (√2), not budget.

use crate::accuracy::{Z95, half_width_95};
use crate::bounds::{BoundsError, Grid};
use crate::clip::JointClip;
use crate::cost::Rho;
use crate::mechanism::{NoiseError, NoiseSource, RELATIVE_BITS, Scale};

/// The most that one unit can contribute to one cell of an aggregate, in the aggregate's own unit of measure:
/// for COUNT(DISTINCT unit) 1, for COUNT(*) the rows per unit, for SUM the rows per unit times the row's
/// [sensitivity](crate::bounds::Interval::sensitivity) or a smaller clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AggregateBound(pub f64);

/// A job for which no noise can be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A bound, the number of units or of cells.
    #[error(transparent)]
    Bounds(#[from] BoundsError),
    /// The cost.
    #[error(transparent)]
    Noise(#[from] NoiseError),
}

/// Grids, clip and noise of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JointPlan {
    aggregates: Vec<(Grid, Scale)>,
    clip: JointClip,
    max_units: u64,
}

impl JointPlan {
    /// Plans the noise for `aggregates`, where a unit contributes to at most `max_groups` groups and at most
    /// `max_units` units are declared, at a cost of `rho`.
    ///
    /// # Errors
    /// [`PlanError`] naming what cannot be.
    pub fn new(
        aggregates: &[AggregateBound],
        max_groups: u32,
        max_units: u64,
        rho: Rho,
    ) -> Result<Self, PlanError> {
        let grids = Self::grids(aggregates, max_units)?;
        let clip = JointClip::new(&grids, max_groups)?;
        Self::with_clip(grids, clip, max_units, rho)
    }

    /// As [`JointPlan::new`], with the norm of a unit's relative vector clipped to `norm`: less noise, at the
    /// price of bias for units that contribute much to many cells.
    ///
    /// # Errors
    /// As [`JointPlan::new`].
    pub fn with_norm(
        aggregates: &[AggregateBound],
        max_groups: u32,
        max_units: u64,
        norm: f64,
        rho: Rho,
    ) -> Result<Self, PlanError> {
        let grids = Self::grids(aggregates, max_units)?;
        let clip = JointClip::new(&grids, max_groups)?.with_norm(norm)?;
        Self::with_clip(grids, clip, max_units, rho)
    }

    fn grids(aggregates: &[AggregateBound], max_units: u64) -> Result<Vec<Grid>, BoundsError> {
        aggregates
            .iter()
            .map(|bound| Grid::choose(bound.0, max_units))
            .collect()
    }

    fn with_clip(grids: Vec<Grid>, clip: JointClip, max_units: u64, rho: Rho) -> Result<Self, PlanError> {
        let scale = |grid: Grid| {
            Ok((
                grid,
                Scale::calibrate_relative(grid.bound(), clip.relative_squared(), rho)?,
            ))
        };
        let aggregates = grids.into_iter().map(scale).collect::<Result<_, NoiseError>>()?;
        Ok(Self {
            aggregates,
            clip,
            max_units,
        })
    }

    /// The clip that the bounding operator applies to each unit.
    #[must_use]
    pub const fn clip(&self) -> &JointClip {
        &self.clip
    }

    /// The joint L2 sensitivity, in which 1 is one cell at its bound: √(C · k), or the norm that was asked
    /// for.
    #[must_use]
    pub fn relative_sensitivity(&self) -> f64 {
        (self.clip.relative_squared() as f64 * 2f64.powi(-(RELATIVE_BITS as i32))).sqrt()
    }

    /// The grid of an aggregate, `None` beyond the last.
    #[must_use]
    pub fn grid(&self, aggregate: usize) -> Option<Grid> {
        self.aggregates.get(aggregate).map(|(grid, _)| *grid)
    }

    /// The noise scale of an aggregate in grid units, `None` beyond the last.
    #[must_use]
    pub fn scale(&self, aggregate: usize) -> Option<Scale> {
        self.aggregates.get(aggregate).map(|(_, scale)| *scale)
    }

    /// σ of an aggregate in its own unit of measure, `None` beyond the last.
    #[must_use]
    pub fn sigma(&self, aggregate: usize) -> Option<f64> {
        self.aggregates
            .get(aggregate)
            .map(|(grid, scale)| scale.as_f64() * grid.step())
    }

    /// The half-width of an aggregate's 95 % interval per cell in its own unit of measure: the expected error
    /// that estimates show. `None` beyond the last.
    #[must_use]
    pub fn half_width_95(&self, aggregate: usize) -> Option<f64> {
        self.aggregates
            .get(aggregate)
            .map(|(grid, scale)| grid.value(half_width_95(*scale)))
    }

    /// Adds noise to one exact cell of an aggregate, both in grid units. Call it once per cell and job, and
    /// store the answer: a second draw is a second release. A total beyond what the declared units can reach
    /// is first clamped to that, so a worker that lies cannot say more than its plan allows.
    ///
    /// # Errors
    /// [`NoiseError`]; nothing may be released then.
    pub fn noised(
        &self,
        aggregate: usize,
        exact: i128,
        noise: &mut dyn NoiseSource,
    ) -> Result<i128, NoiseError> {
        let planned = self.aggregates.get(aggregate);
        let (grid, scale) =
            planned.ok_or_else(|| NoiseError::Sampler("the plan has no such aggregate".to_owned()))?;
        let most = i128::from(grid.bound()) * i128::from(self.max_units);
        Ok(exact.clamp(-most, most) + noise.gaussian(*scale)?)
    }
}

/// The least ρ at which an aggregate's 95 % half-width is at most `half_width` (the inverse of the estimate):
/// for `aggregates` aggregates over at most `max_groups` groups, of which the one in question has `bound`.
/// `None` when no ρ in range suffices.
#[must_use]
pub fn rho_for_half_width(
    bound: AggregateBound,
    aggregates: u32,
    max_groups: u32,
    half_width: f64,
) -> Option<Rho> {
    let squared = f64::from(aggregates) * f64::from(max_groups) * bound.0 * bound.0;
    // A thousandth more covers the rounding of grids and scales.
    let sigma = half_width / (Z95 * 1.001);
    if sigma.is_nan() || sigma <= 0.0 {
        return None;
    }
    Rho::from_f64_up(squared / (2.0 * sigma * sigma))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::mechanism::ZeroNoise;

    const RHO: Rho = Rho::from_nano(4_000_000);

    fn bounds(values: &[f64]) -> Vec<AggregateBound> {
        values.iter().copied().map(AggregateBound).collect()
    }

    #[test]
    fn noise_is_proportional_to_bounds_and_root_of_cells() {
        let plan = JointPlan::new(&bounds(&[1.0, 5000.0]), 5, 1_000_000, RHO).unwrap();
        // σ = B·√(C·k / 2ρ) = √(10 / 0.008) = 35.36 for B = 1.
        assert!((plan.sigma(0).unwrap() - 35.355).abs() < 1e-3);
        assert!((plan.sigma(1).unwrap() / (5000.0 * plan.sigma(0).unwrap()) - 1.0).abs() < 1e-6);
        assert!((plan.half_width_95(0).unwrap() - 69.3).abs() < 0.01);
        assert!((plan.relative_sensitivity() - 10f64.sqrt()).abs() < 1e-9);
        let alone = JointPlan::new(&bounds(&[1.0]), 5, 1_000_000, RHO).unwrap();
        assert!((plan.sigma(0).unwrap() / alone.sigma(0).unwrap() - 2f64.sqrt()).abs() < 1e-6);
        let limited = JointPlan::with_norm(&bounds(&[1.0, 5000.0]), 5, 1_000_000, 1.0, RHO).unwrap();
        assert!((plan.sigma(0).unwrap() / limited.sigma(0).unwrap() - 10f64.sqrt()).abs() < 1e-6);
        assert_eq!(plan.sigma(2), None);
    }

    #[test]
    fn impossible_plans_are_refused() {
        let new = |values: &[f64], groups, units, rho| JointPlan::new(&bounds(values), groups, units, rho);
        assert_eq!(new(&[0.0], 5, 10, RHO), Err(BoundsError::Bound.into()));
        assert_eq!(new(&[], 5, 10, RHO), Err(BoundsError::Cells(0).into()));
        assert_eq!(
            new(&[1.0], 5, u64::MAX, RHO),
            Err(BoundsError::Units(u64::MAX).into())
        );
        assert_eq!(new(&[1.0], 5, 10, Rho::ZERO), Err(NoiseError::NoBudget.into()));
    }

    #[test]
    fn noise_off_gives_exact_integers() {
        let plan = JointPlan::new(&bounds(&[3.0]), 1, 1_000_000, RHO).unwrap();
        let grid = plan.grid(0).unwrap();
        let mut total = 0_i128;
        for rows in [1, 3, 2, 3, 7] {
            let mut cell = [grid.quantise_integer(rows)];
            plan.clip().clip(&mut cell);
            total += i128::from(cell[0]);
        }
        let released = plan.noised(0, total, &mut ZeroNoise).unwrap();
        assert_eq!(grid.value(released), 12.0, "7 rows are clipped to 3");
        let most = plan.noised(0, i128::MAX, &mut ZeroNoise).unwrap();
        assert_eq!(grid.value(most), 3e6, "three rows from each of a million units");
        assert!(plan.noised(1, 0, &mut ZeroNoise).is_err());
    }

    #[test]
    fn inverse_estimate_meets_the_wished_error() {
        for (bound, wished) in [(1.0, 50.0), (5000.0, 1e6), (0.01, 3.0)] {
            let rho = rho_for_half_width(AggregateBound(bound), 2, 5, wished).unwrap();
            let plan = JointPlan::new(&bounds(&[bound, 1.0]), 5, 1_000_000, rho).unwrap();
            let error = plan.half_width_95(0).unwrap();
            assert!(error <= wished && error > 0.99 * wished, "{error} {wished}");
        }
        assert_eq!(rho_for_half_width(AggregateBound(1.0), 1, 1, 0.0), None);
        assert_eq!(rho_for_half_width(AggregateBound(1.0), 1, 1, f64::NAN), None);
    }

    proptest! {
        /// White box: whatever a unit brings, the sums of neighbours differ by less than what the noise is
        /// for.
        #[test]
        fn neighbours_differ_by_at_most_the_charged_sensitivity(
            values in prop::collection::vec(1e-3..1e9f64, 1..4),
            groups in 1..6u32,
            rows in prop::collection::vec(prop::num::f64::ANY, 1..30),
            nano in 1_000..1_000_000_000_u64,
        ) {
            let rho = Rho::from_nano(nano);
            let plan = JointPlan::new(&bounds(&values), groups, 1_000_000, rho).unwrap();
            let mut cells: Vec<i64> = rows.iter().enumerate()
                .map(|(i, row)| plan.grid(i % values.len()).unwrap().quantise(*row)).collect();
            plan.clip().clip(&mut cells);
            // Σ (difference / σ)² ≤ 2ρ is what theorem 14 asks for.
            let sum: f64 = cells.iter().enumerate()
                .map(|(i, cell)| *cell as f64 / plan.scale(i % values.len()).unwrap().as_f64())
                .map(|deviations| deviations * deviations).sum();
            prop_assert!(sum <= 2.0 * rho.as_f64() * (1.0 + 1e-9), "{} > {}", sum, 2.0 * rho.as_f64());
        }
    }
}
