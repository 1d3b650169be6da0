//! The two passes put together.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use model::{DeclaredMetadata, FieldRole, Level, UnitType, VersionId};
use rayon::prelude::*;
use seal::DataKey;
use storage::{
    Distribution, DistributionFormat, Manifest, ManifestField, OpenStore, Part, PendingObject,
    QuarantineStore, SandboxStore, StoredObject,
};

use crate::batch::{array, schema};
use crate::cluster::{Clustering, Spill, UNIT_COLUMN};
use crate::distribution;
use crate::error::IngestError;
use crate::input::Source;
use crate::options::{DetectLimits, Detection, Glance, IngestOptions, SourceFormat};
use crate::parquet_input::Batches;
use crate::part::PartWriter;
use crate::profile::{ColumnProfile, ColumnProfiler, Profile};
use crate::progress::{Phase, Watch};
use crate::record::split;
use crate::source::{Window, Windows};
use crate::survey::{Column, Survey, survey};
use crate::unit::UnitSecret;

/// What is to become of a file.
#[derive(Debug, Clone)]
pub struct IngestPlan {
    /// The version whose objects are written.
    pub version: VersionId,
    /// The dataset's level: L1 goes to [`Destination::Open`], L2 and L3 to [`Destination::Sandbox`].
    pub level: Level,
    /// Corrections of what detection proposes.
    pub options: IngestOptions,
    /// What is declared; its names and types rule. Needed, with a unit, for protected data.
    pub declared: Option<DeclaredMetadata>,
    /// The download formats of an open version. The Parquet part is there in any case; it is a download if named.
    pub formats: Vec<DistributionFormat>,
    /// The most rows of a Parquet row group, [`ROW_GROUP_ROWS`](crate::ROW_GROUP_ROWS) if there is no reason for
    /// another number.
    pub row_group_rows: usize,
    /// Limits of reading.
    pub limits: DetectLimits,
}

/// Where a version goes: the types keep open and protected apart.
#[derive(Debug, Clone, Copy)]
pub enum Destination<'a> {
    /// Public files.
    Open(&'a OpenStore),
    /// A protected copy.
    Sandbox {
        /// Where the copy goes.
        store: &'a SandboxStore,
        /// Where rows are spilled while they are sorted.
        quarantine: &'a QuarantineStore,
        /// The secret of the declared unit type.
        secret: &'a UnitSecret,
        /// The data key of the copy, fresh for each.
        key: &'a DataKey,
    },
}

/// Rows that are not in the copy. Trusted roles only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Rows without a valid unit key.
    pub invalid_key: u64,
    /// Rows beyond the declared maximum of their unit.
    pub over_cap: u64,
}

/// A version whose objects are in place, not yet current.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What it is made of.
    pub manifest: Manifest,
    /// What its columns are like; of protected data for trusted roles only. Of identifiers, which are not in the copy,
    /// over all rows of the file, and without values.
    pub profile: Profile,
    /// How the file was read.
    pub detection: Detection,
    /// Rows left out of a protected copy.
    pub dropped: Dropped,
    /// Units in a protected copy.
    pub units: Option<u64>,
}

fn in_pool<T: Send>(
    limits: &DetectLimits,
    work: impl FnOnce() -> Result<T, IngestError> + Send,
) -> Result<T, IngestError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(limits.threads.max(1))
        .build();
    pool.map_err(|_| IngestError::Internal("starting threads"))?
        .install(work)
}

/// Looks at a whole file: encoding, dialect, columns, their types over all rows. What it proposes can be corrected
/// through `options`.
///
/// # Errors
/// What is wrong with the file, see [`IngestError`].
pub fn detect(
    source: impl Into<Source>,
    options: &IngestOptions,
    declared: Option<&DeclaredMetadata>,
    limits: &DetectLimits,
    watch: &Watch<'_>,
) -> Result<Detection, IngestError> {
    let source = source.into();
    in_pool(limits, || {
        survey(&source, options, declared, limits, watch).map(|survey| survey.detection)
    })
}

