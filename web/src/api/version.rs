//! `/api/v1/datasets/{slug}/versions`: uploads and what became of them.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::response::{IntoResponse, Response};
use catalog_ingest::IngestOptions;
use db::version::Version;
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use model::{Slug, TaskId, VersionState};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{Manifest, Spool};

use crate::api::extract::{ApiPath, ApiQuery};
use crate::auth::ApiCaller;
use crate::cursor;
use crate::failure::Failure;
use crate::problem::Code;
use crate::state::AppState;
use crate::told::say;

/// Parameters of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListParameters {
    /// Where the list goes on.
    pub cursor: Option<String>,
    /// 1 to 100, 20 if not given.
    pub limit: Option<u64>,
    /// Language, as in every address.
    #[serde(default)]
    pub lang: Option<String>,
}

impl ListParameters {
    /// How many entries a page has.
    ///
    /// # Errors
    /// For numbers beyond 1 to 100.
    pub fn limit(&self) -> Result<u64, Failure> {
        match self.limit.unwrap_or(20) {
            limit @ 1..=100 => Ok(limit),
            other => Err(bad_limit(100, other)),
        }
    }
}

/// Why a `limit` is none.
pub(super) fn bad_limit(most: u64, got: u64) -> Failure {
    let detail = say("why-limit").with("most", most).with("got", got);
    Failure::new(Code::InvalidInput, detail)
}

/// `GET /api/v1/datasets/{slug}/versions`.
pub async fn list(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(slug): ApiPath<Slug>,
    ApiQuery(parameters): ApiQuery<ListParameters>,
) -> Result<Json<Value>, Failure> {
    let limit = parameters.limit()?;
    let name = format!("versions/{slug}");
    let before = parameters
        .cursor
        .as_deref()
        .map(|c| cursor::read(&state.cursor_key, &name, c))
        .transpose()?;
    let versions = state
        .catalog
        .versions(&caller.actor, &slug, before, limit + 1)
        .await?;
    let more = versions.len() as u64 > limit;
    let shown: Vec<_> = versions
        .into_iter()
        .take(usize::try_from(limit).unwrap_or(100))
        .collect();
    let next = match shown.last() {
        Some(last) if more => Some(cursor::write(&state.cursor_key, &name, &last.number)?),
        _ => None,
    };
    let results: Vec<Value> = shown
        .iter()
        .map(|version| {
            let manifest = version
                .manifest
                .clone()
                .and_then(|m| serde_json::from_value(m).ok());
            describe(version, manifest.as_ref(), &slug)
        })
        .collect();
    Ok(Json(json!({"results": results, "next_cursor": next})))
}

/// `GET /api/v1/datasets/{slug}/versions/{number}`.
pub async fn get(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath((slug, number)): ApiPath<(Slug, i64)>,
) -> Result<Json<Value>, Failure> {
    let (view, version, manifest) = state.catalog.version(&caller.actor, &slug, number).await?;
    let mut value = describe(&version, manifest.as_ref(), &view.dataset.slug);
    value["profile"] = version.profile.clone().unwrap_or(Value::Null);
    Ok(Json(value))
}

/// A version as JSON, for those who may see its figures.
pub fn describe(version: &Version, manifest: Option<&Manifest>, slug: &Slug) -> Value {
    let downloads: Vec<Value> = manifest
        .iter()
        .flat_map(|manifest| &manifest.distributions)
        .map(|file| {
            let extension = file.format.extension();
            json!({
                "format": extension, "media_type": file.media_type, "bytes": file.bytes, "sha256": file.sha256,
                "url": format!("/datasets/{slug}/download.{extension}?version={}", version.number),
            })
        })
        .collect();
    json!({
        "id": version.id, "number": version.number, "state": version.state,
        "rows": manifest.map(|manifest| manifest.rows), "checksum": version.checksum,
        "failure": version.failure, "created_at": version.created_at, "published_at": version.published_at,
        "downloads": downloads,
    })
}

/// `POST /api/v1/datasets/{slug}/versions`: the file as the body, or as part `file` of a form, with `options` (JSON)
/// before it. The answer names the task to follow.
pub async fn upload(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(slug): ApiPath<Slug>,
    ApiQuery(parameters): ApiQuery<UploadParameters>,
    request: Request,
) -> Result<Response, Failure> {
    let (dataset, mut spool) = state.catalog.begin_upload(&caller.actor, &slug).await?;
    let announced = content_length(request.headers());
    let form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/form-data"));
    let (name, options) = if form {
        let multipart = Multipart::from_request(request, &state)
            .await
            .map_err(|error| bad_form(&error.body_text()))?;
        let received = receive_form(multipart, spool).await?;
        spool = received.spool;
        (received.name, received.options)
    } else {
        let options = match &parameters.options {
            Some(text) => read_options(text)?,
            None => IngestOptions::default(),
        };
        let name = parameters
            .filename
            .clone()
            .unwrap_or_else(|| format!("{slug}.csv"));
        spool = receive_body(request.into_body(), spool, announced).await?;
        (name, options)
    };
    let (version, task) = state
        .catalog
        .finish_upload(&caller.actor, &dataset, spool, &name, &options)
        .await?;
    let location = format!("/api/v1/tasks/{task}");
    let body = json!({
        "task": task, "location": location,
        "version": {"id": version.id, "number": version.number, "state": VersionState::Ingesting},
    });
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(body)).into_response())
}

