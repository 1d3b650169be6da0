//! How the errors of the use-cases become problems. Each error names its category and a stable code of its own
//! crate; here they meet the registry of [`crate::problem`].

use axum::response::{IntoResponse, Response};
use catalog_entry::EntryError;
use i18n::Message;
use model::{Category, Language, Localized};
use query::QueryError;
use review::ReviewError;
use sandbox_dummy::DummyError;
use sandbox_job::JobError;

use crate::problem::{Code, Problem, Span};
use crate::told::{self, Told, engine};

/// A problem on its way out: the middleware gives it the reader's language and form.
#[derive(Debug, Clone)]
pub struct Failure(pub Box<Problem>);

impl Failure {
    /// A problem of this code.
    pub fn new(code: Code, detail: Message) -> Self {
        Problem::new(code).detail(detail).into()
    }

    /// A problem of this code, in the words of a key that takes no arguments.
    pub fn say(code: Code, key: &'static str) -> Self {
        Self::new(code, told::say(key))
    }

    /// There is no such thing, or the caller may not know of it.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, told::no_such(what))
    }

    /// Our fault; what happened is in the log.
    pub fn internal() -> Self {
        Problem::new(Code::Internal).into()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.0.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

fn of(category: Category, error: &(impl std::fmt::Display + Told)) -> Problem {
    if category == Category::Internal {
        tracing::error!(%error, "request failed");
    }
    Problem::of(category, error.told())
}

impl From<db::Error> for Failure {
    fn from(error: db::Error) -> Self {
        of(error.category(), &error).into()
    }
}

impl From<identity::Error> for Failure {
    fn from(error: identity::Error) -> Self {
        let mut problem = of(error.category(), &error);
        if let identity::Error::Throttled { seconds } = &error {
            problem.retry_after_s = u32::try_from(*seconds).ok();
        }
        problem.into()
    }
}

impl From<identity::Denied> for Failure {
    fn from(error: identity::Denied) -> Self {
        of(error.category(), &error).into()
    }
}

impl From<EntryError> for Failure {
    fn from(error: EntryError) -> Self {
        let mut problem = of(error.category(), &error);
        if let EntryError::Ingest(ingest) = &error {
            problem.code = ingest_code(ingest.code());
        }
        problem.into()
    }
}

/// The registry's code for one of ingestion's own, which stands in `rule`.
pub(crate) fn ingest_code(code: &str) -> Code {
    match code {
        "ingest-encoding" => Code::UploadEncoding,
        "ingest-ragged-row"
        | "ingest-record-too-long"
        | "ingest-field-too-long"
        | "ingest-unterminated-quote"
        | "ingest-stray-quote" => Code::UploadShape,
        "ingest-column-name"
        | "ingest-duplicate-column"
        | "ingest-reserved-column"
        | "ingest-too-many-columns"
        | "ingest-missing-column"
        | "ingest-undeclared-column" => Code::UploadHeader,
        "ingest-empty"
        | "ingest-header-only"
        | "ingest-not-tabular"
        | "ingest-nul"
        | "ingest-unsupported-column"
        | "ingest-broken-parquet"
        | "ingest-row-group-too-large"
        | "ingest-option" => Code::UploadFormat,
        "ingest-truncated" => Code::UploadIncomplete,
        "ingest-cancelled" => Code::Unavailable,
        "ingest-internal" => Code::Internal,
        _ => Code::UploadDeclaration,
    }
}

impl From<ReviewError> for Failure {
    fn from(error: ReviewError) -> Self {
        let mut problem = of(error.category(), &error);
        if error.code() == "budget-not-available" {
            problem.code = Code::BudgetExhausted;
        }
        problem.into()
    }
}

impl From<DummyError> for Failure {
    fn from(error: DummyError) -> Self {
        of(error.category(), &error).into()
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        let mut problem = of(error.category(), &error);
        match &error {
            QueryError::Invalid(_)
            | QueryError::UnknownColumn { .. }
            | QueryError::Value(_)
            | QueryError::Refused(_) => problem.code = Code::InvalidSql,
            QueryError::Timeout(_) | QueryError::Memory => problem.code = Code::QueryLimit,
            QueryError::Busy => problem.retry_after_s = Some(2),
            QueryError::TooLong { .. } | QueryError::UnknownTable(_) | QueryError::Internal => {}
        }
        problem.rule = Some(error.code().to_owned());
        problem.hint = engine::hint(&error);
        problem.into()
    }
}

/// What is wrong with this SQL, and where in it.
pub(crate) fn in_sql(error: QueryError, sql: &str) -> Failure {
    let span = engine::place(&error, sql);
    let mut failure = Failure::from(error);
    failure.0.span = span;
    failure
}

/// A refusal of the sandbox: rule, place, hint.
pub(crate) fn refusal(refusal: &sandbox_plan::Refusal) -> Problem {
    let rule = refusal.rule;
    let mut detail = said(|language| rule.message(language));
    if let Some(what) = &refusal.detail {
        detail = told::say("why-about")
            .with("what", detail)
            .with("about", what.as_str());
    }
    let problem = Problem::new(Code::SandboxRefused)
        .detail(detail)
        .rule(rule.id(), said(|language| rule.hint(language)));
    let place = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    match refusal.span {
        Some(span) => problem.span(Span {
            line: place(span.line),
            column: place(span.column),
            end_line: place(span.end_line),
            end_column: place(span.end_column),
        }),
        None => problem,
    }
}

/// What others say in both languages.
fn said(text: impl Fn(Language) -> &'static str) -> Message {
    let (zh, en) = (text(Language::Zh), text(Language::En));
    match Localized::parse(zh, Some(en)) {
        Ok(text) => told::say("why-said").with("text", text),
        Err(_) => told::say("why-said").with("text", en),
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        if let JobError::Refused(refused) = &error {
            return refusal(refused).into();
        }
        let mut problem = of(error.category(), &error);
        if matches!(error, JobError::BudgetExhausted(_)) {
            problem.code = Code::BudgetExhausted;
        }
        problem.into()
    }
}
