//! Figures: how each is made of noised totals. Moments are computed from noised sums about a public centre, which halves (for
//! squares: quarters) the bounds of what is summed.

use model::FieldType;
use serde::{Deserialize, Serialize};

use crate::plan::{AggregateFunction, PlanCore};
use crate::scalar::Real;

/// A public interval, and the centre about which sums are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Centred {
    /// The least value of a row.
    pub lo: Real,
    /// The greatest.
    pub hi: Real,
    /// What is subtracted before summing.
    pub centre: Real,
}

/// A figure of the released table; numbers are places in [`PlanCore::aggregates`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// A total as it was noised.
    Total(usize),
    /// c + S/n, within the declared bounds.
    Mean {
        /// Σ(x − c).
        sum: usize,
        /// Rows with a value.
        count: usize,
        /// Bounds and c.
        of: Centred,
    },
    /// (Q − S²/n)/n, or /(n − 1), at least 0 and at most what the bounds allow (Popoviciu 1935: (hi − lo)²/4).
    Variance {
        /// S = Σ(x − c).
        sum: usize,
        /// Q = Σ(x − c)².
        squares: usize,
        /// n.
        count: usize,
        /// Bounds and c.
        of: Centred,
        /// Whether n − 1 divides.
        sample: bool,
        /// Whether the square root is shown.
        root: bool,
    },
    /// (P − S_x·S_y/n)/n, or /(n − 1).
    Covariance {
        /// S_x and S_y, over rows that have both.
        sums: [usize; 2],
        /// P = Σ(x − c_x)(y − c_y).
        product: usize,
        /// n.
        count: usize,
        /// Whether n − 1 divides.
        sample: bool,
    },
    /// A quantile that was picked.
    Quantile {
        /// Its place in [`PlanCore::quantiles`].
        place: usize,
        /// Rows with a value: where they are few, a pick says nothing.
        count: usize,
    },
    /// Pearson's r from the six moments, within ±1.
    Correlation {
        /// S_x and S_y, over rows that have both.
        sums: [usize; 2],
        /// Q_x and Q_y.
        squares: [usize; 2],
        /// P.
        product: usize,
        /// n.
        count: usize,
    },
}

impl Measure {
    /// The aggregates it is computed from.
    pub fn aggregates(&self) -> Vec<usize> {
        match self {
            Self::Total(total) => vec![*total],
            Self::Quantile { count, .. } => vec![*count],
            Self::Mean { sum, count, .. } => vec![*sum, *count],
            Self::Variance {
                sum, squares, count, ..
            } => vec![*sum, *squares, *count],
            Self::Covariance {
                sums, product, count, ..
            } => vec![sums[0], sums[1], *product, *count],
            Self::Correlation {
                sums,
                squares,
                product,
                count,
            } => vec![sums[0], sums[1], squares[0], squares[1], *product, *count],
        }
    }

    /// Puts the aggregates' final places in.
    pub(crate) fn renumber(&mut self, order: &[usize], quantiles: &[usize]) {
        if let Self::Quantile { place, .. } = self {
            *place = quantiles.get(*place).copied().unwrap_or(usize::MAX);
        }
        let places: Vec<&mut usize> = match self {
            Self::Quantile { count, .. } => vec![count],
            Self::Total(total) => vec![total],
            Self::Mean { sum, count, .. } => vec![sum, count],
            Self::Variance {
                sum, squares, count, ..
            } => vec![sum, squares, count],
            Self::Covariance {
                sums, product, count, ..
            } => sums.iter_mut().chain([product, count]).collect(),
            Self::Correlation {
                sums,
                squares,
                product,
                count,
            } => sums.iter_mut().chain(squares).chain([product, count]).collect(),
        };
        for place in places {
            *place = order.get(*place).copied().unwrap_or(usize::MAX);
        }
    }

    /// The type of its values.
    pub fn field_type(&self, core: &PlanCore) -> FieldType {
        let total = match self {
            Self::Total(total) => total,
            Self::Quantile { place, .. } => {
                let quantile = core.quantiles.get(*place);
                return quantile.map_or(FieldType::Number, |quantile| quantile.candidates.field_type());
            }
            _ => return FieldType::Number,
        };
        match core.aggregates.get(*total) {
            Some(aggregate) => match &aggregate.function {
                AggregateFunction::Sum(expr)
                    if aggregate.exponent != 0
                        || expr.field_type(&core.column_types()) == Some(FieldType::Number) =>
                {
                    FieldType::Number
                }
                _ => FieldType::Integer,
            },
            None => FieldType::Number,
        }
    }

    /// The value from a row's totals; `None` is NULL: too few rows after noise.
    pub(super) fn value(&self, core: &PlanCore, totals: &[i128]) -> Option<f64> {
        let of = |at: &usize| Some(core.aggregates.get(*at)?.value(*totals.get(*at)?));
        let value = match self {
            Self::Total(total) => of(total)?,
            Self::Quantile { .. } => return None,
            Self::Mean { sum, count, of: x } => {
                let n = of(count).filter(|n| *n > 0.0)?;
                (x.centre.get() + of(sum)? / n).clamp(x.lo.get(), x.hi.get())
            }
            Self::Variance {
                sum,
                squares,
                count,
                of: x,
                sample,
                root,
            } => {
                let (n, s) = (of(count)?, of(sum)?);
                let divisor = divisor(n, *sample)?;
                let most = (x.hi.get() - x.lo.get()).powi(2) / 4.0 * (n / divisor);
                let variance = ((of(squares)? - s * s / n) / divisor).clamp(0.0, most);
                if *root { variance.sqrt() } else { variance }
            }
            Self::Covariance {
                sums,
                product,
                count,
                sample,
            } => {
                let n = of(count)?;
                let divisor = divisor(n, *sample)?;
                (of(product)? - of(&sums[0])? * of(&sums[1])? / n) / divisor
            }
            Self::Correlation {
                sums,
                squares,
                product,
                count,
            } => {
                let n = of(count).filter(|n| *n > 1.0)?;
                let (x, y) = (of(&sums[0])?, of(&sums[1])?);
                let spread = (of(&squares[0])? - x * x / n) * (of(&squares[1])? - y * y / n);
                let spread = Some(spread).filter(|spread| *spread > 0.0)?;
                ((of(product)? - x * y / n) / spread.sqrt()).clamp(-1.0, 1.0)
            }
        };
        value.is_finite().then_some(value)
    }
}

/// What a second moment is divided by; none where noise left too few rows.
fn divisor(n: f64, sample: bool) -> Option<f64> {
    let divisor = if sample { n - 1.0 } else { n };
    (divisor > 0.0).then_some(divisor)
}
