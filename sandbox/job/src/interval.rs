//! 95 % intervals of what an answer shows, about the bounded statistic.
//!
//! A total's interval is the normal one. A mean's and a plain ratio's is Fieller's (1954, "Some problems in interval
//! estimation", J. R. Statist. Soc. B 16): the θ with |a − θb| ≤ z·√(σ_a² + θ²σ_b²). Everything else that is computed
//! from noised totals is simulated: the noise's law is known and does not depend on the data, so the computation is
//! repeated with fresh noise taken off the totals, and the middle 95 % of what comes out is the interval (the fiducial
//! interval of Fisher 1935; exact for a monotone function of one total). It looks at released figures only.

use std::f64::consts::TAU;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use model::FieldType;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox_plan::scalar::{Arithmetic, CastTarget, ScalarExpr};
use sandbox_plan::{Measure, PrivatePlan, Released, ReleasedColumn};

use crate::JobError;

/// The two-sided 95 % quantile of the normal distribution.
pub(crate) const Z95: f64 = privacy::accuracy::Z95;
/// Repetitions of a simulation, if the answer is small.
const DRAWS: usize = 2_000;
/// Below this many a simulation says nothing about the ends.
const LEAST_DRAWS: usize = 200;
/// Values that a simulation may hold.
const MOST_VALUES: usize = 8_000_000;
/// How long a simulation may take a core, in nanoseconds: whoever reads an answer makes the server do it.
const MOST_NANOS: u64 = 2_000_000_000;
/// Drawing the noise of one total, or one value of a released column.
const ROW_NANOS: u64 = 60;

/// A noised column's interval per row; `None` where there is none.
pub(crate) type Intervals = Vec<Option<[f64; 2]>>;

/// What stands in an output column.
enum Kind<'a> {
    /// Nothing noised, or no number.
    Plain,
    /// A figure as it was released.
    Measure(&'a Measure),
    /// One total over another.
    Ratio(usize, usize),
    /// Anything else.
    Computed,
}

/// Finds the intervals of every output column, `None` for a column that has none.
pub(crate) struct Errors<'a> {
    pub(crate) plan: &'a PrivatePlan,
    /// The rows of the answer.
    pub(crate) rows: &'a Released,
    /// The noise's standard deviation per aggregate and cell, in grid steps.
    pub(crate) sigmas: &'a [f64],
    /// What the job was charged.
    pub(crate) rho: privacy::Rho,
}

