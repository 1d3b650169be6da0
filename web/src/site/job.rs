//! Private jobs: estimating, sending, reading the answer.

use axum::response::{IntoResponse, Response};
use db::idempotency::{Attempt, Claim};
use db::usage::UsageKind;
use http::{HeaderValue, StatusCode, header};
use ledger::Receipt;
use model::{BudgetPolicy, DeclaredMetadata, JobId, JobState, Language, ProjectId};
use sandbox_job::{
    About, Answer, BoundingCase, Budget, EpsilonRule, Estimate, JobError, JobView, PartEstimate, Precision,
    Price, ProjectView,
};
use sandbox_plan::release::OTHER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::open_sql;
use super::sandbox::{budget_rows, shortened};
use super::visit::{Form, Page, Visit, count, see_other};
use crate::api::extract::ApiPath;
use crate::failure::{self, Failure};
use crate::page::job::{
    EstimateOutcome, ExpectedError, JobPage, JobResult, JobTable, NewJobPage, Noise, ProofState, ReceiptView,
    ResultCell, ResultColumn, Unnamed,
};
use crate::page::{FieldErrors, Section, respond};
use crate::problem::Code;

/// What is typed into the form of a job.
struct Typed {
    sql: String,
    epsilon: String,
    /// The column that must be so exact, and half the width of its interval.
    column: String,
    half_width: String,
    key: String,
}

/// What came of estimating or sending: shown beside the form.
struct Outcome {
    status: StatusCode,
    estimate: EstimateOutcome,
    errors: FieldErrors,
}

impl Outcome {
    fn nothing() -> Self {
        Self {
            status: StatusCode::OK,
            estimate: EstimateOutcome::None,
            errors: FieldErrors::default(),
        }
    }
}

/// `GET /sandbox/projects/{id}/jobs/new`.
pub(super) async fn form(visit: Visit, ApiPath(id): ApiPath<ProjectId>) -> Page {
    let view = project(&visit, id).await?;
    let policy: BudgetPolicy = visit.policy(BudgetPolicy::KIND).await?;
    let typed = Typed {
        sql: visit.query.text("sql").to_owned(),
        epsilon: policy.job_epsilon.to_string(),
        column: String::new(),
        half_width: String::new(),
        key: fresh_key(),
    };
    show(&visit, &view, typed, Outcome::nothing()).await
}

/// The project, for those who work in it.
async fn project(visit: &Visit, id: ProjectId) -> Result<ProjectView, Failure> {
    if visit.actor().is_anonymous() {
        return Err(visit.refusal());
    }
    let view = visit.state.sandbox.project(visit.actor(), id).await;
    let view = view?;
    if visit.actor().organization() != Some(view.project.organization_id) {
        return Err(visit.refusal());
    }
    Ok(view)
}

fn fresh_key() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// `POST /sandbox/projects/{id}/jobs/new`.
pub(super) async fn send(visit: Visit, ApiPath(id): ApiPath<ProjectId>, Form(form): Form) -> Page {
    visit.check(&form)?;
    let view = project(&visit, id).await?;
    let mut typed = Typed {
        sql: form.text("sql").to_owned(),
        epsilon: form.text("epsilon").trim().to_owned(),
        column: form.text("column").trim().to_owned(),
        half_width: form.text("half_width").trim().to_owned(),
        key: form.text("idempotency_key").to_owned(),
    };
    let mut outcome = Outcome::nothing();
    if typed.sql.trim().is_empty() {
        outcome.errors.push("sql", visit.missing("sql-label"));
    }
    let precise = form.text("action") == "precision";
    let (control, text) = if precise {
        ("half_width", &typed.half_width)
    } else {
        ("epsilon", &typed.epsilon)
    };
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
    if number.is_none() {
        outcome.errors.push(control, visit.t("form-number"));
    }
    let (Some(number), true) = (number, outcome.errors.is_empty()) else {
        outcome.status = StatusCode::UNPROCESSABLE_ENTITY;
        return show(&visit, &view, typed, outcome).await;
    };
    if form.text("action") == "run" {
        match submit(&visit, id, &typed, number).await? {
            Ok(job) => return Ok(see_other(&format!("/sandbox/jobs/{job}"))),
            Err(error) => told(&visit, error, &mut outcome)?,
        }
    } else {
        let price = if precise {
            Price::Precision(Precision {
                column: Some(typed.column.clone()).filter(|column| !column.is_empty()),
                half_width: number,
                relative: false,
            })
        } else {
            Price::Epsilon(number)
        };
        let sandbox = &visit.state.sandbox;
        match sandbox.estimate(visit.actor(), id, &typed.sql, &price).await {
            Ok(estimate) => {
                // What was found is what would be run.
                typed.epsilon = estimate.cost.epsilon.to_string();
                outcome.estimate = estimated(&visit, &estimate);
            }
            Err(error) => told(&visit, error, &mut outcome)?,
        }
    }
    show(&visit, &view, typed, outcome).await
}

