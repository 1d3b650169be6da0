//! What can go wrong with a job before it is charged. After the charge nothing can, from the analyst's point of view.

use model::Category;
use sandbox_plan::Refusal;

/// Why a job was not taken, or cannot be seen.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The query breaks a rule of the sandbox; it costs nothing.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// A number or text of the request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The budget does not suffice; nothing was charged.
    #[error("{0}")]
    BudgetExhausted(String),
    /// The project has ended, or its dataset can no longer be used.
    #[error("{0}")]
    State(String),
    /// The actor may not.
    #[error(transparent)]
    Denied(#[from] identity::Denied),
    /// There is no such project or job, or the actor may not know of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The answer is not released yet.
    #[error("the answer is released at {0}")]
    NotDue(model::Timestamp),
    /// The database failed or refused.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// Our fault.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl JobError {
    /// Stable code for problem+json.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "sandbox-refused",
            Self::Invalid(_) => "job-invalid",
            Self::BudgetExhausted(_) => "budget-exhausted",
            Self::State(_) => "wrong-state",
            Self::Denied(_) => "forbidden",
            Self::NotFound(_) => "not-found",
            Self::NotDue(_) => "not-due",
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
            Self::Refused(_) | Self::Invalid(_) => Category::Refused,
            Self::BudgetExhausted(_) | Self::State(_) | Self::NotDue(_) => Category::Conflict,
            Self::Denied(error) => error.category(),
            Self::NotFound(_) => Category::NotFound,
            Self::Database(error) => error.category(),
            Self::Internal(_) => Category::Internal,
        }
    }
}

impl From<Refusal> for JobError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
