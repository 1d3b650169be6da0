//! Numbers, dates and times: checked, with NULL for whatever has no finite value.

use arrow::array::{Float64Array, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::DataType;

use super::{EvalError, Evaluated, Slots, Vector, extent, integers, numbers, optional};
use crate::civil;
use crate::scalar::{Arithmetic, Function, Real};

/// Finite or nothing; −0 becomes 0.
pub(super) fn finite(x: f64) -> Option<f64> {
    Real::new(x).map(Real::get)
}

fn integer_vector(rows: usize, scalar: bool, value: impl FnMut(usize) -> Option<i64>) -> Vector {
    let (values, nulls) = optional(rows, value);
    Vector::new(Int64Array::new(values.into(), nulls), scalar)
}

fn number_vector(rows: usize, scalar: bool, mut value: impl FnMut(usize) -> Option<f64>) -> Vector {
    let (values, nulls) = optional(rows, |row| value(row).and_then(finite));
    Vector::new(Float64Array::new(values.into(), nulls), scalar)
}

pub(super) fn arithmetic(op: Arithmetic, left: &Vector, right: &Vector, rows: usize) -> Evaluated<Vector> {
    let (rows, scalar) = extent(&[left, right], rows);
    match (left.array.data_type(), right.array.data_type()) {
        (DataType::Int64, DataType::Int64) => {
            let (l, r) = (integers(left)?, integers(right)?);
            let apply = |f: fn(i64, i64) -> Option<i64>| integers_of(rows, scalar, &l, &r, f);
            Ok(match op {
                Arithmetic::Add => apply(i64::checked_add),
                Arithmetic::Subtract => apply(i64::checked_sub),
                Arithmetic::Multiply => apply(i64::checked_mul),
                Arithmetic::Divide => apply(i64::checked_div),
                Arithmetic::Remainder => apply(i64::checked_rem),
            })
        }
        (DataType::Float64, DataType::Float64) => {
            let (l, r) = (numbers(left)?, numbers(right)?);
            Ok(match op {
                Arithmetic::Add => numbers_of(rows, scalar, &l, &r, |a, b| a + b),
                Arithmetic::Subtract => numbers_of(rows, scalar, &l, &r, |a, b| a - b),
                Arithmetic::Multiply => numbers_of(rows, scalar, &l, &r, |a, b| a * b),
                Arithmetic::Divide => numbers_of(rows, scalar, &l, &r, |a, b| a / b),
                Arithmetic::Remainder => numbers_of(rows, scalar, &l, &r, |a, b| a % b),
            })
        }
        _ => Err(EvalError),
    }
}

fn integers_of(
    rows: usize,
    scalar: bool,
    l: &Slots<'_, i64>,
    r: &Slots<'_, i64>,
    f: fn(i64, i64) -> Option<i64>,
) -> Vector {
    integer_vector(rows, scalar, |row| f(l.get(row)?, r.get(row)?))
}

fn numbers_of(
    rows: usize,
    scalar: bool,
    l: &Slots<'_, f64>,
    r: &Slots<'_, f64>,
    f: impl Fn(f64, f64) -> f64,
) -> Vector {
    number_vector(rows, scalar, |row| Some(f(l.get(row)?, r.get(row)?)))
}

/// Powers of ten that doubles hold exactly; further decimals change nothing or leave nothing.
fn round_to(x: f64, decimals: i64) -> Option<f64> {
    match i32::try_from(decimals) {
        Ok(n @ 0..=22) => {
            let scale = 10f64.powi(n);
            let scaled = x * scale;
            // Beyond 2⁵² there are no decimals left to round.
            if scaled.abs() >= 4_503_599_627_370_496.0 {
                Some(x)
            } else {
                finite(scaled.round() / scale)
            }
        }
        Ok(n @ -22..0) => {
            let scale = 10f64.powi(-n);
            finite((x / scale).round() * scale)
        }
        _ => Some(if decimals > 0 { x } else { 0.0 }),
    }
}

fn round_integer(x: i64, decimals: i64) -> Option<i64> {
    if decimals >= 0 {
        return Some(x);
    }
    let Some(scale) = u32::try_from(decimals.unsigned_abs())
        .ok()
        .and_then(|n| 10i128.checked_pow(n))
    else {
        return Some(0);
    };
    let x = i128::from(x);
    let half = if x < 0 { -(scale / 2) } else { scale / 2 };
    i64::try_from((x + half) / scale * scale).ok()
}

pub(super) fn call(function: Function, args: &[Vector], rows: usize) -> Evaluated<Vector> {
    let first = args.first().ok_or(EvalError)?;
    let all: Vec<&Vector> = args.iter().collect();
    let (rows, scalar) = extent(&all, rows);
    if let Function::DatePart(part) = function {
        let moments = integers(first)?;
        return Ok(integer_vector(rows, scalar, |row| {
            Some(civil::part(moments.get(row)?, part))
        }));
    }
    if let Function::DateTruncate(part) = function {
        let moments = integers(first)?;
        let (values, nulls) = optional(rows, |row| civil::truncate(moments.get(row)?, part));
        return Ok(Vector::new(
            TimestampMicrosecondArray::new(values.into(), nulls),
            scalar,
        ));
    }
    if first.array.data_type() == &DataType::Int64 {
        let x = integers(first)?;
        let each = |f: fn(i64) -> Option<i64>| integer_vector(rows, scalar, |row| f(x.get(row)?));
        return Ok(match function {
            Function::Abs => each(i64::checked_abs),
            Function::Sign => each(|x| Some(x.signum())),
            Function::Negate => each(i64::checked_neg),
            Function::Floor | Function::Ceil | Function::Trunc => each(Some),
            Function::Round => match args.get(1) {
                None => each(Some),
                Some(decimals) => {
                    let n = integers(decimals)?;
                    integer_vector(rows, scalar, |row| round_integer(x.get(row)?, n.get(row)?))
                }
            },
            _ => return Err(EvalError),
        });
    }
    let x = numbers(first)?;
    let each = |f: fn(f64) -> f64| number_vector(rows, scalar, |row| Some(f(x.get(row)?)));
    Ok(match function {
        Function::Abs => each(f64::abs),
        Function::Sign => each(|x| if x == 0.0 { 0.0 } else { x.signum() }),
        Function::Negate => each(|x| -x),
        Function::Floor => each(f64::floor),
        Function::Ceil => each(f64::ceil),
        Function::Trunc => each(f64::trunc),
        Function::Sqrt => each(f64::sqrt),
        Function::Ln => each(f64::ln),
        Function::Log10 => each(f64::log10),
        Function::Exp => each(f64::exp),
        Function::Power => {
            let exponent = numbers(args.get(1).ok_or(EvalError)?)?;
            number_vector(rows, scalar, |row| Some(x.get(row)?.powf(exponent.get(row)?)))
        }
        Function::Round => match args.get(1) {
            None => each(f64::round),
            Some(decimals) => {
                let n = integers(decimals)?;
                number_vector(rows, scalar, |row| round_to(x.get(row)?, n.get(row)?))
            }
        },
        _ => return Err(EvalError),
    })
}
