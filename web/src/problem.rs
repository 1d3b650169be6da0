//! Problems as the portal tells them: RFC 9457 `application/problem+json` with a stable code, in the reader's
//! language. The one place that turns a [`Category`] into an HTTP status.
//!
//! Codes are a contract: v1 only ever adds some. Each has a title and a hint in both languages
//! (`problem-<code>`, `problem-<code>-hint`) and a place on the page `/problems`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use i18n::{Message, Translator};
use model::{Category, Language};
use serde::Serialize;

/// The HTTP status of a category of failure.
pub const fn status(category: Category) -> StatusCode {
    match category {
        Category::Invalid => StatusCode::BAD_REQUEST,
        Category::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        Category::Unauthenticated => StatusCode::UNAUTHORIZED,
        Category::Forbidden => StatusCode::FORBIDDEN,
        Category::NotFound => StatusCode::NOT_FOUND,
        Category::Conflict => StatusCode::CONFLICT,
        Category::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Category::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Category::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Category::UnsupportedFormat => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Category::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Category::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $title:literal, $hint:literal, $status:expr;)+) => {
        /// The stable code of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)+ }

        impl Code {
            /// Every code, in the order of the page `/problems`.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            const fn title_key(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }

            const fn hint_key(self) -> &'static str {
                match self { $(Self::$variant => $hint),+ }
            }

            /// Its HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => $status),+ }
            }
        }
    };
}

codes! {
    /// A body, parameter or form that breaks a rule.
    InvalidInput = "invalid-input", "problem-invalid-input", "problem-invalid-input-hint", status(Category::Invalid);
    /// A cursor that the portal did not give out, or for another list.
    InvalidCursor = "invalid-cursor", "problem-invalid-cursor", "problem-invalid-cursor-hint", status(Category::Invalid);
    /// SQL over open data that cannot be read or resolved.
    InvalidSql = "invalid-sql", "problem-invalid-sql", "problem-invalid-sql-hint", status(Category::Invalid);
    /// A query over open data that took more time, memory or rows than allowed.
    QueryLimit = "query-limit", "problem-query-limit", "problem-query-limit-hint", status(Category::TooMany);
    /// Nobody is signed in, or the token or password is wrong.
    Unauthenticated = "unauthenticated", "problem-unauthenticated", "problem-unauthenticated-hint", status(Category::Unauthenticated);
    /// The actor may not do this.
    Forbidden = "forbidden", "problem-forbidden", "problem-forbidden-hint", status(Category::Forbidden);
    /// The form's anti-forgery token does not fit the session.
    StaleForm = "stale-form", "problem-stale-form", "problem-stale-form-hint", status(Category::Forbidden);
    /// There is no such thing, or the actor may not know of it.
    NotFound = "not-found", "problem-not-found", "problem-not-found-hint", status(Category::NotFound);
    /// The state does not allow the act, or it exists already.
    Conflict = "conflict", "problem-conflict", "problem-conflict-hint", status(Category::Conflict);
    /// The project, dataset or lineage has too little privacy budget left.
    BudgetExhausted = "budget-exhausted", "problem-budget-exhausted", "problem-budget-exhausted-hint", status(Category::Conflict);
    /// The first request with this Idempotency-Key is still at work.
    IdempotencyInProgress = "idempotency-in-progress", "problem-idempotency-in-progress", "problem-idempotency-in-progress-hint", status(Category::Conflict);
    /// If-Match does not name the current revision.
    PreconditionFailed = "precondition-failed", "problem-precondition-failed", "problem-precondition-failed-hint", status(Category::PreconditionFailed);
    /// The sandbox's rules refuse the job; nothing was charged.
    SandboxRefused = "sandbox-refused", "problem-sandbox-refused", "problem-sandbox-refused-hint", status(Category::Refused);
    /// A rule of publishing or review refuses it.
    Refused = "refused", "problem-refused", "problem-refused-hint", status(Category::Refused);
    /// An Idempotency-Key was used again with another body.
    IdempotencyMismatch = "idempotency-mismatch", "problem-idempotency-mismatch", "problem-idempotency-mismatch-hint", status(Category::Refused);
    /// The file is neither UTF-8 nor GB18030, or breaks in the middle.
    UploadEncoding = "upload-encoding", "problem-upload-encoding", "problem-upload-encoding-hint", status(Category::Refused);
    /// Ragged rows, a quote that never ends, a line beyond the limit.
    UploadShape = "upload-shape", "problem-upload-shape", "problem-upload-shape-hint", status(Category::Refused);
    /// Column names that are empty, stand twice or are not declared.
    UploadHeader = "upload-header", "problem-upload-header", "problem-upload-header-hint", status(Category::Refused);
    /// Not the format it is called: a zip named .csv, an empty file, NUL bytes.
    UploadFormat = "upload-format", "problem-upload-format", "problem-upload-format-hint", status(Category::Refused);
    /// The data break the declaration: more units or rows than declared, no unit key, values that change.
    UploadDeclaration = "upload-declaration", "problem-upload-declaration", "problem-upload-declaration-hint", status(Category::Refused);
    /// The upload ended before its announced length.
    UploadIncomplete = "upload-incomplete", "problem-upload-incomplete", "problem-upload-incomplete-hint", status(Category::Invalid);
    /// A body that did not arrive in time.
    RequestTimeout = "request-timeout", "problem-request-timeout", "problem-request-timeout-hint", StatusCode::REQUEST_TIMEOUT;
    /// A body, file or text over a configured limit.
    TooLarge = "too-large", "problem-too-large", "problem-too-large-hint", status(Category::TooLarge);
    /// Too many requests in a short time.
    TooManyRequests = "too-many-requests", "problem-too-many-requests", "problem-too-many-requests-hint", status(Category::TooMany);
    /// The body's media type is not understood.
    UnsupportedFormat = "unsupported-format", "problem-unsupported-format", "problem-unsupported-format-hint", status(Category::UnsupportedFormat);
    /// Disk, database or a worker cannot be had now.
    Unavailable = "unavailable", "problem-unavailable", "problem-unavailable-hint", status(Category::Unavailable);
    /// Our fault; details are in the operator's log.
    Internal = "internal", "problem-internal", "problem-internal-hint", status(Category::Internal);
    /// The address exists, the method does not.
    MethodNotAllowed = "method-not-allowed", "problem-method-not-allowed", "problem-method-not-allowed-hint", StatusCode::METHOD_NOT_ALLOWED;
    /// None of the formats asked for can be given.
    NotAcceptable = "not-acceptable", "problem-not-acceptable", "problem-not-acceptable-hint", StatusCode::NOT_ACCEPTABLE;
    /// An edit or decision without If-Match.
    PreconditionRequired = "precondition-required", "problem-precondition-required", "problem-precondition-required-hint", StatusCode::PRECONDITION_REQUIRED;
    /// The range lies outside the file.
    RangeNotSatisfiable = "range-not-satisfiable", "problem-range-not-satisfiable", "problem-range-not-satisfiable-hint", StatusCode::RANGE_NOT_SATISFIABLE;
}

