//! Requests to advise on and to decide.

use axum::response::Response;
use http::StatusCode;
use model::{
    BudgetPolicy, Decision, DeclaredMetadata, Level, Opinion, RequestId, RequestKind, RequestState, Role,
};
use review::{BudgetGrant, RequestFilter, RequestSummary, RequestText, RequestView, ReviewError};
use storage::Manifest;

use super::loss::losses;
use super::profile::{column_profiles, found_fields};
use super::visit::{Done, Form, Page, Values, Visit, done, number};
use crate::api::extract::ApiPath;
use crate::cursor;
use crate::failure::Failure;
use crate::page::loss::Losses;
use crate::page::review::{
    Evidence, HistoryRow, InboxPage, InboxRow, OpinionRow, ReadOnly, RequestKind as Kind, ReviewAct,
    ReviewForm, ReviewPage,
};
use crate::page::{FieldErrors, Section, Shell, respond};
use crate::problem::Code;

/// Open requests on one page: as many as a list holds, since they are shown by deadline.
const OPEN: u64 = 100;
/// Closed requests on one page.
const CLOSED: usize = 30;

/// `GET /review`.
pub(super) async fn inbox(visit: Visit) -> Page {
    if visit.actor().is_anonymous() {
        return Err(visit.refusal());
    }
    let (review, language) = (&visit.state.review, visit.language());
    let closed = visit.query.text("state") == "closed";
    let open = review
        .list(visit.actor(), &RequestFilter::open(), None, OPEN)
        .await?;
    let open_count = open.len() as u64;
    let (mut listed, mut next) = (open, None);
    if closed {
        let states = RequestState::ALL
            .iter()
            .copied()
            .filter(|state| !state.is_open())
            .collect();
        let filter = RequestFilter { states, kind: None };
        let before = visit.cursor("review/closed")?;
        listed = review
            .list(visit.actor(), &filter, before, CLOSED as u64 + 1)
            .await?;
        if listed.len() > CLOSED {
            listed.truncate(CLOSED);
            next = listed.last().map(|last| last.id);
        }
    } else {
        listed.sort_by_key(|request| request.deadline);
    }
    let next = match next {
        Some(last) => {
            let cursor = cursor::write(&visit.state.cursor_key, "review/closed", &last)?;
            Some(format!("/review?state=closed&cursor={cursor}"))
        }
        None => None,
    };
    let shell = visit.shell(Section::Review);
    let rows = listed
        .iter()
        .map(|request| row(&visit, &shell, request))
        .collect();
    let page = InboxPage {
        shell,
        closed,
        open_count,
        rows,
        next,
        checks: super::check::waiting(&visit).await?,
    };
    Ok(respond(StatusCode::OK, language, &page))
}

fn row(visit: &Visit, shell: &Shell, request: &RequestSummary) -> InboxRow {
    let actor = visit.actor();
    let mine = match request.state {
        RequestState::AwaitingDecision => actor.has_role(Role::Reviewer),
        RequestState::AwaitingOpinion => actor.has_role(Role::Assessor),
        _ => false,
    };
    InboxRow {
        id: request.id.to_string(),
        kind: kind(request.kind),
        subject: subject(shell, request),
        level: request.level,
        organization: request.organization.get(shell.language).to_owned(),
        state: request.state,
        submitted: request.created_at,
        due: request.deadline,
        overdue: request.overdue,
        mine,
    }
}

const fn kind(kind: RequestKind) -> Kind {
    match kind {
        RequestKind::Release => Kind::Release,
        RequestKind::Access => Kind::Access,
    }
}

fn subject(shell: &Shell, request: &RequestSummary) -> String {
    let titles: Vec<&str> = request
        .datasets
        .iter()
        .map(|dataset| shell.words(&dataset.title))
        .collect();
    titles.join(" · ")
}