/// Sends a job once for each filling of the form: a form that is sent twice leads to the first one's job.
async fn submit(
    visit: &Visit,
    project: ProjectId,
    typed: &Typed,
    epsilon: f64,
) -> Result<Result<JobId, JobError>, Failure> {
    let state = &visit.state;
    let (user, _) = visit.actor().person()?;
    let path = format!("/sandbox/projects/{project}/jobs/new");
    let mut hash = Sha256::new();
    hash.update(epsilon.to_bits().to_be_bytes());
    hash.update(typed.sql.as_bytes());
    let keyed = (1..=255).contains(&typed.key.len()) && typed.key.bytes().all(|byte| byte.is_ascii_graphic());
    let mut claimed = false;
    if keyed {
        let attempt = Attempt {
            actor: user.as_uuid(),
            key: &typed.key,
            method: "POST",
            path: &path,
            body_hash: hash.finalize().into(),
        };
        let tx = state.db.begin_write().await?;
        let claim = db::idempotency::claim(&tx, &attempt, state.clock.now()).await?;
        tx.commit().await?;
        match claim {
            Claim::New => claimed = true,
            Claim::Answered { response, .. } => {
                let job = std::str::from_utf8(&response).ok().and_then(|id| id.parse().ok());
                return job.map(Ok).ok_or_else(Failure::internal);
            }
            Claim::InProgress => {
                return Err(Failure::say(Code::IdempotencyInProgress, "why-sent-already"));
            }
            // Another question in the same form: a job of its own.
            Claim::Mismatch => {}
        }
    }
    let sent = state
        .sandbox
        .submit(visit.actor(), project, &typed.sql, epsilon)
        .await;
    if claimed {
        let tx = state.db.begin_write().await?;
        match &sent {
            Ok(job) => {
                let id = job.job.id.to_string();
                let status = StatusCode::SEE_OTHER.as_u16();
                db::idempotency::complete(&tx, user.as_uuid(), &typed.key, status, id.as_bytes()).await?;
            }
            Err(_) => db::idempotency::release(&tx, user.as_uuid(), &typed.key).await?,
        }
        tx.commit().await?;
    }
    if sent.is_ok() {
        state.usage.count(UsageKind::Job, "sandbox");
    }
    Ok(sent.map(|job| job.job.id))
}

/// What the sandbox has against a job, where the form shows it. Nothing was charged.
fn told(visit: &Visit, error: JobError, outcome: &mut Outcome) -> Result<(), Failure> {
    outcome.status = StatusCode::UNPROCESSABLE_ENTITY;
    match error {
        JobError::Refused(refused) => {
            let problem = failure::refusal(&refused);
            outcome.estimate = EstimateOutcome::Refused(open_sql::failure(visit, &problem));
        }
        JobError::BudgetExhausted(shortage) => {
            let message = visit.invalid(&shortage);
            outcome.estimate = EstimateOutcome::Exhausted { message };
        }
        JobError::Invalid(rule) => {
            let control = match rule {
                EpsilonRule::HalfWidth(_) | EpsilonRule::Precision { .. } | EpsilonRule::Ranks { .. } => {
                    "half_width"
                }
                EpsilonRule::Column { .. } => "column",
                EpsilonRule::Range { .. } | EpsilonRule::TooSmall(_) => "epsilon",
            };
            outcome.errors.push(control, visit.invalid(&rule));
        }
        other => return Err(other.into()),
    }
    Ok(())
}

