//! Access requests: an enterprise asks to use conditional data.

use std::collections::BTreeSet;

use db::dataset::Dataset;
use db::request::Request;
use identity::{Action, Actor, Resource};
use ledger::Act;
use model::{DatasetState, Length, Level, RequestId, RequestKind, Slug};

use crate::payload::Payload;
use crate::{Inapplicable, Review, ReviewError, Rule, authorization, record, state};

/// The most datasets of one access request.
pub const MAX_DATASETS: usize = 20;

/// What an analyst fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessApplication {
    /// 1 to [`MAX_DATASETS`] different datasets.
    pub datasets: Vec<Slug>,
    /// What they will be used for ([`Length::PURPOSE`]).
    pub purpose: String,
    /// How results and accounts will be kept safe ([`Length::SAFEGUARDS`]).
    pub safeguards: String,
    /// For how many days; none leaves it to the policy.
    pub days: Option<u32>,
}

impl Review {
    /// Applies for the use of conditional datasets.
    ///
    /// # Errors
    /// [`ReviewError::Denied`] unless the actor is an enterprise's analyst, [`ReviewError::NotFound`] for a dataset
    /// that is not in the catalogue, [`ReviewError::NotApplicable`] for one that is not conditional, and whatever
    /// is wrong with the texts.
    pub async fn submit_access(
        &self,
        actor: &Actor,
        application: &AccessApplication,
    ) -> Result<Request, ReviewError> {
        let (user, organization) = actor.person()?;
        let purpose = Length::PURPOSE.check(&application.purpose)?;
        let safeguards = Length::SAFEGUARDS.check(&application.safeguards)?;
        let now = self.parts.clock.now();
        let policy = self.review_policy(now).await?;
        let most_days = policy.rules.project_days;
        if let Some(days) = application.days.filter(|days| !(1..=most_days).contains(days)) {
            return Err(Rule::Days {
                most: most_days,
                got: days,
            }
            .into());
        }
        let datasets = self.load_applicable(actor, &application.datasets).await?;
        let level = datasets.iter().filter_map(|dataset| dataset.level).max();
        let level = level.ok_or(ReviewError::Internal("a conditional dataset without a level"))?;
        let texts = [("purpose", purpose.as_str()), ("safeguards", safeguards.as_str())];
        let payload = Payload::seal(texts, application.days)?;
        let request = Request {
            id: RequestId::at(now),
            kind: RequestKind::Access,
            state: state::first(RequestKind::Access, level, &policy.rules),
            organization_id: organization,
            submitted_by: user,
            level,
            special: datasets.iter().any(|dataset| dataset.metadata.special),
            deadline: policy.rules.deadline(now),
            payload: payload.to_value()?,
            policy_id: policy.id,
            revision: 1,
            created_at: now,
            decided_at: None,
        };
        let asked: Vec<_> = datasets.iter().map(|dataset| (dataset.id, None)).collect();

        let tx = self.parts.db.begin_write().await?;
        db::request::insert(&tx, &request, &asked).await?;
        let leaf = record::leaf(Act::AccessRequested, actor, &request, now).fact("level", level.to_string());
        let leaf = record::with_texts(record::with_datasets(leaf, &datasets), &payload)?;
        record::append(&tx, leaf, now).await?;
        tx.commit().await?;
        Ok(request)
    }

    async fn load_applicable(&self, actor: &Actor, slugs: &[Slug]) -> Result<Vec<Dataset>, ReviewError> {
        if !(1..=MAX_DATASETS).contains(&slugs.len()) {
            return Err(Rule::DatasetCount {
                most: MAX_DATASETS,
                got: slugs.len(),
            }
            .into());
        }
        let mut datasets = Vec::with_capacity(slugs.len());
        let mut seen = BTreeSet::new();
        for slug in slugs {
            let dataset = self.find_dataset(actor, slug).await?;
            // Who may is one question, what can be applied for another, with its own answer.
            let any = Resource::dataset(
                dataset.organization_id,
                Some(Level::L3),
                DatasetState::Released,
                false,
            );
            self.allow(actor, Action::ApplyForAccess, &any)?;
            applicable(&dataset).map_err(|why| ReviewError::NotApplicable {
                slug: dataset.slug.to_string(),
                why,
            })?;
            self.allow(
                actor,
                Action::ApplyForAccess,
                &authorization::of_dataset(&dataset),
            )?;
            if !seen.insert(dataset.id) {
                return Err(Rule::DatasetTwice(dataset.slug.to_string()).into());
            }
            datasets.push(dataset);
        }
        Ok(datasets)
    }
}

/// Whether a dataset is one that enterprises apply for.
pub(crate) fn applicable(dataset: &Dataset) -> Result<(), Inapplicable> {
    Err(match (dataset.state, dataset.level) {
        (DatasetState::Released, Some(Level::L2 | Level::L3)) => return Ok(()),
        (DatasetState::Released, Some(Level::L1)) => Inapplicable::Open,
        (DatasetState::Released, _) => Inapplicable::Closed,
        (DatasetState::Draft, _) => Inapplicable::Draft,
        (DatasetState::Retired, _) => Inapplicable::Retired,
    })
}
