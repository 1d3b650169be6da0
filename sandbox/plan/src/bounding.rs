//! Bounding: one fused operator that limits what each privacy unit adds to the totals (privacy.md "Bounding").
//!
//! # What is proved
//! *Assumed:* rows of a unit stand together (the order is checked row by row, and the scan has checked that no unit is
//! split over segments), and the hash key is secret and fixed per version.
//! *Guaranteed, for any rows whatever:* adding or removing one unit changes the totals of aggregate *a* by an integer
//! vector whose squared L2 norm is at most [`Aggregate::sensitivity_squared`].
//! *Why:* totals are sums over units of vectors that depend on that unit's rows (and the key) alone, so the change is the
//! unit's own vector. That vector has at most C non-zero cells per aggregate, because at most C slots exist; each entry is
//! clamped to ± `unit_most`; and the vector is finally scaled down, toward zero, onto the ball of the declared radius.
//! Counts of distinct values are no sums, but sizes of unions over units of sets of at most m values in at most C cells:
//! a union grows by no more than the unit's own set, whichever values others have, and which of a unit's values are in its
//! set depends on that unit's rows (and the key) alone.
//! Totals are exact integers in 128 bits, so the order of addition and the number of partitions cannot show.

mod by_row;
mod numbered;
mod open_keys;
mod shared;
mod unit;

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Decimal128Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Field, Float64Type, Int32Type, Int64Type, Schema, SchemaRef,
    TimestampMicrosecondType, UInt64Type,
};
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result as PlanResult};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use crate::eval::{self, EvalError};
use crate::execute::ExecutionError;
use crate::plan::{Aggregate, AggregateFunction, Candidates, GroupKey, KeyCells, PlanCore, Quantile};
use crate::scalar::ScalarExpr;

use by_row::ByRow;
use numbered::Numbered;
pub(crate) use open_keys::OpenKeys;
use unit::{ChosenValue, NO_PLACE, NO_VALUE, OpenUnit, Rows};

/// The secret by which a unit with too many groups keeps the same C of them every time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupKeySecret(pub [u8; 16]);

impl GroupKeySecret {
    fn of_listed(&self, unit: u64, cell: u32) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u64(unit);
        hasher.write_u32(cell);
        hasher.finish()
    }

    /// What a value is told from others by.
    fn of_value(&self, value: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(b"distinct value");
        hasher.write(value);
        hasher.finish()
    }

    /// By which the values of a unit are chosen.
    fn of_choice(&self, unit: u64, value: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u64(unit);
        hasher.write_u64(value);
        hasher.finish()
    }

    fn of_found(&self, unit: u64, cell: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write_u64(unit);
        hasher.write(cell);
        hasher.finish()
    }
}

impl fmt::Debug for GroupKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupKeySecret(…)")
    }
}

/// Adds up bounded contributions, batch by batch, in unit order.
#[derive(Debug)]
pub struct Bounding {
    /// The plan, its common parts taken out.
    core: Arc<PlanCore>,
    /// The common parts: columns behind those of the source.
    parts: Vec<ScalarExpr>,
    secret: GroupKeySecret,
    texts: Vec<HashMap<String, u32>>,
    strides: Vec<u64>,
    cells: Vec<u32>,
    state: State,
}

/// What is kept between batches.
#[derive(Debug)]
enum State {
    /// Every row adds on its own.
    ByRow(ByRow),
    /// Cells are known beforehand, and have numbers.
    Listed {
        unit: OpenUnit<u32>,
        totals: Vec<i128>,
        /// Values for each candidate of the quantiles, cell by cell.
        counted: Vec<u64>,
        distinct: Distinct,
    },
    /// Cells are found, all of them, and numbered as they are met.
    Numbered { unit: OpenUnit<u32>, found: Numbered },
    /// Cells are found, a share of them in each pass, and named by their keys.
    Named {
        unit: OpenUnit<Vec<u8>>,
        totals: HashMap<Vec<u8>, Vec<i128>>,
        keys: OpenKeys,
        share: Share,
    },
}

/// How the found cells of a plan are gone through; for plans with known cells it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// All at once, as long as those of a partition take no more than so many bytes.
    Whole {
        /// The most bytes.
        room: u64,
    },
    /// A share of them.
    Share(Share),
}

/// One of several passes over the same rows: each adds up its share of the found cells, so that their number in memory
/// is bounded whatever the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Which, from 0.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

