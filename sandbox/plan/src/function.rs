//! The allow-list of functions, by name: what the planner resolves and what each becomes.

use datafusion_common::arrow::datatypes::{DataType, TimeUnit};

/// What a function takes and gives, for type coercion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// One number → a number of the same type.
    Numeric,
    /// A number and perhaps decimals → a number of the first's type.
    Rounding,
    /// So many numbers → double.
    Floating(usize),
    /// Text → integer.
    TextToInteger,
    /// Text → text.
    TextToText,
    /// Text and perhaps characters → text.
    Trimming,
    /// Text, start, perhaps length → text.
    Substring,
    /// Text and a count → text.
    TextAndCount,
    /// Two texts → boolean.
    TextTest,
    /// Two texts → integer.
    TextSearch,
    /// Three texts → text.
    Replacement,
    /// Any number of values → text.
    Concatenation,
    /// Part and date or timestamp → integer.
    DatePart,
    /// Part and date or timestamp → timestamp.
    DateTruncate,
    /// Two values of one type → that type.
    Same2,
    /// One or more values of one type → that type.
    SameMany,
}

/// An allowed function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Allowed {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) shape: Shape,
}

const fn allowed(name: &'static str, aliases: &'static [&'static str], shape: Shape) -> Allowed {
    Allowed { name, aliases, shape }
}

/// Every scalar function that a query may call, beside operators, CASE, CAST, IN, BETWEEN, LIKE and IS.
pub(crate) const ALLOWED: &[Allowed] = &[
    allowed("abs", &[], Shape::Numeric),
    allowed("sign", &["signum"], Shape::Numeric),
    allowed("floor", &[], Shape::Numeric),
    allowed("ceil", &["ceiling"], Shape::Numeric),
    allowed("round", &[], Shape::Rounding),
    allowed("trunc", &[], Shape::Numeric),
    allowed("sqrt", &[], Shape::Floating(1)),
    allowed("ln", &[], Shape::Floating(1)),
    allowed("log10", &[], Shape::Floating(1)),
    allowed("exp", &[], Shape::Floating(1)),
    allowed("power", &["pow"], Shape::Floating(2)),
    allowed(
        "char_length",
        &["length", "character_length"],
        Shape::TextToInteger,
    ),
    allowed("octet_length", &[], Shape::TextToInteger),
    allowed("upper", &[], Shape::TextToText),
    allowed("lower", &[], Shape::TextToText),
    allowed("reverse", &[], Shape::TextToText),
    allowed("btrim", &["trim"], Shape::Trimming),
    allowed("ltrim", &[], Shape::Trimming),
    allowed("rtrim", &[], Shape::Trimming),
    allowed("substr", &["substring"], Shape::Substring),
    allowed("left", &[], Shape::TextAndCount),
    allowed("right", &[], Shape::TextAndCount),
    allowed("starts_with", &[], Shape::TextTest),
    allowed("ends_with", &[], Shape::TextTest),
    allowed("contains", &[], Shape::TextTest),
    allowed("strpos", &["position", "instr"], Shape::TextSearch),
    allowed("replace", &[], Shape::Replacement),
    allowed("concat", &[], Shape::Concatenation),
    allowed("date_part", &["datepart", "extract"], Shape::DatePart),
    allowed("date_trunc", &["datetrunc"], Shape::DateTruncate),
    allowed("nullif", &[], Shape::Same2),
    allowed("coalesce", &["ifnull", "nvl"], Shape::SameMany),
    allowed("least", &[], Shape::SameMany),
    allowed("greatest", &[], Shape::SameMany),
];

/// The allowed function of a name or alias.
pub(crate) fn find(name: &str) -> Option<&'static Allowed> {
    ALLOWED
        .iter()
        .find(|f| f.name == name || f.aliases.contains(&name))
}

/// The names and aliases of all allowed scalar functions, for the documentation and the estimate page.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALLOWED
        .iter()
        .flat_map(|f| std::iter::once(f.name).chain(f.aliases.iter().copied()))
}

/// Whether it is one of the aggregates that are released.
pub(crate) fn is_aggregate(name: &str) -> bool {
    matches!(name, "count" | "sum")
}

/// Whether it is an aggregate that would reveal single values, or one that is not released yet.
pub(crate) fn is_unbounded_aggregate(name: &str) -> bool {
    let starts = [
        "min",
        "max",
        "array_agg",
        "string_agg",
        "percentile",
        "quantile",
        "approx_",
        "first",
        "last",
    ];
    let names = [
        "any_value",
        "mode",
        "median",
        "nth_value",
        "listagg",
        "group_concat",
        "arg_min",
        "arg_max",
    ];
    let moments = [
        "avg",
        "mean",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "var",
        "var_pop",
        "var_samp",
        "variance",
    ];
    starts.iter().any(|s| name.starts_with(s))
        || names.contains(&name)
        || moments.contains(&name)
        || name.starts_with("bit_")
        || name.starts_with("bool_")
        || name.starts_with("regr_")
        || name.starts_with("covar")
        || name == "corr"
}

