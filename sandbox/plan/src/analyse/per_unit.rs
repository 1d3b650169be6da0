//! Below the release: relations in which every row belongs to one unit.

use datafusion_common::{DFSchema, TableReference};
use datafusion_expr::expr::AggregateFunction as PlannerAggregate;
use datafusion_expr::{Aggregate as PlannerGrouping, Expr, LogicalPlan, TableScan};
use model::{FieldRole, FieldType};

use super::shape::{not_below, place_in};
use super::{Decision, MAX_EXPRESSIONS, PerUnit, admit, bound_size};
use crate::lower::{Bound, Lowering, canonical};
use crate::plan::{PlanError, ScanColumn};
use crate::refusal::{Planned, Refusal, Rule};
use crate::relation::Relation;
use crate::scalar::{Literal, ScalarExpr};
use crate::source::{ScanTable, Source, UnitFunction};

/// A relation that stands below the release.
pub(super) enum Below {
    /// Each of its rows belongs to a unit.
    PerUnit(Box<PerUnit>),
    /// It is public: the place of a public relation, and its columns in sight.
    Public(usize, Vec<Bound>),
}

impl PerUnit {
    pub(super) fn lowering<'b>(&'b self, schema: &'b DFSchema, types: &'b [FieldType]) -> Lowering<'b> {
        Lowering {
            schema,
            columns: &self.columns,
            types,
        }
    }

    /// Puts the filter into the source, so that its rows are what is joined or grouped.
    pub(super) fn settle(&mut self) {
        if let Some(condition) = self.filter.take() {
            let input = Box::new(std::mem::replace(&mut self.source, Source::Scan(0)));
            self.source = Source::Filter { input, condition };
        }
    }

    /// Computes columns and sizes anew after the source was changed.
    pub(super) fn measure(&mut self) -> Planned<()> {
        self.shape = self.source.shape(&self.scans, &self.public).map_err(misfit)?;
        Ok(())
    }
}

/// The refusal of a source that does not hold together: too many rows by joins, or what the checks before should have
/// found.
fn misfit(error: PlanError) -> Refusal {
    Refusal::new(match error.0 {
        "fan-out" => Rule::FanOut,
        _ => Rule::UnsupportedPlan,
    })
}

impl Decision<'_> {
    /// A relation that has to be one of units.
    pub(super) fn per_unit(&self, plan: &LogicalPlan) -> Planned<PerUnit> {
        match self.below(plan)? {
            Below::PerUnit(relation) => Ok(*relation),
            Below::Public(..) => Err(Refusal::new(Rule::NoTable)),
        }
    }

    pub(super) fn below(&self, plan: &LogicalPlan) -> Planned<Below> {
        self.below_node(plan)
            .map_err(|refusal| refusal.with_span(place_in(plan)))
    }

    fn below_node(&self, plan: &LogicalPlan) -> Planned<Below> {
        Ok(match plan {
            LogicalPlan::Filter(filter) => {
                let mut below = self.per_unit(&filter.input)?;
                let types = below.shape.columns.types();
                let own = below
                    .lowering(filter.input.schema(), &types)
                    .condition(&filter.predicate)?;
                below.filter = Some(match below.filter {
                    None => own,
                    Some(before) => canonical(ScalarExpr::And(vec![before, own])),
                });
                Below::PerUnit(Box::new(below))
            }
            LogicalPlan::Projection(projection) => match self.below(&projection.input)? {
                Below::Public(place, columns) => {
                    let types = self.tables.public[place].types();
                    let lowering = Lowering {
                        schema: projection.input.schema(),
                        columns: &columns,
                        types: &types,
                    };
                    let columns = projection
                        .expr
                        .iter()
                        .map(|expr| Ok(Bound::Value(lowering.expr(expr)?)));
                    Below::Public(place, columns.collect::<Planned<_>>()?)
                }
                Below::PerUnit(mut below) => {
                    let types = below.shape.columns.types();
                    let lowering = below.lowering(projection.input.schema(), &types);
                    let columns = projection
                        .expr
                        .iter()
                        .map(|expr| {
                            if lowering.is_unit_key(expr) {
                                Ok(Bound::UnitKey)
                            } else {
                                Ok(Bound::Value(lowering.expr(expr)?))
                            }
                        })
                        .collect::<Planned<Vec<Bound>>>()?;
                    if columns.iter().map(bound_size).sum::<usize>() > MAX_EXPRESSIONS {
                        return Err(Refusal::new(Rule::TooComplex));
                    }
                    below.columns = columns;
                    Below::PerUnit(below)
                }
            },
            LogicalPlan::SubqueryAlias(alias) => self.below(&alias.input)?,
            LogicalPlan::TableScan(scan) => self.table(scan)?,
            LogicalPlan::Join(join) => Below::PerUnit(Box::new(self.join(join)?)),
            LogicalPlan::Aggregate(grouping) => Below::PerUnit(Box::new(self.inner(grouping)?)),
            other => return Err(not_below(other)),
        })
    }

    fn table(&self, scan: &TableScan) -> Planned<Below> {
        let TableReference::Bare { table: name } = &scan.table_name else {
            return Err(Refusal::about(Rule::UnknownTable, scan.table_name.to_string()));
        };
        if !scan.filters.is_empty() || scan.fetch.is_some() || scan.projection.is_some() {
            return Err(Refusal::new(Rule::UnsupportedPlan));
        }
        if let Some(relation) = self.tables.find_protected(name) {
            return Ok(Below::PerUnit(Box::new(scanned(relation)?)));
        }
        match self.tables.find_public(name) {
            Some(place) => {
                let columns = 0..self.tables.public[place].columns.len();
                let columns = columns.map(|at| Bound::Value(ScalarExpr::Column(at)));
                Ok(Below::Public(place, columns.collect()))
            }
            None => Err(Refusal::about(Rule::UnknownTable, name.to_string())),
        }
    }

    /// GROUP BY the unit key, perhaps with more keys: what comes out still belongs to one unit each.
    fn inner(&self, grouping: &PlannerGrouping) -> Planned<PerUnit> {
        let mut below = self.per_unit(&grouping.input)?;
        below.settle();
        let types = below.shape.columns.types();
        let lowering = below.lowering(grouping.input.schema(), &types);
        let (mut keys, mut functions) = (Vec::new(), Vec::new());
        let mut columns = Vec::new();
        for expr in &grouping.group_expr {
            if matches!(expr, Expr::GroupingSet(_)) {
                return Err(Refusal::new(Rule::GroupingSets));
            }
            if lowering.is_unit_key(expr) {
                columns.push(Bound::UnitKey);
                continue;
            }
            columns.push(Bound::Value(ScalarExpr::Column(keys.len())));
            keys.push(lowering.expr(expr)?);
        }
        if !columns.iter().any(|column| matches!(column, Bound::UnitKey)) {
            return Err(Refusal::new(Rule::InnerAggregation));
        }
        for expr in &grouping.aggr_expr {
            let mut expr = expr;
            while let Expr::Alias(alias) = expr {
                expr = &alias.expr;
            }
            let Expr::AggregateFunction(call) = expr else {
                return Err(Refusal::new(Rule::UnsupportedExpression));
            };
            columns.push(Bound::Value(ScalarExpr::Column(keys.len() + functions.len())));
            functions.push(function(&lowering, call)?);
        }
        if keys.len() + functions.len() > MAX_INNER {
            return Err(Refusal::new(Rule::TooManyColumns));
        }
        below.source = Source::UnitAggregate {
            input: Box::new(std::mem::replace(&mut below.source, Source::Scan(0))),
            keys,
            functions,
        };
        below.columns = columns;
        below.measure()?;
        Ok(below)
    }
}

