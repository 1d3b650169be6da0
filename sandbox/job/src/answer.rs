//! Answers: noised cells with their error bars.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use privacy::{Delta, NoiseSource, Rho, Scale};
use sandbox_plan::scalar::ScalarExpr;
use sandbox_plan::{
    KeyValue, Leaf, Measure, Noised, Picks, PlanCore, PlanPart, PrivatePlan, ReleasedColumn, Totals,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::estimate::PartEstimate;
use crate::expected::quantile_scale;
use crate::interval::Errors;
use crate::{JobCost, JobError};

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
    /// text, integer, number, boolean, date or timestamp.
    #[serde(rename = "type")]
    pub kind: String,
    /// What was added to each value; none for keys, and for what is computed from several noised totals.
    pub noise: Option<Noise>,
    /// Whether its values carry intervals.
    pub interval: bool,
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
    /// How each of its aggregations was computed: intervals are about what was counted, not about what was left out.
    pub parts: Vec<PartEstimate>,
}

/// What was noised of one part: totals, cell by cell, all aggregates of a cell together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoisedPart {
    totals: Vec<i64>,
    /// What was picked for the quantiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    picked: Vec<Picks>,
    /// The keys of the cells that are shown, where they were not known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<Vec<Vec<KeyValue>>>,
}

/// What was noised of every part of a plan: what a job's charge pays for, drawn once and stored. Any answer to the same question
/// is computed from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoisedTotals(Vec<NoisedPart>);

/// The noise's scale per part and aggregate.
///
/// One Gaussian over the joint vector of the aggregates; the proof stands beside `noise_sensitivity_squared`.
fn scales(plan: &PrivatePlan, rho: Rho) -> Result<Vec<Vec<Scale>>, JobError> {
    let scale = |part, aggregate| {
        let squared = plan
            .noise_sensitivity_squared(part, aggregate)
            .ok_or(JobError::Internal("sensitivity"))?;
        Scale::calibrate(squared, rho).map_err(|_| JobError::Internal("noise scale"))
    };
    let of_part = |(at, part): (usize, &PlanPart)| {
        let aggregates = 0..part.core.aggregates.len();
        aggregates.map(|aggregate| scale(at, aggregate)).collect()
    };
    plan.parts.iter().enumerate().map(of_part).collect()
}

/// Noises exact totals, in the cells' order. Called once in a job's life.
///
/// The totals are brought into the range that the plan allows first: what a worker reports beyond it is not believed,
/// and with that the sensitivity of each cell is bounded here, not there. Noised totals are cut to 64 bits, which is
/// post-processing.
///
/// A found cell is kept if its noised number of units reaches the threshold, for which the job's δ pays
/// ([`privacy::threshold`]). The worker has left out cells with fewer units than the plan says already: where one unit more makes
/// as many, the cell is shown with no larger probability than the threshold allows for it.
///
/// # Errors
/// If the totals are not those of the plan, or no noise can be drawn.
pub(crate) fn noised(
    plan: &PrivatePlan,
    totals: &[Totals],
    cost: &JobCost,
    noise: &mut dyn NoiseSource,
) -> Result<NoisedTotals, JobError> {
    if totals.len() != plan.parts.len() {
        return Err(JobError::Internal("totals of another plan"));
    }
    let drawing = Drawing {
        rho: cost.drawn_rho(),
        shares: plan.shares(),
        threshold_delta: threshold_delta(plan, cost),
    };
    let scales = scales(plan, drawing.rho)?;
    let parts = plan.parts.iter().zip(totals).zip(&scales);
    let noised = parts.map(|((part, totals), scales)| drawing.noised(&part.core, totals, scales, noise));
    Ok(NoisedTotals(noised.collect::<Result<_, _>>()?))
}

/// The noised count of units, drawn at this scale, from which a found cell is shown.
fn threshold(core: &PlanCore, scale: Scale, delta: Delta) -> Option<i128> {
    let (least, groups) = (core.least_units(), core.groups_per_unit);
    privacy::threshold::release_threshold_above(least, scale, 1, delta, groups)
}

