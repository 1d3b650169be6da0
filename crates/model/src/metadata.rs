//! Declared metadata: what the sandbox may know of a dataset without looking at it (privacy.md "Declared metadata").
//!
//! The planner, estimates, deadlines, prices and dummy data read this type and nothing else, so whatever they show
//! is the same for every dataset with the same declaration.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::field::{FieldDeclaration, FieldName, FieldRole};
use crate::level::Level;

/// Whom the guarantee protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitType {
    /// A natural person, by ID number.
    Person,
    /// An enterprise, by unified social credit code.
    Enterprise,
    /// A household.
    Household,
    /// A vehicle, by plate.
    Vehicle,
    /// Each row is a unit of its own and joins with nothing.
    Row,
}

impl UnitType {
    /// All types.
    pub const ALL: [Self; 5] = [
        Self::Person,
        Self::Enterprise,
        Self::Household,
        Self::Vehicle,
        Self::Row,
    ];

    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Enterprise => "enterprise",
            Self::Household => "household",
            Self::Vehicle => "vehicle",
            Self::Row => "row",
        }
    }

    /// The type of a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == name)
    }
}

/// How rows belong to privacy units, and how many there can be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitDeclaration {
    /// Whom the guarantee protects.
    #[serde(rename = "type")]
    pub unit_type: UnitType,
    /// The most units in any version, on the 1-2-5 ladder. Publishing more is refused.
    pub max_units: u64,
    /// The most rows in any version, on the 1-2-5 ladder. Publishing more is refused.
    pub max_rows: u64,
    /// The most rows of one unit; further ones never enter the sandbox copy.
    pub max_rows_per_unit: u32,
}

/// The most units or rows that can be declared: 10¹⁰.
pub const MAX_DECLARED: u64 = 10_000_000_000;

/// The most rows that can be declared for one unit.
pub const MAX_ROWS_PER_UNIT: u32 = 10_000;

/// The most columns of a dataset.
pub const MAX_FIELDS: usize = 1_000;

/// What is declared of a dataset's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "DeclaredMetadataParts")]
pub struct DeclaredMetadata {
    unit: Option<UnitDeclaration>,
    zone: String,
    fields: Vec<FieldDeclaration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredMetadataParts {
    #[serde(default)]
    unit: Option<UnitDeclaration>,
    #[serde(default = "default_zone")]
    zone: String,
    fields: Vec<FieldDeclaration>,
}

fn default_zone() -> String {
    "Asia/Shanghai".to_owned()
}

impl TryFrom<DeclaredMetadataParts> for DeclaredMetadata {
    type Error = MetadataError;

    fn try_from(parts: DeclaredMetadataParts) -> Result<Self, MetadataError> {
        Self::new(parts.unit, parts.zone, parts.fields)
    }
}

/// Why a declaration makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MetadataError {
    /// No fields, or over [`MAX_FIELDS`].
    #[error("a dataset declares 1 to {MAX_FIELDS} fields; got {0}")]
    FieldCount(usize),
    /// Two fields share a name but for case.
    #[error("the field name {0:?} stands twice (names differ by more than case)")]
    DuplicateField(String),
    /// Bounds on something that is not a number.
    #[error("field {0:?}: bounds are for integer and number fields")]
    BoundsOnText(String),
    /// A domain on something that is not text.
    #[error("field {0:?}: a domain of texts is for text fields")]
    DomainOnNumber(String),
    /// More than one unit key, or a key with no unit.
    #[error("exactly one field has the role unit_key when a unit of type {unit} is declared; found {found}")]
    UnitKeys {
        /// The unit type declared, or `none`.
        unit: &'static str,
        /// How many keys stand there.
        found: usize,
    },
    /// A unit key or identifier with a domain, bounds or as unit-static.
    #[error("field {0:?}: a unit key or direct identifier takes no bounds, domain or unit_static")]
    KeyDeclared(String),
    /// A unit-static field without a unit.
    #[error("field {0:?}: unit_static needs a declared unit")]
    StaticWithoutUnit(String),
    /// A maximum off the 1-2-5 ladder.
    #[error("{what} must be on the ladder 1, 2, 5, 10, 20, 50 … up to {MAX_DECLARED}; got {got}")]
    OffLadder {
        /// Which maximum.
        what: &'static str,
        /// What was given.
        got: u64,
    },
    /// Rows per unit out of range.
    #[error("max_rows_per_unit must be 1 to {MAX_ROWS_PER_UNIT} and 1 where each row is a unit; got {0}")]
    RowsPerUnit(u32),
    /// Not a time zone of the IANA database.
    #[error("the zone {0:?} is not in the IANA time zone database")]
    Zone(String),
}

