//! Following an upload, and what came of it.

use catalog_entry::ingestion::TASK_KIND;
use catalog_ingest::{Detection, SourceFormat};
use db::version::Version;
use http::StatusCode;
use model::{Role, Slug, TaskId, VersionId, VersionState};
use serde_json::Value;

use super::dataset::manages;
use super::loss::losses;
use super::profile::column_profiles;
use super::visit::{Page, Visit, number};
use crate::api::extract::ApiPath;
use crate::failure::{Failure, ingest_code};
use crate::page::publish::{DroppedRows, TaskFailure, TaskPage, TaskState, VersionPage};
use crate::page::{Section, Shell, respond};
use crate::problem::Code;
use crate::told::stored_failure;

/// `GET /tasks/{id}`.
pub(super) async fn task(visit: Visit, ApiPath(id): ApiPath<TaskId>) -> Page {
    if visit.actor().is_anonymous() {
        return Err(visit.refusal());
    }
    let connection = visit.state.db.read();
    let task = visit.state.find_task(visit.actor(), id).await?;
    let version = match task
        .payload
        .get("version")
        .and_then(|id| id.as_str()?.parse::<VersionId>().ok())
    {
        Some(version) if task.kind == TASK_KIND => db::version::find(connection, version).await?,
        _ => None,
    };
    let version = version.ok_or_else(|| Failure::not_found("task"))?;
    let dataset = db::dataset::load(connection, version.dataset_id).await?;
    let shell = visit.shell(Section::Publish);
    let state = match (task.state, version.state) {
        (db::task::TaskState::Queued, _) => TaskState::Queued,
        (db::task::TaskState::Running, _) => TaskState::Running,
        (db::task::TaskState::Failed, _) | (_, VersionState::Failed) => TaskState::Failed,
        (db::task::TaskState::Done, _) => TaskState::Done,
    };
    let progress = task.progress.as_ref();
    let amount = |name: &str| progress.and_then(|progress| progress.get(name)?.as_u64());
    let phase = progress
        .and_then(|progress| progress.get("phase")?.as_str())
        .unwrap_or_default();
    let key = match phase {
        "detect" => "phase-detect",
        "convert" => "phase-convert",
        "cluster" => "phase-cluster",
        "distribute" => "phase-distribute",
        "publish" => "phase-publish",
        _ => "phase-wait",
    };
    // Files for download are counted in rows, which the page has no words for.
    let total = amount("bytes_total").filter(|total| *total > 0 && phase != "distribute");
    let failed = state == TaskState::Failed;
    let page = TaskPage {
        id: id.to_string(),
        title: dataset.metadata.title.get(shell.language).to_owned(),
        state,
        phase: shell.t(key),
        done: amount("bytes_done").unwrap_or(0),
        total,
        next: format!("/publish/{}/versions/{}", dataset.slug, version.number),
        back: format!("/publish/{}/upload", dataset.slug),
        edit: format!("/publish/{}/edit", dataset.slug),
        failure: failed.then(|| failure(&shell, version.failure.as_ref())),
        shell,
    };
    Ok(respond(StatusCode::OK, visit.language(), &page))
}

/// Why a file could not be read, as ingestion has stored it.
fn failure(shell: &Shell, stored: Option<&Value>) -> TaskFailure {
    let text = |name: &str| {
        stored
            .and_then(|stored| stored.get(name)?.as_str())
            .map(str::to_owned)
    };
    let message = stored
        .and_then(stored_failure)
        .map(|message| message.text(shell.language))
        .or_else(|| text("message"));
    let code = text("code").map_or(Code::Unavailable, |code| match code.as_str() {
        "ingest-unavailable" => Code::Unavailable,
        other => ingest_code(other),
    });
    TaskFailure {
        code: code.as_str().to_owned(),
        message: message.unwrap_or_else(|| code.title(shell.language)),
        hint: code.hint(shell.language),
    }
}

