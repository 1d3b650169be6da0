//! The pages: a handler authenticates, calls a use-case and fills a view of [`crate::page`]; one file per
//! part of the portal. The table of addresses stands there.
//!
//! Forms are posted, checked (`visit::Visit::check`) and answered with a redirect, or with the same page
//! and what is wrong (422). Whoever may not see a page gets a `Failure`, which the router
//! turns into a page.

mod account;
mod catalog;
mod check;
mod dataset;
mod entry;
mod home;
mod job;
mod ledger;
mod loss;
mod open_sql;
mod profile;
mod publish;
mod review;
mod sandbox;
pub(crate) mod shell;
#[cfg(test)]
mod tests;
mod upload;
mod version;
mod visit;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use crate::state::AppState;

/// Every page of the portal.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(home::home))
        .route("/about", get(home::about))
        .route("/problems", get(home::problems))
        .route("/datasets", get(catalog::list))
        .route("/datasets/{slug}", get(dataset::dataset))
        .route("/sql", get(open_sql::editor).post(open_sql::run))
        .route("/sign-in", get(account::sign_in_form).post(account::sign_in))
        .route("/sign-out", post(account::sign_out))
        .route("/account", get(account::account))
        .route("/account/tokens", post(account::create_token))
        .route("/account/tokens/{id}/revoke", post(account::revoke_token))
        .route("/publish", get(publish::my_datasets))
        .route("/publish/new", get(entry::new_form).post(entry::create))
        .route("/publish/{slug}/edit", get(entry::edit_form).post(entry::update))
        .route(
            "/publish/{slug}/release",
            get(publish::release_form).post(publish::submit_release),
        )
        .route("/publish/{slug}/versions/{number}", get(version::version))
        // A file is streamed, and its limit is the catalogue's own.
        .route(
            "/publish/{slug}/upload",
            get(upload::form).merge(post(upload::receive).layer(DefaultBodyLimit::disable())),
        )
        .route("/tasks/{id}", get(version::task))
        .route("/review", get(review::inbox))
        .route("/review/checks", get(check::list))
        .route("/review/checks/{id}", get(check::check))
        .route("/review/checks/{id}/vote", post(check::vote))
        .route("/review/{id}", get(review::request))
        .route("/review/{id}/opinion", post(review::give_opinion))
        .route("/review/{id}/decision", post(review::decide))
        .route("/sandbox", get(sandbox::landing))
        .route("/sandbox/apply", get(sandbox::access_form).post(sandbox::apply))
        .route("/sandbox/requests/{id}", get(sandbox::access_status))
        .route("/sandbox/requests/{id}/withdraw", post(sandbox::withdraw))
        .route("/sandbox/projects/{id}", get(sandbox::project))
        .route("/sandbox/projects/{id}/jobs/new", get(job::form).post(job::send))
        .route("/sandbox/jobs/{id}", get(job::job))
        .route("/sandbox/jobs/{id}/result.csv", get(job::result_csv))
        .route("/sandbox/jobs/{id}/receipt.json", get(job::receipt))
        .route("/ledger", get(ledger::ledger))
        .layer(from_fn(shell::keep))
}
