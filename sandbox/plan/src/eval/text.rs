//! Texts and casts. Every result has at most [`MAX_TEXT`] bytes, else it is NULL; work is linear in the row.

use arrow::array::{
    BooleanArray, Date32Array, Float64Array, Int64Array, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;

use super::{
    EvalError, Evaluated, Texts, Vector, booleans, days, extent, integers, numbers, optional, texts,
};
use crate::civil::{self, MICROS_PER_DAY};
use crate::scalar::{CastTarget, Function, MAX_TEXT};

fn text_vector<S: AsRef<str>>(
    rows: usize,
    scalar: bool,
    mut value: impl FnMut(usize) -> Option<S>,
) -> Vector {
    let mut builder = StringBuilder::with_capacity(rows, rows * 8);
    for row in 0..rows {
        match value(row) {
            Some(text) if text.as_ref().len() <= MAX_TEXT => builder.append_value(text),
            _ => builder.append_null(),
        }
    }
    Vector::new(builder.finish(), scalar)
}

fn boolean_vector(rows: usize, scalar: bool, value: impl FnMut(usize) -> Option<bool>) -> Vector {
    Vector::new((0..rows).map(value).collect::<BooleanArray>(), scalar)
}

fn integer_vector(rows: usize, scalar: bool, value: impl FnMut(usize) -> Option<i64>) -> Vector {
    let (values, nulls) = optional(rows, value);
    Vector::new(Int64Array::new(values.into(), nulls), scalar)
}

fn count(n: usize) -> Option<i64> {
    i64::try_from(n).ok()
}

pub(super) fn call(function: Function, args: &[Vector], rows: usize) -> Evaluated<Vector> {
    let all: Vec<&Vector> = args.iter().collect();
    let (rows, scalar) = extent(&all, rows);
    if function == Function::Concat {
        let parts = args.iter().map(texts).collect::<Evaluated<Vec<_>>>()?;
        return Ok(text_vector(rows, scalar, |row| concat(&parts, row)));
    }
    let x = texts(args.first().ok_or(EvalError)?)?;
    let second = || args.get(1).ok_or(EvalError);
    Ok(match function {
        Function::Length => integer_vector(rows, scalar, |row| count(x.get(row)?.chars().count())),
        Function::OctetLength => integer_vector(rows, scalar, |row| count(x.get(row)?.len())),
        Function::Upper => text_vector(rows, scalar, |row| short(x.get(row)?).map(str::to_uppercase)),
        Function::Lower => text_vector(rows, scalar, |row| short(x.get(row)?).map(str::to_lowercase)),
        Function::Reverse => text_vector(rows, scalar, |row| {
            Some(short(x.get(row)?)?.chars().rev().collect::<String>())
        }),
        Function::Trim | Function::LeftTrim | Function::RightTrim => {
            let what = args.get(1).map(texts).transpose()?;
            text_vector(rows, scalar, |row| {
                let text = x.get(row)?;
                let what = match &what {
                    Some(what) => what.get(row)?,
                    None => " ",
                };
                // A long set of characters would make the work quadratic.
                if what.len() > 64 {
                    return None;
                }
                let cut = |c: char| what.contains(c);
                Some(match function {
                    Function::LeftTrim => text.trim_start_matches(cut),
                    Function::RightTrim => text.trim_end_matches(cut),
                    _ => text.trim_matches(cut),
                })
            })
        }
        Function::Substring => {
            let start = integers(second()?)?;
            let length = args.get(2).map(integers).transpose()?;
            text_vector(rows, scalar, |row| {
                let length = match &length {
                    Some(length) => Some(length.get(row)?),
                    None => None,
                };
                substring(x.get(row)?, start.get(row)?, length)
            })
        }
        Function::Left => {
            let n = integers(second()?)?;
            text_vector(rows, scalar, |row| Some(split(x.get(row)?, n.get(row)?, true)))
        }
        Function::Right => {
            let n = integers(second()?)?;
            text_vector(rows, scalar, |row| Some(split(x.get(row)?, n.get(row)?, false)))
        }
        Function::StartsWith => {
            let y = texts(second()?)?;
            boolean_vector(rows, scalar, |row| Some(x.get(row)?.starts_with(y.get(row)?)))
        }
        Function::EndsWith => {
            let y = texts(second()?)?;
            boolean_vector(rows, scalar, |row| Some(x.get(row)?.ends_with(y.get(row)?)))
        }
        Function::Contains => {
            let y = texts(second()?)?;
            boolean_vector(rows, scalar, |row| Some(x.get(row)?.contains(y.get(row)?)))
        }
        Function::Position => {
            let y = texts(second()?)?;
            integer_vector(rows, scalar, |row| {
                let text = x.get(row)?;
                match text.find(y.get(row)?) {
                    Some(at) => count(text[..at].chars().count() + 1),
                    None => Some(0),
                }
            })
        }
        Function::Replace => {
            let (from, to) = (texts(second()?)?, texts(args.get(2).ok_or(EvalError)?)?);
            text_vector(rows, scalar, |row| {
                replace(x.get(row)?, from.get(row)?, to.get(row)?)
            })
        }
        _ => return Err(EvalError),
    })
}

/// Only texts that are short enough already are rewritten.
fn short(text: &str) -> Option<&str> {
    (text.len() <= MAX_TEXT).then_some(text)
}

fn concat(parts: &[Texts<'_>], row: usize) -> Option<String> {
    let all = || parts.iter().filter_map(|part| part.get(row));
    (all().map(str::len).sum::<usize>() <= MAX_TEXT).then(|| all().collect())
}

fn replace(text: &str, from: &str, to: &str) -> Option<String> {
    short(text)?;
    if from.is_empty() {
        return Some(text.to_owned());
    }
    let mut result = String::new();
    let mut parts = text.split(from);
    result.push_str(parts.next()?);
    for part in parts {
        if result.len() + to.len() + part.len() > MAX_TEXT {
            return None;
        }
        result.push_str(to);
        result.push_str(part);
    }
    Some(result)
}

/// SQL's SUBSTRING: positions count from 1 and may lie before the text; a negative length is NULL.
fn substring(text: &str, start: i64, length: Option<i64>) -> Option<&str> {
    let end = match length {
        Some(length) if length < 0 => return None,
        Some(length) => start.saturating_add(length),
        None => i64::MAX,
    };
    let from = usize::try_from(start.max(1) - 1).unwrap_or(usize::MAX);
    let to = usize::try_from(end.max(1) - 1).unwrap_or(usize::MAX);
    let begin = at_char(text, from);
    let finish = at_char(text, to.max(from));
    Some(&text[begin..finish])
}

/// The byte at which the n-th character begins, or the end.
fn at_char(text: &str, n: usize) -> usize {
    if n >= text.len() {
        return text.len();
    }
    text.char_indices().nth(n).map_or(text.len(), |(at, _)| at)
}

/// LEFT and RIGHT.
fn split(text: &str, n: i64, left: bool) -> &str {
    let chars = text.chars().count();
    let magnitude = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    let kept = if n >= 0 {
        magnitude.min(chars)
    } else {
        chars.saturating_sub(magnitude)
    };
    if left {
        &text[..at_char(text, kept)]
    } else {
        &text[at_char(text, chars - kept)..]
    }
}

enum Piece {
    Any,
    One,
    Char(char),
}

/// LIKE, by the greedy walk with one point of return: at most text × pattern steps, the pattern being capped.
pub(super) fn like(x: &Vector, pattern: &str, escape: Option<char>, any_case: bool) -> Evaluated<Vector> {
    let folded = if any_case {
        pattern.to_lowercase()
    } else {
        pattern.to_owned()
    };
    let mut pieces = Vec::new();
    let mut chars = folded.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            c if Some(c) == escape => Piece::Char(chars.next().unwrap_or(c)),
            '%' => Piece::Any,
            '_' => Piece::One,
            c => Piece::Char(c),
        });
    }
    let values = texts(x)?;
    Ok(boolean_vector(x.array.len(), x.scalar, |row| {
        let text = values.get(row)?;
        if any_case {
            Some(matches(&short(text)?.to_lowercase(), &pieces))
        } else {
            Some(matches(text, &pieces))
        }
    }))
}

