//! `GET /api/v1/datasets/{slug}/rows` and `POST /api/v1/sql`: reading open data.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use db::usage::UsageKind;
use http::{HeaderMap, header};
use model::Slug;
use query::{Answer, OpenTable, Order, QueryError, RowQuery};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::extract::{ApiJson, ApiPath, ApiQuery};
use crate::auth::{ApiCaller, Caller};
use crate::cursor;
use crate::failure::{Failure, in_sql};
use crate::problem::Code;
use crate::state::AppState;
use crate::told::say;

/// Parameters of the row API.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowParameters {
    /// Column names, separated by commas; none means all.
    #[serde(default)]
    columns: String,
    /// A SQL expression over the columns.
    #[serde(rename = "where")]
    filter: Option<String>,
    /// Columns to sort by, separated by commas; a minus before a name means largest first.
    #[serde(default)]
    order: String,
    /// 1 to 10,000, 100 if not given.
    limit: Option<usize>,
    /// Where the last page ended.
    cursor: Option<String>,
    /// The version; the current one if not given.
    version: Option<i64>,
    /// Language, as in every address.
    #[serde(default)]
    #[expect(dead_code, reason = "read by the language middleware")]
    lang: Option<String>,
}

/// Rows beyond this many are for downloads.
const MAX_OFFSET: usize = 1_000_000;

/// Where a page of rows ended; the version stays the same while pages are turned.
#[derive(Serialize, Deserialize)]
struct Place {
    version: i64,
    offset: usize,
}

/// `GET /api/v1/datasets/{slug}/rows`.
pub async fn rows(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(slug): ApiPath<Slug>,
    ApiQuery(parameters): ApiQuery<RowParameters>,
) -> Result<Json<Value>, Failure> {
    let limit = parameters.limit.unwrap_or(100);
    if !(1..=10_000).contains(&limit) {
        return Err(super::version::bad_limit(10_000, limit as u64));
    }
    let split = |text: &str| -> Vec<String> {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let order: Vec<Order> = split(&parameters.order)
        .into_iter()
        .map(|name| match name.strip_prefix('-') {
            Some(name) => Order {
                column: name.to_owned(),
                descending: true,
            },
            None => Order {
                column: name,
                descending: false,
            },
        })
        .collect();
    let filter = parameters.filter.clone().filter(|text| !text.trim().is_empty());
    let list = format!(
        "rows/{slug}/{}/{}/{}",
        parameters.columns,
        filter.as_deref().unwrap_or(""),
        parameters.order
    );
    let place: Option<Place> = parameters
        .cursor
        .as_deref()
        .map(|c| cursor::read(&state.cursor_key, &list, c))
        .transpose()?;
    let number = place.as_ref().map(|place| place.version).or(parameters.version);
    let offset = place.map_or(0, |place| place.offset);
    let (version, parts) = state.catalog.open_parts(&caller.actor, &slug, number).await?;
    let query = RowQuery {
        columns: split(&parameters.columns),
        filter,
        order,
        offset,
        limit: limit + 1,
    };
    let answer = state
        .query
        .rows(
            OpenTable {
                sql_name: slug.sql_name(),
                parts,
            },
            query,
        )
        .await
        .map_err(|error| in_sql(error, parameters.filter.as_deref().unwrap_or_default()))?;
    let columns = answer.columns();
    let mut values = answer.rows()?;
    let more = values.len() > limit;
    values.truncate(limit);
    let next = match offset + limit {
        end if more && end <= MAX_OFFSET => Some(cursor::write(
            &state.cursor_key,
            &list,
            &Place {
                version: version.number,
                offset: end,
            },
        )?),
        _ => None,
    };
    let results: Vec<Value> = values
        .into_iter()
        .map(|row| Value::Object(columns.iter().map(|c| c.name.clone()).zip(row).collect()))
        .collect();
    state.usage.count(UsageKind::ApiCall, slug.as_str());
    Ok(Json(
        json!({"results": results, "next_cursor": next, "version": version.number}),
    ))
}

/// The body of a query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlRequest {
    /// One `SELECT`.
    pub sql: String,
}

/// `POST /api/v1/sql`. It changes nothing, so it takes no anti-forgery token.
pub async fn sql(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    ApiJson(body): ApiJson<SqlRequest>,
) -> Result<Response, Failure> {
    let format = Format::wanted(&headers)?;
    let answer = run(&state, &caller, &body.sql).await?;
    let truncated = [(
        "x-truncated",
        if answer.is_truncated() { "true" } else { "false" },
    )];
    let kind = |kind: &'static str| [(header::CONTENT_TYPE, kind)];
    Ok(match format {
        Format::Json => (truncated, Json(answer.to_json()?)).into_response(),
        Format::Csv => (truncated, kind("text/csv; charset=utf-8"), answer.to_csv()?).into_response(),
        Format::Arrow => (
            truncated,
            kind("application/vnd.apache.arrow.stream"),
            answer.to_arrow()?,
        )
            .into_response(),
        Format::Parquet => (
            truncated,
            kind("application/vnd.apache.parquet"),
            answer.to_parquet()?,
        )
            .into_response(),
    })
}

/// Runs a query over the open datasets that it names.
///
/// # Errors
/// As the engine says; a dataset that is not open is unknown.
pub async fn run(state: &AppState, caller: &Caller, sql: &str) -> Result<Answer, Failure> {
    let mut tables = Vec::new();
    let failed = |error: QueryError| in_sql(error, sql);
    for name in state.query.table_names(sql).map_err(failed)? {
        let unknown = || failed(QueryError::UnknownTable(name.clone()));
        let slug = Slug::from_sql_name(&name).ok_or_else(unknown)?;
        match state.catalog.open_parts(&caller.actor, &slug, None).await {
            Ok((_, parts)) => {
                state.usage.count(UsageKind::ApiCall, slug.as_str());
                tables.push(OpenTable {
                    sql_name: name,
                    parts,
                });
            }
            Err(catalog_entry::EntryError::NotFound(_)) => return Err(unknown()),
            Err(error) => return Err(error.into()),
        }
    }
    state.query.run(sql, tables).await.map_err(failed)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Arrow,
    Parquet,
}

impl Format {
    /// The first format of `Accept` that can be given; JSON where anything goes.
    fn wanted(headers: &HeaderMap) -> Result<Self, Failure> {
        let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
            return Ok(Self::Json);
        };
        for kind in accept.split(',') {
            match kind.split(';').next().unwrap_or_default().trim() {
                "" | "*/*" | "application/*" | "application/json" => return Ok(Self::Json),
                "text/csv" | "text/*" => return Ok(Self::Csv),
                "application/vnd.apache.arrow.stream" => return Ok(Self::Arrow),
                "application/vnd.apache.parquet" => return Ok(Self::Parquet),
                _ => {}
            }
        }
        let known =
            "application/json, text/csv, application/vnd.apache.arrow.stream, application/vnd.apache.parquet";
        Err(Failure::new(
            Code::NotAcceptable,
            say("why-accept").with("known", known),
        ))
    }
}
