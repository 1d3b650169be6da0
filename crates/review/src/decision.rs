//! The bureau's decisions: approve, return or reject, with everything that follows, in one transaction.

use catalog_entry::EntryError;
use db::Tx;
use db::dataset::Dataset;
use db::project::Project;
use db::request::{GivenDecision, Request};
use identity::{Action, Actor};
use ledger::Act;
use model::{
    BudgetPolicy, Decision, Length, Opinion, ProjectId, RequestId, RequestKind, RequestState, Timestamp,
    VersionState,
};

use crate::budget::{self, BudgetGrant};
use crate::opinion::load_at;
use crate::payload::Payload;
use crate::state::{self, Step};
use crate::{Change, InForce, Review, ReviewError, Rule, record};

/// A decided request with what it opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The request as it stands now.
    pub request: Request,
    /// The project of an approved access request.
    pub project: Option<ProjectId>,
}

impl Review {
    /// Decides the request that is still at `revision`.
    ///
    /// An approved release is published in the same transaction; an approved access request opens a project with
    /// one allocation for each L3 lineage, of the grant or else of the policy's default. Returning and rejecting
    /// need a reason ([`Length::REASON`]).
    ///
    /// # Errors
    /// [`ReviewError::Denied`] unless the actor is a reviewer and of another organisation than those who ask and
    /// those whose data it is; [`ReviewError::OpinionMissing`] and [`ReviewError::FoundUnsafe`] as the assessor's
    /// opinion binds; [`ReviewError::Stale`] if somebody was faster; [`ReviewError::Changed`] if what was asked for
    /// is no more; [`ReviewError::BudgetRange`] and [`ReviewError::BudgetNotAvailable`] for the grant. Nothing is
    /// written then.
    pub async fn decide(
        &self,
        actor: &Actor,
        id: RequestId,
        revision: i64,
        decision: Decision,
        reason: &str,
        grant: Option<BudgetGrant>,
    ) -> Result<Decided, ReviewError> {
        let seen = self.find_visible(actor, id).await?;
        self.allow(
            actor,
            Action::DecideRequest,
            &seen.in_state(RequestState::AwaitingDecision),
        )?;
        let (user, _) = actor.person()?;
        let length = if decision == Decision::Approve {
            Length::REMARK
        } else {
            Length::REASON
        };
        let reason = length.check(reason)?;
        let approves_access = decision == Decision::Approve && seen.request.kind == RequestKind::Access;
        if grant.is_some() && !approves_access {
            return Err(Rule::BudgetWithoutAccess.into());
        }
        let now = self.parts.clock.now();
        let review = self.review_policy(now).await?;
        let budget = self.budget_policy(now).await?;
        let payload = Payload::read(&seen.request)?;
        let grant = if approves_access {
            let default = || BudgetGrant::default_of(&budget.rules, &review.rules, payload.days);
            Some(
                grant
                    .unwrap_or_else(default)
                    .check(&budget.rules, &review.rules)?,
            )
        } else {
            None
        };

        let tx = self.parts.db.begin_write().await?;
        let mut request = load_at(&tx, id, revision).await?;
        let opinions = db::request::list_opinions(&tx, id).await?;
        let found_unsafe = opinions.iter().any(|opinion| opinion.opinion == Opinion::Unsafe);
        let to = state::next(request.state, Step::Decide(decision), found_unsafe)?;
        // First of all writes, so that whoever decides at the same moment waits here and then is stale.
        request.revision = db::request::change_state(&tx, id, revision, request.state, to, now).await?;
        request.state = to;
        request.decided_at = Some(now);
        let act = match request.kind {
            RequestKind::Release => Act::ReleaseDecided,
            RequestKind::Access => Act::AccessDecided,
        };
        let leaf = record::leaf(act, actor, &request, now)
            .fact("decision", decision.as_str())
            .fact("level", request.level.to_string());
        let (mut leaf, nonce) = record::with_reason(leaf, record::DECISION_REASON, &reason)?;
        let given = GivenDecision {
            id: crate::fresh(now),
            request_id: id,
            user_id: user,
            decision,
            reason,
            reason_nonce: Some(nonce),
            budget: grant
                .map(serde_json::to_value)
                .transpose()
                .map_err(|_| ReviewError::Internal("granted budget"))?,
            policy_id: if approves_access { budget.id } else { review.id },
            created_at: now,
        };
        db::request::insert_decision(&tx, &given).await?;
        let datasets = crate::view::load_datasets(&tx, id).await?;
        if let Some(grant) = grant {
            leaf = leaf
                .fact("epsilon", grant.epsilon.to_string())
                .fact("days", grant.days);
        }
        record::append(&tx, record::with_datasets(leaf, &datasets), now).await?;

        let mut project = None;
        if decision == Decision::Approve {
            match (request.kind, grant) {
                (RequestKind::Release, _) => publish(&tx, actor, &request, now).await?,
                (RequestKind::Access, Some(grant)) => {
                    let purpose = payload.text("purpose");
                    project = Some(
                        open_project(&tx, actor, &request, purpose, &datasets, grant, &budget, now).await?,
                    );
                }
                (RequestKind::Access, None) => {
                    return Err(ReviewError::Internal("an approval without a grant"));
                }
            }
        }
        tx.commit().await?;
        Ok(Decided { request, project })
    }
}

