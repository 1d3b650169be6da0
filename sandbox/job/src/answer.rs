//! Answers: noised cells with their error bars.

use privacy::{NoiseSource, Rho, Scale};
use sandbox_plan::{AggregateFunction, KeyValue, OutputSource, PrivatePlan, Totals};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::JobError;

/// The two-sided 95 % quantile of the normal distribution.
const Z95: f64 = 1.959_963_984_540_054;

/// What was added to a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// The mechanism's name.
    pub mechanism: String,
    /// The noise's standard deviation, in units of the column.
    pub scale: f64,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerColumn {
    /// Its name.
    pub name: String,
    /// text, integer, number or boolean.
    #[serde(rename = "type")]
    pub kind: String,
    /// What was added; nothing to a grouping key.
    pub noise: Option<Noise>,
}

/// A row of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerRow {
    /// Values in column order.
    pub values: Vec<Value>,
    /// For noised values, the interval that holds the bounded statistic with probability 95 %.
    pub interval95: Vec<Option<[f64; 2]>>,
}

/// A noised answer, ready to be released.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Its columns.
    pub columns: Vec<AnswerColumn>,
    /// Its rows, sorted by key.
    pub rows: Vec<AnswerRow>,
}

/// The word for the cell of values outside the declared domain. A domain value of that name keeps it: the cell's
/// place (before NULL, after the domain) tells them apart.
const OTHER: &str = "other";

/// Noises exact totals, in the cells' order, into an answer. Called once in a job's life.
///
/// The totals are brought into the range that the plan allows first: what a worker reports beyond it is not believed,
/// and with that the sensitivity of each cell is bounded here, not there.
///
/// # Errors
/// If the totals are not those of the plan, or no noise can be drawn.
pub(crate) fn noised(
    plan: &PrivatePlan,
    totals: &Totals,
    rho: Rho,
    noise: &mut dyn NoiseSource,
) -> Result<Answer, JobError> {
    let core = &plan.core;
    let count = core.aggregates.len();
    if totals.aggregates != count || totals.values.len() != core.cells as usize * count {
        return Err(JobError::Internal("totals of another plan"));
    }
    // One Gaussian over the joint vector of the aggregates; the proof stands beside `noise_sensitivity_squared`.
    let scales: Vec<Scale> = (0..count)
        .map(|aggregate| {
            let squared = core
                .noise_sensitivity_squared(aggregate)
                .ok_or(JobError::Internal("sensitivity"))?;
            Scale::calibrate(squared, rho).map_err(|_| JobError::Internal("noise scale"))
        })
        .collect::<Result<_, _>>()?;
    let sigmas: Vec<f64> = scales
        .iter()
        .zip(&core.aggregates)
        .map(|(scale, a)| scale.as_f64() * a.step())
        .collect();
    let mut noised = Vec::with_capacity(core.cells as usize);
    for cell in totals.values.chunks_exact(count) {
        let mut values = Vec::with_capacity(cell.len());
        for ((total, aggregate), scale) in cell.iter().zip(&core.aggregates).zip(&scales) {
            let drawn = noise.gaussian(*scale).map_err(|_| JobError::Internal("noise"))?;
            values.push(core.clamp_total(aggregate, *total).saturating_add(drawn));
        }
        noised.push(values);
    }
    let columns = plan
        .output
        .iter()
        .map(|column| match column.source {
            OutputSource::Key(key) => AnswerColumn {
                name: column.name.clone(),
                kind: key_kind(&core.keys[key].cells).to_owned(),
                noise: None,
            },
            OutputSource::Aggregate(aggregate) => AnswerColumn {
                name: column.name.clone(),
                kind: if is_integer(plan, aggregate) {
                    "integer"
                } else {
                    "number"
                }
                .to_owned(),
                noise: Some(Noise {
                    mechanism: "discrete_gaussian".to_owned(),
                    scale: sigmas[aggregate],
                }),
            },
        })
        .collect();
    let rows = plan.rows().into_iter().map(|cell| {
        let keys = core.cell(cell);
        let (mut values, mut intervals) = (Vec::new(), Vec::new());
        for column in &plan.output {
            match column.source {
                OutputSource::Key(key) => {
                    values.push(key_value(&keys[key]));
                    intervals.push(None);
                }
                OutputSource::Aggregate(aggregate) => {
                    let total = noised[cell as usize][aggregate];
                    let value = core.aggregates[aggregate].value(total);
                    values.push(shown(total, value, is_integer(plan, aggregate)));
                    let half = Z95 * sigmas[aggregate];
                    intervals.push(Some([value - half, value + half]));
                }
            }
        }
        AnswerRow {
            values,
            interval95: intervals,
        }
    });
    Ok(Answer {
        columns,
        rows: rows.collect(),
    })
}

fn is_integer(plan: &PrivatePlan, aggregate: usize) -> bool {
    let aggregate = &plan.core.aggregates[aggregate];
    !matches!(aggregate.function, AggregateFunction::Sum(_)) || aggregate.exponent == 0
}

fn shown(total: i128, value: f64, integer: bool) -> Value {
    match i64::try_from(total) {
        Ok(total) if integer => json!(total),
        _ => json!(value),
    }
}

const fn key_kind(cells: &sandbox_plan::KeyCells) -> &'static str {
    match cells {
        sandbox_plan::KeyCells::Text { .. } => "text",
        sandbox_plan::KeyCells::Integer { .. } => "integer",
        sandbox_plan::KeyCells::Boolean => "boolean",
    }
}

