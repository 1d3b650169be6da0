//! Requests and decisions.

use i18n::Message;
use review::{Change, Inapplicable, ReviewError, Rule, Unreleasable};

use super::{Told, no_such, say};
use crate::page::term::key;

impl Told for ReviewError {
    fn told(&self) -> Message {
        match self {
            Self::Denied(denied) => denied.told(),
            Self::NotFound(what) => no_such(what),
            Self::Text { field, min, max, got } => say("why-text-length")
                .with("field", Message::new(format!("why-text-{field}")))
                .with("min", *min)
                .with("max", *max)
                .with("got", *got),
            Self::Invalid(rule) => rule.told(),
            Self::NotReleasable(why) => say("why-not-releasable").with("reason", why.told()),
            Self::NotApplicable { slug, why } => not_applicable(slug, *why),
            Self::ReleaseOpen => say("why-release-open"),
            Self::OpinionMissing => say("why-opinion-missing"),
            Self::FoundUnsafe => say("why-found-unsafe"),
            Self::WrongState { state } => {
                say("why-wrong-state").with("state", say(key::request_state(state)))
            }
            Self::Stale => say("why-request-stale"),
            Self::Changed(change) => say("why-request-changed").with("reason", change.told()),
            Self::BudgetRange {
                what,
                least,
                most,
                got,
            } => say("why-budget-range")
                .with("what", *what)
                .with("least", least.as_str())
                .with("most", most.as_str())
                .with("got", got.as_str()),
            Self::BudgetNotAvailable { slug, asked, left } => say("why-budget-not-available")
                .with("slug", slug.as_str())
                .with("asked", asked.as_str())
                .with("left", left.as_str()),
            Self::Catalog(error) => error.told(),
            Self::Database(error) => error.told(),
            Self::Internal(_) => say("problem-internal"),
        }
    }
}

fn not_applicable(slug: &str, why: Inapplicable) -> Message {
    say("why-not-applicable")
        .with("slug", slug)
        .with("reason", why.told())
}

impl Told for Rule {
    fn told(&self) -> Message {
        match self {
            Self::Days { most, got } => say("why-days").with("most", *most).with("got", *got),
            Self::DatasetCount { most, got } => {
                say("why-dataset-count").with("most", *most).with("got", *got)
            }
            Self::DatasetTwice(slug) => say("why-dataset-twice").with("slug", slug.as_str()),
            Self::BudgetWithoutAccess => say("why-budget-without-access"),
        }
    }
}

impl Told for Unreleasable {
    fn told(&self) -> Message {
        match self {
            Self::EntryChanging => say("why-release-entry-changing"),
            Self::Retired => say("why-release-retired"),
            Self::Unclassified => say("why-release-unclassified"),
            Self::NoUnit => say("why-release-no-unit"),
            Self::NoRecipe => say("why-release-no-recipe"),
            Self::ListedAlready => say("why-release-listed"),
            Self::NoReason => say("why-release-no-reason"),
            Self::NoVersion => say("why-release-no-version"),
            Self::OldDeclaration(number) => say("why-release-old-declaration").with("number", *number),
            Self::StillReading(number) => say("why-release-still-reading").with("number", *number),
            Self::NothingNew(number) => say("why-release-nothing-new").with("number", *number),
        }
    }
}

impl Told for Inapplicable {
    fn told(&self) -> Message {
        say(match self {
            Self::Open => "why-apply-open",
            Self::Closed => "why-apply-closed",
            Self::Draft => "why-apply-draft",
            Self::Retired => "why-apply-retired",
        })
    }
}

impl Told for Change {
    fn told(&self) -> Message {
        match self {
            Self::Edited => say("why-change-edited"),
            Self::NotReleasable(why) => say("why-not-releasable").with("reason", why.told()),
            Self::Level => say("why-change-level"),
            Self::Version { number, state } => say("why-change-version")
                .with("number", *number)
                .with("state", say(key::version_state(state))),
            Self::NotReady => say("why-change-not-ready"),
            Self::NotApplicable { slug, why } => not_applicable(slug, *why),
        }
    }
}
