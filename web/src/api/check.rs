//! `/api/v1/checks`: special datasets' answers, for their two checkers.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::{CheckId, Verdict};
use sandbox_job::{CheckSummary, CheckedDataset, OwnVote};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::extract::{ApiJson, ApiPath};
use crate::auth::ApiCaller;
use crate::failure::Failure;
use crate::state::AppState;

/// `GET /api/v1/checks`: those that wait, soonest fixed day first; never more than a page.
pub async fn list(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
) -> Result<Json<Value>, Failure> {
    let checks = state.sandbox.list_checks(&caller.actor).await?;
    let results: Vec<Value> = checks.iter().map(summary).collect();
    Ok(Json(json!({"results": results, "next_cursor": null})))
}

/// `GET /api/v1/checks/{id}`.
pub async fn get(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<CheckId>,
) -> Result<Json<Value>, Failure> {
    let view = state.sandbox.check(&caller.actor, id).await?;
    let mut body = summary(&view.summary);
    // The first by itself, as there was one alone; others where a question has several aggregations.
    let mut answers = view.answers.into_iter();
    let first = answers.next();
    body["columns"] = json!(first.as_ref().map(|answer| &answer.columns));
    body["rows"] = json!(first.as_ref().map(|answer| &answer.rows));
    body["further"] = json!(answers.collect::<Vec<_>>());
    Ok(Json(body))
}

/// The body of a vote.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteRequest {
    /// release or withhold.
    verdict: Verdict,
    /// Why; needed to withhold.
    #[serde(default)]
    reason: String,
}

/// `POST /api/v1/checks/{id}/votes`: once, and final.
pub async fn vote(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<CheckId>,
    ApiJson(body): ApiJson<VoteRequest>,
) -> Result<Response, Failure> {
    let voted = state
        .sandbox
        .vote(&caller.actor, id, body.verdict, &body.reason)
        .await?;
    Ok((StatusCode::CREATED, Json(summary(&voted))).into_response())
}

fn summary(check: &CheckSummary) -> Value {
    let dataset = |dataset: &CheckedDataset| {
        json!({
            "id": dataset.id, "slug": dataset.slug, "title": dataset.title, "level": dataset.level,
            "unit": dataset.unit,
        })
    };
    let own = |vote: &OwnVote| {
        json!({
            "verdict": vote.verdict, "reason": vote.reason, "created_at": vote.created_at,
        })
    };
    json!({
        "id": check.id, "due_at": check.due_at,
        "datasets": check.datasets.iter().map(dataset).collect::<Vec<_>>(),
        "own_vote": check.own_vote.as_ref().map(own),
    })
}