/// Whether it only makes sense with OVER.
pub(crate) fn is_window_only(name: &str) -> bool {
    [
        "row_number",
        "rank",
        "dense_rank",
        "percent_rank",
        "cume_dist",
        "ntile",
        "lag",
        "lead",
    ]
    .contains(&name)
}

/// Whether its result changes from call to call, or tells of the machine.
pub(crate) fn is_volatile(name: &str) -> bool {
    let names = [
        "random",
        "rand",
        "uuid",
        "gen_random_uuid",
        "now",
        "current_timestamp",
        "current_date",
        "current_time",
        "localtime",
        "localtimestamp",
        "today",
        "version",
        "current_user",
        "current_schema",
        "pg_sleep",
        "sleep",
    ];
    names.contains(&name)
}

/// Whether it makes rows.
pub(crate) fn makes_tables(name: &str) -> bool {
    [
        "unnest",
        "generate_series",
        "range",
        "read_csv",
        "read_parquet",
        "parquet_metadata",
    ]
    .contains(&name)
}

/// The types the planner has.
pub(crate) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

fn is_text(t: &DataType) -> bool {
    matches!(
        t,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null
    )
}

fn is_integer(t: &DataType) -> bool {
    t.is_integer() || *t == DataType::Null
}

fn is_number(t: &DataType) -> bool {
    t.is_integer() || t.is_floating() || *t == DataType::Null
}

fn number_of(t: &DataType) -> DataType {
    if is_integer(t) {
        DataType::Int64
    } else {
        DataType::Float64
    }
}

fn is_temporal(t: &DataType) -> bool {
    matches!(
        t,
        DataType::Date32 | DataType::Timestamp(_, None) | DataType::Null
    )
}

impl Shape {
    /// The types that arguments of these types are cast to; `None` if they do not fit.
    pub(crate) fn coerce(self, given: &[DataType]) -> Option<Vec<DataType>> {
        use DataType::{Boolean, Date32, Float64, Int64, Null, Utf8};
        let fits = match (self, given) {
            (Self::Numeric, [a]) if is_number(a) => vec![number_of(a)],
            (Self::Rounding, [a]) if is_number(a) => vec![number_of(a)],
            (Self::Rounding, [a, n]) if is_number(a) && is_integer(n) => vec![number_of(a), Int64],
            (Self::Floating(n), all) if all.len() == n && all.iter().all(is_number) => vec![Float64; n],
            (Self::TextToInteger | Self::TextToText, [a]) if is_text(a) => vec![Utf8],
            (Self::Trimming, all) if matches!(all.len(), 1 | 2) && all.iter().all(is_text) => {
                vec![Utf8; all.len()]
            }
            (Self::Substring, [a, rest @ ..])
                if is_text(a) && matches!(rest.len(), 1 | 2) && rest.iter().all(is_integer) =>
            {
                let mut types = vec![Utf8];
                types.resize(given.len(), Int64);
                types
            }
            (Self::TextAndCount, [a, n]) if is_text(a) && is_integer(n) => vec![Utf8, Int64],
            (Self::TextTest | Self::TextSearch, [a, b]) if is_text(a) && is_text(b) => vec![Utf8, Utf8],
            (Self::Replacement, [_, _, _]) if given.iter().all(is_text) => vec![Utf8; 3],
            (Self::Concatenation, all) if !all.is_empty() => vec![Utf8; all.len()],
            (Self::DatePart | Self::DateTruncate, [part, time]) if is_text(part) && is_temporal(time) => {
                vec![Utf8, if *time == Date32 { Date32 } else { TIMESTAMP }]
            }
            (Self::Same2, [_, _]) | (Self::SameMany, [_, ..]) => {
                let kinds: Vec<_> = given.iter().filter(|t| **t != Null).collect();
                let every = |test: fn(&DataType) -> bool| kinds.iter().all(|t| test(t));
                let kind = if kinds.is_empty() || every(is_text) {
                    Utf8
                } else if every(is_integer) {
                    Int64
                } else if every(is_number) {
                    Float64
                } else if every(|t| *t == Boolean) {
                    Boolean
                } else if every(|t| *t == Date32) {
                    Date32
                } else if every(is_temporal) {
                    TIMESTAMP
                } else {
                    return None;
                };
                vec![kind; given.len()]
            }
            _ => return None,
        };
        Some(fits)
    }

    /// The type of the result for coerced arguments.
    pub(crate) fn result(self, coerced: &[DataType]) -> DataType {
        match self {
            Self::Numeric | Self::Rounding | Self::Same2 | Self::SameMany => {
                coerced.first().cloned().unwrap_or(DataType::Null)
            }
            Self::Floating(_) => DataType::Float64,
            Self::TextToInteger | Self::TextSearch | Self::DatePart => DataType::Int64,
            Self::TextTest => DataType::Boolean,
            Self::DateTruncate => TIMESTAMP,
            Self::TextToText
            | Self::Trimming
            | Self::Substring
            | Self::TextAndCount
            | Self::Replacement
            | Self::Concatenation => DataType::Utf8,
        }
    }
}
