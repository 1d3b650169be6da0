//! What can be wrong with an upload: each with a stable code, the place, and what to do. Messages never quote a value,
//! and name no column that only the file names: in a protected file a header that is none could be a row.

use std::collections::BTreeMap;
use std::io;

use model::{Category, FieldType};
use serde::Serialize;
use storage::StorageError;

/// What a file is that is neither CSV nor Parquet, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// Excel 2007 and later.
    Workbook,
    /// Excel or Word before that.
    OldOffice,
    /// PKZIP.
    Zip,
    /// RFC 1952.
    Gzip,
    /// 7-Zip.
    SevenZip,
    /// WinRAR.
    Rar,
    /// RFC 8878.
    Zstd,
    /// A document.
    Pdf,
    /// Arrow's own file format.
    Arrow,
}

impl Foreign {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Workbook,
        Self::OldOffice,
        Self::Zip,
        Self::Gzip,
        Self::SevenZip,
        Self::Rar,
        Self::Zstd,
        Self::Pdf,
        Self::Arrow,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workbook => "workbook",
            Self::OldOffice => "old-office",
            Self::Zip => "zip",
            Self::Gzip => "gzip",
            Self::SevenZip => "7z",
            Self::Rar => "rar",
            Self::Zstd => "zstd",
            Self::Pdf => "pdf",
            Self::Arrow => "arrow",
        }
    }

    /// What it is, and how to get a file that can be taken.
    const fn told(self) -> (&'static str, &'static str) {
        const EXTRACT: &str = "extract it and upload the CSV or Parquet file inside";
        const EXPORT: &str = "export the sheet as CSV (UTF-8) and upload that";
        match self {
            Self::Workbook => ("an Excel workbook (xlsx)", EXPORT),
            Self::OldOffice => ("an old Excel or Word file", EXPORT),
            Self::Zip => ("a zip archive", EXTRACT),
            Self::Gzip => ("a gzip file", EXTRACT),
            Self::SevenZip => ("a 7z archive", EXTRACT),
            Self::Rar => ("a RAR archive", EXTRACT),
            Self::Zstd => ("a zstd file", EXTRACT),
            Self::Pdf => ("a PDF document", "upload the table it was made from"),
            Self::Arrow => ("an Arrow file", "write it as Parquet"),
        }
    }
}

/// Something that stands in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Argument {
    /// A count, a limit, a place.
    Number(u64),
    /// A declared name, or a word of the portal's own.
    Text(String),
}