/// Looks at the beginning of a file, within a moment whatever its size, and shows so many of its rows. Columns that are
/// not declared, or declared and not there, are no errors yet.
///
/// # Errors
/// What is wrong with the beginning of the file, see [`IngestError`].
pub fn glance(
    source: impl Into<Source>,
    options: &IngestOptions,
    declared: Option<&DeclaredMetadata>,
    limits: &DetectLimits,
    rows: usize,
) -> Result<Glance, IngestError> {
    crate::survey::glance(&source.into(), options, declared, limits, rows)
}

/// Reads, converts, profiles and publishes a file as the objects of a version.
///
/// # Errors
/// What is wrong with the file, the plan or the disk, see [`IngestError`]; nothing is visible then but, after a failure
/// of the disk while renaming, whole objects that no manifest names.
pub fn ingest(
    source: impl Into<Source>,
    plan: &IngestPlan,
    destination: Destination<'_>,
    watch: &Watch<'_>,
) -> Result<Outcome, IngestError> {
    check_levels(plan, &destination)?;
    let source = source.into();
    in_pool(&plan.limits, || {
        let survey = survey(
            &source,
            &plan.options,
            plan.declared.as_ref(),
            &plan.limits,
            watch,
        )?;
        let protected = matches!(destination, Destination::Sandbox { .. });
        if survey.detection.rows == 0 && (protected || plan.declared.is_none()) {
            return Err(IngestError::HeaderOnly);
        }
        match destination {
            Destination::Open(store) => ingest_open(plan, survey, store, watch),
            Destination::Sandbox {
                store,
                quarantine,
                secret,
                key,
            } => ingest_protected(plan, survey, store, quarantine, (secret, key), watch),
        }
    })
}

fn check_levels(plan: &IngestPlan, destination: &Destination<'_>) -> Result<(), IngestError> {
    let fits = match destination {
        Destination::Open(_) => plan.level.is_open(),
        Destination::Sandbox { .. } => plan.level.is_conditional(),
    };
    if !fits
        || plan
            .declared
            .as_ref()
            .is_some_and(|declared| declared.least_level() > plan.level)
    {
        return Err(IngestError::WrongLevel);
    }
    let unit = plan.declared.as_ref().and_then(DeclaredMetadata::unit);
    if matches!(destination, Destination::Sandbox { .. }) && unit.is_none() {
        return Err(IngestError::NeedsDeclaration);
    }
    Ok(())
}

/// The second pass over a file, a stretch at a time.
enum Input {
    Csv(Windows),
    Parquet(Box<Batches>),
}

enum Stretch {
    Window(Window),
    Batch(RecordBatch),
}

impl Input {
    fn open(survey: &Survey, limits: &DetectLimits) -> Result<Self, IngestError> {
        Ok(match survey.detection.format {
            SourceFormat::Csv => Self::Csv(survey.windows(limits)?),
            SourceFormat::Parquet => Self::Parquet(Box::new(Batches::open(survey, limits)?)),
        })
    }

    fn next(&mut self) -> Result<Option<Stretch>, IngestError> {
        Ok(match self {
            Self::Csv(windows) => windows.next()?.map(Stretch::Window),
            Self::Parquet(batches) => batches.next()?.map(Stretch::Batch),
        })
    }
}

/// Reads all rows, handing them on in order: the next stretch is read while one is converted.
fn each_stretch(
    plan: &IngestPlan,
    survey: &Survey,
    schema: &SchemaRef,
    watch: &Watch<'_>,
    mut take: impl FnMut(Vec<RecordBatch>) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let mut input = Input::open(survey, &plan.limits)?;
    let mut rows = 0;
    let mut current = input.next()?;
    while let Some(stretch) = current {
        watch.check()?;
        let read = match &stretch {
            Stretch::Window(window) => window.read,
            Stretch::Batch(_) => survey.bytes * rows / survey.detection.rows.max(1),
        };
        let (converted, following) =
            rayon::join(|| convert(stretch, survey, schema, &plan.limits), || input.next());
        let batches = converted?;
        rows += batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
        take(batches)?;
        watch.tell(Phase::Convert, read, survey.bytes, rows);
        current = following?;
    }
    Ok(())
}

