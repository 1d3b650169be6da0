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
use sandbox_plan::scalar::{Arithmetic, CastTarget, Literal, ScalarExpr};
use sandbox_plan::{Figure, Measure, PartRows, PrivatePlan, Released};

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

/// What stands in an output column; figures by their released columns.
#[derive(Clone, Copy)]
enum Kind {
    /// Nothing noised, or no number.
    Plain,
    /// A total as it was noised.
    Total(usize),
    /// One total over another, within bounds.
    Mean(usize),
    /// A value that was picked.
    Quantile(usize),
    /// One total over another, times a constant.
    Ratio(usize, usize, f64),
    /// Anything else.
    Computed,
}

/// Finds the intervals of every output column, `None` for a column that has none.
pub(crate) struct Errors<'a> {
    pub(crate) plan: &'a PrivatePlan,
    /// The rows of the answer.
    pub(crate) released: &'a Released,
    /// The noise's standard deviation per part, aggregate and cell, in grid steps.
    pub(crate) sigmas: &'a [Vec<f64>],
    /// What the job was charged.
    pub(crate) rho: privacy::Rho,
}

impl Errors<'_> {
    pub(crate) fn intervals(&self) -> Result<Vec<Option<Intervals>>, JobError> {
        let output = self.plan.output.iter();
        let kinds: Vec<Kind> = output.map(|column| self.kind(&column.expr)).collect();
        let computed: Vec<usize> = (0..kinds.len())
            .filter(|at| matches!(kinds.get(*at), Some(Kind::Computed)))
            .collect();
        let mut simulated = self.simulate(&computed)?.into_iter();
        let mut all = Vec::with_capacity(kinds.len());
        for kind in kinds {
            all.push(match kind {
                Kind::Plain => None,
                Kind::Computed => simulated.next().flatten(),
                Kind::Total(column) => Some(self.each(|row| self.total(row, column))),
                Kind::Mean(column) => Some(self.each(|row| self.mean(row, column))),
                Kind::Ratio(over, under, times) => Some(self.each(|row| {
                    let [one, other] = fieller(self.shown(row, over)?, self.shown(row, under)?)?;
                    let (one, other) = (one * times, other * times);
                    Some([one.min(other), one.max(other)])
                })),
                Kind::Quantile(column) => Some(self.each(|row| self.quantile(row, column))),
            });
        }
        Ok(all)
    }

    fn kind(&self, expr: &ScalarExpr) -> Kind {
        let measures = self.plan.measures_of(expr);
        if measures.is_empty() {
            return Kind::Plain;
        }
        let types = self.plan.released_types();
        if let Some(column) = released(expr) {
            // Of stacked tables all have the same figure.
            return match measures.first() {
                Some(Measure::Total(_)) => Kind::Total(column),
                Some(Measure::Mean { .. }) => Kind::Mean(column),
                Some(Measure::Quantile { .. }) => Kind::Quantile(column),
                _ => Kind::Computed,
            };
        }
        // How a pick would vary is not known without the data.
        if measures
            .iter()
            .any(|measure| matches!(measure, Measure::Quantile { .. }))
        {
            return Kind::Plain;
        }
        match expr.field_type(&types) {
            Some(FieldType::Number) => match self.ratio(expr) {
                Some((over, under, times)) if !self.correlated(over, under) => {
                    Kind::Ratio(over, under, times)
                }
                _ => Kind::Computed,
            },
            Some(FieldType::Integer) => Kind::Computed,
            _ => Kind::Plain,
        }
    }

    /// One total over another, with constants that either or both are multiplied by.
    fn ratio(&self, expr: &ScalarExpr) -> Option<(usize, usize, f64)> {
        match times(number(expr)) {
            (ScalarExpr::Arithmetic(Arithmetic::Divide, over, under), outer) => {
                let ((over, a), (under, b)) = (times(number(over)), times(number(under)));
                let factor = outer * a / b;
                let [over, under] = [over, under].map(|total| self.total_column(total));
                Some((over?, under?, factor)).filter(|_| factor.is_finite() && factor != 0.0)
            }
            _ => None,
        }
    }

    /// The released column that an expression is, if it is a total as it was noised.
    fn total_column(&self, expr: &ScalarExpr) -> Option<usize> {
        let column = released(expr)?;
        let total = self.plan.measures_of(expr);
        matches!(total.first(), Some(Measure::Total(_))).then_some(column)
    }

    /// Whether two totals may have noise in common, which Fieller's interval does not know of.
    fn correlated(&self, one: usize, other: usize) -> bool {
        let (one, other) = (self.plan.part_of(one), self.plan.part_of(other));
        one.is_some_and(|part| Some(part) == other && self.plan.shares_cells(part))
    }

    fn each(&self, interval: impl Fn(usize) -> Option<[f64; 2]>) -> Intervals {
        (0..self.released.len()).map(interval).collect()
    }

    fn figure(&self, row: usize, column: usize) -> Option<Figure<'_>> {
        self.released.figure(self.plan, column, row)
    }

    /// One of the totals that a figure is made of, and the standard deviation of its noise, in units of the aggregate.
    fn of(&self, figure: &Figure<'_>, total: usize) -> Option<(f64, f64)> {
        let aggregate = self.plan.parts.get(figure.part)?.core.aggregates.get(total)?;
        let sigma = self.sigmas.get(figure.part)?.get(total)?;
        let sigma = sigma * aggregate.step() * f64::from(figure.row.cells).sqrt();
        Some((aggregate.value(*figure.totals.get(total)?), sigma))
    }

    /// A column that is a total.
    fn shown(&self, row: usize, column: usize) -> Option<(f64, f64)> {
        let figure = self.figure(row, column)?;
        match figure.measure {
            Measure::Total(total) => self.of(&figure, *total),
            _ => None,
        }
    }

    fn total(&self, row: usize, column: usize) -> Option<[f64; 2]> {
        let (value, sigma) = self.shown(row, column)?;
        Some([value - Z95 * sigma, value + Z95 * sigma])
    }

    fn mean(&self, row: usize, column: usize) -> Option<[f64; 2]> {
        let figure = self.figure(row, column)?;
        let Measure::Mean { sum, count, of } = figure.measure else {
            return None;
        };
        let ends = [of.lo.get(), of.hi.get()];
        let clamp = |x: f64| (x + of.centre.get()).clamp(ends[0], ends[1]);
        let ratio = fieller(self.of(&figure, *sum)?, self.of(&figure, *count)?);
        // Where the data say nothing, the declared bounds do.
        Some(ratio.map_or(ends, |[lo, hi]| [clamp(lo), clamp(hi)]))
    }

    /// The picks below and above a quantile, where the cell has so many rows that there are such ranks; else the bounds.
    ///
    /// A pick of the rank that is `reach` lower says something only if there are that many rows below the quantile. How
    /// many there are is known from a noised count: it is taken to be lower than it shows by 3 standard deviations.
    fn quantile(&self, row: usize, column: usize) -> Option<[f64; 2]> {
        let figure = self.figure(row, column)?;
        let Measure::Quantile { place, count } = figure.measure else {
            return None;
        };
        let core = &self.plan.parts.get(figure.part)?.core;
        let quantile = core.quantiles.get(*place)?;
        let candidates = quantile.candidates.count();
        let rows = core.unit.max_rows_per_unit;
        let scale = privacy::quantile::scale(rows, quantile.rank, self.plan.shares(), self.rho).ok()?;
        #[expect(clippy::cast_precision_loss, reason = "a number of rows")]
        let reach = privacy::quantile::reach(scale, candidates, 40.0) as f64;
        let (below, above) = (
            f64::from(quantile.rank),
            f64::from(privacy::quantile::RANKS.saturating_sub(quantile.rank)),
        );
        let (shown, sigma) = self.of(&figure, *count)?;
        let surely = (shown - 3.0 * sigma).max(0.0);
        let picks = figure.picked.get(*place)?;
        let value = |at: u32| quantile.candidates.value(at);
        Some([
            value(if surely * below > reach { picks.low } else { 0 }),
            value(if surely * above > reach {
                picks.high
            } else {
                candidates.saturating_sub(1)
            }),
        ])
    }

    /// How often the computation of these columns can be repeated within the limits.
    fn draws(&self, columns: &[usize]) -> usize {
        let rows = self.released.len().max(1);
        let totals = |(at, part): (usize, &PartRows)| match self.plan.parts.get(at) {
            Some(own) if self.plan.shares_cells(at) => {
                let cells = own.core.cells as usize * own.core.aggregates.len();
                cells * own.sets.as_ref().map_or(1, |sets| sets.len() + 1)
            }
            _ => part.totals.len(),
        };
        let totals: usize = self.released.parts.iter().enumerate().map(totals).sum();
        let own: u64 = columns.iter().map(|column| self.plan.output_nanos(*column)).sum();
        let cells = totals + rows * self.plan.released.len();
        let each = own
            .saturating_mul(rows as u64)
            .saturating_add(ROW_NANOS.saturating_mul(cells as u64));
        let by_time = MOST_NANOS / each.max(1);
        let by_memory = MOST_VALUES / (rows * columns.len().max(1));
        DRAWS
            .min(by_memory)
            .min(usize::try_from(by_time).unwrap_or(usize::MAX))
    }

    /// Of each part whose totals share cells, the rows that each cell is a part of.
    fn shared_rows(&self) -> Vec<Option<Vec<Vec<usize>>>> {
        let parts = self.plan.parts.iter().zip(&self.released.parts).enumerate();
        parts
            .map(|(at, (part, rows))| self.plan.shares_cells(at).then(|| part.rows_of_cells(rows)))
            .collect()
    }

    /// Repeats the computation of some output columns with noise taken off. A cell that stands in several rows has the same noise
    /// in all of them.
    fn simulate(&self, columns: &[usize]) -> Result<Vec<Option<Intervals>>, JobError> {
        let rows = self.released.len();
        let draws = self.draws(columns);
        if columns.is_empty() || draws < LEAST_DRAWS {
            return Ok(vec![None; columns.len()]);
        }
        let broken = |_| JobError::Internal("a released table");
        // Public and repeatable: the interval of a stored answer is the same each time it is looked at.
        let mut random = SmallRng::seed_from_u64(95);
        let shared = self.shared_rows();
        let mut values: Vec<Vec<f64>> = vec![Vec::with_capacity(rows * draws); columns.len()];
        for _ in 0..draws {
            let mut drawn = self.released.clone();
            let parts = drawn.parts.iter_mut().zip(self.sigmas).zip(&shared);
            for ((part, sigmas), shared) in parts {
                match shared {
                    None => take_off(part, sigmas, &mut random),
                    Some(rows) => take_off_cells(part, sigmas, rows, &mut random),
                }
            }
            let output = self.plan.some_output_columns(&drawn, columns).map_err(broken)?;
            for (output, values) in output.iter().zip(&mut values) {
                values.extend(numbers(output));
            }
        }
        Ok(values
            .iter()
            .map(|values| Some(middle(values, rows, draws)))
            .collect())
    }
}

