//! Evaluates row expressions over Arrow arrays, whole batches at a time. Total: whatever the values, the result is a
//! value or NULL; the only error is an expression whose types do not fit, which the planner never makes.

mod cast;
mod choice;
mod moment;
mod number;
mod pattern;
mod rewrite;
mod text;
mod time;
mod vector;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, new_null_array};
use arrow::compute::kernels::cmp;
use arrow::compute::{concat, is_null, or_kleene, take};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use model::FieldType;

pub(crate) use moment::time_pattern;
pub(crate) use number::factorial;
pub(crate) use pattern::compiles;
#[cfg(test)]
pub(crate) use text::is_chinese;
pub(crate) use vector::{Slots, Vector, days, integers, keys, missing_rows, numbers, texts};

use crate::scalar::{Comparison, Literal, Real, ScalarExpr, Subject};
use vector::{booleans, plain, scalar};

/// The expression does not fit its columns: a bug of ours, never a matter of the values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an expression does not fit its columns")]
pub struct EvalError;

impl From<ArrowError> for EvalError {
    fn from(_: ArrowError) -> Self {
        Self
    }
}

pub(crate) type Evaluated<T> = Result<T, EvalError>;

/// The value of an expression without columns.
pub(crate) fn constant(expr: &ScalarExpr) -> Option<Literal> {
    let vector = evaluate(expr, &[], 1).ok()?;
    let field_type = expr.field_type(&[])?;
    let null = || Literal::Null(field_type);
    let literal = match field_type {
        FieldType::Text => texts(&vector).ok()?.get(0).map(|t| Literal::Text(t.to_owned())),
        FieldType::Integer => integers(&vector).ok()?.get(0).map(Literal::Integer),
        FieldType::Timestamp => integers(&vector).ok()?.get(0).map(Literal::Timestamp),
        FieldType::Number => numbers(&vector)
            .ok()?
            .get(0)
            .and_then(Real::new)
            .map(Literal::Number),
        FieldType::Date => days(&vector).ok()?.get(0).map(Literal::Date),
        FieldType::Boolean => {
            let array = booleans(&vector).ok()?;
            array.is_valid(0).then(|| Literal::Boolean(array.value(0)))
        }
    };
    Some(literal.unwrap_or_else(null))
}

/// Evaluates an expression over a batch.
pub(crate) fn evaluate(expr: &ScalarExpr, columns: &[ArrayRef], rows: usize) -> Evaluated<Vector> {
    match expr {
        ScalarExpr::Column(column) => {
            let array = columns.get(*column).ok_or(EvalError)?;
            return Ok(Vector {
                array: Arc::clone(array),
                scalar: false,
            });
        }
        ScalarExpr::Literal(literal) => return Ok(scalar(literal)),
        _ => {}
    }
    if let Some(lifted) = over_dictionary(expr, columns, rows)? {
        return Ok(lifted);
    }
    match expr {
        ScalarExpr::Column(_) | ScalarExpr::Literal(_) => Err(EvalError),
        ScalarExpr::Not(x) => {
            let x = evaluate(x, columns, rows)?;
            Ok(Vector::new(arrow::compute::not(booleans(&x)?)?, x.scalar))
        }
        ScalarExpr::And(list) => kleene(list, columns, rows, arrow::compute::and_kleene),
        ScalarExpr::Or(list) => kleene(list, columns, rows, or_kleene),
        ScalarExpr::IsNull(x) => {
            let x = evaluate(x, columns, rows)?;
            Ok(Vector::new(is_null(&plain(&x.array)?)?, x.scalar))
        }
        ScalarExpr::Compare(op, left, right) => {
            let (left, right) = (evaluate(left, columns, rows)?, evaluate(right, columns, rows)?);
            Ok(Vector::new(
                compare(*op, &left, &right)?,
                left.scalar && right.scalar,
            ))
        }
        ScalarExpr::InList { expr, list, has_null } => {
            let x = evaluate(expr, columns, rows)?;
            choice::in_list(&x, list, *has_null)
        }
        ScalarExpr::Like {
            expr,
            pattern,
            escape,
            any_case,
        } => {
            let x = evaluate(expr, columns, rows)?;
            pattern::like(&x, pattern, *escape, *any_case)
        }
        ScalarExpr::Arithmetic(op, left, right) => {
            let (left, right) = (evaluate(left, columns, rows)?, evaluate(right, columns, rows)?);
            number::arithmetic(*op, &left, &right, rows)
        }
        ScalarExpr::Case { when, otherwise } => {
            let mut result = evaluate(otherwise, columns, rows)?;
            result.array = plain(&result.array)?;
            for (condition, value) in when.iter().rev() {
                let condition = evaluate(condition, columns, rows)?;
                let mut value = evaluate(value, columns, rows)?;
                value.array = plain(&value.array)?;
                result = choice::choose(condition, value, result, rows)?;
            }
            Ok(result)
        }
        ScalarExpr::Cast(x, target) => {
            let x = evaluate(x, columns, rows)?;
            cast::cast(&x, *target)
        }
        ScalarExpr::Call(function, args) => {
            let args = args
                .iter()
                .map(|arg| evaluate(arg, columns, rows))
                .collect::<Evaluated<Vec<_>>>()?;
            match function.subject() {
                Subject::Number => number::call(*function, &args, rows),
                Subject::Text => text::call(*function, &args, rows),
                Subject::Pattern => pattern::call(*function, &args, rows),
                Subject::Time => time::call(*function, &args, rows),
                Subject::Choice => choice::call(*function, &args, rows),
            }
        }
    }
}

