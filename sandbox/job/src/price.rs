//! What an analyst offers for an answer: an ε, or the precision that it must have.

use model::BudgetPolicy;
use privacy::{Delta, Rho};
use sandbox_plan::PrivatePlan;

use crate::expected::expected_errors;
use crate::{EpsilonRule, JobError};

/// Prices are told and asked for in steps of a ten-thousandth ε, rounded up.
const STEPS: f64 = 10_000.0;

/// What a job may cost.
#[derive(Debug, Clone, PartialEq)]
pub enum Price {
    /// This ε.
    Epsilon(f64),
    /// The smallest with this precision.
    Precision(Precision),
}

/// How exact a column of the answer must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Precision {
    /// Which column; not needed where the answer has a single figure, or a single total or mean.
    pub column: Option<String>,
    /// Half the width of the 95 % interval of a cell, in units of the column. Of a mean it is meant for a cell of as many
    /// rows as its expected error is told for ([`crate::AggregateError::at_rows`]); of a quantile, in rows.
    pub half_width: f64,
    /// Whether it was told as a share of an expected value, which means nothing for ranks.
    pub relative: bool,
}

impl Price {
    /// The ε that is offered for this plan over datasets of which none declares more than so many units.
    ///
    /// # Errors
    /// [`EpsilonRule`] for a column or width without meaning, or a precision that no job of this policy has.
    pub(crate) fn epsilon(&self, plan: &PrivatePlan, policy: &BudgetPolicy) -> Result<f64, JobError> {
        match self {
            Self::Epsilon(epsilon) => Ok(*epsilon),
            Self::Precision(precision) => Ok(precision.epsilon(plan, policy)?),
        }
    }
}

impl Precision {
    /// The noise's variance is as 1/ρ: of the width at ρ = 1, w₁, the width w needs ρ = (w₁/w)².
    fn epsilon(&self, plan: &PrivatePlan, policy: &BudgetPolicy) -> Result<f64, EpsilonRule> {
        if !(self.half_width > 0.0 && self.half_width.is_finite()) {
            return Err(EpsilonRule::HalfWidth(self.half_width));
        }
        let at_one = expected_errors(plan, 1.0);
        let plain: Vec<_> = at_one.iter().filter(|figure| figure.is_plain()).collect();
        let figure = match (&self.column, at_one.as_slice(), plain.as_slice()) {
            (None, [only], _) => Some(only),
            (None, _, [only]) => Some(*only),
            (None, _, _) => None,
            (Some(name), figures, _) => figures.iter().find(|figure| figure.column == *name),
        };
        let figure = figure.ok_or_else(|| EpsilonRule::Column {
            figures: at_one.iter().map(|figure| figure.column.clone()).collect(),
        })?;
        if figure.in_ranks && self.relative {
            return Err(EpsilonRule::Ranks {
                column: figure.column.clone(),
            });
        }
        let rho = (figure.half_width95 / self.half_width).powi(2);
        let most = policy.job_epsilon;
        let unreachable = || EpsilonRule::Precision {
            half_width: self.half_width,
            in_ranks: figure.in_ranks,
            most,
            best: expected_errors(plan, cap(most, plan).map_or(0.0, Rho::as_f64))
                .into_iter()
                .find(|best| best.column == figure.column)
                .map_or(f64::INFINITY, |best| best.half_width95),
        };
        let needed = Rho::from_f64_up(rho).ok_or_else(unreachable)?;
        let half = Delta::from_units(Delta::promise(plan.most_units()).units() / 2);
        let least = privacy::conversion::epsilon(needed, half).ok_or_else(unreachable)?;
        let mut steps = (least.value() * STEPS).ceil().max(1.0);
        // The conversion is known to nine digits: a step more than what it says is always enough.
        if cap(steps / STEPS, plan).is_none_or(|rho| rho < needed) {
            steps += 1.0;
        }
        let epsilon = steps / STEPS;
        if epsilon > most {
            return Err(unreachable());
        }
        Ok(epsilon)
    }
}

/// ρ that a job of this ε is charged.
fn cap(epsilon: f64, plan: &PrivatePlan) -> Option<Rho> {
    let epsilon = privacy::Epsilon::new(epsilon)?;
    Some(privacy::conversion::cap(epsilon, Delta::promise(plan.most_units())).rho)
}
