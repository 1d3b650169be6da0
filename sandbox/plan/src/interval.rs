//! Interval arithmetic: what values an expression can take, from declared bounds alone.
//!
//! Soundness is what the sensitivity of a sum rests on: for every row whose columns lie within their declared bounds
//! (the scan clamps them), the value of the expression, where it is not NULL, lies in its interval. Double results are
//! widened outward by one unit in the last place, which covers the rounding of one correctly rounded operation
//! (IEEE 754-2019 §5.4.1); functions that are not correctly rounded (ln, exp, power) are widened more or left unbounded.

mod call;

use model::FieldType;

use crate::scalar::{Arithmetic, CastTarget, Literal, ScalarExpr};

/// The values that an expression can take where it is not NULL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// Integers between two, both included.
    Integer(i64, i64),
    /// Doubles between two, both included; infinite ends mean unbounded.
    Number(f64, f64),
}

const ANY_INTEGER: Range = Range::Integer(i64::MIN, i64::MAX);
const ANY_NUMBER: Range = Range::Number(f64::NEG_INFINITY, f64::INFINITY);

/// The largest integer a summed row may be (as in declared bounds: doubles hold every integer up to there).
pub const MAX_INTEGER: u64 = 1_000_000_000_000_000;

/// The largest magnitude of a number in a summed row: the square of a declared bound, as second moments need it.
pub const MAX_SUMMED: f64 = 1e30;

impl Range {
    /// Both ends as doubles, rounded outward.
    pub fn ends(self) -> (f64, f64) {
        match self {
            Self::Integer(lo, hi) => (down(lo), up(hi)),
            Self::Number(lo, hi) => (lo, hi),
        }
    }

