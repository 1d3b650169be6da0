//! Keys made of a date or time. Where a query says between which times it asks, all values that such a key can have are known from
//! the query alone: the calendar between them is gone through, once for each day, or hour, or what the key tells apart
//! (docs/adr/0029). So months of a year are twelve cells, not keys that have to be found among the data.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, TimestampMicrosecondArray};
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use model::FieldType;

use crate::civil::{self, MICROS_PER_DAY};
use crate::eval;
use crate::plan::{KeyCells, MAX_KEY_VALUES, MAX_OPEN_TEXT, cost};
use crate::scalar::{CastTarget, Comparison, DatePart, Function, Literal, ScalarExpr, Subject};
use crate::source::SourceColumns;

/// The most days, hours, … that are gone through: a century of days, four years of hours.
const MAX_STEPS: i64 = 40_000;

/// No period that times are cut to lasts longer, of those that are looked at; in microseconds.
const LONGEST_PERIOD: i64 = 366 * MICROS_PER_DAY;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// How long all calendars of a query may take, in nanoseconds as deadlines count them: a planner has ten seconds for everything.
pub(super) const MAX_NANOS: u64 = 2_000_000_000;

/// The steps that are computed at once, so that texts take little memory however long they are.
const AT_ONCE: usize = 1_024;

/// What a calendar tells of a key.
pub(super) struct Known {
    pub(super) cells: KeyCells,
    /// Whether a row that is let through can be without a value.
    pub(super) can_be_null: bool,
}

/// The cells of a key that reads one column of dates or times and nothing else, if `filter` lets through the rows of a limited
/// span only, and the key has not too many values in it.
pub(super) fn known(
    columns: &SourceColumns,
    filter: Option<&ScalarExpr>,
    key: &ScalarExpr,
    field_type: FieldType,
    nanos_left: &Cell<u64>,
) -> Option<Known> {
    let mut values = Values::new(field_type)?;
    let time = Time::of(columns, key)?;
    let filter = filter?;
    let step = time.step(key)?;
    let Span { lo, hi } = time.span(filter);
    // What is open at either end is no span.
    let (first, last) = (lo?.div_euclid(step), hi?.div_euclid(step));
    // One that ends before it begins has no steps, and a key no values.
    let count = last.checked_sub(first)?.saturating_add(1).max(0);
    if count > MAX_STEPS {
        return None;
    }
    // Other conditions on the same column, where they are the same throughout a step.
    let conditions = conjuncts(filter).into_iter().filter(|condition| {
        Time::of(columns, condition).is_some_and(|other| other.column == time.column)
            && time.step(condition).is_some_and(|own| own % step == 0)
    });
    let conditions: Vec<ScalarExpr> = conditions.map(|condition| time.alone(condition)).collect();
    let key = time.alone(key);
    let mut each = conditions.iter().chain([&key]).map(|expr| time.nanos(expr));
    let one = each.try_fold(0u64, |sum, nanos| sum.checked_add(nanos?))?;
    nanos_left.set(
        nanos_left
            .get()
            .checked_sub(one.checked_mul(count.unsigned_abs())?)?,
    );
    let starts = (first..=last).map(|at| at.checked_mul(step));
    let starts = starts.collect::<Option<Vec<i64>>>()?;
    // A column that lies in a span has a value.
    let mut can_be_null = false;
    for starts in starts.chunks(AT_ONCE) {
        let column = [time.column_of(starts)?];
        let value = |expr: &ScalarExpr| {
            let vector = eval::evaluate(expr, &column, starts.len());
            vector.and_then(|vector| vector.into_array(starts.len())).ok()
        };
        let mut kept = vec![true; starts.len()];
        for condition in &conditions {
            let holds = value(condition)?;
            let holds = holds.as_boolean_opt()?;
            for (row, kept) in kept.iter_mut().enumerate() {
                *kept &= holds.is_valid(row) && holds.value(row);
            }
        }
        let keys = value(&key)?;
        can_be_null |= (0..keys.len()).any(|row| kept[row] && keys.is_null(row));
        values.add(&keys, &kept)?;
    }
    Some(Known {
        cells: values.into_cells(),
        can_be_null,
    })
}

