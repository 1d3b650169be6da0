//! What is declared of a table: the catalogue's text and the sandbox's metadata, as plain data.
//!
//! Codes (theme, update cycle, licence) are the ones of the catalogue's vocabularies.

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use crate::organization::Organization;

/// A text in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// Chinese.
    pub zh: &'static str,
    /// English.
    pub en: &'static str,
}

/// Both languages of a text.
pub(crate) const fn text(zh: &'static str, en: &'static str) -> Text {
    Text { zh, en }
}

/// How sensitive a table or column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 不敏感.
    L1,
    /// 低敏感.
    L2,
    /// 较敏感.
    L3,
}

impl Level {
    /// `L1`, `L2` or `L3`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
        }
    }
}

/// What a column is to the people behind the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnRole {
    /// Says which privacy unit the row belongs to.
    UnitKey,
    /// Names a person together with others.
    QuasiIdentifier,
    /// What the person would not have known.
    Sensitive,
    /// None of these.
    Attribute,
}

impl ColumnRole {
    /// The stable name, such as `unit_key`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnitKey => "unit_key",
            Self::QuasiIdentifier => "quasi_identifier",
            Self::Sensitive => "sensitive",
            Self::Attribute => "attribute",
        }
    }
}

/// Whom the guarantee protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitType {
    /// A natural person, by ID number.
    Person,
    /// An enterprise, by unified social credit code.
    Enterprise,
}

impl UnitType {
    /// `person` or `enterprise`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Enterprise => "enterprise",
        }
    }
}

/// How rows belong to units, and how many of them are declared at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitSpec {
    /// The column that says whose the row is.
    pub column: &'static str,
    /// Whom the guarantee protects.
    pub unit_type: UnitType,
    /// The most units, on the 1-2-5 ladder.
    pub max_units: u64,
    /// The most rows, on the 1-2-5 ladder: room for the most rows of every unit there is.
    pub max_rows: u64,
    /// The most rows of one unit.
    pub max_rows_per_unit: u32,
}

impl UnitSpec {
    /// The declaration for this many units that there really are.
    pub(crate) fn new(column: &'static str, unit_type: UnitType, units: u64, max_rows_per_unit: u32) -> Self {
        Self {
            column,
            unit_type,
            max_units: ladder_at_least(units),
            max_rows: ladder_at_least(units * u64::from(max_rows_per_unit)),
            max_rows_per_unit,
        }
    }
}

/// The least of 1, 2, 5, 10, 20, 50 … that is not below a number.
pub(crate) fn ladder_at_least(number: u64) -> u64 {
    let mut power = 1;
    loop {
        for step in [1, 2, 5] {
            if power * step >= number {
                return power * step;
            }
        }
        power *= 10;
    }
}

/// A column (信息项).
#[derive(Debug, Clone)]
pub struct ColumnSpec {
    /// Its name in files and SQL.
    pub name: &'static str,
    /// Its name for people.
    pub label: Text,
    /// What it holds, in which unit.
    pub description: Text,
    /// Its Arrow type: Utf8, Int64, Float64, Date32 or Timestamp(µs) without zone (civil time of
    /// [`ZONE`](crate::city::ZONE)).
    pub data_type: DataType,
    /// What it is to the people behind the rows.
    pub role: ColumnRole,
    /// How sensitive it is.
    pub level: Level,
    /// Declared numeric bounds, both included.
    pub bounds: Option<(f64, f64)>,
    /// Public domain of a category; values may be missing all the same.
    pub domain: Option<Vec<&'static str>>,
    /// Whether all rows of a unit have the same value.
    pub unit_static: bool,
}

impl ColumnSpec {
    fn new(name: &'static str, data_type: DataType, label: Text, description: Text) -> Self {
        Self {
            name,
            label,
            description,
            data_type,
            role: ColumnRole::Attribute,
            level: Level::L1,
            bounds: None,
            domain: None,
            unit_static: false,
        }
    }

    /// A column of text.
    pub(crate) fn utf8(name: &'static str, label: Text, description: Text) -> Self {
        Self::new(name, DataType::Utf8, label, description)
    }

    /// A column of integers.
    pub(crate) fn integer(name: &'static str, label: Text, description: Text) -> Self {
        Self::new(name, DataType::Int64, label, description)
    }

    /// A column of doubles.
    pub(crate) fn number(name: &'static str, label: Text, description: Text) -> Self {
        Self::new(name, DataType::Float64, label, description)
    }

    /// A column of dates.
    pub(crate) fn date(name: &'static str, label: Text, description: Text) -> Self {
        Self::new(name, DataType::Date32, label, description)
    }

