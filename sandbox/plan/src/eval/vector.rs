//! Columns of values, how they are read and how results are built.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Datum, DictionaryArray, Float64Array, Int64Array,
    StringArray, StringBuilder, TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int32Type};

use super::{EvalError, Evaluated};
use crate::context::planner_type;
use crate::scalar::{Literal, MAX_TEXT, Real};

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
    pub(super) fn new(array: impl Array + 'static, scalar: bool) -> Self {
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
pub(super) fn plain(array: &ArrayRef) -> Evaluated<ArrayRef> {
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

impl<'a, T: Copy> Slots<'a, T> {
    /// What becomes of each value, one a row, with `missing` where there is none. That is a plain loop, which compilers know to make
    /// fast; `f` is called for whatever lies where a value is missing, too.
    pub(crate) fn to_vec<U: Clone>(&self, rows: usize, missing: U, f: impl Fn(T) -> U) -> Vec<U> {
        match self.lying() {
            Some(Lying::Each(values, nulls)) => {
                let mut all: Vec<U> = values.iter().map(|x| f(*x)).collect();
                for row in nulls.into_iter().flat_map(missing_rows) {
                    all[row] = missing.clone();
                }
                all
            }
            Some(Lying::One(value)) => vec![f(value); rows],
            None => vec![missing; rows],
        }
    }

    /// The values as they lie there, or the one that repeats; `None` if that is missing.
    fn lying(&self) -> Option<Lying<'a, T>> {
        match self.step {
            0 if self.values.is_empty() => None,
            0 => self.get(0).map(Lying::One),
            _ => {
                let nulls = self.nulls.filter(|nulls| nulls.null_count() > 0);
                Some(Lying::Each(self.values, nulls))
            }
        }
    }
}

/// Values as they lie in memory.
enum Lying<'a, T> {
    /// One a row, and which of them are missing: there anything may lie.
    Each(&'a [T], Option<&'a NullBuffer>),
    /// The same for all rows.
    One(T),
}

/// The rows whose values are missing.
pub(crate) fn missing_rows(nulls: &NullBuffer) -> impl Iterator<Item = usize> {
    let missing: Vec<usize> = (!nulls.inner()).set_indices().collect();
    missing.into_iter()
}

