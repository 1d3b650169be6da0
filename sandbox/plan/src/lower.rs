//! From DataFusion's analysed expressions to the closed language of [`crate::scalar`], fail-closed: a variant that is
//! not named here is refused.
//!
//! Names are resolved by the plan node they stand on. Below the aggregation columns are numbered by their place in the
//! declaration ([`crate::analyse`] renumbers them at the end), above it by their place in the released table.

mod call;
mod time;

use datafusion_common::arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{BinaryExpr, Case, InList, Like};
use datafusion_expr::{Expr, Operator};
use model::FieldType;

use crate::eval;
use crate::refusal::{Planned, Refusal, Rule, Span};
use crate::scalar::{Arithmetic, CastTarget, Comparison, Function, Literal, MAX_PATTERN, Real, ScalarExpr};

/// What a column in sight stands for.
#[derive(Debug, Clone)]
pub(crate) enum Bound {
    /// A value of the row.
    Value(ScalarExpr),
    /// The unit key, which has no value here.
    UnitKey,
    /// The unit key of a side of a left join that a row need not have: nothing can be done with it.
    OtherKey,
}

/// Compiles the expressions that stand on one plan node.
pub(crate) struct Lowering<'a> {
    /// The names in sight.
    pub(crate) schema: &'a DFSchema,
    /// What they stand for, in the schema's order.
    pub(crate) columns: &'a [Bound],
    /// The types of the numbered columns.
    pub(crate) types: &'a [FieldType],
}

/// The place of a resolved column in the SQL.
pub(crate) fn column_span(column: &datafusion_common::Column) -> Option<Span> {
    column.spans.first().map(|span| Span {
        line: span.start.line,
        column: span.start.column,
        end_line: span.end.line,
        end_column: span.end.column,
    })
}

