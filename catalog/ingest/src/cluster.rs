//! The clustered layout of protected data (privacy.md "Clustered layout"), in bounded memory: rows are spilled into
//! buckets by ranges of the unit hash, in quarantine; each bucket is capped, sorted and written as one part.

use std::collections::{BinaryHeap, HashMap};
use std::fs::File;

use arrow::array::{AsArray, RecordBatch, UInt32Array, make_comparator};
use arrow::compute::{SortOptions, concat_batches, take, take_record_batch};
use arrow::datatypes::{SchemaRef, UInt64Type};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use model::{UnitDeclaration, VersionId};
use rayon::prelude::*;
use seal::{DataKey, SealedWriter};
use storage::{PendingObject, QuarantineStore, SandboxStore, Scratch, StorageError};

use crate::error::IngestError;
use crate::part::{PartWriter, encryption};
use crate::profile::ColumnProfiler;
use crate::progress::{Phase, Watch};
use crate::survey::Column;
use crate::unit::UnitHasher;

/// The column of unit hashes, first in every part.
pub const UNIT_COLUMN: &str = "__unit";

/// About how much of the source goes into one bucket.
const BUCKET_BYTES: u64 = 24 << 20;
/// The most buckets: each is an open file.
const MOST_BUCKETS: u64 = 256;
/// From this size on there are at least [`LEAST_BUCKETS`], so that a job can read parts in parallel.
const PARALLEL_BYTES: u64 = 2 << 20;
const LEAST_BUCKETS: u64 = 4;

fn ipc(error: ArrowError) -> IngestError {
    match error {
        ArrowError::IoError(_, io) => IngestError::Storage(StorageError::from(io)),
        _ => IngestError::Internal("spilling rows"),
    }
}

fn arrow_error(_: ArrowError) -> IngestError {
    IngestError::Internal("sorting rows")
}

/// Rows on their way into buckets.
pub(crate) struct Spill {
    scratch: Scratch,
    schema: SchemaRef,
    bits: u32,
    writers: Vec<Option<StreamWriter<SealedWriter<File>>>>,
}

/// The bits of a unit hash after the first `skip`, as a number of `bits` bits.
const fn slice_bits(unit: u64, skip: u32, bits: u32) -> usize {
    if bits == 0 {
        0
    } else {
        ((unit << skip) >> (64 - bits)) as usize
    }
}

fn bucket_name(bucket: usize) -> String {
    format!("bucket-{bucket}")
}

impl Spill {
    /// Buckets for a source of so many bytes. `schema` begins with [`UNIT_COLUMN`].
    pub(crate) fn new(
        quarantine: &QuarantineStore,
        schema: SchemaRef,
        bytes: u64,
    ) -> Result<Self, IngestError> {
        let least = if bytes >= PARALLEL_BYTES { LEAST_BUCKETS } else { 1 };
        let buckets = (bytes / BUCKET_BYTES)
            .clamp(least, MOST_BUCKETS)
            .next_power_of_two();
        let writers = (0..buckets).map(|_| None).collect();
        Ok(Self {
            scratch: quarantine.scratch()?,
            schema,
            bits: buckets.trailing_zeros(),
            writers,
        })
    }

    /// Sends the rows of a batch to their buckets, keeping their order.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), IngestError> {
        let bits = self.bits;
        let units = batch.column(0).as_primitive::<UInt64Type>().values();
        let mut starts = vec![0u32; self.writers.len() + 1];
        for &unit in units {
            starts[slice_bits(unit, 0, bits) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut order = vec![0u32; units.len()];
        for (row, &unit) in units.iter().enumerate() {
            let slot = &mut next[slice_bits(unit, 0, bits)];
            order[*slot as usize] = row as u32;
            *slot += 1;
        }
        let sorted = take_parallel(batch, &UInt32Array::from(order))?;
        for (bucket, range) in starts.windows(2).enumerate() {
            let (from, count) = (range[0] as usize, (range[1] - range[0]) as usize);
            if count > 0 {
                self.writer(bucket)?
                    .write(&sorted.slice(from, count))
                    .map_err(ipc)?;
            }
        }
        Ok(())
    }

    fn writer(&mut self, bucket: usize) -> Result<&mut StreamWriter<SealedWriter<File>>, IngestError> {
        let slot = &mut self.writers[bucket];
        if slot.is_none() {
            let file = self.scratch.create(&bucket_name(bucket))?;
            *slot = Some(StreamWriter::try_new(file, &self.schema).map_err(ipc)?);
        }
        slot.as_mut().ok_or(IngestError::Internal("spilling rows"))
    }
}

fn take_parallel(batch: &RecordBatch, order: &UInt32Array) -> Result<RecordBatch, IngestError> {
    let columns: Result<Vec<_>, _> = batch
        .columns()
        .par_iter()
        .map(|column| take(column, order, None))
        .collect();
    RecordBatch::try_new(batch.schema(), columns.map_err(arrow_error)?).map_err(arrow_error)
}

/// A part, written and not yet published.
#[derive(Debug)]
pub(crate) struct ClusteredPart {
    pub(crate) object: PendingObject,
    pub(crate) rows: u64,
    pub(crate) units: (u64, u64),
}

/// What became of the rows.
#[derive(Debug)]
pub(crate) struct Clustered {
    pub(crate) parts: Vec<ClusteredPart>,
    pub(crate) units: u64,
    /// Rows beyond the cap of their unit.
    pub(crate) over_cap: u64,
}

/// What clustering needs to know.
pub(crate) struct Clustering<'a> {
    pub(crate) store: &'a SandboxStore,
    pub(crate) version: VersionId,
    /// The data key of the copy.
    pub(crate) key: &'a DataKey,
    pub(crate) unit: UnitDeclaration,
    pub(crate) hasher: &'a UnitHasher,
    /// The columns of the parts after [`UNIT_COLUMN`].
    pub(crate) columns: &'a [Column],
    pub(crate) row_group_rows: usize,
    /// About how many bytes of a bucket are sorted at a time.
    pub(crate) sort_bytes: u64,
    pub(crate) watch: &'a Watch<'a>,
}

