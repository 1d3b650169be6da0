//! Figures of versions as pages show them.

use catalog_ingest::Scalar;
use model::{FieldDeclaration, FieldRole, Level};
use query::Answer;
use serde_json::Value;
use storage::Manifest;

use crate::failure::Failure;
use crate::page::chart::HistogramBar;
use crate::page::dataset::ColumnProfile;
use crate::page::table::{DataColumn, DataTable};

/// The profiles of a version's columns, as ingestion has stored them.
pub(super) fn column_profiles(profile: Option<&Value>) -> Vec<ColumnProfile> {
    let Some(columns) = profile.and_then(|profile| profile.get("columns")) else {
        return Vec::new();
    };
    let columns: Vec<catalog_ingest::ColumnProfile> = match serde_json::from_value(columns.clone()) {
        Ok(columns) => columns,
        Err(error) => {
            tracing::error!(%error, "a stored profile cannot be read");
            return Vec::new();
        }
    };
    columns.into_iter().map(column_profile).collect()
}

fn column_profile(column: catalog_ingest::ColumnProfile) -> ColumnProfile {
    let bins = column.histogram.iter().map(|bin| HistogramBar {
        label: scalar(&bin.lo),
        count: bin.count,
    });
    let values = column.top.iter().map(|top| HistogramBar {
        label: top.value.clone(),
        count: top.count,
    });
    ColumnProfile {
        name: column.name.to_string(),
        nulls: column.nulls,
        distinct: column.distinct.count,
        distinct_error: column.distinct.standard_error,
        least: column.min.as_ref().map(scalar),
        greatest: column.max.as_ref().map(scalar),
        bars: bins.chain(values).collect(),
    }
}

/// Numbers without separators, since some are years or codes.
fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Integer(number) => number.to_string(),
        Scalar::Number(number) => i18n::format::measured(*number),
        Scalar::Text(text) => text.clone(),
    }
}

/// The fields of a version whose entry declares none.
pub(super) fn found_fields(manifest: &Manifest, level: Level) -> Vec<FieldDeclaration> {
    let field = |field: &storage::ManifestField| FieldDeclaration {
        name: field.name.clone(),
        label: None,
        description: None,
        field_type: field.field_type,
        role: FieldRole::default(),
        level,
        bounds: None,
        domain: None,
        unit_static: false,
        measure: None,
    };
    manifest.fields.iter().map(field).collect()
}

/// The first `limit` rows of an answer as a table, and whether there are more.
///
/// # Errors
/// If a value cannot be written.
pub(super) fn table(
    answer: &Answer,
    caption: String,
    limit: usize,
    label: impl Fn(&str) -> String,
) -> Result<(DataTable, bool), Failure> {
    let columns = answer.columns().into_iter().map(|column| DataColumn {
        label: label(&column.name),
        numeric: matches!(column.kind.as_str(), "integer" | "number"),
        name: column.name,
    });
    let columns = columns.collect();
    let mut rows = answer.rows()?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    let rows = rows
        .into_iter()
        .map(|row| row.into_iter().map(text).collect())
        .collect();
    Ok((
        DataTable {
            caption,
            columns,
            rows,
        },
        more,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stored_profiles_are_read() {
        let column = json!({
            "name": "pm25", "type": "integer", "nulls": 2, "distinct": {"count": 40, "standard_error": 0.008},
            "min": 3, "max": 2024, "histogram": [{"lo": 3, "hi": 9, "count": 7}],
        });
        let stored = json!({"columns": [column], "rows": 9});
        let profiles = column_profiles(Some(&stored));
        assert_eq!(profiles.len(), 1);
        assert_eq!(profiles[0].greatest.as_deref(), Some("2024"));
        assert_eq!(
            (profiles[0].bars[0].label.as_str(), profiles[0].bars[0].count),
            ("3", 7)
        );
        assert_eq!(profiles[0].distinct_error, Some(0.008));
        for nothing in [
            json!(null),
            json!({}),
            json!({"dropped": null}),
            json!({"columns": "x"}),
        ] {
            assert!(column_profiles(Some(&nothing)).is_empty());
        }
        assert!(column_profiles(None).is_empty());
    }
}