/// `GET /review/{id}`.
pub(super) async fn request(visit: Visit, ApiPath(id): ApiPath<RequestId>) -> Page {
    let view = visit.state.review.load(visit.actor(), id).await?;
    let policy: BudgetPolicy = visit.policy(BudgetPolicy::KIND).await?;
    let form = ReviewForm {
        epsilon: policy.project_epsilon.to_string(),
        days: asked_days(&view).unwrap_or(policy.project_days).to_string(),
        revision: view.summary.revision.to_string(),
        ..ReviewForm::default()
    };
    show(&visit, StatusCode::OK, view, form, FieldErrors::default()).await
}

fn asked_days(view: &RequestView) -> Option<u32> {
    match view.text {
        RequestText::Access { days, .. } => days,
        RequestText::Release { .. } => None,
    }
}

/// `POST /review/{id}/opinion`.
pub(super) async fn give_opinion(visit: Visit, ApiPath(id): ApiPath<RequestId>, Form(form): Form) -> Page {
    visit.check(&form)?;
    let mut typed = ReviewForm {
        choice: form.text("opinion").to_owned(),
        text: form.text("text").to_owned(),
        ..ReviewForm::default()
    };
    let revision = revision(&form)?;
    let mut errors = FieldErrors::default();
    let opinion = Opinion::from_word(&typed.choice);
    if opinion.is_none() {
        errors.push("opinion", visit.t("form-choose"));
    }
    if typed.text.trim().is_empty() {
        errors.push("text", visit.missing("review-reasons"));
    }
    match opinion.filter(|_| errors.is_empty()) {
        None => {}
        Some(opinion) => {
            match visit
                .state
                .review
                .give_opinion(visit.actor(), id, revision, opinion, &typed.text)
                .await
            {
                Ok(_) => return Ok(done(&format!("/review/{id}"), Done::OpinionGiven)),
                Err(error) => told(&visit, error, "opinion", "text", &mut errors)?,
            }
        }
    }
    let view = visit.state.review.load(visit.actor(), id).await?;
    typed.revision = view.summary.revision.to_string();
    show(&visit, StatusCode::UNPROCESSABLE_ENTITY, view, typed, errors).await
}

/// `POST /review/{id}/decision`.
pub(super) async fn decide(visit: Visit, ApiPath(id): ApiPath<RequestId>, Form(form): Form) -> Page {
    visit.check(&form)?;
    let mut typed = ReviewForm {
        choice: form.text("decision").to_owned(),
        text: form.text("reason").to_owned(),
        epsilon: form.text("epsilon").trim().to_owned(),
        days: form.text("days").trim().to_owned(),
        revision: String::new(),
    };
    let revision = revision(&form)?;
    let view = visit.state.review.load(visit.actor(), id).await?;
    let mut errors = FieldErrors::default();
    let decision = Decision::from_word(&typed.choice);
    if decision.is_none() {
        errors.push("decision", visit.t("form-choose"));
    }
    // A budget goes with approving access; what the controls hold otherwise is their first filling.
    let approves_access = decision == Some(Decision::Approve) && view.summary.kind == RequestKind::Access;
    let grant = if approves_access {
        grant(&visit, &typed, &mut errors)
    } else {
        None
    };
    if let (Some(decision), true) = (decision, errors.is_empty()) {
        match visit
            .state
            .review
            .decide(visit.actor(), id, revision, decision, &typed.text, grant)
            .await
        {
            Ok(_) => {
                visit.state.indexer.catch_up().await?;
                return Ok(done(&format!("/review/{id}"), Done::Decided));
            }
            Err(error) => told(&visit, error, "decision", "reason", &mut errors)?,
        }
    }
    let view = visit.state.review.load(visit.actor(), id).await?;
    typed.revision = view.summary.revision.to_string();
    show(&visit, StatusCode::UNPROCESSABLE_ENTITY, view, typed, errors).await
}

fn revision(form: &Values) -> Result<i64, Failure> {
    form.text("revision")
        .parse()
        .map_err(|_| Failure::say(Code::InvalidInput, "why-revision-number"))
}

