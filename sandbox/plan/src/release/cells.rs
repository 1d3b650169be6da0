//! The released cells of one part: a row for each, or with grouping sets that add up one for each cell of every set. Cells of a
//! coarser set are added up from the released ones, which adds their variances too.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use model::FieldType;
use serde::{Deserialize, Serialize};

use super::{Measure, OTHER};
use crate::eval::{EvalError, Evaluated};
use crate::plan::{KeyCells, KeyValue, PlanPart};

/// A row of a part before it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its grouping set.
    pub set: usize,
    /// A cell that it holds; the lowest where it holds several.
    pub cell: u32,
    /// How many cells were added up.
    pub cells: u32,
}

/// The candidates that were picked for a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picks {
    /// The lower end of its interval.
    pub low: u32,
    /// The quantile.
    pub middle: u32,
    /// The upper end.
    pub high: u32,
}

/// What noise was added to, of one part.
#[derive(Debug, Clone, Copy)]
pub struct Noised<'a> {
    /// Totals, cell by cell, all aggregates of a cell together.
    pub totals: &'a [i128],
    /// What was picked, all quantiles of a cell together.
    pub picked: &'a [Picks],
    /// The keys of the cells, where they were found.
    pub found: Option<&'a [Vec<KeyValue>]>,
}

/// The rows of one part with their noised totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRows {
    /// The rows, in the order in which an answer shows them unless the query sorts.
    pub rows: Vec<Row>,
    /// The values of every row's keys, in the part's order.
    pub keys: Vec<Vec<KeyValue>>,
    /// Totals, all aggregates of a row together.
    pub totals: Vec<i128>,
    /// What was picked, all quantiles of a row together.
    pub picked: Vec<Picks>,
}

impl PartRows {
    /// Some of its rows, in this order.
    pub(super) fn keep(&self, kept: &[u32]) -> Self {
        let count = self.totals.len() / self.rows.len().max(1);
        let quantiles = self.picked.len() / self.rows.len().max(1);
        let places = || kept.iter().map(|row| *row as usize);
        Self {
            rows: places().filter_map(|row| self.rows.get(row).copied()).collect(),
            keys: places().filter_map(|row| self.keys.get(row).cloned()).collect(),
            totals: places()
                .filter_map(|row| self.totals.get(row * count..(row + 1) * count))
                .flatten()
                .copied()
                .collect(),
            picked: places()
                .filter_map(|row| self.picked.get(row * quantiles..(row + 1) * quantiles))
                .flatten()
                .copied()
                .collect(),
        }
    }
}

impl PlanPart {
    /// The rows of noised totals; `shown` are the keys from left to right as the answer has them.
    ///
    /// # Errors
    /// [`EvalError`] if they are not as many as the part has.
    pub(super) fn release(&self, noised: &Noised<'_>, shown: &[usize]) -> Evaluated<PartRows> {
        let count = self.core.aggregates.len();
        match (noised.found, self.core.is_open()) {
            (Some(found), true) => return self.release_found(noised, found, shown),
            (None, false) => {}
            _ => return Err(EvalError),
        }
        let (cells, quantiles) = (self.core.cells as usize, self.core.quantiles.len());
        if noised.totals.len() != cells * count
            || noised.picked.len() != cells * quantiles
            || (quantiles > 0 && self.sets.is_some())
        {
            return Err(EvalError);
        }
        let rows = self.rows(shown);
        let mut places: HashMap<(usize, u64), usize> = HashMap::with_capacity(rows.len());
        let mut totals = vec![0i128; rows.len() * count];
        let names = Names::of(self);
        for (place, row) in rows.iter().enumerate() {
            places.insert((row.set, names.name(row.set, row.cell)), place);
        }
        for (cell, values) in (0..self.core.cells).zip(noised.totals.chunks_exact(count.max(1))) {
            for set in 0..self.set_count() {
                let place = places.get(&(set, names.name(set, cell))).ok_or(EvalError)?;
                for (total, value) in totals[place * count..].iter_mut().zip(values) {
                    *total = total.saturating_add(*value);
                }
            }
        }
        let keys = rows.iter().map(|row| self.core.cell(row.cell)).collect();
        // Without grouping sets a row is a cell.
        let of_row = |row: &Row| {
            let start = row.cell as usize * quantiles;
            noised.picked[start..start + quantiles].to_vec()
        };
        let picked = match quantiles {
            0 => vec![],
            _ => rows.iter().flat_map(of_row).collect(),
        };
        Ok(PartRows {
            rows,
            keys,
            totals,
            picked,
        })
    }

