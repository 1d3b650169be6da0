//! What a job costs.

use db::allocation::Cost as Charged;
use model::{BudgetPolicy, UnitDeclaration};
use privacy::{Cost, Delta, Epsilon, Rho};
use serde::{Deserialize, Serialize};

use crate::{EpsilonRule, JobError};

/// The price of a job: ε as it was asked for, and the (ρ, δ) that is charged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JobCost {
    /// The ε asked for: a display, at the lineage's δ.
    pub epsilon: f64,
    /// ρ of zero-concentrated differential privacy, in 10⁻⁹.
    pub rho_nano: i64,
    /// δ, in 10⁻¹⁸: the odds that two units share a keyed hash.
    pub delta_atto: i64,
}

impl JobCost {
    /// The price of a job of this ε over a dataset with this unit.
    ///
    /// # Errors
    /// [`JobError::Invalid`] if ε is not above 0 and within the policy.
    pub(crate) fn of(epsilon: f64, unit: &UnitDeclaration, policy: &BudgetPolicy) -> Result<Self, JobError> {
        let most = policy.job_epsilon;
        if !(epsilon > 0.0 && epsilon <= most) {
            return Err(EpsilonRule::Range { most, got: epsilon }.into());
        }
        let wanted = Epsilon::new(epsilon).ok_or(EpsilonRule::Range { most, got: epsilon })?;
        // The promised δ pays for the conversion and for the charge's own δ: `cap` splits it.
        let rho = privacy::conversion::cap(wanted, Delta::promise(unit.max_units)).rho;
        if rho.nano() == 0 {
            return Err(EpsilonRule::TooSmall(epsilon).into());
        }
        let cost = Cost::new(rho, Delta::collision(unit.max_units));
        let whole = |n: u64| i64::try_from(n).map_err(|_| JobError::Internal("cost beyond range"));
        Ok(Self {
            epsilon,
            rho_nano: whole(cost.rho.nano())?,
            // The database counts δ in 10⁻¹⁸; charges are rounded up.
            delta_atto: whole(cost.delta.units().div_ceil(1_000))?,
        })
    }

    /// ρ as noise is calibrated to it.
    pub(crate) fn exact_rho(&self) -> Rho {
        Rho::from_nano(u64::try_from(self.rho_nano).unwrap_or(0))
    }

    /// ρ as a fraction.
    pub fn rho(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let nano = self.rho_nano as f64;
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
    use model::UnitType;

    use super::*;

    fn unit() -> UnitDeclaration {
        UnitDeclaration {
            unit_type: UnitType::Person,
            max_units: 200_000,
            max_rows: 2_000_000,
            max_rows_per_unit: 100,
        }
    }

    #[test]
    fn half_an_epsilon_is_about_four_thousandths_rho() {
        let cost = JobCost::of(0.5, &unit(), &BudgetPolicy::default()).unwrap();
        assert!((0.0036..0.0040).contains(&cost.rho()), "{cost:?}");
        assert!((1..100_000).contains(&cost.delta_atto), "{cost:?}");
    }

    #[test]
    fn an_epsilon_without_meaning_or_over_the_policy_is_refused() {
        for bad in [0.0, -1.0, 0.500_1, f64::NAN, f64::INFINITY, 1e-12] {
            let error = JobCost::of(bad, &unit(), &BudgetPolicy::default()).unwrap_err();
            assert!(error.to_string().contains("epsilon"), "{error}");
        }
    }
}
