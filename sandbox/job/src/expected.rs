//! The expected error of figures: from the noise alone, before anything is charged.

use privacy::Rho;
use sandbox_plan::scalar::ScalarExpr;
use sandbox_plan::{Leaf, Measure, OutputColumn, PlanPart, PrivatePlan, ReleasedColumn};
use serde::Serialize;

/// The expected error of one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AggregateError {
    /// The column's name.
    pub column: String,
    /// The noise's standard deviation per cell, in units of the column, or in rows if it is one of ranks.
    pub standard_deviation: f64,
    /// Half the width of the 95 % interval per cell.
    pub half_width95: f64,
    /// The rows of a cell for which that holds; none for totals, whose error is the same in every cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_rows: Option<u64>,
    /// Whether it is told for values that are spread evenly over their bounds, as those of variances and correlations are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub even_values: bool,
    /// Whether it is one of ranks, as those of quantiles are: by how many rows the value that is picked is off, where values lie
    /// close together.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_ranks: bool,
}

impl AggregateError {
    /// Whether it depends on nothing but the noise, and perhaps the number of rows.
    pub(crate) const fn is_plain(&self) -> bool {
        !self.even_values && !self.in_ranks
    }
}

/// What is expected of a figure in a cell.
#[derive(Debug, Clone, Copy)]
struct Expected {
    standard_deviation: f64,
    half_width95: f64,
    at_rows: Option<u64>,
    even_values: bool,
    in_ranks: bool,
}

impl Expected {
    /// Noise that is as good as normal.
    fn normal(sigma: f64) -> Self {
        Self {
            standard_deviation: sigma,
            half_width95: crate::interval::Z95 * sigma,
            at_rows: None,
            even_values: false,
            in_ranks: false,
        }
    }

    /// The same of a cell of so many rows.
    fn at(self, rows: u64) -> Self {
        Self {
            at_rows: Some(rows),
            ..self
        }
    }
}

/// The rows of the cell for which a mean's error is told: data sets are declared larger than they are, and cells uneven.
const ROWS: u64 = 100_000;

/// The most cells that a row of the answer is the sum of: 1, but for totals of ROLLUP and the like that are added up.
fn most_cells(part: &PlanPart) -> f64 {
    let summed = |set: &Vec<usize>| -> f64 {
        let keys = part.core.keys.iter().enumerate();
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
        let left_out = keys
            .filter(|(at, _)| !set.contains(at))
            .map(|(_, key)| key.cells.count() as f64);
        left_out.product()
    };
    part.sets.iter().flatten().map(summed).fold(1.0, f64::max)
}

/// What to expect of each output column that is a figure as it is released.
///
/// Of ROLLUP and the like it is the error of the row where it is largest. What depends on its cell's rows, which are nobody's
/// business before the charge, is told for a cell of a hundred thousand rows, or of an equal share of the declared maximum if that is less. What is
/// computed from several figures has its intervals in the answer.
pub(crate) fn expected_errors(plan: &PrivatePlan, rho: f64) -> Vec<AggregateError> {
    let figure = |column: &OutputColumn| {
        let ScalarExpr::Column(at) = &column.expr else {
            return None;
        };
        let expected = expected_error(plan, plan.released.get(*at)?, rho)?;
        Some(AggregateError {
            column: column.name.clone(),
            standard_deviation: expected.standard_deviation,
            half_width95: expected.half_width95,
            at_rows: expected.at_rows,
            even_values: expected.even_values,
            in_ranks: expected.in_ranks,
        })
    };
    plan.output.iter().filter_map(figure).collect()
}

fn expected_error(plan: &PrivatePlan, column: &ReleasedColumn, rho: f64) -> Option<Expected> {
    let (leaf, measure) = match column {
        ReleasedColumn::Measure { leaf, measure } => (leaf, measure),
        ReleasedColumn::Stacked(members) => {
            let members = members
                .iter()
                .map(|(_, column)| expected_error(plan, column, rho));
            let largest = |one: Expected, other: Expected| {
                if other.standard_deviation > one.standard_deviation {
                    other
                } else {
                    one
                }
            };
            return members.collect::<Option<Vec<_>>>()?.into_iter().reduce(largest);
        }
        _ => return None,
    };
    let Leaf::Part(at) = *plan.leaves.get(*leaf)? else {
        return None;
    };
    let part = plan.parts.get(at)?;
    let spread = most_cells(part).sqrt();
    let noise = |total: usize| Some(spread * plan.expected_error(at, total, rho)?);
    // Of groups that are found, those are shown that many are in.
    let cells = if part.core.is_open() {
        1
    } else {
        part.core.cells.max(1)
    };
    let share = part.core.max_rows() / u64::from(cells);
    let share = share.clamp(1, ROWS);
    #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
    let rows = share as f64;
    // Of values that are spread evenly over c ± h: S = 0 and Q = n·h²/3. Errors are those of the noise on Q, P and n, to first
    // order (the delta method); that on S has no part in them.
    let even = |sigma: f64| Expected {
        even_values: true,
        ..Expected::normal(sigma).at(share)
    };
    Some(match measure {
        Measure::Total(total) => Expected::normal(noise(*total)?),
        Measure::Mean { sum, .. } => Expected::normal(noise(*sum)? / rows).at(share),
        Measure::Variance {
            squares,
            count,
            of,
            root,
            ..
        } => {
            let half = of.hi.get() / 2.0 - of.lo.get() / 2.0;
            let variance = half * half / 3.0;
            let sigma = noise(*squares)?.hypot(variance * noise(*count)?) / rows;
            // d√V = dV/(2√V).
            let sigma = if *root {
                sigma / (2.0 * variance.sqrt())
            } else {
                sigma
            };
            even(sigma.is_finite().then_some(sigma)?)
        }
        // x and y that have nothing to do with each other: P = 0.
        Measure::Covariance { product, .. } => even(noise(*product)? / rows),
        Measure::Correlation { squares, product, .. } => {
            // What one row adds to Q is at most h².
            let half_squared = |total: usize| {
                let aggregate = part.core.aggregates.get(total)?;
                Some(aggregate.value(aggregate.row_hi.into()))
            };
            let variances = half_squared(squares[0])? * half_squared(squares[1])? / 9.0;
            let sigma = noise(*product)? / (rows * variances.sqrt());
            even(sigma.is_finite().then_some(sigma)?)
        }
        Measure::Quantile { place, .. } => {
            let rank = part.core.quantiles.get(*place)?.rank;
            let scale = quantile_scale(plan, part, rank, Rho::from_f64_up(rho)?)?;
            // Ranks are off by e with a probability as exp(−|e|/scale): a Laplace distribution.
            Expected {
                standard_deviation: std::f64::consts::SQRT_2 * scale,
                half_width95: scale * 20f64.ln(),
                at_rows: None,
                even_values: false,
                in_ranks: true,
            }
        }
    })
}

