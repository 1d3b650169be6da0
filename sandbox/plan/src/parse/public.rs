//! Which parts of a query are about public data alone. They are computed before planning, by the engine for open data,
//! and stand in the query as tables from then on.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Cte, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, Join,
    JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, Spanned,
    Statement, TableAlias, TableFactor, TableWithJoins, visit_relations,
};

use serde::{Deserialize, Serialize};

use super::{resolved, to_span};
use crate::refusal::{Planned, Refusal, Rule, Span};
use crate::source::MAX_TABLES;

/// What a name in a query stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PublicBody {
    /// An open dataset, by its SQL name. Of its columns those are needed that the query mentions: these words are all
    /// the names in it, in lower case.
    Dataset {
        /// The names.
        mentioned: BTreeSet<String>,
    },
    /// A query over open data.
    Query(String),
}

/// A public relation that a query needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicQuery {
    /// The name by which the rest of the query knows it.
    pub name: String,
    /// What it is.
    pub body: PublicBody,
    /// Where it stands.
    pub span: Option<Span>,
}

/// The column of what stands behind IN.
pub(super) const MEMBER: &str = "__member";

/// Takes the public parts out of a statement.
pub(super) fn extract(
    sql: &str,
    statement: &mut Statement,
    protected: &HashSet<String>,
) -> Planned<Vec<PublicQuery>> {
    let Statement::Query(query) = statement else {
        return Ok(vec![]);
    };
    let mut extraction = Extraction {
        protected,
        mentioned: words(sql),
        found: BTreeMap::new(),
        derived: 0,
    };
    extraction.query(query, &Scope::default())?;
    Ok(extraction.found.into_values().collect())
}

/// Everything in a text that can be a name, in lower case: words, and what stands between double quotes.
fn words(sql: &str) -> BTreeSet<String> {
    let plain = sql.split(|c: char| !c.is_alphanumeric() && c != '_');
    let quoted = sql.split('"').skip(1).step_by(2);
    let all = plain.chain(quoted).filter(|word| !word.is_empty());
    all.map(str::to_lowercase).collect()
}

/// The names that WITH has given so far.
#[derive(Debug, Clone, Default)]
struct Scope {
    /// Those of queries that stay.
    kept: HashSet<String>,
    /// Those of public queries, with their text.
    public: Vec<Cte>,
}

struct Extraction<'a> {
    protected: &'a HashSet<String>,
    mentioned: BTreeSet<String>,
    found: BTreeMap<String, PublicQuery>,
    derived: usize,
}

pub(super) fn table_name(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [part] => part.as_ident().map(resolved),
        _ => None,
    }
}

