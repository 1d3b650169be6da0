//! Release requests: an officer asks that their department's dataset be released.

use db::Connection;
use db::dataset::Dataset;
use db::request::Request;
use db::version::Version;
use identity::{Action, Actor, Resource};
use ledger::Act;
use model::{DatasetState, Length, Level, RequestId, RequestKind, Slug, VersionState};

use crate::payload::Payload;
use crate::{Review, ReviewError, Unreleasable, authorization, record, state};

impl Review {
    /// Asks for the release of a dataset with its newest version, or for L4 of its bare entry.
    ///
    /// The `note` is for the reviewers and may be empty ([`Length::NOTE`]). Routing and deadline follow the review
    /// policy in force.
    ///
    /// # Errors
    /// [`ReviewError::Denied`] unless the actor is an officer of the dataset's department,
    /// [`ReviewError::NotReleasable`] if something is missing, [`ReviewError::ReleaseOpen`] if a request is open.
    pub async fn submit_release(
        &self,
        actor: &Actor,
        slug: &Slug,
        note: &str,
    ) -> Result<Request, ReviewError> {
        let (user, organization) = actor.person()?;
        let dataset = self.find_dataset(actor, slug).await?;
        // Who may is one question, what is missing another, with its own answer.
        let whose = Resource::dataset(
            dataset.organization_id,
            Some(Level::L1),
            DatasetState::Draft,
            false,
        );
        self.allow(actor, Action::SubmitRelease, &whose)?;
        let note = Length::NOTE.check(note)?;
        let level = releasable(&dataset).map_err(ReviewError::NotReleasable)?;
        self.allow(actor, Action::SubmitRelease, &authorization::of_dataset(&dataset))?;
        let now = self.parts.clock.now();
        let policy = self.review_policy(now).await?;
        let payload = Payload::seal([("note", note.as_str())], None)?;

        let tx = self.parts.db.begin_write().await?;
        // Holds the row until the end, so that of two submissions the second sees the first one's request; and
        // what was read above is what is submitted.
        let locked = db::dataset::update(&tx, &dataset).await;
        if db::request::find_open_release(&tx, dataset.id).await?.is_some() {
            return Err(ReviewError::ReleaseOpen);
        }
        locked.map_err(|error| match error {
            db::Error::Stale(_) => ReviewError::NotReleasable(Unreleasable::EntryChanging),
            other => other.into(),
        })?;
        let version = match level {
            Level::L4 => None,
            _ => Some(version_to_release(&tx, &dataset).await?),
        };
        let request = Request {
            id: RequestId::at(now),
            kind: RequestKind::Release,
            state: state::first(RequestKind::Release, level, &policy.rules),
            organization_id: organization,
            submitted_by: user,
            level,
            special: dataset.metadata.special,
            deadline: policy.rules.deadline(now),
            payload: payload.to_value()?,
            policy_id: policy.id,
            revision: 1,
            created_at: now,
            decided_at: None,
        };
        let asked = [(dataset.id, version.as_ref().map(|version| version.id))];
        db::request::insert(&tx, &request, &asked).await?;
        let mut leaf = record::leaf(Act::ReleaseRequested, actor, &request, now)
            .subject("dataset", dataset.id.to_string())
            .fact("level", level.to_string());
        if let Some(version) = &version {
            leaf = leaf
                .subject("version", version.id.to_string())
                .fact("version_number", version.number);
        }
        leaf = record::with_texts(record::with_datasets(leaf, &[dataset]), &payload)?;
        record::append(&tx, leaf, now).await?;
        tx.commit().await?;
        Ok(request)
    }
}

/// The level of a dataset whose entry has all that a release of that level needs.
pub(crate) fn releasable(dataset: &Dataset) -> Result<Level, Unreleasable> {
    if dataset.state == DatasetState::Retired {
        return Err(Unreleasable::Retired);
    }
    let level = dataset.level.ok_or(Unreleasable::Unclassified)?;
    match level {
        Level::L1 => {}
        Level::L2 | Level::L3 => {
            if dataset
                .declared
                .as_ref()
                .and_then(model::DeclaredMetadata::unit)
                .is_none()
            {
                return Err(Unreleasable::NoUnit);
            }
            if dataset.metadata.recipe.is_none() {
                return Err(Unreleasable::NoRecipe);
            }
        }
        Level::L4 => {
            if dataset.state == DatasetState::Released {
                return Err(Unreleasable::ListedAlready);
            }
            if dataset.metadata.conditions.is_none() {
                return Err(Unreleasable::NoReason);
            }
        }
    }
    Ok(level)
}

/// The newest version, which must be ready: failed ones are passed over, one still being read is waited for.
async fn version_to_release(connection: &Connection, dataset: &Dataset) -> Result<Version, ReviewError> {
    let mut before = None;
    loop {
        let versions = db::version::list(connection, dataset.id, before, 20).await?;
        let Some(last) = versions.last() else {
            return Err(ReviewError::NotReleasable(Unreleasable::NoVersion));
        };
        before = Some(last.number);
        let Some(version) = versions
            .into_iter()
            .find(|version| version.state != VersionState::Failed)
        else {
            continue;
        };
        let why = match version.state {
            VersionState::Ready => {
                let conditional = dataset.level.is_some_and(Level::is_conditional);
                if !conditional || version.declared == dataset.declared {
                    return Ok(version);
                }
                Unreleasable::OldDeclaration(version.number)
            }
            VersionState::Ingesting => Unreleasable::StillReading(version.number),
            VersionState::Released | VersionState::Retired | VersionState::Failed => {
                Unreleasable::NothingNew(version.number)
            }
        };
        return Err(ReviewError::NotReleasable(why));
    }
}
