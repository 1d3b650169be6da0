//! SQL over open data, in the browser.

use http::StatusCode;
use model::DatasetId;
use storage::Manifest;

use super::profile::table;
use super::visit::{Form, Page, Visit, count};
use crate::api::dataset::SearchParameters;
use crate::api::row;
use crate::failure::Failure;
use crate::page::open_sql::{OpenSqlPage, SqlFailure, SqlLimits, SqlOutcome, SqlTable};
use crate::page::{Section, respond};
use crate::problem::Problem;

/// Rows that a page shows; whole results are for the API.
const PAGE_ROWS: usize = 1_000;
/// Tables that the page lists.
const TABLES: u32 = 100;

/// `GET /sql`.
pub(super) async fn editor(visit: Visit) -> Page {
    let sql = visit.query.text("sql").to_owned();
    show(&visit, StatusCode::OK, sql, SqlOutcome::None).await
}

/// `POST /sql`.
pub(super) async fn run(visit: Visit, Form(form): Form) -> Page {
    visit.check(&form)?;
    let sql = form.text("sql").to_owned();
    let clock = &visit.state.clock;
    let begun = clock.now();
    match row::run(&visit.state, &visit.caller, &sql).await {
        Ok(answer) => {
            let milliseconds = count(clock.now().micros_since(begun) / 1_000);
            let (table, more) = table(&answer, visit.t("sql-result"), PAGE_ROWS, |_| String::new())?;
            let outcome = SqlOutcome::Rows {
                table,
                milliseconds,
                truncated: more || answer.is_truncated(),
            };
            show(&visit, StatusCode::OK, sql, outcome).await
        }
        Err(Failure(problem)) => {
            let status = match problem.status() {
                status if status == StatusCode::BAD_REQUEST || status == StatusCode::NOT_FOUND => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                status => status,
            };
            // The kind of fault is for programs: people read the message.
            let failure = SqlFailure {
                rule: None,
                ..failure(&visit, &problem)
            };
            show(&visit, status, sql, SqlOutcome::Failed(failure)).await
        }
    }
}

/// A problem as it stands beside an editor.
pub(super) fn failure(visit: &Visit, problem: &Problem) -> SqlFailure {
    let language = visit.language();
    SqlFailure {
        message: problem.detail_text(language),
        span: problem.span,
        hint: problem.hint_text(language),
        rule: problem.rule.clone(),
    }
}

async fn show(visit: &Visit, status: StatusCode, sql: String, outcome: SqlOutcome) -> Page {
    let limits = visit.state.query.limits();
    let page = OpenSqlPage {
        shell: visit.shell(Section::Sql),
        sql,
        outcome,
        tables: tables(visit).await?,
        limits: SqlLimits {
            seconds: limits.time.as_secs(),
            rows: limits.rows.min(PAGE_ROWS) as u64,
            memory_bytes: limits.memory_bytes as u64,
        },
    };
    Ok(respond(status, visit.language(), &page))
}

/// The open datasets as tables.
async fn tables(visit: &Visit) -> Result<Vec<SqlTable>, Failure> {
    let (state, language) = (&visit.state, visit.language());
    let open = SearchParameters {
        level: "L1".to_owned(),
        sort: "title".to_owned(),
        per_page: Some(TABLES),
        ..SearchParameters::default()
    };
    let found = state.indexer.search(open.query(state, language).await?).await?;
    let ids: Vec<_> = found
        .hits
        .iter()
        .map(|hit| DatasetId::from_uuid(hit.id))
        .collect();
    let datasets = db::dataset::list_by_id(state.db.read(), &ids).await?;
    let mut tables = Vec::with_capacity(ids.len());
    for dataset in ids
        .iter()
        .filter_map(|id| datasets.iter().find(|dataset| dataset.id == *id))
    {
        let Some(version) = dataset.current_version_id else {
            continue;
        };
        let column = |name: &model::FieldName, kind: model::FieldType| format!("{name} {}", kind.as_str());
        let columns = match &dataset.declared {
            Some(declared) => declared
                .fields()
                .iter()
                .map(|f| column(&f.name, f.field_type))
                .collect(),
            None => {
                let version = db::version::find(state.db.read(), version).await?;
                let manifest = version.and_then(|version| version.manifest);
                let manifest = manifest.and_then(|m| serde_json::from_value::<Manifest>(m).ok());
                let fields = manifest.map(|manifest| manifest.fields).unwrap_or_default();
                fields.iter().map(|f| column(&f.name, f.field_type)).collect()
            }
        };
        tables.push(SqlTable {
            name: dataset.slug.sql_name(),
            slug: dataset.slug.to_string(),
            title: dataset.metadata.title.get(language).to_owned(),
            columns,
        });
    }
    Ok(tables)
}
