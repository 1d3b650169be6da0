//! Evaluates row expressions over Arrow arrays, whole batches at a time. Total: whatever the values, the result is a
//! value or NULL; the only error is an expression whose types do not fit, which the planner never makes.

mod number;
mod text;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Datum, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::{cmp, zip::zip};
use arrow::compute::{concat, is_not_null, is_null, nullif, or_kleene, take};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use model::FieldType;

use crate::context::planner_type;
use crate::scalar::{Comparison, Function, Literal, Real, ScalarExpr};

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

/// A column of values, or one value for all rows.
#[derive(Debug, Clone)]
pub(crate) struct Vector {
    pub(crate) array: ArrayRef,
    pub(crate) scalar: bool,
}

impl Datum for Vector {
    fn get(&self) -> (&dyn Array, bool) {
        (&self.array, self.scalar)
    }
}

impl Vector {
    fn new(array: impl Array + 'static, scalar: bool) -> Self {
        Self {
            array: Arc::new(array),
            scalar,
        }
    }

    /// As many values as there are rows, dictionaries unpacked.
    pub(crate) fn into_array(self, rows: usize) -> Evaluated<ArrayRef> {
        let array = plain(&self.array)?;
        if self.scalar {
            let zeros = UInt32Array::from(vec![0u32; rows]);
            Ok(take(&array, &zeros, None)?)
        } else {
            Ok(array)
        }
    }
}

/// Unpacks a dictionary.
fn plain(array: &ArrayRef) -> Evaluated<ArrayRef> {
    match array.as_any_dictionary_opt() {
        Some(dictionary) => Ok(take(dictionary.values(), dictionary.keys(), None)?),
        None => Ok(Arc::clone(array)),
    }
}

/// Primitive values with their NULLs; a scalar repeats.
pub(crate) struct Slots<'a, T> {
    values: &'a [T],
    nulls: Option<&'a NullBuffer>,
    step: usize,
}

impl<T: Copy> Slots<'_, T> {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<T> {
        let at = row * self.step;
        match self.nulls {
            Some(nulls) if nulls.is_null(at) => None,
            _ => Some(self.values[at]),
        }
    }
}

pub(crate) fn integers(vector: &Vector) -> Evaluated<Slots<'_, i64>> {
    let array: &dyn Array = &vector.array;
    let values: &[i64] = match array.data_type() {
        DataType::Int64 => array.as_primitive::<arrow::datatypes::Int64Type>().values(),
        DataType::Timestamp(..) => array
            .as_primitive_opt::<arrow::datatypes::TimestampMicrosecondType>()
            .ok_or(EvalError)?
            .values(),
        _ => return Err(EvalError),
    };
    Ok(Slots {
        values,
        nulls: array.nulls(),
        step: usize::from(!vector.scalar),
    })
}

pub(crate) fn numbers(vector: &Vector) -> Evaluated<Slots<'_, f64>> {
    let array = vector
        .array
        .as_any()
        .downcast_ref::<Float64Array>()
        .ok_or(EvalError)?;
    Ok(Slots {
        values: array.values(),
        nulls: array.nulls(),
        step: usize::from(!vector.scalar),
    })
}

fn days(vector: &Vector) -> Evaluated<Slots<'_, i32>> {
    let array = vector
        .array
        .as_any()
        .downcast_ref::<Date32Array>()
        .ok_or(EvalError)?;
    Ok(Slots {
        values: array.values(),
        nulls: array.nulls(),
        step: usize::from(!vector.scalar),
    })
}

fn booleans(vector: &Vector) -> Evaluated<&BooleanArray> {
    vector
        .array
        .as_any()
        .downcast_ref::<BooleanArray>()
        .ok_or(EvalError)
}

/// Texts with their NULLs; a scalar repeats.
pub(crate) struct Texts<'a> {
    values: &'a StringArray,
    keys: Option<&'a arrow::array::PrimitiveArray<Int32Type>>,
    step: usize,
}

impl<'a> Texts<'a> {
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        let mut at = row * self.step;
        if let Some(keys) = self.keys {
            if keys.is_null(at) {
                return None;
            }
            at = usize::try_from(keys.value(at)).ok()?;
        }
        self.values.is_valid(at).then(|| self.values.value(at))
    }
}