/// The δ of each of a job's thresholds: they share it.
fn threshold_delta(plan: &PrivatePlan, cost: &JobCost) -> Delta {
    Delta::from_units(cost.threshold_delta / plan.open_parts().max(1))
}

/// The noised count of units from which a found cell of a part is shown at this price; none where cells are known.
pub(crate) fn shown_from(plan: &PrivatePlan, part: usize, cost: &JobCost) -> Option<u64> {
    let core = &plan.parts.get(part)?.core;
    let units = core.units_aggregate().filter(|_| core.is_open())?;
    let squared = plan.noise_sensitivity_squared(part, units)?;
    let scale = Scale::calibrate(squared, cost.drawn_rho()).ok()?;
    u64::try_from(threshold(core, scale, threshold_delta(plan, cost))?).ok()
}

/// What the noise of all parts of a job is drawn for.
struct Drawing {
    rho: Rho,
    shares: u32,
    /// The δ of one threshold.
    threshold_delta: Delta,
}

impl Drawing {
    fn noised(
        &self,
        core: &PlanCore,
        totals: &Totals,
        scales: &[Scale],
        noise: &mut dyn NoiseSource,
    ) -> Result<NoisedPart, JobError> {
        let count = core.aggregates.len();
        let cells = match &totals.found {
            Some(found) if core.is_open() && found.len() <= core.cells as usize => found.len(),
            None if !core.is_open() => core.cells as usize,
            _ => return Err(JobError::Internal("totals of another plan")),
        };
        let candidates = core.candidates();
        if totals.aggregates != count
            || totals.values.len() != cells * count
            || totals.counted.len() != cells * candidates
        {
            return Err(JobError::Internal("totals of another plan"));
        }
        let threshold = match (core.is_open(), core.units_aggregate()) {
            (false, _) => None,
            (true, Some(units)) => {
                let scale = *scales.get(units).ok_or(JobError::Internal("noise scale"))?;
                let delta = self.threshold_delta;
                let least = threshold(core, scale, delta);
                Some((units, least.ok_or(JobError::Internal("threshold"))?))
            }
            (true, None) => return Err(JobError::Internal("threshold")),
        };
        let (mut noised, mut shown) = (Vec::with_capacity(totals.values.len()), Vec::new());
        for (at, cell) in totals.values.chunks_exact(count.max(1)).enumerate() {
            let mut values = Vec::with_capacity(count);
            for ((total, aggregate), scale) in cell.iter().zip(&core.aggregates).zip(scales) {
                let drawn = noise.gaussian(*scale).map_err(|_| JobError::Internal("noise"))?;
                values.push(core.clamp_total(aggregate, *total).saturating_add(drawn));
            }
            if threshold.is_some_and(|(units, least)| values.get(units).is_none_or(|value| *value < least)) {
                continue;
            }
            shown.push(at);
            let ends = (i128::from(i64::MIN), i128::from(i64::MAX));
            for value in values {
                let cut = i64::try_from(value.clamp(ends.0, ends.1));
                noised.push(cut.map_err(|_| JobError::Internal("noise"))?);
            }
        }
        let mut picked = Vec::with_capacity(cells * core.quantiles.len());
        for cell in totals.counted.chunks_exact(candidates.max(1)) {
            picked.extend(self.pick(core, cell, noise)?);
        }
        let found = totals.found.as_ref();
        Ok(NoisedPart {
            totals: noised,
            picked,
            found: found.map(|found| shown.iter().filter_map(|at| found.get(*at).cloned()).collect()),
        })
    }

    /// Picks the quantiles of one cell ([`privacy::quantile`] has the proof); counts are brought into the range that the plan
    /// allows first.
    fn pick(
        &self,
        core: &PlanCore,
        mut counted: &[u64],
        noise: &mut dyn NoiseSource,
    ) -> Result<Vec<Picks>, JobError> {
        let failed = |_| JobError::Internal("noise");
        let rows = core.unit.max_rows_per_unit;
        let mut picks = Vec::with_capacity(core.quantiles.len());
        for quantile in &core.quantiles {
            let (own, rest) = counted
                .split_at_checked(quantile.candidates.count() as usize)
                .ok_or(JobError::Internal("totals of another plan"))?;
            counted = rest;
            let scale = privacy::quantile::scale(rows, quantile.rank, self.shares, self.rho)
                .map_err(|_| JobError::Internal("noise scale"))?;
            let own: Vec<u64> = own
                .iter()
                .map(|count| (*count).min(core.most_counted()))
                .collect();
            let picked = privacy::quantile::pick(&own, quantile.rank, scale, noise).map_err(failed)?;
            picks.push(Picks {
                low: picked.low,
                middle: picked.middle,
                high: picked.high,
            });
        }
        Ok(picks)
    }
}

