//! The scan of one version's parts, in unit order.
//!
//! It is a plan node of its own, not DataFusion's listing: it reads exactly the granted parts, offers no repartitioning,
//! and checks what bounding rests on as it reads, namely that parts and row groups have disjoint, increasing unit ranges
//! and that every row lies in the range of its row group. A violation is an incident: no release of that version.
//!
//! Parts are encrypted (Parquet modular encryption, AES-256-GCM) and bound to their version and their place in it: one
//! that is plain, damaged, cut, of another version or moved does not open, which is an incident as well.
//!
//! Where a plan asks no row whose it is, the column of units is not read (docs/adr/0024): that no unit has too many rows was counted
//! when the part was written, and stands in its encrypted footer.

use std::any::Any;
use std::fmt;
use std::fs::File;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, NullArray, RecordBatch, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, UInt64Type};
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result as PlanResult};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use model::{FieldType, VersionId};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Encoding;
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use seal::DataKey;
use serde::{Deserialize, Serialize};

use crate::context::planner_type;
use crate::execute::{ExecutionError, Incident};
use crate::plan::{ScanColumn, integer_bounds};
use crate::scalar::Real;
use crate::source::ScanTable;

/// The keyed hash of the unit: first column of every part of a protected version.
pub const UNIT_COLUMN: &str = "__unit";

/// What a Parquet file with an encrypted footer begins and ends with. The reader would take a plain one as well, key or
/// not: whoever can write to the disk could put any rows there.
const ENCRYPTED: &[u8; 4] = b"PARE";

/// The longest dictionary of a column that is read as one, in compressed bytes: where batches with different dictionaries
/// are put together, these are merged.
const SMALL_DICTIONARY: i64 = 64 << 10;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// A granted Parquet file of the version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of the file, hexadecimal: its name in the store, checked when it was published.
    pub sha256: String,
    /// Its length in bytes, checked when it is opened.
    pub bytes: u64,
    /// Its rows, checked when it is opened.
    pub rows: u64,
    /// Its place among the parts of the version, from 0; it opens at no other.
    pub place: u32,
    /// The least and greatest unit in it.
    pub unit_range: (u64, u64),
}

/// Row groups of one part that are read one after another.
#[derive(Debug, Clone)]
struct Segment {
    part: usize,
    row_groups: RangeInclusive<usize>,
    rows: u64,
    units: (u64, u64),
    /// Whether the units are those that the part's own footer tells; else they are the grant's, and hold once rows were checked.
    told_by_part: bool,
}

/// How a scan is shared over partitions.
#[derive(Debug, Clone, Copy)]
pub enum Cut<'a> {
    /// Into so many runs with about the same number of rows.
    Into(usize),
    /// Where another scan was cut ([`UnitScanExec::cuts`]), so that a unit's rows of both lie in the same partition.
    At(&'a [u64]),
}

/// What one partition reads: the rows of these segments whose units lie in a range.
#[derive(Debug, Clone)]
struct Run {
    segments: Vec<Segment>,
    units: RangeInclusive<u64>,
}

#[derive(Debug)]
struct OpenPart {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// Where the units and the table's columns are in the file.
    projection: Vec<usize>,
    /// The most rows that any unit has in it, if the part says so.
    rows_per_unit: Option<u32>,
}

