//! What is added up in every cell, and on which grid; and the quantiles that are picked in it.

use model::FieldType;
use serde::{Deserialize, Serialize};

use crate::scalar::{Real, ScalarExpr};

/// What an aggregate adds up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AggregateFunction {
    /// COUNT(*).
    CountRows,
    /// COUNT(x): rows where x is not NULL.
    CountValues(ScalarExpr),
    /// COUNT(DISTINCT unit key).
    CountUnits,
    /// The same with a condition: units with a row in the cell for which it is true.
    CountUnitsWhere(ScalarExpr),
    /// SUM(x), NULLs left out.
    Sum(ScalarExpr),
    /// COUNT(DISTINCT x): of the values of each unit in a cell, as many as said, chosen by keyed hash; then the values of
    /// all units, each once.
    CountDistinct {
        /// Whose values; NULLs are left out.
        of: ScalarExpr,
        /// How many of one unit count in one cell.
        per_unit: u32,
    },
}

impl AggregateFunction {
    /// The expression that is computed for every row.
    pub(crate) const fn expr(&self) -> Option<&ScalarExpr> {
        match self {
            Self::CountValues(x)
            | Self::Sum(x)
            | Self::CountUnitsWhere(x)
            | Self::CountDistinct { of: x, .. } => Some(x),
            Self::CountRows | Self::CountUnits => None,
        }
    }

    /// The same, to be changed.
    pub(crate) const fn expr_mut(&mut self) -> Option<&mut ScalarExpr> {
        match self {
            Self::CountValues(x)
            | Self::Sum(x)
            | Self::CountUnitsWhere(x)
            | Self::CountDistinct { of: x, .. } => Some(x),
            Self::CountRows | Self::CountUnits => None,
        }
    }

    /// Whether what a row adds depends on no other row.
    pub(crate) const fn adds_by_row(&self) -> bool {
        matches!(self, Self::CountRows | Self::CountValues(_) | Self::Sum(_))
    }

    /// Whether it counts units, each once a cell.
    pub(crate) const fn counts_units(&self) -> bool {
        matches!(self, Self::CountUnits | Self::CountUnitsWhere(_))
    }

    /// Whether it counts distinct values.
    pub(crate) const fn is_distinct(&self) -> bool {
        matches!(self, Self::CountDistinct { .. })
    }
}

/// An aggregate, on its integer grid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// What it adds up.
    pub function: AggregateFunction,
    /// The result is the integer total times 2 to this power; rows are cut toward zero onto that grid.
    pub exponent: i32,
    /// The least that one row adds, in grid steps.
    pub row_lo: i64,
    /// The most that one row adds, in grid steps.
    pub row_hi: i64,
    /// The most cells in which one unit can hold `unit_most` at once: the squared L2 sensitivity is
    /// `spread · unit_most²`.
    pub spread: u32,
    /// The most that one unit adds to one cell, in magnitude and grid steps (R·max(|lo|, |hi|)).
    pub unit_most: i64,
}

impl Aggregate {
    /// The squared L2 sensitivity, in squared grid steps; exact.
    pub fn sensitivity_squared(&self) -> u128 {
        u128::from(self.spread) * u128::from(self.unit_most.unsigned_abs()).pow(2)
    }

    /// The length of a grid step, in units of the aggregate.
    pub fn step(&self) -> f64 {
        f64::from(self.exponent).exp2()
    }

    /// An integer total (noised or not) in units of the aggregate.
    #[expect(clippy::cast_precision_loss, reason = "a result is shown as a double")]
    pub fn value(&self, total: i128) -> f64 {
        total as f64 * self.step()
    }

    /// The least and most that one unit adds to one cell, in grid steps.
    pub fn unit_range(&self) -> (i64, i64) {
        (
            if self.row_lo < 0 { -self.unit_most } else { 0 },
            if self.row_hi > 0 { self.unit_most } else { 0 },
        )
    }

    /// Whether its results are whole numbers.
    pub fn is_integral(&self) -> bool {
        self.exponent >= 0
    }
}

/// The public values among which a quantile is sought: evenly spaced over an expression's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Candidates {
    /// Integers.
    Integer {
        /// The least.
        lo: i64,
        /// From one to the next.
        step: i64,
        /// How many.
        count: u32,
    },
    /// Doubles.
    Number {
        /// The least.
        lo: Real,
        /// From one to the next.
        step: Real,
        /// How many.
        count: u32,
    },
}

impl Candidates {
    /// How many there are.
    pub const fn count(&self) -> u32 {
        match self {
            Self::Integer { count, .. } | Self::Number { count, .. } => *count,
        }
    }

    /// The n-th.
    #[expect(clippy::cast_precision_loss, reason = "a result is shown as a double")]
    pub fn value(&self, at: u32) -> f64 {
        match self {
            Self::Integer { lo, step, .. } => lo.saturating_add(step.saturating_mul(at.into())) as f64,
            Self::Number { lo, step, .. } => lo.get() + step.get() * f64::from(at),
        }
    }

    /// The type of its values.
    pub const fn field_type(&self) -> FieldType {
        match self {
            Self::Integer { .. } => FieldType::Integer,
            Self::Number { .. } => FieldType::Number,
        }
    }
}

/// A quantile: values are cut down to the candidate below, counted, and one candidate is picked by rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantile {
    /// Whose values.
    pub expr: ScalarExpr,
    /// The rank in thousandths: 500 is the median.
    pub rank: u32,
    /// Among which.
    pub candidates: Candidates,
}
