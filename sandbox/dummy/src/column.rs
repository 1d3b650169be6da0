//! Values of one column, from what is declared of its field.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use model::{Bounds, FieldDeclaration, FieldType};

use crate::random::Random;

/// What every dummy unit key begins with. No identity number, credit code or plate does.
pub const KEY_PREFIX: &str = "DUMMY-";

/// Numbers that are declared without bounds lie between these.
const UNDECLARED: (f64, f64) = (0.0, 1_000.0);
/// Different texts where no domain is declared.
const TEXTS: usize = 20;
/// The days of dummy dates, since 1970: 2024-01-01 to 2024-12-31.
const DAYS: (i32, i32) = (19_723, 20_088);
const DAY_MICROS: i64 = 86_400_000_000;
/// Of so many values one is missing.
const NULLS: usize = 50;
/// In fewer values than these none is missing.
const LEAST_FOR_NULLS: usize = 10;

/// How many bytes a value takes at most, as it is written.
pub(crate) fn width(field: &FieldDeclaration) -> u64 {
    let longest = field
        .domain
        .as_ref()
        .and_then(|domain| domain.values().iter().map(String::len).max());
    longest.unwrap_or(0).max(24) as u64
}

/// The unit keys of rows.
pub(crate) fn keys(units: &[u32]) -> ArrayRef {
    let keys = units.iter().map(|unit| Some(format!("{KEY_PREFIX}{unit:07}")));
    Arc::new(keys.collect::<StringArray>())
}

/// The values of a field for these rows' units.
pub(crate) fn values(field: &FieldDeclaration, units: &[u32], seed: u64) -> ArrayRef {
    let mut column = Column {
        units,
        unit_static: field.unit_static,
        random: Random::new(seed, field.name.as_str()),
    };
    match field.field_type {
        FieldType::Text => {
            let texts: Vec<String> = match &field.domain {
                Some(domain) => domain.values().to_vec(),
                None => (1..=TEXTS).map(|n| format!("模拟文本{n:02}")).collect(),
            };
            let count = texts.len();
            let places = column.fill(0..count, |random| Random::place(random.skewed(), count));
            let text = |place: Option<usize>| place.and_then(|place| texts.get(place));
            Arc::new(places.into_iter().map(text).collect::<StringArray>())
        }
        FieldType::Boolean => {
            let values = column.fill([false, true], |random| random.skewed() > 0.25);
            Arc::new(values.into_iter().collect::<BooleanArray>())
        }
        FieldType::Integer => {
            let (lo, hi) = ends(field.bounds);
            let (lo, hi) = (lo.ceil(), hi.floor());
            if lo > hi {
                return Arc::new(Int64Array::new_null(units.len()));
            }
            #[expect(clippy::cast_possible_truncation, reason = "bounds are within ±10¹⁵")]
            let whole = |x: f64| x.round().clamp(lo, hi) as i64;
            let values = column.fill([whole(lo), whole(hi)], |random| whole(between(random, lo, hi)));
            Arc::new(values.into_iter().collect::<Int64Array>())
        }
        FieldType::Number => {
            let (lo, hi) = ends(field.bounds);
            let grid = grid(hi - lo);
            let tidy = |x: f64| ((x * grid).round() / grid).clamp(lo, hi);
            let values = column.fill([lo, hi], |random| tidy(between(random, lo, hi)));
            Arc::new(values.into_iter().collect::<Float64Array>())
        }
        FieldType::Date => {
            let values = column.fill([DAYS.0, DAYS.1], day);
            Arc::new(values.into_iter().collect::<Date32Array>())
        }
        FieldType::Timestamp => {
            let ends = [
                i64::from(DAYS.0) * DAY_MICROS,
                i64::from(DAYS.1 + 1) * DAY_MICROS - 1_000_000,
            ];
            let values = column.fill(ends, |random| {
                let second = Random::place(random.central(), 86_400);
                i64::from(day(random)) * DAY_MICROS + i64::try_from(second).unwrap_or(0) * 1_000_000
            });
            Arc::new(values.into_iter().collect::<TimestampMicrosecondArray>())
        }
    }
}

/// A column that is being filled.
struct Column<'a> {
    /// The unit of every row: numbers without gaps, in order.
    units: &'a [u32],
    unit_static: bool,
    random: Random,
}

impl Column<'_> {
    /// A value for every row, or for every unit: first those that have to appear, then some that are missing, the rest
    /// drawn; in random order.
    fn fill<T: Copy>(
        &mut self,
        appear: impl IntoIterator<Item = T>,
        mut draw: impl FnMut(&mut Random) -> T,
    ) -> Vec<Option<T>> {
        let rows = self.units.len();
        let count = if self.unit_static {
            self.units.last().map_or(0, |last| *last as usize + 1)
        } else {
            rows
        };
        let mut values: Vec<Option<T>> = appear.into_iter().take(count).map(Some).collect();
        if count >= LEAST_FOR_NULLS {
            let missing = (count / NULLS).max(1).min(count - values.len());
            values.resize(values.len() + missing, None);
        }
        while values.len() < count {
            values.push(Some(draw(&mut self.random)));
        }
        self.random.shuffle(&mut values);
        if !self.unit_static {
            return values;
        }
        let of_unit = |unit: &u32| values.get(*unit as usize).copied().flatten();
        self.units.iter().map(of_unit).collect()
    }
}

fn ends(bounds: Option<Bounds>) -> (f64, f64) {
    bounds.map_or(UNDECLARED, |bounds| (bounds.lo(), bounds.hi()))
}

/// A number between bounds: small ones are frequent among amounts, those near the middle where there are negative ones.
fn between(random: &mut Random, lo: f64, hi: f64) -> f64 {
    let share = if lo < 0.0 {
        random.central()
    } else {
        random.skewed()
    };
    lo + share * (hi - lo)
}

/// Steps per unit to which numbers are rounded: hundredths, and finer where the bounds are close together.
fn grid(width: f64) -> f64 {
    let mut grid = 100.0;
    while width > 0.0 && width * grid < 1_000.0 && grid < 1e12 {
        grid *= 10.0;
    }
    grid
}

fn day(random: &mut Random) -> i32 {
    let days = usize::try_from(DAYS.1 - DAYS.0 + 1).unwrap_or(1);
    DAYS.0 + i32::try_from(Random::place(random.unit(), days)).unwrap_or(0)
}
