//! Numbers: checked, with NULL for whatever has no finite value.

use arrow::datatypes::DataType;

use super::vector::{Rows, finite, integers, numbers};
use super::{EvalError, Evaluated, Vector};
use crate::scalar::{Arithmetic, Function};

pub(super) fn arithmetic(op: Arithmetic, left: &Vector, right: &Vector, rows: usize) -> Evaluated<Vector> {
    let both = [left.clone(), right.clone()];
    let out = Rows::of(&both, rows);
    match (left.array.data_type(), right.array.data_type()) {
        (DataType::Int64, DataType::Int64) => {
            let (l, r) = (integers(left)?, integers(right)?);
            let divided = |f: fn(i64, i64) -> Option<i64>| out.integers(|row| f(l.get(row)?, r.get(row)?));
            Ok(match op {
                Arithmetic::Add => out.integers_of(&l, &r, i64::overflowing_add),
                Arithmetic::Subtract => out.integers_of(&l, &r, i64::overflowing_sub),
                Arithmetic::Multiply => out.integers_of(&l, &r, i64::overflowing_mul),
                Arithmetic::Divide => divided(i64::checked_div),
                Arithmetic::Remainder => divided(i64::checked_rem),
            })
        }
        (DataType::Float64, DataType::Float64) => {
            let (l, r) = (numbers(left)?, numbers(right)?);
            Ok(match op {
                Arithmetic::Add => out.numbers_of(&l, &r, |a, b| a + b),
                Arithmetic::Subtract => out.numbers_of(&l, &r, |a, b| a - b),
                Arithmetic::Multiply => out.numbers_of(&l, &r, |a, b| a * b),
                Arithmetic::Divide => out.numbers_of(&l, &r, |a, b| a / b),
                Arithmetic::Remainder => out.numbers_of(&l, &r, |a, b| a % b),
            })
        }
        _ => Err(EvalError),
    }
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

/// Toward zero, to so many decimals. A number of no more decimals stays as it is, though its product with the power of
/// ten may have been rounded downward.
fn trunc_to(x: f64, decimals: i64) -> Option<f64> {
    let near = round_to(x, decimals)?;
    if near.abs() <= x.abs() {
        return Some(near);
    }
    let step = match i32::try_from(decimals) {
        Ok(n @ 0..=22) => 10f64.powi(n).recip(),
        Ok(n @ -22..0) => 10f64.powi(-n),
        _ => return Some(0.0),
    };
    round_to(near - step.copysign(near), decimals)
}

fn trunc_integer(x: i64, decimals: i64) -> i64 {
    if decimals >= 0 {
        return x;
    }
    let scale = u32::try_from(decimals.unsigned_abs())
        .ok()
        .and_then(|n| 10i64.checked_pow(n));
    scale.map_or(0, |scale| x / scale * scale)
}

fn gcd(a: i64, b: i64) -> u64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn lcm(a: i64, b: i64) -> Option<i64> {
    match gcd(a, b) {
        0 => Some(0),
        common => i64::try_from((a.unsigned_abs() / common).checked_mul(b.unsigned_abs())?).ok(),
    }
}

/// n!, which fits 64 bits up to 20.
pub(crate) fn factorial(n: i64) -> Option<i64> {
    (0..=20).contains(&n).then(|| (1..=n).product())
}

/// The bucket of `x` among `count` equal ones from `from` to `to`, which may lie below it.
fn width_bucket(x: f64, from: f64, to: f64, count: i64) -> Option<i64> {
    let count = i32::try_from(count).ok().filter(|n| *n > 0)?;
    if from == to {
        return None;
    }
    let (before, behind) = if from < to {
        (x < from, x >= to)
    } else {
        (x > from, x <= to)
    };
    if before {
        return Some(0);
    }
    if behind {
        return Some(i64::from(count) + 1);
    }
    // Halves, so that the differences do not overflow.
    let share = (x / 2.0 - from / 2.0) / (to / 2.0 - from / 2.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "between 0 and the count, which has 32 bits"
    )]
    let whole = (share * f64::from(count)).floor() as i64;
    Some(whole.clamp(0, i64::from(count) - 1) + 1)
}

/// The logarithm of `x` to a base; exact where that of base 2 or 10 is.
fn log(base: f64, x: f64) -> Option<f64> {
    if base <= 0.0 || x <= 0.0 {
        return None;
    }
    Some(if base == 2.0 {
        x.log2()
    } else if base == 10.0 {
        x.log10()
    } else {
        x.ln() / base.ln()
    })
}

