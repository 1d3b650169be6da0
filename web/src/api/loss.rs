//! `GET /api/v1/datasets/{slug}/privacy-loss`: for those who answer for a dataset, decide on it, or watch over both.

use axum::Json;
use axum::extract::State;
use catalog_entry::{LossAmount, PrivacyLoss, UnitTypeLoss};
use model::Slug;
use serde_json::{Value, json};

use crate::api::extract::ApiPath;
use crate::auth::ApiCaller;
use crate::failure::Failure;
use crate::state::AppState;

/// `GET /api/v1/datasets/{slug}/privacy-loss`.
pub async fn get(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(slug): ApiPath<Slug>,
) -> Result<Json<Value>, Failure> {
    let loss = state.catalog.privacy_loss(&caller.actor, &slug).await?;
    Ok(Json(
        json!({"dataset": slug, "privacy_loss": loss.as_ref().map(describe)}),
    ))
}

fn describe(loss: &PrivacyLoss) -> Value {
    json!({
        "unit_type": loss.unit_type, "window_days": loss.window_days, "spent": amount(loss.spent),
        "left_in_window": amount(loss.left_in_window), "left_for_life": amount(loss.left_for_life),
        "together": loss.together.as_ref().map(together),
    })
}

fn together(sum: &UnitTypeLoss) -> Value {
    json!({
        "datasets": sum.datasets, "spent": amount(sum.spent), "left": amount(sum.left), "worst": amount(sum.worst),
    })
}

fn amount(amount: LossAmount) -> Value {
    json!({"rho": amount.rho, "epsilon": amount.epsilon, "delta": amount.delta})
}