impl DeclaredMetadata {
    /// Checks a declaration as a whole.
    ///
    /// # Errors
    /// If its parts do not fit together; the message names the field and the rule.
    pub fn new(
        unit: Option<UnitDeclaration>,
        zone: String,
        fields: Vec<FieldDeclaration>,
    ) -> Result<Self, MetadataError> {
        if fields.is_empty() || fields.len() > MAX_FIELDS {
            return Err(MetadataError::FieldCount(fields.len()));
        }
        if jiff::tz::TimeZone::get(&zone).is_err() {
            return Err(MetadataError::Zone(zone.chars().take(64).collect()));
        }
        let mut names = HashMap::new();
        let mut keys = 0;
        for field in &fields {
            let name = || field.name.as_str().to_owned();
            if names.insert(field.name.folded(), ()).is_some() {
                return Err(MetadataError::DuplicateField(name()));
            }
            if field.bounds.is_some() && !field.field_type.is_numeric() {
                return Err(MetadataError::BoundsOnText(name()));
            }
            if field.domain.is_some() && field.field_type != crate::FieldType::Text {
                return Err(MetadataError::DomainOnNumber(name()));
            }
            if !field.role.in_sandbox_copy()
                && (field.bounds.is_some() || field.domain.is_some() || field.unit_static)
            {
                return Err(MetadataError::KeyDeclared(name()));
            }
            if field.unit_static && unit.is_none() {
                return Err(MetadataError::StaticWithoutUnit(name()));
            }
            keys += usize::from(field.role == FieldRole::UnitKey);
        }
        let wanted = usize::from(unit.is_some_and(|u| u.unit_type != UnitType::Row));
        if keys != wanted {
            let unit = unit.map_or("none", |u| u.unit_type.as_str());
            return Err(MetadataError::UnitKeys { unit, found: keys });
        }
        if let Some(unit) = unit {
            for (what, got) in [("max_units", unit.max_units), ("max_rows", unit.max_rows)] {
                if !on_ladder(got) {
                    return Err(MetadataError::OffLadder { what, got });
                }
            }
            let row_is_unit = unit.unit_type == UnitType::Row;
            let most = if row_is_unit { 1 } else { MAX_ROWS_PER_UNIT };
            if unit.max_rows_per_unit == 0 || unit.max_rows_per_unit > most {
                return Err(MetadataError::RowsPerUnit(unit.max_rows_per_unit));
            }
        }
        Ok(Self { unit, zone, fields })
    }

    /// The unit, if the rows are about units.
    pub const fn unit(&self) -> Option<UnitDeclaration> {
        self.unit
    }

    /// The zone in which the data's times are civil times.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The fields in file order.
    pub fn fields(&self) -> &[FieldDeclaration] {
        &self.fields
    }

    /// The field of this name (case as declared).
    pub fn find_field(&self, name: &str) -> Option<&FieldDeclaration> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }

    /// The field that says whose the row is.
    pub fn unit_key(&self) -> Option<&FieldName> {
        self.fields
            .iter()
            .find(|field| field.role == FieldRole::UnitKey)
            .map(|field| &field.name)
    }

    /// The highest level of any field: the least that the dataset's may be.
    pub fn least_level(&self) -> Level {
        self.fields
            .iter()
            .map(|field| field.level)
            .max()
            .unwrap_or(Level::L4)
    }
}

