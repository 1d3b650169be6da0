//! `/api/v1/tokens` and `/api/v1/me`.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::{Scope, TokenId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::extract::{ApiJson, ApiPath, ApiQuery};
use crate::api::version::ListParameters;
use crate::auth::ApiCaller;
use crate::cursor;
use crate::failure::Failure;
use crate::problem::Code;
use crate::state::AppState;

/// The body of a new token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What it is for, in the owner's words.
    name: String,
    /// What it may be used for.
    scopes: BTreeSet<Scope>,
    /// 1 to 365.
    expires_in_days: i64,
}

/// `POST /api/v1/tokens`: the secret is shown here and never again.
pub async fn create(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiJson(body): ApiJson<TokenRequest>,
) -> Result<Response, Failure> {
    let (token, secret) = state
        .identity
        .create_token(&caller.actor, &body.name, body.scopes, body.expires_in_days)
        .await?;
    let body = json!({
        "id": token.id, "name": token.name, "scopes": token.scopes, "expires_at": token.expires_at,
        "token": secret.expose(),
    });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// `GET /api/v1/tokens`.
pub async fn list(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiQuery(parameters): ApiQuery<ListParameters>,
) -> Result<Json<Value>, Failure> {
    let limit = parameters.limit()?;
    let before = parameters
        .cursor
        .as_deref()
        .map(|c| cursor::read(&state.cursor_key, "tokens", c))
        .transpose()?;
    let found = state
        .identity
        .list_tokens(&caller.actor, before, limit + 1)
        .await?;
    let more = found.len() as u64 > limit;
    let shown: Vec<_> = found
        .into_iter()
        .take(usize::try_from(limit).unwrap_or(100))
        .collect();
    let next = match shown.last() {
        Some(last) if more => Some(cursor::write(&state.cursor_key, "tokens", &last.id)?),
        _ => None,
    };
    let results: Vec<Value> = shown
        .iter()
        .map(|token| {
            json!({
                "id": token.id, "name": token.name, "scopes": token.scopes, "created_at": token.created_at,
                "expires_at": token.expires_at, "revoked_at": token.revoked_at,
                "last_used_at": token.last_used_at,
            })
        })
        .collect();
    Ok(Json(json!({"results": results, "next_cursor": next})))
}

/// `DELETE /api/v1/tokens/{id}`: revoked at once.
pub async fn revoke(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<TokenId>,
) -> Result<StatusCode, Failure> {
    state.identity.revoke_token(&caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/me`.
pub async fn me(
    State(_state): State<AppState>,
    ApiCaller(caller): ApiCaller,
) -> Result<Json<Value>, Failure> {
    let Some(person) = caller.actor.find_person() else {
        return Err(Failure::say(Code::Unauthenticated, "why-nobody"));
    };
    Ok(Json(json!({
        "id": person.user, "username": person.username, "display_name": person.display_name,
        "organization": person.organization, "organization_kind": person.organization_kind,
        "roles": person.roles,
    })))
}
