//! The first pass over a column: which types all its values allow, what stands for missing, and the range.

use jiff::tz::TimeZone;
use model::FieldType;

use crate::error::IngestError;
use crate::record::Fields;
use crate::value;

/// Marks that stand for a missing value in columns of numbers, dates and the like.
pub(crate) const MARKS: [&str; 14] = [
    "NA", "N/A", "n/a", "null", "NULL", "Null", "None", "NaN", "nan", "?", "-", "--", "\\N", "无",
];
/// Marks that are hardly ever a text of their own: in a column of text they stand for a missing value as well.
const STRONG: [&str; 7] = ["N/A", "n/a", "null", "NULL", "Null", "?", "\\N"];
const LONGEST_MARK: usize = 4;

/// The least and the greatest value of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Range {
    Integer(i64, i64),
    Number(f64, f64),
    Days(i32, i32),
    Micros(i64, i64),
}

const INTEGER: u8 = 1;
const NUMBER: u8 = 2;
const BOOLEAN: u8 = 4;
const DATE: u8 = 8;
const TIMESTAMP: u8 = 16;
const ALL: u8 = 31;

/// How a column is read in the first pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// The type that a declaration or correction gives.
    pub(crate) declared: Option<FieldType>,
    /// What stands for missing, where it is not to be detected.
    pub(crate) missing: Option<&'a [String]>,
    pub(crate) zone: &'a TimeZone,
}

#[derive(Debug, Clone, Copy)]
struct MinMax<T>(Option<(T, T)>);

impl<T: PartialOrd + Copy> MinMax<T> {
    fn add(&mut self, value: T) {
        self.0 = Some(match self.0 {
            None => (value, value),
            Some((lo, hi)) => (
                if value < lo { value } else { lo },
                if value > hi { value } else { hi },
            ),
        });
    }

    fn merge(&mut self, other: Self) {
        if let Some((lo, hi)) = other.0 {
            self.add(lo);
            self.add(hi);
        }
    }
}

/// What the values of a column are, so far.
#[derive(Debug, Clone)]
pub(crate) struct ColumnScan {
    kinds: u8,
    values: u64,
    marks: [u64; MARKS.len()],
    integers: MinMax<i64>,
    numbers: MinMax<f64>,
    days: MinMax<i32>,
    micros: MinMax<i64>,
}

