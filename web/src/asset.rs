//! Style sheet, script and pictures, compiled into the binary and addressed by their content.
//!
//! `/assets/<hash>/<name>`: the hash is part of the address, so a browser keeps a file for ever and fetches a new
//! one as soon as its bytes change. An address with an old hash is answered too, with the present bytes and no
//! permission to keep them: a page that was open during an upgrade stays whole.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "assets"]
struct Files;

/// One file as it is served.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The first 16 hexadecimal digits of the SHA-256 of its bytes.
    pub hash: String,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Asset {
    fn new(file: &EmbeddedFile) -> Self {
        Self {
            hash: hex::encode(&file.metadata.sha256_hash()[..8]),
            media_type: file.metadata.mimetype().to_owned(),
            bytes: file.data.to_vec(),
        }
    }

    /// The strong entity tag.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.hash)
    }
}

static ASSETS: LazyLock<BTreeMap<String, Asset>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|name| Files::get(&name).map(|file| (name.into_owned(), Asset::new(&file))))
        .collect()
});

/// The file of this name, such as `shapan.css`.
pub fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.get(name)
}

/// The names of all files.
pub fn names() -> impl Iterator<Item = &'static str> {
    ASSETS.keys().map(String::as_str)
}

/// The address of a file: `/assets/<hash>/<name>`. A file that is not there keeps hash `0`, and a test fails.
pub fn address(name: &str) -> String {
    let hash = find(name).map_or("0", |asset| asset.hash.as_str());
    format!("/assets/{hash}/{name}")
}

/// `GET /assets/{hash}/{name}`.
pub async fn serve(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    match find(&name) {
        Some(asset) => answer(asset, &hash, headers.get(header::IF_NONE_MATCH)),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The answer to a request for an asset under this hash.
pub fn answer(asset: &'static Asset, hash: &str, if_none_match: Option<&HeaderValue>) -> Response {
    let etag = asset.etag();
    let keep = if hash == asset.hash {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = if_none_match
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| matches_tag(tags, &etag));
    let head = [
        (header::ETAG, etag),
        (header::CACHE_CONTROL, keep.to_owned()),
        (header::CONTENT_TYPE, content_type(&asset.media_type)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if known {
        (StatusCode::NOT_MODIFIED, head).into_response()
    } else {
        (head, asset.bytes.as_slice()).into_response()
    }
}

fn content_type(media_type: &str) -> String {
    if media_type.starts_with("text/") {
        format!("{media_type}; charset=utf-8")
    } else {
        media_type.to_owned()
    }
}

/// Whether an `If-None-Match` names this tag, by weak comparison (RFC 9110 §13.1.2).
fn matches_tag(header: &str, etag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_files_that_pages_name_are_there() {
        for name in ["shapan.css", "shapan.js", "logo.svg", "favicon.svg"] {
            let asset = find(name).unwrap();
            assert_eq!(asset.hash.len(), 16);
            assert!(!asset.bytes.is_empty(), "{name}");
            assert_eq!(address(name), format!("/assets/{}/{name}", asset.hash));
        }
        assert!(find("../Cargo.toml").is_none());
        assert!(names().count() >= 4);
    }

    #[test]
    fn only_the_right_hash_is_kept_for_ever() {
        let asset = find("shapan.css").unwrap();
        let cache = |hash: &str| {
            let response = answer(asset, hash, None);
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(
                response.headers()[header::CONTENT_TYPE],
                "text/css; charset=utf-8"
            );
            response.headers()[header::CACHE_CONTROL]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert!(cache(&asset.hash).contains("immutable"));
        assert_eq!(cache("0123456789abcdef"), "no-cache");
    }

    #[test]
    fn a_known_tag_is_not_sent_again() {
        let asset = find("logo.svg").unwrap();
        let status =
            |tags: &str| answer(asset, &asset.hash, Some(&HeaderValue::from_str(tags).unwrap())).status();
        let etag = asset.etag();
        assert_eq!(status(&etag), StatusCode::NOT_MODIFIED);
        assert_eq!(status(&format!("\"x\", W/{etag}")), StatusCode::NOT_MODIFIED);
        assert_eq!(status("*"), StatusCode::NOT_MODIFIED);
        assert_eq!(status("\"x\""), StatusCode::OK);
    }
}