/// The place of the first column that stands in an expression.
pub(crate) fn place_of(expr: &Expr) -> Option<Span> {
    let mut place = None;
    let walked = expr.apply(|part| {
        if let Expr::Column(column) = part {
            place = column_span(column);
        }
        Ok(if place.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    walked.ok().and(place)
}

fn unsupported(what: &str) -> Refusal {
    Refusal::about(Rule::UnsupportedExpression, what)
}

impl Lowering<'_> {
    /// Whether an expression is the unit key and nothing else.
    pub(crate) fn is_unit_key(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Alias(alias) => self.is_unit_key(&alias.expr),
            Expr::Column(column) => {
                let at = self.schema.maybe_index_of_column(column);
                matches!(at.and_then(|at| self.columns.get(at)), Some(Bound::UnitKey))
            }
            _ => false,
        }
    }

    /// The condition under which a CASE is the unit key, if it is that or NULL: of `CASE WHEN condition THEN unit_key END`, and of
    /// any other with more branches, an operand, or the key behind ELSE.
    pub(crate) fn unit_key_where(&self, expr: &Expr) -> Option<Planned<ScalarExpr>> {
        let Expr::Case(case) = expr else {
            return None;
        };
        let nothing = |expr: &Expr| match expr {
            Expr::Literal(value, _) => value.is_null(),
            Expr::Cast(cast) => matches!(&*cast.expr, Expr::Literal(value, _) if value.is_null()),
            _ => false,
        };
        // Whether a branch is the key; `None` if it is anything else but NULL.
        let is_key = |branch: &Expr| match self.is_unit_key(branch) {
            false if !nothing(branch) => None,
            key => Some(key),
        };
        let branches = case.when_then_expr.iter().map(|(_, then)| is_key(then));
        let branches = branches.collect::<Option<Vec<bool>>>()?;
        let otherwise = case.else_expr.as_deref().map_or(Some(false), is_key)?;
        if let ([(condition, _)], [true], false, None) = (
            case.when_then_expr.as_slice(),
            branches.as_slice(),
            otherwise,
            &case.expr,
        ) {
            return Some(self.condition(condition));
        }
        if !otherwise && !branches.contains(&true) {
            return None;
        }
        let answer = |key: bool| Box::new(Expr::Literal(ScalarValue::Boolean(Some(key)), None));
        let whens = case.when_then_expr.iter().zip(branches);
        let asked = Case {
            expr: case.expr.clone(),
            when_then_expr: whens
                .map(|((when, _), key)| (when.clone(), answer(key)))
                .collect(),
            else_expr: Some(answer(otherwise)),
        };
        Some(self.condition(&Expr::Case(asked)))
    }

    pub(crate) fn field_type(&self, expr: &ScalarExpr) -> Planned<FieldType> {
        expr.field_type(self.types)
            .ok_or_else(|| unsupported("a column that does not exist"))
    }

    /// Compiles one row expression.
    pub(crate) fn expr(&self, expr: &Expr) -> Planned<ScalarExpr> {
        let lowered = self.raw(expr).map(|lowered| canonical(fold(lowered)));
        lowered.map_err(|refusal| refusal.with_span(place_of(expr)))
    }

    /// Compiles a condition.
    pub(crate) fn condition(&self, expr: &Expr) -> Planned<ScalarExpr> {
        let condition = self.expr(expr)?;
        self.typed(condition, FieldType::Boolean)
    }

    fn raw(&self, expr: &Expr) -> Planned<ScalarExpr> {
        match expr {
            Expr::Alias(alias) => self.expr(&alias.expr),
            Expr::Column(column) => self.column(column),
            Expr::Literal(value, _) => literal(value).map(ScalarExpr::Literal),
            Expr::BinaryExpr(binary) => self.binary(binary),
            Expr::Like(like) => self.like(like),
            Expr::Not(x) => Ok(ScalarExpr::Not(Box::new(self.condition(x)?))),
            Expr::IsNull(x) => Ok(is_null(self.expr(x)?)),
            Expr::IsNotNull(x) => Ok(not(is_null(self.expr(x)?))),
            Expr::IsUnknown(x) => Ok(is_null(self.condition(x)?)),
            Expr::IsNotUnknown(x) => Ok(not(is_null(self.condition(x)?))),
            Expr::IsTrue(x) => Ok(is_boolean(self.condition(x)?, true)),
            Expr::IsNotTrue(x) => Ok(not(is_boolean(self.condition(x)?, true))),
            Expr::IsFalse(x) => Ok(is_boolean(self.condition(x)?, false)),
            Expr::IsNotFalse(x) => Ok(not(is_boolean(self.condition(x)?, false))),
            Expr::Negative(x) => {
                let x = self.expr(x)?;
                self.number(&x)?;
                Ok(ScalarExpr::Call(Function::Negate, vec![x]))
            }
            Expr::Between(between) => {
                let (x, low, high) = (
                    self.expr(&between.expr)?,
                    self.expr(&between.low)?,
                    self.expr(&between.high)?,
                );
                let inside = ScalarExpr::And(vec![
                    self.compare(Comparison::LessEqual, low, x.clone())?,
                    self.compare(Comparison::LessEqual, x, high)?,
                ]);
                Ok(if between.negated {
                    not(canonical(inside))
                } else {
                    inside
                })
            }
            Expr::Case(case) => self.case(case),
            Expr::Cast(cast) => {
                let whole = self.cast(&cast.expr, cast.field.data_type())?;
                readable(whole)
            }
            Expr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type()),
            Expr::ScalarFunction(call) => self.call(call),
            Expr::InList(list) => self.in_list(list),
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_) => {
                Err(Refusal::new(Rule::Subquery))
            }
            Expr::OuterReferenceColumn(..) => Err(Refusal::new(Rule::Subquery)),
            Expr::WindowFunction(_) => Err(Refusal::new(Rule::Window)),
            Expr::AggregateFunction(_) => Err(Refusal::new(Rule::PostProcessing)),
            Expr::GroupingSet(_) => Err(Refusal::new(Rule::GroupingSets)),
            #[expect(deprecated, reason = "the variant still exists and must be refused")]
            Expr::Wildcard { .. } => Err(Refusal::new(Rule::Wildcard)),
            Expr::SimilarTo(_) => Err(unsupported("SIMILAR TO")),
            Expr::ScalarVariable(..) | Expr::Placeholder(_) => Err(unsupported("variables and parameters")),
            Expr::Unnest(_) => Err(unsupported("UNNEST")),
            Expr::HigherOrderFunction(_) | Expr::Lambda(_) | Expr::LambdaVariable(_) => {
                Err(unsupported("lambdas"))
            }
        }
    }

    fn column(&self, column: &datafusion_common::Column) -> Planned<ScalarExpr> {
        let at = self.schema.maybe_index_of_column(column);
        match at.and_then(|at| self.columns.get(at)) {
            Some(Bound::Value(expr)) => Ok(expr.clone()),
            Some(Bound::UnitKey | Bound::OtherKey) => {
                Err(Refusal::about(Rule::UnitKey, column.name.clone()).with_span(column_span(column)))
            }
            None => {
                Err(Refusal::about(Rule::UnknownColumn, column.name.clone()).with_span(column_span(column)))
            }
        }
    }

    /// Makes an expression of a type: NULL takes any, integers become numbers and dates timestamps.
    fn typed(&self, expr: ScalarExpr, wanted: FieldType) -> Planned<ScalarExpr> {
        let got = self.field_type(&expr)?;
        match (expr, got, wanted) {
            (ScalarExpr::Literal(Literal::Null(_)), _, _) => Ok(ScalarExpr::Literal(Literal::Null(wanted))),
            (expr, got, wanted) if got == wanted => Ok(expr),
            (expr, FieldType::Integer, FieldType::Number) => {
                Ok(fold(ScalarExpr::Cast(Box::new(expr), CastTarget::Number)))
            }
            (expr, FieldType::Date, FieldType::Timestamp) => {
                Ok(fold(ScalarExpr::Cast(Box::new(expr), CastTarget::Timestamp)))
            }
            (_, got, wanted) => {
                let text = format!("{} where {} is needed", got.as_str(), wanted.as_str());
                Err(Refusal::about(Rule::UnsupportedType, text))
            }
        }
    }

    /// Brings two or more expressions to one type.
    fn unified(&self, exprs: Vec<ScalarExpr>) -> Planned<Vec<ScalarExpr>> {
        let mut common = None;
        for expr in &exprs {
            if matches!(expr, ScalarExpr::Literal(Literal::Null(_))) {
                continue;
            }
            let got = self.field_type(expr)?;
            common = Some(match (common, got) {
                (None, got) => got,
                (Some(FieldType::Integer), FieldType::Number) => FieldType::Number,
                (Some(FieldType::Date), FieldType::Timestamp) => FieldType::Timestamp,
                (Some(before), _) => before,
            });
        }
        let common = match (common, exprs.first()) {
            (Some(common), _) => common,
            (None, Some(first)) => self.field_type(first)?,
            (None, None) => FieldType::Boolean,
        };
        exprs.into_iter().map(|expr| self.typed(expr, common)).collect()
    }

    fn pair(&self, left: ScalarExpr, right: ScalarExpr) -> Planned<(ScalarExpr, ScalarExpr)> {
        let mut both = self.unified(vec![left, right])?.into_iter();
        match (both.next(), both.next()) {
            (Some(left), Some(right)) => Ok((left, right)),
            _ => Err(unsupported("a comparison of nothing")),
        }
    }

    fn compare(&self, op: Comparison, left: ScalarExpr, right: ScalarExpr) -> Planned<ScalarExpr> {
        let (left, right) = self.pair(left, right)?;
        Ok(ScalarExpr::Compare(op, Box::new(left), Box::new(right)))
    }

    /// Both sides of an equality, of one type.
    pub(crate) fn equal_pair(&self, left: &Expr, right: &Expr) -> Planned<(ScalarExpr, ScalarExpr)> {
        self.pair(self.expr(left)?, self.expr(right)?)
    }

    fn number(&self, expr: &ScalarExpr) -> Planned<()> {
        match self.field_type(expr)? {
            FieldType::Integer | FieldType::Number => Ok(()),
            other => Err(Refusal::about(
                Rule::UnsupportedType,
                format!("arithmetic on {}", other.as_str()),
            )),
        }
    }

    /// A chain of binary operators can be long: the left spine is walked in a loop.
    fn binary(&self, binary: &BinaryExpr) -> Planned<ScalarExpr> {
        if matches!(binary.op, Operator::And | Operator::Or) {
            let (left, right) = (self.condition(&binary.left)?, self.condition(&binary.right)?);
            let both = vec![left, right];
            return Ok(match binary.op {
                Operator::And => ScalarExpr::And(both),
                _ => ScalarExpr::Or(both),
            });
        }
        if let Some(moved) = self.time_arithmetic(binary)? {
            return Ok(moved);
        }
        let (left, right) = (self.expr(&binary.left)?, self.expr(&binary.right)?);
        match binary.op {
            Operator::RegexMatch => self.matches(left, right, false),
            Operator::RegexIMatch => self.matches(left, right, true),
            Operator::RegexNotMatch => Ok(not(fold(self.matches(left, right, false)?))),
            Operator::RegexNotIMatch => Ok(not(fold(self.matches(left, right, true)?))),
            Operator::Eq => self.compare(Comparison::Equal, left, right),
            Operator::NotEq => self.compare(Comparison::NotEqual, left, right),
            Operator::Lt => self.compare(Comparison::Less, left, right),
            Operator::LtEq => self.compare(Comparison::LessEqual, left, right),
            Operator::Gt => self.compare(Comparison::Less, right, left),
            Operator::GtEq => self.compare(Comparison::LessEqual, right, left),
            Operator::IsDistinctFrom => self.compare(Comparison::Distinct, left, right),
            Operator::IsNotDistinctFrom => self.compare(Comparison::NotDistinct, left, right),
            Operator::Plus => self.arithmetic(Arithmetic::Add, left, right),
            Operator::Minus => match (self.field_type(&left)?, self.field_type(&right)?) {
                (FieldType::Date, FieldType::Date) => self.days_between(right, left),
                _ => self.arithmetic(Arithmetic::Subtract, left, right),
            },
            Operator::Multiply => self.arithmetic(Arithmetic::Multiply, left, right),
            Operator::Divide => self.arithmetic(Arithmetic::Divide, left, right),
            Operator::Modulo => self.arithmetic(Arithmetic::Remainder, left, right),
            Operator::StringConcat => {
                let left = self.typed(left, FieldType::Text)?;
                let right = self.typed(right, FieldType::Text)?;
                let missing = ScalarExpr::Or(vec![is_null(left.clone()), is_null(right.clone())]);
                Ok(ScalarExpr::Case {
                    when: vec![(
                        canonical(missing),
                        ScalarExpr::Literal(Literal::Null(FieldType::Text)),
                    )],
                    otherwise: Box::new(ScalarExpr::Call(Function::Concat, vec![left, right])),
                })
            }
            other => Err(unsupported(&format!("the operator {other}"))),
        }
    }

    fn arithmetic(&self, op: Arithmetic, left: ScalarExpr, right: ScalarExpr) -> Planned<ScalarExpr> {
        let (left, right) = self.pair(left, right)?;
        self.number(&left)?;
        Ok(ScalarExpr::Arithmetic(op, Box::new(left), Box::new(right)))
    }

    fn like(&self, like: &Like) -> Planned<ScalarExpr> {
        let expr = self.expr(&like.expr)?;
        let expr = self.typed(expr, FieldType::Text)?;
        let matched = match self.expr(&like.pattern)? {
            ScalarExpr::Literal(Literal::Null(_)) => ScalarExpr::Literal(Literal::Null(FieldType::Boolean)),
            ScalarExpr::Literal(Literal::Text(pattern)) if pattern.len() <= MAX_PATTERN => {
                let escape = like.escape_char.or(Some('\\'));
                ScalarExpr::Like {
                    expr: Box::new(expr),
                    pattern,
                    escape,
                    any_case: like.case_insensitive,
                }
            }
            _ => return Err(Refusal::about(Rule::Pattern, "the pattern of LIKE")),
        };
        Ok(if like.negated { not(fold(matched)) } else { matched })
    }

    fn case(&self, case: &Case) -> Planned<ScalarExpr> {
        let base = case.expr.as_deref().map(|base| self.expr(base)).transpose()?;
        let mut conditions = Vec::with_capacity(case.when_then_expr.len());
        let mut values = Vec::with_capacity(case.when_then_expr.len() + 1);
        for (when, then) in &case.when_then_expr {
            conditions.push(match &base {
                Some(base) => self.compare(Comparison::Equal, base.clone(), self.expr(when)?)?,
                None => self.condition(when)?,
            });
            values.push(self.expr(then)?);
        }
        values.push(match case.else_expr.as_deref() {
            Some(otherwise) => self.expr(otherwise)?,
            None => ScalarExpr::Literal(Literal::Null(FieldType::Boolean)),
        });
        let mut values = self.unified(values)?;
        let Some(otherwise) = values.pop() else {
            return Err(unsupported("an empty CASE"));
        };
        let when = conditions.into_iter().map(canonical).zip(values).collect();
        Ok(ScalarExpr::Case {
            when,
            otherwise: Box::new(otherwise),
        })
    }

    fn cast(&self, expr: &Expr, to: &DataType) -> Planned<ScalarExpr> {
        let target = cast_target(to)?;
        let expr = self.expr(expr)?;
        let from = self.field_type(&expr)?;
        if let ScalarExpr::Literal(Literal::Null(_)) = expr {
            return Ok(ScalarExpr::Literal(Literal::Null(target.field_type())));
        }
        let everything = CastTarget::Integer {
            lo: i64::MIN,
            hi: i64::MAX,
        };
        let same = match target {
            CastTarget::Single => false,
            CastTarget::Integer { .. } => from == FieldType::Integer && target == everything,
            other => from == other.field_type(),
        };
        if same {
            return Ok(expr);
        }
        let possible = match (from, target.field_type()) {
            (FieldType::Text, _) | (_, FieldType::Text) => true,
            (a, b) if a == b => true,
            (FieldType::Integer, FieldType::Number | FieldType::Boolean) => true,
            (FieldType::Number | FieldType::Boolean, FieldType::Integer) => true,
            (FieldType::Date, FieldType::Timestamp) | (FieldType::Timestamp, FieldType::Date) => true,
            _ => false,
        };
        if !possible {
            let text = format!("a cast from {} to {to}", from.as_str());
            return Err(Refusal::about(Rule::UnsupportedType, text));
        }
        Ok(ScalarExpr::Cast(Box::new(expr), target))
    }

    fn in_list(&self, list: &InList) -> Planned<ScalarExpr> {
        let mut all = vec![self.expr(&list.expr)?];
        for item in &list.list {
            all.push(self.expr(item)?);
        }
        let mut all = self.unified(all)?.into_iter();
        let Some(expr) = all.next() else {
            return Err(unsupported("an empty IN"));
        };
        let (mut constants, mut others, mut has_null) = (vec![], vec![], false);
        for item in all {
            match item {
                ScalarExpr::Literal(Literal::Null(_)) => has_null = true,
                ScalarExpr::Literal(constant) => constants.push(constant),
                other => {
                    let (expr, other) = (Box::new(expr.clone()), Box::new(other));
                    others.push(canonical(ScalarExpr::Compare(Comparison::Equal, expr, other)));
                }
            }
        }
        constants.sort_by_cached_key(canonical_key);
        constants.dedup();
        let mut found = match (constants.pop(), constants.is_empty(), has_null) {
            // One of one is that one.
            (Some(only), true, false) => {
                let only = Box::new(ScalarExpr::Literal(only));
                canonical(ScalarExpr::Compare(Comparison::Equal, Box::new(expr), only))
            }
            (last, ..) => {
                constants.extend(last);
                ScalarExpr::InList {
                    expr: Box::new(expr),
                    list: constants,
                    has_null,
                }
            }
        };
        if !others.is_empty() {
            others.push(found);
            found = canonical(ScalarExpr::Or(others));
        }
        Ok(if list.negated { not(found) } else { found })
    }
}

