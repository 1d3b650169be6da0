//! Error pages: what, where, what to do, and the request's id.

use askama::Template;

use super::shell::{FieldError, Shell};
use crate::problem::Problem;

/// The page of a [`Problem`].
#[derive(Debug, Clone, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    /// What happened.
    pub title: String,
    /// What exactly and where, if more can be said.
    pub detail: Option<String>,
    /// The rule that was broken.
    pub rule: Option<String>,
    /// Where in the text that was sent: line and column.
    pub place: Option<(u32, u32)>,
    /// What to do.
    pub hint: String,
    /// Fields that are wrong.
    pub fields: Vec<FieldError>,
    /// Whether signing in could help.
    pub offers_sign_in: bool,
}

impl ErrorPage {
    /// The page that says what `problem` says.
    pub fn new(shell: Shell, problem: &Problem) -> Self {
        let language = shell.language;
        let status = problem.status();
        Self {
            status: status.as_u16(),
            code: problem.code.as_str(),
            title: problem.code.title(language),
            detail: problem.detail.as_ref().map(|detail| detail.text(language)),
            rule: problem.rule.clone(),
            place: problem.span.map(|span| (span.line, span.column)),
            hint: problem.hint_text(language),
            fields: problem
                .errors
                .iter()
                .map(|error| FieldError {
                    field: error.field.clone(),
                    message: error.detail.text(language),
                })
                .collect(),
            offers_sign_in: matches!(status.as_u16(), 401 | 403 | 404) && shell.account.is_none(),
            shell,
        }
    }
}
