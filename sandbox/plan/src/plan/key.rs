//! Grouping keys and their cells.

use model::FieldType;
use serde::{Deserialize, Serialize};

use crate::scalar::ScalarExpr;

/// The values of a grouping key that have cells of their own, in the order of the cells. Behind them come the cell
/// `other`, where one is possible, and the cell NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyCells {
    /// Texts.
    Text {
        /// The public values.
        values: Vec<String>,
        /// Whether values outside the list can occur; they share the cell `other`.
        other: bool,
    },
    /// Listed integers, in order.
    Integers {
        /// The public values.
        values: Vec<i64>,
    },
    /// Every integer between two.
    Integer {
        /// The least.
        lo: i64,
        /// The greatest.
        hi: i64,
    },
    /// Listed days since 1970-01-01, in order.
    Dates {
        /// The public values.
        values: Vec<i32>,
    },
    /// Listed microseconds since 1970-01-01T00:00 on the dataset's clock, in order.
    Timestamps {
        /// The public values.
        values: Vec<i64>,
    },
    /// False, then true.
    Boolean,
    /// Any value of a type, NULL among them: which there are is found, and shown only where enough units have it.
    Open(FieldType),
}

impl KeyCells {
    /// How many cells there are, NULL's included; 1 where they are not known.
    pub fn count(&self) -> u64 {
        let values = match self {
            Self::Text { values, other } => values.len() as u64 + u64::from(*other),
            Self::Integers { values } | Self::Timestamps { values } => values.len() as u64,
            Self::Dates { values } => values.len() as u64,
            Self::Integer { lo, hi } => hi.abs_diff(*lo).saturating_add(1),
            Self::Boolean => 2,
            Self::Open(_) => 0,
        };
        values.saturating_add(1)
    }

    /// The type of its values.
    pub const fn field_type(&self) -> FieldType {
        match self {
            Self::Text { .. } => FieldType::Text,
            Self::Integer { .. } | Self::Integers { .. } => FieldType::Integer,
            Self::Dates { .. } => FieldType::Date,
            Self::Timestamps { .. } => FieldType::Timestamp,
            Self::Boolean => FieldType::Boolean,
            Self::Open(field_type) => *field_type,
        }
    }

    /// Whether a cell can stand for this value.
    pub fn can_hold(&self, value: &KeyValue) -> bool {
        match (self, value) {
            (_, KeyValue::Null) => true,
            (Self::Text { values, .. }, KeyValue::Text(text)) => values.contains(text),
            (Self::Text { other, .. }, KeyValue::Other) => *other,
            (Self::Integers { values }, KeyValue::Integer(value)) => values.binary_search(value).is_ok(),
            (Self::Integer { lo, hi }, KeyValue::Integer(value)) => (lo..=hi).contains(&value),
            (Self::Dates { values }, KeyValue::Date(value)) => values.binary_search(value).is_ok(),
            (Self::Timestamps { values }, KeyValue::Timestamp(value)) => values.binary_search(value).is_ok(),
            (Self::Boolean, KeyValue::Boolean(_))
            | (Self::Open(FieldType::Text), KeyValue::Text(_))
            | (Self::Open(FieldType::Integer), KeyValue::Integer(_))
            | (Self::Open(FieldType::Date), KeyValue::Date(_))
            | (Self::Open(FieldType::Timestamp), KeyValue::Timestamp(_)) => true,
            _ => false,
        }
    }

    /// What the n-th cell stands for.
    pub fn value(&self, cell: u64) -> KeyValue {
        let at = usize::try_from(cell).unwrap_or(usize::MAX);
        match self {
            Self::Text { values, other } => match values.get(at) {
                Some(value) => KeyValue::Text(value.clone()),
                None if *other && at == values.len() => KeyValue::Other,
                None => KeyValue::Null,
            },
            Self::Integers { values } => values.get(at).copied().map_or(KeyValue::Null, KeyValue::Integer),
            Self::Integer { lo, hi } => match lo.checked_add_unsigned(cell) {
                Some(value) if value <= *hi => KeyValue::Integer(value),
                _ => KeyValue::Null,
            },
            Self::Dates { values } => values.get(at).copied().map_or(KeyValue::Null, KeyValue::Date),
            Self::Timestamps { values } => values
                .get(at)
                .copied()
                .map_or(KeyValue::Null, KeyValue::Timestamp),
            Self::Boolean => match cell {
                0 => KeyValue::Boolean(false),
                1 => KeyValue::Boolean(true),
                _ => KeyValue::Null,
            },
            Self::Open(_) => KeyValue::Null,
        }
    }
}

/// The value of a grouping key in a cell; of one type they are ordered, what has no value last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyValue {
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
    /// A date, in days since 1970-01-01.
    Date(i32),
    /// A civil time, in microseconds since 1970-01-01T00:00.
    Timestamp(i64),
    /// Any text outside the domain.
    Other,
    /// Missing.
    Null,
}

/// A grouping key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupKey {
    /// Its value in a row.
    pub expr: ScalarExpr,
    /// Its cells.
    pub cells: KeyCells,
    /// Whether a row that is counted can be without a value, as far as that is known.
    #[serde(default = "unknown", skip_serializing_if = "Clone::clone")]
    pub can_be_null: bool,
}

const fn unknown() -> bool {
    true
}

impl GroupKey {
    /// In how many of its cells a row can be.
    pub fn possible(&self) -> u64 {
        self.cells.count() - u64::from(!self.can_be_null)
    }
}
