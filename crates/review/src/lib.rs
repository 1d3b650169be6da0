//! Release and access requests (standards.md "Requests"): who asks, who advises, who decides, and by when.
//!
//! ```text
//!  submit ──L2, L3 release──▶ awaiting_opinion ──opinion──▶ awaiting_decision ──▶ approved
//!     └─────everything else─────────────────────────────────────▲     │  ├──────▶ returned
//!                     (either open state) ──▶ withdrawn               │  └──────▶ rejected
//!                                        approved never after an `unsafe` opinion
//! ```
//!
//! [`state`] is that picture as one function. Around it, one file per act: [`Review::submit_release`],
//! [`Review::submit_access`], [`Review::withdraw`], [`Review::give_opinion`], [`Review::decide`],
//! [`Review::list`], [`Review::load`]. Each act is one transaction with everything that follows from it: the
//! request's state, the opinion or decision, what it publishes or opens, and the ledger leaf.

mod access;
mod authorization;
mod budget;
mod decision;
mod error;
mod opinion;
mod payload;
mod record;
mod release;
pub mod state;
mod view;
mod withdrawal;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use db::Database;
use identity::Authority;
use model::{BudgetPolicy, Clock, ReviewPolicy, Timestamp};
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub use access::{AccessApplication, MAX_DATASETS};
pub use budget::BudgetGrant;
pub use db::request::Request;
pub use decision::Decided;
pub use error::{Change, Inapplicable, ReviewError, Rule, Unreleasable};
pub use model::Length;
pub use payload::RequestText;
pub use view::{
    DatasetEvidence, DatasetName, Figures, GivenDecision, GivenOpinion, Permitted, RequestFilter,
    RequestSummary, RequestView, VersionEvidence,
};

/// The use-cases of the review. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Review {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    db: Database,
    clock: Arc<dyn Clock>,
    authority: Authority,
}

/// A policy row in force, with what jobs and decisions point at; no id for what a new portal starts with.
struct InForce<T> {
    id: Option<Uuid>,
    rules: T,
}

impl Review {
    /// The use-cases over this database, under this clock and authority.
    pub fn new(db: Database, clock: Arc<dyn Clock>, authority: Authority) -> Self {
        Self {
            parts: Arc::new(Parts { db, clock, authority }),
        }
    }

    async fn review_policy(&self, now: Timestamp) -> Result<InForce<ReviewPolicy>, ReviewError> {
        self.policy(ReviewPolicy::KIND, now).await
    }

    async fn budget_policy(&self, now: Timestamp) -> Result<InForce<BudgetPolicy>, ReviewError> {
        self.policy(BudgetPolicy::KIND, now).await
    }

    async fn policy<T: DeserializeOwned + Default>(
        &self,
        kind: &'static str,
        now: Timestamp,
    ) -> Result<InForce<T>, ReviewError> {
        match db::policy::find_effective(self.parts.db.read(), kind, now).await? {
            Some(row) => Ok(InForce {
                id: Some(row.id.as_uuid()),
                rules: serde_json::from_value(row.body).map_err(|_| ReviewError::Internal("policy row"))?,
            }),
            None => Ok(InForce {
                id: None,
                rules: T::default(),
            }),
        }
    }
}

/// The id of an opinion or decision: UUIDv7, so that the order of ids is the order of acts.
fn fresh(now: Timestamp) -> Uuid {
    model::RequestId::at(now).as_uuid()
}
