//! Reading requests: each reader gets what their role may know, and no more.

use std::collections::HashMap;

use db::Connection;
use db::dataset::Dataset;
use db::organization::Organization;
use db::request::Request;
use identity::{Action, Actor, Resource};
use ledger::Opening;
use model::{
    DatasetId, Decision, Level, Localized, Opinion, OrganizationId, ProjectId, RequestId, RequestKind,
    RequestState, Role, Slug, Timestamp, UserId, VersionId, VersionState,
};
use serde_json::Value;

use crate::authorization::{Seen, of_dataset};
use crate::payload::{Payload, RequestText};
use crate::{BudgetGrant, Review, ReviewError, record};

/// The most requests that one list holds.
const MAX_PAGE: u64 = 100;

/// Which requests a list holds, within what the actor may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestFilter {
    /// In one of these states; none means all.
    pub states: Vec<RequestState>,
    /// Of this kind only.
    pub kind: Option<RequestKind>,
}

impl RequestFilter {
    /// Those that somebody still has to act on.
    pub fn open() -> Self {
        Self {
            states: RequestState::ALL
                .iter()
                .copied()
                .filter(|state| state.is_open())
                .collect(),
            kind: None,
        }
    }
}

/// A dataset as a list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetName {
    /// Its slug.
    pub slug: Slug,
    /// Its title.
    pub title: Localized,
}

/// A line of a list of requests.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestSummary {
    /// Its id, also the cursor of the list after it.
    pub id: RequestId,
    /// What it asks for.
    pub kind: RequestKind,
    /// Where it stands.
    pub state: RequestState,
    /// Who asks.
    pub organization: Localized,
    /// What it is about.
    pub datasets: Vec<DatasetName>,
    /// The highest level among the datasets.
    pub level: Level,
    /// Whether a dataset is special.
    pub special: bool,
    /// When it should be decided.
    pub deadline: Timestamp,
    /// Whether it is open past its deadline.
    pub overdue: bool,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it was decided or withdrawn.
    pub decided_at: Option<Timestamp>,
    /// For `If-Match`.
    pub revision: i64,
}

/// A request with its evidence, as one reader may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestView {
    /// The same as in lists.
    pub summary: RequestSummary,
    /// Who asks.
    pub organization: Organization,
    /// What they say.
    pub text: RequestText,
    /// What opens the commitments in the ledger to the texts that this reader is shown, by the commitment's name: those
    /// of the request, then `opinion_reason` and `decision_reason`.
    pub openings: Vec<(String, Opening)>,
    /// What it is about.
    pub datasets: Vec<DatasetEvidence>,
    /// What assessors found.
    pub opinions: Vec<GivenOpinion>,
    /// What reviewers decided.
    pub decisions: Vec<GivenDecision>,
    /// The project that it opened.
    pub project: Option<ProjectId>,
    /// What this reader may do with it now.
    pub permitted: Permitted,
}

/// A dataset of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetEvidence {
    /// Its entry: level, description, recipe, declared metadata.
    pub dataset: Dataset,
    /// The version to be released.
    pub version: Option<VersionEvidence>,
}

/// A version of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionEvidence {
    /// Its id.
    pub id: VersionId,
    /// Its number.
    pub number: i64,
    /// Where it stands.
    pub state: VersionState,
    /// When it was uploaded.
    pub created_at: Timestamp,
    /// What was computed from its data: for the trusted roles only (privacy.md "Threat model").
    pub figures: Option<Figures>,
}

/// What derives from the data itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The uploaded file's name.
    pub source_name: String,
    /// Figures per column.
    pub profile: Option<Value>,
    /// Parts with rows and sizes.
    pub manifest: Option<Value>,
    /// SHA-256 of the manifest, hexadecimal.
    pub checksum: Option<String>,
}

/// An assessor's opinion. Who held the pen is for the bureau only.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenOpinion {
    /// The assessing organisation.
    pub organization: Localized,
    /// Whose hand it was.
    pub user: Option<UserId>,
    /// What was found.
    pub opinion: Opinion,
    /// Why.
    pub reason: String,
    /// When.
    pub created_at: Timestamp,
}

