//! What the API reads from requests, checked before a use-case sees it.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::problem::Code;

/// The largest JSON body.
pub const MAX_BODY: usize = 1 << 20;

/// A JSON body.
#[derive(Debug)]
pub struct ApiJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let json = kind.is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
        });
        if !json {
            return Err(Failure::new(
                Code::UnsupportedFormat,
                "send the body as Content-Type: application/json",
            ));
        }
        let body = Bytes::from_request(request, state).await.map_err(|_| {
            Failure::new(
                Code::TooLarge,
                format!("a JSON body has at most {MAX_BODY} bytes"),
            )
        })?;
        let mut reader = serde_json::Deserializer::from_slice(&body);
        let value = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        value
            .map(Self)
            .map_err(|error| Failure::new(Code::InvalidInput, format!("the JSON body does not fit: {error}")))
    }
}

/// Query parameters.
#[derive(Debug)]
pub struct ApiQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Query::from_request_parts(parts, state)
            .await
            .map(|Query(value)| Self(value))
            .map_err(|error| {
                Failure::new(
                    Code::InvalidInput,
                    format!("query parameters: {}", error.body_text()),
                )
            })
    }
}

/// A part of the path, parsed by its type; one that does not parse names nothing.
#[derive(Debug)]
pub struct ApiPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for ApiPath<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Path::from_request_parts(parts, state)
            .await
            .map(|Path(value)| Self(value))
            .map_err(|error| Failure::new(Code::NotFound, error.body_text()))
    }
}

/// The revision that `If-Match` names.
///
/// # Errors
/// [`Code::PreconditionRequired`] without the header, [`Code::InvalidInput`] if it holds no revision.
pub fn if_match(headers: &HeaderMap) -> Result<i64, Failure> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        let why = "send If-Match with the revision you read (the ETag of the GET)";
        return Err(Failure::new(Code::PreconditionRequired, why));
    };
    let text = value.to_str().unwrap_or_default().trim();
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
        .parse()
        .map_err(|_| Failure::new(Code::InvalidInput, "If-Match holds the revision as \"7\""))
}

/// The entity tag of a revision.
pub fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// Whether a failed act lost against a newer revision: with `If-Match`, that is its own status.
pub fn stale_is_precondition(failure: Failure, stale: bool) -> Failure {
    if stale {
        Failure::new(
            Code::PreconditionFailed,
            "it was changed meanwhile; read it again and decide anew",
        )
    } else {
        failure
    }
}
