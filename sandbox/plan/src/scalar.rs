//! The closed language of row expressions. Every expression is *total*: it has a value, or NULL, for every row, and
//! never an error, so that no row can make itself known by failing (privacy.md "SQL").

mod call;

use model::FieldType;
use serde::{Deserialize, Serialize};

pub(crate) use call::Subject;
pub use call::{DatePart, Form, Function, Names};

/// The longest text a function may make, in bytes; longer results are NULL, so that memory is linear in the rows.
pub const MAX_TEXT: usize = 4_096;

/// The longest LIKE or regular expression, in bytes.
pub const MAX_PATTERN: usize = 256;

/// A finite double by its bits, so that it survives JSON exactly and compares as a value. Never NaN, never −0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Real(u64);

impl Real {
    /// The number, unless it is NaN or infinite.
    pub fn new(number: f64) -> Option<Self> {
        // Adding zero turns −0 into +0.
        number.is_finite().then(|| Self((number + 0.0).to_bits()))
    }

    /// The double.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl TryFrom<u64> for Real {
    type Error = &'static str;

    fn try_from(bits: u64) -> Result<Self, Self::Error> {
        Self::new(f64::from_bits(bits)).ok_or("a number must be finite")
    }
}

impl From<Real> for u64 {
    fn from(real: Real) -> Self {
        real.0
    }
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Literal {
    /// No value, of a type.
    Null(FieldType),
    /// Text.
    Text(String),
    /// Integer.
    Integer(i64),
    /// Finite double.
    Number(Real),
    /// Boolean.
    Boolean(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00 in the dataset's zone (civil time).
    Timestamp(i64),
}

impl Literal {
    /// Its type.
    pub const fn field_type(&self) -> FieldType {
        match self {
            Self::Null(field_type) => *field_type,
            Self::Text(_) => FieldType::Text,
            Self::Integer(_) => FieldType::Integer,
            Self::Number(_) => FieldType::Number,
            Self::Boolean(_) => FieldType::Boolean,
            Self::Date(_) => FieldType::Date,
            Self::Timestamp(_) => FieldType::Timestamp,
        }
    }
}

/// Comparisons; all give NULL if a side is NULL, but the last two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// IS DISTINCT FROM
    Distinct,
    /// IS NOT DISTINCT FROM
    NotDistinct,
}

/// Arithmetic on two integers or two numbers; overflow, a zero divisor and non-finite results give NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`, toward zero for integers
    Divide,
    /// `%`, with the sign of the dividend
    Remainder,
}

/// What a cast makes; what cannot be cast is NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CastTarget {
    /// Text.
    Text,
    /// An integer within a range (the range of the SQL type).
    Integer {
        /// Least value.
        lo: i64,
        /// Greatest value.
        hi: i64,
    },
    /// Double.
    Number,
    /// Double rounded to single precision.
    Single,
    /// Boolean.
    Boolean,
    /// Date.
    Date,
    /// Civil timestamp.
    Timestamp,
}

impl CastTarget {
    /// The type of the result.
    pub const fn field_type(self) -> FieldType {
        match self {
            Self::Text => FieldType::Text,
            Self::Integer { .. } => FieldType::Integer,
            Self::Number | Self::Single => FieldType::Number,
            Self::Boolean => FieldType::Boolean,
            Self::Date => FieldType::Date,
            Self::Timestamp => FieldType::Timestamp,
        }
    }
}

