//! Where the rows of a private plan come from: a tree of relations in each of which every row belongs to one unit.
//!
//! What keeps that true: rows of a unit are made from rows of that unit and public ones alone. A protected table is one
//! such relation; so are a filter over one, its join with a public relation (inner, left, semi, anti), the join of two by
//! their unit keys, and the groups of one within each unit. Nothing here can make a row that belongs to nobody, and
//! nothing looks at two units at once, so neighbouring datasets give relations that differ in one unit's rows only.

use model::{DatasetId, FieldType, UnitDeclaration, VersionId};
use serde::{Deserialize, Serialize};

use crate::interval::{ColumnRange, Range, everything, range};
use crate::plan::{PlanError, ScanColumn};
use crate::public::PublicTable;
use crate::scalar::ScalarExpr;

/// The most relations in a plan, protected and public.
pub const MAX_TABLES: usize = 8;

/// The most rows that one unit may come to by joins.
pub const MAX_JOINED_ROWS: u32 = 1_000_000;

/// A protected version that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanTable {
    /// Whose lineage is charged.
    pub dataset: DatasetId,
    /// The version that is read.
    pub version: VersionId,
    /// The declared unit and its maxima.
    pub unit: UnitDeclaration,
    /// The zone in which timestamps are civil times.
    pub zone: String,
    /// The columns that are read, by name.
    pub columns: Vec<ScanColumn>,
}

/// Which rows a join keeps. All keep the unit of the left row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinKind {
    /// Pairs.
    Inner,
    /// Pairs, and left rows without one.
    Left,
    /// Left rows that have a pair.
    Semi,
    /// Left rows that have none.
    Anti,
}

impl JoinKind {
    /// Whether the right side's columns are in the result.
    pub const fn shows_right(self) -> bool {
        matches!(self, Self::Inner | Self::Left)
    }

    /// The most rows that one left row becomes.
    const fn most(self, matches: u32) -> u32 {
        match self {
            Self::Inner => matches,
            Self::Left => {
                if matches == 0 {
                    1
                } else {
                    matches
                }
            }
            Self::Semi | Self::Anti => 1,
        }
    }
}

/// What an inner aggregation computes for a unit, or a group of a unit's rows. All are total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnitFunction {
    /// COUNT(*).
    CountRows,
    /// COUNT(x).
    Count(ScalarExpr),
    /// COUNT(DISTINCT x).
    CountDistinct(ScalarExpr),
    /// SUM(x); NULL where it overflows.
    Sum(ScalarExpr),
    /// AVG(x).
    Mean(ScalarExpr),
    /// MIN(x).
    Min(ScalarExpr),
    /// MAX(x).
    Max(ScalarExpr),
}

impl UnitFunction {
    /// What it is computed from.
    pub fn argument(&self) -> Option<&ScalarExpr> {
        match self {
            Self::CountRows => None,
            Self::Count(x)
            | Self::CountDistinct(x)
            | Self::Sum(x)
            | Self::Mean(x)
            | Self::Min(x)
            | Self::Max(x) => Some(x),
        }
    }

    pub(crate) fn argument_mut(&mut self) -> Option<&mut ScalarExpr> {
        match self {
            Self::CountRows => None,
            Self::Count(x)
            | Self::CountDistinct(x)
            | Self::Sum(x)
            | Self::Mean(x)
            | Self::Min(x)
            | Self::Max(x) => Some(x),
        }
    }

    fn field_type(&self, types: &[FieldType]) -> Option<FieldType> {
        let argument = match self.argument() {
            Some(argument) => Some(argument.field_type(types)?),
            None => None,
        };
        match (self, argument) {
            (Self::CountRows | Self::Count(_) | Self::CountDistinct(_), _) => Some(FieldType::Integer),
            (Self::Sum(_), Some(kind)) if kind.is_numeric() => Some(kind),
            (Self::Mean(_), Some(kind)) if kind.is_numeric() => Some(FieldType::Number),
            (Self::Min(_) | Self::Max(_), Some(kind)) => Some(kind),
            _ => None,
        }
    }

    /// The values it can take over at most so many rows; the operator brings what rounding puts beyond back into it.
    fn range(&self, rows: u32, columns: &SourceColumns) -> Option<Range> {
        let argument = self.argument().and_then(|x| range(x, columns));
        match self {
            Self::CountRows | Self::Count(_) | Self::CountDistinct(_) => {
                Some(Range::Integer(0, i64::from(rows)))
            }
            Self::Min(_) | Self::Max(_) => argument,
            Self::Mean(_) => {
                let (lo, hi) = argument?.ends();
                Some(Range::Number(lo, hi))
            }
            // At least one value is there, else the sum is NULL.
            Self::Sum(_) => Some(match argument? {
                Range::Integer(lo, hi) => {
                    let times = |x: i64| x.saturating_mul(i64::from(rows));
                    Range::Integer(lo.min(times(lo)), hi.max(times(hi)))
                }
                Range::Number(lo, hi) => {
                    let times = |x: f64| x * f64::from(rows);
                    Range::Number(lo.min(times(lo)), hi.max(times(hi)))
                }
            }),
        }
    }
}

