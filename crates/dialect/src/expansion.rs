//! How many tables a statement reads once its names of WITH are written out. The planner puts the query of a name in wherever the
//! name stands: twenty names, each of which reads the one before twice, are a million tables.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{Ident, ObjectName, Query, Statement, Visit, Visitor};

/// The most tables that a statement may read, those included that the queries of its names read, as often as the names stand.
pub const MAX_TABLES: u64 = 500;

/// How many tables a statement reads, written out; not fewer than there are, where a name is given twice.
#[must_use]
pub fn tables_read(statement: &Statement) -> u64 {
    let mut expansion = Expansion::default();
    let _: ControlFlow<()> = statement.visit(&mut expansion);
    expansion
        .open
        .iter()
        .fold(expansion.read, |sum, open| sum.saturating_add(*open))
}

#[derive(Default)]
struct Expansion {
    /// Of each name of WITH that has been read, how many tables its query reads.
    named: HashMap<String, u64>,
    /// The queries behind names, by where they are.
    names: HashMap<*const Query, String>,
    /// Of the queries that are being read, from the outermost, how many tables they read so far.
    open: Vec<u64>,
    read: u64,
}

impl Expansion {
    fn add(&mut self, tables: u64) {
        let sum = self.open.last_mut().unwrap_or(&mut self.read);
        *sum = sum.saturating_add(tables);
    }
}

impl Visitor for Expansion {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = folded(&table.alias.name);
            self.names.insert(&raw const *table.query, name);
        }
        self.open.push(0);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let read = self.open.pop().unwrap_or_default();
        match self.names.remove(&(&raw const *query)) {
            Some(name) => {
                let known = self.named.entry(name).or_default();
                *known = read.max(*known);
            }
            None => self.add(read),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = match relation.0.as_slice() {
            [only] => only.as_ident().map(folded),
            _ => None,
        };
        let tables = name.and_then(|name| self.named.get(&name).copied());
        self.add(tables.unwrap_or(1).max(1));
        ControlFlow::Continue(())
    }
}

/// A name in one case, whether it is quoted or not: names that differ in case alone count as the larger of them.
fn folded(ident: &Ident) -> String {
    ident.value.to_lowercase()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use datafusion_sql::sqlparser::parser::Parser;

    use super::*;
    use crate::Bounded;

    fn read(sql: &str) -> u64 {
        tables_read(&Parser::parse_sql(&Bounded::new(), sql).unwrap().remove(0))
    }

    #[test]
    fn names_count_as_often_as_they_stand() {
        for (sql, tables) in [
            ("SELECT 1", 0),
            ("SELECT * FROM t", 1),
            ("SELECT * FROM t JOIN u USING (a) WHERE b IN (SELECT c FROM v)", 3),
            ("SELECT * FROM t UNION ALL (SELECT * FROM t)", 2),
            ("WITH a AS (SELECT * FROM t, u) SELECT * FROM a", 2),
            ("WITH a AS (SELECT * FROM t, u) SELECT 1", 0),
            (
                "WITH a AS (SELECT * FROM t, u) SELECT * FROM a, A AS b, \"a\" AS c, s.a",
                7,
            ),
            ("WITH a AS (SELECT 1) SELECT * FROM a, a AS b", 2),
            (
                "WITH a AS (SELECT * FROM t, u), b AS (SELECT * FROM a, a AS c) SELECT * FROM b, a",
                6,
            ),
            (
                "WITH a AS (WITH b AS (SELECT * FROM t, t AS u) SELECT * FROM b, b AS c) SELECT * FROM a, (SELECT * FROM a) AS d",
                8,
            ),
            // The larger of two, whichever is meant.
            (
                "WITH a AS (SELECT * FROM t, u) SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) AS b, a",
                4,
            ),
        ] {
            assert_eq!(read(sql), tables, "{sql}");
        }
    }

    #[test]
    fn what_doubles_with_every_name_is_counted_and_not_written_out() {
        let step = |n: u32| format!("a{} AS (SELECT x.n FROM a{n} AS x CROSS JOIN a{n} AS y)", n + 1);
        let chain = |names: u32| {
            let steps: Vec<String> = (0..names).map(step).collect();
            format!(
                "WITH a0 AS (SELECT n FROM t), {} SELECT n FROM a{names}",
                steps.join(", ")
            )
        };
        assert_eq!(read(&chain(8)), 256);
        assert!(read(&chain(9)) > MAX_TABLES);
        assert_eq!(read(&chain(200)), u64::MAX);
    }
}
