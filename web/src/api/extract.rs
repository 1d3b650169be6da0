//! What the API reads from requests, checked before a use-case sees it.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use i18n::Message;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::problem::Code;
use crate::told::say;

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
            return Err(Failure::say(Code::UnsupportedFormat, "why-json-type"));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| too_long())?;
        // Fields go by their names: serde would take a list of them in order as well, which no document promises.
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(Failure::say(Code::InvalidInput, "why-json-object"));
        }
        let mut reader = serde_json::Deserializer::from_slice(&body);
        let value = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        value
            .map(Self)
            .map_err(|error| Failure::new(Code::InvalidInput, misfit(&error)))
    }
}

/// Why a body is longer than any that is taken.
pub(crate) fn too_long() -> Failure {
    Failure::new(Code::TooLarge, say("why-json-too-long").with("limit", MAX_BODY))
}

/// Where a body is no JSON, or not of the shape that is wanted, in the parser's own words.
pub(crate) fn misfit(error: &serde_json::Error) -> Message {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    // The parser calls shapes by the names that they have in our code.
    let reason = match text.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected an object"),
        None => text.replace("expected f64", "expected a number"),
    };
    say("why-json")
        .with("line", error.line())
        .with("column", error.column())
        .with("reason", reason)
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
                let detail = say("why-query").with("reason", error.body_text());
                Failure::new(Code::InvalidInput, detail)
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
            .map_err(|error| {
                let detail = say("why-path").with("reason", error.body_text());
                Failure::new(Code::NotFound, detail)
            })
    }
}

/// The revision that `If-Match` names.
///
/// # Errors
/// [`Code::PreconditionRequired`] without the header, [`Code::InvalidInput`] if it holds no revision.
pub fn if_match(headers: &HeaderMap) -> Result<i64, Failure> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Err(Failure::say(Code::PreconditionRequired, "why-if-match-missing"));
    };
    let text = value.to_str().unwrap_or_default().trim();
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
        .parse()
        .map_err(|_| Failure::say(Code::InvalidInput, "why-if-match"))
}

/// The entity tag of a revision.
pub fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// Whether a failed act lost against a newer revision: with `If-Match`, that is its own status.
pub fn stale_is_precondition(failure: Failure, stale: bool) -> Failure {
    if stale {
        Failure::say(Code::PreconditionFailed, "why-changed-meanwhile")
    } else {
        failure
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use axum::body::Body;

    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Named {
        sql: String,
        epsilon: f64,
    }

    #[tokio::test]
    async fn fields_go_by_their_names() {
        let read = async |body: &'static str| {
            let request = Request::builder().header("content-type", "application/json");
            let request = request.body(Body::from(body)).unwrap();
            ApiJson::<Named>::from_request(request, &())
                .await
                .map(|body| body.0)
        };
        let named = read(r#" {"epsilon": 0.5, "sql": "SELECT 1"}"#).await.unwrap();
        assert_eq!((named.sql.as_str(), named.epsilon), ("SELECT 1", 0.5));
        for wrong in [
            r#"["SELECT 1", 0.5]"#,
            " \n[]",
            "",
            "7",
            r#"{"sql": "SELECT 1"}"#,
            r#"{"sql": "SELECT 1", "epsilon": 0.5, "more": 1}"#,
            r#"{"sql": "SELECT 1", "epsilon": 0.5} 1"#,
        ] {
            let refused = read(wrong).await.unwrap_err();
            assert_eq!(refused.0.code, Code::InvalidInput, "{wrong}");
            let said = format!("{:?}", refused.0.detail);
            assert!(!said.contains("struct Named"), "{said}");
        }
    }
}