pub(super) fn call(function: Function, args: &[Vector], rows: usize) -> Evaluated<Vector> {
    let first = args.first().ok_or(EvalError)?;
    let out = Rows::of(args, rows);
    let arg = |at: usize| args.get(at).ok_or(EvalError);
    match function {
        Function::WidthBucket => {
            let (x, from, to) = (numbers(first)?, numbers(arg(1)?)?, numbers(arg(2)?)?);
            let count = integers(arg(3)?)?;
            Ok(out.integers(|row| width_bucket(x.get(row)?, from.get(row)?, to.get(row)?, count.get(row)?)))
        }
        Function::Power => {
            let (x, exponent) = (numbers(first)?, numbers(arg(1)?)?);
            Ok(out.numbers_of(&x, &exponent, f64::powf))
        }
        Function::Atan2 => {
            let (y, x) = (numbers(first)?, numbers(arg(1)?)?);
            Ok(out.numbers_of(&y, &x, f64::atan2))
        }
        Function::Log => {
            let (base, x) = (numbers(first)?, numbers(arg(1)?)?);
            Ok(out.numbers(|row| log(base.get(row)?, x.get(row)?)))
        }
        Function::Gcd | Function::Lcm => {
            let (a, b) = (integers(first)?, integers(arg(1)?)?);
            Ok(if function == Function::Gcd {
                out.integers(|row| i64::try_from(gcd(a.get(row)?, b.get(row)?)).ok())
            } else {
                out.integers(|row| lcm(a.get(row)?, b.get(row)?))
            })
        }
        _ if first.array.data_type() == &DataType::Int64 => of_integer(function, args, out),
        _ => of_number(function, args, out),
    }
}

fn of_integer(function: Function, args: &[Vector], out: Rows) -> Evaluated<Vector> {
    let x = integers(args.first().ok_or(EvalError)?)?;
    let more = args.get(1).map(integers).transpose()?;
    let each = |f: fn(i64) -> Option<i64>| out.integers(|row| f(x.get(row)?));
    Ok(match (function, more) {
        (Function::Abs, _) => each(i64::checked_abs),
        (Function::Sign, _) => each(|x| Some(x.signum())),
        (Function::Negate, _) => each(i64::checked_neg),
        (Function::Factorial, _) => each(factorial),
        (Function::Floor | Function::Ceil, _) | (Function::Trunc | Function::Round, None) => each(Some),
        (Function::Round, Some(n)) => out.integers(|row| round_integer(x.get(row)?, n.get(row)?)),
        (Function::Trunc, Some(n)) => out.integers(|row| Some(trunc_integer(x.get(row)?, n.get(row)?))),
        (Function::Clamp, Some(lo)) => {
            let hi = integers(args.get(2).ok_or(EvalError)?)?;
            out.integers(|row| {
                let (lo, hi) = (lo.get(row)?, hi.get(row)?);
                let x = x.get(row)?;
                (lo <= hi).then(|| x.clamp(lo, hi))
            })
        }
        _ => return Err(EvalError),
    })
}

fn of_number(function: Function, args: &[Vector], out: Rows) -> Evaluated<Vector> {
    let x = numbers(args.first().ok_or(EvalError)?)?;
    let each = |f: fn(f64) -> f64| out.numbers(|row| Some(f(x.get(row)?)));
    Ok(match function {
        Function::Abs => each(f64::abs),
        Function::Sign => each(|x| if x == 0.0 { 0.0 } else { x.signum() }),
        Function::Negate => each(|x| -x),
        Function::Floor => each(f64::floor),
        Function::Ceil => each(f64::ceil),
        Function::Sqrt => each(f64::sqrt),
        Function::Cbrt => each(f64::cbrt),
        Function::Ln => each(f64::ln),
        Function::Log10 => each(f64::log10),
        Function::Log2 => each(f64::log2),
        Function::Exp => each(f64::exp),
        Function::Degrees => each(f64::to_degrees),
        Function::Radians => each(f64::to_radians),
        // The intervals of bounded functions rest on these limits, whatever the last bit.
        Function::Sin => each(|x| x.sin().clamp(-1.0, 1.0)),
        Function::Cos => each(|x| x.cos().clamp(-1.0, 1.0)),
        Function::Tan => each(f64::tan),
        Function::Cot => each(|x| x.tan().recip()),
        Function::Asin => each(f64::asin),
        Function::Acos => each(f64::acos),
        Function::Atan => each(f64::atan),
        Function::Sinh => each(f64::sinh),
        Function::Cosh => each(f64::cosh),
        Function::Tanh => each(|x| x.tanh().clamp(-1.0, 1.0)),
        Function::Asinh => each(f64::asinh),
        Function::Acosh => each(f64::acosh),
        Function::Atanh => each(f64::atanh),
        Function::Round | Function::Trunc => match (args.get(1), function) {
            (None, Function::Round) => each(f64::round),
            (None, _) => each(f64::trunc),
            (Some(decimals), function) => {
                let n = integers(decimals)?;
                let to = if function == Function::Round {
                    round_to
                } else {
                    trunc_to
                };
                out.numbers(|row| to(x.get(row)?, n.get(row)?))
            }
        },
        Function::Clamp => {
            let (lo, hi) = (
                numbers(args.get(1).ok_or(EvalError)?)?,
                numbers(args.get(2).ok_or(EvalError)?)?,
            );
            out.numbers(|row| {
                let (lo, hi) = (lo.get(row)?, hi.get(row)?);
                let x = x.get(row)?;
                (lo <= hi).then(|| x.clamp(lo, hi))
            })
        }
        _ => return Err(EvalError),
    })
}