fn convert(
    stretch: Stretch,
    survey: &Survey,
    schema: &SchemaRef,
    limits: &DetectLimits,
) -> Result<Vec<RecordBatch>, IngestError> {
    let window = match stretch {
        Stretch::Batch(batch) => return Ok(vec![batch]),
        Stretch::Window(window) => window,
    };
    let width = survey.detection.columns.len();
    let batches: Vec<Result<RecordBatch, IngestError>> = window
        .chunks()
        .into_par_iter()
        .map(|chunk| {
            let fields = split(chunk, survey.dialect, width, limits)?;
            let arrays: Result<Vec<_>, _> = survey
                .columns
                .iter()
                .map(|column| array(&fields, column, &survey.zone))
                .collect();
            let options = RecordBatchOptions::new().with_row_count(Some(fields.rows()));
            RecordBatch::try_new_with_options(SchemaRef::clone(schema), arrays?, &options)
                .map_err(|_| IngestError::Internal("building columns"))
        })
        .collect();
    // In file order, so that the first fault is the one told.
    batches.into_iter().collect()
}

fn ingest_open(
    plan: &IngestPlan,
    survey: Survey,
    store: &OpenStore,
    watch: &Watch<'_>,
) -> Result<Outcome, IngestError> {
    store.check_space(survey.bytes / 2)?;
    let schema = schema(&survey.columns);
    let count = survey.columns.len();
    let mut profilers: Vec<_> = survey
        .columns
        .iter()
        .map(|column| ColumnProfiler::new(column, count))
        .collect();
    let mut part = PartWriter::new(
        store.begin(plan.version, "parquet")?,
        SchemaRef::clone(&schema),
        plan.row_group_rows,
        None,
    )?;
    each_stretch(plan, &survey, &schema, watch, |batches| {
        part.append(&batches, &mut profilers)
    })?;
    let rows = part.rows();
    let mut part = part.finish()?;
    let others = distribution::write(store, plan.version, &plan.formats, &mut part, rows, watch)?;
    watch.check()?;
    watch.tell(Phase::Publish, 0, 1, rows);
    let (formats, mut objects): (Vec<_>, Vec<_>) = others.into_iter().unzip();
    objects.push(part);
    let mut stored = publish_all(objects)?;
    let part = stored.pop().ok_or(IngestError::Internal("publishing"))?;
    let mut distributions: Vec<Distribution> = formats
        .into_iter()
        .zip(stored)
        .map(|(format, object)| distribution_of(format, object))
        .collect();
    if plan.formats.contains(&DistributionFormat::Parquet) {
        distributions.push(distribution_of(DistributionFormat::Parquet, part.clone()));
    }
    distributions.sort_by_key(|file| file.format);
    let part = Part {
        name: part.name,
        sha256: part.sha256,
        bytes: part.bytes,
        rows,
        unit_range: None,
    };
    let manifest = Manifest {
        version: plan.version,
        fields: manifest_fields(&survey.columns),
        rows,
        clustered: false,
        parts: vec![part],
        distributions,
    };
    manifest.check()?;
    watch.tell(Phase::Publish, 1, 1, rows);
    let columns = profilers
        .into_iter()
        .map(|profiler| profiler.finish(false))
        .collect();
    let profile = Profile { rows, columns };
    Ok(Outcome {
        manifest,
        profile,
        detection: survey.detection,
        dropped: Dropped::default(),
        units: None,
    })
}