impl From<u64> for Argument {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Argument {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Nothing in it.
    #[error("the file is empty; export it again and check its size before uploading")]
    Empty,
    /// A header and no rows, where rows or declared types are needed.
    #[error(
        "the file has no rows below its header; protected data and data without declared types need some"
    )]
    HeaderOnly,
    /// Something that is neither CSV nor Parquet.
    #[error("this is {}, not CSV or Parquet; {}", .0.told().0, .0.told().1)]
    NotTabular(Foreign),
    /// Bytes that the encoding does not allow.
    #[error(
        "line {line}, byte {byte} of the file: the text is not valid {encoding}; save it as UTF-8 or name its encoding"
    )]
    Encoding {
        /// Line, from 1.
        line: u64,
        /// Byte offset in the file (of the block, where the file is decoded), from 0.
        byte: u64,
        /// The encoding that was tried.
        encoding: &'static str,
    },
    /// A NUL byte.
    #[error("line {line}: there is a NUL byte; the file is binary, damaged or UTF-16 without its mark")]
    Nul {
        /// Line, from 1.
        line: u64,
    },
    /// A row with more or fewer fields than the first one.
    #[error(
        "line {line}: the row has {got} fields where the first one has {wanted}; check delimiters and quotes"
    )]
    RaggedRow {
        /// Line, from 1.
        line: u64,
        /// Fields of the first row.
        wanted: usize,
        /// Fields of this row.
        got: usize,
    },
    /// A record over the limit.
    #[error(
        "line {line}: the record is longer than {limit} bytes; is a line end or a closing quote missing?"
    )]
    RecordTooLong {
        /// Line at which it begins, from 1.
        line: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// A field over the limit.
    #[error("line {line}, column {column}: the field is longer than {limit} bytes; leave out or shorten it")]
    FieldTooLong {
        /// Line at which its record begins, from 1.
        line: u64,
        /// Position of its column, from 1.
        column: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The file ends inside quotes.
    #[error(
        "line {line}: a quote opens and the file ends before it closes; the upload may be cut off: upload again"
    )]
    UnterminatedQuote {
        /// Line of the record that has the opening quote, from 1.
        line: u64,
    },
    /// Text after a closing quote.
    #[error(
        "line {line}, column {column}: there is text after a closing quote; write a quote within quotes twice"
    )]
    StrayQuote {
        /// Line at which its record begins, from 1.
        line: u64,
        /// Position of its column, from 1.
        column: usize,
    },
    /// A header field that cannot name a column.
    #[error("column {column}: the header cannot name a column (1 to 128 bytes, no control characters)")]
    ColumnName {
        /// Position, from 1.
        column: usize,
    },
    /// Two columns with one name.
    #[error("columns {first} and {second} have the same name but for case; rename one")]
    DuplicateColumn {
        /// Position of the first, from 1.
        first: usize,
        /// Position of the second, from 1.
        second: usize,
    },
    /// A name that the portal uses itself.
    #[error("column {column}: names that begin with two underscores are the portal's own; rename it")]
    ReservedColumn {
        /// Position, from 1.
        column: usize,
    },
    /// Too many columns.
    #[error("the file has more than {limit} columns; check the delimiter, or split the table")]
    TooManyColumns {
        /// The limit.
        limit: usize,
    },
    /// A declared column that is not in the file.
    #[error("the declared column {name:?} is not in the file; correct the header or the declaration")]
    MissingColumn {
        /// Its declared name.
        name: String,
    },
    /// A column of the file that is not declared.
    #[error("column {column} of the file is not declared; declare it or remove it from the file")]
    UndeclaredColumn {
        /// Position, from 1.
        column: usize,
    },
    /// A value that is not of its column's type.
    #[error("line {line}, column {column:?}: the value is no {expected:?}; {}", hint(*.expected))]
    Value {
        /// Line (row of a Parquet file), from 1.
        line: u64,
        /// The declared or detected name.
        column: String,
        /// The type it should have.
        expected: FieldType,
    },
    /// A Parquet column of a type that has no counterpart here.
    #[error(
        "column {column:?} has a Parquet type that a table cannot hold (nested, binary or interval); leave it out"
    )]
    UnsupportedColumn {
        /// Its name.
        column: String,
    },
    /// A Parquet file without its end.
    #[error("the Parquet file has no footer: the upload was cut off; upload it again")]
    Truncated,
    /// A Parquet file that cannot be read.
    #[error("the Parquet file is damaged or uses something unknown; write it again with a current tool")]
    BrokenParquet,
    /// A Parquet file whose parts are too large to hold in memory.
    #[error("a row group of the Parquet file has a column over {limit} bytes; write smaller row groups")]
    RowGroupTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Protected data without declared metadata and unit.
    #[error(
        "data of level L2 or L3 needs declared metadata with a privacy unit (each row may be one) before its file"
    )]
    NeedsDeclaration,
    /// The level does not belong in this zone.
    #[error("data of this level, or with a field above it, cannot be published here; check the levels")]
    WrongLevel,
    /// More rows than declared.
    #[error(
        "the file has more rows than the {limit} declared; declare more (it goes to review) or split the data"
    )]
    TooManyRows {
        /// The declared maximum.
        limit: u64,
    },
    /// More units than declared.
    #[error("the file has more units than the {limit} declared; declare more (it goes to review)")]
    TooManyUnits {
        /// The declared maximum.
        limit: u64,
    },
    /// No row has a valid key.
    #[error(
        "no row has a valid unit key; check that the declared key column holds ID numbers or codes of its type"
    )]
    NoValidUnit,
    /// A field declared as constant within units is not.
    #[error(
        "field {field:?} is declared as one value per unit, but {units} units have several (a missing value counts)"
    )]
    UnitNotStatic {
        /// The field.
        field: String,
        /// How many units have several values.
        units: u64,
    },
    /// A delimiter that separates nothing.
    #[error("the option delimiter cannot be followed: it must be one ASCII character")]
    Delimiter,
    /// The caller gave up.
    #[error("the ingest was cancelled")]
    Cancelled,
    /// The object store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The upload cannot be read.
    #[error("the upload cannot be read")]
    Read(#[source] io::Error),
    /// A library failed where it should not.
    #[error("internal failure while {0}")]
    Internal(&'static str),
}

const fn hint(expected: FieldType) -> &'static str {
    match expected {
        FieldType::Integer => "write whole numbers without separators or units, or declare it as text",
        FieldType::Number => {
            "write numbers with a decimal point, without separators or units, or declare it as text"
        }
        FieldType::Boolean => "write true or false",
        FieldType::Date => "write YYYY-MM-DD",
        FieldType::Timestamp => "write YYYY-MM-DD HH:MM:SS",
        FieldType::Text => "write UTF-8 text",
    }
}