impl Errors<'_> {
    pub(crate) fn intervals(&self) -> Result<Vec<Option<Intervals>>, JobError> {
        let kinds: Vec<Kind<'_>> = self
            .plan
            .output
            .iter()
            .map(|column| self.kind(&column.expr))
            .collect();
        let computed: Vec<usize> = kinds
            .iter()
            .enumerate()
            .filter(|(_, kind)| {
                matches!(kind, Kind::Computed)
                    || matches!(kind, Kind::Measure(m)
                        if !matches!(m, Measure::Total(_) | Measure::Mean { .. } | Measure::Quantile { .. }))
            })
            .map(|(at, _)| at)
            .collect();
        let mut simulated = self.simulate(&computed)?.into_iter();
        let mut all = Vec::with_capacity(kinds.len());
        for kind in kinds {
            all.push(match kind {
                Kind::Plain => None,
                Kind::Measure(Measure::Total(total)) => Some(self.totals(*total)),
                Kind::Measure(Measure::Quantile { place, count }) => Some(self.quantiles(*place, *count)?),
                Kind::Measure(Measure::Mean { sum, count, of }) => {
                    let ends = [of.lo.get(), of.hi.get()];
                    let shift = of.centre.get();
                    let clamp = |x: f64| (x + shift).clamp(ends[0], ends[1]);
                    let fieller = self.fieller(*sum, *count).into_iter();
                    // Where the data say nothing, the declared bounds do.
                    Some(
                        fieller
                            .map(|found| Some(found.map_or(ends, |[lo, hi]| [clamp(lo), clamp(hi)])))
                            .collect(),
                    )
                }
                Kind::Ratio(over, under) => Some(self.fieller(over, under)),
                Kind::Measure(_) | Kind::Computed => simulated.next().flatten(),
            });
        }
        Ok(all)
    }

    fn kind<'b>(&'b self, expr: &ScalarExpr) -> Kind<'b> {
        let measures = self.plan.measures_of(expr);
        if measures.is_empty() {
            return Kind::Plain;
        }
        let types = self.plan.released_types();
        if let Some(measure) = self.measure(expr) {
            return Kind::Measure(measure);
        }
        // How a pick would vary is not known without the data.
        if measures
            .iter()
            .any(|measure| matches!(measure, Measure::Quantile { .. }))
        {
            return Kind::Plain;
        }
        match (expr, expr.field_type(&types)) {
            (ScalarExpr::Arithmetic(Arithmetic::Divide, over, under), Some(FieldType::Number)) => {
                match (self.measure(number(over)), self.measure(number(under))) {
                    (Some(Measure::Total(over)), Some(Measure::Total(under))) => Kind::Ratio(*over, *under),
                    _ => Kind::Computed,
                }
            }
            (_, Some(FieldType::Number | FieldType::Integer)) => Kind::Computed,
            _ => Kind::Plain,
        }
    }

    fn measure(&self, expr: &ScalarExpr) -> Option<&Measure> {
        let ScalarExpr::Column(at) = expr else {
            return None;
        };
        match self.plan.released.get(*at) {
            Some(ReleasedColumn::Measure(measure)) => Some(measure),
            _ => None,
        }
    }

    /// Totals of every row, and how many cells each is the sum of.
    fn rows(&self) -> impl Iterator<Item = (&[i128], f64)> {
        let count = self.plan.core.aggregates.len().max(1);
        let rows = self.rows.rows.iter().zip(self.rows.totals.chunks_exact(count));
        rows.map(|(row, totals)| (totals, f64::from(row.cells)))
    }

    /// A total's value and the standard deviation of its noise, in units of the aggregate.
    fn figure(&self, (totals, cells): (&[i128], f64), at: usize) -> Option<(f64, f64)> {
        let aggregate = self.plan.core.aggregates.get(at)?;
        let sigma = self.sigmas.get(at)? * aggregate.step() * cells.sqrt();
        Some((aggregate.value(*totals.get(at)?), sigma))
    }

    fn totals(&self, at: usize) -> Intervals {
        self.rows()
            .map(|row| {
                let (value, sigma) = self.figure(row, at)?;
                Some([value - Z95 * sigma, value + Z95 * sigma])
            })
            .collect()
    }

    /// The picks below and above a quantile, where the cell has so many rows that there are such ranks; else the bounds.
    ///
    /// A pick of the rank that is `reach` lower says something only if there are that many rows below the quantile. How
    /// many there are is known from a noised count: it is taken to be lower than it shows by 3 standard deviations.
    fn quantiles(&self, place: usize, count: usize) -> Result<Intervals, JobError> {
        let core = &self.plan.core;
        let quantile = core
            .quantiles
            .get(place)
            .ok_or(JobError::Internal("a quantile of another plan"))?;
        let candidates = quantile.candidates.count();
        let rows = core.unit.max_rows_per_unit;
        let scale = privacy::quantile::scale(rows, quantile.rank, core.shares(), self.rho)
            .map_err(|_| JobError::Internal("noise scale"))?;
        #[expect(clippy::cast_precision_loss, reason = "a number of rows")]
        let reach = privacy::quantile::reach(scale, candidates, 40.0) as f64;
        let (below, above) = (
            f64::from(quantile.rank),
            f64::from(privacy::quantile::RANKS.saturating_sub(quantile.rank)),
        );
        let ends = [
            quantile.candidates.value(0),
            quantile.candidates.value(candidates.saturating_sub(1)),
        ];
        let picked = self.plan.quantile_intervals(place, self.rows);
        let intervals = picked.into_iter().zip(self.rows()).map(|(picked, row)| {
            let (shown, sigma) = self.figure(row, count)?;
            let surely = (shown - 3.0 * sigma).max(0.0);
            let [low, high] = picked?;
            Some([
                if surely * below > reach { low } else { ends[0] },
                if surely * above > reach { high } else { ends[1] },
            ])
        });
        Ok(intervals.collect())
    }

    fn fieller(&self, over: usize, under: usize) -> Intervals {
        self.rows()
            .map(|row| {
                let (a, b) = (self.figure(row, over)?, self.figure(row, under)?);
                fieller(a, b)
            })
            .collect()
    }

    /// How often the computation of these columns can be repeated within the limits.
    fn draws(&self, columns: &[usize]) -> usize {
        let rows = self.rows.rows.len().max(1);
        let aggregates = self.plan.core.aggregates.len();
        let released = self.plan.released.len();
        let own: u64 = columns.iter().map(|column| self.plan.output_nanos(*column)).sum();
        let per_row = own + ROW_NANOS * (aggregates + released) as u64;
        let by_time = MOST_NANOS / per_row.saturating_mul(rows as u64).max(1);
        let by_memory = MOST_VALUES / (rows * columns.len().max(1));
        DRAWS
            .min(by_memory)
            .min(usize::try_from(by_time).unwrap_or(usize::MAX))
    }

    /// Repeats the computation of some output columns with noise taken off.
    fn simulate(&self, columns: &[usize]) -> Result<Vec<Option<Intervals>>, JobError> {
        let rows = self.rows.rows.len();
        let draws = self.draws(columns);
        if columns.is_empty() || draws < LEAST_DRAWS {
            return Ok(vec![None; columns.len()]);
        }
        let broken = |_| JobError::Internal("a released table");
        let count = self.plan.core.aggregates.len();
        // Public and repeatable: the interval of a stored answer is the same each time it is looked at.
        let mut random = SmallRng::seed_from_u64(95);
        let mut values: Vec<Vec<f64>> = vec![Vec::with_capacity(rows * draws); columns.len()];
        for _ in 0..draws {
            let mut drawn = self.rows.clone();
            for (row, totals) in drawn.rows.iter().zip(drawn.totals.chunks_exact_mut(count)) {
                for (total, sigma) in totals.iter_mut().zip(self.sigmas) {
                    let noise = normal(&mut random) * sigma * f64::from(row.cells).sqrt();
                    #[expect(clippy::cast_possible_truncation, reason = "saturates, far from the ends")]
                    let noise = noise.round() as i128;
                    *total = total.saturating_sub(noise);
                }
            }
            let released = self.plan.released_columns(&drawn).map_err(broken)?;
            for (column, values) in columns.iter().zip(&mut values) {
                let output = self
                    .plan
                    .output_column(*column, &released, rows)
                    .map_err(broken)?;
                values.extend(numbers(&output));
            }
        }
        Ok(values
            .iter()
            .map(|values| Some(middle(values, rows, draws)))
            .collect())
    }
}