impl Share {
    fn has(self, secret: &GroupKeySecret, cell: &[u8]) -> bool {
        self.count <= 1 || secret.of_found(u64::MAX, cell) % u64::from(self.count) == u64::from(self.index)
    }
}

/// What a row adds to an aggregate.
enum Added {
    One,
    Presence,
    Values(Vec<i64>),
    /// What the row's value is told from others by; [`NO_VALUE`] where there is none.
    Distinct(Vec<u64>),
}

/// The distinct values that count: cell, aggregate, and what tells the value from others. Two values that share a keyed
/// 64-bit hash count as one; that changes a count by chance and its sensitivity not at all.
pub type Distinct = HashSet<(u32, u32, u64), foldhash::fast::RandomState>;

/// Totals of one partition.
#[derive(Debug, PartialEq, Eq)]
pub enum Partial {
    /// Cell by cell in plan order, all aggregates of a cell together; the values for each candidate of the quantiles; and
    /// the distinct values, which are counted once those of all partitions are known.
    Listed {
        /// The totals; of aggregates that count distinct values, nothing.
        totals: Vec<i128>,
        /// The counts.
        counted: Vec<u64>,
        /// The distinct values.
        distinct: Distinct,
    },
    /// The cells that some unit is in, by their encoded keys.
    Found(HashMap<Vec<u8>, Vec<i128>>),
}

impl Bounding {
    /// A fresh operator for one partition.
    ///
    /// # Errors
    /// [`ExecutionError::Internal`] if the plan's keys cannot be encoded.
    pub fn new(core: &PlanCore, secret: GroupKeySecret, pass: Pass) -> Result<Self, ExecutionError> {
        let (core, parts) = shared::split(core);
        let texts = core
            .keys
            .iter()
            .map(|key| match &key.cells {
                KeyCells::Text { values, .. } => values.iter().cloned().zip(0u32..).collect(),
                _ => HashMap::new(),
            })
            .collect();
        let (aggregates, groups) = (core.aggregates.len(), core.groups_per_unit as usize);
        let state = if core.adds_by_row() {
            State::ByRow(ByRow::new(&core))
        } else if core.is_open() {
            let keys = OpenKeys::new(&core)?;
            match pass {
                Pass::Whole { room } => State::Numbered {
                    unit: OpenUnit::new(groups, aggregates),
                    found: Numbered::new(&core, keys, room),
                },
                Pass::Share(share) => State::Named {
                    unit: OpenUnit::new(groups, aggregates),
                    totals: HashMap::new(),
                    keys,
                    share,
                },
            }
        } else {
            State::Listed {
                unit: OpenUnit::new(groups, aggregates),
                totals: vec![0; core.cells as usize * aggregates],
                counted: vec![0; core.cells as usize * core.candidates()],
                distinct: Distinct::default(),
            }
        };
        let strides = core.strides();
        Ok(Self {
            core: Arc::new(core),
            parts,
            secret,
            texts,
            strides,
            cells: vec![],
            state,
        })
    }

