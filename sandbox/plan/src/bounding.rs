//! Bounding: one fused operator that limits what each privacy unit adds to the totals (privacy.md "Bounding").
//!
//! # What is proved
//! *Assumed:* rows of a unit stand together (the order is checked row by row, and the scan has checked that no unit is
//! split over segments), and the hash key is secret and fixed per version.
//! *Guaranteed, for any rows whatever:* adding or removing one unit changes the totals of aggregate *a* by an integer
//! vector whose squared L2 norm is at most [`crate::plan::Aggregate::sensitivity_squared`].
//! *Why:* totals are sums over units of vectors that depend on that unit's rows (and the key) alone, so the change is the
//! unit's own vector. That vector has at most C non-zero cells per aggregate, because at most C slots exist; each entry is
//! clamped to ± `unit_most`; and the vector is finally scaled down, toward zero, onto the ball of the declared radius.
//! Counts of distinct values are no sums, but sizes of unions over units of sets of at most m values in at most C cells:
//! a union grows by no more than the unit's own set, whichever values others have, and which of a unit's values are in its
//! set depends on that unit's rows (and the key) alone.
//! Totals are exact integers in 128 bits, so the order of addition and the number of partitions cannot show.

mod by_row;
mod by_unit;
mod cells;
mod counts;
mod exec;
mod numbered;
mod open_keys;
mod row;
mod shared;
mod sieve;
mod unit;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use arrow::array::{AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::{DataType, UInt64Type};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use crate::eval;
use crate::execute::ExecutionError;
use crate::plan::{KeyCells, MAX_BUCKETS, PlanCore};
use crate::scalar::ScalarExpr;

use by_row::ByRow;
use by_unit::ByUnit;
use cells::find_cells;
pub use exec::BoundingExec;
pub(crate) use exec::{bounded, sieves};
use numbered::Numbered;
pub(crate) use open_keys::OpenKeys;
use row::{candidate_places, condition, row_values};
pub use sieve::Sieve;
use unit::{ChosenValue, OfCell, OpenUnit, Rows, Units};

/// The secret by which a unit with too many groups keeps the same C of them every time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupKeySecret(pub [u8; 16]);

impl GroupKeySecret {
    /// A unit's part in which of its groups are kept.
    fn of_unit(&self, unit: u64) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(b"unit");
        hasher.write_u64(unit);
        hasher.finish()
    }