/// The budget that was typed; nothing at all leaves it to the policy.
fn grant(visit: &Visit, typed: &ReviewForm, errors: &mut FieldErrors) -> Option<BudgetGrant> {
    if typed.epsilon.is_empty() && typed.days.is_empty() {
        return None;
    }
    let epsilon: Option<f64> = typed
        .epsilon
        .parse()
        .ok()
        .filter(|epsilon: &f64| epsilon.is_finite());
    let days: Option<u32> = typed.days.parse().ok();
    if epsilon.is_none() {
        errors.push("epsilon", visit.t("form-number"));
    }
    if days.is_none() {
        errors.push("days", visit.t("form-whole-number"));
    }
    Some(BudgetGrant {
        epsilon: epsilon?,
        days: days?,
    })
}

/// What the review has against an act, at the control that can mend it.
fn told(
    visit: &Visit,
    error: ReviewError,
    choice: &str,
    text: &str,
    errors: &mut FieldErrors,
) -> Result<(), Failure> {
    let control = match &error {
        ReviewError::Text { .. } => text,
        ReviewError::BudgetRange { what, .. } => what,
        ReviewError::BudgetNotAvailable { .. } => "epsilon",
        ReviewError::Stale => {
            errors.push(choice, visit.t("review-stale"));
            return Ok(());
        }
        ReviewError::OpinionMissing
        | ReviewError::FoundUnsafe
        | ReviewError::Changed(_)
        | ReviewError::Invalid(_) => choice,
        _ => return Err(error.into()),
    };
    errors.push(control, visit.invalid(&error));
    Ok(())
}

async fn show(
    visit: &Visit,
    status: StatusCode,
    view: RequestView,
    form: ReviewForm,
    errors: FieldErrors,
) -> Result<Response, Failure> {
    let policy: BudgetPolicy = visit.policy(BudgetPolicy::KIND).await?;
    let id = view.summary.id;
    let shell = visit.shell_at(Section::Review, format!("/review/{id}"));
    let (available, losses) = if view.permitted.decide && view.summary.kind == RequestKind::Access {
        let titled = view.datasets.iter().map(|evidence| {
            let title = shell.words(&evidence.dataset.metadata.title);
            (evidence.dataset.slug.clone(), title.to_owned())
        });
        let losses = losses(visit, &titled.collect::<Vec<_>>()).await?;
        (visit.state.review.grantable(visit.actor(), id).await?, losses)
    } else {
        (Vec::new(), Losses::default())
    };
    let available = available
        .iter()
        .map(|(name, left)| (shell.words(&name.title).to_owned(), *left))
        .collect();
    let history = history(&shell, &view);
    let act = act(visit, &view);
    let opinions = view.opinions.iter().map(|given| OpinionRow {
        organization: shell.words(&given.organization).to_owned(),
        opinion: given.opinion,
        text: given.reason.clone(),
        moment: given.created_at,
    });
    let page = ReviewPage {
        id: id.to_string(),
        kind: kind(view.summary.kind),
        subject: subject(&shell, &view.summary),
        level: view.summary.level,
        organization: shell.words(&view.organization.name).to_owned(),
        state: view.summary.state,
        submitted: view.summary.created_at,
        due: view.summary.deadline,
        overdue: view.summary.overdue,
        opinions: opinions.collect(),
        evidence: evidence(&shell, view, available, losses)?,
        history,
        act,
        max_epsilon: policy.project_epsilon,
        form,
        errors,
        shell,
    };
    Ok(respond(status, visit.language(), &page))
}