impl Code {
    /// The code that a category has when nothing more is known.
    pub const fn of(category: Category) -> Self {
        match category {
            Category::Invalid => Self::InvalidInput,
            Category::Refused => Self::Refused,
            Category::Unauthenticated => Self::Unauthenticated,
            Category::Forbidden => Self::Forbidden,
            Category::NotFound => Self::NotFound,
            Category::Conflict => Self::Conflict,
            Category::PreconditionFailed => Self::PreconditionFailed,
            Category::TooLarge => Self::TooLarge,
            Category::TooMany => Self::TooManyRequests,
            Category::UnsupportedFormat => Self::UnsupportedFormat,
            Category::Unavailable => Self::Unavailable,
            Category::Internal => Self::Internal,
        }
    }

    /// What happened, in a few words.
    pub fn title(self, language: Language) -> String {
        Translator::text(language, self.title_key(), &[])
    }

    /// What the reader can do.
    pub fn hint(self, language: Language) -> String {
        Translator::text(language, self.hint_key(), &[])
    }
}

/// A place in a text that was sent, counted from 1 in lines and characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character.
    pub column: u32,
    /// Line of the last character.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
}

/// What is wrong with one field of a body or form.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldProblem {
    /// The field's name, or its place in a JSON body as a pointer (RFC 6901).
    pub field: String,
    /// What is wrong with it.
    pub detail: Message,
}

/// A problem before it has a language.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Which problem.
    pub code: Code,
    /// What, where: never a protected value, never an internal message.
    pub detail: Option<Message>,
    /// The path of the request.
    pub instance: Option<String>,
    /// The id under which the operator finds the request in the log.
    pub request_id: Option<String>,
    /// The rule that was broken (sandbox refusals, publishing rules).
    pub rule: Option<String>,
    /// Where in the text that was sent.
    pub span: Option<Span>,
    /// What to do, when more can be said than the code's own hint does.
    pub hint: Option<Message>,
    /// Fields that are wrong, one by one.
    pub errors: Vec<FieldProblem>,
    /// After how many seconds to try again (`Retry-After`).
    pub retry_after_s: Option<u32>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<Span>,
    hint: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldBody<'a>>,
}

#[derive(Serialize)]
struct FieldBody<'a> {
    field: &'a str,
    detail: String,
}