    /// Takes in the next rows: the unit column first, then the source's columns.
    ///
    /// # Errors
    /// [`crate::execute::Incident::OutOfOrder`] if units do not increase; [`ExecutionError::Internal`] if the batch does not fit the plan.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), ExecutionError> {
        let rows = batch.num_rows();
        let (unit_column, columns) = batch.columns().split_first().ok_or(ExecutionError::Internal)?;
        let units = unit_column
            .as_primitive_opt::<UInt64Type>()
            .ok_or(ExecutionError::Internal)?;
        let core = Arc::clone(&self.core);
        let mut with_parts;
        let columns = if self.parts.is_empty() {
            columns
        } else {
            with_parts = columns.to_vec();
            for part in &self.parts {
                let values = eval::evaluate(part, &with_parts, rows)?.into_array(rows)?;
                with_parts.push(values);
            }
            &with_parts
        };
        let mask = match &core.filter {
            Some(filter) => Some(condition(filter, columns, rows)?),
            None => None,
        };
        let mut added = Vec::with_capacity(core.aggregates.len());
        for aggregate in &core.aggregates {
            added.push(row_values(aggregate, &self.secret, columns, rows)?);
        }
        let mut places = Vec::with_capacity(core.quantiles.len());
        let mut first = 0;
        for quantile in &core.quantiles {
            places.push(candidate_places(quantile, first, columns, rows)?);
            first += quantile.candidates.count();
        }
        let rows = Rows {
            units: units.values(),
            mask: mask.as_ref(),
            added: &added,
            places: &places,
            core: &core,
        };
        if !core.is_open() {
            let codes = (self.texts.as_slice(), self.strides.as_slice());
            find_cells(&core, codes, &mut self.cells, columns, rows.units.len())?;
        }
        match &mut self.state {
            State::ByRow(totals) => totals.add(&rows, &mut self.cells),
            State::Listed {
                unit,
                totals,
                counted,
                distinct,
            } => {
                let (secret, cells) = (&self.secret, &self.cells);
                unit.walk(
                    &rows,
                    |row| cells.get(row).unwrap_or(&0),
                    |unit, cell| secret.of_listed(unit, *cell),
                    |unit, value| secret.of_choice(unit, value),
                    &mut |cell, slot| {
                        add_listed(totals, *cell, slot.sums);
                        count_places(counted, *cell, core.candidates(), slot.places);
                        add_values(distinct, *cell, slot.values);
                    },
                )
            }
            State::Numbered { unit, found } => {
                found.find(&core, &self.texts, columns, rows.units.len(), &mut self.cells)?;
                let (secret, cells) = (&self.secret, &self.cells);
                let (names, totals) = found.parts();
                unit.walk(
                    &rows,
                    |row| cells.get(row).unwrap_or(&0),
                    |unit, cell| secret.of_found(unit, names.of(*cell)),
                    |unit, value| secret.of_choice(unit, value),
                    &mut |cell, slot| add_listed(totals, *cell, slot.sums),
                )
            }
            State::Named {
                unit,
                totals,
                keys,
                share,
            } => {
                let encoded = keys.encode(&core, &self.texts, columns, rows.units.len())?;
                let secret = &self.secret;
                unit.walk(
                    &rows,
                    |row| encoded.row(row).data(),
                    |unit, cell| secret.of_found(unit, cell),
                    |unit, value| secret.of_choice(unit, value),
                    &mut |cell, slot| {
                        if share.has(secret, cell) {
                            add_found(totals, cell, slot.sums);
                        }
                    },
                )
            }
        }
    }

    /// The totals.
    pub fn finish(mut self) -> Partial {
        match &mut self.state {
            State::ByRow(_) => {}
            State::Listed {
                unit,
                totals,
                counted,
                distinct,
            } => {
                let candidates = self.core.candidates();
                unit.close(&self.core, &mut |cell, slot| {
                    add_listed(totals, *cell, slot.sums);
                    count_places(counted, *cell, candidates, slot.places);
                    add_values(distinct, *cell, slot.values);
                });
            }
            State::Numbered { unit, found } => {
                let (_, totals) = found.parts();
                unit.close(&self.core, &mut |cell, slot| add_listed(totals, *cell, slot.sums));
            }
            State::Named {
                unit, totals, share, ..
            } => {
                unit.close(&self.core, &mut |cell, slot| {
                    if share.has(&self.secret, cell) {
                        add_found(totals, cell, slot.sums);
                    }
                });
            }
        }
        match self.state {
            State::ByRow(totals) => Partial::Listed {
                totals: totals.finish(&self.core),
                counted: vec![],
                distinct: Distinct::default(),
            },
            State::Listed {
                totals,
                counted,
                distinct,
                ..
            } => Partial::Listed {
                totals,
                counted,
                distinct,
            },
            State::Numbered { found, .. } => Partial::Found(found.finish(&self.core)),
            State::Named { totals, .. } => Partial::Found(totals),
        }
    }
}

fn add_listed(totals: &mut [i128], cell: u32, sums: &[i64]) {
    let start = cell as usize * sums.len();
    for (total, sum) in totals[start..].iter_mut().zip(sums) {
        *total += i128::from(*sum);
    }
}

fn count_places(counted: &mut [u64], cell: u32, candidates: usize, places: &[u32]) {
    let start = cell as usize * candidates;
    for place in places {
        counted[start + *place as usize] += 1;
    }
}

fn add_values(distinct: &mut Distinct, cell: u32, values: &[ChosenValue]) {
    distinct.extend(values.iter().map(|value| (cell, value.aggregate, value.value)));
}

