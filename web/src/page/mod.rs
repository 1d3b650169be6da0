//! Pages: a view goes in, HTML comes out. No database, no use-case, no rule.
//!
//! Each view struct says what the handler fills; everything a reader typed or a department wrote is escaped by
//! the templates. Pages work without JavaScript; `assets/shapan.js` only adds comfort.
//!
//! Addresses that the pages link to and post to (forms are `application/x-www-form-urlencoded` unless said
//! otherwise, and each carries `csrf_token`):
//!
//! | address | view |
//! |---|---|
//! | `GET /` | [`home::HomePage`] |
//! | `GET /datasets` | [`dataset_list::DatasetListPage`] |
//! | `GET /datasets/{slug}` | [`dataset::DatasetPage`] |
//! | `GET, POST /sql` | [`open_sql::OpenSqlPage`] |
//! | `GET, POST /sign-in`, `POST /sign-out` | [`account::SignInPage`] |
//! | `GET /account`, `POST /account/tokens`, `POST /account/tokens/{id}/revoke` | [`account::AccountPage`] |
//! | `GET /publish` | [`publish::MyDatasetsPage`] |
//! | `GET, POST /publish/new`, `GET, POST /publish/{slug}/edit` | [`entry_form::EntryFormPage`] |
//! | `GET, POST /publish/{slug}/upload` (multipart) | [`publish::UploadPage`] |
//! | `GET /tasks/{id}`, `GET /api/v1/tasks/{id}` (polled) | [`publish::TaskPage`] |
//! | `GET /publish/{slug}/versions/{number}` | [`publish::VersionPage`] |
//! | `GET, POST /publish/{slug}/release` | [`publish::ReleaseFormPage`] |
//! | `GET /review` | [`review::InboxPage`] |
//! | `GET /review/checks` | [`check::ChecksPage`] |
//! | `GET /review/checks/{id}`, `POST /review/checks/{id}/vote` | [`check::CheckPage`] |
//! | `GET /review/{id}`, `POST /review/{id}/opinion`, `POST /review/{id}/decision` | [`review::ReviewPage`] |
//! | `GET /sandbox` | [`sandbox::SandboxPage`] |
//! | `GET, POST /sandbox/apply` | [`sandbox::AccessFormPage`] |
//! | `GET /sandbox/requests/{id}`, `POST /sandbox/requests/{id}/withdraw` | [`sandbox::AccessStatusPage`] |
//! | `GET /sandbox/projects/{id}` | [`sandbox::ProjectPage`] |
//! | `GET, POST /sandbox/projects/{id}/jobs/new` | [`job::NewJobPage`] |
//! | `GET /sandbox/jobs/{id}`, `GET /sandbox/jobs/{id}/result.csv`, `…/receipt.json` | [`job::JobPage`] |
//! | `GET /ledger` | [`ledger::LedgerPage`] |
//! | `GET /about`, `GET /problems` | [`about::AboutPage`], [`about::ProblemListPage`] |
//! | any error | [`error::ErrorPage`] |

pub mod about;
pub mod account;
pub mod chart;
pub mod check;
pub mod dataset;
pub mod dataset_list;
pub mod entry_form;
mod entry_form_page;
pub mod error;
pub mod home;
pub mod job;
pub mod ledger;
pub mod loss;
pub mod open_sql;
pub mod publish;
pub mod review;
pub mod sandbox;
pub mod shell;
pub mod table;
pub(crate) mod term;

#[cfg(test)]
mod tests;

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use model::Language;

pub use shell::{AccountMenu, FieldError, FieldErrors, Notice, Section, Segment, Shell, Tone};

/// What pages may load: their own style sheet, script and pictures, and nothing inline.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The answer with this page.
///
/// Pages depend on who is signed in, so caches keep none; `Vary` keeps languages apart all the same.
pub fn respond<T: Template>(status: StatusCode, language: Language, page: &T) -> Response {
    // A template writes into memory: only an allocation could fail, and that ends the process anyway.
    let Ok(html) = page.render() else {
        return crate::problem::Problem::new(crate::problem::Code::Internal).response(language);
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language, Cookie"));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    );
    response
}