fn distribution_of(format: DistributionFormat, object: StoredObject) -> Distribution {
    Distribution {
        format,
        name: object.name,
        sha256: object.sha256,
        bytes: object.bytes,
        media_type: format.media_type().to_owned(),
    }
}

fn manifest_fields<'a>(columns: impl IntoIterator<Item = &'a Column>) -> Vec<ManifestField> {
    let field = |column: &Column| ManifestField {
        name: column.name.clone(),
        field_type: column.field_type,
    };
    columns.into_iter().map(field).collect()
}

/// Syncs all objects, so that a full disk shows before any is visible, then renames them.
fn publish_all(mut objects: Vec<PendingObject>) -> Result<Vec<StoredObject>, IngestError> {
    for object in &mut objects {
        object.sync()?;
    }
    objects
        .into_iter()
        .map(|object| object.publish().map_err(IngestError::from))
        .collect()
}

fn ingest_protected(
    plan: &IngestPlan,
    survey: Survey,
    store: &SandboxStore,
    quarantine: &QuarantineStore,
    (secret, key): (&UnitSecret, &DataKey),
    watch: &Watch<'_>,
) -> Result<Outcome, IngestError> {
    let declared = plan.declared.as_ref().ok_or(IngestError::NeedsDeclaration)?;
    let unit = declared.unit().ok_or(IngestError::NeedsDeclaration)?;
    // Rows are in quarantine twice and in the copy once.
    quarantine.check_space(survey.bytes)?;
    store.check_space(survey.bytes)?;
    let role = |column: &Column| {
        column
            .declaration
            .as_ref()
            .map_or(FieldRole::UnitKey, |field| field.role)
    };
    let kept: Vec<usize> = (0..survey.columns.len())
        .filter(|&at| role(&survey.columns[at]).in_sandbox_copy())
        .collect();
    let identifiers: Vec<usize> = (0..survey.columns.len())
        .filter(|at| !kept.contains(at))
        .collect();
    let unit_key = survey
        .columns
        .iter()
        .position(|column| role(column) == FieldRole::UnitKey);
    let kept_columns: Vec<Column> = kept.iter().map(|&at| survey.columns[at].clone()).collect();
    let count = survey.columns.len();
    let profiler = |column: &Column| ColumnProfiler::new(column, count);
    let mut profilers: Vec<_> = kept_columns.iter().map(profiler).collect();
    let mut identifier_profilers: Vec<_> = identifiers
        .iter()
        .map(|&at| profiler(&survey.columns[at]))
        .collect();

    let source_schema = schema(&survey.columns);
    let copy_schema = copy_schema(&kept_columns);
    let hasher = secret.hasher(unit.unit_type);
    let mut spill = Spill::new(quarantine, SchemaRef::clone(&copy_schema), survey.bytes)?;
    let mut dropped = Dropped::default();
    let (mut read, mut valid) = (0u64, 0u64);
    each_stretch(plan, &survey, &source_schema, watch, |batches| {
        let batch =
            concat_batches(&source_schema, &batches).map_err(|_| IngestError::Internal("joining batches"))?;
        drop(batches);
        for (profiler, &at) in identifier_profilers.iter_mut().zip(&identifiers) {
            profiler.update(batch.column(at));
        }
        let rows = batch.num_rows();
        let units: Vec<Option<u64>> = match (unit.unit_type, unit_key) {
            (UnitType::Row, _) => {
                let version = plan.version.as_uuid().as_u128();
                (0..rows as u64)
                    .map(|row| Some(hasher.row(version, read + row)))
                    .collect()
            }
            (_, Some(at)) => {
                let keys = cast(batch.column(at), &DataType::Utf8)
                    .map_err(|_| IngestError::Internal("reading unit keys"))?;
                let keys = keys.as_string::<i32>();
                let unit = |row: usize| keys.is_valid(row).then(|| hasher.unit(keys.value(row))).flatten();
                (0..rows).into_par_iter().map(unit).collect()
            }
            (_, None) => return Err(IngestError::NeedsDeclaration),
        };
        read += rows as u64;
        let fine = units.iter().filter(|unit| unit.is_some()).count();
        dropped.invalid_key += (rows - fine) as u64;
        valid += fine as u64;
        if valid > unit.max_rows {
            return Err(IngestError::TooManyRows { limit: unit.max_rows });
        }
        let copy = copy_batch(&batch, &kept, &copy_schema, &units, fine < rows)?;
        spill.add(&copy)
    })?;
    if valid == 0 {
        return Err(IngestError::NoValidUnit);
    }
    let clustering = Clustering {
        store,
        version: plan.version,
        key,
        unit,
        hasher: &hasher,
        columns: &kept_columns,
        row_group_rows: plan.row_group_rows,
        sort_bytes: plan.limits.sort_bytes,
        watch,
    };
    let clustered = clustering.sort(spill, &mut profilers)?;
    dropped.over_cap = clustered.over_cap;
    watch.check()?;
    let rows = clustered.parts.iter().map(|part| part.rows).sum();
    watch.tell(Phase::Publish, 0, 1, rows);
    let ranges: Vec<_> = clustered
        .parts
        .iter()
        .map(|part| (part.rows, part.units))
        .collect();
    let stored = publish_all(clustered.parts.into_iter().map(|part| part.object).collect())?;
    let parts = stored
        .into_iter()
        .zip(ranges)
        .map(|(object, (rows, units))| Part {
            name: object.name,
            sha256: object.sha256,
            bytes: object.bytes,
            rows,
            unit_range: Some(units),
        });
    let manifest = Manifest {
        version: plan.version,
        fields: manifest_fields(&kept_columns),
        rows,
        clustered: true,
        parts: parts.collect(),
        distributions: Vec::new(),
    };
    manifest.check()?;
    watch.tell(Phase::Publish, 1, 1, rows);
    let mut columns: Vec<(usize, ColumnProfile)> = kept
        .into_iter()
        .zip(profilers)
        .map(|(at, profiler)| (at, profiler.finish(false)))
        .collect();
    columns.extend(
        identifiers
            .into_iter()
            .zip(identifier_profilers)
            .map(|(at, p)| (at, p.finish(true))),
    );
    columns.sort_by_key(|(at, _)| *at);
    let profile = Profile {
        rows,
        columns: columns.into_iter().map(|(_, column)| column).collect(),
    };
    Ok(Outcome {
        manifest,
        profile,
        detection: survey.detection,
        dropped,
        units: Some(clustered.units),
    })
}

