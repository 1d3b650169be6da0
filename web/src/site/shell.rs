//! Filling what surrounds a page: the one place where header, account menu and notices come from.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Uri};
use model::{Language, RequestState, Role};

use super::visit::{DONE, Done, Values};
use crate::auth::Caller;
use crate::failure::Failure;
use crate::page::{AccountMenu, Notice, Section, Shell, Tone};
use crate::state::AppState;

/// The header that carries the request's id from the router's outermost layer.
const REQUEST_ID: &str = "x-request-id";

/// The most waiting requests that the navigation counts.
const MAX_WAITING: u64 = 100;

/// A shell without anybody signed in: for errors that come before it is known who asks.
pub(crate) fn bare(language: Language, address: &str) -> Shell {
    Shell {
        language,
        address: address.to_owned(),
        section: Section::None,
        account: None,
        csrf: String::new(),
        request_id: String::new(),
        notices: Vec::new(),
    }
}

/// How long an error page waits to know who asked: the database may be what the error is about.
const PATIENCE: Duration = Duration::from_secs(2);

/// What surrounds an error that no page's handler has seen: an address of nothing, a method that it has not, an answer
/// that took too long. Whoever is signed in stays so; who that is may be what cannot be had.
pub(crate) async fn around_error(
    state: &AppState,
    headers: &HeaderMap,
    language: Language,
    address: &str,
) -> Shell {
    let mut shell = bare(language, address);
    let signed_in = async {
        let caller = Caller::of(state, headers).await?;
        let account = account(state, &caller, language).await?;
        Ok::<_, Failure>((account, csrf(&caller)))
    };
    if let Ok(Ok((account, csrf))) = tokio::time::timeout(PATIENCE, signed_in).await {
        shell.account = account;
        shell.csrf = csrf;
    }
    shell
}

fn csrf(caller: &Caller) -> String {
    let session = caller.session.as_ref();
    session
        .map(identity::CurrentSession::csrf_token)
        .unwrap_or_default()
}

/// The shell of a request, with no section marked.
pub(super) async fn of(
    state: &AppState,
    parts: &Parts,
    caller: &Caller,
    language: Language,
    query: &Values,
) -> Result<Shell, Failure> {
    let notice = query.find(DONE).and_then(Done::from_code);
    let mut shell = bare(language, &address(&parts.uri, query));
    shell.account = account(state, caller, language).await?;
    shell.csrf = csrf(caller);
    let id = parts.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    shell.request_id = id.unwrap_or_default().to_owned();
    shell.notices = notice
        .map(|done| Notice {
            tone: Tone::Success,
            text: shell.t(done.key()),
        })
        .into_iter()
        .collect();
    Ok(shell)
}

/// Path and query as requested, without the notice of an act: it is told once.
fn address(uri: &Uri, query: &Values) -> String {
    if query.find(DONE).is_none() {
        return uri
            .path_and_query()
            .map_or_else(|| uri.path().to_owned(), ToString::to_string);
    }
    let mut kept = form_urlencoded::Serializer::new(String::new());
    kept.extend_pairs(query.pairs().filter(|(name, _)| *name != DONE));
    match kept.finish() {
        rest if rest.is_empty() => uri.path().to_owned(),
        rest => format!("{}?{rest}", uri.path()),
    }
}

async fn account(
    state: &AppState,
    caller: &Caller,
    language: Language,
) -> Result<Option<AccountMenu>, Failure> {
    let Some(person) = caller.actor.find_person() else {
        return Ok(None);
    };
    let organization = db::organization::load(state.db.read(), person.organization).await?;
    let waits_for = if person.roles.contains(&Role::Reviewer) {
        Some(RequestState::AwaitingDecision)
    } else if person.roles.contains(&Role::Assessor) {
        Some(RequestState::AwaitingOpinion)
    } else {
        None
    };
    let open_reviews = match waits_for {
        Some(waiting) => {
            let filter = db::request::RequestFilter {
                states: vec![waiting],
                ..Default::default()
            };
            db::request::list(state.db.read(), &filter, None, MAX_WAITING)
                .await?
                .len()
        }
        None => 0,
    };
    Ok(Some(AccountMenu {
        name: person.display_name.clone(),
        organization: organization.name.get(language).to_owned(),
        roles: person.roles.iter().copied().collect(),
        open_reviews: u32::try_from(open_reviews).unwrap_or(u32::MAX),
    }))
}

/// Where a handler leaves its shell, so that the page of an error looks like the page that was asked for.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<OnceLock<Shell>>);

impl Slot {
    /// Leaves the shell of this request.
    pub(super) fn fill(&self, shell: &Shell) {
        // A request has one visit; a second one would say the same.
        let _ = self.0.set(shell.clone());
    }
}

/// Hands the shell of a request that failed on to whoever renders the failure, in the response's extensions.
pub(super) async fn keep(mut request: Request, next: Next) -> Response {
    let slot = Slot::default();
    request.extensions_mut().insert(slot.clone());
    let mut response = next.run(request).await;
    if response.extensions().get::<Failure>().is_some()
        && let Some(shell) = slot.0.get()
    {
        response.extensions_mut().insert(shell.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_notice_is_no_part_of_the_address() {
        let cases = [
            ("/publish", "/publish"),
            ("/publish?done=entry-saved", "/publish"),
            (
                "/review/7?lang=en&done=decided&x=%E7%A9%BA",
                "/review/7?lang=en&x=%E7%A9%BA",
            ),
            ("/datasets?q=a%20b", "/datasets?q=a%20b"),
        ];
        for (given, wanted) in cases {
            let uri: Uri = given.parse().unwrap();
            let query = Values::parse(uri.query().unwrap_or_default().as_bytes());
            assert_eq!(address(&uri, &query), wanted);
        }
    }
}
