//! `/health/…` and `/metrics`.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::failure::Failure;
use crate::state::AppState;

/// `GET /health/live`: the process answers.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /health/ready`: the database answers too.
pub(crate) async fn ready(State(state): State<AppState>) -> Response {
    match state.db.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response(),
    }
}

/// `GET /metrics`: for operators, that is for clients on the machine itself. Counts and times of a sandbox would tell
/// outsiders about the data behind it.
pub(crate) async fn metrics(State(state): State<AppState>, request: Request) -> Result<Response, Failure> {
    // A proxy on the same machine speaks for others.
    let headers = request.headers();
    let forwarded = headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED);
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let local = connection.is_some_and(|ConnectInfo(address)| address.ip().is_loopback());
    match &state.metrics {
        Some(metrics) if local && !forwarded => {
            let head = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            Ok((head, (metrics.0)()).into_response())
        }
        _ => Err(Failure::not_found("page")),
    }
}