fn copy_schema(columns: &[Column]) -> SchemaRef {
    let unit = Arc::new(Field::new(UNIT_COLUMN, DataType::UInt64, false));
    let others = schema(columns);
    Arc::new(Schema::new(
        std::iter::once(unit)
            .chain(others.fields().iter().cloned())
            .collect::<Vec<_>>(),
    ))
}

/// The rows with a valid unit, without identifiers, the unit first.
fn copy_batch(
    batch: &RecordBatch,
    kept: &[usize],
    schema: &SchemaRef,
    units: &[Option<u64>],
    filter: bool,
) -> Result<RecordBatch, IngestError> {
    let hashes = UInt64Array::from_iter_values(units.iter().map(|unit| unit.unwrap_or(0)));
    let mut columns: Vec<ArrayRef> = vec![Arc::new(hashes)];
    columns.extend(kept.iter().map(|&at| ArrayRef::clone(batch.column(at))));
    let copy = RecordBatch::try_new(SchemaRef::clone(schema), columns);
    let copy = copy.map_err(|_| IngestError::Internal("building the copy"))?;
    if !filter {
        return Ok(copy);
    }
    let mask: BooleanArray = units.iter().map(|unit| Some(unit.is_some())).collect();
    filter_record_batch(&copy, &mask).map_err(|_| IngestError::Internal("dropping rows"))
}