impl Problem {
    /// A problem of this code with nothing more to say.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            instance: None,
            request_id: None,
            rule: None,
            span: None,
            hint: None,
            errors: Vec::new(),
            retry_after_s: None,
        }
    }

    /// The problem of an error that names its category. What an internal error says is for the log: its text does
    /// not go into the answer.
    pub fn of(category: Category, message: Message) -> Self {
        let problem = Self::new(Code::of(category));
        match category {
            Category::Internal => problem,
            _ => problem.detail(message),
        }
    }

    /// Says what and where.
    #[must_use]
    pub fn detail(mut self, detail: Message) -> Self {
        self.detail = Some(detail);
        self
    }

    /// What and where, in this language; the title's words where there are no others.
    pub fn detail_text(&self, language: Language) -> String {
        let detail = self.detail.as_ref().map(|detail| detail.text(language));
        detail.unwrap_or_else(|| self.code.title(language))
    }

    /// Names the path and the id of the request.
    #[must_use]
    pub fn at(mut self, instance: impl Into<String>, request_id: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self.request_id = Some(request_id.into());
        self
    }

    /// Names the broken rule and what to do about it.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>, hint: Message) -> Self {
        self.rule = Some(rule.into());
        self.hint = Some(hint);
        self
    }

    /// Says where in the text that was sent.
    #[must_use]
    pub const fn span(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// Adds a field that is wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, detail: Message) -> Self {
        self.errors.push(FieldProblem {
            field: field.into(),
            detail,
        });
        self
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// What to do, in this language.
    pub fn hint_text(&self, language: Language) -> String {
        let hint = self.hint.as_ref().map(|hint| hint.text(language));
        hint.unwrap_or_else(|| self.code.hint(language))
    }

    /// The JSON body (RFC 9457 §3).
    pub fn to_json(&self, language: Language) -> String {
        let body = Body {
            kind: format!("/problems#{}", self.code.as_str()),
            title: self.code.title(language),
            status: self.status().as_u16(),
            code: self.code.as_str(),
            detail: self.detail.as_ref().map(|detail| detail.text(language)),
            instance: self.instance.as_deref(),
            request_id: self.request_id.as_deref(),
            rule: self.rule.as_deref(),
            span: self.span,
            hint: self.hint_text(language),
            errors: self
                .errors
                .iter()
                .map(|error| FieldBody {
                    field: &error.field,
                    detail: error.detail.text(language),
                })
                .collect(),
        };
        // Strings and numbers always serialise; the fallback is the same promise in fewer words.
        serde_json::to_string(&body)
            .unwrap_or_else(|_| format!("{{\"code\":\"{}\",\"status\":{}}}", body.code, body.status))
    }

    /// The answer as `application/problem+json`.
    pub fn response(&self, language: Language) -> Response {
        let mut response = (self.status(), self.to_json(language)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashSet;

    use model::Localized;

    use super::*;

    #[test]
    fn codes_are_unique_and_translated() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code:?}");
            assert_eq!(code.title_key(), format!("problem-{}", code.as_str()));
            assert_eq!(code.hint_key(), format!("problem-{}-hint", code.as_str()));
            for language in [Language::Zh, Language::En] {
                assert!(!i18n::is_untranslated(&code.title(language)), "{code:?}");
                assert!(!i18n::is_untranslated(&code.hint(language)), "{code:?}");
            }
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }

    #[test]
    fn the_contract_of_interfaces_md_holds() {
        assert_eq!(Code::SandboxRefused.as_str(), "sandbox-refused");
        assert_eq!(Code::SandboxRefused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(Code::BudgetExhausted.as_str(), "budget-exhausted");
        assert_eq!(Code::BudgetExhausted.status(), StatusCode::CONFLICT);
    }

    #[test]
    fn the_body_is_rfc_9457_with_extensions() {
        let span = Span {
            line: 1,
            column: 8,
            end_line: 1,
            end_column: 12,
        };
        let both = |zh: &str, en: &str| {
            let text = Localized::parse(zh, Some(en)).unwrap();
            Message::new("why-said").with("text", text)
        };
        let problem = Problem::new(Code::SandboxRefused)
            .detail(both("不发布最大值", "MAX is not released"))
            .at("/api/v1/projects/x/jobs", "r-1")
            .rule(
                "aggregate-not-allowed",
                both("改用分位数", "ask for a quantile \"<b>\""),
            )
            .span(span)
            .field("/sql", both("错", "wrong"));
        let json: serde_json::Value = serde_json::from_str(&problem.to_json(Language::En)).unwrap();
        assert_eq!(json["type"], "/problems#sandbox-refused");
        assert_eq!(json["status"], 422);
        assert_eq!(json["code"], "sandbox-refused");
        assert_eq!(json["rule"], "aggregate-not-allowed");
        assert_eq!(json["span"]["column"], 8);
        assert_eq!(json["detail"], "MAX is not released");
        assert_eq!(json["hint"], "ask for a quantile \"<b>\"");
        assert_eq!(json["errors"][0]["field"], "/sql");
        assert_eq!(json["errors"][0]["detail"], "wrong");
        let json: serde_json::Value = serde_json::from_str(&problem.to_json(Language::Zh)).unwrap();
        assert_eq!(
            (&json["detail"], &json["hint"], &json["errors"][0]["detail"]),
            (&"不发布最大值".into(), &"改用分位数".into(), &"错".into())
        );
        let response = problem.response(Language::En);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(response.headers()[header::CONTENT_LANGUAGE], "en");
    }

    #[test]
    fn what_an_internal_error_says_stays_inside() {
        let secret = Message::new("why-said").with("text", "row 17 holds 330102199001011234");
        let problem = Problem::of(Category::Internal, secret.clone());
        assert!(!problem.to_json(Language::En).contains("3301"));
        let problem = Problem::of(Category::NotFound, secret);
        assert!(problem.to_json(Language::En).contains("3301"));
    }
}
