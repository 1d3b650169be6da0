//! Entries, uploads, and what is wrong with files.

use std::borrow::Cow;

use catalog_entry::{EntryError, Obstacle, Rule, SearchRule};
use catalog_ingest::{Argument, IngestError};
use catalog_search::{FILTER_VALUES_MAX, PER_PAGE_MAX, WINDOW_MAX};
use i18n::{Message, Translator};
use model::FieldType;
use serde_json::{Map, Value};

use super::{Told, no_such, say};
use crate::page::term::key;

impl Told for EntryError {
    fn told(&self) -> Message {
        match self {
            Self::Invalid(rule) => rule.told(),
            Self::SlugTaken(slug) => say("why-slug-taken").with("slug", slug.as_str()),
            Self::Denied(denied) => denied.told(),
            Self::NotFound(what) => no_such(what),
            Self::State(obstacle) => obstacle.told(),
            Self::Ingest(error) => error.told(),
            Self::Storage(error) => error.told(),
            Self::Database(error) => error.told(),
            Self::Internal(_) => say("problem-internal"),
        }
    }
}

impl Told for Rule {
    fn told(&self) -> Message {
        match self {
            Self::Description(error) => error.told(),
            Self::LevelBelowField { level, least } => say("why-level-below-field")
                .with("level", level.to_string())
                .with("least", least.to_string()),
            Self::UnitOfOpenData => say("why-unit-of-open"),
            Self::FileName(name) => say("why-file-name").with("name", name.as_str()),
            Self::Search(rule) => rule.told(),
        }
    }
}

impl Told for SearchRule {
    fn told(&self) -> Message {
        match self {
            Self::Page { number, size } => say("why-search-page")
                .with("number", *number)
                .with("size", *size)
                .with("most", PER_PAGE_MAX)
                .with("window", WINDOW_MAX),
            Self::Filter { facet, count } => say("why-search-filter")
                .with("facet", *facet)
                .with("count", *count)
                .with("most", FILTER_VALUES_MAX),
        }
    }
}

impl Told for Obstacle {
    fn told(&self) -> Message {
        say(match self {
            Self::Retired => "why-retired",
            Self::NotOpened => "why-not-opened",
            Self::NoUnit => "why-no-unit",
            Self::TooManyUploads => "why-too-many-uploads",
            Self::UploadGone => "why-upload-gone",
            Self::UploadConfirmed => "why-upload-confirmed",
            Self::Released => "why-released",
            Self::ReleaseRequested => "why-release-requested",
        })
    }
}

impl Told for IngestError {
    fn told(&self) -> Message {
        match self {
            Self::Storage(error) => error.told(),
            Self::Read(_) | Self::Internal(_) => say("problem-internal"),
            file => {
                let arguments = file.arguments().into_iter();
                let arguments = arguments.map(|(name, argument)| {
                    let argument = match argument {
                        Argument::Number(number) => Value::from(number),
                        Argument::Text(text) => Value::from(text),
                    };
                    (name.to_owned(), argument)
                });
                failure(file.code(), &arguments.collect())
            }
        }
    }
}

/// Why a file could not be read, as it was stored with its version.
pub(crate) fn stored_failure(stored: &Value) -> Option<Message> {
    let code = stored.get("code")?.as_str()?;
    let arguments = stored.get("arguments").and_then(Value::as_object);
    // Before arguments were stored there was the English text alone.
    let arguments = match arguments {
        Some(arguments) => Cow::Borrowed(arguments),
        None if code == "ingest-unavailable" => Cow::Owned(Map::new()),
        None => return None,
    };
    Translator::has(&format!("why-{code}")).then(|| failure(code, &arguments))
}

/// The message of one of ingestion's codes with its arguments.
fn failure(code: &str, arguments: &Map<String, Value>) -> Message {
    let mut message = Message::new(format!("why-{code}"));
    for (name, value) in arguments {
        let text = value.as_str().unwrap_or_default();
        message = match name.as_str() {
            "found" => message.with("found", Message::new(format!("why-foreign-{text}"))),
            "expected" => {
                let expected = FieldType::from_name(text).unwrap_or(FieldType::Text);
                message.with("expected", say(key::field_type(&expected))).with(
                    "advice",
                    Message::new(format!("why-advice-{}", expected.as_str())),
                )
            }
            _ => match value.as_f64() {
                Some(number) => message.with(name.clone(), number),
                None => message.with(name.clone(), text),
            },
        };
    }
    message
}
