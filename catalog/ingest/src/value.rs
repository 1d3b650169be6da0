//! Values as text: strict readings that types are inferred with, and the readings that declared types allow.

use jiff::tz::TimeZone;

/// An integer as a code is not one: no sign but minus, no leading zeros, under 15 digits. From 15 digits on, a string
/// of digits is an ID number or the like, and a double would not hold it.
pub(crate) fn strict_integer(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || digits.len() >= 15 || (digits[0] == b'0' && (digits.len() > 1 || negative)) {
        return None;
    }
    let mut value = 0i64;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// A whole number where one is declared: sign and leading zeros are fine, all of 64 bits.
pub(crate) fn declared_integer(text: &str) -> Option<i64> {
    strict_integer(text).or_else(|| text.parse().ok())
}

/// A decimal number as a code is not one: no plus sign, no superfluous zeros in front, under 15 digits before the
/// point, an exponent only with a point or a sign (`12E5` is a code).
pub(crate) fn strict_number(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let unsigned = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let whole = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = &unsigned[whole..];
    if whole >= 15 || (whole > 1 && unsigned[0] == b'0') {
        return None;
    }
    let mut fraction = 0;
    if let [b'.', after @ ..] = rest {
        fraction = after.iter().take_while(|b| b.is_ascii_digit()).count();
        if fraction == 0 {
            return None;
        }
        rest = &after[fraction..];
    }
    if whole + fraction == 0 {
        return None;
    }
    if let [b'e' | b'E', after @ ..] = rest {
        let digits = after.strip_prefix(b"-").or_else(|| after.strip_prefix(b"+"));
        if digits.is_none() && fraction == 0 {
            return None;
        }
        let digits = digits.unwrap_or(after);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
    } else if !rest.is_empty() {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A finite number where one is declared.
pub(crate) fn declared_number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// `true` or `false`, in one case or capitalised.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "TRUE" | "True" => Some(true),
        "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month as i32 + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Whether the Gregorian calendar has this day.
pub(crate) const fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + leap as u32,
        1..=12 => 31,
        _ => 0,
    };
    day >= 1 && day <= days
}

/// Reads `least` to `most` digits off the front.
fn digits(bytes: &mut &[u8], least: usize, most: usize) -> Option<u32> {
    let count = bytes.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
    if count < least {
        return None;
    }
    let value = bytes[..count]
        .iter()
        .fold(0, |value, b| value * 10 + u32::from(b - b'0'));
    *bytes = &bytes[count..];
    Some(value)
}

fn skip(bytes: &mut &[u8], prefix: &str) -> Option<()> {
    *bytes = bytes.strip_prefix(prefix.as_bytes())?;
    Some(())
}

fn date_prefix(bytes: &mut &[u8]) -> Option<i32> {
    let year = digits(bytes, 4, 4)?;
    let (first, second, last) = match bytes.first()? {
        b'-' => ("-", "-", ""),
        b'/' => ("/", "/", ""),
        _ => ("年", "月", "日"),
    };
    skip(bytes, first)?;
    let month = digits(bytes, 1, 2)?;
    skip(bytes, second)?;
    let day = digits(bytes, 1, 2)?;
    skip(bytes, last)?;
    is_date(year, month, day).then(|| days_from_civil(year as i32, month, day))
}

/// A date as days since 1970-01-01: `2024-01-02`, `2024/1/2` or `2024年1月2日`.
pub(crate) fn date(text: &str) -> Option<i32> {
    let mut rest = text.as_bytes();
    let days = date_prefix(&mut rest)?;
    rest.is_empty().then_some(days)
}

const DAY: i64 = 86_400_000_000;

/// Civil time in `zone` as microseconds since 1970-01-01 00:00: a date, a blank or `T`, hours and minutes, perhaps
/// seconds with up to six decimals, perhaps `Z` or an offset (then converted to the zone). A date alone is its
/// midnight.
pub(crate) fn timestamp(text: &str, zone: &TimeZone) -> Option<i64> {
    let mut rest = text.as_bytes();
    let day = i64::from(date_prefix(&mut rest)?) * DAY;
    match rest {
        [] => return Some(day),
        [b' ' | b'T', after @ ..] => rest = after,
        _ => return None,
    }
    let hour = digits(&mut rest, 1, 2)?;
    skip(&mut rest, ":")?;
    let minute = digits(&mut rest, 2, 2)?;
    let mut second = 0;
    let mut micros = 0;
    if let [b':', after @ ..] = rest {
        rest = after;
        second = digits(&mut rest, 2, 2)?;
        if let [b'.', after @ ..] = rest {
            let count = after.iter().take_while(|b| b.is_ascii_digit()).count();
            let (kept, zeros) = after[..count].split_at(count.min(6));
            if count == 0 || zeros.iter().any(|&b| b != b'0') {
                return None;
            }
            micros = kept.iter().fold(0, |value, b| value * 10 + i64::from(b - b'0'))
                * 10i64.pow(6 - kept.len() as u32);
            rest = &after[count..];
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let civil = day + i64::from(hour * 3_600 + minute * 60 + second) * 1_000_000 + micros;
    let sign = match rest {
        [] => return Some(civil),
        [b'Z'] => return in_zone(civil, zone),
        [b'+', after @ ..] => {
            rest = after;
            1
        }
        [b'-', after @ ..] => {
            rest = after;
            -1
        }
        _ => return None,
    };
    let hours = digits(&mut rest, 2, 2)?;
    let _ = skip(&mut rest, ":");
    let minutes = digits(&mut rest, 2, 2)?;
    let within = rest.is_empty() && hours <= 14 && minutes <= 59;
    let offset = sign * i64::from(hours * 3_600 + minutes * 60) * 1_000_000;
    if within {
        in_zone(civil - offset, zone)
    } else {
        None
    }
}

/// A moment in UTC microseconds as civil microseconds in a zone.
pub(crate) fn in_zone(utc: i64, zone: &TimeZone) -> Option<i64> {
    let moment = jiff::Timestamp::from_microsecond(utc).ok()?;
    Some(utc + i64::from(zone.to_offset(moment).seconds()) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_no_integers() {
        for (text, want) in [
            ("0", Some(0)),
            ("42", Some(42)),
            ("-7", Some(-7)),
            ("99999999999999", Some(99_999_999_999_999)),
            ("007", None),
            ("+7", None),
            ("-0", None),
            ("", None),
            ("-", None),
            ("1 000", None),
            ("1,000", None),
            ("110101199003071234", None),
            ("999999999999999", None),
            ("４２", None),
        ] {
            assert_eq!(strict_integer(text), want, "{text:?}");
        }
        assert_eq!(declared_integer("007"), Some(7));
        assert_eq!(declared_integer("9223372036854775807"), Some(i64::MAX));
        assert_eq!(declared_integer("9223372036854775808"), None);
        assert_eq!(declared_integer("1.0"), None);
    }

    #[test]
    fn numbers() {
        for (text, want) in [
            ("1.5", Some(1.5)),
            (".5", Some(0.5)),
            ("-0.25", Some(-0.25)),
            ("-0", Some(-0.0)),
            ("1e-3", Some(0.001)),
            ("1.5E3", Some(1500.0)),
            ("12E5", None),
            ("00.5", None),
            ("5.", None),
            (".", None),
            ("1.2.3", None),
            ("NaN", None),
            ("inf", None),
            ("1.0e999", None),
            ("1.5e", None),
            ("123456789012345.5", None),
        ] {
            assert_eq!(strict_number(text), want, "{text:?}");
        }
        assert_eq!(declared_number("NaN"), None);
    }

    #[test]
    fn dates_and_times() {
        let days = |text| date(text);
        assert_eq!(days("1970-01-01"), Some(0));
        assert_eq!(days("2000-02-29"), Some(11_016));
        assert_eq!(days("2024/1/2"), days("2024-01-02"));
        assert_eq!(days("2024年1月2日"), days("2024-01-02"));
        assert_eq!(days("0001-01-01"), Some(-719_162));
        for bad in [
            "2023-02-29",
            "2024-13-01",
            "2024-1-32",
            "2024-01/02",
            "24-01-01",
            "2024年1月2",
            "2024-01-02x",
            "1900-02-29",
        ] {
            assert_eq!(days(bad), None, "{bad}");
        }
        let zone = TimeZone::get("Asia/Shanghai").unwrap_or(TimeZone::UTC);
        let time = |text| timestamp(text, &zone);
        assert_eq!(time("1970-01-01 08:00:01"), Some(28_801_000_000));
        assert_eq!(time("1970-01-01T08:00"), Some(28_800_000_000));
        assert_eq!(
            time("1970-01-01T00:00:00Z"),
            Some(28_800_000_000),
            "UTC midnight is eight in Shanghai"
        );
        assert_eq!(time("1970-01-01T09:00:00.5+09:00"), Some(28_800_500_000));
        assert_eq!(time("1970-01-02"), Some(DAY));
        assert_eq!(time("1970-01-01 00:00:00.000001"), Some(1));
        for bad in [
            "1970-01-01 24:00",
            "1970-01-01 1:5",
            "1970-01-01 01:00:00.1234567",
            "1970-01-01T",
            "1970-01-01 01:00+99:00",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