/// Reads the columns of a plan from granted parts; each partition is a run of segments.
#[derive(Debug)]
pub struct UnitScanExec {
    table: Arc<ScanTable>,
    granted: Arc<[Part]>,
    parts: Vec<Arc<OpenPart>>,
    partitions: Vec<Run>,
    tells_units: bool,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

/// The Arrow type in which a column leaves the scan: texts of few values as a dictionary, so that what is done with them is
/// done once for each value.
fn scan_type(column: &ScanColumn, few: bool) -> DataType {
    match column.field_type {
        FieldType::Text if few || column.domain.is_some() => dictionary(),
        other => planner_type(other),
    }
}

/// Whether every row group of a file has a small dictionary of all values of a column.
fn in_dictionary(metadata: &ParquetMetaData, column: usize) -> bool {
    let small = |column: &ColumnChunkMetaData| {
        let start = column.dictionary_page_offset();
        start.is_some_and(|start| column.data_page_offset().saturating_sub(start) <= SMALL_DICTIONARY)
    };
    let whole = |column: &ColumnChunkMetaData| {
        column.page_encoding_stats_mask().is_some_and(|pages| {
            pages.is_only(Encoding::RLE_DICTIONARY) || pages.is_only(Encoding::PLAIN_DICTIONARY)
        })
    };
    metadata.row_groups().iter().all(|group| {
        let column = group.columns().get(column);
        column.is_some_and(|column| small(column) && whole(column))
    })
}

/// The type of texts of few values.
pub(crate) fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Whether a stored type can hold values of a declared type.
fn stores(data_type: &DataType, field_type: FieldType) -> bool {
    match field_type {
        FieldType::Text => match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
            DataType::Dictionary(_, values) => stores(values, FieldType::Text),
            _ => false,
        },
        FieldType::Integer => data_type.is_integer(),
        FieldType::Number => data_type.is_floating() || data_type.is_integer(),
        FieldType::Boolean => *data_type == DataType::Boolean,
        FieldType::Date => *data_type == DataType::Date32,
        FieldType::Timestamp => matches!(data_type, DataType::Timestamp(..)),
    }
}

impl UnitScanExec {
    /// Opens the parts of a table, checks their order, and shares their row groups over partitions.
    ///
    /// # Errors
    /// [`ExecutionError::Incident`] if a part is not what the grant says, or ranges overlap; [`ExecutionError::Io`] if a
    /// file cannot be read.
    pub fn open(
        table: &ScanTable,
        parts: &[Part],
        key: &DataKey,
        cut: Cut<'_>,
    ) -> Result<Self, ExecutionError> {
        let columns = &table.columns;
        let mut open = Vec::with_capacity(parts.len());
        let mut segments = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let opened = open_part(part, table.version, key, columns)?;
            segments.extend(part_segments(index, part, &opened.metadata)?);
            open.push(opened);
        }
        let fields = columns.iter().enumerate().map(|(at, column)| {
            let few = open
                .iter()
                .all(|part| in_dictionary(part.metadata.metadata(), part.projection[at + 1]));
            Field::new(column.name.as_str(), scan_type(column, few), true)
        });
        let unit = Field::new(UNIT_COLUMN, DataType::UInt64, false);
        let schema = Arc::new(Schema::new(
            std::iter::once(unit).chain(fields).collect::<Vec<_>>(),
        ));
        let open = open
            .into_iter()
            .map(|part| Arc::new(part.read_as(&schema)))
            .collect();
        let mut before: Option<u64> = None;
        for segment in &segments {
            let (first, last) = segment.units;
            let (least, most) = parts[segment.part].unit_range;
            if first > last || before.is_some_and(|before| first <= before) {
                return Err(Incident::RangesOverlap.into());
            }
            if first < least || last > most {
                return Err(Incident::UnitOutsideRange.into());
            }
            before = Some(last);
        }
        let partitions = match cut {
            Cut::Into(partitions) => runs(share(segments, partitions.max(1))),
            Cut::At(cuts) if cuts.is_sorted_by(|a, b| a < b) => cut_at(&segments, cuts),
            // A unit between cuts out of order would be read twice.
            Cut::At(_) => return Err(ExecutionError::Internal),
        };
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Ok(Self {
            table: Arc::new(table.clone()),
            granted: parts.into(),
            parts: open,
            partitions,
            tells_units: true,
            schema,
            properties,
        })
    }

    /// The same rows without their units: the first column is NULL. Every part has to say that no unit has more rows in it
    /// than the table declares, for nobody can count them any more; every row group has to say between which units it lies, and to
    /// lie in one partition. Else the scan stays as it is.
    pub(crate) fn without_units(mut self) -> Self {
        let most = self.table.unit.max_rows_per_unit;
        let counted = |part: &Arc<OpenPart>| part.rows_per_unit.is_some_and(|rows| rows <= most);
        let whole = |run: &Run| {
            let mut segments = run.segments.iter();
            segments.all(|segment| segment.told_by_part && run.holds(segment))
        };
        if !self.parts.iter().all(counted) || !self.partitions.iter().all(whole) {
            return self;
        }
        let unit = Arc::new(Field::new(UNIT_COLUMN, DataType::Null, true));
        let columns = self.schema.fields().iter().skip(1).cloned();
        self.schema = Arc::new(Schema::new(
            std::iter::once(unit).chain(columns).collect::<Vec<_>>(),
        ));
        self.properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&self.schema)),
            Partitioning::UnknownPartitioning(self.partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        self.tells_units = false;
        self
    }

    /// Whether the rows come with their units.
    pub(crate) const fn tells_units(&self) -> bool {
        self.tells_units
    }

    /// What is read, from which parts.
    pub(crate) fn grant(&self) -> (&ScanTable, &[Part]) {
        (&self.table, &self.granted)
    }

    /// The least unit of every partition but the first.
    pub fn cuts(&self) -> Vec<u64> {
        self.partitions
            .iter()
            .skip(1)
            .map(|run| *run.units.start())
            .collect()
    }
}

