//! The sandbox from outside, access requests, projects.

use axum::response::Response;
use db::project::Project;
use http::StatusCode;
use model::{
    BudgetPolicy, DatasetId, DatasetState, Level, ProjectId, RequestId, RequestKind, ReviewPolicy, Role, Slug,
};
use review::{AccessApplication, RequestFilter, RequestText, ReviewError};
use sandbox_job::{Budget, JobView};

use super::review::history;
use super::visit::{Done, Form, Page, Visit, count, done};
use crate::api::dataset::SearchParameters;
use crate::api::extract::ApiPath;
use crate::cursor;
use crate::failure::Failure;
use crate::page::sandbox::{
    AccessFormPage, AccessStatusPage, BudgetRow, DatasetChoice, JobRow, ProjectPage, ProjectRow,
    ProtectedDataset, RequestRow, SandboxPage,
};
use crate::page::{FieldErrors, Section, respond};

/// Projects on one page.
const PROJECTS: usize = 12;
/// Requests on one page.
const REQUESTS: usize = 20;
/// Datasets that can be chosen from.
const CHOICES: u32 = 100;
/// Datasets that an address may name to be chosen.
const MAX_NAMED: usize = 20;
/// Jobs on one page of a project.
const JOBS: usize = 20;

/// `GET /sandbox`.
pub(super) async fn landing(visit: Visit) -> Page {
    let state = &visit.state;
    let analyst = visit.actor().has_role(Role::Analyst);
    let (mut projects, mut requests) = (Vec::new(), Vec::new());
    let (mut more_projects, mut more_requests) = (None, None);
    if analyst {
        let before = visit.cursor_in("projects", "sandbox/projects")?;
        let found = state
            .sandbox
            .list_projects(visit.actor(), before, PROJECTS as u64 + 1)
            .await;
        let mut found = found?;
        let more = found.len() > PROJECTS;
        found.truncate(PROJECTS);
        if let Some(last) = found.last().filter(|_| more) {
            let cursor = cursor::write(&state.cursor_key, "sandbox/projects", &last.id)?;
            more_projects = Some(format!("/sandbox?projects={cursor}#projects"));
        }
        for project in found {
            projects.push(project_row(&visit, project).await?);
        }
        let filter = RequestFilter {
            states: Vec::new(),
            kind: Some(RequestKind::Access),
        };
        let shell = visit.shell(Section::Sandbox);
        let before = visit.cursor_in("requests", "sandbox/requests")?;
        let mut found = state
            .review
            .list(visit.actor(), &filter, before, REQUESTS as u64 + 1)
            .await?;
        let more = found.len() > REQUESTS;
        found.truncate(REQUESTS);
        if let Some(last) = found.last().filter(|_| more) {
            let cursor = cursor::write(&state.cursor_key, "sandbox/requests", &last.id)?;
            more_requests = Some(format!("/sandbox?requests={cursor}#requests"));
        }
        for request in found {
            let titles = request
                .datasets
                .iter()
                .map(|dataset| shell.words(&dataset.title).to_owned());
            requests.push(RequestRow {
                id: request.id.to_string(),
                datasets: titles.collect(),
                state: request.state,
                submitted: request.created_at,
            });
        }
    }
    let (datasets, all_datasets) = applicable(&visit, &[]).await?;
    let page = SandboxPage {
        shell: visit.shell(Section::Sandbox),
        datasets,
        all_datasets,
        projects,
        more_projects,
        requests,
        more_requests,
        analyst,
    };
    Ok(respond(StatusCode::OK, visit.language(), &page))
}

async fn project_row(visit: &Visit, project: Project) -> Result<ProjectRow, Failure> {
    let connection = visit.state.db.read();
    let datasets = db::project::list_datasets(connection, project.id).await?;
    let ids: Vec<DatasetId> = datasets.into_iter().map(|(dataset, _)| dataset).collect();
    let datasets = db::dataset::list_by_id(connection, &ids).await?;
    let titles = datasets
        .iter()
        .map(|dataset| dataset.metadata.title.get(visit.language()).to_owned());
    Ok(ProjectRow {
        id: project.id.to_string(),
        purpose: shortened(&project.purpose, 80),
        datasets: titles.collect(),
        expires: project.expires_at,
    })
}

/// The first line of a text, at most so many characters of it.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    if line.chars().count() <= most {
        return line.to_owned();
    }
    let kept: String = line.chars().take(most).collect();
    format!("{}…", kept.trim_end())
}

