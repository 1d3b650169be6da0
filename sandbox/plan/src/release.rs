//! What is made of noised totals: the released table, and what the query does with it afterwards.
//!
//! Everything here is post-processing: a function of the noised totals and of the plan alone. It costs nothing and can
//! do anything (Dwork, Roth 2014, "The Algorithmic Foundations of Differential Privacy", Proposition 2.1), so there is
//! no rule to keep but that no exact total comes here.
//!
//! The released table has one row per cell, or with GROUPING SETS one per cell of every set: cells of a coarser set are
//! added up from the released ones, which adds their variances too. Its columns are keys and measures; moments are
//! computed from noised sums about a public centre, which halves (for squares: quarters) the bounds of what is summed.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, take};
use model::FieldType;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

use crate::eval::{self, EvalError, Evaluated};
use crate::plan::{AggregateFunction, KeyCells, KeyValue, PlanCore, PrivatePlan};
use crate::scalar::{Real, ScalarExpr};

/// The word for the cell of values outside the declared domain. A domain value of that name keeps it: the cell's place
/// (before NULL, after the domain) tells them apart.
pub const OTHER: &str = "other";

/// The most grouping sets.
pub const MAX_SETS: usize = 64;

/// A public interval, and the centre about which sums are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Centred {
    /// The least value of a row.
    pub lo: Real,
    /// The greatest.
    pub hi: Real,
    /// What is subtracted before summing.
    pub centre: Real,
}

/// A figure of the released table; numbers are places in [`PlanCore::aggregates`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// A total as it was noised.
    Total(usize),
    /// c + S/n, within the declared bounds.
    Mean {
        /// Σ(x − c).
        sum: usize,
        /// Rows with a value.
        count: usize,
        /// Bounds and c.
        of: Centred,
    },
    /// (Q − S²/n)/n, or /(n − 1), at least 0 and at most what the bounds allow (Popoviciu 1935: (hi − lo)²/4).
    Variance {
        /// S = Σ(x − c).
        sum: usize,
        /// Q = Σ(x − c)².
        squares: usize,
        /// n.
        count: usize,
        /// Bounds and c.
        of: Centred,
        /// Whether n − 1 divides.
        sample: bool,
        /// Whether the square root is shown.
        root: bool,
    },
    /// (P − S_x·S_y/n)/n, or /(n − 1).
    Covariance {
        /// S_x and S_y, over rows that have both.
        sums: [usize; 2],
        /// P = Σ(x − c_x)(y − c_y).
        product: usize,
        /// n.
        count: usize,
        /// Whether n − 1 divides.
        sample: bool,
    },
    /// A quantile that was picked.
    Quantile {
        /// Its place in [`PlanCore::quantiles`].
        place: usize,
        /// Rows with a value: where they are few, a pick says nothing.
        count: usize,
    },
    /// Pearson's r from the six moments, within ±1.
    Correlation {
        /// S_x and S_y, over rows that have both.
        sums: [usize; 2],
        /// Q_x and Q_y.
        squares: [usize; 2],
        /// P.
        product: usize,
        /// n.
        count: usize,
    },
}

/// A column of the released table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReleasedColumn {
    /// A grouping key; NULL in the rows of sets that leave it out.
    Key(usize),
    /// GROUPING(keys): a bit for each that the row's set leaves out, the first key's the highest.
    Grouping(Vec<usize>),
    /// A figure.
    Measure(Measure),
}

/// What the query does with the released table, in this order. Expressions read released columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Rows where this is not true are left out.
    Filter(ScalarExpr),
    /// A stable sort.
    Sort(Vec<SortKey>),
    /// So many rows are left out, then so many are kept.
    Limit {
        /// Left out at the start.
        skip: usize,
        /// Kept after that.
        fetch: Option<usize>,
    },
}

/// What rows are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKey {
    /// The value.
    pub expr: ScalarExpr,
    /// Largest first.
    pub descending: bool,
    /// NULLs before everything else.
    pub nulls_first: bool,
}

/// A row of the released table before it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its grouping set.
    pub set: usize,
    /// A cell that it holds; the lowest where it holds several.
    pub cell: u32,
    /// How many cells were added up.
    pub cells: u32,
}

