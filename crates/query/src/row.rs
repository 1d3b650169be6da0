//! Rows of one open table, page by page: the preview and the row API.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ident};
use datafusion::prelude::{DataFrame, SessionContext};

use crate::answer::Answer;
use crate::engine::{Engine, OpenTable, register};
use crate::error::{Construct, QueryError, Refused, shortened};
use crate::{guard, parse};

/// One sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The column's exact name.
    pub column: String,
    /// Largest first; missing values come last either way.
    pub descending: bool,
}

/// Which rows of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowQuery {
    /// Exact column names; none means all.
    pub columns: Vec<String>,
    /// A SQL expression over the table's columns and nothing else.
    pub filter: Option<String>,
    /// Sort keys; rows that tie, and rows without keys, keep the file's order.
    pub order: Vec<Order>,
    /// Rows to pass over.
    pub offset: usize,
    /// Rows wanted.
    pub limit: usize,
}

/// The row's place in the file: the tie-breaker that makes paging exact.
const PLACE: &str = "__row";

impl Engine {
    /// Rows of one open table, in an order that is the same at every call.
    ///
    /// # Errors
    /// As [`QueryError`] says; an unknown column is named.
    pub async fn rows(&self, table: OpenTable, query: RowQuery) -> Result<Answer, QueryError> {
        if let Some(filter) = &query.filter
            && filter.len() > self.limits().sql_bytes
        {
            return Err(QueryError::TooLong {
                got: filter.len(),
                limit: self.limits().sql_bytes,
            });
        }
        let engine = self.clone();
        self.limited(async move {
            // One partition reads the parts in their order, which numbers the rows.
            let context = SessionContext::new_with_state(engine.session(1)?);
            let name = table.sql_name.clone();
            register(&context, vec![table]).await?;
            let frame = context.table(name.as_str()).await?;
            let limit = query.limit.min(engine.limits().rows);
            let frame = select(&context, frame, &query, limit)?;
            guard::check_plan(frame.logical_plan())?;
            let plan = frame.create_physical_plan().await?;
            engine.collect(plan, &context, limit).await
        })
        .await
    }
}

