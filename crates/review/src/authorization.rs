//! What the authority is told of requests and datasets. It alone says *who* may act; [`crate::state`] says *when*.

use db::dataset::Dataset;
use db::request::{GivenOpinion, Request};
use identity::{Action, Actor, Resource};
use model::{DatasetState, RequestId, RequestState, Slug};

use crate::{Review, ReviewError};

/// A request as its reader knows it, with what the authority asks about.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) request: Request,
    pub(crate) datasets: Vec<Dataset>,
    pub(crate) opinions: Vec<GivenOpinion>,
}

impl Seen {
    /// The request in this state, to the authority. Asking with the state that an act needs leaves the question
    /// who may act; the state machine answers the other, with its reason, inside the act's transaction.
    pub(crate) fn in_state(&self, state: RequestState) -> Resource {
        let owners = self.datasets.iter().map(|dataset| dataset.organization_id);
        let assessors = self.opinions.iter().map(|opinion| opinion.organization_id);
        Resource::Request {
            kind: self.request.kind,
            organization: self.request.organization_id,
            owners: owners.collect(),
            assessors: assessors.collect(),
            level: self.request.level,
            special: self.request.special,
            state,
        }
    }
}

impl Review {
    /// Lets the actor pass, or not.
    pub(crate) fn allow(
        &self,
        actor: &Actor,
        action: Action,
        resource: &Resource,
    ) -> Result<(), ReviewError> {
        Ok(self.parts.authority.decide(actor, action, resource)?)
    }

    /// Whether the actor may, for showing and hiding.
    pub(crate) fn allows(&self, actor: &Actor, action: Action, resource: &Resource) -> bool {
        self.parts.authority.decide(actor, action, resource).is_ok()
    }

    /// The dataset of a slug, if the actor may know of it.
    pub(crate) async fn find_dataset(&self, actor: &Actor, slug: &Slug) -> Result<Dataset, ReviewError> {
        let dataset = db::dataset::find_by_slug(self.parts.db.read(), slug).await?;
        let dataset = dataset.ok_or(ReviewError::NotFound("dataset"))?;
        let view = match dataset.state {
            DatasetState::Draft => Action::ViewDraftEntry,
            DatasetState::Released | DatasetState::Retired => Action::ViewEntry,
        };
        if self.allows(actor, view, &of_dataset(&dataset)) {
            Ok(dataset)
        } else {
            Err(ReviewError::NotFound("dataset"))
        }
    }

    /// The request with this id, if the actor may know of it.
    pub(crate) async fn find_visible(&self, actor: &Actor, id: RequestId) -> Result<Seen, ReviewError> {
        actor.person()?;
        let connection = self.parts.db.read();
        let none = || ReviewError::NotFound("request");
        let request = db::request::find(connection, id).await?.ok_or_else(none)?;
        let datasets = crate::view::load_datasets(connection, id).await?;
        let opinions = db::request::list_opinions(connection, id).await?;
        let seen = Seen {
            request,
            datasets,
            opinions,
        };
        if self.sees(actor, &seen) {
            Ok(seen)
        } else {
            Err(none())
        }
    }

    /// Whether the actor may know of the request.
    pub(crate) fn sees(&self, actor: &Actor, seen: &Seen) -> bool {
        self.allows(actor, Action::ViewRequest, &seen.in_state(seen.request.state))
    }
}

/// What the authority is told of a dataset.
pub(crate) fn of_dataset(dataset: &Dataset) -> Resource {
    Resource::dataset(
        dataset.organization_id,
        dataset.level,
        dataset.state,
        dataset.metadata.special,
    )
}
