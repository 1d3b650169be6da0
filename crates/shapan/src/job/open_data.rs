//! Open data of a portal, as anybody gets it.

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use futures::future::BoxFuture;
use identity::Actor;
use reqwest::{StatusCode, header};
use sandbox_job::{OpenData, OpenDataError, OpenRows};
use serde_json::{Value, json};

use super::declaration::{Portal, read};
use crate::failure::Failure;

/// What the portal calls a table that is not open.
const UNKNOWN_TABLE: &str = "sql-unknown-table";

impl Portal {
    async fn rows(&self, sql: &str) -> Result<OpenRows, OpenDataError> {
        let failed = |failure: Failure| OpenDataError::Failed(failure.to_string());
        let url = self.address("sql").map_err(failed)?;
        let request = self
            .client
            .post(url)
            .header(header::ACCEPT, "application/vnd.apache.arrow.stream")
            .json(&json!({"sql": sql}));
        let response = request.send().await.map_err(|error| failed(error.into()))?;
        let status = response.status();
        let truncated = response
            .headers()
            .get("x-truncated")
            .is_some_and(|value| value == "true");
        let bytes = read(response).await.map_err(failed)?;
        if status != StatusCode::OK {
            return Err(problem(status, &bytes));
        }
        let broken = |error: arrow::error::ArrowError| failed(error.into());
        let reader = StreamReader::try_new(bytes.as_slice(), None).map_err(broken)?;
        let schema = reader.schema();
        let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().map_err(broken)?;
        Ok(OpenRows {
            schema,
            batches,
            truncated,
        })
    }
}

fn problem(status: StatusCode, body: &[u8]) -> OpenDataError {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or_default().to_owned();
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => OpenDataError::Busy,
        _ if problem["rule"] == UNKNOWN_TABLE => OpenDataError::UnknownTable(detail),
        _ if detail.is_empty() => OpenDataError::Failed(format!("the portal's answer is {status}")),
        _ => OpenDataError::Failed(detail),
    }
}

impl OpenData for Portal {
    fn run<'a>(&'a self, _: &'a Actor, sql: &'a str) -> BoxFuture<'a, Result<OpenRows, OpenDataError>> {
        Box::pin(self.rows(sql))
    }
}
