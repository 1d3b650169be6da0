//! Special datasets' answers, as their checkers see them.

use askama::Template;
use model::{Timestamp, UnitDeclaration, Verdict};

use super::job::{JobResult, ResultCell};
use super::shell::{FieldErrors, Shell};

/// An answer in the list.
#[derive(Debug, Clone)]
pub struct CheckRow {
    /// The review's id.
    pub id: String,
    /// The datasets it is about, in the page's language.
    pub subject: String,
    /// The fixed day.
    pub due: Timestamp,
    /// How the reader voted, if so.
    pub own: Option<Verdict>,
}

/// `GET /review/checks`.
#[derive(Debug, Clone, Template)]
#[template(path = "checks.html")]
pub struct ChecksPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Answers that wait, soonest fixed day first.
    pub rows: Vec<CheckRow>,
}

/// The reader's own vote.
#[derive(Debug, Clone)]
pub struct OwnVote {
    /// How they voted.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// When.
    pub moment: Timestamp,
}

/// What was typed into the form for a vote.
#[derive(Debug, Clone, Default)]
pub struct VoteForm {
    /// `verdict`, as chosen.
    pub choice: String,
    /// `reason`.
    pub reason: String,
}

/// `GET /review/checks/{id}`: the noised answer and public facts. Who asked, their query and the other vote are not there.
#[derive(Debug, Clone, Template)]
#[template(path = "check.html")]
pub struct CheckPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The review's id.
    pub id: String,
    /// The datasets it is about, in the page's language.
    pub subject: String,
    /// Slug, title and declared unit of each.
    pub datasets: Vec<(String, String, Option<UnitDeclaration>)>,
    /// The fixed day.
    pub due: Timestamp,
    /// The noised answer: a table for each aggregation.
    pub results: Vec<JobResult>,
    /// The reader's own vote, once given.
    pub own: Option<OwnVote>,
    /// What was typed: `POST /review/checks/{id}/vote` with `verdict` and `reason`.
    pub form: VoteForm,
    /// What is wrong: `verdict`, `reason`.
    pub errors: FieldErrors,
}

impl CheckPage {
    fn verdicts(&self) -> &'static [Verdict] {
        Verdict::ALL
    }

    fn plus_minus(&self, value: &f64, low: &f64, high: &f64) -> Option<String> {
        super::job::plus_minus(*value, *low, *high)
    }
}
