//! Intervals of calls.

use std::f64::consts::{FRAC_PI_2, PI};

use super::{ANY_INTEGER, ANY_NUMBER, ColumnRange, Range, clipped, range, widened};
use crate::eval;
use crate::scalar::{Function, Literal, MAX_TEXT, ScalarExpr};

/// The most characters or bytes of a text that a function looks at or makes.
const TEXT: i64 = MAX_TEXT as i64;

/// The longest text there can be: Arrow counts its bytes in 32 bits.
const ANY_TEXT: i64 = i32::MAX as i64;

/// An interval widened by far more than functions are off that are not correctly rounded (a few units in the last
/// place, 10⁻¹⁵ of the value).
fn loosened(lo: f64, hi: f64) -> Range {
    let slack = |x: f64| x.abs() * 1e-12 + f64::MIN_POSITIVE;
    let lo = if lo.is_nan() {
        f64::NEG_INFINITY
    } else {
        lo - slack(lo)
    };
    let hi = if hi.is_nan() {
        f64::INFINITY
    } else {
        hi + slack(hi)
    };
    Range::Number(
        if lo.is_nan() { f64::NEG_INFINITY } else { lo },
        if hi.is_nan() { f64::INFINITY } else { hi },
    )
}

/// The interval of a function that only grows.
fn growing(r: Range, f: fn(f64) -> f64) -> Range {
    let (lo, hi) = r.ends();
    loosened(f(lo), f(hi))
}

/// The part of an interval that lies within another; nothing if they do not meet (the value is always NULL then).
fn within(r: Range, lo: f64, hi: f64) -> Option<Range> {
    let (a, b) = r.ends();
    let (a, b) = (a.max(lo), b.min(hi));
    (a <= b).then_some(Range::Number(a, b))
}

/// Whether a value can be told, and lies in 64 bits: integers between two.
fn integers(r: Range) -> (i128, i128) {
    match r {
        Range::Integer(lo, hi) => (lo.into(), hi.into()),
        Range::Number(..) => (i64::MIN.into(), i64::MAX.into()),
    }
}

