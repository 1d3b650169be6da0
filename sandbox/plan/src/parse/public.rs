//! Which parts of a query are about public data alone. They are computed before planning, by the engine for open data,
//! and stand in the query as tables from then on.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    Cte, Ident, ObjectName, ObjectNamePart, Query, Select, SetExpr, Spanned, Statement, TableFactor,
    TableWithJoins, visit_relations,
};

use super::{resolved, to_span};
use crate::refusal::{Planned, Refusal, Rule, Span};

/// What a name in a query stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicQuery {
    /// The name by which the rest of the query knows it.
    pub name: String,
    /// What it is.
    pub body: PublicBody,
    /// Where it stands.
    pub span: Option<Span>,
}

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
            .try_for_each(|from| self.joined(from, scope))
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
                let name = format!("__public_{}", self.derived);
                self.derived += 1;
                let mut text = String::new();
                if !scope.public.is_empty() {
                    text = format!("WITH {} ", list(&scope.public));
                }
                // A WITH of its own inside parentheses is allowed behind another one.
                let body = PublicBody::Query(format!("{text}SELECT * FROM ({subquery}) AS t"));
                let alias = alias.take();
                *table = TableFactor::Table {
                    name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(&name))]),
                    alias,
                    args: None,
                    with_hints: vec![],
                    version: None,
                    with_ordinality: false,
                    partitions: vec![],
                    json_path: None,
                    sample: None,
                    index_hints: vec![],
                };
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
            None => {
                self.found.insert(query.name.clone(), query);
                Ok(())
            }
        }
    }
}

fn list(tables: &[Cte]) -> String {
    tables.iter().map(Cte::to_string).collect::<Vec<_>>().join(", ")
}

fn with_tables(tables: &[Cte], name: &str) -> String {
    let quoted = name.replace('"', "\"\"");
    format!("WITH {} SELECT * FROM \"{quoted}\"", list(tables))
}