/// `GET /publish/{slug}/versions/{number}`: for those who are trusted with the figures of a version.
pub(super) async fn version(visit: Visit, ApiPath((slug, wanted)): ApiPath<(Slug, i64)>) -> Page {
    if visit.actor().is_anonymous() {
        return Err(visit.refusal());
    }
    let (view, version, manifest) = visit.state.catalog.version(visit.actor(), &slug, wanted).await?;
    let dataset = &view.dataset;
    let manages = manages(visit.actor(), dataset);
    if !manages && !visit.actor().has_role(Role::Reviewer) {
        return Err(visit.refusal());
    }
    let shell = visit.shell(Section::Publish);
    let detection: Option<Detection> = serde_json::from_value(version.options.clone()).ok();
    let profile = version.profile.as_ref();
    let figure = |name: &str| profile.and_then(|profile| profile.get(name)?.as_u64());
    let manifest = manifest.as_ref();
    let title = dataset.metadata.title.get(shell.language).to_owned();
    let page = VersionPage {
        slug: dataset.slug.to_string(),
        number: number(version.number),
        state: version.state,
        level: dataset.level,
        made: version.created_at,
        rows_read: detection.as_ref().map_or(0, |detection| detection.rows),
        rows: manifest.map_or(0, |manifest| manifest.rows),
        units: figure("units"),
        source_bytes: visit.state.catalog.original_bytes(version.id).await,
        bytes: manifest.map_or(0, |manifest| manifest.parts.iter().map(|part| part.bytes).sum()),
        checksum: version.checksum.clone().unwrap_or_else(|| "–".to_owned()),
        reading: detection
            .as_ref()
            .map(|detection| reading(&shell, detection))
            .unwrap_or_default(),
        dropped: dropped(&shell, profile),
        profiles: column_profiles(profile),
        losses: losses(&visit, &[(dataset.slug.clone(), title.clone())]).await?,
        failure: version
            .failure
            .as_ref()
            .map(|stored| failure(&shell, Some(stored))),
        may_submit: manages && may_submit(&visit, &version, dataset.level.is_some()).await?,
        title,
        shell,
    };
    Ok(respond(StatusCode::OK, visit.language(), &page))
}

/// Whether this version is the one that a release request would be about now.
async fn may_submit(visit: &Visit, version: &Version, classified: bool) -> Result<bool, Failure> {
    if version.state != VersionState::Ready || !classified {
        return Ok(false);
    }
    let connection = visit.state.db.read();
    let versions = db::version::list(connection, version.dataset_id, None, 20).await?;
    let newest = versions
        .iter()
        .find(|version| version.state != VersionState::Failed);
    let open = db::request::find_open_release(connection, version.dataset_id).await?;
    Ok(newest.is_some_and(|newest| newest.id == version.id) && open.is_none())
}

/// How a file was read, in words.
fn reading(shell: &Shell, detection: &Detection) -> Vec<(String, String)> {
    let pair = |key: &str, value: String| (shell.t(key), value);
    if detection.format == SourceFormat::Parquet {
        return vec![pair("dataset-format", "Parquet".to_owned())];
    }
    let delimiter = match detection.delimiter {
        ',' => shell.t("upload-comma"),
        '\t' => shell.t("upload-tab"),
        ';' => shell.t("upload-semicolon"),
        '|' => shell.t("upload-pipe"),
        other => other.to_string(),
    };
    let header = if detection.header {
        "upload-header-yes"
    } else {
        "upload-header-no"
    };
    let quote = if detection.quoted {
        "upload-quote-double"
    } else {
        "upload-quote-none"
    };
    vec![
        pair("dataset-format", "CSV".to_owned()),
        pair("upload-encoding", detection.encoding.as_str().to_owned()),
        pair("upload-delimiter", delimiter),
        pair("upload-header", shell.t(header)),
        pair("upload-quote", shell.t(quote)),
    ]
}

fn dropped(shell: &Shell, profile: Option<&Value>) -> Vec<DroppedRows> {
    let counts = profile.and_then(|profile| profile.get("dropped"));
    let rows = |name: &str, key: &str| {
        let count = counts
            .and_then(|counts| counts.get(name)?.as_u64())
            .filter(|count| *count > 0)?;
        Some(DroppedRows {
            reason: shell.t(key),
            count,
        })
    };
    let reasons = [
        rows("invalid_key", "dropped-invalid-key"),
        rows("over_cap", "dropped-over-cap"),
    ];
    reasons.into_iter().flatten().collect()
}
