//! Dates and times on the dataset's clock: parts, spans, moves, reading and writing.

use arrow::datatypes::DataType;

use super::moment::{read_moment, show_by, time_pattern};
use super::vector::{Rows, days, integers, numbers, texts};
use super::{EvalError, Evaluated, Vector};
use crate::civil::{self, MICROS_PER_DAY};
use crate::scalar::{DatePart, Function, Names};

pub(super) fn call(function: Function, args: &[Vector], rows: usize) -> Evaluated<Vector> {
    let out = Rows::of(args, rows);
    let arg = |at: usize| args.get(at).ok_or(EvalError);
    match function {
        Function::AddMonths | Function::AddDays | Function::AddMicros => {
            return moved(function, arg(0)?, arg(1)?, out);
        }
        Function::MakeDate => {
            let (year, month, day) = (integers(arg(0)?)?, integers(arg(1)?)?, integers(arg(2)?)?);
            return Ok(out.dates(|row| civil::date(year.get(row)?, month.get(row)?, day.get(row)?)));
        }
        Function::MakeTimestamp => {
            let date = [integers(arg(0)?)?, integers(arg(1)?)?, integers(arg(2)?)?];
            let (hour, minute) = (integers(arg(3)?)?, integers(arg(4)?)?);
            let seconds = numbers(arg(5)?)?;
            return Ok(out.moments(|row| {
                let [year, month, day] = &date;
                let days = civil::date(year.get(row)?, month.get(row)?, day.get(row)?)?;
                let clock = clock(hour.get(row)?, minute.get(row)?, seconds.get(row)?)?;
                days.checked_mul(MICROS_PER_DAY)?.checked_add(clock)
            }));
        }
        Function::ToDate => {
            let x = texts(arg(0)?)?;
            return Ok(out.dates(|row| Some(read_moment(x.get(row)?)?.div_euclid(MICROS_PER_DAY))));
        }
        Function::ToTimestamp => {
            let x = texts(arg(0)?)?;
            return Ok(out.moments(|row| read_moment(x.get(row)?)));
        }
        _ => {}
    }
    let x = integers(arg(0)?)?;
    Ok(match function {
        Function::DatePart(part) => out.integers(|row| Some(civil::part(x.get(row)?, part))),
        Function::DateTruncate(part) => out.moments(|row| civil::truncate(x.get(row)?, part)),
        Function::DateDiff(period) => {
            let y = integers(arg(1)?)?;
            out.integers(|row| {
                let (from, to) = (x.get(row)?, y.get(row)?);
                civil::ordinal(to, period).checked_sub(civil::ordinal(from, period))
            })
        }
        Function::MonthsBetween => {
            let y = integers(arg(1)?)?;
            out.integers(|row| Some(civil::months_between(y.get(row)?, x.get(row)?)))
        }
        Function::AgeInYears => {
            let y = integers(arg(1)?)?;
            out.integers(|row| Some(civil::months_between(x.get(row)?, y.get(row)?) / 12))
        }
        Function::DateBin => {
            let (stride, origin) = (integers(arg(1)?)?, integers(arg(2)?)?);
            out.moments(|row| bin(x.get(row)?, stride.get(row)?, origin.get(row)?))
        }
        Function::LastDay => {
            out.dates(|row| Some(civil::last_of_month(x.get(row)?.div_euclid(MICROS_PER_DAY))))
        }
        Function::IsWeekend => {
            out.booleans(|row| Some(civil::part(x.get(row)?, DatePart::IsoDayOfWeek) >= 6))
        }
        Function::DayName(names) => out.texts(|row| {
            name(
                Names::days(names),
                civil::part(x.get(row)?, DatePart::IsoDayOfWeek),
            )
        }),
        Function::MonthName(names) => {
            out.texts(|row| name(Names::months(names), civil::part(x.get(row)?, DatePart::Month)))
        }
        Function::ToChar => {
            let pattern = texts(arg(1)?)?.get(0).and_then(time_pattern).ok_or(EvalError)?;
            out.texts(|row| Some(show_by(&pattern, x.get(row)?)))
        }
        _ => return Err(EvalError),
    })
}

/// The n-th name, from 1.
fn name(names: &'static [&'static str], n: i64) -> Option<&'static str> {
    names.get(usize::try_from(n - 1).ok()?).copied()
}

/// A time of day in microseconds; the seconds with their fraction, rounded.
fn clock(hour: i64, minute: i64, seconds: f64) -> Option<i64> {
    if !((0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..60.0).contains(&seconds)) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "from 0 to 60 million")]
    let micros = (seconds * 1e6).round() as i64;
    Some((hour * 60 + minute) * 60_000_000 + micros)
}

fn bin(moment: i64, stride: i64, origin: i64) -> Option<i64> {
    if stride <= 0 {
        return None;
    }
    let since = i128::from(moment) - i128::from(origin);
    let start = i128::from(origin) + since.div_euclid(stride.into()) * i128::from(stride);
    i64::try_from(start).ok()
}

/// A date or time moved by a count of months, days or microseconds.
fn moved(function: Function, time: &Vector, count: &Vector, out: Rows) -> Evaluated<Vector> {
    let n = integers(count)?;
    let day = |day: i64, n: i64| match function {
        Function::AddMonths => civil::add_months(day, n),
        _ => day.checked_add(n),
    };
    if *time.array.data_type() == DataType::Date32 {
        let x = days(time)?;
        return match function {
            Function::AddMicros => Err(EvalError),
            _ => Ok(out.dates(|row| day(x.get(row)?.into(), n.get(row)?))),
        };
    }
    let x = integers(time)?;
    Ok(out.moments(|row| {
        let (moment, n) = (x.get(row)?, n.get(row)?);
        if function == Function::AddMicros {
            return moment.checked_add(n);
        }
        day(moment.div_euclid(MICROS_PER_DAY), n)?
            .checked_mul(MICROS_PER_DAY)?
            .checked_add(moment.rem_euclid(MICROS_PER_DAY))
    }))
}