/// Takes fresh noise off every row.
fn take_off(part: &mut PartRows, sigmas: &[f64], random: &mut SmallRng) {
    let totals = part.totals.chunks_exact_mut(sigmas.len().max(1));
    for (row, totals) in part.rows.iter().zip(totals) {
        let spread = f64::from(row.cells).sqrt();
        for (total, sigma) in totals.iter_mut().zip(sigmas) {
            *total = total.saturating_sub(rounded(normal(random) * sigma * spread));
        }
    }
}

/// Takes fresh noise off every cell, and so off all rows that it is a part of.
fn take_off_cells(part: &mut PartRows, sigmas: &[f64], rows_of_cells: &[Vec<usize>], random: &mut SmallRng) {
    for rows in rows_of_cells.iter().filter(|rows| !rows.is_empty()) {
        for (aggregate, sigma) in sigmas.iter().enumerate() {
            let noise = rounded(normal(random) * sigma);
            for row in rows {
                if let Some(total) = part.totals.get_mut(row * sigmas.len() + aggregate) {
                    *total = total.saturating_sub(noise);
                }
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, far from the ends")]
const fn rounded(noise: f64) -> i128 {
    noise.round() as i128
}

/// The released column that an expression is.
const fn released(expr: &ScalarExpr) -> Option<usize> {
    match expr {
        ScalarExpr::Column(at) => Some(*at),
        _ => None,
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

/// An expression without a constant that it is multiplied by, and the constant.
fn times(expr: &ScalarExpr) -> (&ScalarExpr, f64) {
    let constant = |expr: &ScalarExpr| match number(expr) {
        ScalarExpr::Literal(Literal::Number(value)) => Some(value.get()),
        #[expect(clippy::cast_precision_loss, reason = "the factor of an interval")]
        ScalarExpr::Literal(Literal::Integer(value)) => Some(*value as f64),
        _ => None,
    };
    if let ScalarExpr::Arithmetic(Arithmetic::Multiply, left, right) = expr {
        if let Some(factor) = constant(left) {
            return (number(right), factor);
        }
        if let Some(factor) = constant(right) {
            return (number(left), factor);
        }
    }
    (expr, 1.0)
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
