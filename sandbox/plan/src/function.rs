//! The allow-list of functions, by name: what the planner resolves and what each becomes.

mod table;

use datafusion_common::arrow::datatypes::{DataType, TimeUnit};

use crate::scalar::Function;
pub(crate) use table::ALLOWED;

/// What an argument is, for type coercion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Text.
    Text,
    /// Any value, made text.
    Shown,
    /// An integer.
    Integer,
    /// A number, made double.
    Double,
    /// A number of either type.
    Numeric,
    /// Numbers of one type: integers unless one of them is a double.
    Common,
    /// A truth value.
    Boolean,
    /// A date or a timestamp.
    Time,
    /// A date or a timestamp, made timestamp.
    Moment,
    /// A constant interval.
    Interval,
    /// Values of one type.
    Same,
    /// Any value.
    Any,
    /// The kind before it, any number of times more.
    More,
}

/// The type of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Gives {
    Text,
    Integer,
    Double,
    Boolean,
    Date,
    Moment,
    /// That of the first argument.
    First,
    /// That of the last argument.
    Last,
    /// That of the argument that is a date or timestamp.
    Time,
}

/// The arguments that a function takes, one list for each way to call it, and the type of what it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    forms: &'static [&'static [Kind]],
    gives: Gives,
}

/// An allowed function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Allowed {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) shape: Shape,
    /// What it becomes; `None` if it is made of other things ([`crate::lower`]).
    pub(crate) function: Option<Function>,
}

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

/// The aggregates that are released: the name, and others for the same.
pub(crate) const AGGREGATES: &[(&str, &[&str])] = &[
    ("count", &[]),
    ("sum", &[]),
    ("avg", &["mean"]),
    ("var_samp", &["var", "variance", "var_sample"]),
    ("var_pop", &["var_population"]),
    ("stddev_samp", &["stddev"]),
    ("stddev_pop", &[]),
    ("covar_samp", &["covar"]),
    ("covar_pop", &[]),
    ("corr", &[]),
    ("median", &["approx_median"]),
    ("quantile", &["quantile_cont", "approx_percentile_cont"]),
    ("grouping", &[]),
];

/// The released aggregate of a name or alias.
pub(crate) fn find_aggregate(name: &str) -> Option<&'static str> {
    AGGREGATES
        .iter()
        .find(|(aggregate, aliases)| *aggregate == name || aliases.contains(&name))
        .map(|(aggregate, _)| *aggregate)
}

/// The aggregates that are allowed within a unit only: released, they would show a single value.
pub(crate) const INNER_AGGREGATES: [&str; 2] = ["min", "max"];

/// Whether it is an aggregate that is allowed within a unit only.
pub(crate) fn is_inner_aggregate(name: &str) -> bool {
    INNER_AGGREGATES.contains(&name)
}

/// Whether it is one of the aggregates that are released.
pub(crate) fn is_aggregate(name: &str) -> bool {
    find_aggregate(name).is_some()
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
    starts.iter().any(|s| name.starts_with(s))
        || names.contains(&name)
        || name.starts_with("bit_")
        || name.starts_with("bool_")
        || name.starts_with("regr_")
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

impl Kind {
    /// The type that an argument of a type is cast to; `None` if it does not fit. Kinds that look at several arguments
    /// answer for this one alone.
    fn coerce(self, given: &DataType) -> Option<DataType> {
        use DataType::{Boolean, Date32, Float64, Int64, Null, Utf8};
        match self {
            Self::Text if is_text(given) => Some(Utf8),
            Self::Shown => Some(Utf8),
            Self::Integer if is_integer(given) => Some(Int64),
            Self::Double if is_number(given) => Some(Float64),
            Self::Numeric | Self::Common if is_number(given) => Some(number_of(given)),
            Self::Boolean if matches!(given, Boolean | Null) => Some(Boolean),
            Self::Time if is_temporal(given) => Some(if *given == Date32 { Date32 } else { TIMESTAMP }),
            Self::Moment if is_temporal(given) => Some(TIMESTAMP),
            Self::Interval if matches!(given, DataType::Interval(_)) => Some(given.clone()),
            Self::Same | Self::Any => Some(given.clone()),
            _ => None,
        }
    }
}

/// The one type of all values of these types.
fn common(given: &[DataType]) -> Option<DataType> {
    let kinds: Vec<_> = given.iter().filter(|t| **t != DataType::Null).collect();
    let every = |test: fn(&DataType) -> bool| kinds.iter().all(|t| test(t));
    if kinds.is_empty() || every(is_text) {
        Some(DataType::Utf8)
    } else if every(is_integer) {
        Some(DataType::Int64)
    } else if every(is_number) {
        Some(DataType::Float64)
    } else if every(|t| *t == DataType::Boolean) {
        Some(DataType::Boolean)
    } else if every(|t| *t == DataType::Date32) {
        Some(DataType::Date32)
    } else if every(is_temporal) {
        Some(TIMESTAMP)
    } else {
        None
    }
}

impl Shape {
    /// What each of so many arguments is; `None` if it does not take so many.
    pub(crate) fn kinds(self, count: usize) -> Option<Vec<Kind>> {
        self.forms.iter().find_map(|form| match form {
            [fixed @ .., last, Kind::More] if count > fixed.len() => {
                let mut kinds = fixed.to_vec();
                kinds.resize(count, *last);
                Some(kinds)
            }
            [.., Kind::More] => None,
            exact => (exact.len() == count).then(|| exact.to_vec()),
        })
    }

    /// Whether it can be called with nothing.
    pub(crate) fn takes_nothing(self) -> bool {
        self.forms.iter().any(|form| form.is_empty())
    }

    /// The types that arguments of these types are cast to; `None` if they do not fit.
    pub(crate) fn coerce(self, given: &[DataType]) -> Option<Vec<DataType>> {
        let kinds = self.kinds(given.len())?;
        let mut types = kinds
            .iter()
            .zip(given)
            .map(|(kind, t)| kind.coerce(t))
            .collect::<Option<Vec<_>>>()?;
        for group in [Kind::Same, Kind::Common] {
            let mine = |at: &usize| kinds[*at] == group;
            let all: Vec<DataType> = (0..kinds.len())
                .filter(mine)
                .map(|at| given[at].clone())
                .collect();
            if all.is_empty() {
                continue;
            }
            let one = match group {
                Kind::Common if all.iter().all(is_integer) => DataType::Int64,
                Kind::Common => DataType::Float64,
                _ => common(&all)?,
            };
            for at in (0..kinds.len()).filter(mine) {
                types[at] = one.clone();
            }
        }
        Some(types)
    }

    /// The type of the result for coerced arguments.
    pub(crate) fn result(self, coerced: &[DataType]) -> DataType {
        match self.gives {
            Gives::Text => DataType::Utf8,
            Gives::Integer => DataType::Int64,
            Gives::Double => DataType::Float64,
            Gives::Boolean => DataType::Boolean,
            Gives::Date => DataType::Date32,
            Gives::Moment => TIMESTAMP,
            Gives::First => coerced.first().cloned().unwrap_or(DataType::Null),
            Gives::Last => coerced.last().cloned().unwrap_or(DataType::Null),
            Gives::Time => {
                let time = coerced
                    .iter()
                    .find(|t| **t == DataType::Date32 || **t == TIMESTAMP);
                time.cloned().unwrap_or(DataType::Null)
            }
        }
    }
}
