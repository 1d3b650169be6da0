//! The functions of the closed language.

use model::FieldType;
use serde::{Deserialize, Serialize};

/// A part of a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DatePart {
    /// Calendar year.
    Year,
    /// 1 to 4.
    Quarter,
    /// 1 to 12.
    Month,
    /// ISO 8601 week, 1 to 53.
    Week,
    /// 1 to 31.
    Day,
    /// Day of the year, 1 to 366.
    DayOfYear,
    /// 0 (Sunday) to 6.
    DayOfWeek,
    /// 1 (Monday) to 7.
    IsoDayOfWeek,
    /// 0 to 23.
    Hour,
    /// 0 to 59.
    Minute,
    /// 0 to 59.
    Second,
    /// The year that the ISO 8601 week belongs to.
    IsoYear,
    /// The year divided by ten, downward.
    Decade,
    /// The 21st began with 2001; there is none between the first and the first before Christ (−1).
    Century,
    /// Whole seconds since 1970-01-01T00:00 on the dataset's clock.
    Epoch,
}

impl DatePart {
    /// The part of a name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" | "years" => Self::Year,
            "quarter" | "quarters" => Self::Quarter,
            "month" | "months" => Self::Month,
            "week" | "weeks" => Self::Week,
            "day" | "days" => Self::Day,
            "doy" | "dayofyear" => Self::DayOfYear,
            "dow" | "dayofweek" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "hour" | "hours" => Self::Hour,
            "minute" | "minutes" => Self::Minute,
            "second" | "seconds" => Self::Second,
            "isoyear" => Self::IsoYear,
            "decade" | "decades" => Self::Decade,
            "century" | "centuries" => Self::Century,
            "epoch" => Self::Epoch,
            _ => return None,
        })
    }

    /// The values it can take over all 64-bit counts of microseconds.
    pub const fn range(self) -> (i64, i64) {
        match self {
            // 2⁶³ µs are less than 292,278 years.
            Self::Year | Self::IsoYear => (-300_000, 300_000),
            Self::Decade => (-30_000, 30_000),
            Self::Century => (-3_000, 3_000),
            Self::Epoch => (-9_223_372_036_855, 9_223_372_036_854),
            Self::Quarter => (1, 4),
            Self::Month => (1, 12),
            Self::Week => (1, 53),
            Self::Day => (1, 31),
            Self::DayOfYear => (1, 366),
            Self::DayOfWeek => (0, 6),
            Self::IsoDayOfWeek => (1, 7),
            Self::Hour => (0, 23),
            Self::Minute | Self::Second => (0, 59),
        }
    }

    /// Whether time can be cut into such parts: what `date_trunc` takes.
    pub const fn is_period(self) -> bool {
        !matches!(
            self,
            Self::DayOfYear | Self::DayOfWeek | Self::IsoDayOfWeek | Self::IsoYear | Self::Epoch
        )
    }

    /// Seconds of the shortest such period; the parts that are no period have none.
    pub const fn shortest(self) -> Option<i64> {
        Some(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
            Self::Month => 28 * 86_400,
            Self::Quarter => 90 * 86_400,
            Self::Year => 365 * 86_400,
            Self::Decade => 3_652 * 86_400,
            Self::Century => 36_524 * 86_400,
            Self::DayOfYear | Self::DayOfWeek | Self::IsoDayOfWeek | Self::IsoYear | Self::Epoch => {
                return None;
            }
        })
    }
}

/// The language of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Names {
    /// Monday, January.
    English,
    /// 星期一、一月.
    Chinese,
}

impl Names {
    /// Monday to Sunday.
    pub const fn days(self) -> &'static [&'static str] {
        match self {
            Self::English => &[
                "Monday",
                "Tuesday",
                "Wednesday",
                "Thursday",
                "Friday",
                "Saturday",
                "Sunday",
            ],
            Self::Chinese => &[
                "星期一",
                "星期二",
                "星期三",
                "星期四",
                "星期五",
                "星期六",
                "星期日",
            ],
        }
    }

    /// January to December.
    pub const fn months(self) -> &'static [&'static str] {
        match self {
            Self::English => &[
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ],
            Self::Chinese => &[
                "一月",
                "二月",
                "三月",
                "四月",
                "五月",
                "六月",
                "七月",
                "八月",
                "九月",
                "十月",
                "十一月",
                "十二月",
            ],
        }
    }
}

/// A Unicode normalisation form (Unicode Standard Annex 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Form {
    /// Composed.
    Nfc,
    /// Decomposed.
    Nfd,
    /// Composed, compatibility characters replaced: Ａ becomes A, ① becomes 1.
    Nfkc,
    /// Decomposed, compatibility characters replaced.
    Nfkd,
}

impl Form {
    /// The form of a name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "NFC" => Self::Nfc,
            "NFD" => Self::Nfd,
            "NFKC" => Self::Nfkc,
            "NFKD" => Self::Nfkd,
            _ => return None,
        })
    }
}

