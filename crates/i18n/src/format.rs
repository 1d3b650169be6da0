//! Numbers, sizes and times as people read them; the same digits in both languages.

use model::{Language, Timestamp};

/// The zone in which pages show moments.
pub const ZONE: &str = "Asia/Shanghai";

/// A whole number with a comma after every three digits.
pub fn integer(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with separators and at most four decimals, without trailing zeros.
pub fn number(number: f64) -> String {
    decimal(number, 4)
}

/// A number with separators and at most `places` decimals, without trailing zeros. Not finite: `–`.
pub fn decimal(number: f64, places: usize) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{:.places$}", number.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut shown = whole.parse::<i128>().map_or_else(|_| whole.to_owned(), integer);
    if !fraction.is_empty() {
        shown.push('.');
        shown.push_str(fraction);
    }
    let is_zero = shown == "0";
    if number < 0.0 && !is_zero {
        shown.insert(0, '−');
    }
    shown
}

/// A measured or noised value with as many decimals as its size warrants: none from 100 on, one from 10, else
/// enough for three significant digits (at most six decimals).
pub fn measured(number: f64) -> String {
    let size = number.abs();
    let places = if size >= 100.0 || size == 0.0 || !size.is_finite() {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        let mut places = 2;
        let mut scaled = size;
        while scaled < 1.0 && places < 6 {
            scaled *= 10.0;
            places += 1;
        }
        places
    };
    decimal(number, places)
}

/// A size in bytes with binary prefixes (IEC 80000-13): `1.5 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes;
    let mut unit = 0;
    while size >= 1024 * 1024 && unit + 1 < UNITS.len() {
        size /= 1024;
        unit += 1;
    }
    let tenths = (u128::from(size) * 10 + 512) / 1024;
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if whole >= 100 || tenth == 0 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{tenth} {}", UNITS[unit])
    }
}

/// A share of 0 to 1 as a percentage with one decimal.
pub fn percent(share: f64) -> String {
    format!("{}%", decimal(share * 100.0, 1))
}

/// The date of a moment: `2026-11-23`.
pub fn date(moment: Timestamp) -> String {
    moment.date_in(ZONE)
}

/// Date and minute of a moment: `2026-11-23 08:00`.
pub fn minute(moment: Timestamp) -> String {
    moment.minute_in(ZONE)
}

/// A length of time in the two largest units that say it: `2 分 5 秒`, `2 min 5 s`.
pub fn duration(language: Language, seconds: u64) -> String {
    let [day, hour, minute, second] = match language {
        Language::Zh => ["天", "小时", "分", "秒"],
        Language::En => ["d", "h", "min", "s"],
    };
    let parts = [
        (seconds / 86_400, day),
        (seconds / 3_600 % 24, hour),
        (seconds / 60 % 60, minute),
        (seconds % 60, second),
    ];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown: Vec<String> = parts[first..]
        .iter()
        .take(2)
        .enumerate()
        .filter(|(position, (count, _))| *position == 0 || *count > 0)
        .map(|(_, (count, unit))| format!("{count} {unit}"))
        .collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_grouped() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-1_234_567, "−1,234,567"),
            (i128::from(u64::MAX), "18,446,744,073,709,551,615"),
        ];
        for (given, want) in cases {
            assert_eq!(integer(given), want);
        }
    }

    #[test]
    fn decimals_are_short_and_signed_once() {
        let cases = [
            (0.5, "0.5"),
            (-0.000_01, "0"),
            (1234.5, "1,234.5"),
            (-2.25, "−2.25"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ];
        for (given, want) in cases {
            assert_eq!(number(given), want);
        }
        assert_eq!(measured(12_345.678), "12,346");
        assert_eq!(measured(12.345), "12.3");
        assert_eq!(measured(0.012_345), "0.0123");
        assert_eq!(measured(-3.0), "−3");
        assert_eq!(percent(0.1234), "12.3%");
    }

    #[test]
    fn sizes_round_to_a_tenth() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (5 * 1024 * 1024, "5 MiB"),
            (1_610_612_736, "1.5 GiB"),
        ];
        for (given, want) in cases {
            assert_eq!(bytes(given), want);
        }
        assert!(bytes(u64::MAX).ends_with("PiB"));
    }

    #[test]
    fn times_are_civil_and_lengths_have_two_units() {
        let moment = Timestamp::from_micros(1_763_856_000_000_000);
        assert_eq!(date(moment), "2025-11-23");
        assert_eq!(minute(moment), "2025-11-23 08:00");
        assert_eq!(duration(Language::Zh, 125), "2 分 5 秒");
        assert_eq!(duration(Language::En, 7_200), "2 h");
        assert_eq!(duration(Language::En, 90_061), "1 d 1 h");
        assert_eq!(duration(Language::Zh, 0), "0 秒");
    }
}
