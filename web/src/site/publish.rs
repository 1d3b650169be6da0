//! A department's datasets, and asking for their release.

use axum::response::Response;
use db::dataset::Dataset;
use db::version::Version;
use http::StatusCode;
use model::{DatasetState, DeclaredMetadata, FieldDeclaration, Level, ReviewPolicy, Slug, VersionState};
use review::ReviewError;
use storage::Manifest;

use super::entry::own_dataset;
use super::profile::found_fields;
use super::visit::{Done, Form, Page, Visit, done, number};
use crate::api::extract::ApiPath;
use crate::cursor;
use crate::failure::Failure;
use crate::page::publish::{Check, MyDataset, MyDatasetsPage, ReleaseFormPage};
use crate::page::{FieldErrors, Section, Shell, respond};
use crate::problem::Code;

/// Entries on one page.
const LISTED: usize = 30;
/// The name of the list in its cursors.
const LIST: &str = "publish";

/// `GET /publish`.
pub(super) async fn my_datasets(visit: Visit) -> Page {
    let (state, language) = (&visit.state, visit.language());
    let (_, organization) = visit.actor().person()?;
    let after = visit.cursor(LIST)?;
    let mut own = state
        .catalog
        .list_own(visit.actor(), after, LISTED as u64 + 1)
        .await?;
    let more = own.len() > LISTED;
    own.truncate(LISTED);
    let older = match own.last() {
        Some(last) if more => {
            let cursor = cursor::write(&state.cursor_key, LIST, &(last.updated_at, last.id))?;
            Some(format!("/publish?cursor={cursor}"))
        }
        _ => None,
    };
    let mut datasets = Vec::with_capacity(own.len());
    for dataset in own {
        let newest = db::version::list(state.db.read(), dataset.id, None, 1).await?;
        let version = newest
            .first()
            .map(|version| (number(version.number), version.state));
        let request = db::request::find_newest_release(state.db.read(), dataset.id).await?;
        let request = request.map(|request| (request.state, request.id.to_string()));
        datasets.push(MyDataset {
            title: dataset.metadata.title.get(language).to_owned(),
            slug: dataset.slug.to_string(),
            level: dataset.level,
            version,
            request,
            public: dataset.state == DatasetState::Released,
            updated: dataset.updated_at,
        });
    }
    let department = db::organization::load(state.db.read(), organization).await?;
    let page = MyDatasetsPage {
        shell: visit.shell(Section::Publish),
        department: department.name.get(language).to_owned(),
        datasets,
        older,
    };
    Ok(respond(StatusCode::OK, language, &page))
}

/// What is typed into the form for a release.
#[derive(Default)]
struct Typed {
    note: String,
    confirmed: bool,
}

/// `GET /publish/{slug}/release`.
pub(super) async fn release_form(visit: Visit, ApiPath(slug): ApiPath<Slug>) -> Page {
    let dataset = own_dataset(&visit, &slug).await?;
    show(
        &visit,
        StatusCode::OK,
        &dataset,
        Typed::default(),
        FieldErrors::default(),
    )
    .await
}

/// `POST /publish/{slug}/release`.
pub(super) async fn submit_release(visit: Visit, ApiPath(slug): ApiPath<Slug>, Form(form): Form) -> Page {
    visit.check(&form)?;
    let dataset = own_dataset(&visit, &slug).await?;
    let note = form.text("note").to_owned();
    let confirmed = form.text("confirm") == "yes";
    let mut errors = FieldErrors::default();
    if confirmed {
        match visit
            .state
            .review
            .submit_release(visit.actor(), &dataset.slug, &note)
            .await
        {
            Ok(request) => return Ok(done(&format!("/review/{}", request.id), Done::ReleaseSent)),
            Err(error @ ReviewError::Text { .. }) => errors.push("note", visit.invalid(&error)),
            Err(error @ (ReviewError::NotReleasable(_) | ReviewError::ReleaseOpen)) => {
                errors.push("confirm", visit.invalid(&error));
            }
            Err(error) => return Err(error.into()),
        }
    } else {
        errors.push("confirm", visit.t("form-tick"));
    }
    let typed = Typed { note, confirmed };
    show(&visit, StatusCode::UNPROCESSABLE_ENTITY, &dataset, typed, errors).await
}

async fn show(
    visit: &Visit,
    status: StatusCode,
    dataset: &Dataset,
    typed: Typed,
    errors: FieldErrors,
) -> Result<Response, Failure> {
    let Some(level) = dataset.level else {
        return Err(Failure::say(Code::Conflict, "why-no-level"));
    };
    let shell = visit.shell(Section::Publish);
    let policy: ReviewPolicy = visit.policy(ReviewPolicy::KIND).await?;
    let (version, checks) = checks(visit, &shell, dataset, level).await?;
    let fields = match (&dataset.declared, &version) {
        (Some(declared), _) => declared.fields().to_vec(),
        (None, Some(version)) => columns(version, level),
        (None, None) => Vec::new(),
    };
    let page = ReleaseFormPage {
        slug: dataset.slug.to_string(),
        title: dataset.metadata.title.get(shell.language).to_owned(),
        level,
        number: version.map(|version| number(version.number)),
        checks,
        needs_opinion: policy.assessed_levels.contains(&level),
        days: policy.working_days,
        fields,
        note: typed.note,
        confirmed: typed.confirmed,
        errors,
        shell,
    };
    Ok(respond(status, visit.language(), &page))
}

/// What the review will ask for, shown before it is asked; the review itself decides when the request is
/// sent.
async fn checks(
    visit: &Visit,
    shell: &Shell,
    dataset: &Dataset,
    level: Level,
) -> Result<(Option<Version>, Vec<Check>), Failure> {
    let connection = visit.state.db.read();
    let versions = db::version::list(connection, dataset.id, None, 20).await?;
    let newest = versions
        .into_iter()
        .find(|version| version.state != VersionState::Failed);
    let check = |passed: bool, key: &str| Check {
        passed,
        text: shell.t(key),
    };
    let mut checks = Vec::new();
    if level == Level::L4 {
        checks.push(check(dataset.metadata.conditions.is_some(), "check-reason"));
        checks.push(check(dataset.state == DatasetState::Draft, "check-not-listed"));
    } else {
        let ready = newest
            .as_ref()
            .is_some_and(|version| version.state == VersionState::Ready);
        checks.push(check(ready, "check-version"));
    }
    if level.is_conditional() {
        let unit = dataset.declared.as_ref().and_then(DeclaredMetadata::unit);
        checks.push(check(unit.is_some(), "check-unit"));
        checks.push(check(dataset.metadata.recipe.is_some(), "check-recipe"));
        let current = newest
            .as_ref()
            .is_some_and(|version| version.declared == dataset.declared);
        checks.push(check(current, "check-declaration"));
    }
    checks.push(check(dataset.state != DatasetState::Retired, "check-in-use"));
    let open = db::request::find_open_release(connection, dataset.id).await?;
    checks.push(check(open.is_none(), "check-no-request"));
    Ok((newest, checks))
}

/// The columns of a version whose entry declares none, as reviewers will see them.
fn columns(version: &Version, level: Level) -> Vec<FieldDeclaration> {
    let manifest = version.manifest.clone();
    let manifest = manifest.and_then(|manifest| serde_json::from_value::<Manifest>(manifest).ok());
    manifest.map_or_else(Vec::new, |manifest| found_fields(&manifest, level))
}