/// The scale of a quantile's pick, in rows.
pub(crate) fn quantile_scale(plan: &PrivatePlan, part: &PlanPart, rank: u32, rho: Rho) -> Option<f64> {
    let rows = part.core.unit.max_rows_per_unit;
    let scale = privacy::quantile::scale(rows, rank, plan.shares(), rho).ok()?;
    Some(scale.as_f64() / f64::from(privacy::quantile::RANKS))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use model::{DatasetId, DeclaredMetadata, Level, Slug, Timestamp, VersionId};
    use privacy::OpenDpNoise;
    use sandbox_plan::plan::{Aggregate, AggregateFunction};
    use sandbox_plan::scalar::Arithmetic;
    use sandbox_plan::{Relation, Totals};
    use serde_json::json;

    use super::*;
    use crate::JobCost;
    use crate::answer::{noised, show};

    /// A person has one row, and a cell a thousand.
    fn plan(call: &str) -> PrivatePlan {
        let metadata: DeclaredMetadata = serde_json::from_value(json!({
            "unit": {"type": "person", "max_units": 1_000, "max_rows": 1_000, "max_rows_per_unit": 1},
            "fields": [
                {"name": "id", "type": "text", "role": "unit_key", "level": "L3"},
                {"name": "fare", "type": "number", "level": "L3", "bounds": {"lo": 10, "hi": 50}},
                {"name": "tip", "type": "number", "level": "L3", "bounds": {"lo": -4, "hi": 4}},
                {"name": "stop", "type": "integer", "level": "L3", "bounds": {"lo": 0, "hi": 1_000}},
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
        sandbox_plan::plan(&format!("SELECT {call} AS x FROM trips"), &relation).unwrap()
    }

    /// The totals of a thousand rows whose values are spread evenly over their bounds: sums about the middle and of products are
    /// zero, those of squares a third of what they can be. A value on each candidate.
    fn even(plan: &PrivatePlan) -> Totals {
        let core = &plan.parts[0].core;
        let total = |aggregate: &Aggregate| match &aggregate.function {
            AggregateFunction::Sum(ScalarExpr::Arithmetic(Arithmetic::Multiply, x, y)) if x == y => {
                1_000 * i128::from(aggregate.row_hi) / 3
            }
            AggregateFunction::Sum(_) => 0,
            _ => 1_000,
        };
        Totals {
            aggregates: core.aggregates.len(),
            values: core.aggregates.iter().map(total).collect(),
            counted: vec![1; core.candidates()],
            found: None,
        }
    }

    #[test]
    fn errors_are_as_expected() {
        let rho = Rho::from_f64_up(0.05).unwrap();
        let cost = JobCost {
            epsilon: 0.5,
            rho_nano: i64::try_from(rho.nano()).unwrap(),
            paid_nano: 0,
            delta_atto: 0,
            threshold_delta: 0,
        };
        for call in [
            "COUNT(*)",
            "AVG(fare)",
            "VAR_POP(fare)",
            "STDDEV_SAMP(fare)",
            "COVAR_POP(fare, tip)",
            "CORR(fare, tip)",
            "MEDIAN(stop)",
        ] {
            let plan = plan(call);
            let totals = [even(&plan)];
            let expected = &expected_errors(&plan, 0.05)[0];
            let mut noise = OpenDpNoise;
            let draws: Vec<f64> = (0..400)
                .map(|_| {
                    let noised = noised(&plan, &totals, &cost, &mut noise).unwrap();
                    let answer = show(&plan, &noised, rho).unwrap();
                    answer.rows[0].values[0].as_f64().unwrap()
                })
                .collect();
            #[expect(clippy::cast_precision_loss, reason = "few draws")]
            let count = draws.len() as f64;
            let mean = draws.iter().sum::<f64>() / count;
            let seen = (draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
            let ratio = seen / expected.standard_deviation;
            // Six standard deviations of what 400 draws show of their own; heavier tails show less well.
            let near = if expected.in_ranks { 0.66..1.5 } else { 0.8..1.25 };
            assert!(near.contains(&ratio), "{call}: {seen} of {expected:?}");
            let wide = |x: &&f64| (**x - mean).abs() > expected.half_width95;
            let beyond = draws.iter().filter(wide).count();
            assert!(
                (1..48).contains(&beyond),
                "{call}: {beyond} of 400 beyond the 95 %"
            );
        }
    }
}