fn act(visit: &Visit, view: &RequestView) -> ReviewAct {
    if view.permitted.give_opinion {
        return ReviewAct::Advise;
    }
    if view.permitted.decide {
        return ReviewAct::Decide;
    }
    let own = visit.actor().organization();
    let involved = own == Some(view.organization.id)
        || view
            .datasets
            .iter()
            .any(|evidence| own == Some(evidence.dataset.organization_id));
    ReviewAct::Read(if !view.summary.state.is_open() {
        ReadOnly::Closed
    } else if involved {
        ReadOnly::OwnOrganization
    } else {
        ReadOnly::NotYours
    })
}

/// What can be looked at: figures where the review gives them, which it does to the trusted roles only.
fn evidence(
    shell: &Shell,
    view: RequestView,
    available: Vec<(String, f64)>,
    losses: Losses,
) -> Result<Evidence, Failure> {
    match view.text {
        RequestText::Access {
            purpose, safeguards, ..
        } => {
            let datasets = view.datasets.into_iter().map(|evidence| {
                let dataset = evidence.dataset;
                let level = dataset.level.unwrap_or(Level::L4);
                (
                    dataset.slug.to_string(),
                    shell.words(&dataset.metadata.title).to_owned(),
                    level,
                )
            });
            Ok(Evidence::Access {
                datasets: datasets.collect(),
                purpose,
                safeguards,
                available,
                losses,
            })
        }
        RequestText::Release { note } => {
            let evidence = view.datasets.into_iter().next();
            let evidence = evidence.ok_or_else(Failure::internal)?;
            let (dataset, version) = (evidence.dataset, evidence.version);
            let figures = version.as_ref().and_then(|version| version.figures.as_ref());
            let manifest = figures.and_then(|figures| figures.manifest.clone());
            let manifest = manifest.and_then(|manifest| serde_json::from_value::<Manifest>(manifest).ok());
            let fields = match (&dataset.declared, &manifest) {
                (Some(declared), _) => declared.fields().to_vec(),
                (None, Some(manifest)) => found_fields(manifest, dataset.level.unwrap_or(Level::L4)),
                (None, None) => Vec::new(),
            };
            Ok(Evidence::Release {
                slug: dataset.slug.to_string(),
                number: version.as_ref().map(|version| number(version.number)),
                fields,
                unit: dataset.declared.as_ref().and_then(DeclaredMetadata::unit),
                rows: manifest.as_ref().map(|manifest| manifest.rows),
                profiles: column_profiles(figures.and_then(|figures| figures.profile.as_ref())),
                entry: Box::new(dataset.metadata),
                note,
            })
        }
    }
}

/// What was done with a request so far, oldest first. People are not named: they act for their organisation.
pub(super) fn history(shell: &Shell, view: &RequestView) -> Vec<HistoryRow> {
    let summary = &view.summary;
    let named = |organization: &model::Localized, role: Role| {
        format!("{} · {}", shell.words(organization), shell.role(&role))
    };
    let asker = match summary.kind {
        RequestKind::Release => Role::Officer,
        RequestKind::Access => Role::Analyst,
    };
    let asker = named(&view.organization.name, asker);
    let mut rows = vec![HistoryRow {
        moment: summary.created_at,
        actor: asker.clone(),
        act: shell.t("history-asked"),
        text: None,
    }];
    let said = |reason: &str| Some(reason.to_owned()).filter(|reason| !reason.is_empty());
    rows.extend(view.opinions.iter().map(|given| HistoryRow {
        moment: given.created_at,
        actor: named(&given.organization, Role::Assessor),
        act: shell.opinion(&given.opinion),
        text: said(&given.reason),
    }));
    rows.extend(view.decisions.iter().map(|given| HistoryRow {
        moment: given.created_at,
        actor: shell.role(&Role::Reviewer),
        act: shell.decision(&given.decision),
        text: said(&given.reason),
    }));
    if summary.state == RequestState::Withdrawn {
        rows.push(HistoryRow {
            moment: summary.decided_at.unwrap_or(summary.created_at),
            actor: asker,
            act: shell.request_state(&summary.state),
            text: None,
        });
    }
    rows.sort_by_key(|row| row.moment);
    rows
}
