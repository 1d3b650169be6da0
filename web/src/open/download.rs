//! `/datasets/{slug}/download.{ext}`: files of open versions, with ranges and strong entity tags (RFC 9110).

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog_entry::OpenFile;
use db::usage::UsageKind;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use model::Slug;
use serde::Deserialize;
use storage::DistributionFormat;

use crate::api::extract::{ApiPath, ApiQuery};
use crate::auth::Caller;
use crate::failure::Failure;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::told::say;

/// Parameters of a download.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct DownloadParameters {
    /// The version's number; the current one if not given.
    version: Option<i64>,
}

/// `GET /datasets/{slug}/download.{ext}` and `….sha256`.
pub(crate) async fn download(
    State(state): State<AppState>,
    caller: Caller,
    method: Method,
    ApiPath((slug, extension)): ApiPath<(Slug, String)>,
    ApiQuery(parameters): ApiQuery<DownloadParameters>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (extension, checksum) = match extension.strip_suffix(".sha256") {
        Some(extension) => (extension.to_owned(), true),
        None => (extension, false),
    };
    let unknown = || Failure::not_found("download format");
    let format = DistributionFormat::from_extension(&extension).ok_or_else(unknown)?;
    let file = state
        .catalog
        .open_file(&caller.actor, &slug, parameters.version, format)
        .await?;
    if checksum {
        let line = format!("{}  {slug}.{extension}\n", file.distribution.sha256);
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], line).into_response());
    }
    let etag = format!("\"{}\"", file.distribution.sha256);
    let mut head = HeaderMap::new();
    let text = |text: &str| HeaderValue::from_str(text).map_err(|_| Failure::internal());
    head.insert(header::ETAG, text(&etag)?);
    head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    head.insert(header::CONTENT_TYPE, text(&file.distribution.media_type)?);
    // A numbered version never changes; the current one does.
    let keep = if parameters.version.is_some() {
        "public, max-age=31536000, immutable"
    } else {
        "public, no-cache"
    };
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    let name = format!("attachment; filename=\"{slug}-v{}.{extension}\"", file.number);
    head.insert(header::CONTENT_DISPOSITION, text(&name)?);
    head.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );

    if let Some(wanted) = headers.get(header::IF_MATCH)
        && !lists(wanted, &etag)
    {
        return Err(Failure::say(Code::PreconditionFailed, "why-other-file"));
    }
    if let Some(known) = headers.get(header::IF_NONE_MATCH)
        && lists(known, &etag)
    {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    let length = file.distribution.bytes;
    // If-Range with another tag asks for the whole file; only a strong tag compares (section 13.1.5).
    let whole = headers
        .get(header::IF_RANGE)
        .is_some_and(|tag| tag.as_bytes() != etag.as_bytes());
    let range = headers
        .get(header::RANGE)
        .filter(|_| !whole)
        .and_then(|value| value.to_str().ok());
    let (status, first, last) = match range.map(|text| parse_range(text, length)) {
        None | Some(Range::Ignored) => (StatusCode::OK, 0, length.saturating_sub(1)),
        Some(Range::One(first, last)) => {
            head.insert(
                header::CONTENT_RANGE,
                text(&format!("bytes {first}-{last}/{length}"))?,
            );
            (StatusCode::PARTIAL_CONTENT, first, last)
        }
        Some(Range::Beyond) => {
            let problem =
                Problem::new(Code::RangeNotSatisfiable).detail(say("why-range").with("length", length));
            let mut response = Failure::from(problem).into_response();
            response
                .headers_mut()
                .insert(header::CONTENT_RANGE, text(&format!("bytes */{length}"))?);
            return Ok(response);
        }
    };
    let count = if length == 0 { 0 } else { last - first + 1 };
    head.insert(header::CONTENT_LENGTH, HeaderValue::from(count));
    if method == Method::HEAD {
        return Ok((status, head, Body::empty()).into_response());
    }
    if first == 0 {
        state.usage.count(UsageKind::Download, slug.as_str());
    }
    let body = stream(&state, &file, first, count).await?;
    Ok((status, head, body).into_response())
}

async fn stream(state: &AppState, file: &OpenFile, first: u64, count: u64) -> Result<Body, Failure> {
    Ok(Body::from_stream(
        state.catalog.read_open(file, first, count).await?,
    ))
}

fn lists(header: &HeaderValue, etag: &str) -> bool {
    let Ok(text) = header.to_str() else { return false };
    text.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// Not a range in bytes, or several: the whole file is an answer too (RFC 9110 section 14.2).
    Ignored,
    /// First and last byte.
    One(u64, u64),
    /// Nothing of it is in the file.
    Beyond,
}

fn parse_range(text: &str, length: u64) -> Range {
    let Some(set) = text.strip_prefix("bytes=") else {
        return Range::Ignored;
    };
    let Some((first, last)) = set.split_once('-').filter(|_| !set.contains(',')) else {
        return Range::Ignored;
    };
    let (first, last) = (first.trim(), last.trim());
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // Beyond 64 bits is beyond any file.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (None, Some(0)) if first.is_empty() => Range::Beyond,
        (None, Some(suffix)) if first.is_empty() => match length {
            0 => Range::Beyond,
            length => Range::One(length.saturating_sub(suffix), length - 1),
        },
        (Some(first), _) if first >= length => Range::Beyond,
        (Some(first), None) if last.is_empty() => Range::One(first, length - 1),
        (Some(first), Some(last)) if last >= first => Range::One(first, last.min(length - 1)),
        _ => Range::Ignored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let cases = [
            ("bytes=0-0", Range::One(0, 0)),
            ("bytes=5-", Range::One(5, 9)),
            ("bytes=-3", Range::One(7, 9)),
            ("bytes=-30", Range::One(0, 9)),
            ("bytes=3-99999999999999999999999", Range::One(3, 9)),
            ("bytes=10-", Range::Beyond),
            ("bytes=-0", Range::Beyond),
            ("bytes=5-3", Range::Ignored),
            ("bytes=0-1,3-4", Range::Ignored),
            ("bytes=a-b", Range::Ignored),
            ("lines=0-1", Range::Ignored),
            ("bytes=", Range::Ignored),
        ];
        for (text, want) in cases {
            assert_eq!(parse_range(text, 10), want, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Range::Beyond);
    }
}