impl Extraction<'_> {
    /// Whether a query reads tables, and none of them is protected.
    fn is_public(&self, query: &Query, scope: &Scope) -> bool {
        let (mut tables, mut protected) = (0, false);
        let _: ControlFlow<()> = visit_relations(query, |name| {
            tables += 1;
            protected |= table_name(name)
                .is_none_or(|name| self.protected.contains(&name) || scope.kept.contains(&name));
            ControlFlow::Continue(())
        });
        tables > 0 && !protected
    }

    fn query(&mut self, query: &mut Query, outer: &Scope) -> Planned<()> {
        if query.with.as_ref().is_some_and(|with| with.recursive) {
            // Refused by its shape.
            return Ok(());
        }
        let mut scope = outer.clone();
        if let Some(with) = &mut query.with {
            let mut kept = Vec::new();
            for mut table in std::mem::take(&mut with.cte_tables) {
                let name = resolved(&table.alias.name);
                let public = |other: &Cte| resolved(&other.alias.name) == name;
                if scope.kept.contains(&name) || scope.public.iter().any(public) {
                    // Which of the two is meant would depend on what the other reads.
                    return Err(Refusal::at(Rule::Cte, to_span(table.span())));
                }
                // One that is named as a protected dataset stays, to be refused.
                if table.from.is_none()
                    && !self.protected.contains(&name)
                    && self.is_public(&table.query, &scope)
                {
                    scope.public.push(table);
                    continue;
                }
                self.query(&mut table.query, &scope)?;
                scope.kept.insert(name);
                kept.push(table);
            }
            with.cte_tables = kept;
            if with.cte_tables.is_empty() {
                query.with = None;
            }
        }
        match &mut *query.body {
            SetExpr::Select(select) => self.select(select, &scope),
            SetExpr::Query(inner) => self.query(inner, &scope),
            _ => Ok(()),
        }
    }

    fn select(&mut self, select: &mut Select, scope: &Scope) -> Planned<()> {
        select
            .from
            .iter_mut()
            .try_for_each(|from| self.joined(from, scope))?;
        for expr in with_scalars_mut(select) {
            each_scalar(expr, &mut |query| self.scalar(query, scope))?;
        }
        if let (Some(condition), [from]) = (select.selection.take(), select.from.as_mut_slice()) {
            select.selection = self.members(condition, from, scope)?;
        }
        Ok(())
    }

    /// Makes semi joins of what stands in a condition as `x IN (SELECT y FROM public)`, alone or between ANDs, and gives
    /// the rest of the condition. There NULL and false are the same, so that both mean the same.
    fn members(
        &mut self,
        condition: Expr,
        from: &mut TableWithJoins,
        scope: &Scope,
    ) -> Planned<Option<Expr>> {
        match condition {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                let left = self.members(*left, from, scope)?;
                let right = self.members(*right, from, scope)?;
                Ok(match (left, right) {
                    (Some(left), Some(right)) => Some(Expr::BinaryOp {
                        left: Box::new(left),
                        op: BinaryOperator::And,
                        right: Box::new(right),
                    }),
                    (one, other) => one.or(other),
                })
            }
            Expr::Nested(inner) if self.has_member(&inner, scope) => self.members(*inner, from, scope),
            Expr::InSubquery {
                expr,
                subquery,
                negated: false,
            } if self.is_public(&subquery, scope) => {
                let span = to_span(subquery.span());
                let name = self.derived_name();
                let text = with_before(
                    scope,
                    &format!("SELECT {MEMBER} FROM ({subquery}) AS t ({MEMBER})"),
                );
                let same = Expr::BinaryOp {
                    left: expr,
                    op: BinaryOperator::Eq,
                    right: Box::new(Expr::CompoundIdentifier(vec![
                        Ident::new(&name),
                        Ident::new(MEMBER),
                    ])),
                };
                from.joins.push(Join {
                    relation: named_table(&name, None),
                    global: false,
                    join_operator: JoinOperator::LeftSemi(JoinConstraint::On(same)),
                });
                self.note(PublicQuery {
                    name,
                    body: PublicBody::Query(text),
                    span,
                })?;
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    /// Whether there is something for [`Extraction::members`] in a condition.
    fn has_member(&self, condition: &Expr, scope: &Scope) -> bool {
        match condition {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => self.has_member(left, scope) || self.has_member(right, scope),
            Expr::Nested(inner) => self.has_member(inner, scope),
            Expr::InSubquery {
                subquery,
                negated: false,
                ..
            } => self.is_public(subquery, scope),
            _ => false,
        }
    }

    /// A query that stands for a value: over open data alone it is computed beforehand, and of it one value is read.
    fn scalar(&mut self, query: &mut Query, scope: &Scope) -> Planned<()> {
        if !self.is_public(query, scope) {
            return self.query(query, scope);
        }
        let span = to_span(query.span());
        let text = with_before(scope, &format!("SELECT {MEMBER} FROM ({query}) AS t ({MEMBER})"));
        let SetExpr::Select(select) = &mut *query.body else {
            // Refused by its shape.
            return Ok(());
        };
        let name = self.derived_name();
        select.projection = vec![SelectItem::UnnamedExpr(Expr::Identifier(Ident::new(MEMBER)))];
        select.from = vec![TableWithJoins {
            relation: named_table(&name, None),
            joins: vec![],
        }];
        (select.distinct, select.selection, select.having) = (None, None, None);
        select.group_by = GroupByExpr::Expressions(vec![], vec![]);
        (query.with, query.order_by) = (None, None);
        (query.limit_clause, query.fetch) = (None, None);
        self.note(PublicQuery {
            name,
            body: PublicBody::Query(text),
            span,
        })
    }

    fn derived_name(&mut self) -> String {
        self.derived += 1;
        format!("__public_{}", self.derived - 1)
    }

    fn joined(&mut self, from: &mut TableWithJoins, scope: &Scope) -> Planned<()> {
        self.table(&mut from.relation, scope)?;
        for join in &mut from.joins {
            self.table(&mut join.relation, scope)?;
        }
        Ok(())
    }

    fn table(&mut self, table: &mut TableFactor, scope: &Scope) -> Planned<()> {
        let span = to_span(table.span());
        match table {
            TableFactor::Table { name, args: None, .. } => {
                let Some(name) = table_name(name) else {
                    return Ok(());
                };
                if scope.kept.contains(&name) || self.protected.contains(&name) {
                    return Ok(());
                }
                let body = match scope
                    .public
                    .iter()
                    .position(|cte| resolved(&cte.alias.name) == name)
                {
                    Some(at) => PublicBody::Query(with_tables(&scope.public[..=at], &name)),
                    None => PublicBody::Dataset {
                        mentioned: self.mentioned.clone(),
                    },
                };
                self.note(PublicQuery { name, body, span })
            }
            TableFactor::Derived {
                lateral: false,
                subquery,
                alias,
                ..
            } => {
                if !self.is_public(subquery, scope) {
                    return self.query(subquery, scope);
                }
                let name = self.derived_name();
                let text = with_before(scope, &format!("SELECT * FROM ({subquery}) AS t"));
                let body = PublicBody::Query(text);
                *table = named_table(&name, alias.take());
                self.note(PublicQuery { name, body, span })
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.joined(table_with_joins, scope),
            _ => Ok(()),
        }
    }

    fn note(&mut self, query: PublicQuery) -> Planned<()> {
        match self.found.get(&query.name) {
            Some(known) if known.body != query.body => Err(Refusal::at(Rule::Cte, query.span)),
            Some(_) => Ok(()),
            // They would all be computed, only for the plan to be refused.
            None if self.found.len() >= MAX_TABLES => Err(Refusal::at(Rule::TooManyTables, query.span)),
            None => {
                self.found.insert(query.name.clone(), query);
                Ok(())
            }
        }
    }
}

/// The expressions of a query in which others may stand for a value: they are computed above the aggregation.
pub(super) fn with_scalars(select: &Select) -> impl Iterator<Item = &Expr> {
    let shown = select.projection.iter().filter_map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    });
    shown.chain(&select.having)
}

