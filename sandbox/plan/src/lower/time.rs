//! Dates and times moved by intervals and counts.

use datafusion_common::ScalarValue;
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::expr::BinaryExpr;
use datafusion_expr::{Expr, Operator};
use model::FieldType;

use super::call::{called, integer};
use super::{Lowering, canonical, fold, unsupported};
use crate::refusal::{Planned, Refusal, Rule};
use crate::scalar::{Arithmetic, DatePart, Function, Literal, ScalarExpr};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Months, days and microseconds.
#[derive(Debug, Clone, Copy)]
struct Interval {
    months: i64,
    days: i64,
    micros: i64,
}

impl Interval {
    /// The constant that an expression is.
    fn of(expr: &Expr) -> Option<Self> {
        match expr {
            Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(x)), _) => Some(Self {
                months: x.months.into(),
                days: x.days.into(),
                micros: x.nanoseconds / 1_000,
            }),
            Expr::Alias(alias) => Self::of(&alias.expr),
            Expr::Negative(inner) => Self::of(inner).map(Self::negated),
            _ => None,
        }
    }

    fn negated(self) -> Self {
        Self {
            months: -self.months,
            days: -self.days,
            micros: -self.micros,
        }
    }
}

/// What is counted in days where the planner has turned a count of days into an interval.
fn counted_days(expr: &Expr) -> Option<&Expr> {
    let Expr::Cast(to_interval) = expr else {
        return None;
    };
    let (DataType::Interval(_), Expr::Cast(to_duration)) =
        (to_interval.field.data_type(), &*to_interval.expr)
    else {
        return None;
    };
    let (DataType::Duration(_), Expr::BinaryExpr(seconds)) =
        (to_duration.field.data_type(), &*to_duration.expr)
    else {
        return None;
    };
    let a_day = matches!(
        &*seconds.right,
        Expr::Literal(ScalarValue::Int64(Some(86_400)), _)
    );
    (seconds.op == Operator::Multiply && a_day).then_some(&*seconds.left)
}

fn times(count: ScalarExpr, unit: i64) -> ScalarExpr {
    if unit == 1 {
        return count;
    }
    let product = ScalarExpr::Arithmetic(Arithmetic::Multiply, Box::new(count), Box::new(integer(unit)));
    canonical(fold(product))
}

impl Lowering<'_> {
    /// `time ± interval`, `interval + time` and `date ± days`; `None` if it is none of these.
    pub(super) fn time_arithmetic(&self, binary: &BinaryExpr) -> Planned<Option<ScalarExpr>> {
        let (left, right) = (&*binary.left, &*binary.right);
        match binary.op {
            Operator::Plus => {
                for (time, moved) in [(left, right), (right, left)] {
                    if let Some(interval) = Interval::of(moved) {
                        return self.moved(self.expr(time)?, interval).map(Some);
                    }
                    if let Some(days) = counted_days(moved) {
                        return self.days_later(time, self.expr(days)?).map(Some);
                    }
                }
                Ok(None)
            }
            Operator::Minus => {
                if let Some(interval) = Interval::of(right) {
                    return self.moved(self.expr(left)?, interval.negated()).map(Some);
                }
                if let Some(days) = counted_days(right) {
                    let days = fold(called(Function::Negate, vec![self.expr(days)?]));
                    return self.days_later(left, days).map(Some);
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// `date - date`: the days between.
    pub(super) fn days_between(&self, from: ScalarExpr, to: ScalarExpr) -> Planned<ScalarExpr> {
        let from = self.typed(from, FieldType::Timestamp)?;
        let to = self.typed(to, FieldType::Timestamp)?;
        Ok(called(Function::DateDiff(DatePart::Day), vec![from, to]))
    }

    fn days_later(&self, date: &Expr, days: ScalarExpr) -> Planned<ScalarExpr> {
        let date = self.typed(self.expr(date)?, FieldType::Date)?;
        let days = self.typed(days, FieldType::Integer)?;
        Ok(called(Function::AddDays, vec![date, days]))
    }

    /// Months first, then days, then the rest, as PostgreSQL does.
    fn moved(&self, time: ScalarExpr, interval: Interval) -> Planned<ScalarExpr> {
        let mut time = match self.field_type(&time)? {
            FieldType::Date => time,
            _ => self.typed(time, FieldType::Timestamp)?,
        };
        for (function, count) in [
            (Function::AddMonths, interval.months),
            (Function::AddDays, interval.days),
            (Function::AddMicros, interval.micros),
        ] {
            if count == 0 {
                continue;
            }
            if function == Function::AddMicros {
                self.has_clock(&time)?;
            }
            time = fold(called(function, vec![time, integer(count)]));
        }
        Ok(time)
    }

    /// Refuses to move a date by less than a day: it would have to become something else.
    fn has_clock(&self, time: &ScalarExpr) -> Planned<()> {
        match self.field_type(time)? {
            FieldType::Timestamp => Ok(()),
            _ => Err(Refusal::about(
                Rule::UnsupportedType,
                "hours, minutes or seconds added to a date: cast it to TIMESTAMP",
            )),
        }
    }

    pub(super) fn date_add(
        &self,
        part: DatePart,
        count: ScalarExpr,
        time: ScalarExpr,
    ) -> Planned<ScalarExpr> {
        let (function, unit) = match part {
            DatePart::Century => (Function::AddMonths, 1_200),
            DatePart::Decade => (Function::AddMonths, 120),
            DatePart::Year => (Function::AddMonths, 12),
            DatePart::Quarter => (Function::AddMonths, 3),
            DatePart::Month => (Function::AddMonths, 1),
            DatePart::Week => (Function::AddDays, 7),
            DatePart::Day => (Function::AddDays, 1),
            other => {
                self.has_clock(&time)?;
                let seconds = other.shortest().ok_or_else(|| unsupported("this unit"))?;
                (Function::AddMicros, seconds * MICROS_PER_SECOND)
            }
        };
        Ok(called(function, vec![time, times(count, unit)]))
    }

    /// Spans of a constant length, from an origin: 1970-01-01 unless told.
    pub(super) fn date_bin(&self, args: &[Expr]) -> Planned<ScalarExpr> {
        let (stride, time, origin) = match args {
            [stride, time] => (stride, time, None),
            [stride, time, origin] => (stride, time, Some(origin)),
            _ => return Err(unsupported("date_bin with so many arguments")),
        };
        let stride = Interval::of(stride)
            .filter(|i| i.months == 0)
            .and_then(|i| {
                i.days
                    .checked_mul(86_400 * MICROS_PER_SECOND)?
                    .checked_add(i.micros)
            })
            .filter(|micros| *micros > 0)
            .ok_or_else(|| Refusal::about(Rule::Pattern, "the interval of date_bin, without months"))?;
        let time = self.typed(self.expr(time)?, FieldType::Timestamp)?;
        let origin = match origin {
            Some(origin) => self.typed(self.expr(origin)?, FieldType::Timestamp)?,
            None => ScalarExpr::Literal(Literal::Timestamp(0)),
        };
        Ok(called(Function::DateBin, vec![time, integer(stride), origin]))
    }
}
