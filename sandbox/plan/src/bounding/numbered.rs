//! Found cells by number: a name is read and looked up once for each value of a dictionary, and rows are told apart by
//! integers.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::Int32Type;
use arrow::row::Rows;
use model::FieldType;

use super::open_keys::{OpenKeys, short};
use super::{FoundCells, GroupKeySecret};
use crate::eval::{self, EvalError};
use crate::execute::ExecutionError;
use crate::plan::{KeyCells, PlanCore, found_bytes};

/// The names of cells that were met, with their totals.
#[derive(Debug)]
pub(super) struct Numbered {
    keys: OpenKeys,
    secret: GroupKeySecret,
    numbers: HashMap<Arc<[u8]>, u32, foldhash::quality::RandomState>,
    names: Names,
    /// Cell by cell, all aggregates of a cell together.
    totals: Vec<i128>,
    aggregates: usize,
    /// What names and totals take, as [`found_bytes`] counts it, and the most that they may.
    bytes: u64,
    room: u64,
    dictionary: Option<Dictionary>,
}

/// The names of cells, by number.
#[derive(Debug)]
pub(super) struct Names {
    names: Vec<Arc<[u8]>>,
    /// Of each name, its part in which groups of a unit are kept.
    hashes: Vec<u64>,
}

impl Names {
    /// How many were met.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    /// The hash of a cell that was met.
    pub(super) fn hash(&self, number: u32) -> u64 {
        self.hashes.get(number as usize).copied().unwrap_or_default()
    }
}

/// A dictionary of the only key, whose values get their numbers when a row has them.
#[derive(Debug)]
struct Dictionary {
    values: ArrayRef,
    names: Rows,
    /// One for each value, and one for NULL.
    numbers: Vec<u32>,
}

/// No number yet.
const NO_NUMBER: u32 = u32::MAX;

impl Numbered {
    pub(super) fn new(core: &PlanCore, keys: OpenKeys, secret: GroupKeySecret, room: u64) -> Self {
        Self {
            keys,
            secret,
            numbers: HashMap::default(),
            names: Names {
                names: vec![],
                hashes: vec![],
            },
            totals: vec![],
            aggregates: core.aggregates.len(),
            bytes: 0,
            room,
            dictionary: None,
        }
    }

    /// The numbers of the rows' cells.
    ///
    /// # Errors
    /// [`ExecutionError::Room`] if the cells take more than they may.
    pub(super) fn find(
        &mut self,
        core: &PlanCore,
        texts: &[HashMap<String, u32>],
        columns: &[ArrayRef],
        rows: usize,
        into: &mut Vec<u32>,
    ) -> Result<(), ExecutionError> {
        into.clear();
        if let [key] = core.keys.as_slice()
            && key.cells == KeyCells::Open(FieldType::Text)
        {
            let vector = eval::evaluate(&key.expr, columns, rows)?;
            if !vector.scalar && vector.array.as_dictionary_opt::<Int32Type>().is_some() {
                return self.find_in_dictionary(&vector.array, into);
            }
        }
        let names = self.keys.encode(core, texts, columns, rows)?;
        for name in &names {
            let number = self.number(name.data())?;
            into.push(number);
        }
        Ok(())
    }

    fn find_in_dictionary(&mut self, array: &ArrayRef, into: &mut Vec<u32>) -> Result<(), ExecutionError> {
        let array = array.as_dictionary_opt::<Int32Type>().ok_or(EvalError)?;
        let values = array.values();
        let mut dictionary = match self.dictionary.take() {
            // The reader makes a new array for each batch, over the same memory.
            Some(known) if known.values.to_data().ptr_eq(&values.to_data()) => known,
            _ => {
                let null = new_null_array(values.data_type(), 1);
                let all = short(&concat(&[values, &null]).map_err(EvalError::from)?)?;
                Dictionary {
                    values: Arc::clone(values),
                    numbers: vec![NO_NUMBER; all.len()],
                    names: self.keys.convert(&[all])?,
                }
            }
        };
        let null = i32::try_from(values.len()).map_err(|_| EvalError)?;
        let places = eval::keys(array).to_vec(array.len(), null, |key| key);
        let number = |at: &i32| {
            let number = usize::try_from(*at)
                .ok()
                .and_then(|at| dictionary.numbers.get(at));
            number.copied().unwrap_or(NO_NUMBER)
        };
        into.extend(places.iter().map(number));
        // Those that no row has had before.
        for (at, cell) in places.iter().zip(into.iter_mut()) {
            if *cell == NO_NUMBER {
                let at = usize::try_from(*at).map_err(|_| EvalError)?;
                let known = dictionary.numbers.get_mut(at).ok_or(EvalError)?;
                if *known == NO_NUMBER {
                    *known = self.number(dictionary.names.row(at).data())?;
                }
                *cell = *known;
            }
        }
        self.dictionary = Some(dictionary);
        Ok(())
    }

    fn number(&mut self, name: &[u8]) -> Result<u32, ExecutionError> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        self.bytes += found_bytes(name.len() as u64, self.aggregates);
        let number = u32::try_from(self.names.names.len())
            .ok()
            .filter(|number| *number != NO_NUMBER);
        let number = number
            .filter(|_| self.bytes <= self.room)
            .ok_or(ExecutionError::Room)?;
        let name: Arc<[u8]> = name.into();
        self.names.hashes.push(self.secret.of_cell(&name));
        self.names.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        self.totals.resize(self.totals.len() + self.aggregates, 0);
        Ok(number)
    }

    /// The names, and the totals, to be added to.
    pub(super) fn parts(&mut self) -> (&Names, &mut [i128]) {
        (&self.names, &mut self.totals)
    }

    /// The cells that some unit is in.
    pub(super) fn finish(self, core: &PlanCore) -> FoundCells {
        let units = core.units_aggregate();
        let totals = self.totals.chunks_exact(self.aggregates.max(1));
        let all = self.names.names.iter().zip(totals);
        let met = all.filter(|(_, totals)| units.is_some_and(|units| totals[units] > 0));
        let (names, totals): (Vec<&[u8]>, Vec<&[i128]>) = met.map(|(name, totals)| (&**name, totals)).unzip();
        FoundCells {
            names: BinaryArray::from_iter_values(names),
            totals: totals.concat(),
        }
    }
}
