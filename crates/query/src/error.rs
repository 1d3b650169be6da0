//! What can go wrong with a query, from the asker's point of view.

use std::fmt;

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use model::Category;

/// What open SQL does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A statement that is no query.
    Statement(&'static str),
    /// Anything else that is no query.
    NoQuery,
    /// A variable or parameter.
    Placeholder,
    /// The operator `||`, which makes text of any length.
    Concatenation,
    /// Something in a row filter that is no condition of one row.
    InFilter(Construct),
}

/// What a row filter has no place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Construct {
    /// A query within.
    Subquery,
    /// `sum` and the like.
    Aggregate,
    /// `… OVER (…)`.
    Window,
    /// `unnest`.
    Unnest,
}

impl Construct {
    /// Every construct.
    pub const ALL: [Self; 4] = [Self::Subquery, Self::Aggregate, Self::Window, Self::Unnest];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subquery => "subquery",
            Self::Aggregate => "aggregate",
            Self::Window => "window",
            Self::Unnest => "unnest",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, hint) = match self {
            Self::Statement(name) => (*name, "write one SELECT over open datasets"),
            Self::NoQuery => ("this kind of statement", "write one SELECT over open datasets"),
            Self::Placeholder => ("a variable or parameter", "write the value itself"),
            Self::Concatenation => ("the operator ||", "write concat(a, b)"),
            Self::InFilter(construct) => {
                let what = match construct {
                    Construct::Subquery => "a subquery in a row filter",
                    Construct::Aggregate => "an aggregate in a row filter",
                    Construct::Window => "a window function in a row filter",
                    Construct::Unnest => "unnest in a row filter",
                };
                (what, "use POST /api/v1/sql for full queries")
            }
        };
        write!(f, "{what} is not supported here: {hint}")
    }
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is longer than the limit.
    #[error("the SQL has {got} bytes; the limit is {limit}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// It cannot be parsed or planned; the message says where.
    #[error("{0}")]
    Invalid(String),
    /// It asks for what this surface does not do.
    #[error("{0}")]
    Refused(Refused),
    /// A column that no table of the query has.
    #[error("there is no column {name:?}; the columns are: {known}")]
    UnknownColumn {
        /// The name.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A table that is not open, or not there: the two look alike.
    #[error("there is no open table {0:?}; a dataset's SQL name is its slug with - as _")]
    UnknownTable(String),
    /// A value on the way could not be computed (division by zero, overflow, bad cast).
    #[error("the query failed on a value: {0}")]
    Value(String),
    /// It ran longer than allowed.
    #[error("the query was stopped after {0} s; filter more, or download the file")]
    Timeout(u64),
    /// It needed more memory or temporary disk than allowed.
    #[error(
        "the query needs more memory or temporary space than one query may have; group or sort fewer rows"
    )]
    Memory,
    /// Too many queries are running.
    #[error("all places for queries are taken; try again in a few seconds")]
    Busy,
    /// Our fault; details are in the log.
    #[error("the query could not be run")]
    Internal,
}

impl QueryError {
    /// Stable code for problem+json.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "sql-too-long",
            Self::Invalid(_) | Self::UnknownColumn { .. } => "sql-invalid",
            Self::Refused(_) => "sql-refused",
            Self::UnknownTable(_) => "sql-unknown-table",
            Self::Value(_) => "sql-value",
            Self::Timeout(_) => "sql-timeout",
            Self::Memory => "sql-memory",
            Self::Busy => "sql-busy",
            Self::Internal => "internal",
        }
    }

    /// The kind of failure.
    pub const fn category(&self) -> Category {
        match self {
            Self::TooLong { .. } => Category::TooLarge,
            Self::Invalid(_)
            | Self::UnknownColumn { .. }
            | Self::Refused(_)
            | Self::Value(_)
            | Self::Timeout(_)
            | Self::Memory => Category::Refused,
            Self::UnknownTable(_) => Category::NotFound,
            Self::Busy => Category::Unavailable,
            Self::Internal => Category::Internal,
        }
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        let root = error.find_root();
        if let DataFusionError::SchemaError(schema, _) = root
            && let SchemaError::FieldNotFound { field, valid_fields } = schema.as_ref()
        {
            let known: Vec<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
            return Self::UnknownColumn {
                name: shortened(&field.name),
                known: shortened(&known.join(", ")),
            };
        }
        match root {
            DataFusionError::SQL(..)
            | DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::Configuration(_)
            | DataFusionError::NotImplemented(_) => Self::Invalid(first_line(&root.strip_backtrace())),
            DataFusionError::ResourcesExhausted(_) => Self::Memory,
            // A spill over its limit comes back through Arrow's writer as an input/output error.
            DataFusionError::ArrowError(arrow, _) if matches!(**arrow, ArrowError::IoError(..)) => {
                Self::Memory
            }
            DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => {
                Self::Value(first_line(&root.strip_backtrace()))
            }
            other => {
                tracing::error!(error = %other.strip_backtrace(), "query failed internally");
                Self::Internal
            }
        }
    }
}

fn first_line(text: &str) -> String {
    shortened(text.lines().next().unwrap_or_default())
}

/// What people still read of a text.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(500).collect()
}
