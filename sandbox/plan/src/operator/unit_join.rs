//! Each row with the rows of the same unit in another relation.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt};

use super::align::aligned;
use super::filter::truth;
use super::{BATCH_ROWS, Batches, parts, rows_of};
use crate::execute::ExecutionError;
use crate::scalar::ScalarExpr;
use crate::source::JoinKind;

/// What is joined how.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) kind: JoinKind,
    pub(super) condition: Option<ScalarExpr>,
    /// The most rows of a unit on either side; further ones are left out.
    pub(super) rows: [u32; 2],
    pub(super) right: SchemaRef,
}

/// The right side, read as far as the left side needs it.
struct Right {
    batches: Batches,
    held: RecordBatch,
    ended: bool,
}

impl Right {
    /// Holds every row of the units from `first` to `last`, and none of those before.
    async fn reach(&mut self, first: u64, last: u64) -> Result<(), ExecutionError> {
        let gone = parts(&self.held)?
            .0
            .values()
            .partition_point(|unit| *unit < first);
        self.held = self.held.slice(gone, self.held.num_rows() - gone);
        let mut more = vec![self.held.clone()];
        let mut most = parts(&self.held)?.0.values().last().copied();
        // Batches hold whole units: one that goes beyond has all of those before.
        while !self.ended && most.is_none_or(|most| most < last) {
            match self.batches.next().await {
                None => self.ended = true,
                Some(batch) => {
                    let batch = batch?;
                    let units = parts(&batch)?.0.values();
                    let gone = units.partition_point(|unit| *unit < first);
                    most = units.last().copied().or(most);
                    more.push(batch.slice(gone, batch.num_rows() - gone));
                }
            }
        }
        if more.len() > 1 {
            self.held = concat_batches(&self.held.schema(), &more).map_err(|_| ExecutionError::Internal)?;
        }
        Ok(())
    }
}

pub(super) fn run(left: Batches, right: Batches, terms: Arc<Terms>, schema: SchemaRef) -> Batches {
    let right = Right {
        batches: aligned(right),
        held: RecordBatch::new_empty(Arc::clone(&terms.right)),
        ended: false,
    };
    let state = (aligned(left), right, terms, schema);
    let joined = futures::stream::try_unfold(state, |(mut left, mut right, terms, schema)| async move {
        let Some(batch) = left.next().await else {
            return Ok::<_, ExecutionError>(None);
        };
        let batch = batch?;
        let units = parts(&batch)?.0.values();
        if let (Some(first), Some(last)) = (units.first(), units.last()) {
            right.reach(*first, *last).await?;
        }
        let made = Joining::new(batch, right.held.clone(), Arc::clone(&terms), Arc::clone(&schema))?;
        Ok(Some((futures::stream::iter(made), (left, right, terms, schema))))
    });
    joined.try_flatten().boxed()
}

/// The runs of rows with one unit each.
fn runs(units: &[u64]) -> impl Iterator<Item = (u64, Range<usize>)> {
    let mut start = 0;
    units.chunk_by(|a, b| a == b).map(move |run| {
        let range = start..start + run.len();
        start = range.end;
        (run[0], range)
    })
}

/// A batch being joined: as many left rows at once as make a batch of pairs.
struct Joining {
    left: RecordBatch,
    right: RecordBatch,
    /// Of every left row that counts, the right rows of its unit.
    partners: Vec<(u32, Range<u32>)>,
    next: usize,
    terms: Arc<Terms>,
    schema: SchemaRef,
}

impl Joining {
    fn new(
        left: RecordBatch,
        right: RecordBatch,
        terms: Arc<Terms>,
        schema: SchemaRef,
    ) -> Result<Self, ExecutionError> {
        let place = |at: usize| u32::try_from(at).map_err(|_| ExecutionError::Internal);
        let most = |range: Range<usize>, rows: u32| range.start..range.end.min(range.start + rows as usize);
        let others = parts(&right)?.0.values();
        let mut partners = Vec::with_capacity(left.num_rows());
        let mut at = 0;
        for (unit, own) in runs(parts(&left)?.0.values()) {
            at += others[at..].partition_point(|other| *other < unit);
            let count = others[at..].partition_point(|other| *other == unit);
            let other = most(at..at + count, terms.rows[1]);
            let other = place(other.start)?..place(other.end)?;
            at += count;
            for row in most(own, terms.rows[0]) {
                partners.push((place(row)?, other.clone()));
            }
        }
        Ok(Self {
            left,
            right,
            partners,
            next: 0,
            terms,
            schema,
        })
    }
}

impl Iterator for Joining {
    type Item = Result<RecordBatch, ExecutionError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.partners.len() {
            let (mut lefts, mut rights) = (Vec::new(), Vec::new());
            while let Some((row, partners)) = self.partners.get(self.next) {
                if partners.is_empty() && self.terms.kind == JoinKind::Left {
                    lefts.push(*row);
                    rights.push(None);
                }
                for partner in partners.clone() {
                    lefts.push(*row);
                    rights.push(Some(partner));
                }
                self.next += 1;
                if lefts.len() >= BATCH_ROWS {
                    break;
                }
            }
            let made = pairs(&self.left, &self.right, lefts, rights, &self.terms, &self.schema);
            if let Some(made) = made.transpose() {
                return Some(made);
            }
        }
        None
    }
}

/// The pairs that fulfil the condition; with [`JoinKind::Left`] also the left rows of which none does. All pairs of a left
/// row are given at once.
fn pairs(
    left: &RecordBatch,
    right: &RecordBatch,
    mut lefts: Vec<u32>,
    mut rights: Vec<Option<u32>>,
    terms: &Terms,
    schema: &SchemaRef,
) -> Result<Option<RecordBatch>, ExecutionError> {
    if lefts.is_empty() {
        return Ok(None);
    }
    if let Some(condition) = &terms.condition {
        let (own, other) = (
            UInt32Array::from(lefts.clone()),
            UInt32Array::from(rights.clone()),
        );
        let mut both = rows_of(parts(left)?.1, &own)?;
        both.extend(rows_of(parts(right)?.1, &other)?);
        let mask = truth(condition, &both, lefts.len())?;
        let (mut kept, mut partners) = (Vec::new(), Vec::new());
        let mut at = 0;
        for group in lefts.chunk_by(|a, b| a == b) {
            let before = kept.len();
            for place in at..at + group.len() {
                if mask.value(place) && rights[place].is_some() {
                    kept.push(lefts[place]);
                    partners.push(rights[place]);
                }
            }
            if kept.len() == before && terms.kind == JoinKind::Left {
                kept.push(group[0]);
                partners.push(None);
            }
            at += group.len();
        }
        (lefts, rights) = (kept, partners);
        if lefts.is_empty() {
            return Ok(None);
        }
    }
    let mut columns = rows_of(left.columns(), &UInt32Array::from(lefts))?;
    let met: BooleanArray = rights.iter().map(|partner| Some(partner.is_some())).collect();
    columns.extend(rows_of(parts(right)?.1, &UInt32Array::from(rights))?);
    if terms.kind == JoinKind::Left {
        columns.push(Arc::new(met));
    }
    let batch = RecordBatch::try_new(Arc::clone(schema), columns).map_err(|_| ExecutionError::Internal)?;
    Ok(Some(batch))
}
