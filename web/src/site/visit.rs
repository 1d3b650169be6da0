//! What every handler of a page begins with: who asks, in which language, with which parameters.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use i18n::Message;
use identity::Actor;
use model::{Language, Role};
use serde::de::DeserializeOwned;

use super::shell;
use crate::auth::Caller;
use crate::failure::Failure;
use crate::language;
use crate::page::{Section, Shell};
use crate::problem::Code;
use crate::state::AppState;
use crate::told::{Told, say};

/// What a handler answers with.
pub(super) type Page = Result<Response, Failure>;

/// The query parameter that tells what was just done; its values are [`Done`]'s codes.
pub(super) const DONE: &str = "done";

macro_rules! done {
    ($($name:ident = $code:literal, $key:literal;)+) => {
        /// What was just done: the notice on the page that follows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Done { $($name,)+ }

        impl Done {
            const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            pub(super) const fn key(self) -> &'static str {
                match self { $(Self::$name => $key),+ }
            }

            pub(super) fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

done! {
    SignedOut = "signed-out", "done-signed-out";
    TokenRevoked = "token-revoked", "done-token-revoked";
    EntrySaved = "entry-saved", "done-entry-saved";
    ReleaseSent = "release-sent", "done-release-sent";
    OpinionGiven = "opinion-given", "done-opinion-given";
    Decided = "decided", "done-decided";
    Voted = "voted", "done-voted";
    AccessSent = "access-sent", "done-access-sent";
    Withdrawn = "withdrawn", "done-withdrawn";
}

/// Names and values of a query string or form, in order; names that nobody asks for do no harm.
#[derive(Debug, Clone, Default)]
pub(super) struct Values(Vec<(String, String)>);

impl Values {
    /// Reads `application/x-www-form-urlencoded`.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of this name.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of this name, or nothing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// Every value of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// All names and values.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All names and values, to keep.
    pub(super) fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }
}

/// A posted form.
#[derive(Debug)]
pub(super) struct Form(pub(super) Values);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let kind = kind
            .and_then(|kind| kind.split(';').next())
            .unwrap_or_default()
            .trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Failure::say(Code::UnsupportedFormat, "why-form-type"));
        }
        let body = Bytes::from_request(request, state).await.map_err(|_| {
            let detail = say("why-form-too-long").with("limit", "2 MiB");
            Failure::new(Code::TooLarge, detail)
        })?;
        Ok(Self(Values::parse(&body)))
    }
}

/// One look at a page, or one sent form.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) state: AppState,
    pub(super) caller: Caller,
    pub(super) query: Values,
    pub(super) method: Method,
    /// The client's address, where the server knows it.
    pub(super) client: Option<String>,
    /// The authority that the client called.
    host: Option<Authority>,
    /// The secret of the session cookie, whatever it is worth.
    pub(super) cookie: Option<String>,
    shell: Shell,
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Failure> {
        let host = host(parts);
        if !parts.method.is_safe() && !same_origin(&parts.headers, host.as_ref(), state.public_url.as_deref())
        {
            return Err(Failure::say(Code::StaleForm, "why-other-site"));
        }
        let caller = Caller::of(state, &parts.headers).await?;
        let language = language::of_request(parts).0;
        let query = Values::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let shell = shell::of(state, parts, &caller, language, &query).await?;
        if let Some(slot) = parts.extensions.get::<shell::Slot>() {
            slot.fill(&shell);
        }
        let jar = axum_extra::extract::CookieJar::from_headers(&parts.headers);
        let client = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self {
            state: state.clone(),
            caller,
            query,
            method: parts.method.clone(),
            client: client.map(|ConnectInfo(address)| address.ip().to_string()),
            host,
            cookie: jar
                .get(crate::auth::SESSION_COOKIE)
                .map(|cookie| cookie.value().to_owned()),
            shell,
        })
    }
}

impl Visit {
    /// Who acts.
    pub(super) const fn actor(&self) -> &Actor {
        &self.caller.actor
    }

