//! Assessors' opinions: independent, on declared metadata and recipe alone, and binding.

use db::request::{GivenOpinion, OPINION_KEY, Request};
use identity::{Action, Actor};
use ledger::Act;
use model::{Length, Opinion, RequestId, RequestState};

use crate::state::{self, Step};
use crate::{Review, ReviewError, record};

impl Review {
    /// Gives the assessor's opinion on the request that is still at `revision`, with its reason
    /// ([`Length::OPINION`]). An `unsafe` one makes approval impossible.
    ///
    /// # Errors
    /// [`ReviewError::NotFound`] for a request that waits for no opinion of the actor, [`ReviewError::Denied`]
    /// unless the actor is an assessor, [`ReviewError::Stale`] if somebody was faster.
    pub async fn give_opinion(
        &self,
        actor: &Actor,
        id: RequestId,
        revision: i64,
        opinion: Opinion,
        reason: &str,
    ) -> Result<Request, ReviewError> {
        let seen = self.find_visible(actor, id).await?;
        self.allow(
            actor,
            Action::GiveOpinion,
            &seen.in_state(RequestState::AwaitingOpinion),
        )?;
        let (user, organization) = actor.person()?;
        let reason = Length::OPINION.check(reason)?;
        let now = self.parts.clock.now();

        let tx = self.parts.db.begin_write().await?;
        let mut request = load_at(&tx, id, revision).await?;
        let to = state::next(request.state, Step::Opine(opinion), false)?;
        request.revision = db::request::change_state(&tx, id, revision, request.state, to, now).await?;
        request.state = to;
        let leaf = record::leaf(Act::OpinionGiven, actor, &request, now)
            .fact("opinion", opinion.as_str())
            .fact("level", request.level.to_string());
        let (leaf, nonce) = record::with_reason(leaf, record::OPINION_REASON, &reason)?;
        let given = GivenOpinion {
            id: crate::fresh(now),
            request_id: id,
            organization_id: organization,
            user_id: user,
            opinion,
            reason,
            reason_nonce: Some(nonce),
            created_at: now,
        };
        db::request::insert_opinion(&tx, &given).await.map_err(|error| {
            if error.violates(OPINION_KEY) {
                ReviewError::WrongState { state: to }
            } else {
                error.into()
            }
        })?;
        let leaf = record::with_datasets(leaf, &crate::view::load_datasets(&tx, id).await?);
        record::append(&tx, leaf, now).await?;
        tx.commit().await?;
        Ok(request)
    }
}

/// The request within a transaction, if it is at the revision that the actor read.
pub(crate) async fn load_at(tx: &db::Tx, id: RequestId, revision: i64) -> Result<Request, ReviewError> {
    let request = db::request::load(tx, id).await?;
    if request.revision == revision {
        Ok(request)
    } else {
        Err(ReviewError::Stale)
    }
}
