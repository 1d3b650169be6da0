//! Why a review act did not happen.

use catalog_entry::EntryError;
use model::{Category, RequestState};

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
    /// The input breaks another rule, which the message names.
    #[error("{0}")]
    Invalid(String),
    /// The dataset lacks what a release of its level needs.
    #[error("the dataset cannot be submitted for release: {0}")]
    NotReleasable(String),
    /// The dataset is not one that is applied for.
    #[error("{slug} cannot be applied for: {why}")]
    NotApplicable {
        /// Which dataset.
        slug: String,
        /// Why.
        why: &'static str,
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
    Changed(String),
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