/// Units and the row limit of those that have too many: rows with a greater (rank, place) are dropped.
struct Census {
    counts: HashMap<u64, u32>,
    limits: HashMap<u64, (u64, u32)>,
    kept: u64,
    rows: u64,
}

impl Clustering<'_> {
    /// Sorts the buckets into parts.
    pub(crate) fn sort(
        &self,
        spill: Spill,
        profilers: &mut [ColumnProfiler],
    ) -> Result<Clustered, IngestError> {
        let Spill {
            scratch,
            schema,
            bits,
            writers,
        } = spill;
        let buckets = writers.len() as u64;
        let mut filled = Vec::new();
        for (bucket, writer) in writers.into_iter().enumerate() {
            let Some(writer) = writer else { continue };
            let file = writer.into_inner().map_err(ipc)?;
            file.finish()
                .map_err(|error| IngestError::Storage(StorageError::from(error)))?;
            filled.push(bucket);
        }
        let mut clustered = Clustered {
            parts: Vec::new(),
            units: 0,
            over_cap: 0,
        };
        let mut broken = vec![0u64; self.columns.len()];
        let mut rows = 0;
        for bucket in filled {
            self.watch.check()?;
            let name = bucket_name(bucket);
            let census = self.census(&scratch, &name)?;
            clustered.units += census.counts.len() as u64;
            clustered.over_cap += census.rows - census.kept;
            if clustered.units > self.unit.max_units {
                return Err(IngestError::TooManyUnits {
                    limit: self.unit.max_units,
                });
            }
            let bytes = scratch.open(&name)?.length();
            let kept = u128::from(bytes) * u128::from(census.kept) / u128::from(census.rows.max(1));
            let slices = (kept as u64)
                .div_ceil(self.sort_bytes.max(1))
                .max(1)
                .next_power_of_two()
                .min(1 << 16);
            let slice_count = slices.trailing_zeros();
            let object = self.store.begin(self.version, "parquet")?;
            let encryption = encryption(self.key, self.version, clustered.parts.len())?;
            let schema_of_part = SchemaRef::clone(&schema);
            let mut part = PartWriter::new(object, schema_of_part, self.row_group_rows, Some(encryption))?;
            let mut range: Option<(u64, u64)> = None;
            for slice in 0..slices as usize {
                let wanted = |unit| slice_bits(unit, bits, slice_count) == slice;
                let Some(sorted) = self.gather(&scratch, &name, &schema, &census, wanted)? else {
                    continue;
                };
                self.check_static(&sorted, &mut broken)?;
                let units = sorted.column(0).as_primitive::<UInt64Type>();
                let (first, last) = (units.value(0), units.value(units.len() - 1));
                range = Some((range.map_or(first, |(first, _)| first), last));
                write_units(&mut part, &sorted, profilers)?;
            }
            scratch.remove(&name)?;
            rows += part.rows();
            if let Some(units) = range {
                let rows = part.rows();
                clustered.parts.push(ClusteredPart {
                    object: part.finish()?,
                    rows,
                    units,
                });
            }
            self.watch.tell(Phase::Cluster, bucket as u64 + 1, buckets, rows);
        }
        if let Some(at) = broken.iter().position(|&units| units > 0) {
            let field = self.columns[at].name.as_str().to_owned();
            return Err(IngestError::UnitNotStatic {
                field,
                units: broken[at],
            });
        }
        Ok(clustered)
    }

    /// Counts the rows of each unit of a bucket, and finds which rows of the units over their cap stay: those first in
    /// the unit's keyed order.
    fn census(&self, scratch: &Scratch, name: &str) -> Result<Census, IngestError> {
        let mut census = Census {
            counts: HashMap::new(),
            limits: HashMap::new(),
            kept: 0,
            rows: 0,
        };
        let file = scratch.open(name)?.reader_at(0);
        for batch in StreamReader::try_new(file, Some(vec![0])).map_err(ipc)? {
            let batch = batch.map_err(ipc)?;
            for &unit in batch.column(0).as_primitive::<UInt64Type>().values() {
                let count = census.counts.entry(unit).or_insert(0);
                *count = count
                    .checked_add(1)
                    .ok_or(IngestError::Internal("counting the rows of a unit"))?;
                census.rows += 1;
            }
        }
        let cap = self.unit.max_rows_per_unit;
        for (&unit, &count) in &census.counts {
            census.kept += u64::from(count.min(cap));
            if count > cap {
                let mut least = BinaryHeap::with_capacity(cap as usize + 1);
                for nth in 0..count {
                    least.push((self.hasher.rank(unit, nth), nth));
                    if least.len() > cap as usize {
                        least.pop();
                    }
                }
                census.limits.extend(least.pop().map(|limit| (unit, limit)));
            }
        }
        Ok(census)
    }

    /// The kept rows of the wanted units of a bucket, sorted by unit and rank.
    fn gather(
        &self,
        scratch: &Scratch,
        name: &str,
        schema: &SchemaRef,
        census: &Census,
        wanted: impl Fn(u64) -> bool,
    ) -> Result<Option<RecordBatch>, IngestError> {
        let mut places: HashMap<u64, u32> = HashMap::new();
        let mut order: Vec<(u64, u64, u32, u32)> = Vec::new();
        let mut kept = Vec::new();
        let file = scratch.open(name)?.reader_at(0);
        for batch in StreamReader::try_new(file, None).map_err(ipc)? {
            let batch = batch.map_err(ipc)?;
            let mut rows: Vec<u32> = Vec::new();
            for (row, &unit) in batch
                .column(0)
                .as_primitive::<UInt64Type>()
                .values()
                .iter()
                .enumerate()
            {
                if !wanted(unit) {
                    continue;
                }
                let place = places.entry(unit).or_insert(0);
                let nth = *place;
                *place += 1;
                let rank = self.hasher.rank(unit, nth);
                if census.limits.get(&unit).is_none_or(|limit| (rank, nth) <= *limit) {
                    order.push((unit, rank, nth, order.len() as u32));
                    rows.push(row as u32);
                }
            }
            if !rows.is_empty() {
                kept.push(take_record_batch(&batch, &UInt32Array::from(rows)).map_err(arrow_error)?);
            }
        }
        if order.is_empty() {
            return Ok(None);
        }
        let all = concat_batches(schema, &kept).map_err(arrow_error)?;
        drop(kept);
        order.par_sort_unstable();
        let order: UInt32Array = order.into_iter().map(|(.., row)| row).collect();
        take_parallel(&all, &order).map(Some)
    }

    /// Counts, for each field declared as unit-static, the units with several values among sorted rows.
    fn check_static(&self, sorted: &RecordBatch, broken: &mut [u64]) -> Result<(), IngestError> {
        let units = sorted.column(0).as_primitive::<UInt64Type>().values();
        for (at, column) in self.columns.iter().enumerate() {
            if !column.declaration.as_ref().is_some_and(|field| field.unit_static) {
                continue;
            }
            let values = sorted.column(at + 1);
            let compare = make_comparator(values, values, SortOptions::default()).map_err(arrow_error)?;
            let mut counted = None;
            for row in 1..units.len() {
                let unit = units[row];
                if unit == units[row - 1] && counted != Some(unit) && compare(row - 1, row).is_ne() {
                    broken[at] += 1;
                    counted = Some(unit);
                }
            }
        }
        Ok(())
    }
}

/// Writes sorted rows, closing row groups at unit borders only.
fn write_units(
    part: &mut PartWriter,
    sorted: &RecordBatch,
    profilers: &mut [ColumnProfiler],
) -> Result<(), IngestError> {
    let units = sorted.column(0).as_primitive::<UInt64Type>().values();
    let mut start = 0;
    let mut border = 0;
    for row in 1..=units.len() {
        if row < units.len() && units[row] == units[row - 1] {
            continue;
        }
        part.note_unit(row - border);
        // The unit from `border` to `row` goes into the next row group if it does not fit.
        if part.overflows(row - start) && part.group_rows() + border - start > 0 {
            part.encode(&[sorted.slice(start, border - start)], profilers, 1)?;
            part.close_group()?;
            start = border;
        }
        border = row;
    }
    part.encode(&[sorted.slice(start, units.len() - start)], profilers, 1)?;
    part.close_large_group()
}
