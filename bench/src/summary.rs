//! What is reported: rows of "ours against the peer", as interfaces.md fixes their shape.

use std::path::Path;

use serde::Serialize;

use crate::Failure;

/// A row of `summary.json`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// `family/case`.
    pub(crate) name: String,
    /// What Shapan took or did.
    pub(crate) ours: f64,
    /// What the peer took or did; of a target, the target.
    pub(crate) peer: f64,
    /// Who the peer is.
    pub(crate) peer_name: String,
    /// The unit of both.
    pub(crate) unit: &'static str,
    /// `ours / peer`.
    pub(crate) ratio: f64,
}

/// All rows so far.
#[derive(Debug, Default)]
pub(crate) struct Summary(Vec<Row>);

impl Summary {
    /// Adds a row and prints it.
    pub(crate) fn add(&mut self, name: &str, ours: f64, peer: f64, peer_name: &str, unit: &'static str) {
        let row = Row {
            name: name.to_owned(),
            ours,
            peer,
            peer_name: peer_name.to_owned(),
            unit,
            ratio: ours / peer,
        };
        crate::say(&format!(
            "{:<44} {:>12.4} {unit:<6} {:>12.4} {peer_name}  ratio {:.3}",
            row.name, row.ours, row.peer, row.ratio
        ));
        self.0.push(row);
    }

    /// Adds the geometric means of the rows whose names begin with `family/`, as `family/geomean`: of the ratios, and
    /// of both sides. Nothing for fewer than two.
    pub(crate) fn add_geomean(&mut self, family: &str) {
        let prefix = format!("{family}/");
        let rows: Vec<&Row> = self
            .0
            .iter()
            .filter(|row| row.name.starts_with(&prefix))
            .collect();
        let Some(first) = rows.first().filter(|_| rows.len() > 1) else {
            return;
        };
        let (peer_name, unit) = (first.peer_name.clone(), first.unit);
        let ours = geomean(rows.iter().map(|row| row.ours));
        let peer = geomean(rows.iter().map(|row| row.peer));
        self.add(&format!("{family}/geomean"), ours, peer, &peer_name, unit);
    }

    /// Writes the list; the file is whole or absent.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &self.0)?;
        file.persist(path)?;
        Ok(())
    }
}

/// The geometric mean of positive numbers.
pub(crate) fn geomean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value.ln();
        count += 1.0;
    }
    f64::exp(sum / f64::max(count, 1.0))
}

/// The median, the upper one of two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_family_of_several_has_its_geometric_mean() {
        let mut summary = Summary::default();
        summary.add("sql/a", 2.0, 1.0, "peer", "s");
        summary.add_geomean("sql");
        assert_eq!(summary.0.len(), 1, "of one case there is no mean");
        summary.add("sql/b", 1.0, 8.0, "peer", "s");
        summary.add("sqlite/c", 100.0, 1.0, "peer", "s");
        summary.add_geomean("sql");
        let row = summary.0.last().unwrap();
        assert_eq!(row.name, "sql/geomean");
        assert!((row.ratio - 0.5).abs() < 1e-12, "√(2 × 1/8)");
        assert!((row.ours - 2f64.sqrt()).abs() < 1e-12 && (row.peer - 8f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn the_file_has_the_fields_that_outsiders_rely_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/summary.json");
        let mut summary = Summary::default();
        summary.add("ingest/open", 3.0, 4.0, "DuckDB", "s");
        summary.write(&path).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let want = serde_json::json!([{
            "name": "ingest/open", "ours": 3.0, "peer": 4.0, "peer_name": "DuckDB", "unit": "s", "ratio": 0.75
        }]);
        assert_eq!(value, want);
    }

    #[test]
    fn the_median_of_times() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(vec![]).is_nan());
    }
}