    /// The language of the page.
    pub(super) const fn language(&self) -> Language {
        self.shell.language
    }

    /// What surrounds the page, in this section.
    pub(super) fn shell(&self, section: Section) -> Shell {
        Shell {
            section,
            ..self.shell.clone()
        }
    }

    /// What surrounds a page that is shown again after a form was sent to an address which cannot be looked
    /// at.
    pub(super) fn shell_at(&self, section: Section, address: String) -> Shell {
        Shell {
            section,
            address,
            ..self.shell.clone()
        }
    }

    /// The message of a key.
    pub(super) fn t(&self, key: &str) -> String {
        self.shell.t(key)
    }

    /// That a control was left empty; it is named by its label.
    pub(super) fn missing(&self, label: &str) -> String {
        self.shell.t1("form-missing", "field", self.shell.t(label))
    }

    /// What a use-case said against a value, as a message beside its control.
    pub(super) fn invalid(&self, reason: &impl Told) -> String {
        self.said(&reason.told())
    }

    /// A message in the reader's language.
    pub(super) fn said(&self, message: &Message) -> String {
        message.text(self.shell.language)
    }

    /// Checks that a form belongs to this session.
    ///
    /// # Errors
    /// [`Code::StaleForm`] if it does not.
    pub(super) fn check(&self, form: &Values) -> Result<(), Failure> {
        self.caller.check_csrf(form.find("csrf_token"))
    }

    /// Somebody who is signed in and has this role; the use-cases decide again on what exactly is done.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] or [`Code::Forbidden`].
    pub(super) fn require(&self, role: Role) -> Result<(), Failure> {
        if self.actor().has_role(role) {
            return Ok(());
        }
        Err(self.refusal())
    }

    /// Why somebody without the role for it is refused.
    pub(super) fn refusal(&self) -> Failure {
        if self.actor().is_anonymous() {
            Failure::say(Code::Unauthenticated, "why-sign-in")
        } else {
            Failure::say(Code::Forbidden, "why-roles")
        }
    }

    /// Scheme and authority under which programs reach the portal.
    pub(super) fn origin(&self) -> String {
        match (&self.state.public_url, &self.host) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(host)) => format!("http://{host}"),
            (None, None) => "http://localhost".to_owned(),
        }
    }

    /// The position that a list's cursor names, if the address has one.
    ///
    /// # Errors
    /// [`Code::InvalidCursor`] for one that the list did not give out.
    pub(super) fn cursor<T: DeserializeOwned>(&self, list: &str) -> Result<Option<T>, Failure> {
        self.cursor_in("cursor", list)
    }

    /// The same, on a page of several lists, from the parameter of one of them.
    ///
    /// # Errors
    /// As [`Self::cursor`].
    pub(super) fn cursor_in<T: DeserializeOwned>(
        &self,
        parameter: &str,
        list: &str,
    ) -> Result<Option<T>, Failure> {
        let given = self.query.find(parameter).filter(|cursor| !cursor.is_empty());
        given
            .map(|cursor| crate::cursor::read(&self.state.cursor_key, list, cursor))
            .transpose()
    }

    /// The rules of a policy in force.
    ///
    /// # Errors
    /// If the database fails or holds no such rules.
    pub(super) async fn policy<T: DeserializeOwned + Default>(&self, kind: &str) -> Result<T, Failure> {
        let now = self.state.clock.now();
        match db::policy::find_effective(self.state.db.read(), kind, now).await? {
            Some(row) => serde_json::from_value(row.body).map_err(|error| {
                tracing::error!(%error, kind, "a policy row cannot be read");
                Failure::internal()
            }),
            None => Ok(T::default()),
        }
    }
}