/// Runs a step of the Parquet reader. A damaged length may trip an assertion in it: that too is data that cannot be read.
fn guarded<T, E>(step: impl FnOnce() -> Result<T, E>) -> Result<T, ExecutionError> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) | Err(_) => Err(Incident::Unreadable.into()),
    }
}

fn open_part(
    part: &Part,
    version: VersionId,
    key: &DataKey,
    columns: &[ScanColumn],
) -> Result<OpenPart, ExecutionError> {
    let file = File::open(&part.path).map_err(ExecutionError::io)?;
    if file.metadata().map_err(ExecutionError::io)?.len() != part.bytes {
        return Err(Incident::PartChanged.into());
    }
    let end = part.bytes.checked_sub(4).ok_or(Incident::Unreadable)?;
    for place in [0, end] {
        let mut mark = [0; 4];
        file.read_exact_at(&mut mark, place).map_err(ExecutionError::io)?;
        if mark != *ENCRYPTED {
            return Err(Incident::Unreadable.into());
        }
    }
    let decryption = FileDecryptionProperties::builder(key.expose().to_vec())
        .with_aad_prefix(seal::part_identity(version, part.place))
        .build()
        .map_err(|_| ExecutionError::Internal)?;
    let options = ArrowReaderOptions::new()
        .with_skip_arrow_metadata(false)
        .with_file_decryption_properties(decryption);
    let stored = guarded(|| ArrowReaderMetadata::load(&file, options))?;
    let schema = Arc::clone(stored.schema());
    let unit_first = schema
        .fields()
        .first()
        .is_some_and(|field| field.name() == UNIT_COLUMN && *field.data_type() == DataType::UInt64);
    if !unit_first {
        return Err(Incident::Schema.into());
    }
    let mut projection = vec![0];
    for column in columns {
        let at = schema
            .index_of(column.name.as_str())
            .map_err(|_| Incident::Schema)?;
        if at == 0 || !stores(schema.field(at).data_type(), column.field_type) {
            return Err(Incident::Schema.into());
        }
        projection.push(at);
    }
    let said = stored.metadata().file_metadata().key_value_metadata();
    let said = said.and_then(|said| said.iter().find(|pair| pair.key == seal::ROWS_PER_UNIT));
    let rows_per_unit = said.and_then(|pair| pair.value.as_deref()?.parse().ok());
    let rows: i64 = stored
        .metadata()
        .row_groups()
        .iter()
        .map(RowGroupMetaData::num_rows)
        .sum();
    if u64::try_from(rows) != Ok(part.rows) {
        return Err(Incident::PartChanged.into());
    }
    Ok(OpenPart {
        path: part.path.clone(),
        metadata: stored,
        projection,
        rows_per_unit,
    })
}

impl Run {
    /// Whether it has all units of a segment.
    fn holds(&self, segment: &Segment) -> bool {
        self.units.contains(&segment.units.0) && self.units.contains(&segment.units.1)
    }
}

impl OpenPart {
    /// Which columns of the file are read.
    fn read(&self, tells_units: bool) -> &[usize] {
        &self.projection[usize::from(!tells_units)..]
    }