/// Joins two noised answers to the same question into one that is worth the ρ of both, by inverse variance.
///
/// Both are drawn for the same sensitivities, so each aggregate's variances are as 1/ρ, and the weights are ρ itself:
/// (ρ₁x₁ + ρ₂x₂)/(ρ₁ + ρ₂) has the variance of one draw at ρ₁ + ρ₂. It is rounded to the grid, half away from zero, which
/// adds at most 1/12 of a step squared. Post-processing.
///
/// # Errors
/// If they are not of one plan, or cells or picks were chosen by noise: see [`can_top_up`].
pub(crate) fn combined(
    (first, paid): (&NoisedTotals, Rho),
    (second, added): (&NoisedTotals, Rho),
) -> Result<NoisedTotals, JobError> {
    let all = i128::from(paid.nano()) + i128::from(added.nano());
    let chosen = |part: &NoisedPart| part.found.is_some() || !part.picked.is_empty();
    let alike = |(one, other): (&NoisedPart, &NoisedPart)| one.totals.len() == other.totals.len();
    if all == 0
        || first.0.len() != second.0.len()
        || !first.0.iter().zip(&second.0).all(alike)
        || first.0.iter().chain(&second.0).any(chosen)
    {
        return Err(JobError::Internal("answers that cannot be joined"));
    }
    let join = |(x, y): (&i64, &i64)| {
        let weighted = i128::from(*x) * i128::from(paid.nano()) + i128::from(*y) * i128::from(added.nano());
        let rounded = (2 * weighted.abs() + all) / (2 * all) * weighted.signum();
        i64::try_from(rounded).map_err(|_| JobError::Internal("answers that cannot be joined"))
    };
    let part = |(one, other): (&NoisedPart, &NoisedPart)| {
        let totals = one.totals.iter().zip(&other.totals).map(join);
        Ok(NoisedPart {
            totals: totals.collect::<Result<_, _>>()?,
            picked: Vec::new(),
            found: None,
        })
    };
    Ok(NoisedTotals(
        first
            .0
            .iter()
            .zip(&second.0)
            .map(part)
            .collect::<Result<_, JobError>>()?,
    ))
}

/// Whether a second draw can make an answer to this plan better: not where the first has chosen what is shown (cells that
/// are found) or a value by itself (quantiles), which no weighing mends.
pub(crate) fn can_top_up(plan: &PrivatePlan) -> bool {
    let chosen = |part: &PlanPart| part.core.is_open() || !part.core.quantiles.is_empty();
    !plan.parts.iter().any(chosen)
}

