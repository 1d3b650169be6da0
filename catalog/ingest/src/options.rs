//! What is proposed and what can be corrected: the dialect of a file, its columns, and the limits of reading.

use std::collections::BTreeMap;

use model::{FieldName, FieldType};
use serde::{Deserialize, Serialize};

/// How a file's bytes become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// GB 18030, which contains GBK and GB 2312.
    Gb18030,
    /// UTF-16, little endian.
    Utf16Le,
    /// UTF-16, big endian.
    Utf16Be,
}

impl Encoding {
    /// The name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
        }
    }
}

/// The format of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceFormat {
    /// Delimited text.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Corrections of what detection proposes; what is absent is detected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestOptions {
    /// The encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// One of comma, semicolon, tab, vertical bar, or another ASCII character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether the first record names the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Whether double quotes enclose fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<bool>,
    /// Whether blanks around unquoted fields are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim: Option<bool>,
    /// What stands for a missing value, in all columns; empty fields always do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<String>>,
    /// Types of columns by name, where nothing is declared.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, FieldType>,
}

/// Limits within which any file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectLimits {
    /// The longest record in bytes; also bounds the memory that a file without line ends can take.
    pub record_bytes: usize,
    /// The longest field in bytes.
    pub field_bytes: usize,
    /// The most columns.
    pub columns: usize,
    /// The largest uncompressed column of a Parquet row group in bytes.
    pub column_chunk_bytes: u64,
    /// About how many bytes of protected rows are sorted at a time.
    pub sort_bytes: u64,
    /// Threads that parse and encode.
    pub threads: usize,
}

impl Default for DetectLimits {
    /// 16 MiB a record, 1 MiB a field, 1,000 columns, 256 MiB a column chunk, 48 MiB sorted at a time, two threads.
    fn default() -> Self {
        Self {
            record_bytes: 16 << 20,
            field_bytes: 1 << 20,
            columns: model::metadata::MAX_FIELDS,
            column_chunk_bytes: 256 << 20,
            sort_bytes: 48 << 20,
            threads: 2,
        }
    }
}

/// A column as detected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectedColumn {
    /// Its name, from the header, the declaration, or its position.
    pub name: FieldName,
    /// Its type over all rows, or as declared.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// What stands for a missing value besides the empty field.
    pub missing: Vec<String>,
}

/// What a file looks like: a proposal that [`IngestOptions`] corrects. Trusted roles only, where data is protected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// CSV or Parquet.
    pub format: SourceFormat,
    /// How bytes become text.
    pub encoding: Encoding,
    /// What separates fields.
    pub delimiter: char,
    /// Whether the first record names the columns.
    pub header: bool,
    /// Whether double quotes enclose fields.
    pub quoted: bool,
    /// Whether blanks around unquoted fields are dropped.
    pub trim: bool,
    /// The columns in file order.
    pub columns: Vec<DetectedColumn>,
    /// Rows of data.
    pub rows: u64,
}

/// What the beginning of a file looks like: shown to its officer before the file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// The proposal. Its types and rows are those of what was looked at.
    pub detection: Detection,
    /// The first rows as texts, the missing ones told; none but of open data.
    pub rows: Vec<Vec<Option<String>>>,
    /// Whether all of the file was looked at.
    pub whole: bool,
}