/// Publishes what was asked for, if it is still what was asked for.
async fn publish(tx: &Tx, actor: &Actor, request: &Request, now: Timestamp) -> Result<(), ReviewError> {
    let asked = db::request::list_datasets(tx, request.id).await?;
    let [(dataset, version)] = asked[..] else {
        return Err(ReviewError::Internal("a release request is about one dataset"));
    };
    let mut dataset = db::dataset::load(tx, dataset).await?;
    // Holds the row until the end: it is neither retired nor edited between these checks and the commit.
    dataset.revision = db::dataset::update(tx, &dataset)
        .await
        .map_err(|error| match error {
            db::Error::Stale(_) => ReviewError::Changed(Change::Edited),
            other => other.into(),
        })?;
    let level = crate::release::releasable(&dataset)
        .map_err(|why| ReviewError::Changed(Change::NotReleasable(why)))?;
    if level != request.level {
        return Err(ReviewError::Changed(Change::Level));
    }
    match version {
        Some(id) => {
            let version = db::version::load(tx, id).await?;
            if version.state != VersionState::Ready {
                return Err(ReviewError::Changed(Change::Version {
                    number: version.number,
                    state: version.state,
                }));
            }
        }
        None if request.level == model::Level::L4 => {}
        None => return Err(ReviewError::Internal("a release request without its version")),
    }
    catalog_entry::publish::publish(tx, actor.ledger_actor(), &dataset, version, now)
        .await
        .map_err(|error| match error {
            EntryError::Database(db::Error::Stale("version")) => ReviewError::Changed(Change::NotReady),
            other => other.into(),
        })
}

/// Opens the project of an approved access request, with its budget reserved.
#[expect(clippy::too_many_arguments, reason = "the parts of one transaction")]
async fn open_project(
    tx: &Tx,
    actor: &Actor,
    request: &Request,
    purpose: String,
    datasets: &[Dataset],
    grant: BudgetGrant,
    policy: &InForce<BudgetPolicy>,
    now: Timestamp,
) -> Result<ProjectId, ReviewError> {
    for dataset in datasets {
        crate::access::applicable(dataset).map_err(|why| {
            ReviewError::Changed(Change::NotApplicable {
                slug: dataset.slug.to_string(),
                why,
            })
        })?;
    }
    let project = Project {
        id: ProjectId::at(now),
        request_id: request.id,
        organization_id: request.organization_id,
        active: true,
        purpose,
        created_at: now,
        expires_at: now.plus_days(i64::from(grant.days)),
        closed_at: None,
        revision: 1,
    };
    db::project::insert(tx, &project, &[]).await?;
    let shares = budget::shares(datasets, grant, now)?;
    for share in &shares {
        budget::reserve(tx, project.id, share, grant, &policy.rules, now).await?;
    }
    let mut used: Vec<_> = shares.iter().flat_map(budget::Share::datasets).collect();
    let free = datasets
        .iter()
        .filter(|dataset| dataset.level != Some(model::Level::L3));
    used.extend(free.map(|dataset| (dataset.id, None)));
    db::project::insert_datasets(tx, project.id, &used).await?;
    let budgets: Vec<String> = shares.iter().map(budget::Share::describe).collect();
    let leaf = record::leaf(Act::ProjectOpened, actor, request, now)
        .subject("project", project.id.to_string())
        .fact("organization", project.organization_id.to_string())
        .fact("expires_at", project.expires_at.as_micros())
        .fact("window_days", policy.rules.project_days)
        .fact("budgets", budgets);
    record::append(tx, record::with_datasets(leaf, datasets), now).await?;
    Ok(project.id)
}