/// What a query makes of noised totals. Post-processing: it may be done for any query of the same core, and again.
///
/// # Errors
/// If the totals are not those of the plan.
pub(crate) fn show(plan: &PrivatePlan, noised: &NoisedTotals, rho: Rho) -> Result<Answer, JobError> {
    let broken = |_| JobError::Internal("a released table");
    let wide = |part: &NoisedPart| part.totals.iter().map(|total| i128::from(*total)).collect();
    let totals: Vec<Vec<i128>> = noised.0.iter().map(wide).collect();
    let parts: Vec<Noised<'_>> = noised
        .0
        .iter()
        .zip(&totals)
        .map(|(part, totals)| Noised {
            totals,
            picked: &part.picked,
            found: part.found.as_deref(),
        })
        .collect();
    let released = plan.release(&parts).map_err(broken)?;
    let values = plan.output_columns(&released).map_err(broken)?;
    let doubles = |scales: &Vec<Scale>| scales.iter().map(|scale| scale.as_f64()).collect();
    let sigmas: Vec<Vec<f64>> = scales(plan, rho)?.iter().map(doubles).collect();
    let errors = Errors {
        plan,
        released: &released,
        sigmas: &sigmas,
        rho,
    };
    let intervals = errors.intervals()?;
    let types = plan.released_types();
    let mut shown = Vec::with_capacity(plan.output.len());
    for (column, intervals) in plan.output.iter().zip(&intervals) {
        let field_type = column
            .expr
            .field_type(&types)
            .ok_or(JobError::Internal("an output column"))?;
        shown.push(AnswerColumn {
            name: column.name.clone(),
            kind: field_type.as_str().to_owned(),
            noise: plain_noise(plan, &column.expr, &sigmas, rho),
            interval: intervals.is_some(),
        });
    }
    let rows = (0..released.len())
        .map(|row| AnswerRow {
            values: values.iter().map(|column| value(column, row)).collect(),
            interval95: intervals
                .iter()
                .map(|column| column.as_ref().and_then(|rows| rows.get(row).copied().flatten()))
                .collect(),
        })
        .collect();
    Ok(Answer {
        columns: shown,
        rows,
        parts: plan.parts.iter().map(PartEstimate::of).collect(),
    })
}

/// The noise of a column that is a total as it was noised, with the same scale in every row.
fn plain_noise(plan: &PrivatePlan, expr: &ScalarExpr, sigmas: &[Vec<f64>], rho: Rho) -> Option<Noise> {
    let ScalarExpr::Column(at) = expr else {
        return None;
    };
    // Of stacked tables each has a scale of its own.
    let ReleasedColumn::Measure { leaf, measure } = plan.released.get(*at)? else {
        return None;
    };
    let Leaf::Part(at) = *plan.leaves.get(*leaf)? else {
        return None;
    };
    let part = plan.parts.get(at)?;
    if part.sets.is_some() {
        return None;
    }
    match measure {
        Measure::Total(total) => Some(Noise {
            mechanism: "discrete_gaussian".to_owned(),
            scale: sigmas.get(at)?.get(*total)? * part.core.aggregates.get(*total)?.step(),
        }),
        // Its scale is one of ranks: how many rows a pick is off by.
        Measure::Quantile { place, .. } => {
            let rank = part.core.quantiles.get(*place)?.rank;
            Some(Noise {
                mechanism: "exponential".to_owned(),
                scale: quantile_scale(plan, part, rank, rho)?,
            })
        }
        _ => None,
    }
}

