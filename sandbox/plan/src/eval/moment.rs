//! Dates and times read from text and written as text.

use crate::civil::{self, MICROS_PER_DAY};
use crate::scalar::DatePart;

const SECOND: i64 = 1_000_000;

/// A civil date, or date and time, of years −9999 to 9999, in microseconds; nothing with an offset from UTC.
pub(super) fn parse_moment(text: &str) -> Option<i64> {
    if text.len() > 40 || !text.is_ascii() {
        return None;
    }
    // The reader would pass over an offset or a zone: the time would be another one.
    let clock = text.split_once(['T', 't', ' ']).map_or("", |(_, clock)| clock);
    if clock.contains(['+', '-']) || text.contains('[') {
        return None;
    }
    let moment: jiff::civil::DateTime = match text.parse::<jiff::civil::DateTime>() {
        Ok(moment) => moment,
        Err(_) => text
            .parse::<jiff::civil::Date>()
            .ok()?
            .to_datetime(jiff::civil::Time::midnight()),
    };
    let days = civil::to_days(moment.year().into(), moment.month().into(), moment.day().into());
    let time = moment.time();
    let seconds = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    let micros = i64::from(time.subsec_nanosecond()) / 1_000;
    days.checked_mul(MICROS_PER_DAY)?
        .checked_add(seconds * 1_000_000 + micros)
}

pub(super) fn show_date(days: i64) -> String {
    let (year, month, day) = civil::from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

pub(super) fn show_moment(micros: i64) -> String {
    let date = show_date(micros.div_euclid(MICROS_PER_DAY));
    let rest = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let time = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    );
    if fraction == 0 {
        format!("{date}T{time}")
    } else {
        format!("{date}T{time}.{fraction:06}")
    }
}

/// Reads a date, or date and time, as people write it: what [`parse_moment`] reads, and `2025/3/4`, `2025.3.4`,
/// `20250304`, `2025年3月4日`, each perhaps with `8:05`, `08:05:09.5`, `8时5分`, `8点5分9秒`; full-width digits too.
/// Years 1 to 9999.
pub(super) fn read_moment(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.len() > 96 {
        return None;
    }
    if let Some(moment) = parse_moment(text) {
        return Some(moment);
    }
    let narrow = |c: char| match c {
        '０'..='９' | '：' | '／' | '．' | '－' => super::rewrite::half_width(c),
        other => other,
    };
    let text: String = text.chars().map(narrow).collect();
    let mut rest = Reader(&text);
    let run = rest.digits(8)?;
    let (year, month, day) = if run.len() == 8 {
        (number(&run[..4])?, number(&run[4..6])?, number(&run[6..])?)
    } else {
        if run.len() != 4 {
            return None;
        }
        let chinese = rest.one_of("-/.年")?;
        let month = number(rest.digits(2)?)?;
        if rest.one_of("-/.月")? != if chinese == '年' { '月' } else { chinese } {
            return None;
        }
        let day = number(rest.digits(2)?)?;
        if chinese == '年' {
            let _ = rest.one_of("日号");
        }
        (number(run)?, month, day)
    };
    let days = civil::date(year, month, day)?;
    let _ = rest.one_of("Tt");
    rest.0 = rest.0.trim_start();
    let time = if rest.0.is_empty() { 0 } else { rest.time()? };
    days.checked_mul(MICROS_PER_DAY)?.checked_add(time)
}

fn number(digits: &str) -> Option<i64> {
    digits.parse().ok()
}

/// What is left of a text.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    /// One to so many ASCII digits.
    fn digits(&mut self, most: usize) -> Option<&'a str> {
        let all = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(all);
        self.0 = rest;
        (!digits.is_empty()).then_some(digits)
    }

    fn one_of(&mut self, wanted: &str) -> Option<char> {
        let found = self.0.chars().next().filter(|c| wanted.contains(*c))?;
        self.0 = &self.0[found.len_utf8()..];
        Some(found)
    }

    /// The rest as a time of day, in microseconds.
    fn time(&mut self) -> Option<i64> {
        let hour = number(self.digits(2)?).filter(|x| *x < 24)?;
        let chinese = self.one_of(":时点")? != ':';
        let (mut minute, mut micros) = (0, 0);
        if !(chinese && self.0.is_empty()) {
            minute = number(self.digits(2)?).filter(|x| *x < 60)?;
            let more = self.one_of(if chinese { "分" } else { ":" });
            if !self.0.is_empty() {
                more?;
                micros = number(self.digits(2)?).filter(|x| *x < 60)? * SECOND;
                if self.one_of(".").is_some() {
                    let fraction = self.digits(6)?;
                    let places = u32::try_from(fraction.len()).ok()?;
                    micros += number(fraction)? * 10i64.pow(6 - places);
                }
                if chinese {
                    let _ = self.one_of("秒");
                }
            }
        }
        self.0
            .is_empty()
            .then_some((hour * 60 + minute) * 60 * SECOND + micros)
    }
}

