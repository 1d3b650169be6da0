//! What is made of noised totals: the released tables, and what the query does with them afterwards.
//!
//! Everything here is post-processing: a function of the noised totals and of the plan alone. It costs nothing and can
//! do anything (Dwork, Roth 2014, "The Algorithmic Foundations of Differential Privacy", Proposition 2.1), so there is
//! no rule to keep but that no exact total comes here.
//!
//! Each part of a plan has a table of its released cells ([`PartRows`]), whose columns are keys and figures ([`Measure`]). An
//! [`Arrangement`] says how they become the rows of the answer: filtered, sorted, joined with each other and with public
//! relations ([`Released`]).

mod arrange;
mod cells;
mod measure;
mod most;

use model::FieldType;
use serde::{Deserialize, Serialize};

pub use self::arrange::{Figure, Released};
pub use self::cells::{Noised, PartRows, Picks, Row};
pub use self::measure::{Centred, Measure};
pub(crate) use self::most::Sized;
use crate::plan::{Leaf, PlanPart, PrivatePlan};
use crate::public::PublicTable;
use crate::scalar::{Literal, ScalarExpr};

/// The word for the cell of values outside the declared domain. A domain value of that name keeps it: the cell's place
/// (before NULL, after the domain) tells them apart.
pub const OTHER: &str = "other";

/// The most grouping sets.
pub const MAX_SETS: usize = 64;

/// A column that the query's expressions can read. Of a row in which its table has no part it is NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReleasedColumn {
    /// A grouping key; NULL in the rows of sets that leave it out.
    Key {
        /// Of which table.
        leaf: usize,
        /// Its place among the keys of the part.
        key: usize,
    },
    /// GROUPING(keys): a bit for each that the row's set leaves out, the first key's the highest.
    Grouping {
        /// Of which table.
        leaf: usize,
        /// Their places among the keys of the part.
        keys: Vec<usize>,
    },
    /// A figure.
    Measure {
        /// Of which table.
        leaf: usize,
        /// How it is made of the part's totals.
        measure: Measure,
    },
    /// A column of a public relation.
    Public {
        /// Which relation.
        leaf: usize,
        /// Its place among the relation's columns.
        column: usize,
    },
    /// Whether the row has anything of these tables: false where a left join found nothing.
    Present(Vec<usize>),
    /// One value in all rows.
    Fixed(Literal),
    /// Of stacked tables, the column of the one that the row is of.
    Stacked(Vec<(usize, ReleasedColumn)>),
}

/// How the rows of an answer are made of tables. Expressions read released columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrangement {
    /// A table: its place in [`PrivatePlan::leaves`].
    Leaf(usize),
    /// Rows filtered, sorted and cut.
    Steps {
        /// Of what.
        input: Box<Arrangement>,
        /// In this order.
        steps: Vec<Step>,
    },
    /// Rows of two joined.
    Join {
        /// The one side, whose order stays.
        left: Box<Arrangement>,
        /// The other.
        right: Box<Arrangement>,
        /// What becomes of rows that match none.
        kind: Outer,
        /// Pairs that have to be equal: of the left side, and of the right. None reads a figure, so that which rows match is
        /// said by keys and public rows.
        on: Vec<(ScalarExpr, ScalarExpr)>,
        /// What has to be true of a pair besides.
        condition: Option<ScalarExpr>,
    },
    /// The rows of several, one after the other.
    Stack(Vec<Arrangement>),
}

/// Which rows of a join of released tables stay without a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outer {
    /// None: an inner join.
    Neither,
    /// The left side's.
    Left,
    /// Those of both sides.
    Both,
}

/// What is done with the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Rows where this is not true are left out.
    Filter(ScalarExpr),
    /// A stable sort.
    Sort(Vec<SortKey>),
    /// So many rows are left out, then so many are kept.
    Limit {
        /// Left out at the start.
        skip: usize,
        /// Kept after that.
        fetch: Option<usize>,
    },
}