/// Functions of one or more arguments. NULL in gives NULL out, but for those that say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Function {
    /// Absolute value.
    Abs,
    /// −1, 0 or 1.
    Sign,
    /// Negation.
    Negate,
    /// To the nearest, ties away from zero; with a second argument, to so many decimals.
    Round,
    /// Downward.
    Floor,
    /// Upward.
    Ceil,
    /// Toward zero; with a second argument, to so many decimals.
    Trunc,
    /// Square root.
    Sqrt,
    /// Cube root.
    Cbrt,
    /// Natural logarithm.
    Ln,
    /// Logarithm to base 10.
    Log10,
    /// Logarithm to base 2.
    Log2,
    /// Logarithm to the first as base of the second.
    Log,
    /// e to the power.
    Exp,
    /// The first to the power of the second.
    Power,
    /// Radians to degrees.
    Degrees,
    /// Degrees to radians.
    Radians,
    /// Sine of radians.
    Sin,
    /// Cosine of radians.
    Cos,
    /// Tangent of radians.
    Tan,
    /// Cotangent of radians.
    Cot,
    /// Inverse sine.
    Asin,
    /// Inverse cosine.
    Acos,
    /// Inverse tangent.
    Atan,
    /// Inverse tangent of the first divided by the second, in the right quadrant.
    Atan2,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Hyperbolic tangent.
    Tanh,
    /// Inverse hyperbolic sine.
    Asinh,
    /// Inverse hyperbolic cosine.
    Acosh,
    /// Inverse hyperbolic tangent.
    Atanh,
    /// Greatest common divisor of two integers, never negative.
    Gcd,
    /// Least common multiple of two integers, never negative.
    Lcm,
    /// n!
    Factorial,
    /// The bucket, from 1, of the first among so many (the fourth) equal ones between the second and the third; 0
    /// before them, one more than their number behind them.
    WidthBucket,
    /// The first, but no less than the second and no more than the third; NULL if those cross.
    Clamp,
    /// Characters.
    Length,
    /// Bytes.
    OctetLength,
    /// Eight times the bytes.
    BitLength,
    /// Upper case.
    Upper,
    /// Lower case.
    Lower,
    /// Every word's first letter in upper case, the others in lower case.
    InitialCapitals,
    /// Without given characters (or blanks) at both ends.
    Trim,
    /// … at the start.
    LeftTrim,
    /// … at the end.
    RightTrim,
    /// From a position (from 1), for a length.
    Substring,
    /// The first n characters; all but the last −n if negative.
    Left,
    /// The last n characters; all but the first −n if negative.
    Right,
    /// Filled up on the left, or cut on the right, to so many characters.
    PadLeft,
    /// Filled up or cut on the right to so many characters.
    PadRight,
    /// So many times.
    Repeat,
    /// The n-th field between delimiters, from the end if negative.
    SplitPart,
    /// What stands before the n-th delimiter, or behind the n-th from the end if negative.
    SplitUntil,
    /// The second put into the first at a position, over so many characters.
    Overlay,
    /// Characters of the second replaced by those of the third at the same place, or left out.
    Translate,
    /// Whether it begins with.
    StartsWith,
    /// Whether it ends with.
    EndsWith,
    /// Whether it contains.
    Contains,
    /// Position (from 1) of the second in the first; 0 if absent.
    Position,
    /// Every occurrence of the second replaced by the third.
    Replace,
    /// Characters in reverse.
    Reverse,
    /// The code point of the first character; 0 if empty.
    CodePoint,
    /// The character of a code point.
    Character,
    /// Hexadecimal digits of an integer; a negative one's two's complement in 64 bits.
    ToHex,
    /// Edits (insert, delete, replace a character) from one text to the other.
    Levenshtein,
    /// A Unicode normalisation form.
    Normalize(Form),
    /// Full-width letters, digits, signs and blanks of ASCII become narrow.
    ToHalfWidth,
    /// … and back.
    ToFullWidth,
    /// Whether every character is a Chinese one, and there is any.
    IsChinese,
    /// Whether some character is a Chinese one.
    ContainsChinese,
    /// Whether a regular expression (constant, compiled whole) matches somewhere.
    RegexpLike,
    /// How often it matches, matches not overlapping.
    RegexpCount,
    /// Where (from 1) it first matches; 0 if nowhere.
    RegexpPosition,
    /// Its first match; NULL if none.
    RegexpSubstring,
    /// Its first match replaced.
    RegexpReplace,
    /// Every match replaced.
    RegexpReplaceAll,
    /// A part of a date or time.
    DatePart(DatePart),
    /// The start of the year, month, … around a date or time.
    DateTruncate(DatePart),
    /// A date or time so many months later; a day that the month has not becomes its last.
    AddMonths,
    /// … days later.
    AddDays,
    /// A time so many microseconds later.
    AddMicros,
    /// The starts of periods between two times.
    DateDiff(DatePart),
    /// The start of the span of so many microseconds (the second) around a time, counted from an origin (the third).
    DateBin,
    /// Whole months from the second time to the first, toward zero.
    MonthsBetween,
    /// Whole years from the first time to the second, toward zero.
    AgeInYears,
    /// The last day of the month.
    LastDay,
    /// A date of year (1 to 9999), month and day.
    MakeDate,
    /// A time of year, month, day, hour, minute and seconds.
    MakeTimestamp,
    /// A date read from text, ISO 8601 or as people write it.
    ToDate,
    /// A time read from text.
    ToTimestamp,
    /// A time written by a constant pattern.
    ToChar,
    /// The name of the day of the week.
    DayName(Names),
    /// The name of the month.
    MonthName(Names),
    /// Whether it is a Saturday or Sunday.
    IsWeekend,
    /// NULL if both are equal, else the first.
    NullIf,
    /// Texts one after another, NULLs left out.
    Concat,
    /// Texts one after another with the first between them, NULLs left out; NULL if the first is.
    ConcatWith,
    /// The first that is not NULL.
    Coalesce,
    /// The least that is not NULL.
    Least,
    /// The greatest that is not NULL.
    Greatest,
}