/// A piece of a pattern of `to_char`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Year,
    ShortYear,
    IsoYear,
    /// A part of two digits, or of one.
    Part(DatePart, usize),
    /// The hour of a clock of twelve.
    Hour12,
    Millisecond,
    Microsecond,
    /// 1 (Sunday) to 7.
    Weekday,
    /// AM or PM.
    Half,
}

impl Piece {
    /// The finest part of a time that it shows, of day, hour, minute and second; `None` if it shows less than a second.
    pub(crate) const fn finest(&self) -> Option<DatePart> {
        match self {
            Self::Part(part, _) => Some(*part),
            Self::Hour12 | Self::Half => Some(DatePart::Hour),
            Self::Text(_) | Self::Year | Self::ShortYear | Self::IsoYear | Self::Weekday => {
                Some(DatePart::Day)
            }
            Self::Millisecond | Self::Microsecond => None,
        }
    }
}

/// The longest pattern of `to_char`, in bytes.
const MAX_TIME_PATTERN: usize = 64;

/// The pieces of a pattern of `to_char`: PostgreSQL's numeric templates, in any case; other letters stand between
/// double quotes. `None` if it holds anything else or is long.
pub(crate) fn time_pattern(pattern: &str) -> Option<Vec<Piece>> {
    use DatePart::*;
    let templates = [
        ("HH24", Piece::Part(Hour, 2)),
        ("HH12", Piece::Hour12),
        ("YYYY", Piece::Year),
        ("IYYY", Piece::IsoYear),
        ("DDD", Piece::Part(DayOfYear, 3)),
        ("YY", Piece::ShortYear),
        ("MM", Piece::Part(Month, 2)),
        ("DD", Piece::Part(Day, 2)),
        ("HH", Piece::Hour12),
        ("MI", Piece::Part(Minute, 2)),
        ("SS", Piece::Part(Second, 2)),
        ("MS", Piece::Millisecond),
        ("US", Piece::Microsecond),
        ("IW", Piece::Part(Week, 2)),
        ("ID", Piece::Part(IsoDayOfWeek, 1)),
        ("AM", Piece::Half),
        ("PM", Piece::Half),
        ("Q", Piece::Part(Quarter, 1)),
        ("D", Piece::Weekday),
    ];
    if pattern.len() > MAX_TIME_PATTERN {
        return None;
    }
    let mut pieces = vec![];
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let template = templates.iter().find(|(name, _)| {
            rest.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        });
        let (piece, length) = match template {
            Some((name, piece)) => (piece.clone(), name.len()),
            None if c == '"' => {
                let (quoted, _) = rest[1..].split_once('"')?;
                (Piece::Text(quoted.to_owned()), quoted.len() + 2)
            }
            None if c.is_ascii_alphabetic() || c == '\\' => return None,
            None => (Piece::Text(c.to_string()), c.len_utf8()),
        };
        pieces.push(piece);
        rest = &rest[length..];
    }
    Some(pieces)
}

/// A time by a pattern.
pub(super) fn show_by(pieces: &[Piece], micros: i64) -> String {
    let part = |part| civil::part(micros, part);
    let in_second = micros.rem_euclid(SECOND);
    let mut text = String::new();
    for piece in pieces {
        let (number, width) = match piece {
            Piece::Text(literal) => {
                text.push_str(literal);
                continue;
            }
            Piece::Half => {
                text.push_str(if part(DatePart::Hour) < 12 { "AM" } else { "PM" });
                continue;
            }
            Piece::Year => (part(DatePart::Year), 4),
            Piece::ShortYear => (part(DatePart::Year).rem_euclid(100), 2),
            Piece::IsoYear => (part(DatePart::IsoYear), 4),
            Piece::Part(which, width) => (part(*which), *width),
            Piece::Hour12 => ((part(DatePart::Hour) + 11) % 12 + 1, 2),
            Piece::Millisecond => (in_second / 1_000, 3),
            Piece::Microsecond => (in_second, 6),
            Piece::Weekday => (part(DatePart::DayOfWeek) + 1, 1),
        };
        text.push_str(&format!("{number:0width$}"));
    }
    text
}
