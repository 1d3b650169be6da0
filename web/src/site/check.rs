//! Special datasets' answers, for their two checkers.

use axum::response::Response;
use http::StatusCode;
use model::{CheckId, Verdict};
use sandbox_job::{CheckSummary, CheckView, JobError};

use super::job::{Keys, result};
use super::visit::{Done, Form, Page, Visit, done};
use crate::api::extract::ApiPath;
use crate::failure::Failure;
use crate::page::check::{CheckPage, CheckRow, ChecksPage, OwnVote, VoteForm};
use crate::page::{FieldErrors, Section, respond};

/// `GET /review/checks`.
pub(super) async fn list(visit: Visit) -> Page {
    if visit.actor().is_anonymous() {
        return Err(visit.refusal());
    }
    let checks = visit.state.sandbox.list_checks(visit.actor()).await?;
    let rows = checks.iter().map(|check| row(&visit, check)).collect();
    let page = ChecksPage {
        shell: visit.shell(Section::Review),
        rows,
    };
    Ok(respond(StatusCode::OK, visit.language(), &page))
}

fn row(visit: &Visit, check: &CheckSummary) -> CheckRow {
    let titles = check
        .datasets
        .iter()
        .map(|dataset| dataset.title.get(visit.language()));
    CheckRow {
        id: check.id.to_string(),
        subject: titles.collect::<Vec<_>>().join(" · "),
        due: check.due_at,
        own: check.own_vote.as_ref().map(|vote| vote.verdict),
    }
}

/// `GET /review/checks/{id}`.
pub(super) async fn check(visit: Visit, ApiPath(id): ApiPath<CheckId>) -> Page {
    if visit.actor().is_anonymous() {
        return Err(visit.refusal());
    }
    let view = visit.state.sandbox.check(visit.actor(), id).await?;
    show(
        &visit,
        StatusCode::OK,
        view,
        VoteForm::default(),
        FieldErrors::default(),
    )
    .await
}

/// `POST /review/checks/{id}/vote`.
pub(super) async fn vote(visit: Visit, ApiPath(id): ApiPath<CheckId>, Form(form): Form) -> Page {
    visit.check(&form)?;
    let typed = VoteForm {
        choice: form.text("verdict").to_owned(),
        reason: form.text("reason").to_owned(),
    };
    let mut errors = FieldErrors::default();
    match Verdict::from_word(&typed.choice) {
        None => errors.push("verdict", visit.t("form-choose")),
        Some(verdict) => {
            let sandbox = &visit.state.sandbox;
            match sandbox.vote(visit.actor(), id, verdict, &typed.reason).await {
                Ok(_) => return Ok(done(&format!("/review/checks/{id}"), Done::Voted)),
                Err(error @ JobError::Reason(_)) => errors.push("reason", visit.invalid(&error)),
                Err(error @ JobError::Check(_)) => errors.push("verdict", visit.invalid(&error)),
                Err(error) => return Err(error.into()),
            }
        }
    }
    let view = visit.state.sandbox.check(visit.actor(), id).await?;
    show(&visit, StatusCode::UNPROCESSABLE_ENTITY, view, typed, errors).await
}

async fn show(
    visit: &Visit,
    status: StatusCode,
    view: CheckView,
    form: VoteForm,
    errors: FieldErrors,
) -> Result<Response, Failure> {
    let id = view.summary.id;
    let mut declared = Vec::new();
    for dataset in &view.summary.datasets {
        let found = db::dataset::find_by_slug(visit.state.db.read(), &dataset.slug).await?;
        declared.extend(found.and_then(|dataset| dataset.declared));
    }
    let keys = Keys::of(None, &declared);
    let shell = visit.shell_at(Section::Review, format!("/review/checks/{id}"));
    let datasets = view.summary.datasets.iter().map(|dataset| {
        let title = dataset.title.get(visit.language()).to_owned();
        (dataset.slug.to_string(), title, dataset.unit)
    });
    let own = view.summary.own_vote.as_ref().map(|vote| OwnVote {
        verdict: vote.verdict,
        reason: vote.reason.clone(),
        moment: vote.created_at,
    });
    let page = CheckPage {
        id: id.to_string(),
        subject: row(visit, &view.summary).subject,
        datasets: datasets.collect(),
        due: view.summary.due_at,
        results: view
            .answers
            .into_iter()
            .map(|answer| result(answer, keys))
            .collect(),
        own,
        form,
        errors,
        shell,
    };
    Ok(respond(status, visit.language(), &page))
}

/// How many answers wait for the visitor's vote; none for those who check nothing.
pub(super) async fn waiting(visit: &Visit) -> Result<Option<u64>, Failure> {
    match visit.state.sandbox.list_checks(visit.actor()).await {
        Ok(checks) => {
            let open = checks.iter().filter(|check| check.own_vote.is_none());
            Ok(Some(open.count() as u64))
        }
        Err(JobError::Denied(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