fn add_found(totals: &mut HashMap<Vec<u8>, Vec<i128>>, cell: &Vec<u8>, sums: &[i64]) {
    let own = match totals.get_mut(cell) {
        Some(own) => own,
        None => totals.entry(cell.clone()).or_insert_with(|| vec![0; sums.len()]),
    };
    for (total, sum) in own.iter_mut().zip(sums) {
        *total += i128::from(*sum);
    }
}

/// The cell of every row.
fn find_cells(
    core: &PlanCore,
    (texts, strides): (&[HashMap<String, u32>], &[u64]),
    cells: &mut Vec<u32>,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<(), ExecutionError> {
    cells.clear();
    cells.resize(rows, 0);
    for (at, key) in core.keys.iter().enumerate() {
        let stride = u32::try_from(strides[at]).map_err(|_| ExecutionError::Internal)?;
        add_codes(key, &texts[at], stride, cells, columns, rows)?;
    }
    Ok(())
}

/// Adds the codes of one key, times its stride.
fn add_codes(
    key: &GroupKey,
    codes: &HashMap<String, u32>,
    stride: u32,
    cells: &mut [u32],
    columns: &[ArrayRef],
    rows: usize,
) -> Result<(), ExecutionError> {
    let vector = eval::evaluate(&key.expr, columns, rows)?;
    let null = u32::try_from(key.cells.count() - 1).map_err(|_| ExecutionError::Internal)?;
    match &key.cells {
        KeyCells::Text { values, other } => {
            let outside = if *other {
                u32::try_from(values.len()).unwrap_or(null)
            } else {
                null
            };
            let code = |text: &str| codes.get(text).copied().unwrap_or(outside);
            match vector
                .array
                .as_dictionary_opt::<Int32Type>()
                .filter(|_| !vector.scalar)
            {
                Some(dictionary) => {
                    let texts = dictionary.values().as_string_opt::<i32>().ok_or(EvalError)?;
                    let by_key: Vec<u32> = texts
                        .iter()
                        .map(|text| text.map_or(null, code) * stride)
                        .collect();
                    let missing = null * stride;
                    for (cell, key) in cells.iter_mut().zip(dictionary.keys()) {
                        let key = key.and_then(|key| usize::try_from(key).ok());
                        *cell += key.and_then(|key| by_key.get(key).copied()).unwrap_or(missing);
                    }
                }
                None => {
                    let texts = eval::texts(&vector)?;
                    for (row, cell) in cells.iter_mut().enumerate() {
                        *cell += texts.get(row).map_or(null, code) * stride;
                    }
                }
            }
        }
        KeyCells::Integer { lo, hi } => {
            let values = eval::integers(&vector)?;
            for (row, cell) in cells.iter_mut().enumerate() {
                let value = values.get(row).filter(|value| (lo..=hi).contains(&value));
                let code = value.and_then(|value| u32::try_from(value.abs_diff(*lo)).ok());
                *cell += code.unwrap_or(null) * stride;
            }
        }
        KeyCells::Integers { values: listed } => {
            let values = eval::integers(&vector)?;
            for (row, cell) in cells.iter_mut().enumerate() {
                let place = values
                    .get(row)
                    .and_then(|value| listed.binary_search(&value).ok());
                let code = place.and_then(|place| u32::try_from(place).ok());
                *cell += code.unwrap_or(null) * stride;
            }
        }
        KeyCells::Boolean => {
            let array = vector.into_array(rows)?;
            let values = array.as_boolean_opt().ok_or(EvalError)?;
            for (cell, value) in cells.iter_mut().zip(values) {
                *cell += value.map_or(null, u32::from) * stride;
            }
        }
        KeyCells::Open(_) => return Err(ExecutionError::Internal),
    }
    Ok(())
}

fn condition(
    filter: &ScalarExpr,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<BooleanBuffer, ExecutionError> {
    let array = eval::evaluate(filter, columns, rows)?.into_array(rows)?;
    let mask = array.as_boolean_opt().ok_or(EvalError)?;
    Ok(eval::truth(mask).values().clone())
}

/// What each row adds, on the aggregate's grid and within its row bounds.
fn row_values(
    aggregate: &Aggregate,
    secret: &GroupKeySecret,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<Added, ExecutionError> {
    let (lo, hi) = (aggregate.row_lo, aggregate.row_hi);
    Ok(match &aggregate.function {
        AggregateFunction::CountRows => Added::One,
        AggregateFunction::CountUnits => Added::Presence,
        AggregateFunction::CountValues(expr) => {
            let vector = eval::evaluate(expr, columns, rows)?;
            if !vector.scalar && vector.array.logical_null_count() == 0 {
                Added::One
            } else {
                let array = vector.into_array(rows)?;
                Added::Values((0..rows).map(|row| i64::from(array.is_valid(row))).collect())
            }
        }
        AggregateFunction::CountDistinct { of, .. } => {
            let array = eval::evaluate(of, columns, rows)?.into_array(rows)?;
            Added::Distinct(value_names(&array, secret)?)
        }
        AggregateFunction::Sum(expr) => {
            let vector = eval::evaluate(expr, columns, rows)?;
            if *vector.array.data_type() == DataType::Float64 {
                let values = eval::numbers(&vector)?;
                // A power of two: scaling is exact, and `as` cuts toward zero and saturates.
                let scale = f64::from(-aggregate.exponent).exp2();
                #[expect(clippy::cast_possible_truncation, reason = "the cut toward zero is wanted")]
                let on_grid = |x: f64| ((x * scale) as i64).clamp(lo, hi);
                // What has no value adds nothing, also where the bounds leave zero out.
                Added::Values((0..rows).map(|row| values.get(row).map_or(0, on_grid)).collect())
            } else {
                let values = eval::integers(&vector)?;
                let step = u32::try_from(aggregate.exponent)
                    .ok()
                    .and_then(|e| 1i64.checked_shl(e));
                let step = step.filter(|step| *step > 0).ok_or(ExecutionError::Internal)?;
                let on_grid = |x: i64| (x / step).clamp(lo, hi);
                Added::Values((0..rows).map(|row| values.get(row).map_or(0, on_grid)).collect())
            }
        }
    })
}

/// What tells each value of a column from the others.
fn value_names(array: &ArrayRef, secret: &GroupKeySecret) -> Result<Vec<u64>, ExecutionError> {
    let name = |bytes: &[u8]| secret.of_value(bytes).min(NO_VALUE - 1);
    let or_none = |value: Option<u64>| value.unwrap_or(NO_VALUE);
    let integers = |values: &mut dyn Iterator<Item = Option<i64>>| -> Vec<u64> {
        values
            .map(|value| or_none(value.map(|value| name(&value.to_le_bytes()))))
            .collect()
    };
    let wrong = || ExecutionError::from(EvalError);
    Ok(match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string_opt::<i32>().ok_or_else(wrong)?;
            texts
                .iter()
                .map(|text| or_none(text.map(|text| name(text.as_bytes()))))
                .collect()
        }
        DataType::Float64 => {
            let numbers = array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
            // −0 is 0.
            let bits = |x: f64| name(&(x + 0.0).to_bits().to_le_bytes());
            numbers.iter().map(|x| or_none(x.map(bits))).collect()
        }
        DataType::Int64 => {
            let values = array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            integers(&mut values.iter())
        }
        DataType::Date32 => {
            let days = array.as_primitive_opt::<Date32Type>().ok_or_else(wrong)?;
            integers(&mut days.iter().map(|day| day.map(i64::from)))
        }
        DataType::Timestamp(..) => {
            let times = array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .ok_or_else(wrong)?;
            integers(&mut times.iter())
        }
        DataType::Boolean => {
            let values = array.as_boolean_opt().ok_or_else(wrong)?;
            integers(&mut values.iter().map(|value| value.map(i64::from)))
        }
        _ => return Err(wrong()),
    })
}

/// Which candidate each value is cut down to, counted from `first`; [`NO_PLACE`] where there is no value.
fn candidate_places(
    quantile: &Quantile,
    first: u32,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<Vec<u32>, ExecutionError> {
    let vector = eval::evaluate(&quantile.expr, columns, rows)?;
    Ok(match quantile.candidates {
        Candidates::Integer { lo, step, count } => {
            let values = eval::integers(&vector)?;
            let place = |x: i64| {
                let at = x.saturating_sub(lo).max(0) / step;
                u32::try_from(at).unwrap_or(u32::MAX).min(count - 1) + first
            };
            (0..rows)
                .map(|row| values.get(row).map_or(NO_PLACE, place))
                .collect()
        }
        Candidates::Number { lo, step, count } => {
            let values = eval::numbers(&vector)?;
            let place = |x: f64| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "`as` saturates, as wanted"
                )]
                let at = ((x - lo.get()) / step.get()).floor() as u32;
                at.min(count - 1) + first
            };
            (0..rows)
                .map(|row| values.get(row).map_or(NO_PLACE, place))
                .collect()
        }
    })
}