/// A relation in which every row belongs to one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A protected table, by its place in the plan.
    Scan(usize),
    /// The rows for which a condition is true.
    Filter {
        /// Whose rows.
        input: Box<Source>,
        /// Over the input's columns.
        condition: ScalarExpr,
    },
    /// Each row with the public rows that it matches.
    PublicJoin {
        /// The per-unit side.
        input: Box<Source>,
        /// The public relation, by its place in the plan.
        public: usize,
        /// Which rows stay.
        kind: JoinKind,
        /// Equal pairs: over the input's columns, and over the public relation's.
        on: Vec<(ScalarExpr, ScalarExpr)>,
        /// What else a pair has to fulfil, over the columns of both, the input's first.
        condition: Option<ScalarExpr>,
        /// The most public rows that one row matches: how often the most frequent public key occurs.
        matches: u32,
    },
    /// Each row with the rows of the same unit.
    UnitJoin {
        /// The side whose units are kept.
        left: Box<Source>,
        /// The other side, of the same unit type.
        right: Box<Source>,
        /// Which rows stay; inner or left. A left join tells in one more column, the last, whether a row has a partner.
        kind: JoinKind,
        /// What else a pair has to fulfil, over the columns of both, the left's first.
        condition: Option<ScalarExpr>,
    },
    /// Groups within each unit.
    UnitAggregate {
        /// Whose rows.
        input: Box<Source>,
        /// Keys beside the unit, over the input's columns.
        keys: Vec<ScalarExpr>,
        /// What is computed of each group.
        functions: Vec<UnitFunction>,
    },
}

/// A column of a relation, as far as it is known without looking at protected data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourceColumn {
    pub(crate) field_type: FieldType,
    /// Bounds of a number.
    pub(crate) range: Option<Range>,
    /// The texts that it can hold, and whether it can hold others too.
    pub(crate) texts: Option<(Vec<String>, bool)>,
    /// The integers that it can hold, where they are listed.
    pub(crate) integers: Option<Vec<i64>>,
    /// Whether all rows of a unit hold the same value.
    pub(crate) unit_static: bool,
}

/// The columns of a relation, and how many rows it can have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    pub(crate) columns: SourceColumns,
    /// The most units, the most rows, and the most rows of one unit.
    pub(crate) unit: UnitDeclaration,
}

/// The columns of a relation.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct SourceColumns(pub(crate) Vec<SourceColumn>);

impl SourceColumns {
    pub(crate) fn types(&self) -> Vec<FieldType> {
        self.0.iter().map(|column| column.field_type).collect()
    }
}

impl ColumnRange for SourceColumns {
    fn column_range(&self, column: usize) -> Option<Range> {
        let column = self.0.get(column)?;
        column.range.or_else(|| everything(column.field_type))
    }
}

impl Source {
    /// The relations it is made of.
    pub fn inputs(&self) -> Vec<&Source> {
        match self {
            Self::Scan(_) => vec![],
            Self::Filter { input, .. }
            | Self::PublicJoin { input, .. }
            | Self::UnitAggregate { input, .. } => {
                vec![input]
            }
            Self::UnitJoin { left, right, .. } => vec![left, right],
        }
    }

    /// Whether every row becomes what it becomes without a look at other rows of its unit.
    pub(crate) fn goes_row_by_row(&self) -> bool {
        match self {
            Self::Scan(_) => true,
            Self::Filter { input, .. } | Self::PublicJoin { input, .. } => input.goes_row_by_row(),
            Self::UnitJoin { .. } | Self::UnitAggregate { .. } => false,
        }
    }

    /// The protected tables that it reads, each as often as it does.
    pub fn scans(&self) -> Vec<usize> {
        match self {
            Self::Scan(table) => vec![*table],
            other => other.inputs().into_iter().flat_map(Source::scans).collect(),
        }
    }