/// A reviewer's decision. Who held the pen is for the bureau only.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenDecision {
    /// Whose hand it was.
    pub user: Option<UserId>,
    /// What was decided.
    pub decision: Decision,
    /// Why.
    pub reason: String,
    /// The granted budget.
    pub budget: Option<BudgetGrant>,
    /// When.
    pub created_at: Timestamp,
}

/// What a reader may do with a request as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permitted {
    /// Take it back.
    pub withdraw: bool,
    /// Give an opinion.
    pub give_opinion: bool,
    /// Return or reject it.
    pub decide: bool,
    /// Approve it.
    pub approve: bool,
}

impl Review {
    /// Up to `limit` (at most 100) requests that the actor may see, newest first, before the one with id `before`.
    ///
    /// Reviewers and auditors see all; assessors those that wait for an opinion or have theirs; officers and
    /// analysts those of their organisation and those about its datasets.
    ///
    /// # Errors
    /// [`ReviewError::Denied`] for everyone else.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &RequestFilter,
        before: Option<RequestId>,
        limit: u64,
    ) -> Result<Vec<RequestSummary>, ReviewError> {
        self.allow(actor, Action::ListRequests, &Resource::Portal)?;
        let (_, organization) = actor.person()?;
        let connection = self.parts.db.read();
        let all = actor.has_role(Role::Reviewer) || actor.has_role(Role::Auditor);
        let assessor = actor.has_role(Role::Assessor);
        let filter = db::request::RequestFilter {
            states: filter.states.clone(),
            kind: filter.kind,
            organization_id: None,
            party_id: (!all && !assessor).then_some(organization),
            assessor_id: assessor.then_some(organization),
        };
        let requests = db::request::list(connection, &filter, before, limit.clamp(1, MAX_PAGE)).await?;
        let mut names = HashMap::new();
        let mut summaries = Vec::with_capacity(requests.len());
        for request in requests {
            let seen = Seen {
                datasets: load_datasets(connection, request.id).await?,
                opinions: db::request::list_opinions(connection, request.id).await?,
                request,
            };
            // The filter above only saves work; each request is decided on its own.
            if self.sees(actor, &seen) {
                let name = name_of(connection, &mut names, seen.request.organization_id).await?;
                summaries.push(self.summary(&seen.request, name, &seen.datasets));
            }
        }
        Ok(summaries)
    }

    /// The request with this id, as the actor may see it.
    ///
    /// # Errors
    /// [`ReviewError::NotFound`] if there is none or the actor may not know of it.
    pub async fn load(&self, actor: &Actor, id: RequestId) -> Result<RequestView, ReviewError> {
        let seen = self.find_visible(actor, id).await?;
        let connection = self.parts.db.read();
        let permitted = self.permitted(actor, &seen);
        let Seen {
            request,
            datasets,
            opinions,
        } = seen;
        let organization = db::organization::load(connection, request.organization_id).await?;
        let payload = Payload::read(&request)?;
        let versions: HashMap<DatasetId, Option<VersionId>> = db::request::list_datasets(connection, id)
            .await?
            .into_iter()
            .collect();
        let summary = self.summary(&request, organization.name.clone(), &datasets);
        let mut evidence = Vec::with_capacity(datasets.len());
        for dataset in datasets {
            let version = match versions.get(&dataset.id).copied().flatten() {
                Some(version) => Some(self.version_evidence(actor, &dataset, version).await?),
                None => None,
            };
            evidence.push(DatasetEvidence { dataset, version });
        }
        let bureau = actor.has_role(Role::Reviewer) || actor.has_role(Role::Auditor);
        let mut names = HashMap::new();
        let text = payload.texts_of(request.kind);
        let mut openings: Vec<(String, Opening)> = payload.texts.into_iter().collect();
        let mut given = Vec::with_capacity(opinions.len());
        for opinion in opinions {
            // An assessor reads their own organisation's opinion only.
            if actor.has_role(Role::Assessor) && Some(opinion.organization_id) != actor.organization() {
                continue;
            }
            openings.extend(record::opening(
                record::OPINION_REASON,
                &opinion.reason,
                opinion.reason_nonce,
            ));
            given.push(GivenOpinion {
                organization: name_of(connection, &mut names, opinion.organization_id).await?,
                user: bureau.then_some(opinion.user_id),
                opinion: opinion.opinion,
                reason: opinion.reason,
                created_at: opinion.created_at,
            });
        }
        let read = |decision: db::request::GivenDecision| {
            let budget = decision.budget.map(serde_json::from_value).transpose();
            Ok(GivenDecision {
                user: bureau.then_some(decision.user_id),
                decision: decision.decision,
                reason: decision.reason,
                budget: budget.map_err(|_| ReviewError::Internal("granted budget"))?,
                created_at: decision.created_at,
            })
        };
        let decisions = db::request::list_decisions(connection, id).await?;
        for decision in &decisions {
            let nonce = decision.reason_nonce.clone();
            openings.extend(record::opening(record::DECISION_REASON, &decision.reason, nonce));
        }
        Ok(RequestView {
            summary,
            organization,
            text,
            openings,
            datasets: evidence,
            opinions: given,
            decisions: decisions
                .into_iter()
                .map(read)
                .collect::<Result<_, ReviewError>>()?,
            project: db::project::find_by_request(connection, id)
                .await?
                .map(|project| project.id),
            permitted,
        })
    }

    fn permitted(&self, actor: &Actor, seen: &Seen) -> Permitted {
        let now = seen.in_state(seen.request.state);
        let decide = self.allows(actor, Action::DecideRequest, &now);
        let found_unsafe = seen
            .opinions
            .iter()
            .any(|opinion| opinion.opinion == Opinion::Unsafe);
        Permitted {
            withdraw: self.allows(actor, Action::WithdrawRequest, &now),
            give_opinion: self.allows(actor, Action::GiveOpinion, &now),
            decide,
            approve: decide && !found_unsafe,
        }
    }

    async fn version_evidence(
        &self,
        actor: &Actor,
        dataset: &Dataset,
        id: VersionId,
    ) -> Result<VersionEvidence, ReviewError> {
        let version = db::version::load(self.parts.db.read(), id).await?;
        let trusted = self.allows(actor, Action::ViewProfile, &of_dataset(dataset));
        let figures = trusted.then_some(Figures {
            source_name: version.source_name,
            profile: version.profile,
            manifest: version.manifest,
            checksum: version.checksum,
        });
        Ok(VersionEvidence {
            id,
            number: version.number,
            state: version.state,
            created_at: version.created_at,
            figures,
        })
    }

    fn summary(&self, request: &Request, organization: Localized, datasets: &[Dataset]) -> RequestSummary {
        let name = |dataset: &Dataset| DatasetName {
            slug: dataset.slug.clone(),
            title: dataset.metadata.title.clone(),
        };
        RequestSummary {
            id: request.id,
            kind: request.kind,
            state: request.state,
            organization,
            datasets: datasets.iter().map(name).collect(),
            level: request.level,
            special: request.special,
            deadline: request.deadline,
            overdue: request.state.is_open() && self.parts.clock.now() > request.deadline,
            created_at: request.created_at,
            decided_at: request.decided_at,
            revision: request.revision,
        }
    }
}

/// The datasets of a request, in the order of their ids.
pub(crate) async fn load_datasets(
    connection: &Connection,
    id: RequestId,
) -> Result<Vec<Dataset>, ReviewError> {
    let asked = db::request::list_datasets(connection, id).await?;
    let ids: Vec<DatasetId> = asked.into_iter().map(|(dataset, _)| dataset).collect();
    let mut datasets = db::dataset::list_by_id(connection, &ids).await?;
    datasets.sort_by_key(|dataset| dataset.id);
    Ok(datasets)
}

async fn name_of(
    connection: &Connection,
    names: &mut HashMap<OrganizationId, Localized>,
    id: OrganizationId,
) -> Result<Localized, ReviewError> {
    if let Some(name) = names.get(&id) {
        return Ok(name.clone());
    }
    let name = db::organization::load(connection, id).await?.name;
    names.insert(id, name.clone());
    Ok(name)
}