/// The plan node: takes rows in unit order, gives one batch per partition with the exact totals of every cell.
#[derive(Debug)]
pub struct BoundingExec {
    core: Arc<PlanCore>,
    secret: GroupKeySecret,
    pass: Pass,
    input: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl BoundingExec {
    /// Bounds the rows of `input`, a scan in unit order.
    pub fn new(
        core: Arc<PlanCore>,
        secret: GroupKeySecret,
        pass: Pass,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        let total = |at| Field::new(format!("total_{at}"), DataType::Decimal128(38, 0), false);
        let mut fields: Vec<_> = (0..core.aggregates.len()).map(total).collect();
        // The name of a found cell, or the counts and distinct values of a listed one.
        fields.push(Field::new("cell", DataType::Binary, false));
        let schema = Arc::new(Schema::new(fields));
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        Self {
            core,
            secret,
            pass,
            input,
            schema,
            properties,
        }
    }
}

impl BoundingExec {
    /// What it is made of, beside its input.
    pub(crate) fn spec(&self) -> (&PlanCore, Pass) {
        (&self.core, self.pass)
    }
}

impl DisplayAs for BoundingExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cells, groups) = (self.core.cells, self.core.groups_per_unit);
        write!(f, "BoundingExec: cells={cells}, groups_per_unit={groups}")
    }
}

