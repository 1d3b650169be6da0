//! Fields (信息项): their names, types, roles, declared bounds and domains.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::level::Level;
use crate::localized::Localized;

/// A column's name: 1 to 128 bytes of NFC text without control characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldName(String);

/// The text is no field name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a field name has 1 to 128 bytes and no control characters; got {0:?}")]
pub struct FieldNameError(String);

impl FieldNameError {
    /// What was given, shortened.
    pub fn given(&self) -> &str {
        &self.0
    }
}

impl FieldName {
    /// Normalises to NFC and trims.
    ///
    /// # Errors
    /// If nothing is left, it is too long, or it has control characters.
    pub fn parse(text: &str) -> Result<Self, FieldNameError> {
        let name: String = text.trim().nfc().collect();
        if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
            return Err(FieldNameError(text.chars().take(64).collect()));
        }
        Ok(Self(name))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two names must not share within a dataset: the lower-case form (SQL readers fold case).
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for FieldName {
    type Error = FieldNameError;

    fn try_from(text: String) -> Result<Self, FieldNameError> {
        Self::parse(&text)
    }
}

impl From<FieldName> for String {
    fn from(name: FieldName) -> Self {
        name.0
    }
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// UTF-8 text; codes with leading zeros are text.
    Text,
    /// 64-bit signed integer.
    Integer,
    /// IEEE 754 double.
    Number,
    /// True or false.
    Boolean,
    /// A civil date.
    Date,
    /// A moment to the microsecond, in the dataset's declared zone.
    Timestamp,
}

impl FieldType {
    /// All types.
    pub const ALL: [Self; 6] = [
        Self::Text,
        Self::Integer,
        Self::Number,
        Self::Boolean,
        Self::Date,
        Self::Timestamp,
    ];

    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }

    /// The type of a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }

    /// Whether bounds make sense.
    pub const fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }
}

/// What a field is to the people behind the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldRole {
    /// Says which privacy unit the row belongs to; never leaves quarantine but as a keyed hash.
    UnitKey,
    /// Names a person by itself (GB/T 37964); never in a sandbox copy.
    DirectIdentifier,
    /// Names a person together with others.
    QuasiIdentifier,
    /// What the person would not have known.
    Sensitive,
    /// None of these.
    #[default]
    Attribute,
}

impl FieldRole {
    /// All roles.
    pub const ALL: [Self; 5] = [
        Self::UnitKey,
        Self::DirectIdentifier,
        Self::QuasiIdentifier,
        Self::Sensitive,
        Self::Attribute,
    ];

    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnitKey => "unit_key",
            Self::DirectIdentifier => "direct_identifier",
            Self::QuasiIdentifier => "quasi_identifier",
            Self::Sensitive => "sensitive",
            Self::Attribute => "attribute",
        }
    }

    /// Whether a sandbox copy holds the field's own values.
    pub const fn in_sandbox_copy(self) -> bool {
        !matches!(self, Self::UnitKey | Self::DirectIdentifier)
    }
}

/// Declared numeric bounds, both included and finite, `lo ≤ hi`. Values outside are clamped, never an error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BoundsParts")]
pub struct Bounds {
    lo: f64,
    hi: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BoundsParts {
    lo: f64,
    hi: f64,
}

/// The bounds are not an interval of finite numbers within ±10¹⁵.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("bounds need finite lo ≤ hi within ±1e15; got [{0}, {1}]")]
pub struct BoundsError(f64, f64);

impl BoundsError {
    /// The lower and the upper bound that were given.
    pub const fn given(&self) -> (f64, f64) {
        (self.0, self.1)
    }
}

impl Bounds {
    /// An interval.
    ///
    /// # Errors
    /// If an end is not finite or beyond ±10¹⁵ (so that doubles hold every integer in between), or `lo > hi`.
    pub fn new(lo: f64, hi: f64) -> Result<Self, BoundsError> {
        let fine = |x: f64| x.is_finite() && x.abs() <= 1e15;
        if fine(lo) && fine(hi) && lo <= hi {
            Ok(Self { lo, hi })
        } else {
            Err(BoundsError(lo, hi))
        }
    }

