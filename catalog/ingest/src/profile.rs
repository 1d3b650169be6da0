//! Figures on each column over all rows. For protected data they are for trusted roles only.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use datasketches::hll::{HllSketch, HllType};
use foldhash::quality::RandomState;
use jiff::tz::TimeZone;
use model::{FieldDeclaration, FieldName, FieldType};
use serde::{Deserialize, Serialize};

use crate::scan::Range;
use crate::survey::Column;

/// A profile: what the columns of a version are like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Rows that were looked at.
    pub rows: u64,
    /// One per column, in output order.
    pub columns: Vec<ColumnProfile>,
}

/// How many different values a column has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distinct {
    /// The count, or its estimate.
    pub count: u64,
    /// Of an estimate, the relative standard error; absent where the count is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
}

/// A bound of a range: a number, or a date or time as ISO 8601 text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Of an integer column.
    Integer(i64),
    /// Of a number column.
    Number(f64),
    /// Of a date or timestamp column.
    Text(String),
}

/// A bar of a histogram: `lo` ≤ value < `hi`, the last one with `hi`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower end.
    pub lo: Scalar,
    /// Upper end.
    pub hi: Scalar,
    /// Values in it.
    pub count: u64,
}

/// A value of a text or boolean column and how often it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopValue {
    /// The value, cut to 100 characters.
    pub value: String,
    /// How often.
    pub count: u64,
}

/// What a column is like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Its name.
    pub name: FieldName,
    /// What its values are.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Rows without a value.
    pub nulls: u64,
    /// How many different values.
    pub distinct: Distinct,
    /// The least value, of numbers, dates and times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Scalar>,
    /// The greatest value, of numbers, dates and times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Scalar>,
    /// The mean, of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// At most 20 bins of equal width, of numbers, dates and times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<Bin>,
    /// The ten most frequent values of text and booleans, most frequent first; none where there are too many
    /// different ones to count each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<TopValue>,
    /// Values outside the declared bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside_bounds: Option<u64>,
    /// Values outside the declared domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside_domain: Option<u64>,
}

const BINS: usize = 20;
const TOP: usize = 10;
/// HyperLogLog with 2¹⁴ registers of a byte.
const LG_REGISTERS: u8 = 14;
/// Relative standard error of HyperLogLog with m registers, 1.04/√m (Flajolet, Fusy, Gandouet, Meunier 2007, theorem 1).
const STANDARD_ERROR: f64 = 1.04 / 128.0;

/// The keys are hashes already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type Counts = HashMap<u64, (u64, Option<Box<str>>), BuildHasherDefault<AsIs>>;

/// Counts values exactly while they are few, then estimates how many different ones there are.
#[derive(Debug)]
enum DistinctCounter {
    Exact { counts: Counts, text_left: usize },
    Estimate(Box<HllSketch>),
}

/// Collects the profile of a column.
#[derive(Debug)]
pub(crate) struct ColumnProfiler {
    name: FieldName,
    field_type: FieldType,
    declaration: Option<FieldDeclaration>,
    domain: Option<std::collections::HashSet<String>>,
    range: Option<Range>,
    bins: Vec<u64>,
    scale: f64,
    low: f64,
    nulls: u64,
    values: u64,
    sum: f64,
    outside_bounds: u64,
    outside_domain: u64,
    most_distinct: usize,
    distinct: DistinctCounter,
    hash: RandomState,
}

impl ColumnProfiler {
    /// A profiler that shares its memory with `columns` others.
    pub(crate) fn new(column: &Column, columns: usize) -> Self {
        let (lo, hi, whole) = match column.range {
            Some(Range::Integer(lo, hi) | Range::Micros(lo, hi)) => (lo as f64, hi as f64, true),
            Some(Range::Days(lo, hi)) => (f64::from(lo), f64::from(hi), true),
            Some(Range::Number(lo, hi)) => (lo, hi, false),
            None => (0.0, 0.0, false),
        };
        let bins = match column.range {
            None => 0,
            Some(_) if hi <= lo => 1,
            Some(_) if whole => BINS.min((hi - lo) as usize + 1),
            Some(_) => BINS,
        };
        let width = if bins == 0 { 1.0 } else { (hi - lo) / bins as f64 };
        let domain = column
            .declaration
            .as_ref()
            .and_then(|field| field.domain.as_ref());
        Self {
            name: column.name.clone(),
            field_type: column.field_type,
            domain: domain.map(|domain| domain.values().iter().cloned().collect()),
            declaration: column.declaration.clone(),
            range: column.range,
            bins: vec![0; bins],
            scale: if width > 0.0 && width.is_finite() {
                1.0 / width
            } else {
                0.0
            },
            low: lo,
            nulls: 0,
            values: 0,
            sum: 0.0,
            outside_bounds: 0,
            outside_domain: 0,
            most_distinct: (400_000 / columns.max(1)).clamp(1_000, 20_000),
            distinct: DistinctCounter::Exact {
                counts: Counts::default(),
                text_left: ((64 << 20) / columns.max(1)).clamp(64 << 10, 4 << 20),
            },
            hash: RandomState::default(),
        }
    }