impl Step {
    /// What it computes of every row.
    pub(crate) fn exprs(&self) -> Vec<&ScalarExpr> {
        match self {
            Self::Filter(condition) => vec![condition],
            Self::Sort(keys) => keys.iter().map(|key| &key.expr).collect(),
            Self::Limit { .. } => vec![],
        }
    }
}

/// What rows are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKey {
    /// The value.
    pub expr: ScalarExpr,
    /// Largest first.
    pub descending: bool,
    /// NULLs before everything else.
    pub nulls_first: bool,
}

impl Arrangement {
    /// The same rows, and these steps after whatever was done with them.
    pub(crate) fn then(self, step: Step) -> Self {
        match self {
            Self::Steps { input, mut steps } => {
                steps.push(step);
                Self::Steps { input, steps }
            }
            other => Self::Steps {
                input: Box::new(other),
                steps: vec![step],
            },
        }
    }

    /// The tables that it is made of.
    pub(crate) fn leaves(&self) -> Vec<usize> {
        match self {
            Self::Leaf(leaf) => vec![*leaf],
            _ => self.inputs().into_iter().flat_map(Self::leaves).collect(),
        }
    }

    /// What it is made of.
    pub(crate) fn inputs(&self) -> Vec<&Self> {
        match self {
            Self::Leaf(_) => vec![],
            Self::Steps { input, .. } => vec![input],
            Self::Join { left, right, .. } => vec![left, right],
            Self::Stack(members) => members.iter().collect(),
        }
    }

    /// What it computes of rows, on any of its nodes.
    pub(crate) fn exprs(&self) -> Vec<&ScalarExpr> {
        let mut exprs: Vec<&ScalarExpr> = match self {
            Self::Leaf(_) | Self::Stack(_) => vec![],
            Self::Steps { steps, .. } => steps.iter().flat_map(Step::exprs).collect(),
            Self::Join { on, condition, .. } => {
                let pairs = on.iter().flat_map(|(own, other)| [own, other]);
                pairs.chain(condition).collect()
            }
        };
        exprs.extend(self.inputs().into_iter().flat_map(Self::exprs));
        exprs
    }

    /// Whether there is a join in it.
    pub(crate) fn has_join(&self) -> bool {
        matches!(self, Self::Join { .. }) || self.inputs().into_iter().any(Self::has_join)
    }

    /// How many nodes it has.
    pub(crate) fn size(&self) -> usize {
        1 + self.inputs().into_iter().map(Self::size).sum::<usize>()
    }
}

impl ReleasedColumn {
    /// The type of its values. A table that is not there has texts.
    pub(crate) fn field_type(&self, tables: &LeafTables<'_>) -> FieldType {
        let known = match self {
            Self::Key { leaf, key } => tables.part(*leaf).and_then(|part| {
                let key = part.core.keys.get(*key)?;
                Some(key.cells.field_type())
            }),
            Self::Grouping { .. } => Some(FieldType::Integer),
            Self::Measure { leaf, measure } => tables.part(*leaf).map(|part| measure.field_type(&part.core)),
            Self::Public { leaf, column } => tables.public(*leaf).and_then(|table| {
                let column = table.columns.get(*column)?;
                Some(column.field_type)
            }),
            Self::Present(_) => Some(FieldType::Boolean),
            Self::Fixed(literal) => Some(literal.field_type()),
            Self::Stacked(members) => members.first().map(|(_, column)| column.field_type(tables)),
        };
        known.unwrap_or(FieldType::Text)
    }

    /// The table whose column it is.
    pub(crate) const fn leaf(&self) -> Option<usize> {
        match self {
            Self::Key { leaf, .. }
            | Self::Grouping { leaf, .. }
            | Self::Measure { leaf, .. }
            | Self::Public { leaf, .. } => Some(*leaf),
            Self::Present(_) | Self::Fixed(_) | Self::Stacked(_) => None,
        }
    }

