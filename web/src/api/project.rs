//! `/api/v1/projects`: datasets, budget, jobs.

use axum::Json;
use axum::extract::State;
use model::ProjectId;
use sandbox_job::{Budget, ProjectView};
use serde_json::{Value, json};

use crate::api::extract::{ApiPath, ApiQuery};
use crate::api::version::ListParameters;
use crate::auth::ApiCaller;
use crate::cursor;
use crate::failure::Failure;
use crate::state::AppState;

/// `GET /api/v1/projects`.
pub async fn list(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiQuery(parameters): ApiQuery<ListParameters>,
) -> Result<Json<Value>, Failure> {
    let limit = parameters.limit()?;
    let before = parameters
        .cursor
        .as_deref()
        .map(|c| cursor::read(&state.cursor_key, "projects", c))
        .transpose()?;
    let found = state
        .sandbox
        .list_projects(&caller.actor, before, limit + 1)
        .await;
    let found = found?;
    let more = found.len() as u64 > limit;
    let shown: Vec<_> = found
        .into_iter()
        .take(usize::try_from(limit).unwrap_or(100))
        .collect();
    let next = match shown.last() {
        Some(last) if more => Some(cursor::write(&state.cursor_key, "projects", &last.id)?),
        _ => None,
    };
    let results: Vec<Value> = shown
        .iter()
        .map(|project| {
            json!({
                "id": project.id, "purpose": project.purpose, "active": project.active,
                "created_at": project.created_at, "expires_at": project.expires_at,
            })
        })
        .collect();
    Ok(Json(json!({"results": results, "next_cursor": next})))
}

/// `GET /api/v1/projects/{id}`.
pub async fn get(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<ProjectId>,
) -> Result<Json<Value>, Failure> {
    let view = state.sandbox.project(&caller.actor, id).await?;
    let jobs = state.sandbox.list_jobs(&caller.actor, id, None, 20).await?;
    let mut value = describe(&view);
    value["jobs"] = json!(jobs.iter().map(super::job::describe).collect::<Vec<_>>());
    Ok(Json(value))
}

fn describe(view: &ProjectView) -> Value {
    let project = &view.project;
    json!({
        "id": project.id, "request": project.request_id, "purpose": project.purpose, "active": project.active,
        "created_at": project.created_at, "expires_at": project.expires_at,
        "datasets": view.budgets.iter().map(budget).collect::<Vec<_>>(),
    })
}

/// What is left of a budget: ρ is what is counted, ε what people speak of.
pub fn budget(budget: &Budget) -> Value {
    let epsilons = budget.epsilons();
    json!({
        "dataset": budget.dataset.slug, "level": budget.dataset.level, "sql_name": budget.dataset.slug.sql_name(),
        "budget": budget.allocation.as_ref().map(|allocation| json!({
            "rho_cap": nano(allocation.cap.rho_nano),
            "rho_left": nano(allocation.remaining.rho_nano),
            "rho_spent": nano(allocation.cap.rho_nano - allocation.remaining.rho_nano),
            "epsilon_cap": epsilons.map(|(cap, _)| cap),
            "epsilon_left": epsilons.map(|(_, left)| left),
            "window_days": allocation.window_days,
        })),
    })
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn nano(nano: i64) -> f64 {
    nano as f64 / 1e9
}