    /// A found cell's part in it.
    fn of_cell(&self, name: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(b"cell");
        hasher.write(name);
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
}

/// A listed cell's part in which groups of a unit are kept: every number gives a place of its own, as the steps of SplitMix64 do.
const fn of_number(cell: u32) -> u64 {
    (cell as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
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
    /// Which of the found cells of a share are left out.
    sieve: Option<Arc<Sieve>>,
    state: State,
}

/// What is kept between batches.
#[derive(Debug)]
enum State {
    /// Every row adds on its own.
    ByRow(ByRow),
    /// Cells are known beforehand, and have numbers.
    Listed {
        units: ByUnit,
        totals: Vec<i128>,
        /// Values for each candidate of the quantiles, cell by cell.
        counted: Vec<u64>,
        distinct: Distinct,
    },
    /// Cells are found, all of them, and numbered as they are met.
    Numbered { units: ByUnit, found: Box<Numbered> },
    /// Cells are found, a share of them in each pass, and named by their keys.
    Named {
        unit: OpenUnit<Vec<u8>>,
        totals: HashMap<Vec<u8>, Vec<i128>>,
        keys: OpenKeys,
        share: Share,
    },
    /// Cells are found, and units counted by their hashes.
    Sieved {
        unit: OpenUnit<Vec<u8>>,
        keys: OpenKeys,
        sieve: Sieve,
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
    /// Of none of them: units are counted by the hashes of their cells, in so many buckets.
    Sieve {
        /// A power of two.
        buckets: u32,
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
        self.count <= 1 || secret.of_cell(cell) % u64::from(self.count) == u64::from(self.index)
    }
}

/// The distinct values that count: cell, aggregate, and what tells the value from others. Two values that share a keyed
/// 64-bit hash count as one; that changes a count by chance and its sensitivity not at all.
pub type Distinct = HashSet<(u32, u32, u64), foldhash::fast::RandomState>;

/// Cells that were found, each once.
#[derive(Debug, PartialEq)]
pub struct FoundCells {
    /// Their encoded keys.
    pub names: BinaryArray,
    /// Cell by cell, all aggregates of a cell together.
    pub totals: Vec<i128>,
}

/// Totals of one partition.
#[derive(Debug, PartialEq)]
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
    /// The cells that some unit is in.
    Found(FoundCells),
    /// How many units count in the cells of each bucket, up to 255.
    Sieved(Vec<u8>),
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
        let aggregates = core.aggregates.len();
        let state = if core.adds_by_row() {
            State::ByRow(ByRow::new(&core))
        } else if core.is_open() {
            let keys = OpenKeys::new(&core)?;
            match pass {
                Pass::Whole { room } => State::Numbered {
                    units: ByUnit::new(&core),
                    found: Box::new(Numbered::new(&core, keys, secret.clone(), room)),
                },
                Pass::Sieve { buckets } if !buckets.is_power_of_two() || buckets > MAX_BUCKETS => {
                    return Err(ExecutionError::Internal);
                }
                Pass::Sieve { buckets } => State::Sieved {
                    unit: OpenUnit::new(&core),
                    keys,
                    sieve: Sieve::new(buckets, core.least_units()),
                },
                Pass::Share(share) => State::Named {
                    unit: OpenUnit::new(&core),
                    totals: HashMap::new(),
                    keys,
                    share,
                },
            }
        } else {
            State::Listed {
                units: ByUnit::new(&core),
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
            sieve: None,
            state,
        })
    }

    /// The same, without the cells that a sieve does not let through.
    #[must_use]
    pub fn sieved(self, sieve: Option<Arc<Sieve>>) -> Self {
        Self { sieve, ..self }
    }

    /// Takes in the next rows: the unit column first, then the source's columns.
    ///
    /// # Errors
    /// [`crate::execute::Incident::OutOfOrder`] if units do not increase; [`ExecutionError::Internal`] if the batch does not fit the plan.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), ExecutionError> {
        let rows = batch.num_rows();
        let (unit_column, columns) = batch.columns().split_first().ok_or(ExecutionError::Internal)?;
        let units = match unit_column.as_primitive_opt::<UInt64Type>() {
            Some(units) => Units::Told(units.values()),
            None if *unit_column.data_type() == DataType::Null => Units::Untold,
            None => return Err(ExecutionError::Internal),
        };
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
            count: rows,
            units,
            mask: mask.as_ref(),
            added: &added,
            places: &places,
            core: &core,
        };
        if !core.is_open() {
            let codes = (self.texts.as_slice(), self.strides.as_slice());
            find_cells(&core, codes, &mut self.cells, columns, rows.count)?;
        }
        match &mut self.state {
            State::ByRow(totals) => totals.add(&rows, &mut self.cells),
            State::Listed {
                units,
                totals,
                counted,
                distinct,
            } => {
                let cells = (self.cells.as_slice(), core.cells as usize);
                units.add(&rows, &self.secret, cells, of_number, &mut |cell, slot| {
                    add_listed(totals, *cell, slot.sums);
                    count_places(counted, *cell, core.candidates(), slot.places);
                    add_values(distinct, *cell, slot.values);
                })
            }
            State::Numbered { units, found } => {
                found.find(&core, &self.texts, columns, rows.count, &mut self.cells)?;
                let (names, totals) = found.parts();
                let cells = (self.cells.as_slice(), names.count());
                let hash = |cell| names.hash(cell);
                let add = &mut |cell: &u32, slot: OfCell<'_>| add_listed(totals, *cell, slot.sums);
                units.add(&rows, &self.secret, cells, hash, add)
            }
            State::Named {
                unit,
                totals,
                keys,
                share,
            } => {
                let encoded = keys.encode(&core, &self.texts, columns, rows.count)?;
                let (secret, sieve) = (&self.secret, self.sieve.as_deref());
                unit.walk(
                    &rows,
                    secret,
                    |row| encoded.row(row).data(),
                    |cell| secret.of_cell(cell),
                    &mut |cell, slot| {
                        if share.has(secret, cell) && sieve.is_none_or(|sieve| sieve.lets(secret, cell)) {
                            add_found(totals, cell, slot.sums);
                        }
                    },
                )
            }
            State::Sieved { unit, keys, sieve } => {
                let encoded = keys.encode(&core, &self.texts, columns, rows.count)?;
                let secret = &self.secret;
                unit.walk(
                    &rows,
                    secret,
                    |row| encoded.row(row).data(),
                    |cell| secret.of_cell(cell),
                    &mut |cell, _| sieve.count(secret, cell),
                )
            }
        }
    }

    /// The totals.
    pub fn finish(mut self) -> Partial {
        match &mut self.state {
            State::ByRow(_) => {}
            State::Listed {
                units,
                totals,
                counted,
                distinct,
            } => {
                let candidates = self.core.candidates();
                units.finish(&self.core, &self.secret, of_number, &mut |cell, slot| {
                    add_listed(totals, *cell, slot.sums);
                    count_places(counted, *cell, candidates, slot.places);
                    add_values(distinct, *cell, slot.values);
                });
            }
            State::Numbered { units, found } => {
                let (names, totals) = found.parts();
                let hash = |cell| names.hash(cell);
                let add = &mut |cell: &u32, slot: OfCell<'_>| add_listed(totals, *cell, slot.sums);
                units.finish(&self.core, &self.secret, hash, add);
            }
            State::Named {
                unit, totals, share, ..
            } => {
                let (secret, sieve) = (&self.secret, self.sieve.as_deref());
                unit.close(&mut |cell: &Vec<u8>, slot| {
                    if share.has(secret, cell) && sieve.is_none_or(|sieve| sieve.lets(secret, cell)) {
                        add_found(totals, cell, slot.sums);
                    }
                });
            }
            State::Sieved { unit, sieve, .. } => {
                let secret = &self.secret;
                unit.close(&mut |cell: &Vec<u8>, _| sieve.count(secret, cell));
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
            State::Named { totals, .. } => {
                let (names, totals): (Vec<_>, Vec<_>) = totals.into_iter().unzip();
                Partial::Found(FoundCells {
                    names: BinaryArray::from_iter_values(names),
                    totals: totals.concat(),
                })
            }
            State::Sieved { sieve, .. } => Partial::Sieved(sieve.into_counts()),
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