/// The different values of a key.
enum Values {
    Dates(BTreeSet<i32>),
    Timestamps(BTreeSet<i64>),
    Integers(BTreeSet<i64>),
    /// In the order of the calendar, which is that of most keys.
    Texts(HashSet<String>, Vec<String>),
}

impl Values {
    /// None yet; `None` for what is no key, or one that needs no calendar.
    fn new(field_type: FieldType) -> Option<Self> {
        match field_type {
            FieldType::Date => Some(Self::Dates(BTreeSet::new())),
            FieldType::Timestamp => Some(Self::Timestamps(BTreeSet::new())),
            FieldType::Integer => Some(Self::Integers(BTreeSet::new())),
            FieldType::Text => Some(Self::Texts(HashSet::new(), vec![])),
            FieldType::Number | FieldType::Boolean => None,
        }
    }

    /// Adds those of the rows that are kept and have one; `None` once there are too many.
    fn add(&mut self, values: &ArrayRef, kept: &[bool]) -> Option<()> {
        let rows = (0..values.len()).filter(|row| kept.get(*row) == Some(&true) && values.is_valid(*row));
        match self {
            Self::Dates(all) => {
                let days = values.as_primitive_opt::<Date32Type>()?;
                all.extend(rows.map(|row| days.value(row)));
            }
            Self::Timestamps(all) => {
                let moments = values.as_primitive_opt::<TimestampMicrosecondType>()?;
                all.extend(rows.map(|row| moments.value(row)));
            }
            Self::Integers(all) => {
                let integers = values.as_primitive_opt::<Int64Type>()?;
                all.extend(rows.map(|row| integers.value(row)));
            }
            Self::Texts(met, all) => {
                let texts = values.as_string_opt::<i32>()?;
                for text in rows.map(|row| texts.value(row)) {
                    if text.len() > MAX_OPEN_TEXT {
                        return None;
                    }
                    if met.insert(text.to_owned()) {
                        all.push(text.to_owned());
                    }
                }
            }
        }
        (self.len() <= usize::try_from(MAX_KEY_VALUES).ok()?).then_some(())
    }

    fn len(&self) -> usize {
        match self {
            Self::Dates(all) => all.len(),
            Self::Timestamps(all) | Self::Integers(all) => all.len(),
            Self::Texts(_, all) => all.len(),
        }
    }

    fn into_cells(self) -> KeyCells {
        match self {
            Self::Dates(all) => KeyCells::Dates {
                values: all.into_iter().collect(),
            },
            Self::Timestamps(all) => KeyCells::Timestamps {
                values: all.into_iter().collect(),
            },
            Self::Integers(all) => match (all.first(), all.last()) {
                (Some(lo), Some(hi)) if hi.abs_diff(*lo).saturating_add(1) == all.len() as u64 => {
                    KeyCells::Integer { lo: *lo, hi: *hi }
                }
                _ => KeyCells::Integers {
                    values: all.into_iter().collect(),
                },
            },
            Self::Texts(_, values) => KeyCells::Text { values, other: false },
        }
    }
}

fn conjuncts(filter: &ScalarExpr) -> Vec<&ScalarExpr> {
    match filter {
        ScalarExpr::And(all) => all.iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

/// Microseconds between which a column lies, both included; nothing where it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    lo: Option<i64>,
    hi: Option<i64>,
}

impl Span {
    const ALL: Self = Self { lo: None, hi: None };

    /// What lies in both.
    fn and(self, other: Self) -> Self {
        Self {
            lo: self.lo.max(other.lo),
            hi: match (self.hi, other.hi) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            },
        }
    }

    /// What lies in one or between both.
    fn or(self, other: Self) -> Self {
        let both = |f: fn(i64, i64) -> i64, one: Option<i64>, other: Option<i64>| Some(f(one?, other?));
        Self {
            lo: both(i64::min, self.lo, other.lo),
            hi: both(i64::max, self.hi, other.hi),
        }
    }
}

/// The column that a key reads.
#[derive(Debug, Clone, Copy)]
struct Time {
    column: usize,
    /// Days, and not moments.
    is_date: bool,
}

