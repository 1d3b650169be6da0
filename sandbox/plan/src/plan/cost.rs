//! What a function costs in the worst case that the deadline counts with, in nanoseconds of one core a row. Texts are
//! taken to be short where they are many (about 50 bytes); functions whose work grows faster have caps of their own.

use model::FieldType;

use crate::plan::ScanColumn;
use crate::public::PublicTable;
use crate::scalar::{Function, MAX_TEXT, ScalarExpr, Subject};
use crate::source::{ScanTable, Source, UnitFunction};

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
pub(crate) fn expr(of: &ScalarExpr, types: &[FieldType]) -> u64 {
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
        ScalarExpr::Cast(inner, target) => {
            let text = |kind: Option<FieldType>| kind == Some(FieldType::Text);
            if text(Some(target.field_type())) || text(inner.field_type(types)) {
                TEXT_NANOS
            } else {
                8
            }
        }
        ScalarExpr::Call(function, args) => call(*function, args),
    };
    of.children()
        .into_iter()
        .map(|child| expr(child, types))
        .fold(own, u64::saturating_add)
}

/// Bytes of text that an expression makes for a row at most, those of its parts included.
pub(crate) fn text_bytes(of: &ScalarExpr, types: &[FieldType]) -> u64 {
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

/// Reading the unit column and walking the rows.
const ROW_NANOS: u64 = 20;

/// Looking a row up, beside making its pairs.
const LOOK_UP_NANOS: u64 = 50;

/// Copying one column of one row.
const COPY_NANOS: u64 = 8;

/// Finding a row's group within its unit, and one function of it.
const GROUP_NANOS: u64 = 60;
const FUNCTION_NANOS: u64 = 40;

/// Reading one value.
fn column(column: &ScanColumn) -> u64 {
    match column.field_type {
        FieldType::Text if column.domain.is_some() => 12,
        FieldType::Text => 80,
        FieldType::Timestamp => 14,
        FieldType::Integer | FieldType::Number | FieldType::Boolean | FieldType::Date => 10,
    }
}

/// Making the rows of a source, in the worst case that the declarations allow.
pub(super) fn source(of: &Source, tables: &[ScanTable], public: &[PublicTable]) -> u64 {
    let rows = |source: &Source| {
        let shape = source.shape(tables, public);
        shape.map_or(u64::MAX, |shape| {
            let by_units = shape
                .unit
                .max_units
                .saturating_mul(shape.unit.max_rows_per_unit.into());
            shape.unit.max_rows.min(by_units)
        })
    };
    let width = |source: &Source| source.width(tables, public).unwrap_or(0) as u64;
    let below = of
        .inputs()
        .into_iter()
        .map(|input| source(input, tables, public))
        .fold(0, u64::saturating_add);
    // What is computed once for every row of the first input, and once for every row that is made.
    let (once, made) = match of {
        Source::Scan(table) => {
            let columns = tables
                .get(*table)
                .map_or(0, |table| table.columns.iter().map(column).sum());
            return rows(of).saturating_mul(ROW_NANOS + columns);
        }
        Source::Filter { .. } => (ROW_NANOS, width(of) * COPY_NANOS),
        Source::PublicJoin { .. } => (LOOK_UP_NANOS, width(of) * COPY_NANOS),
        Source::UnitJoin { .. } => (LOOK_UP_NANOS, width(of) * COPY_NANOS),
        Source::UnitAggregate { functions, .. } => {
            let distinct = functions.iter().filter(|function| {
                matches!(
                    function,
                    UnitFunction::CountDistinct(_) | UnitFunction::Min(_) | UnitFunction::Max(_)
                )
            });
            let functions = functions.len() as u64 + 4 * distinct.count() as u64;
            (GROUP_NANOS + functions * FUNCTION_NANOS, width(of) * COPY_NANOS)
        }
    };
    let inputs = of.inputs();
    let types: Vec<FieldType> = inputs
        .iter()
        .flat_map(|input| input.types(tables, public).unwrap_or_default())
        .collect();
    // Conditions of joins are computed for every pair.
    let exprs: u64 = of.own_exprs().into_iter().map(|of| expr(of, &types)).sum();
    let (of_input, of_pair) = match of {
        Source::PublicJoin { .. } | Source::UnitJoin { .. } => (0, exprs),
        _ => (exprs, 0),
    };
    let entering = inputs
        .iter()
        .map(|input| rows(input))
        .fold(0, u64::saturating_add);
    below
        .saturating_add(entering.saturating_mul(once + of_input))
        .saturating_add(pairs(of, &rows).saturating_mul(made + of_pair))
}

/// How many pairs a join looks at, or rows another source makes.
fn pairs(of: &Source, rows: &impl Fn(&Source) -> u64) -> u64 {
    match of {
        Source::PublicJoin { input, matches, .. } => rows(input).saturating_mul(u64::from(*matches).max(1)),
        other => rows(other),
    }
}

/// What the expressions of a source cost once a thread.
pub(super) fn source_setup(of: &Source) -> u64 {
    let own = of.own_exprs().into_iter().map(setup).fold(0, u64::saturating_add);
    of.inputs()
        .into_iter()
        .map(source_setup)
        .fold(own, u64::saturating_add)
}