    /// A column of civil times to the second, kept as microseconds.
    pub(crate) fn time(name: &'static str, label: Text, description: Text) -> Self {
        Self::new(
            name,
            DataType::Timestamp(TimeUnit::Microsecond, None),
            label,
            description,
        )
    }

    /// With role and level.
    pub(crate) fn graded(self, role: ColumnRole, level: Level) -> Self {
        Self { role, level, ..self }
    }

    /// With numeric bounds.
    pub(crate) fn within(self, low: f64, high: f64) -> Self {
        Self {
            bounds: Some((low, high)),
            ..self
        }
    }

    /// With a public domain.
    pub(crate) fn among(self, domain: &[&'static str]) -> Self {
        Self {
            domain: Some(domain.to_vec()),
            ..self
        }
    }

    /// With one value per unit.
    pub(crate) fn unit_static(self) -> Self {
        Self {
            unit_static: true,
            ..self
        }
    }
}

/// A table: catalogue text and declared metadata.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Its address; the SQL name has `_` for `-`.
    pub slug: &'static str,
    /// 名称.
    pub title: Text,
    /// 摘要.
    pub summary: Text,
    /// Words that people look for, in both languages.
    pub keywords: &'static [&'static str],
    /// 主题, as a code such as `transport`.
    pub theme: &'static str,
    /// The level of the whole table.
    pub level: Level,
    /// Health, finance or minors: people review results too.
    pub special: bool,
    /// Who holds it.
    pub department: Organization,
    /// 更新周期, as a code such as `daily`.
    pub update_cycle: &'static str,
    /// Terms of use, as a code such as `cc-by-4.0`.
    pub license: &'static str,
    /// 开放条件, for what is opened on conditions.
    pub conditions: Option<Text>,
    /// The columns, in file order.
    pub columns: Vec<ColumnSpec>,
    /// The privacy unit, for what is about units.
    pub unit: Option<UnitSpec>,
}

impl TableSpec {
    /// The Arrow schema of the columns; all of them may hold NULL.
    pub fn arrow_schema(&self) -> Schema {
        Schema::new(
            self.columns
                .iter()
                .map(|c| Field::new(c.name, c.data_type.clone(), true))
                .collect::<Vec<_>>(),
        )
    }

    /// The column of this name.
    pub fn find_column(&self, name: &str) -> Option<&ColumnSpec> {
        self.columns.iter().find(|column| column.name == name)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashSet;

    use super::*;
    use crate::{Scale, Table};

    #[test]
    fn specs_hang_together() {
        for table in Table::ALL {
            let spec = table.spec(Scale::DEMO);
            assert_eq!(spec.slug, table.slug());
            let names: HashSet<_> = spec.columns.iter().map(|c| c.name).collect();
            assert_eq!(names.len(), spec.columns.len(), "{}", spec.slug);
            assert!(
                spec.columns.iter().all(|c| c.level <= spec.level),
                "{}",
                spec.slug
            );
            assert_eq!(
                spec.columns.iter().map(|c| c.level).max(),
                Some(spec.level),
                "{}",
                spec.slug
            );
            let keys = spec
                .columns
                .iter()
                .filter(|c| c.role == ColumnRole::UnitKey)
                .count();
            assert_eq!(keys, usize::from(spec.unit.is_some()), "{}", spec.slug);
            if let Some(unit) = spec.unit {
                assert_eq!(spec.find_column(unit.column).unwrap().role, ColumnRole::UnitKey);
            }
            for text in [spec.title, spec.summary] {
                assert!(
                    text.zh.chars().count() >= 4 && text.en.is_ascii(),
                    "{}",
                    spec.slug
                );
            }
            assert_eq!(spec.conditions.is_some(), spec.level > Level::L1);
            for column in &spec.columns {
                assert!(
                    column
                        .bounds
                        .is_none_or(|(low, high)| low < high && column.data_type.is_numeric())
                );
                assert!(
                    column.domain.is_none() || column.data_type == DataType::Utf8,
                    "{}",
                    column.name
                );
                assert!(!column.unit_static || spec.unit.is_some());
                let texts = [
                    column.label.zh,
                    column.label.en,
                    column.description.zh,
                    column.description.en,
                ];
                assert!(
                    texts.iter().all(|t| !t.is_empty()),
                    "{}.{}",
                    spec.slug,
                    column.name
                );
            }
        }
    }

    #[test]
    fn declared_maxima_are_on_the_ladder() {
        let unit = Table::BikeShareTrips.spec(Scale::DEMO).unit.unwrap();
        assert_eq!(
            (unit.max_units, unit.max_rows, unit.max_rows_per_unit),
            (200_000, 20_000_000, 100)
        );
        assert_eq!([0, 1, 3, 120_000].map(ladder_at_least), [1, 1, 5, 200_000]);
    }
}
