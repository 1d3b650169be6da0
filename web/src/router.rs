//! Every route on one screen, and what wraps them all.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use http::{HeaderName, HeaderValue, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::api::extract::MAX_BODY;
use crate::api::{access, check, dataset, dummy, job, loss, openapi, project, review, row, token, version};
use crate::failure::Failure;
use crate::open::{download, ledger, operation};
use crate::page::error::ErrorPage;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::{asset, deadline, idempotency, language, site};

/// The name of the header that carries a request's id.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The portal's routes with everything around them.
pub fn router(state: AppState) -> Router {
    let api = Router::new()
        .route("/datasets", get(dataset::search).post(dataset::create))
        .route("/datasets/{slug}", get(dataset::get).put(dataset::replace))
        .route("/datasets/{slug}/versions", get(version::list))
        .route("/datasets/{slug}/versions/{number}", get(version::get))
        .route("/datasets/{slug}/rows", get(row::rows))
        .route("/datasets/{slug}/dummy.csv", get(dummy::csv))
        .route("/datasets/{slug}/dummy.parquet", get(dummy::parquet))
        .route("/datasets/{slug}/privacy-loss", get(loss::get))
        .route("/datasets/{slug}/release-requests", post(review::submit_release))
        .route("/tasks/{id}", get(version::task))
        .route("/reviews", get(review::list))
        .route("/reviews/{id}", get(review::get))
        .route("/reviews/{id}/opinions", post(review::give_opinion))
        .route("/reviews/{id}/decision", post(review::decide))
        .route("/reviews/{id}/withdrawal", post(review::withdraw))
        .route("/access-requests", post(access::submit))
        .route("/access-requests/{id}", get(access::get))
        .route("/projects", get(project::list))
        .route("/projects/{id}", get(project::get))
        .route("/projects/{id}/estimates", post(job::estimate))
        .route("/projects/{id}/jobs", get(job::list).post(job::submit))
        .route("/jobs/{id}", get(job::get))
        .route("/jobs/{id}/result", get(job::result))
        .route("/checks", get(check::list))
        .route("/checks/{id}", get(check::get))
        .route("/checks/{id}/votes", post(check::vote))
        .route("/tokens", get(token::list).post(token::create))
        .route("/tokens/{id}", delete(token::revoke))
        .route("/me", get(token::me))
        .route("/openapi.json", get(openapi::document))
        .route("/sql", post(row::sql))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(state.clone(), idempotency::once));
    // A file is not a small body: it is streamed, and its own limit is the catalogue's.
    let uploads = Router::new()
        .route("/datasets/{slug}/versions", post(version::upload))
        .layer(DefaultBodyLimit::disable());

    let text = SizeAbove::new(1_024)
        .and(NotForContentType::const_new("text/csv"))
        .and(NotForContentType::const_new("application/x-ndjson"))
        .and(NotForContentType::const_new("application/vnd.apache"))
        .and(NotForContentType::const_new("application/octet-stream"))
        .and(NotForContentType::IMAGES);

    let compression = CompressionLayer::new().compress_when(text);
    let api = api.layer(compression.clone()).merge(uploads);

    Router::new()
        .merge(site::routes().layer(compression))
        .nest("/api/v1", api)
        .route("/datasets/{slug}/{file}", get(file))
        .route("/ledger/checkpoint", get(ledger::checkpoint))
        .route("/ledger/key", get(ledger::key))
        .route("/ledger/tile/{*path}", get(ledger::tile))
        .route("/health/live", get(operation::live))
        .route("/health/ready", get(operation::ready))
        .route("/metrics", get(operation::metrics))
        .route("/assets/{hash}/{name}", get(asset::serve))
        .fallback(|| async { Failure::not_found("page") })
        .method_not_allowed_fallback(|| async { Failure::from(Problem::new(Code::MethodNotAllowed)) })
        .layer(CatchPanicLayer::custom(|_| {
            Failure::from(Problem::new(Code::Internal)).into_response()
        }))
        .layer(from_fn_with_state(state.clone(), deadline::keep))
        .layer(from_fn_with_state(state.clone(), finish))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID.clone()))
        .layer(TraceLayer::new_for_http().make_span_with(|request: &Request| {
            let id = request
                .headers()
                .get(&REQUEST_ID)
                .and_then(|id| id.to_str().ok())
                .unwrap_or_default();
            // The path only: a query string can hold what people look for.
            tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
        }))
        .layer(SetRequestIdLayer::new(REQUEST_ID.clone(), MakeRequestUuid))
        .with_state(state)
}

/// `/datasets/{slug}/download.{ext}`: the router has no suffixes.
async fn file(
    state: State<AppState>,
    caller: crate::auth::Caller,
    method: http::Method,
    crate::api::extract::ApiPath((slug, file)): crate::api::extract::ApiPath<(model::Slug, String)>,
    parameters: crate::api::extract::ApiQuery<download::DownloadParameters>,
    headers: http::HeaderMap,
) -> Result<Response, Failure> {
    let extension = file
        .strip_prefix("download.")
        .ok_or_else(|| Failure::not_found("page"))?
        .to_owned();
    let path = crate::api::extract::ApiPath((slug, extension));
    download::download(state, caller, method, path, parameters, headers).await
}

/// Gives problems their language and form, remembers a chosen language, and sets the headers of every answer.
async fn finish(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let language = language::of_request(&parts).0;
    let chosen = language::chosen(&parts);
    let path = parts.uri.path().to_owned();
    let address = parts
        .uri
        .path_and_query()
        .map_or_else(|| path.clone(), ToString::to_string);
    let id = parts
        .headers
        .get(&REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let accept = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let html = accept.contains("text/html") && !path.starts_with("/api/");
    let headers = html.then(|| parts.headers.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;

    if let Some(Failure(problem)) = response.extensions_mut().remove::<Failure>() {
        let problem = problem.at(path, id.clone());
        let mut rendered = if html && problem.code == Code::Unauthenticated {
            let next: String = form_urlencoded::byte_serialize(address.as_bytes()).collect();
            (
                StatusCode::SEE_OTHER,
                [(header::LOCATION, format!("/sign-in?next={next}"))],
            )
                .into_response()
        } else if let Some(headers) = headers {
            // As the page that was asked for looks, also where there is none: with the account of whoever asked.
            let mut shell = match response.extensions_mut().remove::<crate::page::Shell>() {
                Some(shell) => shell,
                None => site::shell::around_error(&state, &headers, language, &address).await,
            };
            shell.request_id.clone_from(&id);
            crate::page::respond(problem.status(), language, &ErrorPage::new(shell, &problem))
        } else {
            problem.response(language)
        };
        // What the handler had to say besides, such as Content-Range.
        for (name, value) in response.headers() {
            if !rendered.headers().contains_key(name) && name != header::CONTENT_LENGTH {
                rendered.headers_mut().insert(name.clone(), value.clone());
            }
        }
        response = rendered;
    }
    let headers = response.headers_mut();
    if let Some(chosen) = chosen {
        headers.append(header::SET_COOKIE, language::cookie(chosen));
    }
    let plain = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in plain {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
