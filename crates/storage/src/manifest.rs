//! Manifests: which objects make up a version.

use std::collections::HashSet;

use model::{FieldName, FieldType, VersionId};
use serde::{Deserialize, Serialize};

use crate::error::StorageError;
use crate::pending::is_object_name;

/// A column of a version's parts, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestField {
    /// Its name.
    pub name: FieldName,
    /// What its values are.
    #[serde(rename = "type")]
    pub field_type: FieldType,
}

/// A Parquet file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The object's name under the version's prefix.
    pub name: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
    /// In a clustered version, the least and greatest unit hash of its rows. No unit is in two parts.
    pub unit_range: Option<(u64, u64)>,
}

/// A format in which an open version can be downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DistributionFormat {
    /// RFC 4180, UTF-8, header row.
    Csv,
    /// One array of objects (RFC 8259).
    Json,
    /// An object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC file.
    Arrow,
}

impl DistributionFormat {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Csv, Self::Json, Self::Ndjson, Self::Parquet, Self::Arrow];

    /// The file name extension.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// The media type, as registered with IANA where it is.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.file",
        }
    }

    /// The format of a file name extension.
    pub fn from_extension(extension: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.extension() == extension)
    }
}

/// A file of an open version as people download it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// Its format.
    pub format: DistributionFormat,
    /// The object's name under the version's prefix.
    pub name: String,
    /// SHA-256 of the file, hexadecimal: a strong entity tag.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
    /// Media type for `Content-Type`.
    pub media_type: String,
}

/// A version: its parts, and for an open one its downloads. Immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Whose objects they are.
    pub version: VersionId,
    /// The columns of every part; a clustered part has `__unit` (64-bit unsigned, never NULL) before them.
    pub fields: Vec<ManifestField>,
    /// Rows of all parts together.
    pub rows: u64,
    /// Whether rows are sorted by `__unit` and no unit is split over parts or row groups.
    pub clustered: bool,
    /// The Parquet files that queries read.
    pub parts: Vec<Part>,
    /// The files that people download; none of a protected version.
    pub distributions: Vec<Distribution>,
}

impl Manifest {
    /// Checks that the manifest holds together: names, sums of rows, and in a clustered one disjoint increasing unit
    /// ranges and no downloads.
    ///
    /// # Errors
    /// [`StorageError::Manifest`] with the rule that is broken.
    pub fn check(&self) -> Result<(), StorageError> {
        let fail = |why: &str| Err(StorageError::Manifest(why.to_owned()));
        let named = self.object_names();
        if let Some(bad) = named.iter().find(|name| !is_object_name(name)) {
            return Err(StorageError::Name((*bad).chars().take(64).collect()));
        }
        if self.parts.iter().map(|part| part.rows).sum::<u64>() != self.rows {
            return fail("the rows of the parts do not add up");
        }
        if !self.clustered {
            if self.parts.iter().any(|part| part.unit_range.is_some()) {
                return fail("a part of an unclustered version has a unit range");
            }
            return Ok(());
        }
        if !self.distributions.is_empty() {
            return fail("a clustered version is protected and has no downloads");
        }
        let mut before: Option<u64> = None;
        for part in &self.parts {
            let Some((first, last)) = part.unit_range else {
                return fail("a part of a clustered version has no unit range");
            };
            if first > last || before.is_some_and(|before| first <= before) {
                return fail("unit ranges overlap or are out of order");
            }
            before = Some(last);
        }
        Ok(())
    }

    /// The names of all its objects, each once.
    pub fn object_names(&self) -> HashSet<&str> {
        let parts = self.parts.iter().map(|part| part.name.as_str());
        let files = self.distributions.iter().map(|file| file.name.as_str());
        parts.chain(files).collect()
    }

    /// The download in this format.
    pub fn find_distribution(&self, format: DistributionFormat) -> Option<&Distribution> {
        self.distributions.iter().find(|file| file.format == format)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn part(range: Option<(u64, u64)>) -> Part {
        Part {
            name: format!("{}.parquet", "a".repeat(64)),
            sha256: "a".repeat(64),
            bytes: 1,
            rows: 2,
            unit_range: range,
        }
    }

    fn manifest(clustered: bool, parts: Vec<Part>) -> Manifest {
        Manifest {
            version: VersionId::at(model::Timestamp::from_micros(1)),
            fields: Vec::new(),
            rows: 2 * parts.len() as u64,
            clustered,
            parts,
            distributions: Vec::new(),
        }
    }

    #[test]
    fn what_does_not_hold_together_is_told() {
        assert!(
            manifest(true, vec![part(Some((0, 4))), part(Some((5, 9)))])
                .check()
                .is_ok()
        );
        assert!(manifest(false, vec![part(None)]).check().is_ok());
        for bad in [
            manifest(true, vec![part(Some((0, 5))), part(Some((5, 9)))]),
            manifest(true, vec![part(Some((7, 9))), part(Some((0, 5)))]),
            manifest(true, vec![part(None)]),
            manifest(false, vec![part(Some((0, 1)))]),
        ] {
            assert!(bad.check().is_err());
        }
        let mut short = manifest(false, vec![part(None)]);
        short.rows = 3;
        assert!(short.check().is_err());
        let mut path = manifest(false, vec![part(None)]);
        path.parts[0].name = "../../etc/passwd".into();
        assert!(matches!(path.check(), Err(StorageError::Name(_))));
        let json = serde_json::to_string(&manifest(true, vec![part(Some((0, u64::MAX)))])).unwrap();
        let again: Manifest = serde_json::from_str(&json).unwrap();
        assert_eq!(again.parts[0].unit_range, Some((0, u64::MAX)));
    }
}
