//! Privacy losses as pages show them.

use catalog_entry::{LossAmount, PrivacyLoss};
use model::Slug;

use super::visit::Visit;
use crate::failure::Failure;
use crate::page::loss::{self, DatasetLoss, Losses, UnitTypeLoss};

/// The losses of some datasets, each with its title, and those of their unit types; only for those who may see them.
pub(super) async fn losses(visit: &Visit, datasets: &[(Slug, String)]) -> Result<Losses, Failure> {
    let mut losses = Losses::default();
    for (slug, title) in datasets {
        let found = visit.state.catalog.privacy_loss(visit.actor(), slug).await?;
        if let Some(loss) = found {
            add(&mut losses, title, &loss);
        }
    }
    Ok(losses)
}

fn add(losses: &mut Losses, title: &str, loss: &PrivacyLoss) {
    losses.datasets.push(DatasetLoss {
        title: title.to_owned(),
        window_days: loss.window_days,
        spent: amount(loss.spent),
        left_in_window: amount(loss.left_in_window),
        left_for_life: amount(loss.left_for_life),
    });
    let listed = losses
        .unit_types
        .iter()
        .any(|sum| sum.unit_type == loss.unit_type);
    if let (Some(sum), false) = (&loss.together, listed) {
        losses.unit_types.push(UnitTypeLoss {
            unit_type: loss.unit_type,
            datasets: sum.datasets,
            spent: amount(sum.spent),
            left: amount(sum.left),
            worst: amount(sum.worst),
        });
    }
}

const fn amount(amount: LossAmount) -> loss::LossAmount {
    loss::LossAmount {
        rho: amount.rho,
        epsilon: amount.epsilon,
        delta: amount.delta,
    }
}
