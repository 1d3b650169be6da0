//! Private jobs: writing one, and its answer.

use askama::Template;
use i18n::format;
use model::{FieldDeclaration, JobState, Timestamp};

use super::chart::{Estimate, EstimateChart, LabelPart};
use super::open_sql::SqlFailure;
use super::sandbox::BudgetRow;
use super::shell::{FieldErrors, Shell};

/// A dataset's schema, for those who write a job.
#[derive(Debug, Clone)]
pub struct JobTable {
    /// Its SQL name.
    pub name: String,
    /// The dataset's title in the page's language.
    pub title: String,
    /// Declared fields; direct identifiers are not in the sandbox.
    pub fields: Vec<FieldDeclaration>,
}

/// The expected error of one column of the answer.
#[derive(Debug, Clone)]
pub struct ExpectedError {
    /// The column.
    pub column: String,
    /// The noise's scale (standard deviation).
    pub scale: f64,
    /// Half the width of the 95 % interval.
    pub half_width: f64,
    /// How many cells the column has, if that is public.
    pub cells: Option<u64>,
}

/// What an estimate says; data untouched.
#[derive(Debug, Clone)]
pub enum EstimateOutcome {
    /// Nothing was estimated yet.
    None,
    /// The job would be taken.
    Accepted {
        /// ε it would cost.
        epsilon: f64,
        /// ρ it would cost.
        rho: f64,
        /// ε left afterwards, per dataset title.
        after: Vec<(String, f64)>,
        /// How many more jobs of this kind fit afterwards.
        jobs_left: u64,
        /// How many aggregations are noised, each on its own.
        parts: u64,
        /// What of one unit counts, in the page's language.
        counted: String,
        /// Of datasets of which it is about some units only, which, in the page's language.
        about: Vec<String>,
        /// The expected error of each noised column.
        errors: Vec<ExpectedError>,
        /// Seconds until its answer could be read.
        due_in_s: u64,
        /// The fixed day of its checkers, if a dataset is special.
        checked_until: Option<Timestamp>,
        /// ρ that the same answer had cost at a smaller ε: this much less is charged.
        paid_before: f64,
        /// Whether the same job was answered before: free.
        repeat: bool,
        /// The noised count of units from which a found group is shown, if groups are found.
        shown_from: Option<u64>,
        /// Whether an error is told for a cell of so many rows, and would be another for more.
        by_rows: bool,
    },
    /// The rules refuse it. Nothing is charged.
    Refused(SqlFailure),
    /// Too little budget is left.
    Exhausted {
        /// What is missing, in the page's language.
        message: String,
    },
}

/// `GET /sandbox/projects/{id}/jobs/new?sql=` and `POST` with `sql`, `epsilon`, `idempotency_key` and `action`
/// (`estimate`, `precision` with `column` and `half_width`, or `run`).
#[derive(Debug, Clone, Template)]
#[template(path = "new_job.html")]
pub struct NewJobPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The project's id.
    pub project: String,
    /// What the project is for.
    pub purpose: String,
    /// Schemas of its datasets.
    pub tables: Vec<JobTable>,
    /// Budgets of its datasets.
    pub budgets: Vec<BudgetRow>,
    /// The SQL as typed.
    pub sql: String,
    /// ε as typed.
    pub epsilon: String,
    /// The column that must be so exact, as typed.
    pub column: String,
    /// Half the width of its interval, as typed.
    pub half_width: String,
    /// The most ε of one job, as configured.
    pub max_epsilon: f64,
    /// A fresh key, so that sending the form twice runs one job.
    pub idempotency_key: String,
    /// What the estimate says.
    pub estimate: EstimateOutcome,
    /// What is wrong: `sql`, `epsilon`, `column`, `half_width`.
    pub errors: FieldErrors,
}

impl NewJobPage {
    fn failure_excerpt(&self, failure: &SqlFailure) -> Option<(String, String)> {
        failure.excerpt(&self.sql)
    }
}

/// A column of an answer.
#[derive(Debug, Clone)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// Whether its values carry intervals.
    pub interval: bool,
    /// The noise drawn for each value; none for keys and for what is computed from several noised totals.
    pub noise: Option<Noise>,
}

/// Noise as receipts and results name it.
#[derive(Debug, Clone)]
pub struct Noise {
    /// `discrete_gaussian` or `discrete_laplace`.
    pub mechanism: String,
    /// Its scale, in the column's own measure.
    pub scale: f64,
}

impl Noise {
    /// The mechanism in the reader's language.
    fn name(&self, shell: &Shell) -> String {
        match self.mechanism.as_str() {
            "discrete_gaussian" => shell.t("mechanism-discrete-gaussian"),
            "exponential" => shell.t("mechanism-exponential"),
            other => other.to_owned(),
        }
    }
}

/// What a key says that is no value of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unnamed {
    /// All values outside the declared domain.
    Other,
    /// NULL.
    Missing,
    /// NULL in an answer with totals, whose rows have it too.
    MissingOrTotal,
}

impl Unnamed {
    /// Its word; in brackets, so that a value of that name is told from it.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Other => "cell-other",
            Self::Missing => "cell-missing",
            Self::MissingOrTotal => "cell-missing-or-total",
        }
    }

    const fn explanation(self) -> &'static str {
        match self {
            Self::Other => "cell-other-note",
            Self::Missing => "cell-missing-note",
            Self::MissingOrTotal => "cell-missing-or-total-note",
        }
    }
}

