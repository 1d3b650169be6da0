//! Each row with the public rows that it matches.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array, RecordBatch, UInt32Array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Int32Type, SchemaRef};

use super::filter::truth;
use super::{BATCH_ROWS, Batches, columns_of, flat_map, rows_of, values};
use crate::eval;
use crate::execute::ExecutionError;
use crate::public::{KeyIndex, PublicTable};
use crate::scalar::ScalarExpr;
use crate::scan::dictionary;
use crate::source::JoinKind;

/// Texts of a public relation of at most so many rows are joined as a dictionary: what is done with them is done once for each
/// row of it, and not again for each row of a batch.
const FEW_ROWS: usize = 1_024;

/// The public side of a join, ready to be looked up.
#[derive(Debug)]
pub(super) struct PublicSide {
    kind: JoinKind,
    own_keys: Vec<ScalarExpr>,
    condition: Option<ScalarExpr>,
    columns: Vec<ArrayRef>,
    index: KeyIndex,
    /// Whether no key finds more than one row.
    unique: bool,
    /// Whether it has few rows.
    few: bool,
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
        let index = KeyIndex::new(&keys, batch.num_rows())?;
        Ok(Self {
            kind,
            own_keys: on.iter().map(|(own, _)| own.clone()).collect(),
            condition,
            unique: index.is_unique(),
            index,
            columns: batch.columns().to_vec(),
            few: batch.num_rows() <= FEW_ROWS,
        })
    }

    /// The types in which its columns are joined.
    pub(super) fn types(&self) -> Vec<DataType> {
        let types = self.columns.iter().map(|column| column.data_type());
        types
            .map(|kind| match kind {
                DataType::Utf8 if self.few => dictionary(),
                other => other.clone(),
            })
            .collect()
    }

    /// Which public rows each row meets.
    fn find(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Option<u32>>, ExecutionError> {
        if let [key] = self.own_keys.as_slice() {
            let vector = eval::evaluate(key, columns, rows)?;
            let dictionary = vector.array.as_dictionary_opt::<Int32Type>();
            // What a batch costs may not depend on how many values there are in its dictionary.
            let smaller =
                |dictionary: &&DictionaryArray<Int32Type>| !vector.scalar && dictionary.values().len() < rows;
            if let Some(dictionary) = dictionary.filter(smaller) {
                let of_values = self.index.find(
                    std::slice::from_ref(dictionary.values()),
                    dictionary.values().len(),
                )?;
                let of_key = |key: i32| usize::try_from(key).ok().and_then(|at| *of_values.get(at)?);
                return Ok(dictionary.keys().iter().map(|key| of_key(key?)).collect());
            }
        }
        let keys = self.own_keys.iter().map(|key| values(key, columns, rows));
        Ok(self.index.find(&keys.collect::<Result<Vec<_>, _>>()?, rows)?)
    }

    /// Its columns at some of its rows; NULL where there is none.
    fn columns_at(&self, rows: &[Option<u32>]) -> Result<Vec<ArrayRef>, ExecutionError> {
        let text = |column: &ArrayRef| self.few && *column.data_type() == DataType::Utf8;
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            if text(column) {
                let valid = |row: u32| i32::try_from(row).ok().filter(|_| column.is_valid(row as usize));
                let keys = rows.iter().map(|row| row.and_then(valid));
                let joined = DictionaryArray::try_new(keys.collect::<Int32Array>(), Arc::clone(column));
                columns.push(Arc::new(joined.map_err(|_| ExecutionError::Internal)?) as ArrayRef);
            } else {
                let places = UInt32Array::from(rows.to_vec());
                columns.extend(rows_of(std::slice::from_ref(column), &places)?);
            }
        }
        Ok(columns)
    }

    /// The join of a batch whose rows all become one row or none: no row is copied but to leave others out. `None` if some may
    /// become several.
    fn join_single(
        &self,
        batch: &RecordBatch,
        found: &[Option<u32>],
        schema: &SchemaRef,
    ) -> Result<Option<RecordBatch>, ExecutionError> {
        if self.condition.is_some() || (self.kind.shows_right() && !self.unique) {
            return Ok(None);
        }
        let met = |bucket: &Option<u32>| self.index.rows(*bucket).first().copied();
        let mut rights: Vec<Option<u32>> = found.iter().map(met).collect();
        let kept = match self.kind {
            JoinKind::Left => None,
            JoinKind::Inner | JoinKind::Semi => Some(Option::is_some as fn(&Option<u32>) -> bool),
            JoinKind::Anti => Some(Option::is_none as fn(&Option<u32>) -> bool),
        };
        let mut columns = batch.columns().to_vec();
        if let Some(kept) = kept
            && !rights.iter().all(kept)
        {
            let mask: BooleanArray = rights.iter().map(|right| Some(kept(right))).collect();
            let filtered = filter_record_batch(batch, &mask).map_err(|_| ExecutionError::Internal)?;
            columns = filtered.columns().to_vec();
            rights.retain(kept);
        }
        if self.kind.shows_right() {
            columns.extend(self.columns_at(&rights)?);
        }
        let joined = RecordBatch::try_new(Arc::clone(schema), columns);
        joined.map(Some).map_err(|_| ExecutionError::Internal)
    }
}

pub(super) fn run(input: Batches, side: Arc<PublicSide>, schema: SchemaRef) -> Batches {
    flat_map(input, move |batch| {
        let found = side.find(columns_of(&batch)?, batch.num_rows())?;
        let single = side.join_single(&batch, &found, &schema)?;
        Ok(Joining {
            next: if single.is_some() { found.len() } else { 0 },
            single,
            batch,
            found,
            side: Arc::clone(&side),
            schema: Arc::clone(&schema),
        })
    })
}

/// A batch being joined: as many rows at once as make a batch of pairs.
struct Joining {
    /// The whole of it, where no row becomes several.
    single: Option<RecordBatch>,
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
        if let Some(joined) = self.single.take().filter(|joined| joined.num_rows() > 0) {
            return Some(Ok(joined));
        }
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
        let mut both = rows_of(columns_of(batch)?, &lefts)?;
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
        columns.extend(side.columns_at(&rights)?);
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|_| ExecutionError::Internal)
}