impl Time {
    /// The only column of an expression, if it holds dates or times.
    fn of(columns: &SourceColumns, expr: &ScalarExpr) -> Option<Self> {
        let mut read = BTreeSet::new();
        expr.collect_columns(&mut read);
        let column = read.pop_first().filter(|_| read.is_empty())?;
        match columns.0.get(column)?.field_type {
            FieldType::Date => Some(Self {
                column,
                is_date: true,
            }),
            FieldType::Timestamp => Some(Self {
                column,
                is_date: false,
            }),
            _ => None,
        }
    }

    /// A column of it that holds these moments.
    fn column_of(&self, starts: &[i64]) -> Option<ArrayRef> {
        if !self.is_date {
            return Some(Arc::new(TimestampMicrosecondArray::from(starts.to_vec())));
        }
        let days = starts
            .iter()
            .map(|start| i32::try_from(start.div_euclid(MICROS_PER_DAY)).ok());
        Some(Arc::new(Date32Array::from_iter_values(
            days.collect::<Option<Vec<_>>>()?,
        )))
    }

    /// How long an expression over this column alone may take for one step; `None` if that depends on more than its size, as the
    /// search for a pattern does.
    fn nanos(&self, expr: &ScalarExpr) -> Option<u64> {
        fn seeks(expr: &ScalarExpr) -> bool {
            let own = match expr {
                ScalarExpr::Like { .. } => true,
                ScalarExpr::Call(function, _) => function.subject() == Subject::Pattern,
                _ => false,
            };
            own || expr.children().into_iter().any(seeks)
        }
        let kind = if self.is_date {
            FieldType::Date
        } else {
            FieldType::Timestamp
        };
        // A nanosecond for each byte that is made.
        let nanos = cost::expr(expr, &[kind]).saturating_add(cost::text_bytes(expr, &[kind]));
        (!seeks(expr)).then_some(nanos.max(1))
    }

    /// The expression over this column alone.
    fn alone(&self, expr: &ScalarExpr) -> ScalarExpr {
        let mut expr = expr.clone();
        fn renumber(expr: &mut ScalarExpr, column: usize) {
            if *expr == ScalarExpr::Column(column) {
                *expr = ScalarExpr::Column(0);
            }
            for child in expr.children_mut() {
                renumber(child, column);
            }
        }
        renumber(&mut expr, self.column);
        expr
    }

    /// Whether an expression is the column, or the moment at which its day begins.
    fn is(&self, expr: &ScalarExpr) -> bool {
        match expr {
            ScalarExpr::Column(column) => *column == self.column,
            ScalarExpr::Cast(inner, CastTarget::Timestamp) => {
                self.is_date && **inner == ScalarExpr::Column(self.column)
            }
            _ => false,
        }
    }

    /// The longest of a day, an hour, a minute and a second throughout which an expression keeps its value, whichever it is.
    fn step(&self, expr: &ScalarExpr) -> Option<i64> {
        if self.is_date {
            return Some(MICROS_PER_DAY);
        }
        match expr {
            ScalarExpr::Column(column) if *column == self.column => None,
            ScalarExpr::Cast(inner, CastTarget::Date) if self.is(inner) => Some(MICROS_PER_DAY),
            ScalarExpr::Call(function, args) if args.first().is_some_and(|first| self.is(first)) => {
                let own = step_of(function, args)?;
                let mut others = args.iter().skip(1).map(|arg| self.step(arg));
                others.try_fold(own, |least, step| Some(least.min(step?)))
            }
            other => {
                let mut steps = other.children().into_iter().map(|child| self.step(child));
                steps.try_fold(MICROS_PER_DAY, |least, step| Some(least.min(step?)))
            }
        }
    }