    /// The expressions that are computed for every row of an input.
    pub(crate) fn own_exprs(&self) -> Vec<&ScalarExpr> {
        match self {
            Self::Scan(_) => vec![],
            Self::Filter { condition, .. } => vec![condition],
            Self::PublicJoin { on, condition, .. } => {
                on.iter().map(|(left, _)| left).chain(condition).collect()
            }
            Self::UnitJoin { condition, .. } => condition.iter().collect(),
            Self::UnitAggregate { keys, functions, .. } => keys
                .iter()
                .chain(functions.iter().filter_map(UnitFunction::argument))
                .collect(),
        }
    }

    /// How many columns it gives.
    pub(crate) fn width(&self, tables: &[ScanTable], public: &[PublicTable]) -> Option<usize> {
        Some(match self {
            Self::Scan(table) => tables.get(*table)?.columns.len(),
            Self::Filter { input, .. } => input.width(tables, public)?,
            Self::PublicJoin {
                input,
                public: place,
                kind,
                ..
            } => {
                let own = input.width(tables, public)?;
                if kind.shows_right() {
                    own + public.get(*place)?.columns.len()
                } else {
                    own
                }
            }
            Self::UnitJoin {
                left, right, kind, ..
            } => {
                let both = left.width(tables, public)? + right.width(tables, public)?;
                both + usize::from(*kind == JoinKind::Left)
            }
            Self::UnitAggregate { keys, functions, .. } => keys.len() + functions.len(),
        })
    }

    /// The types of the columns that it gives.
    pub(crate) fn types(&self, tables: &[ScanTable], public: &[PublicTable]) -> Option<Vec<FieldType>> {
        Some(match self {
            Self::Scan(table) => {
                let columns = tables.get(*table)?.columns.iter();
                columns.map(|column| column.field_type).collect()
            }
            Self::Filter { input, .. } => input.types(tables, public)?,
            Self::PublicJoin {
                input,
                public: place,
                kind,
                ..
            } => {
                let mut types = input.types(tables, public)?;
                if kind.shows_right() {
                    types.extend(public.get(*place)?.types());
                }
                types
            }
            Self::UnitJoin {
                left, right, kind, ..
            } => {
                let mut types = left.types(tables, public)?;
                types.extend(right.types(tables, public)?);
                types.extend((*kind == JoinKind::Left).then_some(FieldType::Boolean));
                types
            }
            Self::UnitAggregate {
                input,
                keys,
                functions,
            } => {
                let below = input.types(tables, public)?;
                let keys = keys.iter().map(|key| key.field_type(&below));
                let functions = functions.iter().map(|function| function.field_type(&below));
                keys.chain(functions).collect::<Option<Vec<_>>>()?
            }
        })
    }

