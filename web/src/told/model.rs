//! The model's own rules.

use i18n::{Message, Part};
use model::UnitType;
use model::entry::EntryError;
use model::field::{BoundsError, DomainError, FieldNameError, MAX_DOMAIN};
use model::id::IdError;
use model::level::LevelError;
use model::localized::{LocalizedError, MAX_CHARS};
use model::metadata::{MAX_DECLARED, MAX_FIELDS, MAX_ROWS_PER_UNIT, MetadataError};
use model::slug::SlugError;

use super::{Told, say};
use crate::page::term::key;

impl Told for SlugError {
    fn told(&self) -> Message {
        say("why-slug").with("given", self.given())
    }
}

impl Told for IdError {
    fn told(&self) -> Message {
        say("why-id")
            .with("kind", self.kind())
            .with("given", self.given())
    }
}

impl Told for LevelError {
    fn told(&self) -> Message {
        say("why-level").with("given", self.given())
    }
}

impl Told for LocalizedError {
    fn told(&self) -> Message {
        match self {
            Self::Empty => say("why-text-empty"),
            Self::TooLong(got) => say("why-text-too-long")
                .with("limit", MAX_CHARS)
                .with("got", *got),
            Self::Control(code) => say("why-text-control").with("character", format!("U+{code:04X}")),
        }
    }
}

impl Told for FieldNameError {
    fn told(&self) -> Message {
        say("why-field-name").with("given", self.given())
    }
}

impl Told for BoundsError {
    fn told(&self) -> Message {
        let (lo, hi) = self.given();
        say("why-bounds")
            .with("lo", lo.to_string())
            .with("hi", hi.to_string())
    }
}

impl Told for DomainError {
    fn told(&self) -> Message {
        match self {
            Self::Size(got) => say("why-domain-size").with("limit", MAX_DOMAIN).with("got", *got),
            Self::Twice(value) => say("why-domain-twice").with("value", value.as_str()),
            Self::Value(value) => say("why-domain-value").with("value", value.as_str()),
        }
    }
}

impl Told for EntryError {
    fn told(&self) -> Message {
        match self {
            Self::KeywordCount(got) => say("why-keyword-count").with("got", *got),
            Self::Keyword(word) => say("why-keyword").with("word", word.as_str()),
            Self::Region(given) => say("why-region").with("given", given.as_str()),
            Self::TooLong { field, max, got } => say("why-entry-too-long")
                .with("field", *field)
                .with("max", *max)
                .with("got", *got),
        }
    }
}

fn unit_type(unit: UnitType) -> Part {
    say(key::unit_type(&unit)).into()
}

impl Told for MetadataError {
    fn told(&self) -> Message {
        let about = |key: &'static str, name: &str| say(key).with("name", name);
        match self {
            Self::FieldCount(got) => say("why-field-count").with("limit", MAX_FIELDS).with("got", *got),
            Self::DuplicateField(name) => about("why-field-twice", name),
            Self::BoundsOnText(name) => about("why-bounds-on-text", name),
            Self::DomainOnNumber(name) => about("why-domain-on-number", name),
            Self::UnitKeys { unit, found } => say("why-unit-keys")
                .with(
                    "unit",
                    UnitType::from_name(unit).map_or_else(|| (*unit).into(), unit_type),
                )
                .with("found", *found),
            Self::KeyDeclared(name) => about("why-key-declared", name),
            Self::StaticWithoutUnit(name) => about("why-static-without-unit", name),
            Self::OffLadder { what, got } => say("why-off-ladder")
                .with("what", *what)
                .with("limit", MAX_DECLARED)
                .with("got", *got),
            Self::RowsPerUnit(got) => say("why-rows-per-unit")
                .with("limit", MAX_ROWS_PER_UNIT)
                .with("got", *got),
            Self::Zone(zone) => say("why-zone").with("zone", zone.as_str()),
        }
    }
}