    /// Where the column lies in the rows of which a condition is true; perhaps not everywhere there.
    fn span(&self, condition: &ScalarExpr) -> Span {
        match condition {
            ScalarExpr::And(all) => all.iter().map(|one| self.span(one)).fold(Span::ALL, Span::and),
            ScalarExpr::Or(any) => {
                let spans = any.iter().map(|one| self.span(one));
                spans.reduce(Span::or).unwrap_or(Span::ALL)
            }
            ScalarExpr::Compare(op, left, right) => match (&**left, &**right) {
                (time, ScalarExpr::Literal(literal)) => self.compared(*op, false, time, literal),
                (ScalarExpr::Literal(literal), time) => self.compared(*op, true, time, literal),
                _ => Span::ALL,
            },
            ScalarExpr::InList { expr, list, .. } => {
                let equal = |literal| self.compared(Comparison::Equal, false, expr, literal);
                list.iter().map(equal).reduce(Span::or).unwrap_or(Span::ALL)
            }
            _ => Span::ALL,
        }
    }

    /// The span of a comparison; `turned` if the literal stands on the left.
    fn compared(&self, op: Comparison, turned: bool, time: &ScalarExpr, literal: &Literal) -> Span {
        let Some((first, last)) = self.around(time, literal) else {
            return Span::ALL;
        };
        // A moment next to the literal is excluded only where the column itself is compared.
        let strict = i64::from(op == Comparison::Less && self.is(time));
        let above = Span {
            lo: first.checked_add(strict),
            hi: None,
        };
        let below = Span {
            lo: None,
            hi: last.checked_sub(strict),
        };
        match (op, turned) {
            (Comparison::Equal, _) => above.and(below),
            (Comparison::Less | Comparison::LessEqual, false) => below,
            (Comparison::Less | Comparison::LessEqual, true) => above,
            _ => Span::ALL,
        }
    }

    /// The first and the last moment at which what a column is cut to can be what a literal says.
    fn around(&self, time: &ScalarExpr, literal: &Literal) -> Option<(i64, i64)> {
        let moment = match literal {
            Literal::Date(day) => i64::from(*day).checked_mul(MICROS_PER_DAY)?,
            Literal::Timestamp(micros) => *micros,
            Literal::Integer(year) => {
                let ScalarExpr::Call(Function::DatePart(DatePart::Year), args) = time else {
                    return None;
                };
                let start = civil::date(*year, 1, 1)?.checked_mul(MICROS_PER_DAY)?;
                let own = args.first().is_some_and(|first| self.is(first));
                return own.then(|| (start, start.saturating_add(LONGEST_PERIOD)));
            }
            _ => return None,
        };
        let cut = match time {
            own if self.is(own) => return Some((moment, moment)),
            ScalarExpr::Cast(inner, CastTarget::Date) => self.is(inner),
            ScalarExpr::Call(
                Function::DateTruncate(DatePart::IsoYear | DatePart::Decade | DatePart::Century),
                _,
            ) => false,
            ScalarExpr::Call(Function::DateTruncate(_), args) => {
                args.first().is_some_and(|first| self.is(first))
            }
            _ => false,
        };
        cut.then(|| (moment, moment.saturating_add(LONGEST_PERIOD)))
    }
}

/// Throughout which step a function of a time keeps its value.
fn step_of(function: &Function, args: &[ScalarExpr]) -> Option<i64> {
    let of_part = |part: DatePart| match part {
        DatePart::Hour => 3_600 * MICROS_PER_SECOND,
        DatePart::Minute => 60 * MICROS_PER_SECOND,
        DatePart::Second | DatePart::Epoch => MICROS_PER_SECOND,
        _ => MICROS_PER_DAY,
    };
    match function {
        Function::DatePart(part) | Function::DateTruncate(part) => Some(of_part(*part)),
        Function::LastDay | Function::IsWeekend | Function::DayName(_) | Function::MonthName(_) => {
            Some(MICROS_PER_DAY)
        }
        Function::ToChar => match args.get(1) {
            Some(ScalarExpr::Literal(Literal::Text(pattern))) => {
                let parts = eval::time_pattern(pattern)?
                    .into_iter()
                    .map(|piece| piece.finest());
                let mut steps = parts.map(|part| part.map(of_part));
                steps.try_fold(MICROS_PER_DAY, |least, step| Some(least.min(step?)))
            }
            _ => None,
        },
        _ => None,
    }
}