    /// Whether a row within it can be summed.
    pub fn is_bounded(self) -> bool {
        match self {
            Self::Integer(lo, hi) => lo.unsigned_abs().max(hi.unsigned_abs()) <= MAX_INTEGER,
            Self::Number(lo, hi) => lo.abs() <= MAX_SUMMED && hi.abs() <= MAX_SUMMED,
        }
    }

    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Integer(a, b), Self::Integer(c, d)) => Self::Integer(a.min(c), b.max(d)),
            (a, b) => {
                let ((a, b), (c, d)) = (a.ends(), b.ends());
                Self::Number(a.min(c), b.max(d))
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rounded outward right after")]
fn down(x: i64) -> f64 {
    let near = x as f64;
    if x.unsigned_abs() > 1 << 53 {
        near.next_down()
    } else {
        near
    }
}

#[expect(clippy::cast_precision_loss, reason = "rounded outward right after")]
fn up(x: i64) -> f64 {
    let near = x as f64;
    if x.unsigned_abs() > 1 << 53 {
        near.next_up()
    } else {
        near
    }
}

/// A double interval widened outward; NaN ends (∞ − ∞, 0 × ∞) become unbounded.
fn widened(lo: f64, hi: f64) -> Range {
    let lo = if lo.is_nan() {
        f64::NEG_INFINITY
    } else {
        lo.next_down()
    };
    let hi = if hi.is_nan() { f64::INFINITY } else { hi.next_up() };
    Range::Number(lo, hi)
}

/// An integer interval; results beyond 64 bits are NULL, so the rest is cut off.
fn clipped(lo: i128, hi: i128) -> Range {
    let cut = |x: i128| i64::try_from(x.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or(0);
    Range::Integer(cut(lo), cut(hi))
}

/// What a column can hold.
pub trait ColumnRange {
    /// The declared bounds of a numeric column, or all of its type; `None` if it is not numeric.
    fn column_range(&self, column: usize) -> Option<Range>;
}

/// All values of a type.
pub fn everything(field_type: FieldType) -> Option<Range> {
    match field_type {
        FieldType::Integer => Some(ANY_INTEGER),
        FieldType::Number => Some(ANY_NUMBER),
        FieldType::Text | FieldType::Boolean | FieldType::Date | FieldType::Timestamp => None,
    }
}

/// The interval of an expression; `None` if it is not numeric or always NULL.
pub fn range(expr: &ScalarExpr, columns: &(impl ColumnRange + ?Sized)) -> Option<Range> {
    match expr {
        ScalarExpr::Column(column) => columns.column_range(*column),
        ScalarExpr::Literal(Literal::Integer(x)) => Some(Range::Integer(*x, *x)),
        ScalarExpr::Literal(Literal::Number(x)) => Some(Range::Number(x.get(), x.get())),
        ScalarExpr::Literal(_)
        | ScalarExpr::Not(_)
        | ScalarExpr::And(_)
        | ScalarExpr::Or(_)
        | ScalarExpr::IsNull(_)
        | ScalarExpr::Compare(..)
        | ScalarExpr::InList { .. }
        | ScalarExpr::Like { .. } => None,
        ScalarExpr::Arithmetic(op, left, right) => {
            arithmetic(*op, range(left, columns)?, range(right, columns)?)
        }
        ScalarExpr::Case { when, otherwise } => {
            let values = when.iter().map(|(_, value)| value).chain([&**otherwise]);
            values
                .filter_map(|value| range(value, columns))
                .reduce(Range::join)
        }
        ScalarExpr::Cast(inner, target) => cast(inner, *target, columns),
        ScalarExpr::Call(function, args) => call::call(*function, args, columns),
    }
}

fn cast(inner: &ScalarExpr, target: CastTarget, columns: &(impl ColumnRange + ?Sized)) -> Option<Range> {
    let inner = range(inner, columns);
    match (target, inner) {
        (CastTarget::Integer { lo, hi }, Some(Range::Integer(a, b))) => {
            // Outside the target's range the cast is NULL; an empty rest means always NULL.
            let (a, b) = (a.max(lo), b.min(hi));
            (a <= b).then_some(Range::Integer(a, b))
        }
        (CastTarget::Integer { lo, hi }, Some(Range::Number(a, b))) => {
            // The cast goes toward zero; `as` saturates.
            #[expect(clippy::cast_possible_truncation, reason = "saturates, as wanted")]
            let (a, b) = ((a.trunc() as i64).max(lo), (b.trunc() as i64).min(hi));
            (a <= b).then_some(Range::Integer(a, b))
        }
        (CastTarget::Integer { lo, hi }, None) => Some(Range::Integer(lo, hi)),
        // What has no bounds as an integer has none as a number either: a mean of it is refused as a sum is.
        (CastTarget::Number | CastTarget::Single, Some(r)) if r == ANY_INTEGER => Some(ANY_NUMBER),
        (CastTarget::Number, Some(r)) => {
            let (a, b) = r.ends();
            Some(Range::Number(a, b))
        }
        (CastTarget::Single, Some(r)) => {
            let (a, b) = r.ends();
            // Single precision rounds by at most one part in 2²⁴, or by 2⁻¹⁴⁹ among the subnormal numbers.
            let slack = |x: f64| x.abs() / f64::from(1 << 23) + f64::from(f32::MIN_POSITIVE);
            Some(widened(a - slack(a), b + slack(b)))
        }
        (CastTarget::Number | CastTarget::Single, None) => Some(ANY_NUMBER),
        (CastTarget::Text | CastTarget::Boolean | CastTarget::Date | CastTarget::Timestamp, _) => None,
    }
}

fn arithmetic(op: Arithmetic, left: Range, right: Range) -> Option<Range> {
    Some(match (left, right) {
        (Range::Integer(a, b), Range::Integer(c, d)) => {
            let (a, b, c, d) = (i128::from(a), i128::from(b), i128::from(c), i128::from(d));
            match op {
                Arithmetic::Add => clipped(a + c, b + d),
                Arithmetic::Subtract => clipped(a - d, b - c),
                Arithmetic::Multiply => {
                    let all = [a * c, a * d, b * c, b * d];
                    clipped(all.into_iter().min()?, all.into_iter().max()?)
                }
                // A quotient toward zero never exceeds the dividend in magnitude; its sign may flip.
                Arithmetic::Divide => {
                    let divisors: Vec<i128> = [c, d, -1, 1]
                        .into_iter()
                        .filter(|x| *x != 0 && (c..=d).contains(x))
                        .collect();
                    let all = divisors.iter().flat_map(|x| [a / x, b / x]);
                    let (lo, hi) = all.fold((0, 0), |(lo, hi), q| (lo.min(q), hi.max(q)));
                    clipped(lo, hi)
                }
                Arithmetic::Remainder => {
                    let most = (c.abs().max(d.abs()) - 1).max(0);
                    clipped(a.min(0).max(-most), b.max(0).min(most))
                }
            }
        }
        (left, right) => {
            let ((a, b), (c, d)) = (left.ends(), right.ends());
            match op {
                Arithmetic::Add => widened(a + c, b + d),
                Arithmetic::Subtract => widened(a - d, b - c),
                Arithmetic::Multiply => corners([a * c, a * d, b * c, b * d]),
                Arithmetic::Divide if c > 0.0 || d < 0.0 => corners([a / c, a / d, b / c, b / d]),
                Arithmetic::Divide => ANY_NUMBER,
                Arithmetic::Remainder => {
                    let most = c.abs().max(d.abs());
                    widened(a.min(0.0).max(-most), b.max(0.0).min(most))
                }
            }
        }
    })
}

fn corners(all: [f64; 4]) -> Range {
    if all.iter().any(|x| x.is_nan()) {
        return ANY_NUMBER;
    }
    let lo = all.into_iter().fold(f64::INFINITY, f64::min);
    let hi = all.into_iter().fold(f64::NEG_INFINITY, f64::max);
    widened(lo, hi)
}