/// A row expression. Columns are positions in the plan's list of columns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ScalarExpr {
    /// A column of the scan.
    Column(usize),
    /// A constant.
    Literal(Literal),
    /// Logical not.
    Not(Box<ScalarExpr>),
    /// Three-valued conjunction.
    And(Vec<ScalarExpr>),
    /// Three-valued disjunction.
    Or(Vec<ScalarExpr>),
    /// Never NULL itself.
    IsNull(Box<ScalarExpr>),
    /// Comparison of two values of one type.
    Compare(Comparison, Box<ScalarExpr>, Box<ScalarExpr>),
    /// Membership in a list of constants of the same type; `has_null` as in SQL turns "not found" into NULL.
    InList {
        /// What is looked for.
        expr: Box<ScalarExpr>,
        /// Where: constants, none of them NULL.
        list: Vec<Literal>,
        /// Whether the list also held NULL.
        has_null: bool,
    },
    /// LIKE with a constant pattern.
    Like {
        /// The text.
        expr: Box<ScalarExpr>,
        /// `%` any text, `_` any character.
        pattern: String,
        /// The character that takes away the next one's meaning.
        escape: Option<char>,
        /// Whether case matters not.
        any_case: bool,
    },
    /// Two numbers of one type.
    Arithmetic(Arithmetic, Box<ScalarExpr>, Box<ScalarExpr>),
    /// The value of the first condition that is true, else the last.
    Case {
        /// Conditions and values.
        when: Vec<(ScalarExpr, ScalarExpr)>,
        /// Otherwise.
        otherwise: Box<ScalarExpr>,
    },
    /// A cast.
    Cast(Box<ScalarExpr>, CastTarget),
    /// A function.
    Call(Function, Vec<ScalarExpr>),
}

impl ScalarExpr {
    /// Its parts.
    pub fn children(&self) -> Vec<&ScalarExpr> {
        match self {
            Self::Column(_) | Self::Literal(_) => vec![],
            Self::Not(x) | Self::IsNull(x) | Self::Cast(x, _) => vec![x],
            Self::InList { expr, .. } | Self::Like { expr, .. } => vec![expr],
            Self::And(list) | Self::Or(list) | Self::Call(_, list) => list.iter().collect(),
            Self::Compare(_, l, r) | Self::Arithmetic(_, l, r) => vec![l, r],
            Self::Case { when, otherwise } => {
                let mut all: Vec<_> = when.iter().flat_map(|(c, v)| [c, v]).collect();
                all.push(otherwise);
                all
            }
        }
    }

    /// Its parts, to be changed.
    pub(crate) fn children_mut(&mut self) -> Vec<&mut ScalarExpr> {
        match self {
            Self::Column(_) | Self::Literal(_) => vec![],
            Self::Not(x) | Self::IsNull(x) | Self::Cast(x, _) => vec![x],
            Self::InList { expr, .. } | Self::Like { expr, .. } => vec![expr],
            Self::And(list) | Self::Or(list) | Self::Call(_, list) => list.iter_mut().collect(),
            Self::Compare(_, l, r) | Self::Arithmetic(_, l, r) => vec![l, r],
            Self::Case { when, otherwise } => {
                let mut all: Vec<_> = when.iter_mut().flat_map(|(c, v)| [c, v]).collect();
                all.push(otherwise);
                all
            }
        }
    }

    /// Adds the columns it reads.
    pub fn collect_columns(&self, into: &mut std::collections::BTreeSet<usize>) {
        if let Self::Column(column) = self {
            into.insert(*column);
        }
        for child in self.children() {
            child.collect_columns(into);
        }
    }

    /// The type of its value, given the columns' types. `None` if a column does not exist.
    pub fn field_type(&self, columns: &[FieldType]) -> Option<FieldType> {
        Some(match self {
            Self::Column(column) => *columns.get(*column)?,
            Self::Literal(literal) => literal.field_type(),
            Self::Not(_)
            | Self::And(_)
            | Self::Or(_)
            | Self::IsNull(_)
            | Self::Compare(..)
            | Self::InList { .. }
            | Self::Like { .. } => FieldType::Boolean,
            Self::Arithmetic(_, left, _) => left.field_type(columns)?,
            Self::Case { otherwise, .. } => otherwise.field_type(columns)?,
            Self::Cast(_, target) => target.field_type(),
            Self::Call(function, args) => match function.gives() {
                Some(field_type) => field_type,
                None => args.first()?.field_type(columns)?,
            },
        })
    }
}