fn with_scalars_mut(select: &mut Select) -> impl Iterator<Item = &mut Expr> {
    let shown = select.projection.iter_mut().filter_map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    });
    shown.chain(&mut select.having)
}

/// Visits the queries that stand for a value in an expression.
pub(super) fn each_scalar(expr: &mut Expr, visit: &mut impl FnMut(&mut Query) -> Planned<()>) -> Planned<()> {
    match expr {
        Expr::Subquery(query) => visit(query),
        Expr::Nested(x)
        | Expr::UnaryOp { expr: x, .. }
        | Expr::Cast { expr: x, .. }
        | Expr::IsNull(x)
        | Expr::IsNotNull(x) => each_scalar(x, visit),
        Expr::BinaryOp { left, right, .. } => {
            each_scalar(left, visit)?;
            each_scalar(right, visit)
        }
        Expr::Between { expr, low, high, .. } => {
            let all = [expr, low, high];
            all.into_iter().try_for_each(|x| each_scalar(x, visit))
        }
        Expr::Case {
            operand,
            conditions,
            else_result,
            ..
        } => {
            let branches = conditions
                .iter_mut()
                .flat_map(|branch| [&mut branch.condition, &mut branch.result]);
            let others = operand.iter_mut().chain(else_result).map(|x| &mut **x);
            branches.chain(others).try_for_each(|x| each_scalar(x, visit))
        }
        Expr::Function(call) => {
            let FunctionArguments::List(list) = &mut call.args else {
                return Ok(());
            };
            let arguments = list.args.iter_mut().filter_map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(x)) => Some(x),
                _ => None,
            });
            arguments.into_iter().try_for_each(|x| each_scalar(x, visit))
        }
        _ => Ok(()),
    }
}

/// A table by its name.
fn named_table(name: &str, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::Table {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        alias,
        args: None,
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    }
}

/// A query behind the public tables that WITH has given; one of its own inside parentheses is allowed behind them.
fn with_before(scope: &Scope, query: &str) -> String {
    if scope.public.is_empty() {
        query.to_owned()
    } else {
        format!("WITH {} {query}", list(&scope.public))
    }
}

fn list(tables: &[Cte]) -> String {
    tables.iter().map(Cte::to_string).collect::<Vec<_>>().join(", ")
}

fn with_tables(tables: &[Cte], name: &str) -> String {
    let quoted = name.replace('"', "\"\"");
    format!("WITH {} SELECT * FROM \"{quoted}\"", list(tables))
}
