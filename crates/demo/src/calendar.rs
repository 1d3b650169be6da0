//! The year that the city's data covers: 2025, in civil time (Asia/Shanghai, no summer time).

use crate::distribution::Curve;

/// Days from 1970-01-01 to 2025-01-01.
pub(crate) const YEAR_START: i32 = 20_089;

/// Days of the year 2025.
pub(crate) const YEAR_DAYS: u32 = 365;

/// Microseconds of a second.
pub(crate) const MICROS: i64 = 1_000_000;

/// The first day (from 0) of each month of a common year, and the end.
pub(crate) const MONTH_STARTS: [u32; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/// The public holidays of 2025 as first and last day of the year, from 0 (State Council notice 国办发明电〔2024〕12号;
/// the working weekends that make up for them are left out).
const HOLIDAYS: [(u32, u32); 6] = [(0, 0), (27, 34), (93, 95), (120, 124), (150, 152), (273, 280)];

/// Month, from 0, of a day of the year, from 0.
pub(crate) fn month(day: u32) -> usize {
    MONTH_STARTS.partition_point(|start| *start <= day) - 1
}

/// Month and day of month, both from 1, of a day of a common year, from 0.
pub(crate) fn month_and_day(day: u32) -> (u32, u32) {
    let month = month(day);
    (month as u32 + 1, day - MONTH_STARTS[month] + 1)
}

/// Whether people are off: weekends and public holidays. 2025-01-01 was a Wednesday.
pub(crate) fn is_day_off(day: u32) -> bool {
    (day + 2) % 7 >= 5
        || HOLIDAYS
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&day))
}

/// Local midnight of a day of the year, in microseconds since 1970-01-01 00:00 (civil time).
pub(crate) const fn midnight(day: u32) -> i64 {
    (YEAR_START as i64 + day as i64) * 86_400 * MICROS
}

/// A smooth curve over the 24 hours from values at their starts.
pub(crate) fn hourly(profile: &[f64; 24], hour: f64) -> f64 {
    let whole = hour as usize % 24;
    let part = hour - hour as usize as f64;
    profile[whole] * (1.0 - part) + profile[(whole + 1) % 24] * part
}

/// Spreads rows over time bins in proportion to weights, in order.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    cumulative: Vec<f64>,
}

impl Timeline {
    /// One bin per weight (all positive).
    pub(crate) fn new(weights: impl Iterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let mut cumulative = vec![0.0];
        cumulative.extend(weights.map(|weight| {
            sum += weight;
            sum
        }));
        Self { cumulative }
    }

    /// The bin at `position` in [0, 1) of the whole, and how far into it, in [0, 1).
    pub(crate) fn locate(&self, position: f64) -> (u32, f64) {
        let last = self.cumulative.len() - 1;
        let at = position * self.cumulative[last];
        let bin = (self.cumulative.partition_point(|sum| *sum <= at) - 1).min(last - 1);
        let (from, to) = (self.cumulative[bin], self.cumulative[bin + 1]);
        (bin as u32, ((at - from) / (to - from)).clamp(0.0, 0.999_999_9))
    }
}

/// A yearly curve by the share of the year that has gone.
pub(crate) fn yearly(curve: &Curve, day: u32) -> f64 {
    curve.quantile(f64::from(day) / f64::from(YEAR_DAYS))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use jiff::civil::{Date, Weekday};

    use super::*;

    #[test]
    fn the_year_is_2025() {
        let first: Date = "2025-01-01".parse().unwrap();
        assert_eq!(
            first
                .since("1970-01-01".parse::<Date>().unwrap())
                .unwrap()
                .get_days(),
            YEAR_START
        );
        for day in 0..YEAR_DAYS {
            let date = first.checked_add(jiff::Span::new().days(i64::from(day))).unwrap();
            assert_eq!(month_and_day(day), (date.month() as u32, date.day() as u32));
            let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
            assert!(is_day_off(day) || !weekend, "{date}");
        }
        assert!(is_day_off(28) && is_day_off(273) && !is_day_off(8));
    }

    #[test]
    fn a_timeline_keeps_order_and_weights() {
        let timeline = Timeline::new([1.0, 3.0].into_iter());
        assert_eq!(timeline.locate(0.1).0, 0);
        assert_eq!(timeline.locate(0.25), (1, 0.0));
        let (bin, part) = timeline.locate(0.999_999_999_999);
        assert!(bin == 1 && part < 1.0);
    }
}
