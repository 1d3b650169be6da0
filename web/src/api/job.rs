//! Jobs: estimates, submission, state, result.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use db::usage::UsageKind;
use http::{HeaderMap, StatusCode, header};
use model::{JobId, JobKind, JobState, ProjectId};
use sandbox_job::{Estimate, JobCost, JobError, JobView, Precision, Price};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::extract::{ApiJson, ApiPath, ApiQuery};
use crate::api::version::ListParameters;
use crate::auth::ApiCaller;
use crate::cursor;
use crate::failure::{self, Failure};
use crate::language::RequestLanguage;
use crate::problem::Code;
use crate::state::AppState;

/// The body of a job or an estimate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// sql; WASM jobs come as a form.
    kind: JobKind,
    /// One `SELECT` over a dataset of the project.
    sql: String,
    /// What it may cost.
    epsilon: f64,
}

/// What an estimate is asked for: as a job, or with a precision instead of `epsilon`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstimateRequest {
    /// sql.
    kind: JobKind,
    /// One `SELECT` over a dataset of the project.
    sql: String,
    /// What it may cost.
    epsilon: Option<f64>,
    /// How exact it must be: the least ε is found.
    precision: Option<PrecisionRequest>,
}

/// A precision: `half_width`, or `percent` `of` an expected value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrecisionRequest {
    /// Which column; not needed where there is one figure.
    column: Option<String>,
    /// Half the width of the 95 % interval.
    half_width: Option<f64>,
    /// The same as a share of `of`, in percent.
    percent: Option<f64>,
    /// A value that the analyst expects, since the true one is told by nothing beforehand.
    of: Option<f64>,
}

impl EstimateRequest {
    fn price(&self) -> Result<Price, Failure> {
        let one_of = || Failure::say(Code::InvalidInput, "why-epsilon-or-precision");
        let precision = match (self.epsilon, &self.precision) {
            (Some(epsilon), None) => return Ok(Price::Epsilon(epsilon)),
            (None, Some(precision)) => precision,
            _ => return Err(one_of()),
        };
        let half_width = match (precision.half_width, precision.percent, precision.of) {
            (Some(half_width), None, None) => half_width,
            (None, Some(percent), Some(of)) => (percent / 100.0 * of).abs(),
            _ => return Err(Failure::say(Code::InvalidInput, "why-precision-form")),
        };
        Ok(Price::Precision(Precision {
            column: precision.column.clone(),
            half_width,
            relative: precision.percent.is_some(),
        }))
    }
}

fn sql_only(kind: JobKind) -> Result<(), Failure> {
    match kind {
        JobKind::Sql => Ok(()),
        JobKind::Wasm => Err(Failure::say(Code::InvalidInput, "why-wasm")),
    }
}

/// `POST /api/v1/projects/{id}/estimates`: data untouched, nothing charged.
pub async fn estimate(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    RequestLanguage(language): RequestLanguage,
    ApiPath(project): ApiPath<ProjectId>,
    ApiJson(body): ApiJson<EstimateRequest>,
) -> Result<Json<Value>, Failure> {
    sql_only(body.kind)?;
    let price = body.price()?;
    match state
        .sandbox
        .estimate(&caller.actor, project, &body.sql, &price)
        .await
    {
        Ok(estimate) => Ok(Json(describe_estimate(&estimate))),
        Err(JobError::Refused(refused)) => {
            let problem = failure::refusal(&refused);
            Ok(Json(json!({
                "verdict": "refused", "rule": problem.rule, "detail": problem.detail_text(language),
                "span": problem.span, "hint": problem.hint_text(language), "cost": null, "expected_error": null, "budget_after": null,
                "budgets_after": null, "due_in_s": null,
            })))
        }
        Err(error) => Err(Failure::from(error)),
    }
}

