//! Who calls: a bearer token, a session cookie, or nobody.

use axum::extract::{FromRef, FromRequestParts};
use axum_extra::extract::CookieJar;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use identity::{Actor, CurrentSession};

use crate::failure::Failure;
use crate::problem::Code;
use crate::state::AppState;

/// The name of the session cookie.
pub const SESSION_COOKIE: &str = "shapan_session";
/// The header in which scripts send the anti-forgery token of their session.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// Who calls. A wrong token is an error; a session that has ended is nobody.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The actor that use-cases take.
    pub actor: Actor,
    /// The session, if a cookie brought one.
    pub session: Option<CurrentSession>,
}

impl Caller {
    /// Recognises a caller by the request's headers.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] for a bearer token that is none.
    pub async fn of(state: &AppState, headers: &HeaderMap) -> Result<Self, Failure> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let wrong = || Failure::say(Code::Unauthenticated, "why-token");
            let text = value.to_str().map_err(|_| wrong())?;
            let (scheme, token) = text.split_once(' ').ok_or_else(wrong)?;
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Err(Failure::say(Code::Unauthenticated, "why-scheme"));
            }
            let actor = state
                .identity
                .find_token_actor(token.trim())
                .await?
                .ok_or_else(wrong)?;
            return Ok(Self { actor, session: None });
        }
        let jar = CookieJar::from_headers(headers);
        if let Some(cookie) = jar.get(SESSION_COOKIE)
            && let Some(session) = state.identity.find_session(cookie.value()).await?
        {
            return Ok(Self {
                actor: session.actor.clone(),
                session: Some(session),
            });
        }
        Ok(Self {
            actor: Actor::anonymous(),
            session: None,
        })
    }

    /// Checks the anti-forgery token of a form or script that acts for a session.
    ///
    /// # Errors
    /// [`Code::StaleForm`] if the caller has a session and the token is not its own.
    pub fn check_csrf(&self, token: Option<&str>) -> Result<(), Failure> {
        match &self.session {
            Some(session) if !token.is_some_and(|token| session.accepts_csrf_token(token)) => {
                Err(Failure::say(Code::StaleForm, "why-stale-form"))
            }
            _ => Ok(()),
        }
    }

    /// Who keys idempotency: the account; visitors have no keys.
    pub fn user(&self) -> Option<model::UserId> {
        self.actor.user()
    }
}

/// A caller of the API. Cookies alone do not act: whatever changes something needs the session's own token too.
#[derive(Debug, Clone)]
pub struct ApiCaller(pub Caller);

impl<S> FromRequestParts<S> for ApiCaller
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let state = AppState::from_ref(state);
        let caller = Caller::of(&state, &parts.headers).await?;
        if !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            let token = parts
                .headers
                .get(CSRF_HEADER)
                .and_then(|value| value.to_str().ok());
            caller.check_csrf(token)?;
        }
        Ok(Self(caller))
    }
}

/// A caller of a page; its handler checks the form's token.
impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Self::of(&AppState::from_ref(state), &parts.headers).await
    }
}