fn estimated(visit: &Visit, estimate: &Estimate) -> EstimateOutcome {
    let Some(after) = &estimate.budgets_after else {
        return EstimateOutcome::Exhausted {
            message: visit.t("estimate-too-much"),
        };
    };
    let left = |budget: &Budget| {
        let title = budget.dataset.metadata.title.get(visit.language()).to_owned();
        Some((title, budget.epsilons()?.1))
    };
    let expected = |error: &sandbox_job::AggregateError| ExpectedError {
        column: match error.at_rows {
            None if error.in_ranks => {
                let shell = visit.shell(Section::Sandbox);
                shell.t1("estimate-in-ranks", "column", error.column.as_str())
            }
            None => error.column.clone(),
            Some(rows) => {
                let told = if error.even_values {
                    "estimate-even-values"
                } else {
                    "estimate-at-rows"
                };
                let name = ("column", error.column.as_str());
                visit.shell(Section::Sandbox).t2(told, &name, &("rows", rows))
            }
        },
        scale: error.standard_deviation,
        half_width: error.half_width95,
        cells: Some(u64::from(estimate.cells())),
    };
    EstimateOutcome::Accepted {
        epsilon: estimate.cost.epsilon,
        rho: estimate.cost.rho(),
        after: after.iter().filter_map(left).collect(),
        jobs_left: count(estimate.questions_left),
        paid_before: estimate.cost.rho_paid_before(),
        parts: estimate.parts.len() as u64,
        counted: counted(visit, estimate),
        about: estimate
            .about
            .iter()
            .map(|about| about_units(visit, about))
            .collect(),
        errors: estimate.expected_error.iter().map(expected).collect(),
        due_in_s: estimate
            .due_in
            .as_millis()
            .div_ceil(1_000)
            .try_into()
            .unwrap_or(u64::MAX),
        checked_until: estimate.checked_until,
        repeat: estimate.already_paid,
        shown_from: estimate.parts.iter().filter_map(|part| part.shown_from).max(),
        by_rows: estimate
            .expected_error
            .iter()
            .any(|error| error.at_rows.is_some()),
    }
}

/// What of one unit counts, in each aggregation; what is said of several is said once.
fn counted(visit: &Visit, estimate: &Estimate) -> String {
    let mut said: Vec<String> = Vec::new();
    for part in &estimate.parts {
        let counted = counted_in(visit, part);
        if !said.contains(&counted) {
            said.push(counted);
        }
    }
    said.join(if visit.language() == Language::Zh {
        "；"
    } else {
        "; "
    })
}

/// The units that a query is about.
fn about_units(visit: &Visit, about: &About) -> String {
    let between = if visit.language() == Language::Zh {
        "、"
    } else {
        ", "
    };
    let values = about.values.join(between);
    visit.shell(Section::Sandbox).t2(
        "estimate-about-units",
        &("field", about.field.as_str()),
        &("values", values.as_str()),
    )
}

fn counted_in(visit: &Visit, part: &PartEstimate) -> String {
    let shell = visit.shell(Section::Sandbox);
    let (rows, groups) = (u64::from(part.rows_per_unit), u64::from(part.groups_per_unit));
    match part.bounding {
        BoundingCase::OneRow => shell.t("estimate-counted-row"),
        BoundingCase::OneGroup => shell.t1("estimate-counted-group", "rows", rows),
        BoundingCase::EveryGroup => shell.t1("estimate-counted-every", "rows", rows),
        BoundingCase::ChosenGroups => {
            shell.t2("estimate-counted-chosen", &("rows", rows), &("groups", groups))
        }
    }
}

async fn show(
    visit: &Visit,
    view: &ProjectView,
    typed: Typed,
    outcome: Outcome,
) -> Result<Response, Failure> {
    let policy: BudgetPolicy = visit.policy(BudgetPolicy::KIND).await?;
    let fields = |declared: &DeclaredMetadata| declared.fields().to_vec();
    let tables = view
        .budgets
        .iter()
        .map(|budget| &budget.dataset)
        .map(|dataset| JobTable {
            name: dataset.slug.sql_name(),
            title: dataset.metadata.title.get(visit.language()).to_owned(),
            fields: dataset.declared.as_ref().map(fields).unwrap_or_default(),
        });
    let page = NewJobPage {
        shell: visit.shell(Section::Sandbox),
        project: view.project.id.to_string(),
        purpose: shortened(&view.project.purpose, 80),
        tables: tables.collect(),
        budgets: budget_rows(visit, &view.budgets).await?,
        sql: typed.sql,
        epsilon: typed.epsilon,
        column: typed.column,
        half_width: typed.half_width,
        max_epsilon: policy.job_epsilon,
        idempotency_key: if typed.key.is_empty() {
            fresh_key()
        } else {
            typed.key
        },
        estimate: outcome.estimate,
        errors: outcome.errors,
    };
    Ok(respond(outcome.status, visit.language(), &page))
}