    /// Takes a stretch of the column.
    pub(crate) fn update(&mut self, array: &dyn Array) {
        self.nulls += array.null_count() as u64;
        self.values += (array.len() - array.null_count()) as u64;
        match array.data_type() {
            DataType::Int64 => array
                .as_primitive::<Int64Type>()
                .iter()
                .flatten()
                .for_each(|v| self.integer(v, true)),
            DataType::Float64 => array
                .as_primitive::<Float64Type>()
                .iter()
                .flatten()
                .for_each(|v| self.number(v)),
            DataType::Date32 => {
                array
                    .as_primitive::<Date32Type>()
                    .iter()
                    .flatten()
                    .for_each(|v| self.integer(v.into(), false));
            }
            DataType::Timestamp(..) => {
                let array = array.as_primitive::<TimestampMicrosecondType>();
                array.iter().flatten().for_each(|v| self.integer(v, false));
            }
            DataType::Boolean => {
                for value in array.as_boolean().iter().flatten() {
                    self.count(
                        u64::from(value).wrapping_mul(u64::MAX / 3),
                        Some(if value { "true" } else { "false" }),
                    );
                }
            }
            DataType::Utf8 => {
                for value in array.as_string::<i32>().iter().flatten() {
                    if self.domain.as_ref().is_some_and(|domain| !domain.contains(value)) {
                        self.outside_domain += 1;
                    }
                    self.count(self.hash.hash_one(value), Some(value));
                }
            }
            _ => {}
        }
    }

    #[inline]
    fn bin(&mut self, value: f64) {
        let last = self.bins.len().saturating_sub(1);
        if let Some(bin) = self
            .bins
            .get_mut((((value - self.low) * self.scale) as usize).min(last))
        {
            *bin += 1;
        }
    }

    #[inline]
    fn bound(&mut self, value: f64) {
        self.sum += value;
        let bounds = self.declaration.as_ref().and_then(|field| field.bounds);
        self.outside_bounds += u64::from(bounds.is_some_and(|b| value < b.lo() || value > b.hi()));
    }

    #[inline]
    fn integer(&mut self, value: i64, numeric: bool) {
        let float = value as f64;
        self.bin(float);
        if numeric {
            self.bound(float);
        }
        self.count(self.hash.hash_one(value), None);
    }

    #[inline]
    fn number(&mut self, value: f64) {
        self.bin(value);
        self.bound(value);
        // 0.0 and -0.0 are one value.
        let bits = if value == 0.0 { 0 } else { value.to_bits() };
        self.count(self.hash.hash_one(bits), None);
    }

    #[inline]
    fn count(&mut self, hash: u64, text: Option<&str>) {
        match &mut self.distinct {
            DistinctCounter::Estimate(sketch) => sketch.update(hash),
            DistinctCounter::Exact { counts, text_left } => {
                if let Some((count, _)) = counts.get_mut(&hash) {
                    *count += 1;
                    return;
                }
                let size = text.map_or(0, |text| text.len().min(400));
                if counts.len() < self.most_distinct && size <= *text_left {
                    *text_left -= size;
                    let kept = text.map(|text| text.chars().take(100).collect::<String>().into_boxed_str());
                    counts.insert(hash, (1, kept));
                    return;
                }
                let Ok(mut sketch) = HllSketch::new(LG_REGISTERS, HllType::Hll8) else {
                    return;
                };
                counts.keys().for_each(|hash| sketch.update(*hash));
                sketch.update(hash);
                self.distinct = DistinctCounter::Estimate(Box::new(sketch));
            }
        }
    }