/// Fieller's interval of a ratio; none where it is unbounded: the denominator is not clear of zero.
fn fieller((a, sigma_a): (f64, f64), (b, sigma_b): (f64, f64)) -> Option<[f64; 2]> {
    let lead = b * b - Z95 * Z95 * sigma_b * sigma_b;
    if lead <= 0.0 {
        return None;
    }
    let rest = a * a - Z95 * Z95 * sigma_a * sigma_a;
    let root = (a * b * a * b - lead * rest).max(0.0).sqrt();
    Some([(a * b - root) / lead, (a * b + root) / lead])
}

/// The middle 95 % of every row's draws; none where more than 2.5 % of them are no number.
fn middle(values: &[f64], rows: usize, draws: usize) -> Intervals {
    (0..rows)
        .map(|row| {
            let mut of_row: Vec<f64> = (0..draws)
                .filter_map(|draw| values.get(draw * rows + row).copied())
                .filter(|value| value.is_finite())
                .collect();
            if (draws - of_row.len()) * 40 > draws {
                return None;
            }
            of_row.sort_by(f64::total_cmp);
            let cut = of_row.len() / 40;
            Some([*of_row.get(cut)?, *of_row.get(of_row.len() - 1 - cut)?])
        })
        .collect()
}

/// An expression without the cast that makes it a number.
fn number(expr: &ScalarExpr) -> &ScalarExpr {
    match expr {
        ScalarExpr::Cast(inner, CastTarget::Number) => inner,
        other => other,
    }
}

/// Values as doubles, NULL as NaN.
fn numbers(array: &ArrayRef) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "ends of an interval")]
    let integer = |value: i64| value as f64;
    match array.data_type() {
        DataType::Int64 => array
            .as_primitive::<Int64Type>()
            .iter()
            .map(|v| v.map_or(f64::NAN, integer))
            .collect(),
        DataType::Float64 => array
            .as_primitive::<Float64Type>()
            .iter()
            .map(|v| v.unwrap_or(f64::NAN))
            .collect(),
        _ => vec![f64::NAN; array.len()],
    }
}

/// A standard normal deviate (Box, Muller 1958).
fn normal(random: &mut SmallRng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn fiellers_interval_covers_the_true_ratio_as_often_as_it_says() {
        let mut random = SmallRng::seed_from_u64(7);
        let (a, b, sigma_a, sigma_b) = (30.0, 10.0, 2.0, 1.5);
        let runs = 20_000;
        let covered = (0..runs)
            .filter(|_| {
                let noised = (a + sigma_a * normal(&mut random), sigma_a);
                let under = (b + sigma_b * normal(&mut random), sigma_b);
                fieller(noised, under).is_some_and(|[lo, hi]| (lo..=hi).contains(&(a / b)))
            })
            .count();
        let share = f64::from(u32::try_from(covered).unwrap()) / f64::from(runs);
        // Four standard errors of a share of 0.95 in 20,000 runs.
        assert!(
            (share - 0.95).abs() < 4.0 * (0.95f64 * 0.05 / 20_000.0).sqrt(),
            "{share}"
        );
    }

    #[test]
    fn a_denominator_that_may_be_zero_has_no_interval() {
        assert!(fieller((5.0, 1.0), (1.0, 1.0)).is_none());
        let [lo, hi] = fieller((0.0, 1.0), (100.0, 1.0)).unwrap();
        assert!(lo < 0.0 && hi > 0.0 && (lo + hi).abs() < 1e-12);
    }

    #[test]
    fn the_middle_of_the_draws_leaves_a_fortieth_on_each_side() {
        let draws = 200;
        let values: Vec<f64> = (0..draws).flat_map(|n| [f64::from(n), f64::NAN]).collect();
        let found = middle(&values, 2, 200);
        assert_eq!(found, [Some([5.0, 194.0]), None]);
    }
}