pub(crate) fn texts(vector: &Vector) -> Evaluated<Texts<'_>> {
    let step = usize::from(!vector.scalar);
    let array: &dyn Array = &vector.array;
    if let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() {
        let values = dictionary.values().as_any().downcast_ref().ok_or(EvalError)?;
        return Ok(Texts {
            values,
            keys: Some(dictionary.keys()),
            step,
        });
    }
    let values = array.as_any().downcast_ref().ok_or(EvalError)?;
    Ok(Texts {
        values,
        keys: None,
        step,
    })
}

/// One value for all rows.
pub(crate) fn scalar(literal: &Literal) -> Vector {
    let array: ArrayRef = match literal {
        Literal::Null(field_type) => new_null_array(&planner_type(*field_type), 1),
        Literal::Text(text) => Arc::new(StringArray::from(vec![text.as_str()])),
        Literal::Integer(x) => Arc::new(Int64Array::from(vec![*x])),
        Literal::Number(x) => Arc::new(Float64Array::from(vec![x.get()])),
        Literal::Boolean(x) => Arc::new(BooleanArray::from(vec![*x])),
        Literal::Date(x) => Arc::new(Date32Array::from(vec![*x])),
        Literal::Timestamp(x) => Arc::new(TimestampMicrosecondArray::from(vec![*x])),
    };
    Vector { array, scalar: true }
}

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
            in_list(&x, list, *has_null)
        }
        ScalarExpr::Like {
            expr,
            pattern,
            escape,
            any_case,
        } => {
            let x = evaluate(expr, columns, rows)?;
            text::like(&x, pattern, *escape, *any_case)
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
                result = choose(condition, value, result, rows)?;
            }
            Ok(result)
        }
        ScalarExpr::Cast(x, target) => {
            let x = evaluate(x, columns, rows)?;
            text::cast(&x, *target)
        }
        ScalarExpr::Call(function, args) => {
            let args = args
                .iter()
                .map(|arg| evaluate(arg, columns, rows))
                .collect::<Evaluated<Vec<_>>>()?;
            call(*function, &args, rows)
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

/// `value` where the condition is true, else `otherwise`.
fn choose(condition: Vector, value: Vector, otherwise: Vector, rows: usize) -> Evaluated<Vector> {
    if value.array.data_type() != otherwise.array.data_type() {
        return Err(EvalError);
    }
    if condition.scalar {
        let mask = booleans(&condition)?;
        return Ok(if mask.is_valid(0) && mask.value(0) {
            value
        } else {
            otherwise
        });
    }
    let mask = truth(booleans(&condition)?);
    let (value, otherwise) = (value.into_array(rows)?, otherwise.into_array(rows)?);
    Ok(Vector {
        array: zip(&mask, &value, &otherwise)?,
        scalar: false,
    })
}

fn in_list(x: &Vector, list: &[Literal], has_null: bool) -> Evaluated<Vector> {
    let rows = x.array.len();
    let found: Vec<Option<bool>> = match x.array.data_type() {
        DataType::Utf8 | DataType::Dictionary(..) => {
            let set: HashSet<&str> = list
                .iter()
                .filter_map(|l| {
                    if let Literal::Text(t) = l {
                        Some(t.as_str())
                    } else {
                        None
                    }
                })
                .collect();
            let values = texts(x)?;
            (0..rows)
                .map(|row| values.get(row).map(|t| set.contains(t)))
                .collect()
        }
        DataType::Float64 => {
            let mut set: Vec<u64> = list
                .iter()
                .filter_map(|l| {
                    if let Literal::Number(n) = l {
                        Some((*n).into())
                    } else {
                        None
                    }
                })
                .collect();
            set.sort_unstable();
            let values = numbers(x)?;
            let holds = |n| Real::new(n).map(|n| set.binary_search(&n.into()).is_ok());
            (0..rows).map(|row| values.get(row).and_then(holds)).collect()
        }
        DataType::Boolean => {
            let values = booleans(x)?;
            let holds = |b| list.contains(&Literal::Boolean(b));
            (0..rows)
                .map(|row| values.is_valid(row).then(|| holds(values.value(row))))
                .collect()
        }
        DataType::Date32 => {
            let set: HashSet<i32> = list
                .iter()
                .filter_map(|l| if let Literal::Date(d) = l { Some(*d) } else { None })
                .collect();
            let values = days(x)?;
            (0..rows)
                .map(|row| values.get(row).map(|d| set.contains(&d)))
                .collect()
        }
        _ => {
            let number = |l: &Literal| match l {
                Literal::Integer(i) | Literal::Timestamp(i) => Some(*i),
                _ => None,
            };
            let mut set: Vec<i64> = list.iter().filter_map(number).collect();
            set.sort_unstable();
            let values = integers(x)?;
            (0..rows)
                .map(|row| values.get(row).map(|i| set.binary_search(&i).is_ok()))
                .collect()
        }
    };
    let array: BooleanArray = found
        .into_iter()
        .map(|f| if has_null { f.filter(|found| *found) } else { f })
        .collect();
    Ok(Vector::new(array, x.scalar))
}

fn call(function: Function, args: &[Vector], rows: usize) -> Evaluated<Vector> {
    match function {
        Function::Coalesce | Function::Least | Function::Greatest => {
            let mut all = args.iter();
            let mut result = all.next().cloned().ok_or(EvalError)?;
            result.array = plain(&result.array)?;
            for next in all {
                let next = Vector {
                    array: plain(&next.array)?,
                    scalar: next.scalar,
                };
                let better = match function {
                    Function::Least => Some(compare(Comparison::Less, &next, &result)?),
                    Function::Greatest => Some(compare(Comparison::Less, &result, &next)?),
                    _ => None,
                };
                // The next one wins where there is none yet, or where it is there and better.
                let missing = Vector::new(is_null(&result.array)?, result.scalar);
                let wins = match better {
                    None => missing,
                    Some(better) => {
                        let better = Vector::new(truth(&better), next.scalar && result.scalar);
                        let both = |v: Vector| v.into_array(rows);
                        let (missing, better) = (both(missing)?, both(better)?);
                        Vector::new(or_kleene(missing.as_boolean(), better.as_boolean())?, false)
                    }
                };
                let there = Vector::new(is_not_null(&next.array)?, next.scalar);
                let wins = {
                    let (wins, there) = (wins.into_array(rows)?, there.into_array(rows)?);
                    arrow::compute::and(wins.as_boolean(), there.as_boolean())?
                };
                let scalar = next.scalar && result.scalar;
                result = choose(Vector::new(wins, false), next, result, rows)?;
                if scalar {
                    result = Vector {
                        array: result.array.slice(0, rows.min(1)),
                        scalar: true,
                    };
                    if rows == 0 {
                        return Ok(Vector {
                            array: new_null_array(result.array.data_type(), 1),
                            scalar: true,
                        });
                    }
                }
            }
            Ok(result)
        }
        Function::NullIf => {
            let [first, second] = args else {
                return Err(EvalError);
            };
            let equal = compare(Comparison::Equal, first, second)?;
            if first.scalar && !second.scalar {
                let first = first.clone().into_array(rows)?;
                return Ok(Vector {
                    array: nullif(&first, &equal)?,
                    scalar: false,
                });
            }
            let first = Vector {
                array: plain(&first.array)?,
                scalar: first.scalar,
            };
            Ok(Vector {
                array: nullif(&first.array, &equal)?,
                scalar: first.scalar,
            })
        }
        Function::Abs
        | Function::Sign
        | Function::Negate
        | Function::Round
        | Function::Floor
        | Function::Ceil
        | Function::Trunc
        | Function::Sqrt
        | Function::Ln
        | Function::Log10
        | Function::Exp
        | Function::Power
        | Function::DatePart(_)
        | Function::DateTruncate(_) => number::call(function, args, rows),
        _ => text::call(function, args, rows),
    }
}

/// Builds a nullable primitive vector.
pub(crate) fn optional<N: Default>(
    rows: usize,
    mut value: impl FnMut(usize) -> Option<N>,
) -> (Vec<N>, Option<NullBuffer>) {
    let mut valid = Vec::with_capacity(rows);
    let values = (0..rows)
        .map(|row| {
            let value = value(row);
            valid.push(value.is_some());
            value.unwrap_or_default()
        })
        .collect();
    let nulls = valid
        .contains(&false)
        .then(|| NullBuffer::new(BooleanBuffer::from(valid)));
    (values, nulls)
}

/// Whether all arguments repeat one value; then one row is computed.
pub(crate) fn extent(args: &[&Vector], rows: usize) -> (usize, bool) {
    let scalar = args.iter().all(|arg| arg.scalar);
    (if scalar { 1 } else { rows }, scalar)
}