fn describe_estimate(estimate: &Estimate) -> Value {
    let (after, first) = (estimate.budgets_after.as_ref(), estimate.parts.first());
    json!({
        "verdict": "accepted", "rule": null,
        "cost": cost(&estimate.cost), "questions_left": estimate.questions_left,
        "cells": estimate.cells(), "groups_per_unit": first.map(|part| part.groups_per_unit),
        "rows_per_unit": first.map(|part| part.rows_per_unit), "bounding": first.map(|part| part.bounding),
        "parts": estimate.parts, "about": estimate.about,
        "expected_error": estimate.expected_error,
        "budget_after": after.and_then(|budgets| budgets.first()).map(super::project::budget),
        "budgets_after": after.map(|budgets| budgets.iter().map(super::project::budget).collect::<Vec<_>>()),
        "sufficient": after.is_some(),
        "already_paid": estimate.already_paid,
        "due_in_s": estimate.due_in.as_secs_f64(),
        "checked_until": estimate.checked_until,
    })
}

/// `POST /api/v1/projects/{id}/jobs`.
pub async fn submit(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(project): ApiPath<ProjectId>,
    ApiJson(body): ApiJson<JobRequest>,
) -> Result<Response, Failure> {
    sql_only(body.kind)?;
    let job = state
        .sandbox
        .submit(&caller.actor, project, &body.sql, body.epsilon)
        .await;
    let job = job?;
    state.usage.count(UsageKind::Job, "sandbox");
    let location = format!("/api/v1/jobs/{}", job.job.id);
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        Json(describe(&job)),
    )
        .into_response())
}

/// `GET /api/v1/projects/{id}/jobs`.
pub async fn list(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(project): ApiPath<ProjectId>,
    ApiQuery(parameters): ApiQuery<ListParameters>,
) -> Result<Json<Value>, Failure> {
    let limit = parameters.limit()?;
    let name = format!("jobs/{project}");
    let before = parameters
        .cursor
        .as_deref()
        .map(|c| cursor::read(&state.cursor_key, &name, c))
        .transpose()?;
    let found = state
        .sandbox
        .list_jobs(&caller.actor, project, before, limit + 1)
        .await;
    let found = found?;
    let more = found.len() as u64 > limit;
    let shown: Vec<_> = found
        .into_iter()
        .take(usize::try_from(limit).unwrap_or(100))
        .collect();
    let next = match shown.last() {
        Some(last) if more => Some(cursor::write(&state.cursor_key, &name, &last.job.id)?),
        _ => None,
    };
    let results: Vec<Value> = shown.iter().map(describe).collect();
    Ok(Json(json!({"results": results, "next_cursor": next})))
}

/// `GET /api/v1/jobs/{id}`.
pub async fn get(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<JobId>,
) -> Result<Json<Value>, Failure> {
    let job = state.sandbox.job(&caller.actor, id).await?;
    let mut body = describe(&job);
    body["withheld_because"] = match job.job.state {
        JobState::Withheld => json!(state.sandbox.withheld_because(&caller.actor, id).await?),
        _ => Value::Null,
    };
    Ok(Json(body))
}

/// A price as JSON.
pub fn cost(cost: &JobCost) -> Value {
    json!({"epsilon": cost.epsilon, "rho": cost.rho(), "rho_paid_before": cost.rho_paid_before()})
}

/// A job as JSON. Nothing in it depends on data.
pub fn describe(view: &JobView) -> Value {
    let job = &view.job;
    json!({
        "id": job.id, "project": job.project_id, "kind": job.kind, "state": job.state, "sql": job.sql,
        "cost": cost(&view.cost),
        "repeat_of": job.reuse_of, "tops_up": job.tops_up, "created_at": job.created_at, "due_at": job.due_at,
        "checked": job.due_at != job.answer_due_at,
    })
}

/// `GET /api/v1/jobs/{id}/result`, as JSON or CSV.
pub async fn result(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<JobId>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (answer, receipt) = state.sandbox.result(&caller.actor, id).await?;
    let csv = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.trim_start().starts_with("text/csv"));
    if csv {
        let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
        return Ok((kind, answer.to_csv()).into_response());
    }
    let body = json!({
        "columns": answer.columns, "rows": answer.rows, "parts": answer.parts, "receipt": receipt,
    });
    Ok(Json(body).into_response())
}