impl IngestError {
    /// The stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "ingest-empty",
            Self::HeaderOnly => "ingest-header-only",
            Self::NotTabular(_) => "ingest-not-tabular",
            Self::Encoding { .. } => "ingest-encoding",
            Self::Nul { .. } => "ingest-nul",
            Self::RaggedRow { .. } => "ingest-ragged-row",
            Self::RecordTooLong { .. } => "ingest-record-too-long",
            Self::FieldTooLong { .. } => "ingest-field-too-long",
            Self::UnterminatedQuote { .. } => "ingest-unterminated-quote",
            Self::StrayQuote { .. } => "ingest-stray-quote",
            Self::ColumnName { .. } => "ingest-column-name",
            Self::DuplicateColumn { .. } => "ingest-duplicate-column",
            Self::ReservedColumn { .. } => "ingest-reserved-column",
            Self::TooManyColumns { .. } => "ingest-too-many-columns",
            Self::MissingColumn { .. } => "ingest-missing-column",
            Self::UndeclaredColumn { .. } => "ingest-undeclared-column",
            Self::Value { .. } => "ingest-value",
            Self::UnsupportedColumn { .. } => "ingest-unsupported-column",
            Self::Truncated => "ingest-truncated",
            Self::BrokenParquet => "ingest-broken-parquet",
            Self::RowGroupTooLarge { .. } => "ingest-row-group-too-large",
            Self::NeedsDeclaration => "ingest-needs-declaration",
            Self::WrongLevel => "ingest-wrong-level",
            Self::TooManyRows { .. } => "ingest-too-many-rows",
            Self::TooManyUnits { .. } => "ingest-too-many-units",
            Self::NoValidUnit => "ingest-no-valid-unit",
            Self::UnitNotStatic { .. } => "ingest-unit-not-static",
            Self::Delimiter => "ingest-option",
            Self::Cancelled => "ingest-cancelled",
            Self::Storage(StorageError::Full { .. }) => "storage-full",
            Self::Storage(_) | Self::Read(_) | Self::Internal(_) => "ingest-internal",
        }
    }

    /// What kind of failure this is.
    pub const fn category(&self) -> Category {
        match self {
            Self::Storage(error) => error.category(),
            Self::Read(_) | Self::Internal(_) => Category::Internal,
            Self::NotTabular(_) | Self::UnsupportedColumn { .. } => Category::UnsupportedFormat,
            Self::RecordTooLong { .. }
            | Self::FieldTooLong { .. }
            | Self::TooManyColumns { .. }
            | Self::RowGroupTooLarge { .. } => Category::TooLarge,
            Self::NeedsDeclaration
            | Self::WrongLevel
            | Self::TooManyRows { .. }
            | Self::TooManyUnits { .. }
            | Self::UnitNotStatic { .. } => Category::Refused,
            Self::Cancelled => Category::Conflict,
            _ => Category::Invalid,
        }
    }

    /// What stands in the message, by name, so that it can be said in other languages than this one, also later. Like
    /// the message it quotes no value.
    pub fn arguments(&self) -> BTreeMap<&'static str, Argument> {
        let mut arguments = BTreeMap::new();
        let mut put = |name, argument: Argument| {
            arguments.insert(name, argument);
        };
        if let Some(line) = self.line() {
            put("line", line.into());
        }
        match self {
            Self::NotTabular(found) => put("found", found.as_str().into()),
            Self::Encoding { byte, encoding, .. } => {
                put("byte", (*byte).into());
                put("encoding", (*encoding).into());
            }
            Self::RaggedRow { wanted, got, .. } => {
                put("wanted", (*wanted).into());
                put("got", (*got).into());
            }
            Self::FieldTooLong { column, limit, .. } => {
                put("column", (*column).into());
                put("limit", (*limit).into());
            }
            Self::StrayQuote { column, .. }
            | Self::ColumnName { column }
            | Self::ReservedColumn { column }
            | Self::UndeclaredColumn { column } => put("column", (*column).into()),
            Self::DuplicateColumn { first, second } => {
                put("first", (*first).into());
                put("second", (*second).into());
            }
            Self::RecordTooLong { limit, .. } | Self::TooManyColumns { limit } => {
                put("limit", (*limit).into());
            }
            Self::RowGroupTooLarge { limit } | Self::TooManyRows { limit } | Self::TooManyUnits { limit } => {
                put("limit", (*limit).into());
            }
            Self::MissingColumn { name } | Self::UnsupportedColumn { column: name } => {
                put("name", name.as_str().into());
            }
            Self::Value { column, expected, .. } => {
                put("name", column.as_str().into());
                put("expected", expected.as_str().into());
            }
            Self::UnitNotStatic { field, units } => {
                put("name", field.as_str().into());
                put("units", (*units).into());
            }
            Self::Nul { .. }
            | Self::UnterminatedQuote { .. }
            | Self::Empty
            | Self::HeaderOnly
            | Self::Truncated
            | Self::BrokenParquet
            | Self::NeedsDeclaration
            | Self::WrongLevel
            | Self::NoValidUnit
            | Self::Delimiter
            | Self::Cancelled
            | Self::Storage(_)
            | Self::Read(_)
            | Self::Internal(_) => {}
        }
        arguments
    }

    /// The line (row of a Parquet file) it is about, from 1.
    pub const fn line(&self) -> Option<u64> {
        match self {
            Self::Encoding { line, .. }
            | Self::Nul { line }
            | Self::RaggedRow { line, .. }
            | Self::RecordTooLong { line, .. }
            | Self::FieldTooLong { line, .. }
            | Self::UnterminatedQuote { line }
            | Self::StrayQuote { line, .. }
            | Self::Value { line, .. } => Some(*line),
            _ => None,
        }
    }
}