impl ExecutionPlan for BoundingExec {
    fn name(&self) -> &'static str {
        "BoundingExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(
                Arc::clone(&self.core),
                self.secret.clone(),
                self.pass,
                input,
            ))),
            _ => Err(DataFusionError::External(Box::new(ExecutionError::Internal))),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let mode = datafusion_physical_plan::execution_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(mode))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let mut input = self.input.execute(partition, context)?;
        let external = |error: ExecutionError| DataFusionError::External(Box::new(error));
        let mut bounding = Bounding::new(&self.core, self.secret.clone(), self.pass).map_err(external)?;
        let schema = Arc::clone(&self.schema);
        let work = async move {
            while let Some(batch) = input.next().await {
                bounding.push(&batch?).map_err(external)?;
            }
            let core = Arc::clone(&bounding.core);
            let count = core.aggregates.len();
            let (totals, names): (Vec<i128>, Vec<Vec<u8>>) = match bounding.finish() {
                Partial::Listed {
                    totals,
                    counted,
                    distinct,
                } => {
                    let candidates = core.candidates();
                    let bytes = |cell: usize| -> Vec<u8> {
                        let of_cell = &counted[cell * candidates..(cell + 1) * candidates];
                        of_cell.iter().flat_map(|count| count.to_le_bytes()).collect()
                    };
                    let mut names: Vec<Vec<u8>> = (0..core.cells as usize).map(bytes).collect();
                    for (cell, aggregate, value) in distinct {
                        let name = &mut names[cell as usize];
                        name.extend(aggregate.to_le_bytes());
                        name.extend(value.to_le_bytes());
                    }
                    (totals, names)
                }
                Partial::Found(cells) => {
                    let (mut totals, mut names) = (Vec::with_capacity(cells.len() * count), vec![]);
                    for (name, values) in cells {
                        names.push(name);
                        totals.extend(values);
                    }
                    (totals, names)
                }
            };
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(count + 1);
            for at in 0..count {
                let values = totals.iter().skip(at).step_by(count).copied();
                let array = Decimal128Array::from_iter_values(values).with_precision_and_scale(38, 0)?;
                columns.push(Arc::new(array));
            }
            columns.push(Arc::new(BinaryArray::from_iter_values(names)));
            Ok(RecordBatch::try_new(schema, columns)?)
        };
        let stream = futures::stream::once(work);
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream,
        )))
    }
}

/// The plan that a node bounds for, if it is this operator.
pub(crate) fn bounded(plan: &dyn ExecutionPlan) -> Option<&PlanCore> {
    (plan as &dyn Any)
        .downcast_ref::<BoundingExec>()
        .map(|bounding| bounding.spec().0)
}
