//! What a function costs in the worst case that the deadline counts with, in nanoseconds of one core a row. Texts are
//! taken to be short where they are many (about 50 bytes); functions whose work grows faster have caps of their own.

use model::FieldType;

use crate::scalar::{Function, MAX_TEXT, ScalarExpr, Subject};

/// A text function over one row.
const TEXT_NANOS: u64 = 150;

/// A text function that makes its result character by character.
const REWRITE_NANOS: u64 = 400;

/// Compiling one regular expression, at the limit of its size; every thread does it once.
const PATTERN_NANOS: u64 = 300_000_000;

/// One call, without its arguments.
fn call(function: Function, args: &[ScalarExpr]) -> u64 {
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

/// One evaluation of an expression over columns of these types.
pub(super) fn expr(of: &ScalarExpr, types: &[FieldType]) -> u64 {
    let own = match of {
        ScalarExpr::Column(_) | ScalarExpr::Literal(_) => 0,
        ScalarExpr::Not(_) | ScalarExpr::And(_) | ScalarExpr::Or(_) | ScalarExpr::IsNull(_) => 2,
        ScalarExpr::Compare(_, left, _) => match left.field_type(types) {
            Some(FieldType::Text) => 20,
            _ => 3,
        },
        ScalarExpr::Arithmetic(..) => 6,
        ScalarExpr::Case { when, .. } => 10 * when.len() as u64,
        ScalarExpr::InList { .. } => 40,
        ScalarExpr::Like { .. } => TEXT_NANOS,
        ScalarExpr::Cast(..) => 60,
        ScalarExpr::Call(function, args) => call(*function, args),
    };
    of.children()
        .into_iter()
        .map(|child| expr(child, types))
        .fold(own, u64::saturating_add)
}

/// Bytes of text that an expression makes for a row at most, those of its parts included.
pub(super) fn text_bytes(of: &ScalarExpr, types: &[FieldType]) -> u64 {
    let makes = match of {
        ScalarExpr::Call(..) | ScalarExpr::Cast(..) | ScalarExpr::Case { .. } => {
            of.field_type(types) == Some(FieldType::Text)
        }
        _ => false,
    };
    let own = if makes { MAX_TEXT as u64 } else { 0 };
    of.children()
        .into_iter()
        .map(|child| text_bytes(child, types))
        .fold(own, u64::saturating_add)
}

/// What an expression costs once a thread, before the first row.
pub(super) fn setup(expr: &ScalarExpr) -> u64 {
    let own = match expr {
        ScalarExpr::Call(function, _) if function.subject() == Subject::Pattern => PATTERN_NANOS,
        _ => 0,
    };
    expr.children().into_iter().map(setup).sum::<u64>() + own
}