pub(super) fn call(
    function: Function,
    args: &[ScalarExpr],
    columns: &(impl ColumnRange + ?Sized),
) -> Option<Range> {
    use Function::*;
    let nth = |at: usize| args.get(at).and_then(|arg| range(arg, columns));
    let first = || nth(0);
    match function {
        Abs => Some(match first()? {
            Range::Integer(a, b) => {
                let (a, b) = (i128::from(a), i128::from(b));
                let least = if a <= 0 && b >= 0 { 0 } else { a.abs().min(b.abs()) };
                clipped(least, a.abs().max(b.abs()))
            }
            Range::Number(a, b) => {
                let least = if a <= 0.0 && b >= 0.0 {
                    0.0
                } else {
                    a.abs().min(b.abs())
                };
                Range::Number(least, a.abs().max(b.abs()))
            }
        }),
        Negate => Some(match first()? {
            Range::Integer(a, b) => clipped(-i128::from(b), -i128::from(a)),
            Range::Number(a, b) => Range::Number(-b, -a),
        }),
        Sign => Some(match first()? {
            Range::Integer(a, b) => Range::Integer(a.signum(), b.signum()),
            Range::Number(..) => Range::Number(-1.0, 1.0),
        }),
        Floor | Ceil => Some(match first()? {
            Range::Number(a, b) => Range::Number(a.floor(), b.ceil()),
            integer @ Range::Integer(..) => integer,
        }),
        Trunc => Some(match (first()?, args.len()) {
            (Range::Number(a, b), 1) => Range::Number(a.trunc(), b.trunc()),
            (integer @ Range::Integer(..), 1) => integer,
            // Toward zero, whatever the decimals.
            (Range::Number(a, b), _) => loosened(a.min(0.0), b.max(0.0)),
            (Range::Integer(a, b), _) => Range::Integer(a.min(0), b.max(0)),
        }),
        Round => round(args, first()?),
        Clamp => Some(clamp(first()?, nth(1)?, nth(2)?)),
        Sqrt => within(first()?, 0.0, f64::INFINITY).map(|r| growing(r, f64::sqrt)),
        Cbrt => Some(growing(first()?, f64::cbrt)),
        Ln => within(first()?, 0.0, f64::INFINITY).map(|r| logarithm(r, f64::ln, -745.2, 709.8)),
        Log10 => within(first()?, 0.0, f64::INFINITY).map(|r| logarithm(r, f64::log10, -323.4, 308.3)),
        Log2 => within(first()?, 0.0, f64::INFINITY).map(|r| logarithm(r, f64::log2, -1_074.0, 1_024.0)),
        Exp => Some(growing(first()?, f64::exp)),
        Power => Some(power(first()?, args.get(1)?)),
        Degrees => Some(growing(first()?, f64::to_degrees)),
        Radians => Some(growing(first()?, f64::to_radians)),
        Sin | Cos | Tanh => Some(Range::Number(-1.0, 1.0)),
        Asin | Atan => Some(loosened(-FRAC_PI_2, FRAC_PI_2)),
        Acos => Some(loosened(0.0, PI)),
        Atan2 => Some(loosened(-PI, PI)),
        Sinh => Some(growing(first()?, f64::sinh)),
        Cosh => {
            let (a, b) = first()?.ends();
            Some(loosened(1.0, a.abs().max(b.abs()).cosh()))
        }
        Asinh => Some(growing(first()?, f64::asinh)),
        Acosh => within(first()?, 1.0, f64::INFINITY).map(|r| growing(r, f64::acosh)),
        // The largest double below 1 has 18.7.
        Atanh => Some(Range::Number(-19.0, 19.0)),
        Log | Tan | Cot => Some(ANY_NUMBER),
        Gcd => {
            let ((a, b), (c, d)) = (integers(first()?), integers(nth(1)?));
            Some(clipped(0, a.abs().max(b.abs()).max(c.abs()).max(d.abs())))
        }
        Lcm => {
            let ((a, b), (c, d)) = (integers(first()?), integers(nth(1)?));
            Some(clipped(0, a.abs().max(b.abs()) * c.abs().max(d.abs())))
        }
        Factorial => {
            let (a, b) = integers(first()?);
            let of = |n: i128| eval::factorial(i64::try_from(n).unwrap_or(0));
            // Negative numbers, and those over 20, give NULL.
            (a <= 20 && b >= 0).then_some(())?;
            Some(Range::Integer(of(a.clamp(0, 20))?, of(b.clamp(0, 20))?))
        }
        WidthBucket => {
            let (_, most) = integers(nth(3)?);
            (most >= 1).then(|| clipped(0, most.min(i128::from(i32::MAX)) + 1))
        }
        Length | OctetLength | BitLength => {
            // Only texts that functions made are short for sure.
            let most = match args.first() {
                Some(ScalarExpr::Call(..)) => TEXT,
                _ => ANY_TEXT,
            };
            Some(Range::Integer(
                0,
                if function == BitLength { most * 8 } else { most },
            ))
        }
        Position => Some(Range::Integer(0, ANY_TEXT)),
        RegexpCount | RegexpPosition => Some(Range::Integer(0, TEXT + 1)),
        CodePoint => Some(Range::Integer(0, 0x10_ffff)),
        // Texts of more characters give NULL.
        Levenshtein => Some(Range::Integer(0, 64)),
        DatePart(crate::scalar::DatePart::Epoch) => Some(ANY_INTEGER),
        DatePart(part) => {
            let (lo, hi) = part.range();
            Some(Range::Integer(lo, hi))
        }
        // Times have no declared bounds, so what lies between two of them has none either: a clamp gives it some.
        DateDiff(_) | MonthsBetween | AgeInYears => Some(ANY_INTEGER),
        NullIf => first(),
        Coalesce => args
            .iter()
            .filter_map(|arg| range(arg, columns))
            .reduce(Range::join),
        Least | Greatest => extreme(function, args, columns),
        Upper | Lower | InitialCapitals | Trim | LeftTrim | RightTrim | Substring | Left | Right
        | PadLeft | PadRight | Repeat | SplitPart | SplitUntil | Overlay | Translate | StartsWith
        | EndsWith | Contains | Replace | Reverse | Character | ToHex | Normalize(_) | ToHalfWidth
        | ToFullWidth | IsChinese | ContainsChinese | RegexpLike | RegexpSubstring | RegexpReplace
        | RegexpReplaceAll | DateTruncate(_) | AddMonths | AddDays | AddMicros | DateBin | LastDay
        | MakeDate | MakeTimestamp | ToDate | ToTimestamp | ToChar | DayName(_) | MonthName(_)
        | IsWeekend | Concat | ConcatWith => None,
    }
}

