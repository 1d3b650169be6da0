//! Why a review act did not happen.

use catalog_entry::EntryError;
use model::{Category, RequestState, VersionState};

/// The rule that a request or decision breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Days beyond the policy.
    #[error("days must be 1 to {most}; got {got}")]
    Days {
        /// The most.
        most: u32,
        /// What was asked.
        got: u32,
    },
    /// No dataset, or too many.
    #[error("an access request names 1 to {most} datasets; got {got}")]
    DatasetCount {
        /// The most.
        most: usize,
        /// How many were named.
        got: usize,
    },
    /// A dataset stands twice.
    #[error("the dataset {0} is named twice")]
    DatasetTwice(String),
    /// A budget with something else than the approval of access.
    #[error("a budget goes with the approval of an access request, and with nothing else")]
    BudgetWithoutAccess,
}

/// Why a dataset cannot be submitted for release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreleasable {
    /// Somebody is editing it.
    #[error("its entry was changed this moment; look at it again")]
    EntryChanging,
    /// It has ended.
    #[error("it is retired")]
    Retired,
    /// It is not classified.
    #[error("it has no level yet; classify it and its fields first")]
    Unclassified,
    /// Nothing says whose rows they are.
    #[error("its privacy unit (person, enterprise, household, vehicle or row) is not declared")]
    NoUnit,
    /// The assessor cannot judge it.
    #[error("its recipe (脱敏规则: how the data was de-identified) is not described; the assessor needs it")]
    NoRecipe,
    /// Its data is never released.
    #[error("it is L4 and listed already; its data is never released")]
    ListedAlready,
    /// It does not say why it is not opened.
    #[error("an L4 entry says in its conditions (开放条件) why the data is not opened")]
    NoReason,
    /// No file was read.
    #[error("it has no version that was read; upload its file first")]
    NoVersion,
    /// The file was read before the declaration changed.
    #[error("version {0} was read under an earlier declaration; upload it again")]
    OldDeclaration(i64),
    /// The file is being read.
    #[error("version {0} is still being read; wait for it")]
    StillReading(i64),
    /// The newest version was released.
    #[error("it has no version newer than {0}")]
    NothingNew(i64),
}

/// Why a dataset is not one that is applied for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Inapplicable {
    /// Everybody has it.
    #[error("it is open (L1) and needs no application")]
    Open,
    /// Nobody has it.
    #[error("it is not opened (L4)")]
    Closed,
    /// Not yet.
    #[error("it is not released")]
    Draft,
    /// Not any more.
    #[error("it is retired")]
    Retired,
}

/// How what a request is about differs from what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Change {
    /// Somebody edited the entry.
    #[error("the entry was edited this moment")]
    Edited,
    /// It cannot be released as it is.
    #[error("the dataset cannot be submitted for release: {0}")]
    NotReleasable(Unreleasable),
    /// Another level.
    #[error("the dataset has another level now")]
    Level,
    /// The version moved on.
    #[error("version {number} is {} now", .state.as_str())]
    Version {
        /// Its number.
        number: i64,
        /// Where it stands.
        state: VersionState,
    },
    /// The version went away while it was published.
    #[error("the version is not ready any more")]
    NotReady,
    /// It cannot be applied for any more.
    #[error("{slug} cannot be applied for: {why}")]
    NotApplicable {
        /// Which dataset.
        slug: String,
        /// Why.
        why: Inapplicable,
    },
}

