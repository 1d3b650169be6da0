//! The proleptic Gregorian calendar, total over every 64-bit count of microseconds and 32-bit count of days.
//!
//! Day arithmetic after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (eras of 400 years).

use crate::scalar::DatePart;

pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Year, month (1–12) and day (1–31) of a day counted from 1970-01-01.
pub(crate) fn from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day, counted from 1970-01-01, of a date.
pub(crate) fn to_days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// 1 (Monday) to 7.
fn iso_weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

fn iso_week(days: i64) -> i64 {
    // The week belongs to the year of its Thursday (ISO 8601).
    let thursday = days + 4 - iso_weekday(days);
    let (year, _, _) = from_days(thursday);
    (thursday - to_days(year, 1, 1)) / 7 + 1
}

/// A part of a civil timestamp in microseconds.
pub(crate) fn part(micros: i64, part: DatePart) -> i64 {
    let days = micros.div_euclid(MICROS_PER_DAY);
    let in_day = micros.rem_euclid(MICROS_PER_DAY);
    match part {
        DatePart::Hour => in_day / 3_600_000_000,
        DatePart::Minute => in_day / 60_000_000 % 60,
        DatePart::Second => in_day / 1_000_000 % 60,
        DatePart::Year => from_days(days).0,
        DatePart::Quarter => (from_days(days).1 + 2) / 3,
        DatePart::Month => from_days(days).1,
        DatePart::Day => from_days(days).2,
        DatePart::DayOfYear => days - to_days(from_days(days).0, 1, 1) + 1,
        DatePart::Week => iso_week(days),
        DatePart::DayOfWeek => iso_weekday(days) % 7,
        DatePart::IsoDayOfWeek => iso_weekday(days),
    }
}

/// The start of the year, month, … around a civil timestamp; `None` if it does not fit.
pub(crate) fn truncate(micros: i64, part: DatePart) -> Option<i64> {
    let days = micros.div_euclid(MICROS_PER_DAY);
    let floor = |unit: i64| micros.checked_sub(micros.rem_euclid(unit));
    let (year, month, _) = from_days(days);
    let start = match part {
        DatePart::Second => return floor(1_000_000),
        DatePart::Minute => return floor(60_000_000),
        DatePart::Hour => return floor(3_600_000_000),
        DatePart::Day | DatePart::DayOfYear | DatePart::DayOfWeek | DatePart::IsoDayOfWeek => days,
        DatePart::Week => days - iso_weekday(days) + 1,
        DatePart::Month => to_days(year, month, 1),
        DatePart::Quarter => to_days(year, (month - 1) / 3 * 3 + 1, 1),
        DatePart::Year => to_days(year, 1, 1),
    };
    start.checked_mul(MICROS_PER_DAY)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn agrees_with_the_calendar() {
        let day = jiff::civil::date(1970, 1, 1);
        for days in (-400_000..400_000i32).step_by(97) {
            let date = day.checked_add(jiff::Span::new().days(days)).unwrap();
            let days = i64::from(days);
            let (year, month, d) = (
                i64::from(date.year()),
                i64::from(date.month()),
                i64::from(date.day()),
            );
            assert_eq!(from_days(days), (year, month, d));
            assert_eq!(to_days(year, month, d), days);
            let micros = days * MICROS_PER_DAY;
            assert_eq!(part(micros, DatePart::DayOfYear), i64::from(date.day_of_year()));
            let weekday = i64::from(date.weekday().to_monday_one_offset());
            assert_eq!(part(micros, DatePart::IsoDayOfWeek), weekday);
            assert_eq!(
                part(micros, DatePart::Week),
                i64::from(date.iso_week_date().week())
            );
        }
    }

    #[test]
    fn extremes_have_values() {
        use DatePart::*;
        let parts = [
            Year,
            Quarter,
            Month,
            Week,
            Day,
            DayOfYear,
            DayOfWeek,
            IsoDayOfWeek,
            Hour,
            Minute,
            Second,
        ];
        for micros in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
            for p in parts {
                let value = part(micros, p);
                let (lo, hi) = p.range().unwrap_or((-300_000, 300_000));
                assert!((lo..=hi).contains(&value), "{p:?} of {micros} is {value}");
                if let Some(start) = truncate(micros, p) {
                    assert!(start <= micros);
                }
            }
        }
        assert_eq!(truncate(i64::MIN, Year), None);
    }
}