impl ColumnScan {
    pub(crate) const fn new() -> Self {
        Self {
            kinds: ALL,
            values: 0,
            marks: [0; MARKS.len()],
            integers: MinMax(None),
            numbers: MinMax(None),
            days: MinMax(None),
            micros: MinMax(None),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.kinds &= other.kinds;
        self.values += other.values;
        for (mine, theirs) in self.marks.iter_mut().zip(other.marks) {
            *mine += theirs;
        }
        self.integers.merge(other.integers);
        self.numbers.merge(other.numbers);
        self.days.merge(other.days);
        self.micros.merge(other.micros);
    }

    /// Takes a column of a chunk.
    ///
    /// # Errors
    /// [`IngestError::Value`] if a value does not fit a declared type.
    pub(crate) fn scan(
        &mut self,
        fields: &Fields<'_>,
        column: usize,
        name: &str,
        reading: Reading<'_>,
    ) -> Result<(), IngestError> {
        for (row, span) in fields.column(column).enumerate() {
            let text = span.text(fields.text);
            let text = text.as_ref();
            if text.is_empty()
                || reading
                    .missing
                    .is_some_and(|marks| marks.iter().any(|mark| mark == text))
            {
                continue;
            }
            match reading.declared {
                None => self.infer(text, reading),
                Some(declared) => {
                    let marked = reading.missing.is_none() && self.is_mark(text);
                    if marked && declared != FieldType::Text {
                        continue;
                    }
                    if !self.declared(text, declared, reading.zone) {
                        let (line, column) = (fields.line_of(row), name.to_owned());
                        return Err(IngestError::Value {
                            line,
                            column,
                            expected: declared,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn infer(&mut self, text: &str, reading: Reading<'_>) {
        if self.kinds & INTEGER != 0
            && let Some(integer) = value::strict_integer(text)
        {
            self.kinds &= INTEGER | NUMBER;
            self.integers.add(integer);
            self.values += 1;
            return;
        }
        if reading.missing.is_none() && self.is_mark(text) {
            return;
        }
        self.values += 1;
        if self.kinds == 0 {
            return;
        }
        let mut kinds = 0;
        if self.kinds & NUMBER != 0
            && let Some(number) = value::strict_number(text)
        {
            kinds = NUMBER;
            self.numbers.add(number);
        } else if self.kinds & TIMESTAMP != 0
            && let Some(micros) = value::timestamp(text, reading.zone)
        {
            kinds = TIMESTAMP;
            self.micros.add(micros);
            if self.kinds & DATE != 0
                && let Some(days) = value::date(text)
            {
                kinds |= DATE;
                self.days.add(days);
            }
        } else if self.kinds & BOOLEAN != 0 && value::boolean(text).is_some() {
            kinds = BOOLEAN;
        }
        self.kinds &= kinds;
    }

    fn is_mark(&mut self, text: &str) -> bool {
        // Most texts are told from marks by their length or first byte.
        if text.len() > LONGEST_MARK
            || !matches!(text.as_bytes()[0], b'N' | b'n' | b'?' | b'-' | b'\\' | 0xE6)
        {
            return false;
        }
        match MARKS.iter().position(|mark| *mark == text) {
            Some(mark) => {
                self.marks[mark] += 1;
                true
            }
            None => false,
        }
    }

    fn declared(&mut self, text: &str, declared: FieldType, zone: &TimeZone) -> bool {
        self.values += 1;
        match declared {
            FieldType::Text => true,
            FieldType::Integer => value::declared_integer(text)
                .map(|v| self.integers.add(v))
                .is_some(),
            FieldType::Number => value::declared_number(text)
                .map(|v| self.numbers.add(v))
                .is_some(),
            FieldType::Boolean => value::boolean(text).is_some(),
            FieldType::Date => value::date(text).map(|v| self.days.add(v)).is_some(),
            FieldType::Timestamp => value::timestamp(text, zone).map(|v| self.micros.add(v)).is_some(),
        }
    }

    /// The type that all values allow. Digits that are codes or telephone numbers are text: a name that says so, or
    /// nothing but eleven digits from 13 to 19 (mobile numbers, YD/T 1.1 numbering).
    pub(crate) fn field_type(&self, name: &str) -> FieldType {
        if self.values == 0 {
            return FieldType::Text;
        }
        let only_integers = self.kinds & INTEGER != 0;
        let phones = self
            .integers
            .0
            .is_some_and(|(lo, hi)| lo >= 13_000_000_000 && hi < 20_000_000_000);
        if only_integers && (phones || is_code_name(name)) {
            return FieldType::Text;
        }
        [
            (INTEGER, FieldType::Integer),
            (NUMBER, FieldType::Number),
            (BOOLEAN, FieldType::Boolean),
            (DATE, FieldType::Date),
            (TIMESTAMP, FieldType::Timestamp),
        ]
        .into_iter()
        .find(|(kind, _)| self.kinds & kind != 0)
        .map_or(FieldType::Text, |(_, field_type)| field_type)
    }

    /// The marks that stand for missing in a column of this type. In text, only a strong mark that is the column's
    /// only one, or one that stands for missing in another column (`elsewhere`).
    pub(crate) fn missing(&self, field_type: FieldType, elsewhere: &[String]) -> Vec<String> {
        let seen: Vec<&str> = MARKS
            .iter()
            .zip(self.marks)
            .filter(|(_, count)| *count > 0)
            .map(|(m, _)| *m)
            .collect();
        let text = field_type == FieldType::Text;
        seen.iter()
            .filter(|mark| {
                let strong = STRONG.contains(mark) && seen.len() == 1;
                !text || (self.values > 0 && (strong || elsewhere.iter().any(|other| other == *mark)))
            })
            .map(|mark| (*mark).to_owned())
            .collect()
    }

    /// The range of the values under a type.
    pub(crate) fn range(&self, field_type: FieldType) -> Option<Range> {
        match field_type {
            FieldType::Integer => self.integers.0.map(|(lo, hi)| Range::Integer(lo, hi)),
            FieldType::Number => {
                let mut all = self.numbers;
                all.merge(MinMax(self.integers.0.map(|(lo, hi)| (lo as f64, hi as f64))));
                all.0.map(|(lo, hi)| Range::Number(lo, hi))
            }
            FieldType::Date => self.days.0.map(|(lo, hi)| Range::Days(lo, hi)),
            FieldType::Timestamp => self.micros.0.map(|(lo, hi)| Range::Micros(lo, hi)),
            FieldType::Text | FieldType::Boolean => None,
        }
    }
}

/// Whether a column's name says that its digits are a code.
fn is_code_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.ends_with("code")
        || ["代码", "编码", "邮编", "区划"]
            .iter()
            .any(|word| lower.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_found() {
        let mut scan = ColumnScan::new();
        assert!(
            MARKS
                .iter()
                .all(|mark| mark.len() <= LONGEST_MARK && scan.is_mark(mark))
        );
        assert!(
            !["N", "NAN", "东", "-1", "nil"]
                .iter()
                .any(|text| scan.is_mark(text))
        );
        assert!(STRONG.iter().all(|mark| MARKS.contains(mark)));
    }

    #[test]
    fn names_that_say_code_keep_digits_as_text() {
        assert!(
            ["code", "cityCode", "行政区划代码", "邮编"]
                .into_iter()
                .all(is_code_name)
        );
        assert!(!["decoded", "n", "编号数"].into_iter().any(is_code_name));
    }
}