    /// The same, its texts read in the types of a scan.
    fn read_as(mut self, scan: &Schema) -> Self {
        let schema = Arc::clone(self.metadata.schema());
        let mut hinted: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
        for (at, wanted) in self.projection.iter().zip(scan.fields()) {
            if stores(wanted.data_type(), FieldType::Text) {
                hinted[*at] = Arc::new(
                    schema
                        .field(*at)
                        .clone()
                        .with_data_type(wanted.data_type().clone()),
                );
            }
        }
        let hinted = Arc::new(Schema::new_with_metadata(hinted, schema.metadata().clone()));
        let hints = ArrowReaderOptions::new().with_schema(hinted);
        // A stored type that takes no hint is cast after reading instead.
        if let Ok(metadata) = ArrowReaderMetadata::try_new(Arc::clone(self.metadata.metadata()), hints) {
            self.metadata = metadata;
        }
        self
    }
}

/// One segment per row group where the file says which units each holds, else one for the part.
fn part_segments(
    part: usize,
    granted: &Part,
    metadata: &ArrowReaderMetadata,
) -> Result<Vec<Segment>, ExecutionError> {
    let groups = metadata.metadata().row_groups();
    let mut segments = Vec::with_capacity(groups.len());
    for (at, group) in groups.iter().enumerate() {
        let rows = u64::try_from(group.num_rows()).map_err(|_| Incident::Unreadable)?;
        if rows == 0 {
            continue;
        }
        let Some(units) = unit_statistics(group) else {
            let all = Segment {
                part,
                row_groups: 0..=groups.len() - 1,
                rows: granted.rows,
                units: granted.unit_range,
                told_by_part: false,
            };
            return Ok(vec![all]);
        };
        segments.push(Segment {
            part,
            row_groups: at..=at,
            rows,
            units,
            told_by_part: true,
        });
    }
    Ok(segments)
}

fn unit_statistics(group: &RowGroupMetaData) -> Option<(u64, u64)> {
    let statistics = group.columns().first()?.statistics()?;
    match statistics {
        Statistics::Int64(s) if !statistics.is_min_max_deprecated() => {
            Some((s.min_opt()?.cast_unsigned(), s.max_opt()?.cast_unsigned()))
        }
        _ => None,
    }
}

/// Runs of neighbouring segments with about the same number of rows.
fn share(segments: Vec<Segment>, partitions: usize) -> Vec<Vec<Segment>> {
    let total: u64 = segments.iter().map(|s| s.rows).sum();
    let each = total.div_ceil(partitions as u64).max(1);
    let mut runs: Vec<Vec<Segment>> = vec![vec![]];
    let mut rows = 0;
    for segment in segments {
        if rows >= each * runs.len() as u64 && runs.len() < partitions {
            runs.push(vec![]);
        }
        rows += segment.rows;
        if let Some(run) = runs.last_mut() {
            run.push(segment);
        }
    }
    runs
}

/// Runs with the ranges of units between them.
fn runs(shared: Vec<Vec<Segment>>) -> Vec<Run> {
    let firsts: Vec<Option<u64>> = shared
        .iter()
        .map(|segments| segments.first().map(|segment| segment.units.0))
        .collect();
    let last = shared.len().saturating_sub(1);
    let range = |at: usize| {
        let start = if at == 0 {
            0
        } else {
            firsts[at].unwrap_or(u64::MAX)
        };
        let end = if at == last {
            u64::MAX
        } else {
            firsts[at + 1].map_or(u64::MAX, |next| next.saturating_sub(1))
        };
        start..=end
    };
    let ranges: Vec<_> = (0..shared.len()).map(range).collect();
    let runs = shared.into_iter().zip(ranges);
    runs.map(|(segments, units)| Run { segments, units }).collect()
}

/// The segments that have units between neighbouring cuts; one that lies over a cut is read on both of its sides.
fn cut_at(segments: &[Segment], cuts: &[u64]) -> Vec<Run> {
    (0..=cuts.len())
        .map(|at| {
            let start = if at == 0 { 0 } else { cuts[at - 1] };
            let end = cuts.get(at).map_or(u64::MAX, |next| next.saturating_sub(1));
            let within = |segment: &&Segment| segment.units.0 <= end && segment.units.1 >= start;
            Run {
                segments: segments.iter().filter(within).cloned().collect(),
                units: start..=end,
            }
        })
        .collect()
}