    /// Columns and sizes, checked on the way: the worker runs no tree that this refuses.
    ///
    /// # Errors
    /// [`PlanError`] if a table does not exist, an expression does not fit, or a unit can have too many rows.
    pub(crate) fn shape(&self, tables: &[ScanTable], public: &[PublicTable]) -> Result<Shape, PlanError> {
        match self {
            Self::Scan(table) => {
                let table = tables.get(*table).ok_or(PlanError("table"))?;
                Ok(Shape {
                    columns: SourceColumns(table.columns.iter().map(scanned).collect()),
                    unit: table.unit,
                })
            }
            Self::Filter { input, condition } => {
                let shape = input.shape(tables, public)?;
                boolean(condition, &shape.columns)?;
                Ok(shape)
            }
            Self::PublicJoin {
                input,
                public: place,
                kind,
                on,
                condition,
                matches,
            } => {
                let mut shape = input.shape(tables, public)?;
                let side = public_columns(public.get(*place).ok_or(PlanError("public relation"))?)?;
                let (own_types, side_types) = (shape.columns.types(), side.types());
                for (own, other) in on {
                    let pair = (own.field_type(&own_types), other.field_type(&side_types));
                    if pair.0.is_none() || pair.0 != pair.1 {
                        return Err(PlanError("join key"));
                    }
                }
                let own = shape.columns.0.len();
                shape.columns.0.extend(side.0);
                if let Some(condition) = condition {
                    boolean(condition, &shape.columns)?;
                }
                if !kind.shows_right() {
                    shape.columns.0.truncate(own);
                }
                shape.unit = fanned_out(shape.unit, kind.most(*matches))?;
                Ok(shape)
            }
            Self::UnitJoin {
                left,
                right,
                kind,
                condition,
            } => {
                let (mut shape, mut right) = (left.shape(tables, public)?, right.shape(tables, public)?);
                if shape.unit.unit_type != right.unit.unit_type || !kind.shows_right() {
                    return Err(PlanError("unit join"));
                }
                if *kind == JoinKind::Left && condition.is_some() {
                    // Some rows of a unit can find a partner and others none.
                    for column in &mut right.columns.0 {
                        column.unit_static = false;
                    }
                }
                shape.columns.0.extend(right.columns.0);
                if let Some(condition) = condition {
                    boolean(condition, &shape.columns)?;
                }
                if *kind == JoinKind::Left {
                    shape.columns.0.push(SourceColumn {
                        field_type: FieldType::Boolean,
                        range: None,
                        texts: None,
                        integers: None,
                        unit_static: condition.is_none(),
                    });
                }
                let other = right.unit;
                let by_other = other
                    .max_rows
                    .saturating_mul(u64::from(shape.unit.max_rows_per_unit));
                shape.unit = fanned_out(shape.unit, kind.most(other.max_rows_per_unit))?;
                if *kind == JoinKind::Inner {
                    shape.unit.max_units = shape.unit.max_units.min(other.max_units);
                    shape.unit.max_rows = shape.unit.max_rows.min(by_other);
                }
                Ok(shape)
            }
            Self::UnitAggregate {
                input,
                keys,
                functions,
            } => {
                let below = input.shape(tables, public)?;
                let types = below.columns.types();
                let rows = below.unit.max_rows_per_unit;
                let mut columns = Vec::with_capacity(keys.len() + functions.len());
                for key in keys {
                    let own = match key {
                        crate::scalar::ScalarExpr::Column(at) => below.columns.0.get(*at),
                        _ => None,
                    };
                    columns.push(SourceColumn {
                        field_type: key.field_type(&types).ok_or(PlanError("inner key"))?,
                        range: range(key, &below.columns),
                        texts: own.and_then(|column| column.texts.clone()),
                        integers: own.and_then(|column| column.integers.clone()),
                        unit_static: own.is_some_and(|column| column.unit_static),
                    });
                }
                // Keys that are the same in all rows of a unit make one group of them.
                let fixed = columns.iter().all(|key: &SourceColumn| key.unit_static);
                let groups = if fixed { 1 } else { rows };
                for function in functions {
                    columns.push(SourceColumn {
                        field_type: function.field_type(&types).ok_or(PlanError("inner aggregate"))?,
                        range: function.range(rows, &below.columns),
                        texts: match function {
                            UnitFunction::Min(ScalarExpr::Column(at))
                            | UnitFunction::Max(ScalarExpr::Column(at)) => {
                                below.columns.0.get(*at).and_then(|column| column.texts.clone())
                            }
                            _ => None,
                        },
                        integers: None,
                        unit_static: false,
                    });
                }
                if groups == 1 {
                    // One row a unit.
                    for column in &mut columns {
                        column.unit_static = true;
                    }
                }
                let unit = UnitDeclaration {
                    max_rows_per_unit: groups,
                    max_rows: below
                        .unit
                        .max_rows
                        .min(below.unit.max_units.saturating_mul(groups.into())),
                    ..below.unit
                };
                Ok(Shape {
                    columns: SourceColumns(columns),
                    unit,
                })
            }
        }
    }

    /// Keeps the columns that are used, of every table and relation, and renumbers. Returns, for each column that it had,
    /// its new place; `None` where it is gone.
    pub(crate) fn prune(
        &mut self,
        used: &[bool],
        tables: &mut [ScanTable],
        public: &[PublicTable],
    ) -> Option<Vec<Option<usize>>> {
        match self {
            Self::Scan(table) => {
                let table = tables.get_mut(*table)?;
                let places = places(used);
                let mut at = 0;
                table.columns.retain(|_| {
                    at += 1;
                    used.get(at - 1).copied().unwrap_or(false)
                });
                Some(places)
            }
            Self::Filter { input, condition } => {
                let mut used = used.to_vec();
                mark(condition, &mut used);
                let places = input.prune(&used, tables, public)?;
                renumber(condition, &places)?;
                Some(places)
            }
            Self::PublicJoin {
                input,
                public: place,
                kind,
                on,
                condition,
                ..
            } => {
                let own = input.width(tables, public)?;
                let other = public.get(*place)?.columns.len();
                let mut all = used.to_vec();
                all.resize(own + other, false);
                for (left, _) in &*on {
                    mark(left, &mut all);
                }
                if let Some(condition) = &condition {
                    mark(condition, &mut all);
                }
                let mut places = input.prune(&all[..own], tables, public)?;
                let now = places.iter().flatten().count();
                // The public side stays whole: it is small, and what a plan is named by.
                places.extend((0..other).map(|at| Some(now + at)));
                for (left, _) in on {
                    renumber(left, &places)?;
                }
                if let Some(condition) = condition {
                    renumber(condition, &places)?;
                }
                if !kind.shows_right() {
                    places.truncate(own);
                }
                Some(places)
            }
            Self::UnitJoin {
                left,
                right,
                condition,
                kind,
            } => {
                let own = left.width(tables, public)?;
                let both = own + right.width(tables, public)?;
                let mut all = used.to_vec();
                if let Some(condition) = &condition {
                    mark(condition, &mut all);
                }
                let mut places = left.prune(&all[..own], tables, public)?;
                let now = places.iter().flatten().count();
                let others = right.prune(&all[own..both], tables, public)?;
                places.extend(others.into_iter().map(|place| Some(place? + now)));
                if *kind == JoinKind::Left {
                    places.push(Some(places.iter().flatten().count()));
                }
                if let Some(condition) = condition {
                    renumber(condition, &places)?;
                }
                Some(places)
            }
            Self::UnitAggregate {
                input,
                keys,
                functions,
            } => {
                // Keys decide which rows there are; functions that nobody reads go.
                let count = keys.len();
                let mut at = 0;
                functions.retain(|_| {
                    at += 1;
                    used.get(count + at - 1).copied().unwrap_or(false)
                });
                let mut below = vec![false; input.width(tables, public)?];
                let arguments = functions.iter().filter_map(UnitFunction::argument);
                for expr in keys.iter().chain(arguments) {
                    mark(expr, &mut below);
                }
                let moved = input.prune(&below, tables, public)?;
                let arguments = functions.iter_mut().filter_map(UnitFunction::argument_mut);
                for expr in keys.iter_mut().chain(arguments) {
                    renumber(expr, &moved)?;
                }
                let kept: Vec<bool> = (0..used.len()).map(|at| at < count || used[at]).collect();
                Some(places(&kept))
            }
        }
    }
}

