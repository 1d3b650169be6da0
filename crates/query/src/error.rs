//! What can go wrong with a query, from the asker's point of view.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use model::Category;

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
    #[error("{what} is not supported here: {hint}")]
    Refused {
        /// What was asked.
        what: String,
        /// What to do instead.
        hint: &'static str,
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
            Self::Invalid(_) => "sql-invalid",
            Self::Refused { .. } => "sql-refused",
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
            Self::Invalid(_) | Self::Refused { .. } | Self::Value(_) | Self::Timeout(_) | Self::Memory => {
                Category::Refused
            }
            Self::UnknownTable(_) => Category::NotFound,
            Self::Busy => Category::Unavailable,
            Self::Internal => Category::Internal,
        }
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        let root = error.find_root();
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
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(500)
        .collect()
}
