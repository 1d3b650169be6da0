//! What a function costs in the worst case that the deadline counts with, in nanoseconds of one core a row. Texts are
//! taken to be short where they are many (about 50 bytes); functions whose work grows faster have caps of their own.

use crate::scalar::{Function, ScalarExpr, Subject};

/// A text function over one row.
pub(super) const TEXT_NANOS: u64 = 150;

/// A text function that makes its result character by character.
const REWRITE_NANOS: u64 = 400;

/// Compiling one regular expression, at the limit of its size; every thread does it once.
const PATTERN_NANOS: u64 = 300_000_000;

/// One call, without its arguments.
pub(super) fn call(function: Function, args: &[ScalarExpr]) -> u64 {
    let count = args.len() as u64;
    match function {
        Function::Abs
        | Function::Sign
        | Function::Negate
        | Function::Round
        | Function::Floor
        | Function::Ceil
        | Function::Trunc
        | Function::Sqrt
        | Function::Degrees
        | Function::Radians
        | Function::Clamp => 8,
        Function::WidthBucket => 20,
        // Up to 92 steps of Euclid's algorithm.
        Function::Gcd | Function::Lcm => 500,
        Function::DatePart(_) | Function::DateTruncate(_) | Function::IsWeekend | Function::AddMicros => 15,
        Function::AddDays | Function::AddMonths | Function::LastDay | Function::MakeDate => 25,
        Function::DateDiff(_)
        | Function::MonthsBetween
        | Function::AgeInYears
        | Function::DateBin
        | Function::MakeTimestamp => 40,
        Function::DayName(_) | Function::MonthName(_) => 40,
        Function::ToDate | Function::ToTimestamp => 400,
        // At most 64 bytes of pattern, each piece written on its own.
        Function::ToChar => 1_500,
        // 64 × 64 characters.
        Function::Levenshtein => 10_000,
        Function::Normalize(_) => 1_500,
        Function::Upper
        | Function::Lower
        | Function::InitialCapitals
        | Function::Reverse
        | Function::Translate
        | Function::ToHalfWidth
        | Function::ToFullWidth
        | Function::PadLeft
        | Function::PadRight
        | Function::Overlay => REWRITE_NANOS,
        Function::RegexpLike
        | Function::RegexpCount
        | Function::RegexpPosition
        | Function::RegexpSubstring
        | Function::RegexpReplace
        | Function::RegexpReplaceAll => 600,
        other => match other.subject() {
            Subject::Number => 50,
            Subject::Choice => 20 * count,
            Subject::Text | Subject::Pattern | Subject::Time => TEXT_NANOS * count.max(1).div_ceil(2),
        },
    }
}

/// What an expression costs once a thread, before the first row.
pub(super) fn setup(expr: &ScalarExpr) -> u64 {
    let own = match expr {
        ScalarExpr::Call(function, _) if function.subject() == Subject::Pattern => PATTERN_NANOS,
        _ => 0,
    };
    expr.children().into_iter().map(setup).sum::<u64>() + own
}