    /// The figures. With `identifier`, only those that quote no value: how many are missing and how many different.
    pub(crate) fn finish(self, identifier: bool) -> ColumnProfile {
        let numeric = matches!(self.field_type, FieldType::Integer | FieldType::Number);
        let declared = self.declaration.as_ref();
        let (distinct, mut top) = match self.distinct {
            DistinctCounter::Estimate(sketch) => (
                Distinct {
                    count: sketch.estimate().round() as u64,
                    standard_error: Some(STANDARD_ERROR),
                },
                Vec::new(),
            ),
            DistinctCounter::Exact { counts, .. } => {
                let count = counts.len() as u64;
                let top = counts.into_values().filter_map(|(count, text)| {
                    text.map(|value| TopValue {
                        value: value.into_string(),
                        count,
                    })
                });
                (
                    Distinct {
                        count,
                        standard_error: None,
                    },
                    top.collect::<Vec<_>>(),
                )
            }
        };
        top.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        top.truncate(TOP);
        let scalar = |value: f64| match self.field_type {
            FieldType::Integer if value.fract() == 0.0 => Scalar::Integer(value as i64),
            FieldType::Date => Scalar::Text(iso_date(value.floor() as i64)),
            FieldType::Timestamp => Scalar::Text(iso_time(value as i64)),
            _ => Scalar::Number(value),
        };
        let (min, max) = match self.range {
            Some(Range::Integer(lo, hi)) => (Some(Scalar::Integer(lo)), Some(Scalar::Integer(hi))),
            Some(Range::Number(lo, hi)) => (Some(Scalar::Number(lo)), Some(Scalar::Number(hi))),
            Some(Range::Days(lo, hi)) => (
                Some(Scalar::Text(iso_date(lo.into()))),
                Some(Scalar::Text(iso_date(hi.into()))),
            ),
            Some(Range::Micros(lo, hi)) => {
                (Some(Scalar::Text(iso_time(lo))), Some(Scalar::Text(iso_time(hi))))
            }
            None => (None, None),
        };
        let width = if self.scale > 0.0 { 1.0 / self.scale } else { 0.0 };
        let bins = self.bins.iter().enumerate().map(|(at, &count)| Bin {
            lo: scalar(self.low + at as f64 * width),
            hi: scalar(self.low + (at + 1) as f64 * width),
            count,
        });
        ColumnProfile {
            name: self.name,
            field_type: self.field_type,
            nulls: self.nulls,
            distinct,
            min: min.filter(|_| !identifier),
            max: max.filter(|_| !identifier),
            mean: (numeric && self.values > 0 && !identifier).then(|| self.sum / self.values as f64),
            histogram: if identifier { Vec::new() } else { bins.collect() },
            top: if identifier { Vec::new() } else { top },
            outside_bounds: declared
                .and_then(|field| field.bounds)
                .map(|_| self.outside_bounds),
            outside_domain: declared
                .and_then(|field| field.domain.as_ref())
                .map(|_| self.outside_domain),
        }
    }
}

fn iso_time(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros).map(|time| TimeZone::UTC.to_datetime(time));
    time.map_or_else(|_| String::new(), |time| time.to_string())
}

fn iso_date(days: i64) -> String {
    let time = jiff::Timestamp::from_second(days.saturating_mul(86_400));
    time.map_or_else(
        |_| String::new(),
        |time| TimeZone::UTC.to_datetime(time).date().to_string(),
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn column(field_type: FieldType, range: Option<Range>) -> Column {
        let name = FieldName::parse("c").unwrap();
        Column {
            name,
            field_type,
            missing: vec![],
            range,
            declaration: None,
            source: 0,
        }
    }

    #[test]
    fn few_values_are_counted_exactly_and_many_within_the_stated_error() {
        for (rows, distinct) in [(4_900i64, 700i64), (300_000, 150_000)] {
            let column = column(FieldType::Integer, Some(Range::Integer(0, distinct - 1)));
            let mut profiler = ColumnProfiler::new(&column, 1);
            profiler.update(&Int64Array::from_iter_values((0..rows).map(|i| i % distinct)));
            let profile = profiler.finish(false);
            let off = (profile.distinct.count as f64 / distinct as f64 - 1.0).abs();
            match profile.distinct.standard_error {
                None => assert_eq!(profile.distinct.count, distinct as u64),
                Some(error) => assert!(off < 5.0 * error, "{off}"),
            }
            assert_eq!(profile.distinct.standard_error.is_some(), distinct > 20_000);
            assert_eq!(profile.histogram.len(), 20);
            assert_eq!(
                profile.histogram.iter().map(|bin| bin.count).sum::<u64>(),
                rows as u64
            );
            assert_eq!(
                profile.mean.unwrap().round(),
                ((distinct - 1) as f64 / 2.0).round()
            );
        }
    }

    #[test]
    fn text_has_top_values_unless_it_identifies() {
        let array = StringArray::from(vec![Some("b"), Some("a"), None, Some("b")]);
        let mut profiler = ColumnProfiler::new(&column(FieldType::Text, None), 3);
        profiler.update(&array);
        let profile = profiler.finish(false);
        let top: Vec<_> = profile
            .top
            .iter()
            .map(|top| (top.value.as_str(), top.count))
            .collect();
        assert_eq!(top, [("b", 2), ("a", 1)]);
        assert_eq!((profile.nulls, profile.distinct.count), (1, 2));
        let mut profiler = ColumnProfiler::new(&column(FieldType::Text, None), 3);
        profiler.update(&array);
        assert!(profiler.finish(true).top.is_empty());
    }

    #[test]
    fn dates_have_iso_bounds() {
        let profile = ColumnProfiler::new(&column(FieldType::Date, Some(Range::Days(0, 1))), 1).finish(false);
        assert_eq!(profile.max, Some(Scalar::Text("1970-01-02".into())));
        assert_eq!(profile.histogram.len(), 2);
        let profile =
            ColumnProfiler::new(&column(FieldType::Timestamp, Some(Range::Micros(0, 1))), 1).finish(false);
        assert_eq!(profile.min, Some(Scalar::Text("1970-01-01T00:00:00".into())));
    }
}
