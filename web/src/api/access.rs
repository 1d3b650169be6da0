//! `/api/v1/access-requests`: applying for conditional data.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use model::{RequestId, RequestKind, Slug};
use review::AccessApplication;
use serde::Deserialize;

use crate::api::extract::{ApiJson, ApiPath, etag};
use crate::auth::ApiCaller;
use crate::failure::Failure;
use crate::problem::Code;
use crate::state::AppState;
use crate::told::Told;

/// The body of an application.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRequest {
    /// Slugs of the datasets.
    datasets: Vec<String>,
    /// What they are to be used for.
    purpose: String,
    /// How they, and what comes of them, are kept safe.
    safeguards: String,
    /// For how many days.
    #[serde(default)]
    days: Option<u32>,
}

/// `POST /api/v1/access-requests`.
pub async fn submit(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiJson(body): ApiJson<AccessRequest>,
) -> Result<Response, Failure> {
    let datasets = body
        .datasets
        .iter()
        .map(|slug| Slug::parse(slug).map_err(|e| Failure::new(Code::InvalidInput, e.told())))
        .collect::<Result<Vec<_>, _>>()?;
    let application = AccessApplication {
        datasets,
        purpose: body.purpose,
        safeguards: body.safeguards,
        days: body.days,
    };
    let request = state.review.submit_access(&caller.actor, &application).await?;
    let view = state.review.load(&caller.actor, request.id).await?;
    let location = format!("/api/v1/access-requests/{}", request.id);
    let headers = [
        (header::LOCATION, location),
        (header::ETAG, etag(request.revision)),
    ];
    Ok((StatusCode::CREATED, headers, Json(super::review::describe(&view))).into_response())
}

/// `GET /api/v1/access-requests/{id}`.
pub async fn get(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<RequestId>,
) -> Result<Response, Failure> {
    let view = state.review.load(&caller.actor, id).await?;
    if view.summary.kind != RequestKind::Access {
        return Err(Failure::not_found("access request"));
    }
    Ok((
        [(header::ETAG, etag(view.summary.revision))],
        Json(super::review::describe(&view)),
    )
        .into_response())
}