fn select(
    context: &SessionContext,
    frame: DataFrame,
    query: &RowQuery,
    limit: usize,
) -> Result<DataFrame, QueryError> {
    let schema = frame.schema().clone();
    let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let known = |name: &String| {
        if names.contains(name) {
            Ok(())
        } else {
            Err(QueryError::UnknownColumn {
                name: shortened(name),
                known: shortened(&names.join(", ")),
            })
        }
    };
    query.columns.iter().try_for_each(known)?;
    query.order.iter().try_for_each(|order| known(&order.column))?;

    let wanted = if query.columns.is_empty() {
        &names
    } else {
        &query.columns
    };
    // A column that is named twice is there once: rows are objects.
    let mut columns: Vec<&String> = Vec::with_capacity(wanted.len());
    for name in wanted {
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    let plain = query.filter.is_none() && query.order.is_empty();
    let mut frame = frame;
    if !query.order.is_empty() {
        let mut all: Vec<Expr> = names.iter().map(ident).collect();
        all.push(row_number().alias(PLACE));
        frame = frame.select(all)?;
    }
    if let Some(filter) = &query.filter {
        let state = context.state();
        let expr = state.create_logical_expr_from_sql_expr(parse::expression(&state, filter)?, &schema)?;
        only_columns(&expr)?;
        frame = frame.filter(expr)?;
    }
    if !plain && !query.order.is_empty() {
        let mut keys: Vec<_> = query
            .order
            .iter()
            .map(|o| ident(&o.column).sort(!o.descending, false))
            .collect();
        keys.push(ident(PLACE).sort(true, false));
        frame = frame.sort(keys)?;
    }
    let frame = frame.select(columns.into_iter().map(ident).collect::<Vec<_>>())?;
    Ok(frame.limit(query.offset, Some(limit))?)
}

/// A filter names columns, literals, operators and scalar functions; no subquery, aggregate or window.
fn only_columns(expr: &Expr) -> Result<(), QueryError> {
    let mut refused = None;
    expr.apply(|part| {
        let what = match part {
            Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) => {
                Construct::Subquery
            }
            Expr::AggregateFunction(_) => Construct::Aggregate,
            Expr::WindowFunction(_) => Construct::Window,
            Expr::Unnest(_) => Construct::Unnest,
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        refused = Some(what);
        Ok(TreeNodeRecursion::Stop)
    })?;
    match refused {
        None => Ok(()),
        Some(construct) => Err(QueryError::Refused(Refused::InFilter(construct))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use std::sync::Arc;
    use std::time::Duration;

    use arrow::array::{Int64Array, RecordBatch, StringArray};
    use object_store::local::LocalFileSystem;
    use serde_json::json;

    use super::*;
    use crate::engine::Limits;

    fn engine(limits: Limits) -> (tempfile::TempDir, Engine, OpenTable) {
        let folder = tempfile::tempdir().unwrap();
        let names = ["公园路", "人民路", "公园路", "解放路"];
        let batch = RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as _),
            ("路段", Arc::new(StringArray::from(names.to_vec())) as _),
            (
                "v",
                Arc::new(Int64Array::from(vec![Some(5), None, Some(7), Some(5)])) as _,
            ),
        ])
        .unwrap();
        let mut parts = Vec::new();
        for (i, rows) in [(0, batch.slice(0, 2)), (1, batch.slice(2, 2))] {
            let name = format!("part-{i}.parquet");
            let file = std::fs::File::create(folder.path().join(&name)).unwrap();
            let mut writer = parquet::arrow::ArrowWriter::try_new(file, rows.schema(), None).unwrap();
            writer.write(&rows).unwrap();
            writer.close().unwrap();
            parts.push(name);
        }
        let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let engine = Engine::new(Arc::new(store), limits).unwrap();
        (
            folder,
            engine,
            OpenTable {
                sql_name: "road".into(),
                parts,
            },
        )
    }

    async fn sql(text: &str) -> Result<serde_json::Value, QueryError> {
        let (_folder, engine, table) = engine(Limits {
            time: Duration::from_secs(5),
            ..Limits::default()
        });
        engine.run(text, vec![table]).await?.to_json()
    }

    #[tokio::test]
    async fn queries_answer_in_every_format() {
        let (_folder, engine, table) = engine(Limits::default());
        let answer = engine
            .run(
                "SELECT \"路段\" AS name, count(*) AS n FROM road GROUP BY 1 ORDER BY 2 DESC, 1",
                vec![table],
            )
            .await
            .unwrap();
        let value = answer.to_json().unwrap();
        assert_eq!(value["columns"][0], json!({"name": "name", "type": "text"}));
        assert_eq!(value["rows"][0], json!(["公园路", 2]));
        assert!(
            answer
                .to_csv()
                .unwrap()
                .starts_with("name,n\n公园路,2\n".as_bytes())
        );
        assert!(!answer.to_arrow().unwrap().is_empty());
        assert!(answer.to_parquet().unwrap().starts_with(b"PAR1"));
    }

    #[tokio::test]
    async fn no_two_columns_have_one_name() {
        let cases: &[(&str, &[&str])] = &[
            ("SELECT id, id FROM road", &["id", "id_1"]),
            ("SELECT id, ID, road.id FROM road", &["id", "id_1", "id_2"]),
            ("SELECT id, id, v AS id_1 FROM road", &["id", "id_2", "id_1"]),
            ("SELECT 1 AS x, 2 AS x", &["x", "x_1"]),
            ("SELECT count(*), COUNT(*) FROM road", &["count(*)", "count(*)_1"]),
            (
                "SELECT id + 1, id+1 FROM road",
                &["road.id + Int64(1)", "id + 1_1"],
            ),
            ("SELECT *, id FROM road", &["id", "路段", "v", "id_1"]),
            ("SELECT v, road.* FROM road", &["v_1", "id", "路段", "v"]),
            (
                "SELECT a.id, b.id FROM road a JOIN road b ON a.id = b.id",
                &["id", "id_1"],
            ),
            (
                "SELECT * FROM road a JOIN road b ON a.id = b.id",
                &["id", "路段", "v", "id_1", "路段_1", "v_1"],
            ),
            (
                "SELECT id, id FROM road UNION ALL SELECT v, v FROM road",
                &["id", "id_1"],
            ),
            ("SELECT id_1 FROM (SELECT id, id FROM road) s", &["id_1"]),
            (
                "WITH s AS (SELECT id, id FROM road) SELECT * FROM s ORDER BY id_1",
                &["id", "id_1"],
            ),
            (
                "SELECT id, id, count(*) FROM road GROUP BY 1, 2 ORDER BY id",
                &["id", "id_1", "count(*)"],
            ),
        ];
        for (text, names) in cases {
            let answer = sql(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
            let columns = answer["columns"].as_array().unwrap();
            let found: Vec<_> = columns.iter().map(|c| c["name"].as_str().unwrap()).collect();
            assert_eq!(&found, names, "{text}");
        }
        // What is not about names is told as it was.
        let error = sql("SELECT *, id FROM road WHERE nothing = 1").await.unwrap_err();
        assert!(matches!(error, QueryError::UnknownColumn { name, .. } if name == "nothing"));
    }

    #[tokio::test]
    async fn only_plain_queries_run() {
        let deep = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
        let cases: &[(&str, &str)] = &[
            ("EXPLAIN SELECT * FROM road", "sql-refused"),
            ("EXPLAIN ANALYZE SELECT * FROM road", "sql-refused"),
            ("DESCRIBE road", "sql-refused"),
            ("SHOW TABLES", "sql-unknown-table"),
            ("COPY road TO '/tmp/x.parquet'", "sql-"),
            ("SET datafusion.execution.batch_size = 1", "sql-refused"),
            ("CREATE TABLE t AS SELECT 1", "sql-"),
            (
                "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc'",
                "sql-",
            ),
            ("INSERT INTO road VALUES (1, 'a', 2)", "sql-"),
            ("DROP TABLE road", "sql-"),
            ("SELECT 1; SELECT 2", "sql-invalid"),
            ("SELECT * FROM '/etc/passwd'", "sql-unknown-table"),
            (
                "SELECT * FROM \"open://data/part-0.parquet\"",
                "sql-unknown-table",
            ),
            ("SELECT * FROM information_schema.tables", "sql-unknown-table"),
            ("SELECT * FROM parquet_metadata('x')", "sql-"),
            ("SELECT * FROM generate_series(1, 1000000000000)", "sql-"),
            ("SELECT @@version", "sql-"),
            ("SELECT $1", "sql-"),
            ("SELECT version()", "sql-invalid"),
            ("SELECT 'a' || 'b'", "sql-refused"),
            ("SELECT * FROM secret", "sql-unknown-table"),
            ("SELECT 1 FROM road WHERE 1 / (id - id) = 1", "sql-value"),
            ("SELEC 1", "sql-invalid"),
            ("", "sql-invalid"),
            (&deep, "sql-"),
        ];
        for (text, code) in cases {
            let Err(error) = sql(text).await else {
                panic!("{text} ran")
            };
            assert!(
                error.code().starts_with(code),
                "{}: {} {error}",
                &text[..text.len().min(60)],
                error.code()
            );
            assert!(!error.to_string().contains("/tmp"), "{error}");
        }
    }

    #[tokio::test]
    async fn limits_are_enforced() {
        let long = format!("SELECT {}", "1+".repeat(5 << 20));
        assert_eq!(sql(&long).await.unwrap_err().code(), "sql-too-long");

        // Neither long nor deep, but a parser that tries one reading after the other reads it 2³⁰ times.
        let calls = format!("SELECT {}1{} AS x", "abs(".repeat(30), ")".repeat(30));
        assert_eq!(sql(&calls).await.unwrap()["rows"][0], json!([1]));
        let casts = format!("SELECT {}* WHEN{}", "CAST(".repeat(30), " AS BIGINT)".repeat(30));
        assert_eq!(sql(&casts).await.unwrap_err().code(), "sql-invalid");

        let repeat = "SELECT repeat(\"路段\", 1000000000) FROM road";
        assert_eq!(sql(repeat).await.unwrap_err().code(), "sql-value");
        let mut doubling = "SELECT concat(\"路段\", \"路段\") AS x FROM road".to_owned();
        for _ in 0..40 {
            doubling = format!("SELECT concat(x, x) AS x FROM ({doubling})");
        }
        let error = sql(&doubling).await.unwrap_err();
        assert!(matches!(error.code(), "sql-value" | "sql-invalid"), "{error}");

        let (_folder, slow, table) = engine(Limits {
            time: Duration::from_millis(300),
            ..Limits::default()
        });
        let tables: String = (1..16).map(|i| format!(", road r{i}")).collect();
        let terms: String = (1..16).map(|i| format!(" + r{i}.id")).collect();
        let cross = format!("SELECT count(*) FROM road r0{tables} WHERE sin(r0.id{terms}) > 2");
        let started = std::time::Instant::now();
        let error = slow.run(&cross, vec![table]).await.unwrap_err();
        assert_eq!(error.code(), "sql-timeout", "{error}");
        assert!(started.elapsed() < Duration::from_secs(3));

        let (_folder, few, table) = engine(Limits {
            rows: 3,
            ..Limits::default()
        });
        let answer = few
            .run("SELECT id FROM road ORDER BY id", vec![table])
            .await
            .unwrap();
        assert_eq!((answer.row_count(), answer.is_truncated()), (3, true));
    }

    #[tokio::test]
    async fn memory_of_operators_is_capped() {
        let (_folder, small, table) = engine(Limits {
            memory_bytes: 1 << 20,
            spill_bytes: 1 << 20,
            ..Limits::default()
        });
        let many = "SELECT a.id * 1000000 + b.id * 10000 + c.id, array_agg(d.id) FROM road a, road b, road c, \
                    road d, road e, road f, road g, road h, road i GROUP BY 1, e.id, f.id, g.id, h.id, i.id";
        let error = small.run(many, vec![table]).await.unwrap_err();
        assert_eq!(error.code(), "sql-memory", "{error}");
    }

    #[tokio::test]
    async fn pages_of_rows_cover_the_table_once() {
        let (_folder, engine, table) = engine(Limits::default());
        let order = vec![Order {
            column: "v".into(),
            descending: true,
        }];
        let mut seen = Vec::new();
        for offset in 0..4 {
            let query = RowQuery {
                order: order.clone(),
                offset,
                limit: 1,
                columns: vec!["id".into()],
                filter: None,
            };
            seen.extend(engine.rows(table.clone(), query).await.unwrap().rows().unwrap());
        }
        assert_eq!(json!(seen), json!([[3], [1], [4], [2]]));
        let query = RowQuery {
            filter: Some("\"路段\" LIKE '公园%' AND v > 5".into()),
            limit: 9,
            ..Default::default()
        };
        let rows = engine.rows(table.clone(), query).await.unwrap().rows().unwrap();
        assert_eq!(json!(rows), json!([[3, "公园路", 7]]));
    }

    #[tokio::test]
    async fn a_filter_is_an_expression_and_nothing_else() {
        let (_folder, engine, table) = engine(Limits::default());
        for filter in [
            "id IN (SELECT id FROM road)",
            "EXISTS (SELECT 1)",
            "count(*) > 1",
            "row_number() OVER () = 1",
            "1=1; DROP TABLE road",
            "1=1 UNION SELECT 1",
            "nope = 1",
            "id",
        ] {
            let query = RowQuery {
                filter: Some(filter.into()),
                limit: 1,
                ..Default::default()
            };
            assert!(engine.rows(table.clone(), query).await.is_err(), "{filter}");
        }
        let query = RowQuery {
            columns: vec!["nope".into()],
            limit: 1,
            ..Default::default()
        };
        let error = engine.rows(table, query).await.unwrap_err();
        assert!(error.to_string().contains("路段"), "{error}");
    }
}
