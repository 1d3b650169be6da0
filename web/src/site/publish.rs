//! A department's datasets, and asking for their release.

use std::collections::HashMap;

use axum::response::Response;
use db::dataset::Dataset;
use http::StatusCode;
use model::{
    DatasetState, DeclaredMetadata, Level, RequestId, RequestKind, RequestState, ReviewPolicy, Slug,
    VersionState,
};
use review::{RequestFilter, ReviewError};

use super::entry::own_dataset;
use super::visit::{Done, Form, Page, Visit, done, number};
use crate::api::extract::ApiPath;
use crate::failure::Failure;
use crate::page::publish::{Check, MyDataset, MyDatasetsPage, ReleaseFormPage};
use crate::page::{FieldErrors, Section, Shell, respond};
use crate::problem::Code;

/// Entries that are read at once.
const BATCH: u64 = 100;
/// Entries that the page lists.
const MAX_LISTED: usize = 1_000;

/// `GET /publish`.
pub(super) async fn my_datasets(visit: Visit) -> Page {
    let (state, language) = (&visit.state, visit.language());
    let (_, organization) = visit.actor().person()?;
    let mut own: Vec<Dataset> = Vec::new();
    loop {
        let before = own.last().map(|dataset| dataset.id);
        let more = state.catalog.list_own(visit.actor(), before, BATCH).await?;
        let last = more.len() as u64 != BATCH;
        own.extend(more);
        if last || own.len() >= MAX_LISTED {
            break;
        }
    }
    own.sort_by_key(|dataset| std::cmp::Reverse(dataset.updated_at));
    let requests = newest_requests(&visit).await?;
    let mut datasets = Vec::with_capacity(own.len());
    for dataset in own {
        let newest = db::version::list(state.db.read(), dataset.id, None, 1).await?;
        let version = newest
            .first()
            .map(|version| (number(version.number), version.state));
        let request = requests
            .get(&dataset.slug)
            .map(|(state, id)| (*state, id.to_string()));
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
    };
    Ok(respond(StatusCode::OK, language, &page))
}

/// The newest release request of each dataset, among the department's last hundred.
async fn newest_requests(visit: &Visit) -> Result<HashMap<Slug, (RequestState, RequestId)>, Failure> {
    let filter = RequestFilter {
        states: Vec::new(),
        kind: Some(RequestKind::Release),
    };
    let mut newest = HashMap::new();
    for request in visit
        .state
        .review
        .list(visit.actor(), &filter, None, BATCH)
        .await?
    {
        for dataset in request.datasets {
            newest.entry(dataset.slug).or_insert((request.state, request.id));
        }
    }
    Ok(newest)
}

/// `GET /publish/{slug}/release`.
pub(super) async fn release_form(visit: Visit, ApiPath(slug): ApiPath<Slug>) -> Page {
    let dataset = own_dataset(&visit, &slug).await?;
    show(
        &visit,
        StatusCode::OK,
        &dataset,
        String::new(),
        FieldErrors::default(),
    )
    .await
}

/// `POST /publish/{slug}/release`.
pub(super) async fn submit_release(visit: Visit, ApiPath(slug): ApiPath<Slug>, Form(form): Form) -> Page {
    visit.check(&form)?;
    let dataset = own_dataset(&visit, &slug).await?;
    let note = form.text("note").to_owned();
    let mut errors = FieldErrors::default();
    if form.text("confirm") == "yes" {
        match visit
            .state
            .review
            .submit_release(visit.actor(), &dataset.slug, &note)
            .await
        {
            Ok(request) => return Ok(done(&format!("/review/{}", request.id), Done::ReleaseSent)),
            Err(error @ ReviewError::Text { .. }) => errors.push("note", visit.invalid(error)),
            Err(error @ (ReviewError::NotReleasable(_) | ReviewError::ReleaseOpen)) => {
                errors.push("confirm", visit.invalid(error));
            }
            Err(error) => return Err(error.into()),
        }
    } else {
        errors.push("confirm", visit.t("form-required"));
    }
    show(&visit, StatusCode::UNPROCESSABLE_ENTITY, &dataset, note, errors).await
}

async fn show(
    visit: &Visit,
    status: StatusCode,
    dataset: &Dataset,
    note: String,
    errors: FieldErrors,
) -> Result<Response, Failure> {
    let Some(level) = dataset.level else {
        let why = "the dataset has no level yet; edit the entry and classify it and its fields first";
        return Err(Failure::new(Code::Conflict, why));
    };
    let shell = visit.shell(Section::Publish);
    let policy: ReviewPolicy = visit.policy(ReviewPolicy::KIND).await?;
    let (version, checks) = checks(visit, &shell, dataset, level).await?;
    let fields = dataset
        .declared
        .as_ref()
        .map(|declared| declared.fields().to_vec())
        .unwrap_or_default();
    let page = ReleaseFormPage {
        slug: dataset.slug.to_string(),
        title: dataset.metadata.title.get(shell.language).to_owned(),
        level,
        number: version,
        checks,
        needs_opinion: policy.assessed_levels.contains(&level),
        days: policy.working_days,
        fields,
        note,
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
) -> Result<(u32, Vec<Check>), Failure> {
    let connection = visit.state.db.read();
    let versions = db::version::list(connection, dataset.id, None, 20).await?;
    let newest = versions
        .iter()
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
        let ready = newest.is_some_and(|version| version.state == VersionState::Ready);
        checks.push(check(ready, "check-version"));
    }
    if level.is_conditional() {
        let unit = dataset.declared.as_ref().and_then(DeclaredMetadata::unit);
        checks.push(check(unit.is_some(), "check-unit"));
        checks.push(check(dataset.metadata.recipe.is_some(), "check-recipe"));
        let current = newest.is_some_and(|version| version.declared == dataset.declared);
        checks.push(check(current, "check-declaration"));
    }
    checks.push(check(dataset.state != DatasetState::Retired, "check-in-use"));
    let open = db::request::find_open_release(connection, dataset.id).await?;
    checks.push(check(open.is_none(), "check-no-request"));
    Ok((newest.map_or(0, |version| number(version.number)), checks))
}
