//! Private jobs. What the planner refuses says so itself, in both languages.

use db::Purse;
use i18n::{Message, format};
use sandbox_dummy::{DummyError, MAX_ROWS};
use sandbox_job::{CheckObstacle, EpsilonRule, JobError, Obstacle, Shortage};

use super::{Told, no_such, say};

impl Told for JobError {
    fn told(&self) -> Message {
        match self {
            Self::Refused(_) => say("problem-sandbox-refused"),
            Self::Invalid(rule) => rule.told(),
            Self::BudgetExhausted(shortage) => shortage.told(),
            Self::State(obstacle) => obstacle.told(),
            Self::Denied(denied) => denied.told(),
            Self::NotFound(what) => no_such(what),
            Self::NotDue(moment) => say("why-not-due").with("moment", format::minute(*moment)),
            Self::Withheld => say("why-withheld"),
            Self::Check(obstacle) => say(match obstacle {
                CheckObstacle::Voted => "why-voted",
                CheckObstacle::SeatsTaken => "why-seats-taken",
            }),
            Self::Reason(error) => say("why-text-length")
                .with("field", say("why-text-reason"))
                .with("min", error.length.min)
                .with("max", error.length.max)
                .with("got", error.got),
            Self::OpenDataBusy | Self::PlannerBusy => say("why-busy"),
            Self::Database(error) => error.told(),
            Self::Internal(_) => say("problem-internal"),
        }
    }
}

impl Told for DummyError {
    fn told(&self) -> Message {
        match self {
            Self::Rows(got) => say("why-dummy-rows").with("most", MAX_ROWS).with("got", *got),
            Self::TooLarge(most) => say("why-dummy-wide").with("most", *most),
            Self::Broken(_) => say("problem-internal"),
        }
    }
}

impl Told for EpsilonRule {
    fn told(&self) -> Message {
        match self {
            Self::Range { most, got } => say("why-epsilon")
                .with("most", most.to_string())
                .with("got", got.to_string()),
            Self::HalfWidth(got) => say("why-half-width").with("got", got.to_string()),
            Self::Column { figures } => say("why-precision-column").with("figures", figures.join(", ")),
            Self::Ranks { column } => say("why-precision-ranks").with("column", column.clone()),
            Self::Precision {
                half_width,
                in_ranks,
                most,
                best,
            } => say(if *in_ranks {
                "why-precision-in-ranks"
            } else {
                "why-precision"
            })
            .with("half_width", format::measured(*half_width))
            .with("most", most.to_string())
            .with("best", format::measured(*best)),
            Self::TooSmall(got) => say("why-epsilon-small").with("got", got.to_string()),
        }
    }
}

impl Told for Shortage {
    fn told(&self) -> Message {
        match self {
            Self::NoBudget => say("why-no-budget"),
            Self::Spent { purse: which, left } => say("why-budget-spent")
                .with("purse", purse(*which))
                .with("left", *left),
        }
    }
}

impl Told for Obstacle {
    fn told(&self) -> Message {
        say(match self {
            Self::Ended => "why-project-ended",
            Self::NothingToQuery => "why-nothing-to-query",
        })
    }
}

/// Which budget.
pub(super) fn purse(purse: Purse) -> Message {
    say(match purse {
        Purse::Project => "why-purse-project",
        Purse::Everyone => "why-purse-everyone",
        Purse::Reserved => "why-purse-reserved",
    })
}
