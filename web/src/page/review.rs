//! Requests to advise on and to decide.

use askama::Template;
use model::{
    Decision, EntryMetadata, FieldDeclaration, Level, Opinion, RequestState, Timestamp, UnitDeclaration,
};

use super::chart::Histogram;
use super::dataset::ColumnProfile;
use super::loss::Losses;
use super::shell::{FieldErrors, Shell};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// 发布申请: release a version.
    Release,
    /// 开放申请: use conditional data.
    Access,
}

impl RequestKind {
    const fn key(self) -> &'static str {
        match self {
            Self::Release => "review-kind-release",
            Self::Access => "review-kind-access",
        }
    }
}

/// A request in the list.
#[derive(Debug, Clone)]
pub struct InboxRow {
    /// Its id.
    pub id: String,
    /// What is asked for.
    pub kind: RequestKind,
    /// The dataset's title or the titles of the datasets, in the page's language.
    pub subject: String,
    /// The highest level concerned.
    pub level: Level,
    /// Who asks.
    pub organization: String,
    /// Where it stands.
    pub state: RequestState,
    /// When it was sent.
    pub submitted: Timestamp,
    /// When the legal days end.
    pub due: Timestamp,
    /// Whether they have ended.
    pub overdue: bool,
    /// Whether the reader has to act on it.
    pub mine: bool,
}

/// `GET /review?state=open|closed`.
#[derive(Debug, Clone, Template)]
#[template(path = "inbox.html")]
pub struct InboxPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Whether closed requests are listed.
    pub closed: bool,
    /// How many are open.
    pub open_count: u64,
    /// Those listed: open ones by deadline, closed ones newest first.
    pub rows: Vec<InboxRow>,
    /// The address of the next page of the list.
    pub next: Option<String>,
    /// How many answers about special datasets wait for the reader's vote, if they check any.
    pub checks: Option<u64>,
}

/// An act in the history of a request.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    /// When.
    pub moment: Timestamp,
    /// Who: organisation and role in the page's language.
    pub actor: String,
    /// What, in the page's language.
    pub act: String,
    /// The reason or opinion given.
    pub text: Option<String>,
}

/// What an assessor found.
#[derive(Debug, Clone)]
pub struct OpinionRow {
    /// The assessing organisation's name.
    pub organization: String,
    /// Its finding.
    pub opinion: Opinion,
    /// Its reasons.
    pub text: String,
    /// When.
    pub moment: Timestamp,
}

/// What is asked for, with the evidence that this reader may see.
#[derive(Debug, Clone)]
pub enum Evidence {
    /// A version to release.
    Release {
        /// The dataset's slug.
        slug: String,
        /// The version's number; an entry of level L4 has none.
        number: Option<u32>,
        /// The catalogue's description (recipe included).
        entry: Box<EntryMetadata>,
        /// Declared fields.
        fields: Vec<FieldDeclaration>,
        /// Whom the guarantee protects.
        unit: Option<UnitDeclaration>,
        /// Rows, for trusted roles; never for assessors.
        rows: Option<u64>,
        /// Profiles, for trusted roles; never for assessors.
        profiles: Vec<ColumnProfile>,
        /// The officer's note.
        note: String,
    },
    /// Datasets to use.
    Access {
        /// Slug, title and level of each.
        datasets: Vec<(String, String, Level)>,
        /// What for.
        purpose: String,
        /// How results and accounts are kept safe.
        safeguards: String,
        /// ε left of each lineage that can still be promised to projects.
        available: Vec<(String, f64)>,
        /// The privacy losses of the datasets, for those who decide.
        losses: Losses,
    },
}

/// What the reader may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewAct {
    /// Give an opinion: `POST /review/{id}/opinion` with `opinion` (`safe`, `unsafe`) and `text`.
    Advise,
    /// Decide: `POST /review/{id}/decision` with `decision`, `reason` and, for access, `epsilon` and `days`.
    Decide,
    /// Read only; the page says why.
    Read(ReadOnly),
}

/// Why a reader can only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOnly {
    /// Nobody decides on their own organisation's request.
    OwnOrganization,
    /// Waits for somebody else.
    NotYours,
    /// It is closed.
    Closed,
}

impl ReadOnly {
    const fn key(self) -> &'static str {
        match self {
            Self::OwnOrganization => "review-read-own",
            Self::NotYours => "review-read-not-yours",
            Self::Closed => "review-read-closed",
        }
    }
}

/// What was typed into the form for an opinion or decision.
#[derive(Debug, Clone, Default)]
pub struct ReviewForm {
    /// `opinion` or `decision`, as chosen.
    pub choice: String,
    /// `text` or `reason`.
    pub text: String,
    /// `epsilon`.
    pub epsilon: String,
    /// `days`.
    pub days: String,
    /// The revision the reader saw; sent back as `revision` and compared like `If-Match`.
    pub revision: String,
}

/// `GET /review/{id}`.
#[derive(Debug, Clone, Template)]
#[template(path = "review.html")]
pub struct ReviewPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The request's id.
    pub id: String,
    /// What is asked for.
    pub kind: RequestKind,
    /// What it is about, in the page's language.
    pub subject: String,
    /// The highest level concerned.
    pub level: Level,
    /// Who asks.
    pub organization: String,
    /// Where it stands.
    pub state: RequestState,
    /// When it was sent.
    pub submitted: Timestamp,
    /// When the legal days end.
    pub due: Timestamp,
    /// Whether they have ended.
    pub overdue: bool,
    /// What can be looked at.
    pub evidence: Evidence,
    /// Opinions; an assessor sees others' only after giving their own.
    pub opinions: Vec<OpinionRow>,
    /// What was done so far, oldest first.
    pub history: Vec<HistoryRow>,
    /// What the reader may do.
    pub act: ReviewAct,
    /// The most ε of a project, as configured.
    pub max_epsilon: f64,
    /// What was typed.
    pub form: ReviewForm,
    /// What is wrong: `opinion`, `decision`, `text`, `reason`, `epsilon`, `days`.
    pub errors: FieldErrors,
}

impl ReviewPage {
    fn histogram(&self, profile: &ColumnProfile) -> Histogram {
        Histogram::new(
            self.shell.t1("profile-histogram", "column", &profile.name),
            &profile.bars,
        )
    }

    /// Whether an assessor found it unsafe: then it cannot be approved.
    fn is_blocked(&self) -> bool {
        self.opinions
            .iter()
            .any(|opinion| opinion.opinion == Opinion::Unsafe)
    }

    fn decisions(&self) -> &'static [Decision] {
        Decision::ALL
    }

    fn findings(&self) -> &'static [Opinion] {
        Opinion::ALL
    }

    fn is_access(&self) -> bool {
        self.kind == RequestKind::Access
    }
}
