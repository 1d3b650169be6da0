//! Choices among values: CASE, IN, COALESCE, LEAST and their kin.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, BooleanArray, new_null_array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{is_not_null, is_null, nullif, or_kleene};
use arrow::datatypes::DataType;

use super::vector::{booleans, days, integers, numbers, plain, texts};
use super::{EvalError, Evaluated, Vector, compare, truth};
use crate::scalar::{Comparison, Function, Literal, Real};

/// `value` where the condition is true, else `otherwise`.
pub(super) fn choose(condition: Vector, value: Vector, otherwise: Vector, rows: usize) -> Evaluated<Vector> {
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

pub(super) fn in_list(x: &Vector, list: &[Literal], has_null: bool) -> Evaluated<Vector> {
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

pub(super) fn call(function: Function, args: &[Vector], rows: usize) -> Evaluated<Vector> {
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
        _ => Err(EvalError),
    }
}
