//! What a job costs.

use db::allocation::Cost as Charged;
use model::BudgetPolicy;
use privacy::{Cost, Delta, Epsilon, Rho};
use sandbox_plan::PrivatePlan;
use serde::{Deserialize, Serialize};

use crate::{EpsilonRule, JobError};

/// How many thresholds the δ that a dataset promises would pay for. Half of it is there for charges: 500 jobs with
/// undeclared cells, which is more than ρ pays for.
const THRESHOLDS: u64 = 1_000;

/// The price of a job: ε as it was asked for, and the (ρ, δ) that is charged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JobCost {
    /// The ε asked for: a display, at the lineage's δ.
    pub epsilon: f64,
    /// ρ of zero-concentrated differential privacy that is charged, in 10⁻⁹.
    pub rho_nano: i64,
    /// ρ that the same answer had cost this project before, in 10⁻⁹: the job pays what it lacks of the ε asked for.
    #[serde(default)]
    pub paid_nano: i64,
    /// δ, in 10⁻¹⁸: the odds that two units share a keyed hash, and of undeclared cells that one with few units is shown.
    pub delta_atto: i64,
    /// Of these, what the thresholds of undeclared cells may take together, in 10⁻²¹; 0 where all cells are declared.
    #[serde(default)]
    pub threshold_delta: u64,
}

impl JobCost {
    /// The price of a job of this ε for a plan: the ρ of the dataset with the most units, whose δ is the least; the odds that
    /// two of the units of all its datasets share a keyed hash; and of cells that are found, the δ of their thresholds.
    ///
    /// # Errors
    /// [`JobError::Invalid`] if ε is not above 0 and within the policy.
    pub(crate) fn of(epsilon: f64, plan: &PrivatePlan, policy: &BudgetPolicy) -> Result<Self, JobError> {
        let open = plan.open_parts() > 0;
        Self::over(epsilon, plan.most_units(), plan.all_units(), open, policy)
    }

    pub(crate) fn over(
        epsilon: f64,
        most_units: u64,
        all_units: u64,
        open: bool,
        policy: &BudgetPolicy,
    ) -> Result<Self, JobError> {
        let most = policy.job_epsilon;
        if !(epsilon > 0.0 && epsilon <= most) {
            return Err(EpsilonRule::Range { most, got: epsilon }.into());
        }
        let wanted = Epsilon::new(epsilon).ok_or(EpsilonRule::Range { most, got: epsilon })?;
        // The promised δ pays for the conversion and for the charge's own δ: `cap` splits it.
        let rho = privacy::conversion::cap(wanted, Delta::promise(most_units)).rho;
        if rho.nano() == 0 {
            return Err(EpsilonRule::TooSmall(epsilon).into());
        }
        let threshold = if open {
            Delta::from_units(Delta::promise(most_units).units() / THRESHOLDS)
        } else {
            Delta::ZERO
        };
        let delta = Delta::collision(all_units).checked_add(threshold);
        let cost = Cost::new(rho, delta.ok_or(JobError::Internal("cost beyond range"))?);
        let whole = |n: u64| i64::try_from(n).map_err(|_| JobError::Internal("cost beyond range"));
        Ok(Self {
            epsilon,
            rho_nano: whole(cost.rho.nano())?,
            paid_nano: 0,
            // The database counts δ in 10⁻¹⁸; charges are rounded up.
            delta_atto: whole(cost.delta.units().div_ceil(1_000))?,
            threshold_delta: threshold.units(),
        })
    }

    /// The price of what an answer lacks that has cost so much ρ; none if it lacks nothing.
    ///
    /// Answer and addition together are ρ-zCDP for the sum (Bun and Steinke 2016, lemma 2.3). The odds of a collision are
    /// those of one and the same hash of the version's keys, and have been charged.
    pub(crate) const fn beyond(self, paid_nano: i64) -> Option<Self> {
        if paid_nano >= self.rho_nano {
            return None;
        }
        Some(Self {
            rho_nano: self.rho_nano - paid_nano,
            paid_nano,
            delta_atto: 0,
            ..self
        })
    }

    /// ρ as noise is calibrated to it: what is charged.
    pub(crate) fn drawn_rho(&self) -> Rho {
        Rho::from_nano(u64::try_from(self.rho_nano).unwrap_or(0))
    }

    /// ρ that the answer is worth, with what it topped up.
    pub(crate) fn answer_rho(&self) -> Rho {
        Rho::from_nano(u64::try_from(self.answer_nano()).unwrap_or(0))
    }

    /// The same in 10⁻⁹.
    pub(crate) const fn answer_nano(&self) -> i64 {
        self.rho_nano + self.paid_nano
    }

    /// The ρ that is charged, as a fraction.
    pub fn rho(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let nano = self.rho_nano as f64;
        nano / 1e9
    }

    /// The ρ that the project had paid for the same answer before, as a fraction.
    pub fn rho_paid_before(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let nano = self.paid_nano as f64;
        nano / 1e9
    }

    /// As the database charges it.
    pub(crate) const fn charged(&self) -> Charged {
        Charged {
            rho_nano: self.rho_nano,
            delta_atto: self.delta_atto,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const UNITS: u64 = 200_000;

    #[test]
    fn half_an_epsilon_is_about_four_thousandths_rho() {
        let cost = JobCost::over(0.5, UNITS, UNITS, false, &BudgetPolicy::default()).unwrap();
        assert!((0.0036..0.0040).contains(&cost.rho()), "{cost:?}");
        assert!((1..100_000).contains(&cost.delta_atto), "{cost:?}");
    }

    #[test]
    fn a_join_pays_for_collisions_of_all_its_units() {
        let cost = |all| {
            let cost = JobCost::over(0.5, UNITS, all, false, &BudgetPolicy::default()).unwrap();
            cost.delta_atto
        };
        // n/2⁶⁴, in 10⁻¹⁸ and rounded up.
        assert_eq!((cost(UNITS), cost(3 * UNITS)), (11_000, 33_000));
    }

    #[test]
    fn an_epsilon_without_meaning_or_over_the_policy_is_refused() {
        for bad in [0.0, -1.0, 0.500_1, f64::NAN, f64::INFINITY, 1e-12] {
            let error = JobCost::over(bad, UNITS, UNITS, false, &BudgetPolicy::default()).unwrap_err();
            assert!(error.to_string().contains("epsilon"), "{error}");
        }
    }
}