/// A cast, unless it is of a constant text that is no date or time: '2026-2-1' is meant to be one, and would be NULL without a word.
fn readable(cast: ScalarExpr) -> Planned<ScalarExpr> {
    if let ScalarExpr::Cast(inner, target) = &cast
        && let ScalarExpr::Literal(Literal::Text(text)) = &**inner
        && matches!(eval::constant(&cast), Some(Literal::Null(_)))
    {
        let short: String = text.chars().take(40).collect();
        let form = match target {
            CastTarget::Date => "write it as 2026-01-31",
            CastTarget::Timestamp => {
                "write it as 2026-01-31T08:30:00, on the dataset's clock and without an offset"
            }
            _ => return Ok(cast),
        };
        let what = format!("'{short}' is no {}: {form}", target.field_type().as_str());
        return Err(Refusal::about(Rule::InvalidQuery, what));
    }
    Ok(cast)
}

fn cast_target(to: &DataType) -> Planned<CastTarget> {
    let range = |lo: i64, hi: i64| Ok(CastTarget::Integer { lo, hi });
    match to {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(CastTarget::Text),
        DataType::Int8 => range(i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => range(i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => range(i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => range(i64::MIN, i64::MAX),
        DataType::UInt8 => range(0, u8::MAX.into()),
        DataType::UInt16 => range(0, u16::MAX.into()),
        DataType::UInt32 => range(0, u32::MAX.into()),
        DataType::UInt64 => range(0, i64::MAX),
        DataType::Float64 => Ok(CastTarget::Number),
        DataType::Float32 => Ok(CastTarget::Single),
        DataType::Boolean => Ok(CastTarget::Boolean),
        DataType::Date32 => Ok(CastTarget::Date),
        DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, None) => Ok(CastTarget::Timestamp),
        other => Err(Refusal::about(Rule::UnsupportedType, other.to_string())),
    }
}

fn literal(value: &ScalarValue) -> Planned<Literal> {
    let integer = |x: Option<i64>| x.map_or(Literal::Null(FieldType::Integer), Literal::Integer);
    let number = |x: Option<f64>| {
        x.and_then(Real::new)
            .map_or(Literal::Null(FieldType::Number), Literal::Number)
    };
    let moment = |x: Option<i64>| x.map_or(Literal::Null(FieldType::Timestamp), Literal::Timestamp);
    Ok(match value {
        ScalarValue::Null => Literal::Null(FieldType::Boolean),
        ScalarValue::Boolean(x) => x.map_or(Literal::Null(FieldType::Boolean), Literal::Boolean),
        ScalarValue::Int8(x) => integer(x.map(i64::from)),
        ScalarValue::Int16(x) => integer(x.map(i64::from)),
        ScalarValue::Int32(x) => integer(x.map(i64::from)),
        ScalarValue::Int64(x) => integer(*x),
        ScalarValue::UInt8(x) => integer(x.map(i64::from)),
        ScalarValue::UInt16(x) => integer(x.map(i64::from)),
        ScalarValue::UInt32(x) => integer(x.map(i64::from)),
        ScalarValue::UInt64(x) => integer(x.and_then(|x| i64::try_from(x).ok())),
        ScalarValue::Float32(x) => number(x.map(f64::from)),
        ScalarValue::Float64(x) => number(*x),
        ScalarValue::Utf8(x) | ScalarValue::LargeUtf8(x) | ScalarValue::Utf8View(x) => {
            x.clone().map_or(Literal::Null(FieldType::Text), Literal::Text)
        }
        ScalarValue::Date32(x) => x.map_or(Literal::Null(FieldType::Date), Literal::Date),
        ScalarValue::TimestampMicrosecond(x, None) => moment(*x),
        ScalarValue::TimestampNanosecond(x, None) => moment(x.map(|nanos| nanos.div_euclid(1_000))),
        other => {
            return Err(Refusal::about(
                Rule::UnsupportedType,
                other.data_type().to_string(),
            ));
        }
    })
}

fn not(expr: ScalarExpr) -> ScalarExpr {
    ScalarExpr::Not(Box::new(expr))
}

fn is_null(expr: ScalarExpr) -> ScalarExpr {
    ScalarExpr::IsNull(Box::new(expr))
}

fn is_boolean(expr: ScalarExpr, value: bool) -> ScalarExpr {
    let value = ScalarExpr::Literal(Literal::Boolean(value));
    ScalarExpr::Compare(Comparison::NotDistinct, Box::new(expr), Box::new(value))
}

/// Computes what depends on no column.
fn fold(expr: ScalarExpr) -> ScalarExpr {
    let constant = !matches!(expr, ScalarExpr::Literal(_) | ScalarExpr::Column(_)) && !reads_columns(&expr);
    match constant.then(|| eval::constant(&expr)).flatten() {
        Some(value) => ScalarExpr::Literal(value),
        None => expr,
    }
}

fn reads_columns(expr: &ScalarExpr) -> bool {
    matches!(expr, ScalarExpr::Column(_)) || expr.children().into_iter().any(reads_columns)
}

/// A text by which equal things are equal and unequal ones ordered.
pub(crate) fn canonical_key<T: serde::Serialize>(thing: &T) -> String {
    serde_json::to_string(thing).unwrap_or_default()
}

/// One form for expressions that differ in the order of symmetric operands only.
pub(crate) fn canonical(expr: ScalarExpr) -> ScalarExpr {
    let flatten = |list: Vec<ScalarExpr>, and: bool| {
        let mut flat = Vec::with_capacity(list.len());
        for item in list {
            match item {
                ScalarExpr::And(inner) if and => flat.extend(inner),
                ScalarExpr::Or(inner) if !and => flat.extend(inner),
                other => flat.push(other),
            }
        }
        flat.sort_by_cached_key(canonical_key);
        flat.dedup();
        // What is true of every row says nothing beside other conditions, and nor does what is true of none beside alternatives.
        let idle = ScalarExpr::Literal(Literal::Boolean(and));
        if flat.len() > 1 {
            flat.retain(|item| *item != idle);
        }
        flat
    };
    match expr {
        ScalarExpr::And(list) => match flatten(list, true) {
            mut one if one.len() == 1 => one.remove(0),
            list => ScalarExpr::And(list),
        },
        ScalarExpr::Or(list) => match flatten(list, false) {
            mut one if one.len() == 1 => one.remove(0),
            list => ScalarExpr::Or(list),
        },
        ScalarExpr::Not(inner) => match *inner {
            ScalarExpr::Not(twice) => *twice,
            other => ScalarExpr::Not(Box::new(other)),
        },
        ScalarExpr::Compare(
            op @ (Comparison::Equal | Comparison::NotEqual | Comparison::Distinct | Comparison::NotDistinct),
            left,
            right,
        ) if canonical_key(&left) > canonical_key(&right) => ScalarExpr::Compare(op, right, left),
        ScalarExpr::Arithmetic(op @ (Arithmetic::Add | Arithmetic::Multiply), left, right)
            if canonical_key(&left) > canonical_key(&right) =>
        {
            ScalarExpr::Arithmetic(op, right, left)
        }
        other => other,
    }
}