    /// The figures that it is: of stacked tables, one for each.
    fn measures(&self) -> Vec<(usize, &Measure)> {
        match self {
            Self::Measure { leaf, measure } => vec![(*leaf, measure)],
            Self::Stacked(members) => members.iter().flat_map(|(_, column)| column.measures()).collect(),
            _ => vec![],
        }
    }
}

/// The tables of a plan by their places.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeafTables<'a> {
    pub(crate) leaves: &'a [Leaf],
    pub(crate) parts: &'a [PlanPart],
    pub(crate) public: &'a [PublicTable],
}

impl<'a> LeafTables<'a> {
    /// The part that a table is.
    pub(crate) fn part(&self, leaf: usize) -> Option<&'a PlanPart> {
        match self.leaves.get(leaf)? {
            Leaf::Part(part) => self.parts.get(*part),
            Leaf::Public(_) => None,
        }
    }

    /// The public relation that a table is.
    pub(crate) fn public(&self, leaf: usize) -> Option<&'a PublicTable> {
        match self.leaves.get(leaf)? {
            Leaf::Public(table) => self.public.get(*table),
            Leaf::Part(_) => None,
        }
    }
}

impl PrivatePlan {
    /// The types of the released columns.
    pub fn released_types(&self) -> Vec<FieldType> {
        let tables = self.tables();
        self.released
            .iter()
            .map(|column| column.field_type(&tables))
            .collect()
    }

    pub(crate) const fn tables(&self) -> LeafTables<'_> {
        LeafTables {
            leaves: self.leaves.as_slice(),
            parts: self.parts.as_slice(),
            public: self.public.as_slice(),
        }
    }

    /// The figures that an expression over released columns is computed from.
    pub fn measures_of(&self, expr: &ScalarExpr) -> Vec<&Measure> {
        let mut used = std::collections::BTreeSet::new();
        expr.collect_columns(&mut used);
        used.into_iter()
            .filter_map(|column| self.released.get(column))
            .flat_map(ReleasedColumn::measures)
            .map(|(_, measure)| measure)
            .collect()
    }

    /// Whether totals of one part can meet in a row that were added up from the same cells: its sets are in several tables.
    pub fn shares_cells(&self, part: usize) -> bool {
        let leaves = self.leaves.iter().filter(|leaf| **leaf == Leaf::Part(part));
        leaves.count() > 1 && self.parts.get(part).is_some_and(|part| part.sets.is_some())
    }

    /// The part whose figure a released column is; of stacked tables the first's.
    pub fn part_of(&self, column: usize) -> Option<usize> {
        let (leaf, _) = *self.released.get(column)?.measures().first()?;
        match *self.leaves.get(leaf)? {
            Leaf::Part(part) => Some(part),
            Leaf::Public(_) => None,
        }
    }

    /// The keys of a part from left to right as the answer shows them, then those that it does not.
    fn shown_keys(&self, part: usize) -> Vec<usize> {
        let of_part = |leaf: &usize| matches!(self.leaves.get(*leaf), Some(Leaf::Part(own)) if *own == part);
        fn keys(column: &ReleasedColumn) -> Vec<(usize, usize)> {
            match column {
                ReleasedColumn::Key { leaf, key } => vec![(*leaf, *key)],
                ReleasedColumn::Stacked(members) => {
                    members.iter().flat_map(|(_, column)| keys(column)).collect()
                }
                _ => vec![],
            }
        }
        let mut shown: Vec<usize> = self
            .output
            .iter()
            .filter_map(|column| match column.expr {
                ScalarExpr::Column(at) => self.released.get(at),
                _ => None,
            })
            .flat_map(keys)
            .filter(|(leaf, _)| of_part(leaf))
            .map(|(_, key)| key)
            .collect();
        if let Some(part) = self.parts.get(part) {
            shown.extend(0..part.core.keys.len());
        }
        shown
    }
}