/// `GET /sandbox/jobs/{id}`.
pub(super) async fn job(visit: Visit, ApiPath(id): ApiPath<JobId>) -> Page {
    if visit.actor().is_anonymous() {
        return Err(visit.refusal());
    }
    let (state, language) = (&visit.state, visit.language());
    let JobView { job, cost } = state.sandbox.job(visit.actor(), id).await?;
    let answered = match job.state {
        JobState::Released => match state.sandbox.result(visit.actor(), id).await {
            Ok(answered) => Some(answered),
            // The bureau sees what was spent, not what was answered.
            Err(JobError::Denied(_)) => None,
            Err(error) => return Err(error.into()),
        },
        _ => None,
    };
    let keys = match &answered {
        Some(_) => {
            let project = state.sandbox.project(visit.actor(), job.project_id).await?;
            let declared = project.budgets.iter().map(|budget| &budget.dataset.declared);
            Keys::of(job.sql.as_deref(), declared.flatten())
        }
        None => Keys::of(job.sql.as_deref(), []),
    };
    let (answer, receipt) = answered.map_or((None, None), |(answer, receipt)| (Some(answer), receipt));
    let withheld = match job.state {
        JobState::Withheld => Some(state.sandbox.withheld_because(visit.actor(), id).await?),
        _ => None,
    };
    let wait = count(job.due_at.micros_since(state.clock.now()));
    let repeat = job.reuse_of.is_some();
    let page = JobPage {
        shell: visit.shell(Section::Sandbox),
        id: id.to_string(),
        project: job.project_id.to_string(),
        state: job.state,
        submitted: job.created_at,
        due: job.due_at,
        due_in_s: wait.div_ceil(1_000_000),
        checked: job.due_at != job.answer_due_at,
        withheld,
        sql: job.sql.unwrap_or_default(),
        epsilon: if repeat { 0.0 } else { cost.epsilon },
        rho: cost.rho(),
        tops_up: job.tops_up.map(|id| (id.to_string(), cost.rho_paid_before())),
        repeat,
        result: answer.map(|answer| result(answer, keys)),
        receipt: receipt.as_ref().map(receipt_view).transpose()?,
    };
    Ok(respond(StatusCode::OK, language, &page))
}

/// How keys that are no values of their columns are told from those that are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    /// Whether the word of the cell for values outside a domain can be nothing else.
    other: bool,
    /// Whether rows of totals have NULL for keys.
    totals: bool,
}

impl Keys {
    /// The keys of an answer to this query over these datasets; without the query its cells are as they were noised.
    pub(super) fn of<'a>(
        sql: Option<&str>,
        declared: impl IntoIterator<Item = &'a DeclaredMetadata>,
    ) -> Self {
        let is_value = |declared: &DeclaredMetadata| {
            let mut domains = declared.fields().iter().filter_map(|field| field.domain.as_ref());
            domains.any(|domain| domain.values().iter().any(|value| value == OTHER))
        };
        let sql = sql.unwrap_or_default();
        let words = sql.to_uppercase();
        Self {
            other: !declared.into_iter().any(is_value) && !sql.contains(&format!("'{OTHER}'")),
            totals: ["ROLLUP", "CUBE", "GROUPING"]
                .iter()
                .any(|word| words.contains(word)),
        }
    }

    fn read(self, value: Value) -> ResultCell {
        match value {
            Value::Null if self.totals => ResultCell::Unnamed(Unnamed::MissingOrTotal),
            Value::Null => ResultCell::Unnamed(Unnamed::Missing),
            Value::String(text) if text == OTHER && self.other => ResultCell::Unnamed(Unnamed::Other),
            Value::String(text) => ResultCell::Key(text),
            other => ResultCell::Key(other.to_string()),
        }
    }
}

pub(super) fn result(answer: Answer, keys: Keys) -> JobResult {
    let chosen = answer
        .parts
        .iter()
        .filter(|part| part.bounding == BoundingCase::ChosenGroups);
    let left_out = chosen.map(|part| u64::from(part.groups_per_unit)).min();
    let columns = answer.columns.into_iter().map(|column| ResultColumn {
        name: column.name,
        interval: column.interval,
        noise: column.noise.map(|noise| Noise {
            mechanism: noise.mechanism,
            scale: noise.scale,
        }),
    });
    let columns: Vec<ResultColumn> = columns.collect();
    let rows = answer.rows.into_iter().map(|row| {
        let cells = row.values.into_iter().zip(row.interval95).zip(&columns);
        cells
            .map(|((value, interval), column)| cell(value, interval, column.interval, keys))
            .collect()
    });
    let rows = rows.collect();
    JobResult {
        columns,
        rows,
        left_out,
    }
}