/// What becomes of pairs of values as they lie in memory, and where one of a pair is missing; `None` if all are.
fn pairs<T: Copy, U>(
    left: &Slots<'_, T>,
    right: &Slots<'_, T>,
    f: impl Fn(T, T) -> U,
) -> Option<(Vec<U>, Option<NullBuffer>)> {
    Some(match (left.lying()?, right.lying()?) {
        (Lying::Each(left, of_left), Lying::Each(right, of_right)) => {
            let all = left.iter().zip(right).map(|(l, r)| f(*l, *r)).collect();
            (all, NullBuffer::union(of_left, of_right))
        }
        (Lying::Each(left, nulls), Lying::One(r)) => {
            (left.iter().map(|l| f(*l, r)).collect(), nulls.cloned())
        }
        (Lying::One(l), Lying::Each(right, nulls)) => {
            (right.iter().map(|r| f(l, *r)).collect(), nulls.cloned())
        }
        (Lying::One(l), Lying::One(r)) => (vec![f(l, r)], None),
    })
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

/// The keys of a dictionary.
pub(crate) fn keys(dictionary: &DictionaryArray<Int32Type>) -> Slots<'_, i32> {
    Slots {
        values: dictionary.keys().values(),
        nulls: dictionary.keys().nulls(),
        step: 1,
    }
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

pub(crate) fn days(vector: &Vector) -> Evaluated<Slots<'_, i32>> {
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

pub(super) fn booleans(vector: &Vector) -> Evaluated<&BooleanArray> {
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
pub(super) fn scalar(literal: &Literal) -> Vector {
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

/// Builds a nullable primitive vector.
fn optional<N: Default>(
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

/// How many rows a result has: one, if all arguments repeat one value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    rows: usize,
    scalar: bool,
}

impl Rows {
    /// Those of a call.
    pub(super) fn of(args: &[Vector], rows: usize) -> Self {
        let scalar = args.iter().all(|arg| arg.scalar);
        Self {
            rows: if scalar { 1 } else { rows },
            scalar,
        }
    }

    /// Those of one vector.
    pub(super) fn like(vector: &Vector) -> Self {
        Self {
            rows: vector.array.len(),
            scalar: vector.scalar,
        }
    }

    pub(super) fn integers(self, value: impl FnMut(usize) -> Option<i64>) -> Vector {
        let (values, nulls) = optional(self.rows, value);
        Vector::new(Int64Array::new(values.into(), nulls), self.scalar)
    }

    /// Numbers; what is not finite is NULL, and −0 is 0.
    pub(super) fn numbers(self, mut value: impl FnMut(usize) -> Option<f64>) -> Vector {
        let (values, nulls) = optional(self.rows, |row| value(row).and_then(finite));
        Vector::new(Float64Array::new(values.into(), nulls), self.scalar)
    }

    /// Numbers of two numbers, as [`Self::numbers`] has them. Where all are finite they are computed in a plain loop, which
    /// compilers know to make fast.
    pub(super) fn numbers_of(
        self,
        left: &Slots<'_, f64>,
        right: &Slots<'_, f64>,
        f: impl Fn(f64, f64) -> f64,
    ) -> Vector {
        // Adding zero turns −0 into +0.
        match pairs(left, right, |l, r| f(l, r) + 0.0) {
            Some((values, nulls)) if values.len() == self.rows && values.iter().all(|x| x.is_finite()) => {
                Vector::new(Float64Array::new(values.into(), nulls), self.scalar)
            }
            _ => self.numbers(|row| Some(f(left.get(row)?, right.get(row)?))),
        }
    }

    /// Numbers of one value each, in the same way.
    pub(super) fn numbers_from<T: Copy>(self, of: &Slots<'_, T>, f: impl Fn(T) -> f64) -> Vector {
        match of.lying() {
            Some(Lying::Each(values, nulls)) if values.len() == self.rows => {
                let values: Vec<f64> = values.iter().map(|x| f(*x) + 0.0).collect();
                if values.iter().all(|x| x.is_finite()) {
                    let numbers = Float64Array::new(values.into(), nulls.cloned());
                    return Vector::new(numbers, self.scalar);
                }
            }
            _ => {}
        }
        self.numbers(|row| Some(f(of.get(row)?)))
    }

    /// Integers of two integers, NULL where they overflow: in a plain loop if none does.
    pub(super) fn integers_of(
        self,
        left: &Slots<'_, i64>,
        right: &Slots<'_, i64>,
        f: impl Fn(i64, i64) -> (i64, bool),
    ) -> Vector {
        match pairs(left, right, &f) {
            Some((values, nulls)) if values.len() == self.rows && !values.iter().any(|(_, over)| *over) => {
                let values: Vec<i64> = values.into_iter().map(|(value, _)| value).collect();
                Vector::new(Int64Array::new(values.into(), nulls), self.scalar)
            }
            _ => self.integers(|row| {
                let (value, over) = f(left.get(row)?, right.get(row)?);
                (!over).then_some(value)
            }),
        }
    }

    pub(super) fn booleans(self, value: impl FnMut(usize) -> Option<bool>) -> Vector {
        Vector::new((0..self.rows).map(value).collect::<BooleanArray>(), self.scalar)
    }

    /// Dates from days; those beyond 32 bits are NULL.
    pub(super) fn dates(self, mut value: impl FnMut(usize) -> Option<i64>) -> Vector {
        let (values, nulls) = optional(self.rows, |row| i32::try_from(value(row)?).ok());
        Vector::new(Date32Array::new(values.into(), nulls), self.scalar)
    }

    pub(super) fn moments(self, value: impl FnMut(usize) -> Option<i64>) -> Vector {
        let (values, nulls) = optional(self.rows, value);
        Vector::new(TimestampMicrosecondArray::new(values.into(), nulls), self.scalar)
    }

    /// Texts; those over [`MAX_TEXT`] are NULL.
    pub(super) fn texts<S: AsRef<str>>(self, mut value: impl FnMut(usize) -> Option<S>) -> Vector {
        let mut builder = StringBuilder::with_capacity(self.rows, self.rows * 8);
        for row in 0..self.rows {
            match value(row) {
                Some(text) if text.as_ref().len() <= MAX_TEXT => builder.append_value(text),
                _ => builder.append_null(),
            }
        }
        Vector::new(builder.finish(), self.scalar)
    }
}

/// Finite or nothing; −0 becomes 0.
pub(super) fn finite(x: f64) -> Option<f64> {
    Real::new(x).map(Real::get)
}
