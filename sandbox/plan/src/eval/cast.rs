//! Casts; what cannot be cast is NULL.

use arrow::datatypes::DataType;

use super::moment::{parse_moment, show_date, show_moment};
use super::vector::{Rows, booleans, days, integers, numbers, texts};
use super::{EvalError, Evaluated, Vector};
use crate::civil::MICROS_PER_DAY;
use crate::scalar::CastTarget;

/// Casts; what cannot be cast is NULL.
pub(super) fn cast(x: &Vector, target: CastTarget) -> Evaluated<Vector> {
    let out = Rows::like(x);
    let integer = |value: &mut dyn FnMut(usize) -> Option<i64>, lo: i64, hi: i64| {
        out.integers(|row| value(row).filter(|i| (lo..=hi).contains(i)))
    };
    let number = |value: &mut dyn FnMut(usize) -> Option<f64>| out.numbers(value);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "single precision is what was asked for"
    )]
    let single = |n: f64| f64::from(n as f32);
    Ok(match (x.array.data_type(), target) {
        (DataType::Utf8 | DataType::Dictionary(..), target) => {
            let values = texts(x)?;
            let trimmed = |row: usize| values.get(row).map(str::trim);
            match target {
                CastTarget::Text => out.texts(|row| values.get(row)),
                CastTarget::Integer { lo, hi } => integer(&mut |row| trimmed(row)?.parse().ok(), lo, hi),
                CastTarget::Number => number(&mut |row| trimmed(row)?.parse().ok()),
                CastTarget::Single => number(&mut |row| trimmed(row)?.parse().ok().map(single)),
                CastTarget::Boolean => out.booleans(|row| parse_boolean(trimmed(row)?)),
                CastTarget::Date => {
                    out.dates(|row| Some(parse_moment(trimmed(row)?)?.div_euclid(MICROS_PER_DAY)))
                }
                CastTarget::Timestamp => out.moments(|row| parse_moment(trimmed(row)?)),
            }
        }
        (DataType::Int64, target) => {
            let values = integers(x)?;
            #[expect(clippy::cast_precision_loss, reason = "the cast rounds to the nearest double")]
            match target {
                CastTarget::Text => out.texts(|row| Some(values.get(row)?.to_string())),
                CastTarget::Integer { lo, hi } => integer(&mut |row| values.get(row), lo, hi),
                CastTarget::Number => out.numbers_from(&values, |x| x as f64),
                CastTarget::Single => out.numbers_from(&values, |x| single(x as f64)),
                CastTarget::Boolean => out.booleans(|row| Some(values.get(row)? != 0)),
                CastTarget::Date | CastTarget::Timestamp => return Err(EvalError),
            }
        }
        (DataType::Float64, target) => {
            let values = numbers(x)?;
            match target {
                CastTarget::Text => out.texts(|row| Some(values.get(row)?.to_string())),
                CastTarget::Integer { lo, hi } => integer(&mut |row| to_integer(values.get(row)?), lo, hi),
                CastTarget::Number => x.clone(),
                CastTarget::Single => out.numbers_from(&values, single),
                CastTarget::Boolean | CastTarget::Date | CastTarget::Timestamp => return Err(EvalError),
            }
        }
        (DataType::Boolean, target) => {
            let array = booleans(x)?;
            let get = |row: usize| {
                let at = if x.scalar { 0 } else { row };
                arrow::array::Array::is_valid(array, at).then(|| array.value(at))
            };
            match target {
                CastTarget::Text => out.texts(|row| Some(if get(row)? { "true" } else { "false" })),
                CastTarget::Integer { lo, hi } => integer(&mut |row| get(row).map(i64::from), lo, hi),
                CastTarget::Boolean => x.clone(),
                _ => return Err(EvalError),
            }
        }
        (DataType::Date32, target) => {
            let values = days(x)?;
            match target {
                CastTarget::Text => out.texts(|row| Some(show_date(values.get(row)?.into()))),
                CastTarget::Date => x.clone(),
                CastTarget::Timestamp => {
                    out.moments(|row| i64::from(values.get(row)?).checked_mul(MICROS_PER_DAY))
                }
                _ => return Err(EvalError),
            }
        }
        (DataType::Timestamp(..), target) => {
            let values = integers(x)?;
            match target {
                CastTarget::Text => out.texts(|row| Some(show_moment(values.get(row)?))),
                CastTarget::Timestamp => x.clone(),
                CastTarget::Date => out.dates(|row| Some(values.get(row)?.div_euclid(MICROS_PER_DAY))),
                _ => return Err(EvalError),
            }
        }
        _ => return Err(EvalError),
    })
}

fn to_integer(x: f64) -> Option<i64> {
    // −2⁶³ ≤ x < 2⁶³, both exact as doubles.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked; the fraction is cut off"
    )]
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
        .contains(&x)
        .then_some(x as i64)
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}
