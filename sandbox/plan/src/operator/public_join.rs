//! Each row with the public rows that it matches.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;

use super::filter::truth;
use super::{BATCH_ROWS, Batches, flat_map, parts, rows_of, values};
use crate::execute::ExecutionError;
use crate::public::{KeyIndex, PublicTable};
use crate::scalar::ScalarExpr;
use crate::source::JoinKind;

/// The public side of a join, ready to be looked up.
#[derive(Debug)]
pub(super) struct PublicSide {
    kind: JoinKind,
    own_keys: Vec<ScalarExpr>,
    condition: Option<ScalarExpr>,
    columns: Vec<ArrayRef>,
    index: KeyIndex,
}

impl PublicSide {
    pub(super) fn new(
        table: &PublicTable,
        kind: JoinKind,
        on: &[(ScalarExpr, ScalarExpr)],
        condition: Option<ScalarExpr>,
    ) -> Result<Self, ExecutionError> {
        let batch = table.read()?;
        let keys = on
            .iter()
            .map(|(_, key)| values(key, batch.columns(), batch.num_rows()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            kind,
            own_keys: on.iter().map(|(own, _)| own.clone()).collect(),
            condition,
            index: KeyIndex::new(&keys, batch.num_rows())?,
            columns: batch.columns().to_vec(),
        })
    }
}

pub(super) fn run(input: Batches, side: Arc<PublicSide>, schema: SchemaRef) -> Batches {
    flat_map(input, move |batch| {
        let (_, columns) = parts(&batch)?;
        let keys = side
            .own_keys
            .iter()
            .map(|key| values(key, columns, batch.num_rows()))
            .collect::<Result<Vec<_>, _>>()?;
        let found = side.index.find(&keys, batch.num_rows())?;
        let (side, schema) = (Arc::clone(&side), Arc::clone(&schema));
        Ok(Joining {
            batch,
            found,
            next: 0,
            side,
            schema,
        })
    })
}

/// A batch being joined: as many rows at once as make a batch of pairs.
struct Joining {
    batch: RecordBatch,
    /// Which public rows each row meets.
    found: Vec<Option<u32>>,
    next: usize,
    side: Arc<PublicSide>,
    schema: SchemaRef,
}

impl Iterator for Joining {
    type Item = Result<RecordBatch, ExecutionError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.found.len() {
            let (start, mut end, mut pairs) = (self.next, self.next, 0);
            while let Some(found) = self.found.get(end) {
                let more = self.side.index.rows(*found).len();
                if end > start && pairs + more > BATCH_ROWS {
                    break;
                }
                pairs += more;
                end += 1;
            }
            self.next = end;
            let joined = join(
                &self.batch,
                &self.side,
                start,
                &self.found[start..end],
                &self.schema,
            );
            match joined {
                Ok(joined) if joined.num_rows() == 0 => {}
                other => return Some(other),
            }
        }
        None
    }
}

/// The pairs of some rows of a batch, from `start` on.
fn join(
    batch: &RecordBatch,
    side: &PublicSide,
    start: usize,
    found: &[Option<u32>],
    schema: &SchemaRef,
) -> Result<RecordBatch, ExecutionError> {
    let row = |at: usize| u32::try_from(start + at).map_err(|_| ExecutionError::Internal);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (at, bucket) in found.iter().enumerate() {
        let matches = side.index.rows(*bucket);
        left.extend(std::iter::repeat_n(row(at)?, matches.len()));
        right.extend_from_slice(matches);
    }
    if let Some(condition) = &side.condition {
        let (lefts, rights) = (UInt32Array::from(left.clone()), UInt32Array::from(right.clone()));
        let mut both = rows_of(parts(batch)?.1, &lefts)?;
        both.extend(rows_of(&side.columns, &rights)?);
        let mask = truth(condition, &both, left.len())?;
        let mut holds = mask.values().iter();
        left.retain(|_| holds.next().unwrap_or(false));
        let mut holds = mask.values().iter();
        right.retain(|_| holds.next().unwrap_or(false));
    }
    let mut kept_right: Option<Vec<Option<u32>>> = None;
    let kept_left: Vec<u32> = match side.kind {
        JoinKind::Inner => {
            kept_right = Some(right.into_iter().map(Some).collect());
            left
        }
        JoinKind::Left => {
            let (mut lefts, mut rights) = (Vec::new(), Vec::new());
            let mut pairs = left.into_iter().zip(right).peekable();
            for at in 0..found.len() {
                let own = row(at)?;
                let mut any = false;
                while let Some((_, other)) = pairs.next_if(|(left, _)| *left == own) {
                    lefts.push(own);
                    rights.push(Some(other));
                    any = true;
                }
                if !any {
                    lefts.push(own);
                    rights.push(None);
                }
            }
            kept_right = Some(rights);
            lefts
        }
        JoinKind::Semi => {
            left.dedup();
            left
        }
        JoinKind::Anti => {
            left.dedup();
            let mut paired = left.into_iter().peekable();
            let mut alone = Vec::new();
            for at in 0..found.len() {
                let own = row(at)?;
                if paired.next_if_eq(&own).is_none() {
                    alone.push(own);
                }
            }
            alone
        }
    };
    let mut columns = rows_of(batch.columns(), &UInt32Array::from(kept_left))?;
    if let Some(rights) = kept_right {
        columns.extend(rows_of(&side.columns, &UInt32Array::from(rights))?);
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|_| ExecutionError::Internal)
}