    fn release_found(
        &self,
        noised: &Noised<'_>,
        found: &[Vec<KeyValue>],
        shown: &[usize],
    ) -> Evaluated<PartRows> {
        let count = self.core.aggregates.len();
        let whole = found.iter().all(|keys| keys.len() == self.core.keys.len());
        if !self.core.quantiles.is_empty() || self.sets.is_some() {
            return Err(EvalError);
        }
        if !whole || noised.totals.len() != found.len() * count {
            return Err(EvalError);
        }
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by_cached_key(|row| -> Vec<KeyValue> {
            shown.iter().map(|key| found[*row][*key].clone()).collect()
        });
        let row = |at: &usize| {
            Ok(Row {
                set: 0,
                cell: u32::try_from(*at).map_err(|_| EvalError)?,
                cells: 1,
            })
        };
        Ok(PartRows {
            rows: order.iter().map(row).collect::<Evaluated<_>>()?,
            keys: order.iter().map(|at| found[*at].clone()).collect(),
            totals: order
                .iter()
                .flat_map(|at| noised.totals[at * count..(at + 1) * count].iter().copied())
                .collect(),
            picked: vec![],
        })
    }

    /// The rows of the released table: set by set, in each by the answer's keys from left to right, in declared order.
    fn rows(&self, shown: &[usize]) -> Vec<Row> {
        let names = Names::of(self);
        let mut rows = Vec::new();
        for set in 0..self.set_count() {
            let mut found: HashMap<u64, Row> = HashMap::new();
            for cell in 0..self.core.cells {
                let row = found
                    .entry(names.name(set, cell))
                    .or_insert(Row { set, cell, cells: 0 });
                row.cells += 1;
            }
            let mut of_set: Vec<Row> = found.into_values().collect();
            of_set.sort_by_cached_key(|row| -> Vec<u64> {
                shown.iter().map(|key| names.code(*key, row.cell)).collect()
            });
            rows.extend(of_set);
        }
        rows
    }

    /// Of each cell of the core, the rows that it is a part of.
    pub fn rows_of_cells(&self, rows: &PartRows) -> Vec<Vec<usize>> {
        let names = Names::of(self);
        let place = |(at, row): (usize, &Row)| ((row.set, names.name(row.set, row.cell)), at);
        let places: HashMap<(usize, u64), usize> = rows.rows.iter().enumerate().map(place).collect();
        let of_cell = |cell| {
            let sets = 0..self.set_count();
            sets.filter_map(|set| places.get(&(set, names.name(set, cell))).copied())
                .collect()
        };
        (0..self.core.cells).map(of_cell).collect()
    }

    fn set_count(&self) -> usize {
        self.sets.as_ref().map_or(1, Vec::len)
    }

    fn keeps(&self, row: &Row, key: usize) -> bool {
        self.sets.as_ref().is_none_or(|sets| sets[row.set].contains(&key))
    }

    /// A key of every row; NULL where its set leaves it out.
    pub(super) fn key_column(&self, rows: &PartRows, key: usize) -> Evaluated<ArrayRef> {
        let values = rows.rows.iter().zip(&rows.keys).map(|(row, cell)| {
            let value = cell.get(key).filter(|_| self.keeps(row, key));
            value.unwrap_or(&KeyValue::Null)
        });
        Ok(key_array(
            &self.core.keys.get(key).ok_or(EvalError)?.cells,
            values,
        ))
    }

    /// GROUPING(keys) of every row.
    pub(super) fn grouping_column(&self, rows: &PartRows, keys: &[usize]) -> ArrayRef {
        let bits = |row: &Row| {
            keys.iter()
                .fold(0i64, |bits, key| bits << 1 | i64::from(!self.keeps(row, *key)))
        };
        Arc::new(rows.rows.iter().map(bits).collect::<Int64Array>())
    }

    /// A figure of every row.
    pub(super) fn measure_column(&self, rows: &PartRows, measure: &Measure) -> Evaluated<ArrayRef> {
        let totals = rows.totals.chunks_exact(self.core.aggregates.len().max(1));
        Ok(match measure {
            Measure::Quantile { place, .. } => self.quantile_column(*place, rows)?,
            Measure::Total(at) if measure.field_type(&self.core) == FieldType::Integer => {
                let exact = totals.map(|row| i64::try_from(*row.get(*at)?).ok());
                Arc::new(exact.collect::<Int64Array>())
            }
            _ => Arc::new(
                totals
                    .map(|row| measure.value(&self.core, row))
                    .collect::<Float64Array>(),
            ),
        })
    }