/// A redirect that is followed with GET.
pub(super) fn see_other(address: &str) -> Response {
    let location = HeaderValue::from_str(address).unwrap_or_else(|_| HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// A redirect to a page that says what was done.
pub(super) fn done(address: &str, done: Done) -> Response {
    let join = if address.contains('?') { '&' } else { '?' };
    see_other(&format!("{address}{join}{DONE}={}", done.code()))
}

/// A whole, positive number of a page or version as views show it.
pub(super) fn number(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// A count as views show it.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn host(parts: &Parts) -> Option<Authority> {
    let named = parts.uri.authority().cloned();
    named.or_else(|| parts.headers.get(header::HOST)?.to_str().ok()?.parse().ok())
}

/// Whether a form comes from a page of this portal, as far as the client says. Browsers say it with every
/// form that another site sends (Fetch Metadata, RFC 6454); a client that says nothing is no browser and
/// carries no cookies that its owner did not give it.
fn same_origin(headers: &HeaderMap, host: Option<&Authority>, public_url: Option<&str>) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return true };
    let Some((_, authority)) = origin.split_once("://") else {
        return false;
    };
    let public = public_url
        .and_then(|url| url.split_once("://"))
        .map(|(_, rest)| rest.trim_end_matches('/'));
    host.is_some_and(|host| host.as_str().eq_ignore_ascii_case(authority))
        || public.is_some_and(|public| public.eq_ignore_ascii_case(authority))
}

/// Where to go after signing in: a page of this portal, whatever the address asked for.
pub(super) fn local_path(next: &str) -> &str {
    let local = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= 2_000
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if !local {
        return "/";
    }
    let path = next.split(['?', '#']).next().unwrap_or_default();
    if matches!(path, "/sign-in" | "/sign-out") {
        return "/";
    }
    if path.starts_with("/account/") {
        return "/account";
    }
    // Addresses that forms are sent to and that cannot be looked at: their page instead.
    for act in ["/opinion", "/decision", "/withdraw"] {
        if let Some(page) = path.strip_suffix(act) {
            return page;
        }
    }
    next
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn signing_in_leads_nowhere_else() {
        for good in [
            "/",
            "/datasets?q=%E7%A9%BA&page=2",
            "/sandbox/jobs/x#result",
            "/x?u=http://a.example/",
        ] {
            assert_eq!(local_path(good), good);
        }
        let outside = [
            "",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "http://evil.example/",
            "https:evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            "evil.example",
            " /x",
            "/空",
            "/sign-out",
            "/sign-in?next=/sign-in",
        ];
        for bad in outside {
            assert_eq!(local_path(bad), "/", "{bad:?}");
        }
        assert_eq!(local_path(&format!("/{}", "a".repeat(3_000))), "/");
        assert_eq!(local_path("/review/7/decision"), "/review/7");
        assert_eq!(local_path("/sandbox/requests/7/withdraw"), "/sandbox/requests/7");
        assert_eq!(local_path("/account/tokens/7/revoke"), "/account");
    }

    #[test]
    fn forms_of_other_sites_are_told() {
        let host: Authority = "data.example:8080".parse().unwrap();
        let cases: [(&[(&'static str, &str)], bool); 11] = [
            (&[], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://data.example:8080"),
                ],
                false,
            ),
            (&[("origin", "http://data.example:8080")], true),
            (&[("origin", "https://portal.example")], true),
            (&[("origin", "http://data.example")], false),
            (&[("origin", "http://evil.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "http://data.example:8080.evil.example")], false),
        ];
        for (given, wanted) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.insert(*name, HeaderValue::from_str(value).unwrap());
            }
            let told = same_origin(&headers, Some(&host), Some("https://portal.example/"));
            assert_eq!(told, wanted, "{given:?}");
        }
    }

    #[test]
    fn values_keep_their_order_and_repeat() {
        let values = Values::parse("a=1&b=%E7%A9%BA&a=2&=x&c".as_bytes());
        assert_eq!(values.text("b"), "空");
        assert_eq!(values.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(values.find("d"), None);
        assert_eq!(values.text("c"), "");
    }
}