/// The rows of the released table with their noised totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The rows, in the order in which an answer shows them unless the query sorts.
    pub rows: Vec<Row>,
    /// The values of every row's keys, in the plan's order.
    pub keys: Vec<Vec<KeyValue>>,
    /// Totals, all aggregates of a row together.
    pub totals: Vec<i128>,
    /// What was picked, all quantiles of a row together.
    pub picked: Vec<Picks>,
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

impl Released {
    /// Some of its rows, in this order.
    pub fn keep(&self, kept: &UInt32Array) -> Self {
        let count = self.totals.len() / self.rows.len().max(1);
        let quantiles = self.picked.len() / self.rows.len().max(1);
        let places = || kept.values().iter().map(|row| *row as usize);
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

impl Measure {
    /// The aggregates it is computed from.
    pub fn aggregates(&self) -> Vec<usize> {
        match self {
            Self::Total(total) => vec![*total],
            Self::Quantile { count, .. } => vec![*count],
            Self::Mean { sum, count, .. } => vec![*sum, *count],
            Self::Variance {
                sum, squares, count, ..
            } => vec![*sum, *squares, *count],
            Self::Covariance {
                sums, product, count, ..
            } => vec![sums[0], sums[1], *product, *count],
            Self::Correlation {
                sums,
                squares,
                product,
                count,
            } => vec![sums[0], sums[1], squares[0], squares[1], *product, *count],
        }
    }

    /// Puts the aggregates' final places in.
    pub(crate) fn renumber(&mut self, order: &[usize], quantiles: &[usize]) {
        if let Self::Quantile { place, .. } = self {
            *place = quantiles.get(*place).copied().unwrap_or(usize::MAX);
        }
        let places: Vec<&mut usize> = match self {
            Self::Quantile { count, .. } => vec![count],
            Self::Total(total) => vec![total],
            Self::Mean { sum, count, .. } => vec![sum, count],
            Self::Variance {
                sum, squares, count, ..
            } => vec![sum, squares, count],
            Self::Covariance {
                sums, product, count, ..
            } => sums.iter_mut().chain([product, count]).collect(),
            Self::Correlation {
                sums,
                squares,
                product,
                count,
            } => sums.iter_mut().chain(squares).chain([product, count]).collect(),
        };
        for place in places {
            *place = order.get(*place).copied().unwrap_or(usize::MAX);
        }
    }

    /// The type of its values.
    pub fn field_type(&self, core: &PlanCore) -> FieldType {
        let total = match self {
            Self::Total(total) => total,
            Self::Quantile { place, .. } => {
                let quantile = core.quantiles.get(*place);
                return quantile.map_or(FieldType::Number, |quantile| quantile.candidates.field_type());
            }
            _ => return FieldType::Number,
        };
        match core.aggregates.get(*total) {
            Some(aggregate) => match &aggregate.function {
                AggregateFunction::Sum(expr)
                    if aggregate.exponent != 0
                        || expr.field_type(&core.column_types()) == Some(FieldType::Number) =>
                {
                    FieldType::Number
                }
                _ => FieldType::Integer,
            },
            None => FieldType::Number,
        }
    }

    /// The value from a row's totals; `None` is NULL: too few rows after noise.
    fn value(&self, core: &PlanCore, totals: &[i128]) -> Option<f64> {
        let of = |at: &usize| Some(core.aggregates.get(*at)?.value(*totals.get(*at)?));
        let value = match self {
            Self::Total(total) => of(total)?,
            Self::Quantile { .. } => return None,
            Self::Mean { sum, count, of: x } => {
                let n = of(count).filter(|n| *n > 0.0)?;
                (x.centre.get() + of(sum)? / n).clamp(x.lo.get(), x.hi.get())
            }
            Self::Variance {
                sum,
                squares,
                count,
                of: x,
                sample,
                root,
            } => {
                let (n, s) = (of(count)?, of(sum)?);
                let divisor = divisor(n, *sample)?;
                let most = (x.hi.get() - x.lo.get()).powi(2) / 4.0 * (n / divisor);
                let variance = ((of(squares)? - s * s / n) / divisor).clamp(0.0, most);
                if *root { variance.sqrt() } else { variance }
            }
            Self::Covariance {
                sums,
                product,
                count,
                sample,
            } => {
                let n = of(count)?;
                let divisor = divisor(n, *sample)?;
                (of(product)? - of(&sums[0])? * of(&sums[1])? / n) / divisor
            }
            Self::Correlation {
                sums,
                squares,
                product,
                count,
            } => {
                let n = of(count).filter(|n| *n > 1.0)?;
                let (x, y) = (of(&sums[0])?, of(&sums[1])?);
                let spread = (of(&squares[0])? - x * x / n) * (of(&squares[1])? - y * y / n);
                let spread = Some(spread).filter(|spread| *spread > 0.0)?;
                ((of(product)? - x * y / n) / spread.sqrt()).clamp(-1.0, 1.0)
            }
        };
        value.is_finite().then_some(value)
    }
}

/// What a second moment is divided by; none where noise left too few rows.
fn divisor(n: f64, sample: bool) -> Option<f64> {
    let divisor = if sample { n - 1.0 } else { n };
    (divisor > 0.0).then_some(divisor)
}

impl PrivatePlan {
    /// The types of the released columns.
    pub fn released_types(&self) -> Vec<FieldType> {
        self.released
            .iter()
            .map(|column| column.field_type(&self.core))
            .collect()
    }

    /// The released table of noised totals, cell by cell, all aggregates of a cell together; of what was picked, all
    /// quantiles of a cell together; and of cells that were found, with their keys.
    ///
    /// # Errors
    /// [`EvalError`] if they are not as many as the plan has.
    pub fn release(
        &self,
        noised: &[i128],
        picked: &[Picks],
        found: Option<&[Vec<KeyValue>]>,
    ) -> Evaluated<Released> {
        let count = self.core.aggregates.len();
        match (found, self.core.is_open()) {
            (Some(found), true) => return self.release_found(noised, found),
            (None, false) => {}
            _ => return Err(EvalError),
        }
        let (cells, quantiles) = (self.core.cells as usize, self.core.quantiles.len());
        if noised.len() != cells * count
            || picked.len() != cells * quantiles
            || (quantiles > 0 && self.sets.is_some())
        {
            return Err(EvalError);
        }
        let rows = self.rows();
        let mut places: HashMap<(usize, u64), usize> = HashMap::with_capacity(rows.len());
        let mut totals = vec![0i128; rows.len() * count];
        let names = Names::of(self);
        for (place, row) in rows.iter().enumerate() {
            places.insert((row.set, names.name(row.set, row.cell)), place);
        }
        for (cell, values) in (0..self.core.cells).zip(noised.chunks_exact(count.max(1))) {
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
            picked[start..start + quantiles].to_vec()
        };
        let picked = match quantiles {
            0 => vec![],
            _ => rows.iter().flat_map(of_row).collect(),
        };
        Ok(Released {
            rows,
            keys,
            totals,
            picked,
        })
    }

    fn release_found(&self, noised: &[i128], found: &[Vec<KeyValue>]) -> Evaluated<Released> {
        let count = self.core.aggregates.len();
        let whole = found.iter().all(|keys| keys.len() == self.core.keys.len());
        if !self.core.quantiles.is_empty() {
            return Err(EvalError);
        }
        if !whole || noised.len() != found.len() * count || self.sets.is_some() {
            return Err(EvalError);
        }
        let shown = self.shown_keys();
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
        Ok(Released {
            rows: order.iter().map(row).collect::<Evaluated<_>>()?,
            keys: order.iter().map(|at| found[*at].clone()).collect(),
            totals: order
                .iter()
                .flat_map(|at| noised[at * count..(at + 1) * count].iter().copied())
                .collect(),
            picked: vec![],
        })
    }

    /// The released columns as arrays.
    ///
    /// # Errors
    /// [`EvalError`] if the plan does not hold together.
    pub fn released_columns(&self, released: &Released) -> Evaluated<Vec<ArrayRef>> {
        let count = self.core.aggregates.len().max(1);
        let kept = |row: &Row, key: usize| self.sets.as_ref().is_none_or(|sets| sets[row.set].contains(&key));
        self.released
            .iter()
            .map(|column| -> Evaluated<ArrayRef> {
                Ok(match column {
                    ReleasedColumn::Key(key) => {
                        let values = released.rows.iter().zip(&released.keys).map(|(row, cell)| {
                            let value = cell.get(*key).filter(|_| kept(row, *key));
                            value.unwrap_or(&KeyValue::Null)
                        });
                        let cells = &self.core.keys.get(*key).ok_or(EvalError)?.cells;
                        key_array(cells, values)
                    }
                    ReleasedColumn::Grouping(keys) => Arc::new(
                        released
                            .rows
                            .iter()
                            .map(|row| {
                                keys.iter()
                                    .fold(0i64, |bits, key| bits << 1 | i64::from(!kept(row, *key)))
                            })
                            .collect::<Int64Array>(),
                    ),
                    ReleasedColumn::Measure(measure) => {
                        let totals = released.totals.chunks_exact(count);
                        match measure {
                            Measure::Quantile { place, .. } => self.quantile_column(*place, released)?,
                            Measure::Total(at) if measure.field_type(&self.core) == FieldType::Integer => {
                                let exact = totals.map(|row| i64::try_from(*row.get(*at)?).ok());
                                Arc::new(exact.collect::<Int64Array>())
                            }
                            _ => Arc::new(
                                totals
                                    .map(|row| measure.value(&self.core, row))
                                    .collect::<Float64Array>(),
                            ),
                        }
                    }
                })
            })
            .collect()
    }

    /// A quantile's values as an array.
    fn quantile_column(&self, place: usize, released: &Released) -> Evaluated<ArrayRef> {
        let count = self.core.quantiles.len();
        let candidates = self.core.quantiles.get(place).ok_or(EvalError)?.candidates;
        let values = released.picked.iter().skip(place).step_by(count);
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

    /// The two ends of a quantile's interval in every row.
    pub fn quantile_intervals(&self, place: usize, released: &Released) -> Vec<Option<[f64; 2]>> {
        let count = self.core.quantiles.len().max(1);
        let Some(quantile) = self.core.quantiles.get(place) else {
            return vec![None; released.rows.len()];
        };
        let picks = released.picked.iter().skip(place).step_by(count);
        let value = |at: u32| quantile.candidates.value(at);
        picks
            .map(|picks| Some([value(picks.low), value(picks.high)]))
            .collect()
    }

    /// Which rows of the released table the answer has, in which order.
    ///
    /// # Errors
    /// [`EvalError`] if a step does not fit the columns.
    pub fn arrange(&self, columns: &[ArrayRef]) -> Evaluated<UInt32Array> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut kept: UInt32Array = (0..u32::try_from(rows).map_err(|_| EvalError)?).collect();
        for step in &self.steps {
            let here = take_all(columns, &kept)?;
            let order: UInt32Array = match step {
                Step::Filter(condition) => {
                    let mask = eval::evaluate(condition, &here, kept.len())?.into_array(kept.len())?;
                    let mask: &BooleanArray = mask.as_boolean_opt().ok_or(EvalError)?;
                    (0u32..)
                        .zip(mask)
                        .filter_map(|(row, holds)| (holds == Some(true)).then_some(row))
                        .collect()
                }
                Step::Sort(keys) => {
                    let mut by = keys
                        .iter()
                        .map(|key| {
                            let values =
                                eval::evaluate(&key.expr, &here, kept.len())?.into_array(kept.len())?;
                            Ok(SortColumn {
                                values,
                                options: Some(SortOptions::new(key.descending, key.nulls_first)),
                            })
                        })
                        .collect::<Evaluated<Vec<_>>>()?;
                    // Equal rows stay in the order they had.
                    by.push(SortColumn {
                        values: Arc::new(
                            (0..u32::try_from(kept.len()).map_err(|_| EvalError)?).collect::<UInt32Array>(),
                        ),
                        options: None,
                    });
                    lexsort_to_indices(&by, None)?
                }
                Step::Limit { skip, fetch } => {
                    let skip = (*skip).min(kept.len());
                    let fetch = fetch.unwrap_or(usize::MAX).min(kept.len() - skip);
                    kept = kept.slice(skip, fetch);
                    continue;
                }
            };
            kept = take(&kept, &order, None)?
                .as_primitive_opt()
                .ok_or(EvalError)?
                .clone();
        }
        Ok(kept)
    }

    /// The answer's columns for the rows that [`Self::arrange`] kept.
    ///
    /// # Errors
    /// [`EvalError`] if an output does not fit the columns.
    pub fn output_columns(&self, columns: &[ArrayRef], kept: &UInt32Array) -> Evaluated<Vec<ArrayRef>> {
        let here = take_all(columns, kept)?;
        (0..self.output.len())
            .map(|column| self.output_column(column, &here, kept.len()))
            .collect()
    }

    /// One column of an answer, from released columns that have its rows and no others.
    ///
    /// # Errors
    /// [`EvalError`] if there is no such column, or it does not fit.
    pub fn output_column(&self, column: usize, here: &[ArrayRef], rows: usize) -> Evaluated<ArrayRef> {
        let column = self.output.get(column).ok_or(EvalError)?;
        eval::evaluate(&column.expr, here, rows)?.into_array(rows)
    }

    /// The figures that an output column is computed from.
    pub fn measures_of(&self, expr: &ScalarExpr) -> Vec<&Measure> {
        let mut used = std::collections::BTreeSet::new();
        expr.collect_columns(&mut used);
        used.into_iter()
            .filter_map(|column| match self.released.get(column) {
                Some(ReleasedColumn::Measure(measure)) => Some(measure),
                _ => None,
            })
            .collect()
    }

    fn set_count(&self) -> usize {
        self.sets.as_ref().map_or(1, Vec::len)
    }

    /// The keys from left to right as the answer shows them, then those that it does not.
    fn shown_keys(&self) -> Vec<usize> {
        let mut shown: Vec<usize> = self
            .output
            .iter()
            .filter_map(|column| match (&column.expr, &self.released) {
                (ScalarExpr::Column(at), released) => match released.get(*at) {
                    Some(ReleasedColumn::Key(key)) => Some(*key),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        shown.extend(0..self.core.keys.len());
        shown
    }

    /// The rows of the released table: set by set, in each by the answer's keys from left to right, in declared order.
    pub fn rows(&self) -> Vec<Row> {
        let names = Names::of(self);
        let shown = self.shown_keys();
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
}

impl ReleasedColumn {
    /// The type of its values.
    pub fn field_type(&self, core: &PlanCore) -> FieldType {
        match self {
            Self::Key(key) => match core.keys.get(*key).map(|key| &key.cells) {
                Some(KeyCells::Integer { .. } | KeyCells::Integers { .. }) => FieldType::Integer,
                Some(KeyCells::Boolean) => FieldType::Boolean,
                Some(KeyCells::Open(field_type)) => *field_type,
                Some(KeyCells::Text { .. }) | None => FieldType::Text,
            },
            Self::Grouping(_) => FieldType::Integer,
            Self::Measure(measure) => measure.field_type(core),
        }
    }
}

/// Cells by their codes per key, and by what is left of them in a grouping set.
struct Names<'a> {
    plan: &'a PrivatePlan,
    strides: Vec<u64>,
}

impl<'a> Names<'a> {
    fn of(plan: &'a PrivatePlan) -> Self {
        Self {
            plan,
            strides: plan.core.strides(),
        }
    }

    fn code(&self, key: usize, cell: u32) -> u64 {
        u64::from(cell) / self.strides[key] % self.plan.core.keys[key].cells.count()
    }

    fn name(&self, set: usize, cell: u32) -> u64 {
        match &self.plan.sets {
            None => u64::from(cell),
            Some(sets) => sets[set]
                .iter()
                .map(|key| self.code(*key, cell) * self.strides[*key])
                .sum(),
        }
    }
}

fn take_all(columns: &[ArrayRef], rows: &UInt32Array) -> Evaluated<Vec<ArrayRef>> {
    columns
        .iter()
        .map(|column| take(column, rows, None).map_err(EvalError::from))
        .collect()
}

fn key_array<'a>(cells: &KeyCells, values: impl Iterator<Item = &'a KeyValue>) -> ArrayRef {
    match cells {
        KeyCells::Open(FieldType::Date) => Arc::new(
            values
                .map(|value| match value {
                    KeyValue::Date(days) => Some(*days),
                    _ => None,
                })
                .collect::<Date32Array>(),
        ),
        KeyCells::Open(FieldType::Timestamp) => Arc::new(
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
