//! `Idempotency-Key`: a POST that is sent twice is done once.
//!
//! The key belongs to the account. The first request claims it, its answer is stored, and a repeat gets that answer;
//! a repeat with another body is an error. Answers that say "try again" are not stored.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use db::idempotency::{Attempt, Claim};
use http::{HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::api::extract::{MAX_BODY, too_long};
use crate::auth::Caller;
use crate::failure::Failure;
use crate::problem::Code;
use crate::state::AppState;

const HEADER: &str = "idempotency-key";
/// The largest answer that is stored.
const MAX_ANSWER: usize = 1 << 20;

/// What of an answer is stored besides its status.
#[derive(Serialize, Deserialize)]
struct Stored {
    headers: Vec<(String, String)>,
    body: String,
}

/// Middleware of the API's POST routes with small bodies.
pub(crate) async fn once(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match apply(&state, request, next).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}

async fn apply(state: &AppState, request: Request, next: Next) -> Result<Response, Failure> {
    let key = match request.headers().get(HEADER) {
        Some(key) if request.method() == Method::POST => key.clone(),
        _ => return Ok(next.run(request).await),
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=255).contains(&key.len()))
        .ok_or_else(|| Failure::say(Code::InvalidInput, "why-key"))?
        .to_owned();
    let caller = Caller::of(state, request.headers()).await?;
    // Visitors have no account to keep a key for, and what they may POST changes nothing; nor does a query.
    let Some(user) = caller.user() else {
        return Ok(next.run(request).await);
    };
    if request.uri().path().ends_with("/sql") {
        return Ok(next.run(request).await);
    }

    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| too_long())?;
    let path = parts.uri.path().to_owned();
    let attempt = Attempt {
        actor: user.as_uuid(),
        key: &key,
        method: parts.method.as_str(),
        path: &path,
        body_hash: Sha256::digest(&body).into(),
    };
    let tx = state.db.begin_write().await?;
    let claim = db::idempotency::claim(&tx, &attempt, state.clock.now()).await?;
    tx.commit().await?;
    match claim {
        Claim::New => {}
        Claim::Answered { status, response } => return replay(status, &response),
        Claim::InProgress => {
            return Err(Failure::say(Code::IdempotencyInProgress, "why-key-at-work"));
        }
        Claim::Mismatch => {
            return Err(Failure::say(Code::IdempotencyMismatch, "why-key-used"));
        }
    }
    let guard = Unfinished {
        state: state.clone(),
        actor: user.as_uuid(),
        key: Some(key.clone()),
    };
    let response = next.run(http::Request::from_parts(parts, Body::from(body))).await;
    finish(state, guard, response).await
}

/// A claim whose request went away before its answer is given back, so that a repeat is a first request again.
struct Unfinished {
    state: AppState,
    actor: uuid::Uuid,
    key: Option<String>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let (state, actor) = (self.state.clone(), self.actor);
        tokio::spawn(async move {
            let released = async {
                let tx = state.db.begin_write().await?;
                db::idempotency::release(&tx, actor, &key).await?;
                tx.commit().await
            };
            if let Err(error) = released.await {
                tracing::warn!(%error, "an idempotency key could not be given back");
            }
        });
    }
}

async fn finish(state: &AppState, mut guard: Unfinished, response: Response) -> Result<Response, Failure> {
    let again = response.status().is_server_error()
        || matches!(
            response.status(),
            StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT
        );
    // A problem has no body yet: it is rendered further out. It changed nothing, so a repeat may try anew.
    if again || response.extensions().get::<Failure>().is_some() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body: Bytes = to_bytes(body, MAX_ANSWER)
        .await
        .map_err(|_| Failure::internal())?;
    let kept = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];
    let headers = kept
        .iter()
        .filter_map(|name| {
            Some((
                name.to_string(),
                parts.headers.get(name)?.to_str().ok()?.to_owned(),
            ))
        })
        .collect();
    let stored = Stored {
        headers,
        body: without_secret(&body)?,
    };
    let stored = serde_json::to_vec(&stored).map_err(|_| Failure::internal())?;
    let Some(key) = guard.key.take() else {
        return Err(Failure::internal());
    };
    let tx = state.db.begin_write().await?;
    db::idempotency::complete(&tx, guard.actor, &key, parts.status.as_u16(), &stored).await?;
    tx.commit().await?;
    Ok(http::Response::from_parts(parts, Body::from(body)))
}

/// The body as it is kept: a new token's secret is shown once, and a repeat gets `null` in its place.
fn without_secret(body: &[u8]) -> Result<String, Failure> {
    let broken = |_| Failure::internal();
    if body.is_empty() {
        return Ok(String::new());
    }
    let mut value: serde_json::Value = serde_json::from_slice(body).map_err(broken)?;
    if let Some(token) = value.get_mut("token") {
        *token = serde_json::Value::Null;
    }
    serde_json::to_string(&value).map_err(broken)
}

fn replay(status: u16, stored: &[u8]) -> Result<Response, Failure> {
    let broken = || Failure::internal();
    let stored: Stored = serde_json::from_slice(stored).map_err(|_| broken())?;
    let status = StatusCode::from_u16(status).map_err(|_| broken())?;
    let mut response = (status, stored.body).into_response();
    for (name, value) in stored.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
        .headers_mut()
        .insert("idempotent-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_secret_is_never_stored() {
        let kept = without_secret(br#"{"id":"1","token":"shp_secret"}"#).unwrap();
        assert_eq!(kept, r#"{"id":"1","token":null}"#);
        assert_eq!(without_secret(b"").unwrap(), "");
    }
}