fn cell(value: Value, interval: Option<[f64; 2]>, noised: bool, keys: Keys) -> ResultCell {
    match (noised, value.as_f64(), interval) {
        (true, Some(value), Some([low, high])) => ResultCell::Noised { value, low, high },
        (true, ..) => ResultCell::Undefined,
        (false, ..) => keys.read(value),
    }
}

fn receipt_view(receipt: &Receipt) -> Result<ReceiptView, Failure> {
    let leaf = receipt.leaf().hash().map_err(|_| Failure::internal())?;
    let proof = receipt.inclusion().and_then(|inclusion| {
        // A checkpoint's second line is the size of its tree (C2SP tlog-checkpoint).
        let size = inclusion.checkpoint.lines().nth(1)?.parse().ok()?;
        Some(ProofState::Proven {
            index: inclusion.index,
            size,
        })
    });
    Ok(ReceiptView {
        leaf: leaf.to_base64(),
        proof: proof.unwrap_or(ProofState::Pending),
    })
}

/// `GET /sandbox/jobs/{id}/result.csv`.
pub(super) async fn result_csv(visit: Visit, ApiPath(id): ApiPath<JobId>) -> Page {
    let (answer, _) = answer(&visit, id).await?;
    Ok(attachment(
        &format!("{id}.csv"),
        "text/csv; charset=utf-8; header=present",
        answer.to_csv(),
    ))
}

/// `GET /sandbox/jobs/{id}/receipt.json`: pending or proven, as the receipt itself says.
pub(super) async fn receipt(visit: Visit, ApiPath(id): ApiPath<JobId>) -> Page {
    let (_, receipt) = answer(&visit, id).await?;
    let receipt = receipt.ok_or_else(|| Failure::not_found("receipt"))?;
    let text = serde_json::to_string_pretty(&receipt).map_err(|_| Failure::internal())?;
    Ok(attachment(
        &format!("{id}.receipt.json"),
        "application/json",
        text,
    ))
}

async fn answer(visit: &Visit, id: JobId) -> Result<(Answer, Option<Receipt>), Failure> {
    if visit.actor().is_anonymous() {
        return Err(visit.refusal());
    }
    let answer = visit.state.sandbox.result(visit.actor(), id).await;
    Ok(answer?)
}

fn attachment(name: &str, media_type: &'static str, body: String) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_keys_or_values_with_their_interval() {
        let keys = Keys::of(None, []);
        let cell = |value, interval, noised| cell(value, interval, noised, keys);
        assert!(matches!(cell(json!("湖滨区"), None, false), ResultCell::Key(key) if key == "湖滨区"));
        assert!(matches!(cell(json!(7), None, false), ResultCell::Key(key) if key == "7"));
        assert!(matches!(
            cell(json!(null), None, false),
            ResultCell::Unnamed(Unnamed::Missing)
        ));
        assert!(matches!(cell(json!(null), None, true), ResultCell::Undefined));
        match cell(json!(-3), Some([-5.0, -1.0]), true) {
            ResultCell::Noised { value, low, high } => assert_eq!((value, low, high), (-3.0, -5.0, -1.0)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_cell_of_other_values_is_told_from_a_value_of_that_name() {
        let declared = |domain: serde_json::Value| -> DeclaredMetadata {
            serde_json::from_value(json!({"fields": [
                {"name": "sex", "type": "text", "level": "L1", "domain": domain},
            ]}))
            .unwrap()
        };
        let (plain, named) = (declared(json!(["男", "女"])), declared(json!(["male", "other"])));
        let group = "SELECT sex, COUNT(*) FROM t GROUP BY sex";
        let case = "SELECT CASE WHEN sex = '男' THEN 'm' ELSE 'other' END, COUNT(*) FROM t GROUP BY 1";
        for (sql, declared, is_cell) in [
            (group, &plain, true),
            (group, &named, false),
            (case, &plain, false),
        ] {
            let read = Keys::of(Some(sql), [declared]).read(json!("other"));
            assert_eq!(
                matches!(read, ResultCell::Unnamed(Unnamed::Other)),
                is_cell,
                "{sql}: {read:?}"
            );
        }
        let totals = Keys::of(Some("SELECT sex, COUNT(*) FROM t GROUP BY rollup(sex)"), [&plain]);
        assert!(matches!(
            totals.read(json!(null)),
            ResultCell::Unnamed(Unnamed::MissingOrTotal)
        ));
    }
}
