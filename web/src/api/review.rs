//! `/api/v1/reviews` and release requests: asking, advising, deciding.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use model::{Decision, Opinion, RequestId, RequestKind, RequestState, Slug};
use review::{BudgetGrant, RequestFilter, RequestSummary, RequestText, RequestView, ReviewError};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::extract::{ApiJson, ApiPath, ApiQuery, etag, if_match, stale_is_precondition};
use crate::auth::ApiCaller;
use crate::cursor;
use crate::failure::Failure;
use crate::problem::Code;
use crate::state::AppState;
use crate::told::say;

/// The body of a release request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// What the reviewers should know.
    #[serde(default)]
    note: String,
}

/// `POST /api/v1/datasets/{slug}/release-requests`.
pub async fn submit_release(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(slug): ApiPath<Slug>,
    ApiJson(body): ApiJson<ReleaseRequest>,
) -> Result<Response, Failure> {
    let request = state
        .review
        .submit_release(&caller.actor, &slug, &body.note)
        .await?;
    let location = format!("/api/v1/reviews/{}", request.id);
    let headers = [
        (header::LOCATION, location),
        (header::ETAG, etag(request.revision)),
    ];
    let body = json!({
        "id": request.id, "state": request.state, "deadline": request.deadline, "revision": request.revision,
    });
    Ok((StatusCode::CREATED, headers, Json(body)).into_response())
}

/// Parameters of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    /// `open`, or states separated by commas; all if not given.
    #[serde(default)]
    state: String,
    /// release or access.
    kind: Option<RequestKind>,
    /// Where the list goes on.
    cursor: Option<String>,
    /// 1 to 100, 20 if not given.
    limit: Option<u64>,
    /// Language, as in every address.
    #[serde(default)]
    #[expect(dead_code, reason = "read by the language middleware")]
    lang: Option<String>,
}

/// `GET /api/v1/reviews`.
pub async fn list(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiQuery(parameters): ApiQuery<ListParameters>,
) -> Result<Json<Value>, Failure> {
    let limit = match parameters.limit.unwrap_or(20) {
        limit @ 1..=100 => limit,
        other => {
            return Err(super::version::bad_limit(100, other));
        }
    };
    let mut filter = if parameters.state == "open" {
        RequestFilter::open()
    } else {
        let states = parameters
            .state
            .split(',')
            .filter(|word| !word.is_empty())
            .map(|word| {
                RequestState::from_word(word).ok_or_else(|| {
                    let detail = say("why-parameter").with("name", "state").with("got", word);
                    Failure::new(Code::InvalidInput, detail)
                })
            });
        RequestFilter {
            states: states.collect::<Result<_, _>>()?,
            kind: None,
        }
    };
    filter.kind = parameters.kind;
    let name = format!("reviews/{}/{:?}", parameters.state, parameters.kind);
    let before = parameters
        .cursor
        .as_deref()
        .map(|c| cursor::read(&state.cursor_key, &name, c))
        .transpose()?;
    let found = state
        .review
        .list(&caller.actor, &filter, before, limit + 1)
        .await?;
    let more = found.len() as u64 > limit;
    let shown: Vec<_> = found
        .into_iter()
        .take(usize::try_from(limit).unwrap_or(100))
        .collect();
    let next = match shown.last() {
        Some(last) if more => Some(cursor::write(&state.cursor_key, &name, &last.id)?),
        _ => None,
    };
    let results: Vec<Value> = shown.iter().map(summary).collect();
    Ok(Json(json!({"results": results, "next_cursor": next})))
}

/// `GET /api/v1/reviews/{id}`.
pub async fn get(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<RequestId>,
) -> Result<Response, Failure> {
    let view = state.review.load(&caller.actor, id).await?;
    Ok((
        [(header::ETAG, etag(view.summary.revision))],
        Json(describe(&view)),
    )
        .into_response())
}

/// The body of an opinion.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpinionRequest {
    /// safe or unsafe.
    opinion: Opinion,
    /// Why.
    reason: String,
}

/// `POST /api/v1/reviews/{id}/opinions`, with `If-Match`.
pub async fn give_opinion(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<RequestId>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<OpinionRequest>,
) -> Result<Response, Failure> {
    let revision = if_match(&headers)?;
    let given = state
        .review
        .give_opinion(&caller.actor, id, revision, body.opinion, &body.reason)
        .await;
    let request = given.map_err(stale)?;
    let body = json!({"id": request.id, "state": request.state, "revision": request.revision});
    Ok((
        StatusCode::CREATED,
        [(header::ETAG, etag(request.revision))],
        Json(body),
    )
        .into_response())
}