    /// The lower end.
    pub const fn lo(self) -> f64 {
        self.lo
    }

    /// The upper end.
    pub const fn hi(self) -> f64 {
        self.hi
    }

    /// The largest absolute value: what one row can add at most.
    pub fn magnitude(self) -> f64 {
        self.lo.abs().max(self.hi.abs())
    }
}

impl TryFrom<BoundsParts> for Bounds {
    type Error = BoundsError;

    fn try_from(parts: BoundsParts) -> Result<Self, BoundsError> {
        Self::new(parts.lo, parts.hi)
    }
}

/// A public list of the values a category can take. Values outside it fall into one cell `other`, and missing ones
/// into one cell NULL, so that the cells of a grouping are known without looking at the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Domain(Vec<String>);

/// The most values a domain may list.
pub const MAX_DOMAIN: usize = 10_000;

/// Why a list is no domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// No values, or over [`MAX_DOMAIN`].
    #[error("a domain lists 1 to {MAX_DOMAIN} values; got {0}")]
    Size(usize),
    /// A value stands twice.
    #[error("a domain lists each value once; {0:?} stands twice")]
    Twice(String),
    /// A value is empty or over 256 bytes.
    #[error("a domain's values have 1 to 256 bytes; got {0:?}")]
    Value(String),
}

impl Domain {
    /// A list of distinct values, in the order in which cells are shown.
    ///
    /// # Errors
    /// If the list or a value is empty or too long, or a value stands twice.
    pub fn new(values: Vec<String>) -> Result<Self, DomainError> {
        if values.is_empty() || values.len() > MAX_DOMAIN {
            return Err(DomainError::Size(values.len()));
        }
        let mut seen = HashSet::with_capacity(values.len());
        for value in &values {
            if value.is_empty() || value.len() > 256 {
                return Err(DomainError::Value(value.chars().take(32).collect()));
            }
            if !seen.insert(value.as_str()) {
                return Err(DomainError::Twice(value.clone()));
            }
        }
        Ok(Self(values))
    }

    /// The values in their declared order.
    pub fn values(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for Domain {
    type Error = DomainError;

    fn try_from(values: Vec<String>) -> Result<Self, DomainError> {
        Self::new(values)
    }
}

impl From<Domain> for Vec<String> {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

/// What is declared of one field before any data is seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDeclaration {
    /// The column's name in the file.
    pub name: FieldName,
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Localized>,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Localized>,
    /// What its values are.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// What it is to the people behind the rows.
    #[serde(default)]
    pub role: FieldRole,
    /// Its own level; the dataset's is at least this.
    pub level: Level,
    /// Numeric bounds; needed before a sum can be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// Public values; needed before cells can be enumerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// One value per unit (residence district); verified for every version.
    #[serde(default)]
    pub unit_static: bool,
    /// Unit of measure, as a UCUM code or a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_are_normalised_and_checked() {
        assert_eq!(FieldName::parse(" 行程 距离 ").unwrap().as_str(), "行程 距离");
        assert_eq!(
            FieldName::parse("e\u{301}").unwrap(),
            FieldName::parse("é").unwrap()
        );
        for bad in ["", "  ", "a\0b", "a\nb", &"长".repeat(43)] {
            assert!(FieldName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn bounds_hold_only_intervals() {
        assert_eq!(Bounds::new(-3.0, 2.0).unwrap().magnitude(), 3.0);
        for (lo, hi) in [(1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (0.0, 1e16)] {
            assert!(Bounds::new(lo, hi).is_err());
        }
        assert!(serde_json::from_str::<Bounds>(r#"{"lo":5,"hi":1}"#).is_err());
    }

    #[test]
    fn domains_list_each_value_once() {
        assert!(Domain::new(vec![]).is_err());
        assert!(Domain::new(vec!["a".into(), "a".into()]).is_err());
        assert!(serde_json::from_str::<Domain>(r#"["男","女"]"#).is_ok());
    }
}
