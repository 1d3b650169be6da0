//! Taking a request back.

use db::request::Request;
use identity::{Action, Actor};
use ledger::Act;
use model::{RequestId, RequestState};

use crate::opinion::load_at;
use crate::state::{self, Step};
use crate::{Review, ReviewError, record};

impl Review {
    /// Takes back the open request that is still at `revision`; a new one can follow.
    ///
    /// # Errors
    /// [`ReviewError::Denied`] unless the actor could have submitted it, [`ReviewError::WrongState`] if it is
    /// decided, [`ReviewError::Stale`] at another revision.
    pub async fn withdraw(
        &self,
        actor: &Actor,
        id: RequestId,
        revision: i64,
    ) -> Result<Request, ReviewError> {
        let seen = self.find_visible(actor, id).await?;
        self.allow(
            actor,
            Action::WithdrawRequest,
            &seen.in_state(RequestState::AwaitingDecision),
        )?;
        let now = self.parts.clock.now();

        let tx = self.parts.db.begin_write().await?;
        let mut request = load_at(&tx, id, revision).await?;
        let to = state::next(request.state, Step::Withdraw, false)?;
        request.revision = db::request::change_state(&tx, id, revision, request.state, to, now).await?;
        request.state = to;
        request.decided_at = Some(now);
        let leaf =
            record::leaf(Act::RequestWithdrawn, actor, &request, now).fact("kind", request.kind.as_str());
        let leaf = record::with_datasets(leaf, &crate::view::load_datasets(&tx, id).await?);
        record::append(&tx, leaf, now).await?;
        tx.commit().await?;
        Ok(request)
    }
}