/// The body of a decision.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// approve, return or reject.
    decision: Decision,
    /// Why.
    #[serde(default)]
    reason: String,
    /// What an access request may spend.
    #[serde(default)]
    budget: Option<BudgetGrant>,
}

/// `POST /api/v1/reviews/{id}/decision`, with `If-Match`.
pub async fn decide(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<RequestId>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<DecisionRequest>,
) -> Result<Response, Failure> {
    let revision = if_match(&headers)?;
    let decided = state
        .review
        .decide(
            &caller.actor,
            id,
            revision,
            body.decision,
            &body.reason,
            body.budget,
        )
        .await
        .map_err(stale)?;
    state.indexer.catch_up().await?;
    let request = &decided.request;
    let body = json!({
        "id": request.id, "state": request.state, "revision": request.revision, "project": decided.project,
    });
    Ok(([(header::ETAG, etag(request.revision))], Json(body)).into_response())
}

/// `POST /api/v1/reviews/{id}/withdrawal`, with `If-Match`.
pub async fn withdraw(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<RequestId>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let revision = if_match(&headers)?;
    let request = state
        .review
        .withdraw(&caller.actor, id, revision)
        .await
        .map_err(stale)?;
    let body = json!({"id": request.id, "state": request.state, "revision": request.revision});
    Ok(([(header::ETAG, etag(request.revision))], Json(body)).into_response())
}

fn stale(error: ReviewError) -> Failure {
    let stale = matches!(&error, ReviewError::Database(db::Error::Stale(_)));
    stale_is_precondition(error.into(), stale)
}

/// A request in a list.
pub fn summary(request: &RequestSummary) -> Value {
    let datasets: Vec<_> = request
        .datasets
        .iter()
        .map(|d| json!({"slug": d.slug, "title": d.title}))
        .collect();
    json!({
        "id": request.id, "kind": request.kind, "state": request.state, "level": request.level,
        "special": request.special, "organization": request.organization, "datasets": datasets,
        "deadline": request.deadline, "overdue": request.overdue, "created_at": request.created_at,
        "decided_at": request.decided_at, "revision": request.revision,
    })
}

/// A request with its evidence, as this reader may see it.
pub fn describe(view: &RequestView) -> Value {
    let datasets: Vec<Value> = view
        .datasets
        .iter()
        .map(|evidence| {
            let dataset = &evidence.dataset;
            json!({
                "id": dataset.id, "slug": dataset.slug, "level": dataset.level, "metadata": dataset.metadata,
                "declared": dataset.declared,
                "version": evidence.version.as_ref().map(|version| json!({
                    "number": version.number, "state": version.state, "created_at": version.created_at,
                    "profile": version.figures.as_ref().map(|figures| &figures.profile),
                    "checksum": version.figures.as_ref().map(|figures| &figures.checksum),
                })),
            })
        })
        .collect();
    let opinions: Vec<Value> = view
        .opinions
        .iter()
        .map(|given| {
            json!({
                "organization": given.organization, "opinion": given.opinion, "reason": given.reason,
                "created_at": given.created_at,
            })
        })
        .collect();
    let decisions: Vec<Value> = view
        .decisions
        .iter()
        .map(|given| {
            json!({
                "decision": given.decision, "reason": given.reason, "budget": given.budget,
                "created_at": given.created_at,
            })
        })
        .collect();
    let mut value = summary(&view.summary);
    value["text"] = match &view.text {
        RequestText::Release { note } => json!({"note": note}),
        RequestText::Access {
            purpose,
            safeguards,
            days,
        } => {
            json!({"purpose": purpose, "safeguards": safeguards, "days": days})
        }
    };
    value["datasets"] = json!(datasets);
    value["opinions"] = json!(opinions);
    value["decisions"] = json!(decisions);
    value["openings"] = view
        .openings
        .iter()
        .map(|(name, opening)| (name.clone(), json!(opening)))
        .collect();
    value["project"] = json!(view.project);
    value["permitted"] = json!({
        "withdraw": view.permitted.withdraw, "give_opinion": view.permitted.give_opinion,
        "decide": view.permitted.decide, "approve": view.permitted.approve,
    });
    value
}