/// Parameters of an upload whose body is the file itself.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadParameters {
    /// The file's name.
    filename: Option<String>,
    /// How to read it: JSON as in the form.
    options: Option<String>,
    /// Language, as in every address.
    #[serde(default)]
    #[expect(dead_code, reason = "read by the language middleware")]
    lang: Option<String>,
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn read_options(text: &str) -> Result<IngestOptions, Failure> {
    serde_json::from_str(text).map_err(|error| {
        let detail = say("why-options").with("reason", error.to_string());
        Failure::new(Code::InvalidInput, detail)
    })
}

async fn receive_body(body: Body, mut spool: Spool, announced: Option<u64>) -> Result<Spool, Failure> {
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| cut(spool.bytes(), announced))?;
        spool = append(spool, chunk).await?;
    }
    match announced {
        Some(announced) if announced != spool.bytes() => Err(cut(spool.bytes(), Some(announced))),
        _ => Ok(spool),
    }
}

/// What a form with a file holds.
pub struct Received {
    /// The file.
    pub spool: Spool,
    /// Its name.
    pub name: String,
    /// How to read it.
    pub options: IngestOptions,
    /// The other fields, in order.
    pub fields: Vec<(String, String)>,
}

/// Reads a form with one file in part `file`; other parts are short texts.
///
/// # Errors
/// If the form breaks off, has no file, or a text is too long.
pub async fn receive_form(mut form: Multipart, mut spool: Spool) -> Result<Received, Failure> {
    let (mut name, mut options, mut fields) = (None, IngestOptions::default(), Vec::new());
    loop {
        let field = form.next_field().await.map_err(|_| cut(spool.bytes(), None))?;
        let Some(mut field) = field else { break };
        let part = field.name().unwrap_or_default().to_owned();
        if part == "file" {
            if name.is_some() {
                return Err(Failure::say(Code::InvalidInput, "why-part-twice"));
            }
            name = Some(field.file_name().unwrap_or_default().to_owned());
            while let Some(chunk) = field.chunk().await.map_err(|_| cut(spool.bytes(), None))? {
                spool = append(spool, chunk).await?;
            }
        } else {
            let mut text = Vec::new();
            while let Some(chunk) = field.chunk().await.map_err(|_| cut(spool.bytes(), None))? {
                text.extend_from_slice(&chunk);
                if text.len() > 64 << 10 {
                    let detail = say("why-part-too-long")
                        .with("part", part)
                        .with("limit", "64 KiB");
                    return Err(Failure::new(Code::TooLarge, detail));
                }
            }
            let text = String::from_utf8(text).map_err(|_| {
                let detail = say("why-part-text").with("part", part.as_str());
                Failure::new(Code::InvalidInput, detail)
            })?;
            if part == "options" {
                options = read_options(&text)?;
            }
            fields.push((part, text));
        }
    }
    match name {
        Some(name) => Ok(Received {
            spool,
            name,
            options,
            fields,
        }),
        None => Err(Failure::say(Code::InvalidInput, "why-part-missing")),
    }
}

/// Disk writes do not belong on the threads that serve requests.
pub(crate) async fn append(mut spool: Spool, chunk: axum::body::Bytes) -> Result<Spool, Failure> {
    let written = tokio::task::spawn_blocking(move || spool.append(&chunk).map(|()| spool)).await;
    let written = written.map_err(|_| Failure::internal())?;
    written.map_err(|error| catalog_entry::EntryError::Storage(error).into())
}

/// A form that cannot be taken apart; the reason is the parser's own.
pub(crate) fn bad_form(reason: &str) -> Failure {
    let detail = say("why-multipart").with("reason", reason);
    Failure::new(Code::InvalidInput, detail)
}

pub(crate) fn cut(got: u64, announced: Option<u64>) -> Failure {
    let got = i18n::format::bytes(got);
    let detail = match announced {
        Some(announced) => {
            let announced = i18n::format::bytes(announced);
            say("why-upload-cut-of")
                .with("got", got)
                .with("announced", announced)
        }
        None => say("why-upload-cut").with("got", got),
    };
    Failure::new(Code::UploadIncomplete, detail)
}

/// `GET /api/v1/tasks/{id}`.
pub async fn task(
    State(state): State<AppState>,
    ApiCaller(caller): ApiCaller,
    ApiPath(id): ApiPath<TaskId>,
) -> Result<Json<Value>, Failure> {
    let task = state.find_task(&caller.actor, id).await?;
    Ok(Json(json!({
        "id": task.id, "kind": task.kind, "state": task.state.as_str(), "progress": task.progress,
        "result": task.result, "error": task.error, "created_at": task.created_at,
        "finished_at": task.finished_at,
    })))
}