/// Datasets that can be applied for: those that were named, then by title as many as a page has. If there are more,
/// also how many there are in all.
async fn applicable(visit: &Visit, named: &[Slug]) -> Result<(Vec<ProtectedDataset>, Option<u64>), Failure> {
    let (state, language) = (&visit.state, visit.language());
    let conditional = SearchParameters {
        level: "L2,L3".to_owned(),
        sort: "title".to_owned(),
        per_page: Some(CHOICES),
        ..SearchParameters::default()
    };
    let found = state
        .indexer
        .search(conditional.query(state, language).await?)
        .await?;
    let mut ids = Vec::new();
    for slug in named {
        let dataset = db::dataset::find_by_slug(state.db.read(), slug).await?;
        ids.extend(dataset.map(|dataset| dataset.id));
    }
    for hit in &found.hits {
        let id = DatasetId::from_uuid(hit.id);
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let datasets = db::dataset::list_by_id(state.db.read(), &ids).await?;
    let organizations = state
        .organizations(datasets.iter().map(|dataset| dataset.organization_id))
        .await?;
    let in_order = ids
        .iter()
        .filter_map(|id| datasets.iter().find(|dataset| dataset.id == *id));
    let row = |dataset: &db::dataset::Dataset| {
        let level = dataset.level.filter(|level| level.is_conditional())?;
        let department = organizations.get(&dataset.organization_id);
        (dataset.state == DatasetState::Released).then(|| ProtectedDataset {
            slug: dataset.slug.to_string(),
            title: dataset.metadata.title.get(language).to_owned(),
            level,
            department: department
                .map(|o| o.name.get(language).to_owned())
                .unwrap_or_default(),
            special: dataset.metadata.special,
        })
    };
    let all = (found.count > found.hits.len() as u64).then_some(found.count);
    Ok((in_order.filter_map(row).collect(), all))
}

/// What was typed into the form for access.
#[derive(Default)]
struct Typed {
    datasets: Vec<String>,
    purpose: String,
    safeguards: String,
    promised: bool,
}

/// `GET /sandbox/apply`.
pub(super) async fn access_form(visit: Visit) -> Page {
    visit.require(Role::Analyst)?;
    let datasets = visit.query.all("dataset").map(str::to_owned).collect();
    show(
        &visit,
        StatusCode::OK,
        Typed {
            datasets,
            ..Typed::default()
        },
        FieldErrors::default(),
    )
    .await
}

/// `POST /sandbox/apply`.
pub(super) async fn apply(visit: Visit, Form(form): Form) -> Page {
    visit.check(&form)?;
    visit.require(Role::Analyst)?;
    let typed = Typed {
        datasets: form.all("datasets").map(str::to_owned).collect(),
        purpose: form.text("purpose").to_owned(),
        safeguards: form.text("safeguards").to_owned(),
        promised: form.text("promise") == "yes",
    };
    let mut errors = FieldErrors::default();
    let slugs: Result<Vec<Slug>, _> = typed.datasets.iter().map(|slug| Slug::parse(slug)).collect();
    let slugs = slugs.unwrap_or_default();
    if slugs.is_empty() {
        errors.push("datasets", visit.t("form-choose"));
    }
    for (control, label, text) in [
        ("purpose", "access-purpose", &typed.purpose),
        ("safeguards", "access-safeguards", &typed.safeguards),
    ] {
        if text.trim().is_empty() {
            errors.push(control, visit.missing(label));
        }
    }
    if !typed.promised {
        errors.push("promise", visit.t("form-tick"));
    }
    if errors.is_empty() {
        let application = AccessApplication {
            datasets: slugs,
            purpose: typed.purpose.clone(),
            safeguards: typed.safeguards.clone(),
            days: None,
        };
        match visit
            .state
            .review
            .submit_access(visit.actor(), &application)
            .await
        {
            Ok(request) => {
                return Ok(done(
                    &format!("/sandbox/requests/{}", request.id),
                    Done::AccessSent,
                ));
            }
            Err(ReviewError::Text { field, min, max, got }) => {
                let shell = visit.shell(Section::Sandbox);
                let length = shell.t2("form-length", &("least", min), &("most", max));
                errors.push(
                    field,
                    format!("{length} {}", shell.t1("form-length-got", "count", got)),
                );
            }
            Err(
                error @ (ReviewError::Invalid(_)
                | ReviewError::NotApplicable { .. }
                | ReviewError::NotFound(_)),
            ) => {
                errors.push("datasets", visit.invalid(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    show(&visit, StatusCode::UNPROCESSABLE_ENTITY, typed, errors).await
}

async fn show(
    visit: &Visit,
    status: StatusCode,
    typed: Typed,
    errors: FieldErrors,
) -> Result<Response, Failure> {
    let policy: ReviewPolicy = visit.policy(ReviewPolicy::KIND).await?;
    let choice = |dataset: ProtectedDataset| DatasetChoice {
        chosen: typed.datasets.contains(&dataset.slug),
        dataset,
    };
    let named: Vec<Slug> = typed
        .datasets
        .iter()
        .take(MAX_NAMED)
        .filter_map(|slug| Slug::parse(slug).ok())
        .collect();
    let (datasets, all_datasets) = applicable(visit, &named).await?;
    let page = AccessFormPage {
        shell: visit.shell(Section::Sandbox),
        datasets: datasets.into_iter().map(choice).collect(),
        all_datasets,
        purpose: typed.purpose,
        safeguards: typed.safeguards,
        promised: typed.promised,
        days: policy.working_days,
        errors,
    };
    Ok(respond(status, visit.language(), &page))
}

/// `GET /sandbox/requests/{id}`.
pub(super) async fn access_status(visit: Visit, ApiPath(id): ApiPath<RequestId>) -> Page {
    let view = visit.state.review.load(visit.actor(), id).await?;
    let shell = visit.shell(Section::Sandbox);
    let history = history(&shell, &view);
    let RequestText::Access {
        purpose, safeguards, ..
    } = view.text
    else {
        return Err(Failure::not_found("access request"));
    };
    let datasets = view
        .summary
        .datasets
        .iter()
        .map(|dataset| (dataset.slug.to_string(), shell.words(&dataset.title).to_owned()));
    let reason = view.decisions.last().map(|given| given.reason.clone());
    let page = AccessStatusPage {
        id: id.to_string(),
        datasets: datasets.collect(),
        purpose,
        safeguards,
        state: view.summary.state,
        submitted: view.summary.created_at,
        due: view.summary.deadline,
        reason: reason.filter(|reason| !reason.is_empty()),
        project: view.project.map(|project| project.to_string()),
        history,
        may_withdraw: view.permitted.withdraw,
        shell,
    };
    Ok(respond(StatusCode::OK, visit.language(), &page))
}

/// `POST /sandbox/requests/{id}/withdraw`: whatever was done meanwhile, it is withdrawn as long as it is
/// open.
pub(super) async fn withdraw(visit: Visit, ApiPath(id): ApiPath<RequestId>, Form(form): Form) -> Page {
    visit.check(&form)?;
    let view = visit.state.review.load(visit.actor(), id).await?;
    visit
        .state
        .review
        .withdraw(visit.actor(), id, view.summary.revision)
        .await?;
    Ok(done(&format!("/sandbox/requests/{id}"), Done::Withdrawn))
}

/// `GET /sandbox/projects/{id}`.
pub(super) async fn project(visit: Visit, ApiPath(id): ApiPath<ProjectId>) -> Page {
    if visit.actor().is_anonymous() {
        return Err(visit.refusal());
    }
    let (state, language) = (&visit.state, visit.language());
    let view = state.sandbox.project(visit.actor(), id).await?;
    let list = format!("project/{id}/jobs");
    let before = visit.cursor(&list)?;
    let mut jobs = state
        .sandbox
        .list_jobs(visit.actor(), id, before, JOBS as u64 + 1)
        .await?;
    let more = jobs.len() > JOBS;
    jobs.truncate(JOBS);
    let older = match jobs.last() {
        Some(last) if more => {
            let cursor = cursor::write(&state.cursor_key, &list, &last.job.id)?;
            Some(format!("/sandbox/projects/{id}?cursor={cursor}"))
        }
        _ => None,
    };
    let project = view.project;
    let ended = !project.active || project.expires_at <= state.clock.now();
    let organization = db::organization::load(state.db.read(), project.organization_id).await?;
    let own = visit.actor().organization() == Some(project.organization_id);
    let page = ProjectPage {
        shell: visit.shell(Section::Sandbox),
        id: id.to_string(),
        organization: organization.name.get(language).to_owned(),
        purpose: project.purpose,
        expires: project.closed_at.unwrap_or(project.expires_at),
        ended,
        budgets: budget_rows(&visit, &view.budgets).await?,
        jobs: jobs.iter().map(job_row).collect(),
        may_run: own && !ended && visit.actor().has_role(Role::Analyst),
        older,
    };
    Ok(respond(StatusCode::OK, language, &page))
}

/// The budgets of a project; datasets that are not charged for (L2) have none.
pub(super) async fn budget_rows(visit: &Visit, budgets: &[Budget]) -> Result<Vec<BudgetRow>, Failure> {
    let policy: BudgetPolicy = visit.policy(BudgetPolicy::KIND).await?;
    let row = |budget: &Budget| {
        let (granted, left) = budget.epsilons()?;
        let (spent, spent_share) = budget.spent()?;
        let dataset = &budget.dataset;
        Some(BudgetRow {
            slug: dataset.slug.to_string(),
            title: dataset.metadata.title.get(visit.language()).to_owned(),
            sql_name: dataset.slug.sql_name(),
            granted,
            spent,
            left,
            spent_share,
            window_days: u32::try_from(budget.allocation.as_ref()?.window_days).unwrap_or(u32::MAX),
            jobs_left: count(budget.jobs(policy.job_epsilon)),
            job_epsilon: policy.job_epsilon,
        })
    };
    Ok(budgets
        .iter()
        .filter(|budget| budget.dataset.level != Some(Level::L2))
        .filter_map(row)
        .collect())
}

fn job_row(view: &JobView) -> JobRow {
    let job = &view.job;
    JobRow {
        id: job.id.to_string(),
        sql: shortened(job.sql.as_deref().unwrap_or_default(), 120),
        state: job.state,
        epsilon: if job.reuse_of.is_some() {
            0.0
        } else {
            view.cost.epsilon
        },
        submitted: job.created_at,
        due: job.due_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_characters() {
        assert_eq!(shortened("  研究通勤\n与换乘", 80), "研究通勤");
        assert_eq!(shortened(&"空".repeat(81), 80), format!("{}…", "空".repeat(80)));
        assert_eq!(shortened("", 5), "");
    }
}
