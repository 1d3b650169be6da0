//! The sandbox from outside and from a project: landing page, access requests, projects.

use askama::Template;
use model::{JobState, Level, RequestState, Timestamp};

use super::review::HistoryRow;
use super::shell::{FieldErrors, Shell};

/// A protected dataset that can be applied for.
#[derive(Debug, Clone)]
pub struct ProtectedDataset {
    /// Its slug.
    pub slug: String,
    /// Its title in the page's language.
    pub title: String,
    /// Its level.
    pub level: Level,
    /// The department's name.
    pub department: String,
    /// Whether people review results too.
    pub special: bool,
}

/// A project in a list.
#[derive(Debug, Clone)]
pub struct ProjectRow {
    /// Its id.
    pub id: String,
    /// What it is for, shortened.
    pub purpose: String,
    /// Titles of its datasets.
    pub datasets: Vec<String>,
    /// When it ends.
    pub expires: Timestamp,
}

/// A request in a list.
#[derive(Debug, Clone)]
pub struct RequestRow {
    /// Its id.
    pub id: String,
    /// Titles of the datasets asked for.
    pub datasets: Vec<String>,
    /// Where it stands.
    pub state: RequestState,
    /// When it was sent.
    pub submitted: Timestamp,
}

/// `GET /sandbox`: what it is, for everybody; one's projects and requests, for analysts.
#[derive(Debug, Clone, Template)]
#[template(path = "sandbox.html")]
pub struct SandboxPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Datasets that can be applied for.
    pub datasets: Vec<ProtectedDataset>,
    /// How many there are, if there are more.
    pub all_datasets: Option<u64>,
    /// The organisation's projects, newest first.
    pub projects: Vec<ProjectRow>,
    /// The address of the next page of the projects.
    pub more_projects: Option<String>,
    /// The organisation's requests, newest first.
    pub requests: Vec<RequestRow>,
    /// The address of the next page of the requests.
    pub more_requests: Option<String>,
    /// Whether the reader is an analyst: shows the lists.
    pub analyst: bool,
}

/// A dataset to choose in the form.
#[derive(Debug, Clone)]
pub struct DatasetChoice {
    /// The dataset.
    pub dataset: ProtectedDataset,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// `GET /sandbox/apply?dataset=` and `POST` with `datasets` (slugs, repeated), `purpose`, `safeguards`, `promise=yes`.
#[derive(Debug, Clone, Template)]
#[template(path = "access_form.html")]
pub struct AccessFormPage {
    /// What surrounds the page; an analyst is signed in.
    pub shell: Shell,
    /// Datasets that can be applied for.
    pub datasets: Vec<DatasetChoice>,
    /// How many there are, if there are more.
    pub all_datasets: Option<u64>,
    /// What for, as typed.
    pub purpose: String,
    /// How results and accounts are kept safe, as typed.
    pub safeguards: String,
    /// Whether `promise` is ticked.
    pub promised: bool,
    /// Working days within which the bureau decides, as configured.
    pub days: u32,
    /// What is wrong: `datasets`, `purpose`, `safeguards`, `promise`.
    pub errors: FieldErrors,
}

/// `GET /sandbox/requests/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "access_status.html")]
pub struct AccessStatusPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The request's id.
    pub id: String,
    /// Slug and title of each dataset asked for.
    pub datasets: Vec<(String, String)>,
    /// What for.
    pub purpose: String,
    /// How results and accounts are kept safe.
    pub safeguards: String,
    /// Where it stands.
    pub state: RequestState,
    /// When it was sent.
    pub submitted: Timestamp,
    /// When the legal days end.
    pub due: Timestamp,
    /// The reason of the decision.
    pub reason: Option<String>,
    /// The project that came of it.
    pub project: Option<String>,
    /// What was done so far, oldest first.
    pub history: Vec<HistoryRow>,
    /// Whether the reader may take it back: `POST /sandbox/requests/{id}/withdraw`.
    pub may_withdraw: bool,
}

/// The privacy budget of a project on one dataset.
#[derive(Debug, Clone)]
pub struct BudgetRow {
    /// The dataset's slug.
    pub slug: String,
    /// Its title in the page's language.
    pub title: String,
    /// Its SQL name.
    pub sql_name: String,
    /// ε promised to the project in its window (a display; the account is kept in ρ).
    pub granted: f64,
    /// ε spent in the window.
    pub spent: f64,
    /// ε left.
    pub left: f64,
    /// The share of ρ spent, 0 to 1: ε does not add, ρ does, so this is what the bar shows.
    pub spent_share: f64,
    /// The window in days.
    pub window_days: u32,
    /// How many more jobs of `job_epsilon` fit.
    pub jobs_left: u64,
    /// The ε of such a job.
    pub job_epsilon: f64,
}

/// A job in a list.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// Its id.
    pub id: String,
    /// The first line of its SQL.
    pub sql: String,
    /// Where it stands.
    pub state: JobState,
    /// Its ε.
    pub epsilon: f64,
    /// When it was sent.
    pub submitted: Timestamp,
    /// When its answer can be read.
    pub due: Timestamp,
}

/// `GET /sandbox/projects/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "project.html")]
pub struct ProjectPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The project's id.
    pub id: String,
    /// The organisation's name.
    pub organization: String,
    /// What it is for.
    pub purpose: String,
    /// When it ends.
    pub expires: Timestamp,
    /// Whether it is over.
    pub ended: bool,
    /// One row per dataset.
    pub budgets: Vec<BudgetRow>,
    /// Its jobs, newest first.
    pub jobs: Vec<JobRow>,
    /// Whether the reader may send jobs.
    pub may_run: bool,
    /// The address of older jobs.
    pub older: Option<String>,
}

impl ProjectPage {
    /// The width of the spent part of a budget's bar, in percent.
    fn spent_width(&self, budget: &BudgetRow) -> String {
        format!("{:.1}", (budget.spent_share * 100.0).clamp(0.0, 100.0))
    }
}
