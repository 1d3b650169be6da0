//! Public data in private queries: what of a query is about open data alone is computed before planning, by the engine
//! for open data, and frozen in the plan.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::future::BoxFuture;
use identity::Actor;
use sandbox_plan::public::{MAX_PUBLIC_BYTES, MAX_PUBLIC_ROWS};
use sandbox_plan::{PublicBody, PublicError, PublicQuery, PublicTable, Refusal, Rule};

use crate::JobError;

/// Rows of a query over open data.
#[derive(Debug, Clone)]
pub struct OpenRows {
    /// Their columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// Whether there are more, beyond the engine's limits.
    pub truncated: bool,
}

/// Why a query over open data has no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenDataError {
    /// A table that is no open dataset.
    UnknownTable(String),
    /// The query is refused or fails; the text says why, without any protected value, since none was near.
    Failed(String),
    /// The engine has no room now.
    Busy,
}

/// Whoever runs SQL over open data.
pub trait OpenData: Send + Sync {
    /// Runs one query under the engine's limits.
    fn run<'a>(&'a self, actor: &'a Actor, sql: &'a str) -> BoxFuture<'a, Result<OpenRows, OpenDataError>>;
}

impl fmt::Debug for dyn OpenData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenData")
    }
}

/// Nothing is open: a query that needs public data is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoOpenData;

impl OpenData for NoOpenData {
    fn run<'a>(&'a self, _: &'a Actor, sql: &'a str) -> BoxFuture<'a, Result<OpenRows, OpenDataError>> {
        let table = sql.to_owned();
        Box::pin(async { Err(OpenDataError::UnknownTable(table)) })
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The public relations that a query needs, computed by whoever runs queries over open data.
pub(crate) async fn freeze(
    open: &dyn OpenData,
    actor: &Actor,
    needed: &[PublicQuery],
) -> Result<Vec<PublicTable>, JobError> {
    let mut tables = Vec::with_capacity(needed.len());
    let mut bytes = 0;
    for query in needed {
        let table = freeze_one(open, actor, query).await?;
        bytes += table.bytes();
        if bytes > MAX_PUBLIC_BYTES {
            return Err(refused(query, Rule::PublicTooLarge, None));
        }
        tables.push(table);
    }
    Ok(tables)
}

async fn freeze_one(
    open: &dyn OpenData,
    actor: &Actor,
    query: &PublicQuery,
) -> Result<PublicTable, JobError> {
    let fail = |error: OpenDataError| match error {
        OpenDataError::UnknownTable(name) => {
            let name = match &query.body {
                PublicBody::Dataset { .. } => query.name.clone(),
                PublicBody::Query(_) => name,
            };
            refused(query, Rule::UnknownTable, Some(name))
        }
        OpenDataError::Failed(why) => refused(query, Rule::PublicQuery, Some(why)),
        OpenDataError::Busy => JobError::OpenDataBusy,
    };
    let sql = match &query.body {
        PublicBody::Query(sql) => sql.clone(),
        PublicBody::Dataset { mentioned } => {
            // Only the columns that the query mentions: the whole table may be large.
            let name = quoted(&query.name);
            let empty = open
                .run(actor, &format!("SELECT * FROM {name} LIMIT 0"))
                .await
                .map_err(fail)?;
            let fields = empty.schema.fields();
            let mut columns: Vec<String> = fields
                .iter()
                .filter(|field| mentioned.contains(&field.name().to_lowercase()))
                .map(|field| quoted(field.name()))
                .collect();
            if columns.is_empty() {
                columns.extend(fields.first().map(|field| quoted(field.name())));
            }
            format!("SELECT {} FROM {name}", columns.join(", "))
        }
    };
    // One row more than fits tells that there are too many.
    let sql = format!("SELECT * FROM ({sql}) AS t LIMIT {}", MAX_PUBLIC_ROWS + 1);
    let rows = open.run(actor, &sql).await.map_err(fail)?;
    if rows.truncated {
        return Err(refused(query, Rule::PublicTooLarge, None));
    }
    PublicTable::freeze(&query.name, &rows.schema, &rows.batches).map_err(|error| match error {
        PublicError::TooManyRows | PublicError::TooLarge => refused(query, Rule::PublicTooLarge, None),
        PublicError::Type(_) | PublicError::Broken => {
            refused(query, Rule::PublicQuery, Some(error.to_string()))
        }
    })
}

fn refused(query: &PublicQuery, rule: Rule, detail: Option<String>) -> JobError {
    let detail = detail.or_else(|| match &query.body {
        PublicBody::Dataset { .. } => Some(query.name.clone()),
        PublicBody::Query(_) => None,
    });
    Refusal {
        rule,
        span: query.span,
        detail: detail.map(|detail| detail.chars().take(200).collect()),
    }
    .into()
}
