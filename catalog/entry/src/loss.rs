//! How much privacy was given away, and may still be: of a dataset, and of all datasets about units of its type.
//!
//! Assumed: one unit, such as a person, may be in every dataset about units of its type, and whatever was charged on
//! these was charged for it. Guaranteed: all answers from them together are ρ-zCDP for that unit up to a probability
//! δ, with the ρ and the δ of all charges added (Bun and Steinke 2016, lemma 2.3, and section 8 for δ). A job over joined
//! datasets is charged on each and so counts several times: the sums are upper bounds. ε does not add; the one shown is
//! that of the added ρ.

use db::allocation::{Cost, Lineage, UnitTypeTotal};
use identity::{Action, Actor};
use model::{Level, Slug, UnitType};
use privacy::{Delta, Epsilon, Rho};

use crate::{Catalog, EntryError};

/// An amount of privacy loss: answers that cost this ρ, and the δ of their charges, are (`epsilon`, `delta`)-differentially
/// private.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossAmount {
    /// ρ of zero-concentrated differential privacy: it adds up.
    pub rho: f64,
    /// ε by the tight conversion: it does not.
    pub epsilon: f64,
    /// The δ of the charges, and the one that the conversion takes: half of what is promised.
    pub delta: f64,
}

/// The privacy loss of a dataset in all its versions, over everyone.
#[derive(Debug, Clone, PartialEq)]
pub struct PrivacyLoss {
    /// Whom it is about.
    pub unit_type: UnitType,
    /// The length of the sliding window.
    pub window_days: i64,
    /// What was spent in its lifetime so far.
    pub spent: LossAmount,
    /// What is left in the window.
    pub left_in_window: LossAmount,
    /// What is left for life.
    pub left_for_life: LossAmount,
    /// All datasets about units of this type together; none where each row is a unit, which is in no other dataset.
    pub together: Option<UnitTypeLoss>,
}

/// The worst case for a unit that is in all datasets about units of its type: those that can be queried, or ever were,
/// and the one that is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitTypeLoss {
    /// How many datasets they are, derivatives counted with their original.
    pub datasets: u64,
    /// What was spent on them in their lifetimes so far.
    pub spent: LossAmount,
    /// What may still be spent on them within their caps for life.
    pub left: LossAmount,
    /// Both together, which is what their caps promise.
    pub worst: LossAmount,
}

impl Catalog {
    /// The privacy loss of a dataset; none if it is not queried privately: it is not of level L3, or about no units.
    ///
    /// # Errors
    /// As [`Catalog::find`]; and for others than the officers of its department, reviewers and auditors.
    pub async fn privacy_loss(&self, actor: &Actor, slug: &Slug) -> Result<Option<PrivacyLoss>, EntryError> {
        let dataset = self.load_for(actor, slug, Action::ViewLoss).await?;
        let connection = self.parts.db.read();
        let now = self.parts.clock.now();
        let lineage = db::allocation::load_lineage(connection, dataset.lineage_id, now).await?;
        let Some(unit_type) = lineage.unit_type.filter(|_| dataset.level == Some(Level::L3)) else {
            return Ok(None);
        };
        let together = match unit_type {
            UnitType::Row => None,
            _ => {
                let total = db::allocation::total_of_unit_type(connection, unit_type, lineage.id).await?;
                Some(sum(&total)?)
            }
        };
        of_lineage(&lineage, unit_type, together).map(Some)
    }
}

fn of_lineage(
    lineage: &Lineage,
    unit_type: UnitType,
    together: Option<UnitTypeLoss>,
) -> Result<PrivacyLoss, EntryError> {
    // The cap's δ is the half of the promise that is for charges; the other half is for the conversion.
    let half = lineage.lifetime_cap.delta_atto;
    let left = less(lineage.lifetime_cap, lineage.lifetime_spent);
    let in_window = Cost {
        rho_nano: left.rho_nano.min(lineage.rho_remaining_nano),
        ..left
    };
    Ok(PrivacyLoss {
        unit_type,
        window_days: lineage.window_days,
        spent: amount(lineage.lifetime_spent, half)?,
        left_in_window: amount(in_window, half)?,
        left_for_life: amount(left, half)?,
        together,
    })
}

fn sum(total: &UnitTypeTotal) -> Result<UnitTypeLoss, EntryError> {
    let half = total.least_delta_cap_atto;
    Ok(UnitTypeLoss {
        datasets: u64::try_from(total.lineages).map_err(|_| OUT_OF_RANGE)?,
        spent: amount(total.spent, half)?,
        left: amount(less(total.cap, total.spent), half)?,
        worst: amount(total.cap, half)?,
    })
}

const OUT_OF_RANGE: EntryError = EntryError::Internal("privacy loss beyond range");