/// Why an act on a request did not happen. Whatever the reason, nothing of the act was written.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The actor may not do this.
    #[error(transparent)]
    Denied(#[from] identity::Denied),
    /// There is no such thing, or the actor may not know of it: the two look alike.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A text is too short, too long or has control characters.
    #[error("{field} has {min} to {max} characters and no control characters but line breaks; got {got}")]
    Text {
        /// Which text.
        field: &'static str,
        /// Its least length in characters.
        min: usize,
        /// Its most.
        max: usize,
        /// What was given, in characters.
        got: usize,
    },
    /// The input breaks another rule.
    #[error(transparent)]
    Invalid(#[from] Rule),
    /// The dataset lacks what a release of its level needs.
    #[error("the dataset cannot be submitted for release: {0}")]
    NotReleasable(Unreleasable),
    /// The dataset is not one that is applied for.
    #[error("{slug} cannot be applied for: {why}")]
    NotApplicable {
        /// Which dataset.
        slug: String,
        /// Why.
        why: Inapplicable,
    },
    /// A release request of the dataset is open already.
    #[error("a release request of this dataset is open already; wait for its decision or withdraw it")]
    ReleaseOpen,
    /// The request needs an assessor's opinion before a decision.
    #[error("the assessor's opinion is still missing; decide after it")]
    OpinionMissing,
    /// The opinion binds.
    #[error("the assessor found this release unsafe, so it cannot be approved; return or reject it")]
    FoundUnsafe,
    /// The request is in a state that does not know the act.
    #[error("the request is {} and does not allow this any more", .state.as_str())]
    WrongState {
        /// Where it stands.
        state: RequestState,
    },
    /// The request is at another revision than the one that was read.
    #[error("the request was changed meanwhile; read it again and decide on what it says now")]
    Stale,
    /// What the request is about is not any more what was asked for.
    #[error("what the request is about has changed: {0}; return it, so that it is asked anew")]
    Changed(Change),
    /// The granted budget is outside the policy in force.
    #[error("{what} must be {least} to {most} by the policy in force; got {got}")]
    BudgetRange {
        /// Which part of the budget.
        what: &'static str,
        /// The least that can be granted.
        least: String,
        /// The most.
        most: String,
        /// What was asked.
        got: String,
    },
    /// The lineage has too little left.
    #[error(
        "{slug} has too little privacy budget left for this project: ε = {asked} was to be granted, and at most \
         ε = {left} is neither promised to other projects nor spent for good; grant less, or wait until a project ends"
    )]
    BudgetNotAvailable {
        /// Which dataset.
        slug: String,
        /// The ε to be granted.
        asked: String,
        /// The ε that could be, rounded down.
        left: String,
    },
    /// Publishing failed.
    #[error(transparent)]
    Catalog(#[from] EntryError),
    /// The database failed or refused.
    #[error(transparent)]
    Database(db::Error),
    /// Our fault.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl From<db::Error> for ReviewError {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Stale("request") => Self::Stale,
            db::Error::NotFound(what @ ("request" | "dataset" | "version")) => Self::NotFound(what),
            other => Self::Database(other),
        }
    }
}

impl ReviewError {
    /// Stable code for problem+json.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied(error) if error.category() == Category::Unauthenticated => "unauthenticated",
            Self::Denied(_) => "forbidden",
            Self::NotFound(_) => "not-found",
            Self::Text { .. } => "text-length",
            Self::Invalid(_) => "request-invalid",
            Self::NotReleasable(_) => "not-releasable",
            Self::NotApplicable { .. } => "not-applicable",
            Self::ReleaseOpen => "release-request-open",
            Self::OpinionMissing => "opinion-missing",
            Self::FoundUnsafe => "opinion-unsafe",
            Self::WrongState { .. } => "wrong-state",
            Self::Stale => "stale-revision",
            Self::Changed(_) => "evidence-changed",
            Self::BudgetRange { .. } => "budget-out-of-range",
            Self::BudgetNotAvailable { .. } => "budget-not-available",
            Self::Catalog(error) => error.code(),
            Self::Database(error) => match error.category() {
                Category::Conflict => "conflict",
                Category::Unavailable => "database-unavailable",
                Category::NotFound => "not-found",
                _ => "internal",
            },
            Self::Internal(_) => "internal",
        }
    }

    /// The kind of failure.
    pub fn category(&self) -> Category {
        match self {
            Self::Denied(error) => error.category(),
            Self::NotFound(_) => Category::NotFound,
            Self::Text { .. } | Self::Invalid(_) | Self::BudgetRange { .. } => Category::Invalid,
            Self::NotReleasable(_) | Self::NotApplicable { .. } => Category::Refused,
            Self::ReleaseOpen
            | Self::OpinionMissing
            | Self::FoundUnsafe
            | Self::WrongState { .. }
            | Self::Changed(_)
            | Self::BudgetNotAvailable { .. } => Category::Conflict,
            Self::Stale => Category::PreconditionFailed,
            Self::Catalog(error) => error.category(),
            Self::Database(error) => error.category(),
            Self::Internal(_) => Category::Internal,
        }
    }
}

impl From<model::TextError> for ReviewError {
    fn from(error: model::TextError) -> Self {
        let model::Length { field, min, max } = error.length;
        Self::Text {
            field,
            min,
            max,
            got: error.got,
        }
    }
}