impl DisplayAs for UnitScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = if self.tells_units { "" } else { ", without units" };
        write!(f, "UnitScanExec: partitions={}{units}", self.partitions.len())
    }
}

impl ExecutionPlan for UnitScanExec {
    fn name(&self) -> &'static str {
        "UnitScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let run = self.partitions.get(partition).cloned();
        let run = run.ok_or_else(|| DataFusionError::External(Box::new(ExecutionError::Internal)))?;
        let reader = SegmentReader {
            table: Arc::clone(&self.table),
            parts: self.parts.clone(),
            schema: Arc::clone(&self.schema),
            tells_units: self.tells_units,
            segments: run.segments.clone().into_iter(),
            run,
            open: None,
            failed: false,
        };
        let batches = reader.map(|batch| batch.map_err(|e| DataFusionError::External(Box::new(e))));
        let stream = futures::stream::iter(batches);
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream,
        )))
    }
}

type Reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader;

struct SegmentReader {
    table: Arc<ScanTable>,
    parts: Vec<Arc<OpenPart>>,
    schema: SchemaRef,
    tells_units: bool,
    segments: std::vec::IntoIter<Segment>,
    run: Run,
    open: Option<(Reader, Segment)>,
    failed: bool,
}

impl Iterator for SegmentReader {
    type Item = Result<RecordBatch, ExecutionError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let batch = self.advance().transpose();
        self.failed = matches!(batch, Some(Err(_)));
        batch
    }
}

impl SegmentReader {
    fn advance(&mut self) -> Result<Option<RecordBatch>, ExecutionError> {
        loop {
            if let Some((reader, segment)) = &mut self.open {
                match guarded(|| reader.next().transpose())? {
                    Some(batch) => {
                        let (units, inside) = (segment.units, self.run.holds(segment));
                        let part = Arc::clone(&self.parts[segment.part]);
                        let batch = self.prepare(&batch, &part, units)?;
                        return if inside {
                            Ok(Some(batch))
                        } else {
                            self.within(&batch).map(Some)
                        };
                    }
                    None => self.open = None,
                }
            }
            let Some(segment) = self.segments.next() else {
                return Ok(None);
            };
            let part = &self.parts[segment.part];
            let file = File::open(&part.path).map_err(ExecutionError::io)?;
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, part.metadata.clone());
            let read = part.read(self.tells_units).iter().copied();
            let mask = ProjectionMask::roots(builder.parquet_schema(), read);
            let builder = builder
                .with_row_groups(segment.row_groups.clone().collect())
                .with_projection(mask)
                .with_batch_size(BATCH_ROWS);
            let reader = guarded(|| builder.build())?;
            self.open = Some((reader, segment));
        }
    }

    /// The rows of a batch whose units this partition has.
    fn within(&self, batch: &RecordBatch) -> Result<RecordBatch, ExecutionError> {
        let units = batch.column(0).as_primitive_opt::<UInt64Type>();
        let units = units.ok_or(ExecutionError::Internal)?.values();
        if !units.is_sorted() {
            return Err(Incident::OutOfOrder.into());
        }
        let start = units.partition_point(|unit| unit < self.run.units.start());
        let end = units.partition_point(|unit| unit <= self.run.units.end());
        Ok(batch.slice(start, end - start))
    }

    /// Brings a batch into the scan's schema: checked units, clamped numbers, civil times.
    fn prepare(
        &self,
        batch: &RecordBatch,
        part: &OpenPart,
        (first, last): (u64, u64),
    ) -> Result<RecordBatch, ExecutionError> {
        let units: ArrayRef = if self.tells_units {
            let units = batch
                .column(0)
                .as_primitive_opt::<UInt64Type>()
                .ok_or(Incident::Schema)?;
            let outside = |unit: &u64| *unit < first || *unit > last;
            if units.null_count() > 0 || units.values().iter().any(outside) {
                return Err(Incident::UnitOutsideRange.into());
            }
            Arc::clone(batch.column(0))
        } else {
            Arc::new(NullArray::new(batch.num_rows()))
        };
        // The reader gives columns in the file's order.
        let mut in_file: Vec<usize> = part.read(self.tells_units).to_vec();
        in_file.sort_unstable();
        in_file.dedup();
        let mut arrays: Vec<ArrayRef> = vec![units];
        for (column, stored) in self.table.columns.iter().zip(&part.projection[1..]) {
            let at = in_file.binary_search(stored).map_err(|_| Incident::Schema)?;
            let wanted = self.schema.field(arrays.len()).data_type();
            arrays.push(normalise(batch.column(at), column, wanted, &self.table.zone)?);
        }
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(|_| ExecutionError::Internal)
    }
}