/// What a function is about: which evaluator knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Number,
    Text,
    Pattern,
    Time,
    Choice,
}

impl Function {
    pub(crate) const fn subject(self) -> Subject {
        use Function::*;
        match self {
            Abs | Sign | Negate | Round | Floor | Ceil | Trunc | Sqrt | Cbrt | Ln | Log10 | Log2 | Log
            | Exp | Power | Degrees | Radians | Sin | Cos | Tan | Cot | Asin | Acos | Atan | Atan2 | Sinh
            | Cosh | Tanh | Asinh | Acosh | Atanh | Gcd | Lcm | Factorial | WidthBucket | Clamp => {
                Subject::Number
            }
            Length | OctetLength | BitLength | Upper | Lower | InitialCapitals | Trim | LeftTrim
            | RightTrim | Substring | Left | Right | PadLeft | PadRight | Repeat | SplitPart | SplitUntil
            | Overlay | Translate | StartsWith | EndsWith | Contains | Position | Replace | Reverse
            | CodePoint | Character | ToHex | Levenshtein | Normalize(_) | ToHalfWidth | ToFullWidth
            | IsChinese | ContainsChinese | Concat | ConcatWith => Subject::Text,
            RegexpLike | RegexpCount | RegexpPosition | RegexpSubstring | RegexpReplace
            | RegexpReplaceAll => Subject::Pattern,
            DatePart(_) | DateTruncate(_) | AddMonths | AddDays | AddMicros | DateDiff(_) | DateBin
            | MonthsBetween | AgeInYears | LastDay | MakeDate | MakeTimestamp | ToDate | ToTimestamp
            | ToChar | DayName(_) | MonthName(_) | IsWeekend => Subject::Time,
            NullIf | Coalesce | Least | Greatest => Subject::Choice,
        }
    }

    /// The type of its value; `None` if that is the type of the first argument.
    pub const fn gives(self) -> Option<FieldType> {
        use Function::*;
        Some(match self {
            Abs | Sign | Negate | Round | Floor | Ceil | Trunc | Clamp | AddMonths | AddDays | AddMicros
            | NullIf | Coalesce | Least | Greatest => return None,
            Sqrt | Cbrt | Ln | Log10 | Log2 | Log | Exp | Power | Degrees | Radians | Sin | Cos | Tan
            | Cot | Asin | Acos | Atan | Atan2 | Sinh | Cosh | Tanh | Asinh | Acosh | Atanh => {
                FieldType::Number
            }
            Gcd | Lcm | Factorial | WidthBucket | Length | OctetLength | BitLength | Position | CodePoint
            | Levenshtein | RegexpCount | RegexpPosition | DatePart(_) | DateDiff(_) | MonthsBetween
            | AgeInYears => FieldType::Integer,
            StartsWith | EndsWith | Contains | IsChinese | ContainsChinese | RegexpLike | IsWeekend => {
                FieldType::Boolean
            }
            Upper | Lower | InitialCapitals | Trim | LeftTrim | RightTrim | Substring | Left | Right
            | PadLeft | PadRight | Repeat | SplitPart | SplitUntil | Overlay | Translate | Replace
            | Reverse | Character | ToHex | Normalize(_) | ToHalfWidth | ToFullWidth | Concat
            | ConcatWith | RegexpSubstring | RegexpReplace | RegexpReplaceAll | ToChar | DayName(_)
            | MonthName(_) => FieldType::Text,
            LastDay | MakeDate | ToDate => FieldType::Date,
            DateTruncate(_) | DateBin | MakeTimestamp | ToTimestamp => FieldType::Timestamp,
        })
    }

    /// All texts that it can give, if they are few.
    pub(crate) const fn texts(self) -> Option<&'static [&'static str]> {
        match self {
            Self::DayName(names) => Some(names.days()),
            Self::MonthName(names) => Some(names.months()),
            _ => None,
        }
    }
}