/// A logarithm, whose value at the least double above zero is `least` and at the greatest `most`, roughly outward.
fn logarithm(r: Range, f: fn(f64) -> f64, least: f64, most: f64) -> Range {
    let (lo, hi) = growing(r, f).ends();
    Range::Number(lo.max(least), hi.min(most).max(least))
}

fn round(args: &[ScalarExpr], first: Range) -> Option<Range> {
    let any = match first {
        Range::Integer(..) => ANY_INTEGER,
        Range::Number(..) => ANY_NUMBER,
    };
    let decimals = match args.get(1) {
        None => 0,
        Some(ScalarExpr::Literal(Literal::Integer(n))) => *n,
        Some(_) => return Some(any),
    };
    Some(match first {
        integer @ Range::Integer(..) if decimals >= 0 => integer,
        // Rounding to decimals moves by at most one unit of the last decimal kept.
        Range::Number(a, b) if (0..=15).contains(&decimals) => widened(a - 1.0, b + 1.0),
        _ => any,
    })
}

/// Least is between the limits' least and greatest; the function grows with each of its arguments.
fn clamp(x: Range, lo: Range, hi: Range) -> Range {
    match (x, lo, hi) {
        (Range::Integer(a, b), Range::Integer(c, d), Range::Integer(e, f)) => {
            Range::Integer(a.max(c).min(e), b.max(d).min(f))
        }
        (x, lo, hi) => {
            let ((a, b), (c, d), (e, f)) = (x.ends(), lo.ends(), hi.ends());
            Range::Number(a.max(c).min(e), b.max(d).min(f))
        }
    }
}

/// A power with a constant exponent grows or falls with a base that is not negative; a negative base has a value for
/// whole exponents only, at most in magnitude that of its opposite.
fn power(base: Range, exponent: &ScalarExpr) -> Range {
    let ScalarExpr::Literal(Literal::Number(exponent)) = exponent else {
        return ANY_NUMBER;
    };
    let (exponent, (a, b)) = (exponent.get(), base.ends());
    if exponent >= 0.0 {
        let most = a.abs().max(b.abs()).powf(exponent);
        let least = if a >= 0.0 {
            a.powf(exponent)
        } else if exponent.fract() == 0.0 && exponent % 2.0 != 0.0 {
            -a.abs().powf(exponent)
        } else {
            0.0
        };
        loosened(least, most)
    } else if a > 0.0 {
        loosened(b.powf(exponent), a.powf(exponent))
    } else {
        ANY_NUMBER
    }
}

/// LEAST and GREATEST skip NULLs: the result is one of the arguments, and on the right side of every argument that is
/// never NULL (a constant).
fn extreme(function: Function, args: &[ScalarExpr], columns: &(impl ColumnRange + ?Sized)) -> Option<Range> {
    let ranges: Vec<_> = args.iter().map(|arg| (arg, range(arg, columns))).collect();
    let mut all = ranges.iter().filter_map(|(_, r)| *r).reduce(Range::join)?;
    let never_null = |arg: &ScalarExpr| matches!(arg, ScalarExpr::Literal(literal) if !matches!(literal, Literal::Null(_)));
    for (_, limit) in ranges.iter().filter(|(arg, _)| never_null(arg)) {
        all = match (all, limit, function) {
            (Range::Integer(a, b), Some(Range::Integer(_, hi)), Function::Least) => {
                Range::Integer(a.min(*hi), b.min(*hi))
            }
            (Range::Integer(a, b), Some(Range::Integer(lo, _)), _) => Range::Integer(a.max(*lo), b.max(*lo)),
            (Range::Number(a, b), Some(limit), Function::Least) => {
                let hi = limit.ends().1;
                Range::Number(a.min(hi), b.min(hi))
            }
            (Range::Number(a, b), Some(limit), _) => {
                let lo = limit.ends().0;
                Range::Number(a.max(lo), b.max(lo))
            }
            (all, _, _) => all,
        };
    }
    Some(all)
}