fn matches(text: &str, pieces: &[Piece]) -> bool {
    let (mut at, mut piece) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while at < text.len() {
        let Some(c) = text[at..].chars().next() else {
            return false;
        };
        let step = match pieces.get(piece) {
            Some(Piece::Any) => {
                back = Some((at, piece));
                piece += 1;
                continue;
            }
            Some(Piece::One) => true,
            Some(Piece::Char(wanted)) => *wanted == c,
            None => false,
        };
        if step {
            at += c.len_utf8();
            piece += 1;
        } else if let Some((from, any)) = back {
            let skipped = text[from..].chars().next().map_or(1, char::len_utf8);
            at = from + skipped;
            back = Some((at, any));
            piece = any + 1;
        } else {
            return false;
        }
    }
    pieces[piece..].iter().all(|p| matches!(p, Piece::Any))
}

/// Casts; what cannot be cast is NULL.
pub(super) fn cast(x: &Vector, target: CastTarget) -> Evaluated<Vector> {
    let (rows, scalar) = (x.array.len(), x.scalar);
    let integer = |value: &mut dyn FnMut(usize) -> Option<i64>, lo: i64, hi: i64| {
        integer_vector(rows, scalar, |row| value(row).filter(|i| (lo..=hi).contains(i)))
    };
    let number = |value: &mut dyn FnMut(usize) -> Option<f64>| {
        let (values, nulls) = optional(rows, |row| value(row).and_then(super::number::finite));
        Vector::new(Float64Array::new(values.into(), nulls), scalar)
    };
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
                CastTarget::Text => text_vector(rows, scalar, |row| values.get(row)),
                CastTarget::Integer { lo, hi } => integer(&mut |row| trimmed(row)?.parse().ok(), lo, hi),
                CastTarget::Number => number(&mut |row| trimmed(row)?.parse().ok()),
                CastTarget::Single => number(&mut |row| trimmed(row)?.parse().ok().map(single)),
                CastTarget::Boolean => boolean_vector(rows, scalar, |row| parse_boolean(trimmed(row)?)),
                CastTarget::Date => {
                    let (values, nulls) = optional(rows, |row| {
                        i32::try_from(parse_moment(trimmed(row)?)?.div_euclid(MICROS_PER_DAY)).ok()
                    });
                    Vector::new(Date32Array::new(values.into(), nulls), scalar)
                }
                CastTarget::Timestamp => {
                    let (values, nulls) = optional(rows, |row| parse_moment(trimmed(row)?));
                    Vector::new(TimestampMicrosecondArray::new(values.into(), nulls), scalar)
                }
            }
        }
        (DataType::Int64, target) => {
            let values = integers(x)?;
            #[expect(clippy::cast_precision_loss, reason = "the cast rounds to the nearest double")]
            match target {
                CastTarget::Text => text_vector(rows, scalar, |row| Some(values.get(row)?.to_string())),
                CastTarget::Integer { lo, hi } => integer(&mut |row| values.get(row), lo, hi),
                CastTarget::Number => number(&mut |row| Some(values.get(row)? as f64)),
                CastTarget::Single => number(&mut |row| Some(single(values.get(row)? as f64))),
                CastTarget::Boolean => boolean_vector(rows, scalar, |row| Some(values.get(row)? != 0)),
                CastTarget::Date | CastTarget::Timestamp => return Err(EvalError),
            }
        }
        (DataType::Float64, target) => {
            let values = numbers(x)?;
            match target {
                CastTarget::Text => text_vector(rows, scalar, |row| Some(values.get(row)?.to_string())),
                CastTarget::Integer { lo, hi } => integer(&mut |row| to_integer(values.get(row)?), lo, hi),
                CastTarget::Number => x.clone(),
                CastTarget::Single => number(&mut |row| Some(single(values.get(row)?))),
                CastTarget::Boolean | CastTarget::Date | CastTarget::Timestamp => return Err(EvalError),
            }
        }
        (DataType::Boolean, target) => {
            let array = booleans(x)?;
            let get = |row: usize| {
                let at = if scalar { 0 } else { row };
                arrow::array::Array::is_valid(array, at).then(|| array.value(at))
            };
            match target {
                CastTarget::Text => {
                    text_vector(rows, scalar, |row| Some(if get(row)? { "true" } else { "false" }))
                }
                CastTarget::Integer { lo, hi } => integer(&mut |row| get(row).map(i64::from), lo, hi),
                CastTarget::Boolean => x.clone(),
                _ => return Err(EvalError),
            }
        }
        (DataType::Date32, target) => {
            let values = days(x)?;
            match target {
                CastTarget::Text => text_vector(rows, scalar, |row| Some(show_date(values.get(row)?.into()))),
                CastTarget::Date => x.clone(),
                CastTarget::Timestamp => {
                    let (values, nulls) = optional(rows, |row| {
                        i64::from(values.get(row)?).checked_mul(MICROS_PER_DAY)
                    });
                    Vector::new(TimestampMicrosecondArray::new(values.into(), nulls), scalar)
                }
                _ => return Err(EvalError),
            }
        }
        (DataType::Timestamp(..), target) => {
            let values = integers(x)?;
            match target {
                CastTarget::Text => text_vector(rows, scalar, |row| Some(show_moment(values.get(row)?))),
                CastTarget::Timestamp => x.clone(),
                CastTarget::Date => {
                    let (values, nulls) = optional(rows, |row| {
                        i32::try_from(values.get(row)?.div_euclid(MICROS_PER_DAY)).ok()
                    });
                    Vector::new(Date32Array::new(values.into(), nulls), scalar)
                }
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

/// A civil date, or date and time, of years −9999 to 9999, in microseconds.
fn parse_moment(text: &str) -> Option<i64> {
    if text.len() > 40 || !text.is_ascii() {
        return None;
    }
    let moment: jiff::civil::DateTime = match text.parse::<jiff::civil::DateTime>() {
        Ok(moment) => moment,
        Err(_) => text
            .parse::<jiff::civil::Date>()
            .ok()?
            .to_datetime(jiff::civil::Time::midnight()),
    };
    let days = civil::to_days(moment.year().into(), moment.month().into(), moment.day().into());
    let time = moment.time();
    let seconds = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    let micros = i64::from(time.subsec_nanosecond()) / 1_000;
    days.checked_mul(MICROS_PER_DAY)?
        .checked_add(seconds * 1_000_000 + micros)
}

fn show_date(days: i64) -> String {
    let (year, month, day) = civil::from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

fn show_moment(micros: i64) -> String {
    let date = show_date(micros.div_euclid(MICROS_PER_DAY));
    let rest = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let time = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    );
    if fraction == 0 {
        format!("{date}T{time}")
    } else {
        format!("{date}T{time}.{fraction:06}")
    }
}
