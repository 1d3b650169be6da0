//! What each row adds: values on the grid of their aggregate, names of distinct values, candidates of quantiles.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};

use super::GroupKeySecret;
use super::unit::{NO_PLACE, NO_VALUE};
use crate::eval::{self, EvalError};
use crate::execute::ExecutionError;
use crate::plan::{Aggregate, AggregateFunction, Candidates, Quantile};
use crate::scalar::ScalarExpr;

/// What a row adds to an aggregate.
pub(super) enum Added {
    One,
    Presence,
    Values(Vec<i64>),
    /// What the row's value is told from others by; [`NO_VALUE`] where there is none.
    Distinct(Vec<u64>),
}

pub(super) fn condition(
    filter: &ScalarExpr,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<BooleanBuffer, ExecutionError> {
    let array = eval::evaluate(filter, columns, rows)?.into_array(rows)?;
    let mask = array.as_boolean_opt().ok_or(EvalError)?;
    Ok(eval::truth(mask).values().clone())
}

/// What each row adds, on the aggregate's grid and within its row bounds.
pub(super) fn row_values(
    aggregate: &Aggregate,
    secret: &GroupKeySecret,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<Added, ExecutionError> {
    let (lo, hi) = (aggregate.row_lo, aggregate.row_hi);
    Ok(match &aggregate.function {
        AggregateFunction::CountRows => Added::One,
        AggregateFunction::CountUnits => Added::Presence,
        // The unit's sum in a cell is then clipped to one.
        AggregateFunction::CountUnitsWhere(met) => {
            let met = condition(met, columns, rows)?;
            Added::Values(met.iter().map(i64::from).collect())
        }
        AggregateFunction::CountValues(expr) => {
            let vector = eval::evaluate(expr, columns, rows)?;
            if !vector.scalar && vector.array.logical_null_count() == 0 {
                Added::One
            } else {
                let array = vector.into_array(rows)?;
                let mut there = vec![1; rows];
                for row in array.nulls().into_iter().flat_map(eval::missing_rows) {
                    there[row] = 0;
                }
                Added::Values(there)
            }
        }
        AggregateFunction::CountDistinct { of, .. } => {
            let array = eval::evaluate(of, columns, rows)?.into_array(rows)?;
            Added::Distinct(value_names(&array, secret)?)
        }
        AggregateFunction::Sum(expr) => {
            let vector = eval::evaluate(expr, columns, rows)?;
            if *vector.array.data_type() == DataType::Float64 {
                let values = eval::numbers(&vector)?;
                // A power of two: scaling is exact, and `as` cuts toward zero and saturates.
                let scale = f64::from(-aggregate.exponent).exp2();
                #[expect(clippy::cast_possible_truncation, reason = "the cut toward zero is wanted")]
                let on_grid = |x: f64| ((x * scale) as i64).clamp(lo, hi);
                // What has no value adds nothing, also where the bounds leave zero out.
                Added::Values(values.to_vec(rows, 0, on_grid))
            } else {
                let values = eval::integers(&vector)?;
                let shift = u32::try_from(aggregate.exponent).ok().filter(|shift| *shift < 63);
                let shift = shift.ok_or(ExecutionError::Internal)?;
                // Divided by a power of two, and cut toward zero.
                let below = (1i64 << shift) - 1;
                let on_grid = |x: i64| ((x + ((x >> 63) & below)) >> shift).clamp(lo, hi);
                Added::Values(values.to_vec(rows, 0, on_grid))
            }
        }
    })
}

/// What tells each value of a column from the others.
fn value_names(array: &ArrayRef, secret: &GroupKeySecret) -> Result<Vec<u64>, ExecutionError> {
    let name = |bytes: &[u8]| secret.of_value(bytes).min(NO_VALUE - 1);
    let or_none = |value: Option<u64>| value.unwrap_or(NO_VALUE);
    let integers = |values: &mut dyn Iterator<Item = Option<i64>>| -> Vec<u64> {
        values
            .map(|value| or_none(value.map(|value| name(&value.to_le_bytes()))))
            .collect()
    };
    let wrong = || ExecutionError::from(EvalError);
    Ok(match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string_opt::<i32>().ok_or_else(wrong)?;
            texts
                .iter()
                .map(|text| or_none(text.map(|text| name(text.as_bytes()))))
                .collect()
        }
        DataType::Float64 => {
            let numbers = array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
            // −0 is 0.
            let bits = |x: f64| name(&(x + 0.0).to_bits().to_le_bytes());
            numbers.iter().map(|x| or_none(x.map(bits))).collect()
        }
        DataType::Int64 => {
            let values = array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            integers(&mut values.iter())
        }
        DataType::Date32 => {
            let days = array.as_primitive_opt::<Date32Type>().ok_or_else(wrong)?;
            integers(&mut days.iter().map(|day| day.map(i64::from)))
        }
        DataType::Timestamp(..) => {
            let times = array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .ok_or_else(wrong)?;
            integers(&mut times.iter())
        }
        DataType::Boolean => {
            let values = array.as_boolean_opt().ok_or_else(wrong)?;
            integers(&mut values.iter().map(|value| value.map(i64::from)))
        }
        _ => return Err(wrong()),
    })
}

/// Which candidate each value is cut down to, counted from `first`; [`NO_PLACE`] where there is no value.
pub(super) fn candidate_places(
    quantile: &Quantile,
    first: u32,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<Vec<u32>, ExecutionError> {
    let vector = eval::evaluate(&quantile.expr, columns, rows)?;
    Ok(match quantile.candidates {
        Candidates::Integer { lo, step, count } => {
            let values = eval::integers(&vector)?;
            let place = |x: i64| {
                let at = x.saturating_sub(lo).max(0) / step;
                u32::try_from(at).unwrap_or(u32::MAX).min(count - 1) + first
            };
            values.to_vec(rows, NO_PLACE, place)
        }
        Candidates::Number { lo, step, count } => {
            let values = eval::numbers(&vector)?;
            let place = |x: f64| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "`as` saturates, as wanted"
                )]
                let at = ((x - lo.get()) / step.get()).floor() as u32;
                at.min(count - 1) + first
            };
            values.to_vec(rows, NO_PLACE, place)
        }
    })
}