/// A cell of an output column as JSON: times as ISO 8601.
fn value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Date32 => json!(
            column
                .as_primitive::<Date32Type>()
                .value_as_date(row)
                .map(|d| d.to_string())
        ),
        DataType::Timestamp(..) => {
            let time = column.as_primitive_opt::<TimestampMicrosecondType>();
            json!(
                time.and_then(|time| time.value_as_datetime(row))
                    .map(|t| t.format("%Y-%m-%dT%H:%M:%S").to_string())
            )
        }
        _ => Value::Null,
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
            if column.interval {
                line.push(csv_text(&format!("{}_low95", column.name)));
                line.push(csv_text(&format!("{}_high95", column.name)));
            }
        }
        out.push_str(&line.join(","));
        out.push_str("\r\n");
        for row in &self.rows {
            line.clear();
            for ((value, interval), column) in row.values.iter().zip(&row.interval95).zip(&self.columns) {
                line.push(match value {
                    Value::Null => String::new(),
                    Value::String(text) => csv_text(text),
                    other => other.to_string(),
                });
                if column.interval {
                    let ends = interval.map(|ends| ends.map(|end| end.to_string()));
                    line.extend(ends.unwrap_or_default());
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

        fn choose(&mut self, scores: &[i64], _: Scale) -> Result<usize, NoiseError> {
            let best = scores.iter().enumerate().max_by_key(|(_, score)| **score);
            Ok(best.map_or(0, |(at, _)| at))
        }
    }

    fn plan() -> PrivatePlan {
        plan_of("SELECT sex, COUNT(*) AS n, SUM(fare) AS total FROM trips GROUP BY sex")
    }

    fn plan_of(sql: &str) -> PrivatePlan {
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
            metadata,
        };
        sandbox_plan::plan(sql, &relation).unwrap()
    }

    fn totals(plan: &PrivatePlan, value: i128) -> Vec<Totals> {
        let of_part = |core: &PlanCore| {
            let aggregates = core.aggregates.len();
            let cells = if core.is_open() { 1 } else { core.cells as usize };
            Totals {
                aggregates,
                values: vec![value; cells * aggregates],
                counted: vec![1; cells * core.candidates()],
                found: core
                    .is_open()
                    .then(|| vec![vec![KeyValue::Null; core.keys.len()]]),
            }
        };
        plan.parts.iter().map(|part| of_part(&part.core)).collect()
    }

    fn cost(rho: Rho) -> JobCost {
        JobCost {
            epsilon: 0.5,
            rho_nano: i64::try_from(rho.nano()).unwrap(),
            paid_nano: 0,
            delta_atto: 0,
            threshold_delta: 0,
        }
    }

    fn answer(plan: &PrivatePlan, total: i128, rho: Rho, mut noise: Shift) -> Answer {
        let noised = noised(plan, &totals(plan, total), &cost(rho), &mut noise).unwrap();
        show(plan, &noised, rho).unwrap()
    }

    #[test]
    fn every_cell_is_noised_and_carries_its_interval() {
        let plan = plan();
        let answer = answer(&plan, 7, Rho::from_nano(4_000_000), Shift(3));
        let names: Vec<_> = answer.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["sex", "n", "total"]);
        assert!(answer.columns[0].noise.is_none());
        let keys: Vec<_> = answer.rows.iter().map(|row| row.values[0].clone()).collect();
        assert_eq!(
            keys,
            [
                json!("男"),
                json!("=1+1"),
                json!(sandbox_plan::release::OTHER),
                Value::Null
            ],
            "empty cells appear too"
        );
        for row in &answer.rows {
            assert_eq!(row.values[1], json!(10));
            let [low, high] = row.interval95[1].unwrap();
            let sigma = answer.columns[1].noise.as_ref().unwrap().scale;
            assert!(
                (high - low - 2.0 * privacy::accuracy::Z95 * sigma).abs() < 1e-6
                    && (low..=high).contains(&10.0)
            );
            // Two aggregates share ρ = 0.004; ten rows a unit: σ² = 2·10²/(2·0.004).
            assert!((sigma - 25_000_f64.sqrt()).abs() < 0.01, "{sigma}");
        }
    }

    #[test]
    fn totals_beyond_the_plan_are_not_believed() {
        let plan = plan();
        let answer = answer(&plan, i128::MAX, Rho::from_nano(1_000), Shift(0));
        assert_eq!(answer.rows[0].values[1], json!(1_000 * 10));
        let short = Totals {
            aggregates: 1,
            values: vec![0],
            counted: vec![1; plan.parts[0].core.cells as usize * plan.parts[0].core.candidates()],
            found: None,
        };
        assert!(noised(&plan, &[short], &cost(Rho::from_nano(1_000)), &mut Shift(0)).is_err());
        assert!(
            noised(&plan, &totals(&plan, 0), &cost(Rho::ZERO), &mut Shift(0)).is_err(),
            "no ρ, no answer"
        );
    }

    #[test]
    fn reading_an_answer_costs_the_server_a_bounded_time() {
        let begun = std::time::Instant::now();
        let spread = "SELECT fare, STDDEV_POP(fare) AS s FROM trips GROUP BY fare, fare % 100, sex";
        let all = plan_of(spread);
        assert!(all.parts[0].core.cells > 40_000);
        let rho = Rho::from_nano(4_000_000);
        let whole = answer(&all, 7, rho, Shift(0));
        assert_eq!(whole.rows.len(), all.parts[0].core.cells as usize);
        assert!(!whole.columns[1].interval, "too many rows to simulate");
        let one = answer(&plan_of(&format!("{spread} LIMIT 1")), 7, rho, Shift(0));
        assert!(one.rows.len() == 1 && one.columns[1].interval, "of one row it is");
        // Were noise drawn for what LIMIT leaves out, these would be 247 million deviates.
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    }

    #[test]
    fn csv_is_no_formula() {
        let plan = plan();
        let answer = answer(&plan, 7, Rho::from_nano(4_000_000), Shift(-20));
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

    #[test]
    fn two_draws_are_weighed_by_what_was_paid_for_them() {
        let plan = plan();
        let rho = Rho::from_nano;
        let at = |total, paid| noised(&plan, &totals(&plan, total), &cost(paid), &mut Shift(0)).unwrap();
        let (low, high) = (at(90, rho(1_000_000)), at(100, rho(3_000_000)));
        let both = combined((&low, rho(1_000_000)), (&high, rho(3_000_000))).unwrap();
        // (90 · 1 + 100 · 3) / 4 = 97.5, half away from zero.
        assert_eq!(both.0[0].totals, vec![98; low.0[0].totals.len()]);
        let negative = |noised: &NoisedTotals| {
            let mut negative = noised.clone();
            negative.0[0].totals.iter_mut().for_each(|total| *total *= -1);
            negative
        };
        let mirrored = combined(
            (&negative(&low), rho(1_000_000)),
            (&negative(&high), rho(3_000_000)),
        );
        assert_eq!(
            mirrored.unwrap(),
            negative(&both),
            "rounding leans to neither side"
        );
        // The scale that is told is that of one draw at the sum: with variances as 1/ρ it is what the weights give, but for
        // the 2⁻²⁰ to which scales are rounded.
        let told = scales(&plan, rho(4_000_000)).unwrap();
        let parts = [scales(&plan, rho(1_000_000)), scales(&plan, rho(3_000_000))].map(Result::unwrap);
        for (aggregate, told) in told[0].iter().enumerate() {
            let [first, second] = [&parts[0], &parts[1]].map(|scales| scales[0][aggregate].as_f64());
            let joined = (0.25 * first).hypot(0.75 * second);
            assert!((joined / told.as_f64() - 1.0).abs() < 1e-7, "{joined} {told:?}");
        }
    }

    #[test]
    fn what_noise_has_chosen_is_not_joined() {
        let rho = Rho::from_nano(1_000_000);
        let of = |totals, found| {
            NoisedTotals(vec![NoisedPart {
                totals,
                picked: vec![],
                found,
            }])
        };
        let chosen = of(vec![1], Some(vec![vec![]]));
        assert!(combined((&chosen, rho), (&chosen, rho)).is_err());
        let plain = |totals| of(totals, None);
        assert!(combined((&plain(vec![1]), rho), (&plain(vec![1, 2]), rho)).is_err());
        let median = plan_of("SELECT MEDIAN(fare) AS m FROM trips");
        assert!(!can_top_up(&median) && can_top_up(&plan()));
        let both = plan_of(&format!(
            "SELECT a.n, b.m FROM ({COUNT}) a CROSS JOIN ({MEDIAN}) b"
        ));
        assert!(!can_top_up(&both));
    }

    const COUNT: &str = "SELECT COUNT(*) AS n FROM trips";
    const MEDIAN: &str = "SELECT MEDIAN(fare) AS m FROM trips";

    #[test]
    fn parts_share_one_price() {
        let rho = Rho::from_nano(4_000_000);
        let alone = plan_of(COUNT);
        let both = plan_of(&format!(
            "SELECT a.n, b.s, a.n * 1.0 / b.s AS ratio FROM ({COUNT}) a \
             CROSS JOIN (SELECT SUM(fare) AS s FROM trips WHERE sex = '男') b"
        ));
        assert_eq!((both.parts.len(), both.shares()), (2, 2));
        let scale = |plan: &PrivatePlan, column: &str| {
            let answer = answer(plan, 7, rho, Shift(0));
            let column = answer.columns.iter().find(|own| own.name == column);
            column.unwrap().noise.as_ref().unwrap().scale
        };
        // Half of ρ each: σ is √2 times as large.
        let (one, half) = (scale(&alone, "n"), scale(&both, "n"));
        assert!((half / one - 2f64.sqrt()).abs() < 1e-5, "{one} {half}");
        let shown = answer(&both, 700, rho, Shift(0));
        assert_eq!(shown.rows.len(), 1);
        assert_eq!(shown.rows[0].values, [json!(700), json!(700), json!(1.0)]);
        let told: Vec<bool> = shown.rows[0].interval95.iter().map(Option::is_some).collect();
        // 700 is not clear of zero, where the noise is 16,000.
        assert_eq!(told, [true, true, false], "{shown:?}");
        let wrong = totals(&alone, 7);
        assert!(
            noised(&both, &wrong, &cost(rho), &mut Shift(0)).is_err(),
            "a part is missing"
        );
    }

    /// A share of the whole from one ROLLUP: numerator and denominator have noise in common, which Fieller's interval would not know of.
    #[test]
    fn intervals_know_of_noise_that_totals_have_in_common() {
        let rollup = "SELECT sex, GROUPING(sex) AS g, COUNT(*) AS n FROM trips GROUP BY ROLLUP (sex)";
        let plan = plan_of(&format!(
            "WITH r AS ({rollup}) SELECT a.sex, a.n * 1.0 / b.n AS share, a.n + b.n AS both \
             FROM r a JOIN r b ON b.g = 1 WHERE a.g = 0 AND a.sex IS NOT NULL"
        ));
        assert_eq!((plan.parts.len(), plan.shares()), (1, 1));
        let cost = cost(Rho::from_nano(4_000_000));
        let totals = totals(&plan, 9_000);
        let drawn = noised(&plan, &totals, &cost, &mut Shift(0)).unwrap();
        let shown = show(&plan, &drawn, cost.answer_rho()).unwrap();
        let sigma = scales(&plan, cost.drawn_rho()).unwrap()[0][0].as_f64();
        let width = |column: usize| {
            let [low, high] = shown.rows[0].interval95[column].unwrap();
            (high - low) / (2.0 * privacy::accuracy::Z95 * sigma)
        };
        // Of four cells a and b = a + c + d + e: a + b has the variance 4 + 3, and a/b at a quarter (0.75² + 3 · 0.25²)/b². With
        // independent noise it would be 5, and 1.25: a tenth and more off.
        let share = 0.75f64.sqrt() / 36_000.0;
        assert!((width(1) / share - 1.0).abs() < 0.09, "{}", width(1) / share);
        let both = 7f64.sqrt();
        assert!((width(2) / both - 1.0).abs() < 0.09, "{}", width(2) / both);
    }

    #[test]
    fn thresholds_share_one_delta() {
        let grouped = |filter: &str| {
            format!("SELECT fare * 1000 AS k, COUNT(*) AS n FROM trips WHERE {filter} GROUP BY 1")
        };
        let one = plan_of(&grouped("sex = '男'"));
        let two = plan_of(&format!(
            "SELECT a.k, a.n, b.n AS others FROM ({}) a JOIN ({}) b ON a.k = b.k",
            grouped("sex = '男'"),
            grouped("sex IS NULL")
        ));
        assert_eq!((one.open_parts(), two.open_parts()), (1, 2));
        let cost = JobCost {
            threshold_delta: 1_000_000,
            ..cost(Rho::from_nano(4_000_000))
        };
        let least = |plan: &PrivatePlan, delta: u64| {
            let core = &plan.parts[0].core;
            let scale = scales(plan, cost.drawn_rho()).unwrap()[0][core.units_aggregate().unwrap()];
            let delta = Delta::from_units(delta);
            privacy::threshold::release_threshold(scale, 1, delta, core.groups_per_unit).unwrap()
        };
        let found = |plan: &PrivatePlan, units| {
            let drawn = noised(plan, &totals(plan, units), &cost, &mut Shift(0)).unwrap();
            drawn
                .0
                .iter()
                .map(|part| part.found.as_ref().unwrap().len())
                .collect::<Vec<_>>()
        };
        let whole = least(&one, 1_000_000);
        assert_eq!((found(&one, whole), found(&one, whole - 1)), (vec![1], vec![0]));
        let half = least(&two, 500_000);
        assert!(
            half > least(&two, 1_000_000),
            "a smaller δ has a higher threshold"
        );
        assert_eq!(
            (found(&two, half), found(&two, half - 1)),
            (vec![1, 1], vec![0, 0])
        );
    }
}