/// The most keys and aggregates of an inner aggregation.
const MAX_INNER: usize = 24;

/// What an inner aggregate computes.
fn function(lowering: &Lowering<'_>, call: &PlannerAggregate) -> Planned<UnitFunction> {
    let params = &call.params;
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(Refusal::new(Rule::AggregateClause));
    }
    let [argument] = params.args.as_slice() else {
        return Err(Refusal::new(Rule::UnsupportedExpression));
    };
    if lowering.is_unit_key(argument) {
        return Err(Refusal::new(Rule::UnitKey));
    }
    let mut value = lowering.expr(argument)?;
    let filtered = params.filter.is_some();
    if let Some(filter) = &params.filter {
        let field_type = lowering.field_type(&value)?;
        value = ScalarExpr::Case {
            when: vec![(lowering.condition(filter)?, value)],
            otherwise: Box::new(ScalarExpr::Literal(Literal::Null(field_type))),
        };
    }
    let constant = matches!(&value, ScalarExpr::Literal(literal) if !matches!(literal, Literal::Null(_)));
    Ok(match (call.func.name(), params.distinct) {
        ("count", false) if constant && !filtered => UnitFunction::CountRows,
        ("count", false) => UnitFunction::Count(value),
        ("count", true) => UnitFunction::CountDistinct(value),
        ("min", _) => UnitFunction::Min(value),
        ("max", _) => UnitFunction::Max(value),
        ("sum", false) => UnitFunction::Sum(value),
        ("avg", false) => UnitFunction::Mean(value),
        ("sum" | "avg", true) => return Err(Refusal::new(Rule::DistinctValues)),
        (name, _) => return Err(Refusal::about(Rule::InnerFunction, name)),
    })
}

/// A protected table as it is declared.
fn scanned(relation: &Relation) -> Planned<PerUnit> {
    let unit = admit(relation)?;
    let fields = relation.metadata.fields().iter();
    let columns: Vec<ScanColumn> = fields.map(ScanColumn::of).collect();
    let scans = vec![ScanTable {
        dataset: relation.dataset,
        version: relation.version,
        unit,
        zone: relation.metadata.zone().to_owned(),
        columns,
    }];
    let source = Source::Scan(0);
    let shape = source.shape(&scans, &[]).map_err(misfit)?;
    let in_sight = relation.metadata.fields().iter().enumerate();
    let columns = in_sight
        .filter_map(|(at, field)| match field.role {
            FieldRole::UnitKey => Some(Bound::UnitKey),
            FieldRole::DirectIdentifier => None,
            FieldRole::QuasiIdentifier | FieldRole::Sensitive | FieldRole::Attribute => {
                Some(Bound::Value(ScalarExpr::Column(at)))
            }
        })
        .collect();
    Ok(PerUnit {
        scans,
        public: vec![],
        source,
        shape,
        columns,
        filter: None,
    })
}
