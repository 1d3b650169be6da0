//! Batches in which no unit is cut.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use futures::StreamExt;

use super::{Batches, parts};
use crate::execute::{ExecutionError, Incident};

/// Batches of whole units: what one input batch holds of its last unit is kept back until that unit has ended.
///
/// Units that do not increase are an incident, as they are in the bounding operator: here too everything rests on it.
pub(super) fn aligned(input: Batches) -> Batches {
    struct State {
        input: Option<Batches>,
        kept: Vec<RecordBatch>,
        last: Option<u64>,
    }
    let state = State {
        input: Some(input),
        kept: vec![],
        last: None,
    };
    futures::stream::try_unfold(state, |mut state| async move {
        loop {
            let Some(input) = &mut state.input else {
                return Ok(None);
            };
            let Some(batch) = input.next().await else {
                state.input = None;
                return Ok(joined(&mut state.kept)?.map(|batch| (batch, state)));
            };
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            let units = parts(&batch)?.0.values();
            let first = units.first().copied();
            if !units.is_sorted() || state.last > first {
                return Err(Incident::OutOfOrder.into());
            }
            let last = units.last().copied();
            // Where the batch's last unit begins.
            let cut = last.map_or(0, |last| units.partition_point(|unit| *unit < last));
            let goes_on = state.last == last;
            state.last = last;
            if cut == 0 {
                if goes_on || state.kept.is_empty() {
                    state.kept.push(batch);
                    continue;
                }
                let whole = joined(&mut state.kept)?;
                state.kept.push(batch);
                if let Some(whole) = whole {
                    return Ok(Some((whole, state)));
                }
                continue;
            }
            state.kept.push(batch.slice(0, cut));
            let whole = joined(&mut state.kept)?;
            state.kept.push(batch.slice(cut, batch.num_rows() - cut));
            if let Some(whole) = whole {
                return Ok(Some((whole, state)));
            }
        }
    })
    .boxed()
}

fn joined(kept: &mut Vec<RecordBatch>) -> Result<Option<RecordBatch>, ExecutionError> {
    let Some(first) = kept.first() else {
        return Ok(None);
    };
    let whole = match kept.as_slice() {
        [one] => one.clone(),
        several => concat_batches(&first.schema(), several).map_err(|_| ExecutionError::Internal)?,
    };
    kept.clear();
    Ok(Some(whole))
}