fn scanned(column: &ScanColumn) -> SourceColumn {
    SourceColumn {
        field_type: column.field_type,
        range: column.range(),
        texts: column.domain.clone().map(|values| (values, true)),
        integers: None,
        unit_static: column.unit_static,
    }
}

/// The columns of a public relation.
pub(crate) fn public_columns(table: &PublicTable) -> Result<SourceColumns, PlanError> {
    let facts = table.facts().map_err(|_| PlanError("public relation"))?;
    let columns = table
        .columns
        .iter()
        .zip(facts)
        .map(|(column, facts)| SourceColumn {
            field_type: column.field_type,
            range: facts.range,
            texts: facts.texts.map(|texts| (texts, false)),
            integers: facts.integers,
            unit_static: false,
        });
    Ok(SourceColumns(columns.collect()))
}

fn boolean(condition: &ScalarExpr, columns: &SourceColumns) -> Result<(), PlanError> {
    if condition.field_type(&columns.types()) == Some(FieldType::Boolean) {
        Ok(())
    } else {
        Err(PlanError("condition"))
    }
}

/// The sizes once every row becomes at most so many.
fn fanned_out(unit: UnitDeclaration, most: u32) -> Result<UnitDeclaration, PlanError> {
    let rows = unit.max_rows_per_unit.saturating_mul(most).max(1);
    if rows > MAX_JOINED_ROWS {
        return Err(PlanError("fan-out"));
    }
    Ok(UnitDeclaration {
        max_rows_per_unit: rows,
        max_rows: unit.max_rows.saturating_mul(most.into()).max(1),
        ..unit
    })
}

/// The new place of every kept column.
fn places(used: &[bool]) -> Vec<Option<usize>> {
    let mut next = 0..;
    used.iter()
        .map(|used| if *used { next.next() } else { None })
        .collect()
}

/// Marks the columns that an expression reads.
pub(crate) fn mark(expr: &ScalarExpr, used: &mut [bool]) {
    if let ScalarExpr::Column(column) = expr
        && let Some(used) = used.get_mut(*column)
    {
        *used = true;
    }
    for child in expr.children() {
        mark(child, used);
    }
}

/// Puts the columns' new places in; `None` if one is gone.
pub(crate) fn renumber(expr: &mut ScalarExpr, places: &[Option<usize>]) -> Option<()> {
    if let ScalarExpr::Column(column) = expr {
        *column = places.get(*column).copied().flatten()?;
    }
    for child in expr.children_mut() {
        renumber(child, places)?;
    }
    Some(())
}

/// The expression over columns that come after so many others.
pub(crate) fn shifted(expr: &ScalarExpr, by: usize) -> ScalarExpr {
    let mut expr = expr.clone();
    shift(&mut expr, by);
    expr
}

fn shift(expr: &mut ScalarExpr, by: usize) {
    if let ScalarExpr::Column(column) = expr {
        *column += by;
    }
    for child in expr.children_mut() {
        shift(child, by);
    }
}