fn normalise(
    array: &ArrayRef,
    column: &ScanColumn,
    wanted: &DataType,
    zone: &str,
) -> Result<ArrayRef, ExecutionError> {
    let convert = |array: &ArrayRef, to: &DataType| -> Result<ArrayRef, ExecutionError> {
        if array.data_type() == to {
            return Ok(Arc::clone(array));
        }
        cast(array, to).map_err(|_| Incident::Schema.into())
    };
    match column.field_type {
        FieldType::Text | FieldType::Boolean | FieldType::Date => convert(array, wanted),
        FieldType::Integer => {
            let array = convert(array, wanted)?;
            let Some((lo, hi)) = column.bounds else {
                return Ok(array);
            };
            let (lo, hi) = integer_bounds(lo, hi);
            let values = array.as_primitive::<Int64Type>();
            if values.values().iter().all(|v| (lo..=hi).contains(v)) {
                return Ok(array);
            }
            Ok(Arc::new(values.unary::<_, Int64Type>(|v| v.clamp(lo, hi))))
        }
        FieldType::Number => {
            let array = convert(array, wanted)?;
            let (lo, hi) = match column.bounds {
                Some((lo, hi)) => (lo.get(), hi.get()),
                None => (f64::MIN, f64::MAX),
            };
            let values = array
                .as_any()
                .downcast_ref::<Float64Array>()
                .ok_or(Incident::Schema)?;
            let negative_zero = (-0.0f64).to_bits();
            if values
                .values()
                .iter()
                .all(|v| *v >= lo && *v <= hi && v.to_bits() != negative_zero)
            {
                return Ok(array);
            }
            // NaN and infinities are missing; the rest is clamped.
            let tidy = |v: Option<f64>| v.and_then(Real::new).map(|v| v.get().clamp(lo, hi));
            Ok(Arc::new(values.iter().map(tidy).collect::<Float64Array>()))
        }
        FieldType::Timestamp => {
            let micros = match array.data_type() {
                DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
                _ => return Err(Incident::Schema.into()),
            };
            let array = convert(array, &micros)?;
            if micros == *wanted {
                Ok(array)
            } else {
                civil(&array, zone)
            }
        }
    }
}

/// Instants become civil times of the dataset's zone; offsets are looked up once per stretch between transitions.
fn civil(array: &ArrayRef, zone: &str) -> Result<ArrayRef, ExecutionError> {
    let instants = array
        .as_primitive_opt::<arrow::datatypes::TimestampMicrosecondType>()
        .ok_or(Incident::Schema)?;
    let zone = jiff::tz::TimeZone::get(zone).map_err(|_| ExecutionError::Internal)?;
    let micros = |t: jiff::Timestamp| t.as_microsecond();
    let mut stretch = 0..0;
    let mut shift = 0;
    let shifted = instants.iter().map(|instant| {
        let instant = instant?;
        if !stretch.contains(&instant) {
            let moment = jiff::Timestamp::from_microsecond(instant).ok()?;
            shift = i64::from(zone.to_offset(moment).seconds()) * 1_000_000;
            let start = zone
                .preceding(moment)
                .next()
                .map_or(i64::MIN, |t| micros(t.timestamp()));
            let end = zone
                .following(moment)
                .next()
                .map_or(i64::MAX, |t| micros(t.timestamp()));
            stretch = start.max(instant)..end;
        }
        instant.checked_add(shift)
    });
    Ok(Arc::new(shifted.collect::<TimestampMicrosecondArray>()))
}

/// A plan node as this scan, if it is one.
pub(crate) fn unit_scan(plan: &dyn ExecutionPlan) -> Option<&UnitScanExec> {
    (plan as &dyn Any).downcast_ref::<UnitScanExec>()
}
