//! What can go wrong with a job before it is charged. After the charge nothing can, from the analyst's point of view.

use model::Category;
use sandbox_plan::Refusal;
use sandbox_worker::PlannerError;

/// What is wrong with the ε of a job, or with the precision that is asked for instead.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EpsilonRule {
    /// Not above 0, or over the policy's limit.
    #[error("epsilon must be above 0 and at most {most} for one job; got {got}")]
    Range {
        /// The most.
        most: f64,
        /// What was asked.
        got: f64,
    },
    /// So little that the accounts cannot count it.
    #[error("epsilon {0} is too small to be counted; ask for more")]
    TooSmall(f64),
    /// A precision that is none.
    #[error("half the width of an interval must be above 0; got {0}")]
    HalfWidth(f64),
    /// The precision is not about one of the answer's figures.
    #[error("say which column should be so exact: one of {}", .figures.join(", "))]
    Column {
        /// The columns whose error can be told beforehand.
        figures: Vec<String>,
    },
    /// A quantile's error is one of ranks, of which a share of a value is none.
    #[error("the error of {column} is one of ranks: give half_width, in rows")]
    Ranks {
        /// The quantile's column.
        column: String,
    },
    /// No job may cost as much as this would.
    #[error(
        "±{half_width} needs more than ε = {most}, the most for one job; with that it is ±{best}: ask for fewer columns \
         or coarser groups"
    )]
    Precision {
        /// What was asked for.
        half_width: f64,
        /// Whether it is meant in rows.
        in_ranks: bool,
        /// The most ε.
        most: f64,
        /// The half-width that this gives.
        best: f64,
    },
}

/// Which budget does not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// There is none.
    #[error("the project has no budget for this dataset")]
    NoBudget,
    /// Too little is left.
    #[error(
        "the budget does not suffice ({purse}); at this ε it pays for {left} more questions: ask with a smaller ε, or \
         wait until earlier charges leave the window"
    )]
    Spent {
        /// Of which budget.
        purse: db::Purse,
        /// How many more questions of this ε the project's pays for.
        left: i64,
    },
}

/// What stands in the way of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The project is over.
    #[error("the project has ended; its answers can still be read: apply for access again to go on")]
    Ended,
    /// Its datasets are gone.
    #[error("none of the project's datasets can be queried now")]
    NothingToQuery,
}

/// Why a vote does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckObstacle {
    /// Nobody votes twice.
    #[error("you have voted on this answer")]
    Voted,
    /// The bureau's checker and another have voted, or the actor is an assessor and the other seat is the bureau's.
    #[error("the seats of this review that you could take are taken")]
    SeatsTaken,
}

/// Why a job was not taken, or cannot be seen.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The query breaks a rule of the sandbox; it costs nothing.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The price makes no sense.
    #[error(transparent)]
    Invalid(#[from] EpsilonRule),
    /// The budget does not suffice; nothing was charged.
    #[error(transparent)]
    BudgetExhausted(#[from] Shortage),
    /// The project has ended, or its dataset can no longer be used.
    #[error(transparent)]
    State(#[from] Obstacle),
    /// The actor may not.
    #[error(transparent)]
    Denied(#[from] identity::Denied),
    /// There is no such project or job, or the actor may not know of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The answer is not released yet.
    #[error("the answer is released at {0}")]
    NotDue(model::Timestamp),
    /// Its checkers withheld the answer.
    #[error("the checkers of this special dataset withheld the answer")]
    Withheld,
    /// A checker's act on an answer that does not wait for it any more.
    #[error(transparent)]
    Check(#[from] CheckObstacle),
    /// A checker's reason is too long, too short or has control characters.
    #[error(transparent)]
    Reason(#[from] model::TextError),
    /// The engine for open data has no room for the public part of the query now; nothing was charged.
    #[error("the public part of the query cannot be computed now; try again")]
    OpenDataBusy,
    /// All planners are at work, or the machine is; nothing was charged.
    #[error("too many queries are being planned now; try again")]
    PlannerBusy,
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
            Self::Withheld => "withheld",
            Self::Check(_) => "wrong-state",
            Self::Reason(_) => "text-length",
            Self::OpenDataBusy | Self::PlannerBusy => "unavailable",
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
            Self::BudgetExhausted(_) | Self::State(_) | Self::NotDue(_) | Self::Withheld | Self::Check(_) => {
                Category::Conflict
            }
            Self::Reason(_) => Category::Invalid,
            Self::Denied(error) => error.category(),
            Self::NotFound(_) => Category::NotFound,
            Self::OpenDataBusy | Self::PlannerBusy => Category::Unavailable,
            Self::Database(error) => error.category(),
            Self::Internal(_) => Category::Internal,
        }
    }
}

impl From<PlannerError> for JobError {
    fn from(error: PlannerError) -> Self {
        match error {
            PlannerError::Refused(refusal) => Self::Refused(refusal),
            PlannerError::Busy => Self::PlannerBusy,
            PlannerError::Failed => Self::Internal("planning"),
        }
    }
}

impl From<Refusal> for JobError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
