//! `GET /api/v1/datasets/{slug}/dummy.csv` and `….parquet`: rows to develop queries against, made from what the entry
//! declares to everyone who may see it. Nothing that is read here comes from the data.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use db::usage::UsageKind;
use http::{HeaderValue, header};
use model::Slug;
use sandbox_dummy::{DEFAULT_ROWS, DEFAULT_SEED, DummyError, DummyTable};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::api::extract::{ApiPath, ApiQuery};
use crate::auth::ApiCaller;
use crate::failure::Failure;
use crate::state::AppState;

/// Tables that are made at one time: each takes a core and some ten megabytes, and anybody may ask.
static MAKING: Semaphore = Semaphore::const_new(2);

/// Parameters of a dummy table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DummyParameters {
    /// 1 to 100,000, 1,000 if not given.
    rows: Option<u32>,
    /// Another seed gives other rows.
    seed: Option<u64>,
    /// Language, as in every address.
    #[serde(default)]
    #[expect(dead_code, reason = "read by the language middleware")]
    lang: Option<String>,
}

/// `GET /api/v1/datasets/{slug}/dummy.csv`.
pub async fn csv(
    state: State<AppState>,
    caller: ApiCaller,
    path: ApiPath<Slug>,
    parameters: ApiQuery<DummyParameters>,
) -> Result<Response, Failure> {
    let file = File {
        extension: "csv",
        media_type: "text/csv; charset=utf-8",
        write: DummyTable::to_csv,
    };
    file.answer(state, caller, path, parameters).await
}

/// `GET /api/v1/datasets/{slug}/dummy.parquet`.
pub async fn parquet(
    state: State<AppState>,
    caller: ApiCaller,
    path: ApiPath<Slug>,
    parameters: ApiQuery<DummyParameters>,
) -> Result<Response, Failure> {
    let file = File {
        extension: "parquet",
        media_type: "application/vnd.apache.parquet",
        write: DummyTable::to_parquet,
    };
    file.answer(state, caller, path, parameters).await
}

/// A format of the download.
struct File {
    extension: &'static str,
    media_type: &'static str,
    write: fn(&DummyTable) -> Result<Vec<u8>, DummyError>,
}

impl File {
    async fn answer(
        self,
        State(state): State<AppState>,
        ApiCaller(caller): ApiCaller,
        ApiPath(slug): ApiPath<Slug>,
        ApiQuery(parameters): ApiQuery<DummyParameters>,
    ) -> Result<Response, Failure> {
        let dataset = state.catalog.find(&caller.actor, &slug).await?.dataset;
        let declared = dataset
            .declared
            .ok_or_else(|| Failure::not_found("declaration"))?;
        let rows = parameters.rows.unwrap_or(DEFAULT_ROWS);
        let seed = parameters.seed.unwrap_or(DEFAULT_SEED);
        let _turn = MAKING.acquire().await.map_err(|_| Failure::internal())?;
        let make = move || (self.write)(&DummyTable::generate(&declared, rows, seed)?);
        let body = tokio::task::spawn_blocking(make)
            .await
            .map_err(|_| Failure::internal())??;
        state.usage.count(UsageKind::ApiCall, dataset.slug.as_str());
        let name = format!(
            "attachment; filename=\"{}-dummy.{}\"",
            dataset.slug, self.extension
        );
        let name = HeaderValue::from_str(&name).map_err(|_| Failure::internal())?;
        let head = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.media_type)),
            (header::CONTENT_DISPOSITION, name),
            // The declaration may change, and whoever sees it.
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static("private, no-cache"),
            ),
        ];
        Ok((head, body).into_response())
    }
}
