//! Rows for which a condition is true.

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::{Batches, columns_of, flat_map, values};
use crate::eval::{self, EvalError};
use crate::execute::ExecutionError;
use crate::scalar::ScalarExpr;

pub(super) fn run(input: Batches, condition: ScalarExpr) -> Batches {
    flat_map(input, move |batch| {
        let kept = keep(&batch, &condition)?;
        Ok((kept.num_rows() > 0).then_some(Ok(kept)).into_iter())
    })
}

fn keep(batch: &RecordBatch, condition: &ScalarExpr) -> Result<RecordBatch, ExecutionError> {
    let mask = truth(condition, columns_of(batch)?, batch.num_rows())?;
    filter_record_batch(batch, &mask).map_err(|_| ExecutionError::Internal)
}

/// Where a condition is true.
pub(super) fn truth(
    condition: &ScalarExpr,
    columns: &[arrow::array::ArrayRef],
    rows: usize,
) -> Result<BooleanArray, ExecutionError> {
    let array = values(condition, columns, rows)?;
    let mask = array.as_boolean_opt().ok_or(EvalError)?;
    Ok(eval::truth(mask))
}
