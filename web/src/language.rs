//! The language of a request: `?lang=`, else the cookie, else `Accept-Language`, else Chinese.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum_extra::extract::CookieJar;
use http::request::Parts;
use http::{HeaderValue, header};
use model::Language;

/// The name of the query parameter and of the cookie.
pub const NAME: &str = "lang";

/// The language to answer in; extracting it never fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLanguage(pub Language);

impl<S: Send + Sync> FromRequestParts<S> for RequestLanguage {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(of_request(parts))
    }
}

/// Reads the language of a request's head.
pub fn of_request(parts: &Parts) -> RequestLanguage {
    let jar = CookieJar::from_headers(&parts.headers);
    let accepted = parts
        .headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let query = explicit(parts.uri.query());
    RequestLanguage(i18n::negotiate(
        query.as_deref(),
        jar.get(NAME).map(axum_extra::extract::cookie::Cookie::value),
        accepted,
    ))
}

/// The value of `lang` in a query string, if the reader chose a language by a link.
fn explicit(query: Option<&str>) -> Option<String> {
    form_urlencoded::parse(query?.as_bytes())
        .find(|(name, _)| name == NAME)
        .map(|(_, value)| value.into_owned())
}

/// The language that a link of the language switch asks for: what the answer's cookie should remember.
pub fn chosen(parts: &Parts) -> Option<Language> {
    explicit(parts.uri.query()).and_then(|tag| Language::from_tag(&tag))
}

/// The `Set-Cookie` value that remembers a choice for a year. It holds no secret: scripts may read it.
pub fn cookie(language: Language) -> HeaderValue {
    match language {
        Language::Zh => HeaderValue::from_static("lang=zh-CN; Path=/; Max-Age=31536000; SameSite=Lax"),
        Language::En => HeaderValue::from_static("lang=en; Path=/; Max-Age=31536000; SameSite=Lax"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn query_then_cookie_then_header() {
        let both = [("cookie", "a=b; lang=en"), ("accept-language", "zh-CN")];
        assert_eq!(of_request(&parts("/x", &both)).0, Language::En);
        assert_eq!(of_request(&parts("/x?q=1&lang=zh", &both)).0, Language::Zh);
        assert_eq!(of_request(&parts("/x?lang=%zz", &both[1..])).0, Language::Zh);
        assert_eq!(
            of_request(&parts("/", &[("accept-language", "en")])).0,
            Language::En
        );
        assert_eq!(chosen(&parts("/?lang=en", &[])), Some(Language::En));
        assert_eq!(chosen(&parts("/?lang=fr", &[])), None);
    }

    #[test]
    fn the_cookie_reads_back() {
        for language in [Language::Zh, Language::En] {
            let cookie = cookie(language);
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            assert_eq!(of_request(&parts("/", &[("cookie", &pair)])).0, language);
        }
    }
}