fn key_value(value: &KeyValue) -> Value {
    match value {
        KeyValue::Text(text) => json!(text),
        KeyValue::Other => json!(OTHER),
        KeyValue::Integer(n) => json!(n),
        KeyValue::Boolean(b) => json!(b),
        KeyValue::Null => Value::Null,
    }
}

impl Answer {
    /// CSV after RFC 4180: each noised column is followed by the ends of its 95 % interval.
    ///
    /// Texts that a spreadsheet would run as a formula are led by an apostrophe.
    pub fn to_csv(&self) -> String {
        let mut out = String::new();
        let mut line = Vec::new();
        for column in &self.columns {
            line.push(csv_text(&column.name));
            if column.noise.is_some() {
                line.push(csv_text(&format!("{}_low95", column.name)));
                line.push(csv_text(&format!("{}_high95", column.name)));
            }
        }
        out.push_str(&line.join(","));
        out.push_str("\r\n");
        for row in &self.rows {
            line.clear();
            for (value, interval) in row.values.iter().zip(&row.interval95) {
                line.push(match value {
                    Value::Null => String::new(),
                    Value::String(text) => csv_text(text),
                    other => other.to_string(),
                });
                if let Some([low, high]) = interval {
                    line.push(low.to_string());
                    line.push(high.to_string());
                }
            }
            out.push_str(&line.join(","));
            out.push_str("\r\n");
        }
        out
    }
}

fn csv_text(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use model::{DatasetId, DeclaredMetadata, Level, Slug, Timestamp, VersionId};
    use privacy::NoiseError;
    use sandbox_plan::Relation;

    use super::*;

    /// Adds the same to every cell, and nothing else.
    #[derive(Debug)]
    struct Shift(i128);

    impl NoiseSource for Shift {
        fn gaussian(&mut self, _: Scale) -> Result<i128, NoiseError> {
            Ok(self.0)
        }

        fn laplace(&mut self, _: Scale) -> Result<i128, NoiseError> {
            Ok(self.0)
        }
    }

    fn plan() -> PrivatePlan {
        let metadata: DeclaredMetadata = serde_json::from_value(json!({
            "unit": {"type": "person", "max_units": 1_000, "max_rows": 10_000, "max_rows_per_unit": 10},
            "fields": [
                {"name": "id", "type": "text", "role": "unit_key", "level": "L3"},
                {"name": "sex", "type": "text", "level": "L3", "domain": ["男", "=1+1"], "unit_static": true},
                {"name": "fare", "type": "integer", "level": "L3", "bounds": {"lo": 0, "hi": 100}},
            ],
        }))
        .unwrap();
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let relation = Relation {
            slug: Slug::parse("trips").unwrap(),
            dataset: DatasetId::at(now),
            version: VersionId::at(now),
            level: Level::L3,
            special: false,
            metadata,
        };
        sandbox_plan::plan(
            "SELECT sex, COUNT(*) AS n, SUM(fare) AS total FROM trips GROUP BY sex",
            &relation,
        )
        .unwrap()
    }

    fn totals(plan: &PrivatePlan, value: i128) -> Totals {
        let aggregates = plan.core.aggregates.len();
        Totals {
            aggregates,
            values: vec![value; plan.core.cells as usize * aggregates],
        }
    }

    #[test]
    fn every_cell_is_noised_and_carries_its_interval() {
        let plan = plan();
        let answer = noised(&plan, &totals(&plan, 7), Rho::from_nano(4_000_000), &mut Shift(3)).unwrap();
        let names: Vec<_> = answer.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["sex", "n", "total"]);
        assert!(answer.columns[0].noise.is_none());
        let keys: Vec<_> = answer.rows.iter().map(|row| row.values[0].clone()).collect();
        assert_eq!(
            keys,
            [json!("男"), json!("=1+1"), json!(OTHER), Value::Null],
            "empty cells appear too"
        );
        for row in &answer.rows {
            assert_eq!(row.values[1], json!(10));
            let [low, high] = row.interval95[1].unwrap();
            let sigma = answer.columns[1].noise.as_ref().unwrap().scale;
            assert!((high - low - 2.0 * Z95 * sigma).abs() < 1e-6 && (low..=high).contains(&10.0));
            // Two aggregates share ρ = 0.004; ten rows a unit: σ² = 2·10²/(2·0.004).
            assert!((sigma - 25_000_f64.sqrt()).abs() < 0.01, "{sigma}");
        }
    }

    #[test]
    fn totals_beyond_the_plan_are_not_believed() {
        let plan = plan();
        let answer = noised(
            &plan,
            &totals(&plan, i128::MAX),
            Rho::from_nano(1_000),
            &mut Shift(0),
        )
        .unwrap();
        assert_eq!(answer.rows[0].values[1], json!(1_000 * 10));
        let short = Totals {
            aggregates: 1,
            values: vec![0],
        };
        assert!(noised(&plan, &short, Rho::from_nano(1_000), &mut Shift(0)).is_err());
        assert!(
            noised(&plan, &totals(&plan, 0), Rho::ZERO, &mut Shift(0)).is_err(),
            "no ρ, no answer"
        );
    }

    #[test]
    fn csv_is_no_formula() {
        let plan = plan();
        let answer = noised(
            &plan,
            &totals(&plan, 7),
            Rho::from_nano(4_000_000),
            &mut Shift(-20),
        )
        .unwrap();
        let csv = answer.to_csv();
        assert!(
            csv.starts_with("sex,n,n_low95,n_high95,total,total_low95,total_high95\r\n"),
            "{csv}"
        );
        assert!(
            csv.contains("\r\n'=1+1,-13,"),
            "a text is disarmed, a number is not: {csv}"
        );
    }
}