/// Evaluates an expression over one dictionary column once per distinct value.
fn over_dictionary(expr: &ScalarExpr, columns: &[ArrayRef], rows: usize) -> Evaluated<Option<Vector>> {
    let mut used = BTreeSet::new();
    expr.collect_columns(&mut used);
    let Some(column) = used.first().copied().filter(|_| used.len() == 1) else {
        return Ok(None);
    };
    let array = columns.get(column).ok_or(EvalError)?;
    let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() else {
        return Ok(None);
    };
    let values = dictionary.values();
    if values.len() >= rows {
        return Ok(None);
    }
    // One more entry stands for NULL.
    let null = new_null_array(values.data_type(), 1);
    let distinct = concat(&[values, &null])?;
    let mut small = vec![new_null_array(&DataType::Null, 0); columns.len()];
    small[column] = distinct;
    let result = evaluate(expr, &small, values.len() + 1)?.into_array(values.len() + 1)?;
    let null_at = u32::try_from(values.len()).map_err(|_| EvalError)?;
    let keys = dictionary.keys();
    let at: Vec<u32> = match keys.nulls() {
        None => keys.values().iter().map(|key| key.cast_unsigned()).collect(),
        Some(nulls) => {
            let pairs = keys.values().iter().zip(nulls.iter());
            pairs
                .map(|(key, valid)| if valid { key.cast_unsigned() } else { null_at })
                .collect()
        }
    };
    Ok(Some(Vector {
        array: take(&result, &UInt32Array::from(at), None)?,
        scalar: false,
    }))
}

type Kleene = fn(&BooleanArray, &BooleanArray) -> Result<BooleanArray, ArrowError>;

fn kleene(list: &[ScalarExpr], columns: &[ArrayRef], rows: usize, op: Kleene) -> Evaluated<Vector> {
    let mut all = list.iter().map(|item| evaluate(item, columns, rows));
    let mut result = all.next().ok_or(EvalError)??;
    for item in all {
        let item = item?;
        result = if result.scalar && item.scalar {
            Vector::new(op(booleans(&result)?, booleans(&item)?)?, true)
        } else {
            let (left, right) = (result.into_array(rows)?, item.into_array(rows)?);
            let side = |array: &ArrayRef| array.as_boolean_opt().cloned().ok_or(EvalError);
            Vector::new(op(&side(&left)?, &side(&right)?)?, false)
        };
    }
    booleans(&result)?;
    Ok(result)
}

fn compare(op: Comparison, left: &Vector, right: &Vector) -> Evaluated<BooleanArray> {
    Ok(match op {
        Comparison::Equal => cmp::eq(left, right)?,
        Comparison::NotEqual => cmp::neq(left, right)?,
        Comparison::Less => cmp::lt(left, right)?,
        Comparison::LessEqual => cmp::lt_eq(left, right)?,
        Comparison::Distinct => cmp::distinct(left, right)?,
        Comparison::NotDistinct => cmp::not_distinct(left, right)?,
    })
}

/// A condition with NULL as false.
pub(crate) fn truth(condition: &BooleanArray) -> BooleanArray {
    match condition.nulls() {
        None => condition.clone(),
        Some(nulls) => BooleanArray::new(condition.values() & nulls.inner(), None),
    }
}