/// Whether a number is 1, 2 or 5 times a power of ten, up to [`MAX_DECLARED`].
pub fn on_ladder(number: u64) -> bool {
    let mut rest = number;
    while rest >= 10 && rest.is_multiple_of(10) {
        rest /= 10;
    }
    number <= MAX_DECLARED && matches!(rest, 1 | 2 | 5)
}

/// The least number of the 1-2-5 ladder that is not below this one (capped at [`MAX_DECLARED`]).
pub fn ladder_at_least(number: u64) -> u64 {
    let mut power = 1u64;
    loop {
        for step in [1, 2, 5] {
            let rung = power.saturating_mul(step);
            if rung >= number || rung >= MAX_DECLARED {
                return rung.min(MAX_DECLARED);
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn field(name: &str, extra: serde_json::Value) -> serde_json::Value {
        let mut value = json!({"name": name, "type": "text", "level": "L3"});
        value
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        value
    }

    fn declared(unit: serde_json::Value, fields: Vec<serde_json::Value>) -> Result<DeclaredMetadata, String> {
        serde_json::from_value(json!({"unit": unit, "fields": fields})).map_err(|e| e.to_string())
    }

    fn person() -> serde_json::Value {
        json!({"type": "person", "max_units": 200_000, "max_rows": 2_000_000, "max_rows_per_unit": 100})
    }

    #[test]
    fn a_sound_declaration_passes_and_round_trips() {
        let key = field("person_id", json!({"role": "unit_key"}));
        let sex = field("sex", json!({"domain": ["男", "女"], "unit_static": true}));
        let metadata = declared(person(), vec![key, sex]).unwrap();
        assert_eq!(metadata.least_level(), Level::L3);
        assert_eq!(metadata.unit_key().unwrap().as_str(), "person_id");
        let again = serde_json::from_value(serde_json::to_value(&metadata).unwrap()).unwrap();
        assert_eq!(metadata, again);
    }

    #[test]
    fn what_does_not_fit_together_is_refused_by_name() {
        let key = || field("id", json!({"role": "unit_key"}));
        let bad_unit = |k: &str, v: u64| {
            let mut unit = person();
            unit[k] = json!(v);
            unit
        };
        let cases = [
            (person(), vec![], "1 to 1000 fields"),
            (person(), vec![field("a", json!({}))], "exactly one field"),
            (person(), vec![key(), field("ID", json!({}))], "stands twice"),
            (json!(null), vec![key()], "exactly one field"),
            (
                json!(null),
                vec![field("a", json!({"unit_static": true}))],
                "unit_static needs",
            ),
            (
                person(),
                vec![field("id", json!({"role": "unit_key", "domain": ["a"]}))],
                "takes no bounds",
            ),
            (
                person(),
                vec![key(), field("a", json!({"bounds": {"lo": 0, "hi": 1}}))],
                "bounds are for",
            ),
            (
                person(),
                vec![key(), field("a", json!({"type": "integer", "domain": ["1"]}))],
                "domain of texts",
            ),
            (bad_unit("max_units", 120_000), vec![key()], "ladder"),
            (bad_unit("max_rows", 0), vec![key()], "ladder"),
            (bad_unit("max_rows_per_unit", 0), vec![key()], "max_rows_per_unit"),
            (
                bad_unit("max_rows_per_unit", 10_001),
                vec![key()],
                "max_rows_per_unit",
            ),
        ];
        for (unit, fields, want) in cases {
            let error = declared(unit, fields).unwrap_err();
            assert!(error.contains(want), "wanted {want:?} in {error:?}");
        }
    }

    #[test]
    fn the_ladder_is_coarse() {
        assert!([1, 2, 5, 10, 20, 500_000].into_iter().all(on_ladder));
        assert!(
            ![0, 3, 12, 15, 120_000, MAX_DECLARED * 2]
                .into_iter()
                .any(on_ladder)
        );
        assert_eq!(ladder_at_least(120_000), 200_000);
        assert_eq!(ladder_at_least(0), 1);
        assert_eq!(ladder_at_least(u64::MAX), MAX_DECLARED);
    }
}