/// A cell of an answer.
#[derive(Debug, Clone)]
pub enum ResultCell {
    /// A key: public.
    Key(String),
    /// A key that is no value.
    Unnamed(Unnamed),
    /// A noised value with its 95 % interval.
    Noised {
        /// The value.
        value: f64,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// A value that could not be made (0/0 of noised values).
    Undefined,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct JobResult {
    /// Columns, keys first as asked.
    pub columns: Vec<ResultColumn>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<ResultCell>>,
    /// In how many groups a unit counts, where it may be left out of others.
    pub left_out: Option<u64>,
}

impl JobResult {
    /// What is said below the table of the keys in it that are no values.
    pub(super) fn explanations(&self) -> Vec<&'static str> {
        let has = |wanted: &Unnamed| {
            let is = |cell: &ResultCell| matches!(cell, ResultCell::Unnamed(unnamed) if unnamed == wanted);
            self.rows.iter().flatten().any(is)
        };
        let all = [Unnamed::Other, Unnamed::Missing, Unnamed::MissingOrTotal];
        all.into_iter().filter(has).map(Unnamed::explanation).collect()
    }
}

/// How far a receipt is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofState {
    /// The leaf waits for its place in the log.
    Pending,
    /// The leaf is in the log under a signed checkpoint.
    Proven {
        /// Its index.
        index: u64,
        /// The size of the tree of the checkpoint.
        size: u64,
    },
}

/// What the analyst keeps as proof: `GET /sandbox/jobs/{id}/receipt.json`.
#[derive(Debug, Clone)]
pub struct ReceiptView {
    /// The leaf's hash, base64.
    pub leaf: String,
    /// How far it is proven.
    pub proof: ProofState,
}

/// `GET /sandbox/jobs/{id}`: while it is open the page reloads itself at `due`.
#[derive(Debug, Clone, Template)]
#[template(path = "job.html")]
pub struct JobPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The job's id.
    pub id: String,
    /// Its project's id.
    pub project: String,
    /// Where it stands.
    pub state: JobState,
    /// When it was sent.
    pub submitted: Timestamp,
    /// When its answer can be read: fixed when it was charged.
    pub due: Timestamp,
    /// Seconds from now until then; 0 when that has passed.
    pub due_in_s: u64,
    /// Whether two checkers look at the answer before.
    pub checked: bool,
    /// If it was withheld, why: what checkers said, none where a vote was missing.
    pub withheld: Option<Vec<String>>,
    /// Its SQL.
    pub sql: String,
    /// ε charged; 0 for a stored repeat.
    pub epsilon: f64,
    /// ρ charged.
    pub rho: f64,
    /// The job whose answer it makes more exact, and ρ that this had cost.
    pub tops_up: Option<(String, f64)>,
    /// Whether it repeats a stored answer, for free.
    pub repeat: bool,
    /// The answer, once released.
    pub result: Option<JobResult>,
    /// The receipt.
    pub receipt: Option<ReceiptView>,
}

impl JobPage {
    fn is_open(&self) -> bool {
        !matches!(self.state, JobState::Released | JobState::Withheld)
    }

    /// After how many seconds to look again: at the due time, and then every five.
    fn reload_s(&self) -> u64 {
        self.due_in_s
            .clamp(1, 3_600)
            .max(if self.due_in_s == 0 { 5 } else { 1 })
    }

    /// Whether a column's values all have the same noise, which then is told.
    fn has_plain_noise(&self) -> bool {
        let result = self.result.as_ref();
        result.is_some_and(|result| result.columns.iter().any(|column| column.noise.is_some()))
    }

    /// The answer's noised columns as charts, one each.
    fn charts(&self) -> Vec<EstimateChart> {
        let Some(result) = &self.result else {
            return Vec::new();
        };
        let charts = result
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.interval);
        charts
            .map(|(position, column)| {
                let estimates: Vec<Estimate> = result
                    .rows
                    .iter()
                    .filter_map(|row| match row.get(position) {
                        Some(ResultCell::Noised { value, low, high }) => Some(Estimate {
                            label: self.keys(row, &column.name),
                            value: *value,
                            low: *low,
                            high: *high,
                        }),
                        _ => None,
                    })
                    .collect();
                EstimateChart::new(self.shell.t1("result-chart", "column", &column.name), &estimates)
            })
            .filter(|chart| !chart.is_empty())
            .collect()
    }

    /// What a row is about: its keys, or the column where it has none.
    fn keys(&self, row: &[ResultCell], column: &str) -> Vec<LabelPart> {
        let mut parts = Vec::new();
        for cell in row {
            let part = match cell {
                ResultCell::Key(key) => LabelPart::plain(key),
                ResultCell::Unnamed(unnamed) => LabelPart {
                    text: self.shell.t(unnamed.key()),
                    muted: true,
                },
                ResultCell::Noised { .. } | ResultCell::Undefined => continue,
            };
            if !parts.is_empty() {
                parts.push(LabelPart::plain(" · "));
            }
            parts.push(part);
        }
        if parts.is_empty() {
            parts.push(LabelPart::plain(column));
        }
        parts
    }

    fn plus_minus(&self, value: &f64, low: &f64, high: &f64) -> Option<String> {
        plus_minus(*value, *low, *high)
    }

    /// What is said of the time when it ends.
    const fn due_key(&self) -> &'static str {
        if self.checked {
            "job-decided-at"
        } else {
            "job-due-at"
        }
    }
}

/// Half the width of an interval, if the value is in its middle: else its ends say more.
pub(super) fn plus_minus(value: f64, low: f64, high: f64) -> Option<String> {
    let half = (high - low).abs() / 2.0;
    let off = (value - (low + high) / 2.0).abs();
    (off <= half / 20.0).then(|| format::measured(half))
}