    fn quantile_column(&self, place: usize, rows: &PartRows) -> Evaluated<ArrayRef> {
        let count = self.core.quantiles.len();
        let candidates = self.core.quantiles.get(place).ok_or(EvalError)?.candidates;
        let values = rows.picked.iter().skip(place).step_by(count);
        let values = values.map(|picks| candidates.value(picks.middle));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "integers within the declared bounds"
        )]
        let whole = |x: f64| x as i64;
        Ok(match candidates.field_type() {
            FieldType::Integer => Arc::new(values.map(|x| Some(whole(x))).collect::<Int64Array>()),
            _ => Arc::new(values.map(Some).collect::<Float64Array>()),
        })
    }

    /// The most rows: the cells of every set.
    pub(crate) fn most_rows(&self) -> u64 {
        let Some(sets) = &self.sets else {
            return self.core.cells.into();
        };
        let of_set = |set: &Vec<usize>| self.cells_of(set.iter().copied());
        sets.iter().map(of_set).fold(0, u64::saturating_add)
    }

    /// The most rows that share one value of these keys, none of them NULL.
    pub(super) fn most_matches(&self, joined: &[usize]) -> u64 {
        if self.core.is_open() {
            let all = (0..self.core.keys.len()).all(|key| joined.contains(&key));
            return if all { self.alike(joined) } else { self.most_rows() };
        }
        let free = |set: &[usize]| {
            if joined.iter().any(|key| !set.contains(key)) {
                return 0;
            }
            let rest = set.iter().copied().filter(|key| !joined.contains(key));
            self.cells_of(rest).saturating_mul(self.alike(joined))
        };
        match &self.sets {
            None => free(&(0..self.core.keys.len()).collect::<Vec<_>>()),
            Some(sets) => sets.iter().map(|set| free(set)).fold(0, u64::saturating_add),
        }
    }

    /// How many cells show one value of these keys: a domain can hold the very word for what is outside of it.
    fn alike(&self, keys: &[usize]) -> u64 {
        let doubled = |key: &&usize| match self.core.keys.get(**key).map(|key| &key.cells) {
            Some(KeyCells::Text { values, other }) => *other && values.iter().any(|value| value == OTHER),
            _ => false,
        };
        1 << keys.iter().filter(doubled).count().min(32)
    }

    fn cells_of(&self, keys: impl Iterator<Item = usize>) -> u64 {
        keys.filter_map(|key| self.core.keys.get(key))
            .fold(1u64, |cells, key| cells.saturating_mul(key.cells.count()))
    }
}

/// Cells by their codes per key, and by what is left of them in a grouping set.
struct Names<'a> {
    part: &'a PlanPart,
    strides: Vec<u64>,
}

impl<'a> Names<'a> {
    fn of(part: &'a PlanPart) -> Self {
        Self {
            part,
            strides: part.core.strides(),
        }
    }

    fn code(&self, key: usize, cell: u32) -> u64 {
        u64::from(cell) / self.strides[key] % self.part.core.keys[key].cells.count()
    }

    fn name(&self, set: usize, cell: u32) -> u64 {
        match &self.part.sets {
            None => u64::from(cell),
            Some(sets) => sets[set]
                .iter()
                .map(|key| self.code(*key, cell) * self.strides[*key])
                .sum(),
        }
    }
}

fn key_array<'a>(cells: &KeyCells, values: impl Iterator<Item = &'a KeyValue>) -> ArrayRef {
    match cells {
        KeyCells::Dates { .. } | KeyCells::Open(FieldType::Date) => Arc::new(
            values
                .map(|value| match value {
                    KeyValue::Date(days) => Some(*days),
                    _ => None,
                })
                .collect::<Date32Array>(),
        ),
        KeyCells::Timestamps { .. } | KeyCells::Open(FieldType::Timestamp) => Arc::new(
            values
                .map(|value| match value {
                    KeyValue::Timestamp(micros) => Some(*micros),
                    _ => None,
                })
                .collect::<TimestampMicrosecondArray>(),
        ),
        KeyCells::Text { .. } | KeyCells::Open(FieldType::Text | FieldType::Number | FieldType::Boolean) => {
            Arc::new(
                values
                    .map(|value| match value {
                        KeyValue::Text(text) => Some(text.as_str()),
                        KeyValue::Other => Some(OTHER),
                        _ => None,
                    })
                    .collect::<StringArray>(),
            )
        }
        KeyCells::Integer { .. } | KeyCells::Integers { .. } | KeyCells::Open(FieldType::Integer) => {
            Arc::new(
                values
                    .map(|value| match value {
                        KeyValue::Integer(value) => Some(*value),
                        _ => None,
                    })
                    .collect::<Int64Array>(),
            )
        }
        KeyCells::Boolean => Arc::new(
            values
                .map(|value| match value {
                    KeyValue::Boolean(value) => Some(*value),
                    _ => None,
                })
                .collect::<BooleanArray>(),
        ),
    }
}