const fn less(cap: Cost, spent: Cost) -> Cost {
    Cost {
        rho_nano: cap.rho_nano.saturating_sub(spent.rho_nano),
        delta_atto: cap.delta_atto.saturating_sub(spent.delta_atto),
    }
}

/// What a cost amounts to when the conversion has so much of δ, in 10⁻¹⁸.
fn amount(cost: Cost, conversion_atto: i64) -> Result<LossAmount, EntryError> {
    let units = |number: i64| u64::try_from(number).map_err(|_| OUT_OF_RANGE);
    let rho = Rho::from_nano(units(cost.rho_nano)?);
    let conversion = Delta::from_units(units(conversion_atto)?.saturating_mul(1_000));
    let charged = Delta::from_units(units(cost.delta_atto)?.saturating_mul(1_000));
    let epsilon = privacy::conversion::epsilon(rho, conversion).map(Epsilon::value);
    let delta = conversion.checked_add(charged);
    Ok(LossAmount {
        rho: rho.as_f64(),
        epsilon: epsilon.ok_or(OUT_OF_RANGE)?,
        delta: delta.ok_or(OUT_OF_RANGE)?.as_f64(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use model::{LineageId, Timestamp};

    use super::*;

    /// Half of 10⁻⁹, in 10⁻¹⁸.
    const HALF: i64 = 500_000_000;

    fn cost(epsilon: f64) -> Cost {
        let cap = privacy::conversion::cap(Epsilon::new(epsilon).unwrap(), Delta::BILLIONTH);
        Cost {
            rho_nano: i64::try_from(cap.rho.nano()).unwrap(),
            delta_atto: HALF,
        }
    }

    #[test]
    fn a_dataset_that_has_spent_all_has_spent_what_it_promises() {
        let (life, window) = (cost(25.0), cost(10.0).rho_nano);
        let mut lineage = Lineage {
            id: LineageId::at(Timestamp::from_micros(0)),
            unit_type: Some(UnitType::Person),
            lifetime_cap: life,
            lifetime_spent: Cost::default(),
            rho_window_cap_nano: window,
            rho_remaining_nano: window,
            rho_reserved_nano: 0,
            window_days: 365,
            created_at: Timestamp::from_micros(0),
        };
        let close = |found: f64, want: f64| assert!((found / want - 1.0).abs() < 1e-5, "{found} {want}");
        let loss = of_lineage(&lineage, UnitType::Person, None).unwrap();
        assert!(loss.spent.rho == 0.0 && loss.spent.epsilon == 0.0);
        close(loss.left_in_window.epsilon, 10.0);
        close(loss.left_for_life.epsilon, 25.0);
        close(loss.left_for_life.delta, 1e-9);
        // Near the end the lifetime leaves less than the window.
        lineage.lifetime_spent.rho_nano = life.rho_nano - 1_000_000;
        lineage.lifetime_spent.delta_atto = HALF;
        let loss = of_lineage(&lineage, UnitType::Person, None).unwrap();
        close(loss.left_in_window.rho, 0.001);
        close(loss.spent.rho + loss.left_for_life.rho, 5.082_19);
        close(loss.spent.delta, 1e-9);
    }

    #[test]
    fn losses_add_in_rho_and_not_in_epsilon() {
        let one = cost(25.0);
        let total = UnitTypeTotal {
            lineages: 3,
            spent: Cost {
                rho_nano: cost(2.0).rho_nano,
                delta_atto: 7,
            },
            cap: Cost {
                rho_nano: 3 * one.rho_nano,
                delta_atto: 2 * HALF + HALF / 10,
            },
            least_delta_cap_atto: HALF / 10,
        };
        let sum = sum(&total).unwrap();
        assert_eq!(sum.datasets, 3);
        assert!((sum.spent.rho + sum.left.rho - sum.worst.rho).abs() < 1e-9);
        assert!(
            sum.spent.epsilon + sum.left.epsilon > sum.worst.epsilon,
            "{sum:?}"
        );
        // Three times 25 is not 75: ρ = 3 · 5.08219 at δ = 5·10⁻¹¹ computed apart by a scan of 35,000 orders.
        assert!((sum.worst.epsilon / 52.036 - 1.0).abs() < 1e-3, "{sum:?}");
        // A smaller δ among them makes the ε of the same ρ larger.
        let alone = amount(total.spent, HALF).unwrap();
        assert!(sum.spent.epsilon > alone.epsilon);
        // 10⁻¹⁰ / 2 for the conversion, and half of 10⁻⁹, 10⁻⁹ and 10⁻¹⁰ for the charges.
        assert!((sum.worst.delta / 1.1e-9 - 1.0).abs() < 1e-6, "{sum:?}");
    }
}
