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

/// The ISO 8601 year and week: a week belongs to the year of its Thursday.
fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days + 4 - iso_weekday(days);
    let (year, _, _) = from_days(thursday);
    (year, (thursday - to_days(year, 1, 1)) / 7 + 1)
}

/// The days of a month.
fn month_length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The day of a date of years 1 to 9999; `None` if there is no such date.
pub(crate) fn date(year: i64, month: i64, day: i64) -> Option<i64> {
    let there = (1..=9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=month_length(year, month)).contains(&day);
    there.then(|| to_days(year, month, day))
}

/// The last day of a day's month.
pub(crate) fn last_of_month(days: i64) -> i64 {
    let (year, month, day) = from_days(days);
    days - day + month_length(year, month)
}

/// A day so many months later; where the month is too short, its last day. `None` far beyond what a timestamp holds.
pub(crate) fn add_months(days: i64, months: i64) -> Option<i64> {
    let (year, month, day) = from_days(days);
    let moved = (year * 12 + month - 1).checked_add(months)?;
    let (year, month) = (moved.div_euclid(12), moved.rem_euclid(12) + 1);
    // Days of 32 bits reach years of seven digits.
    (year.abs() <= 10_000_000).then(|| to_days(year, month, day.min(month_length(year, month))))
}

/// Months since the year 0, and what of the month has passed by, to be compared.
fn month_and_rest(micros: i64) -> (i64, i64) {
    let days = micros.div_euclid(MICROS_PER_DAY);
    let (year, month, day) = from_days(days);
    (
        year * 12 + month,
        day * MICROS_PER_DAY + micros.rem_euclid(MICROS_PER_DAY),
    )
}

/// Whole months from one time to another, toward zero.
pub(crate) fn months_between(from: i64, to: i64) -> i64 {
    let ((m, rest), (n, later)) = (month_and_rest(from), month_and_rest(to));
    let months = n - m;
    match months.signum() {
        1 if later < rest => months - 1,
        -1 if later > rest => months + 1,
        _ => months,
    }
}

/// The count of a period since some fixed one: the difference of two is the number of starts between them.
pub(crate) fn ordinal(micros: i64, period: DatePart) -> i64 {
    let days = micros.div_euclid(MICROS_PER_DAY);
    let year = from_days(days).0;
    match period {
        DatePart::Second | DatePart::Epoch => micros.div_euclid(1_000_000),
        DatePart::Minute => micros.div_euclid(60_000_000),
        DatePart::Hour => micros.div_euclid(3_600_000_000),
        DatePart::Day | DatePart::DayOfYear | DatePart::DayOfWeek | DatePart::IsoDayOfWeek => days,
        DatePart::Week => (days + 3).div_euclid(7),
        DatePart::Month => year * 12 + from_days(days).1,
        DatePart::Quarter => year * 4 + (from_days(days).1 - 1) / 3,
        DatePart::Year => year,
        DatePart::IsoYear => iso_week(days).0,
        DatePart::Decade => year.div_euclid(10),
        DatePart::Century => (year - 1).div_euclid(100),
    }
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
        DatePart::Week => iso_week(days).1,
        DatePart::IsoYear => iso_week(days).0,
        DatePart::Decade => from_days(days).0.div_euclid(10),
        DatePart::Century => match (from_days(days).0 - 1).div_euclid(100) {
            // The first century began with the year 1; the one before it is the −1st.
            since @ 0.. => since + 1,
            before => before,
        },
        DatePart::Epoch => micros.div_euclid(1_000_000),
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
        DatePart::Second | DatePart::Epoch => return floor(1_000_000),
        DatePart::Minute => return floor(60_000_000),
        DatePart::Hour => return floor(3_600_000_000),
        DatePart::Day | DatePart::DayOfYear | DatePart::DayOfWeek | DatePart::IsoDayOfWeek => days,
        DatePart::Week => days - iso_weekday(days) + 1,
        DatePart::Month => to_days(year, month, 1),
        DatePart::Quarter => to_days(year, (month - 1) / 3 * 3 + 1, 1),
        DatePart::Year => to_days(year, 1, 1),
        DatePart::IsoYear => {
            let fourth = to_days(iso_week(days).0, 1, 4);
            fourth - iso_weekday(fourth) + 1
        }
        DatePart::Decade => to_days(year.div_euclid(10) * 10, 1, 1),
        DatePart::Century => to_days((year - 1).div_euclid(100) * 100 + 1, 1, 1),
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
            IsoYear,
            Decade,
            Century,
            Epoch,
        ];
        for micros in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
            for p in parts {
                let value = part(micros, p);
                let (lo, hi) = p.range();
                assert!((lo..=hi).contains(&value), "{p:?} of {micros} is {value}");
                if let Some(start) = truncate(micros, p) {
                    assert!(start <= micros);
                }
            }
        }
        assert_eq!(truncate(i64::MIN, Year), None);
    }

    #[test]
    fn months_and_spans() {
        let day = |year, month, day| to_days(year, month, day);
        for (from, months, to) in [
            (day(2024, 1, 31), 1, day(2024, 2, 29)),
            (day(2023, 1, 31), 1, day(2023, 2, 28)),
            (day(2024, 2, 29), 12, day(2025, 2, 28)),
            (day(2024, 3, 31), -1, day(2024, 2, 29)),
            (day(2024, 12, 15), 1, day(2025, 1, 15)),
            (day(1, 1, 1), -1, day(0, 12, 1)),
        ] {
            assert_eq!(add_months(from, months), Some(to), "{from} {months}");
        }
        assert_eq!(add_months(0, i64::MAX), None);
        assert_eq!(add_months(0, i64::MIN), None);
        for (from, to, months) in [
            (day(2024, 1, 31), day(2024, 2, 29), 0),
            (day(2024, 1, 29), day(2024, 2, 29), 1),
            (day(2024, 2, 29), day(2024, 1, 31), 0),
            (day(2024, 2, 29), day(2024, 1, 29), -1),
            (day(2000, 2, 29), day(2001, 2, 28), 11),
            (day(2000, 2, 29), day(2001, 3, 1), 12),
        ] {
            let micros = |days| days * MICROS_PER_DAY;
            assert_eq!(months_between(micros(from), micros(to)), months, "{from} {to}");
            assert_eq!(months_between(micros(to), micros(from)), -months, "{from} {to}");
        }
        assert_eq!(date(2023, 2, 29), None);
        assert_eq!(date(2024, 2, 29), Some(day(2024, 2, 29)));
        assert_eq!(date(1900, 2, 29), None);
        assert_eq!(date(0, 1, 1), None);
        assert_eq!(last_of_month(day(2024, 2, 1)), day(2024, 2, 29));
        for micros in [i64::MIN, i64::MAX] {
            months_between(micros, i64::MAX);
            ordinal(micros, DatePart::Quarter);
        }
    }
}
