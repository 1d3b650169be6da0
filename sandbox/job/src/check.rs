//! The review of special datasets' answers (privacy.md "Time, errors, isolation": two blinded checkers see only the
//! noised output and public facts, all or nothing, on a fixed day).
//!
//! A review belongs to the answer, not to the job: whoever asks the same question again waits for the same votes. It
//! has two seats. One is the bureau's, the other an assessor's or another reviewer's; neither is told whether the other
//! has voted, or how, before the fixed day. The ledger says at once that somebody of an organisation voted, and seals on
//! which answer and how; where a single answer waits, that is still a hint. The answer is released if both find that it
//! may be; a missing vote withholds it, and asking again, which is free, brings it back to those who have not voted.

use db::job_check::{Check, SEAT_KEY, Seat, VOTER_KEY, Vote};
use identity::{Action, Actor, Resource};
use ledger::{Act, Leaf, Opening};
use model::{
    CheckId, DatasetId, DeclaredMetadata, JobState, Length, Level, Localized, Role, Slug, Timestamp,
    UnitDeclaration, Verdict,
};
use serde_json::Value;
use uuid::Uuid;

use crate::error::CheckObstacle;
use crate::{Answer, JobError, Sandbox};

/// How many waiting answers are listed.
const LISTED: u64 = 100;
/// The votes that a release needs.
const SEATS: i64 = 2;

/// What a checker is told of a dataset: what everyone can read in the catalogue.
#[derive(Debug, Clone)]
pub struct CheckedDataset {
    /// Its id.
    pub id: DatasetId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its title.
    pub title: Localized,
    /// Its level.
    pub level: Option<Level>,
    /// Whom the guarantee protects.
    pub unit: Option<UnitDeclaration>,
}

/// A checker's own vote.
#[derive(Debug, Clone)]
pub struct OwnVote {
    /// What they found.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// When.
    pub created_at: Timestamp,
}

/// An answer that waits for its checkers, in their list.
#[derive(Debug, Clone)]
pub struct CheckSummary {
    /// The review's id.
    pub id: CheckId,
    /// The datasets it is about.
    pub datasets: Vec<CheckedDataset>,
    /// The fixed day.
    pub due_at: Timestamp,
    /// The reader's own vote, if given.
    pub own_vote: Option<OwnVote>,
}

/// An answer as its checkers see it: nothing of who asked, what it cost, or the text of the question.
#[derive(Debug, Clone)]
pub struct CheckView {
    /// What the list says of it.
    pub summary: CheckSummary,
    /// All cells and figures that were noised, under names of ours, of each aggregation a table: a release lets go of all of
    /// them, as whoever asked may show what they like of it, and the next question about the same totals is free.
    pub answers: Vec<Answer>,
}

/// The votes on an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) id: CheckId,
    pub(crate) votes: i64,
    pub(crate) votes_to_release: i64,
}

impl Tally {
    fn of(id: CheckId, votes: &[Vote]) -> Self {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let to_release = votes.iter().filter(|vote| vote.verdict == Verdict::Release);
        Self {
            id,
            votes: count(votes.len()),
            votes_to_release: count(to_release.count()),
        }
    }

    /// Whether both have voted. Before that nothing is told of the votes, as one can still be given.
    pub(crate) const fn is_complete(&self) -> bool {
        self.votes == SEATS
    }

    /// Whether both checkers would have the answer released.
    pub(crate) const fn passes(&self) -> bool {
        self.votes_to_release == SEATS
    }
}

impl Sandbox {
    /// The answers that wait for checkers and that the actor may check, those of the soonest fixed day first.
    ///
    /// # Errors
    /// [`JobError::Denied`] for whoever is neither reviewer nor assessor.
    pub async fn list_checks(&self, actor: &Actor) -> Result<Vec<CheckSummary>, JobError> {
        self.parts
            .authority
            .decide(actor, Action::ListChecks, &Resource::Portal)?;
        let mut listed = Vec::new();
        for (check, due_at) in db::job_check::list_awaiting(self.parts.db.read(), LISTED).await? {
            match self.summary(actor, &check, due_at, Action::ViewCheck).await {
                Ok(summary) => listed.push(summary),
                Err(JobError::Denied(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(listed)
    }

    /// An answer that waits for checkers.
    ///
    /// # Errors
    /// [`JobError::NotFound`] if there is none, or the actor may not check it: the two look alike.
    pub async fn check(&self, actor: &Actor, id: CheckId) -> Result<CheckView, JobError> {
        let (check, due_at) = self.awaiting(id).await?;
        let summary = self
            .summary(actor, &check, due_at, Action::ViewCheck)
            .await
            .map_err(unknown)?;
        let paid = db::job::load(self.parts.db.read(), check.job_id).await?;
        let plan: sandbox_plan::PrivatePlan =
            serde_json::from_value(paid.plan.clone()).map_err(|_| JobError::Internal("stored plan"))?;
        let mut answers = Vec::new();
        for whole in plan.whole() {
            let whole = serde_json::to_value(whole).map_err(|_| JobError::Internal("stored plan"))?;
            answers.push(crate::submit::shown(whole, paid.clone()).await?);
        }
        Ok(CheckView { summary, answers })
    }

    /// Votes on an answer that waits for checkers. A vote is final. Withholding needs a reason ([`Length::VOTE`]), which
    /// the analyst reads on the fixed day.
    ///
    /// # Errors
    /// [`JobError::NotFound`] as [`Sandbox::check`]; [`JobError::Check`] if the actor has voted or no seat is left;
    /// [`JobError::Reason`].
    pub async fn vote(
        &self,
        actor: &Actor,
        id: CheckId,
        verdict: Verdict,
        reason: &str,
    ) -> Result<CheckSummary, JobError> {
        let (check, due_at) = self.awaiting(id).await?;
        let summary = self.summary(actor, &check, due_at, Action::ViewCheck).await;
        let summary = summary.map_err(unknown)?;
        let resource = self.resource(&check).await?.0;
        self.parts
            .authority
            .decide(actor, Action::VoteOnCheck, &resource)?;
        let (user, organization) = actor.person()?;
        let length = match verdict {
            Verdict::Release => Length::VOTE_REMARK,
            Verdict::Withhold => Length::VOTE,
        };
        let reason = length.check(reason)?;
        if summary.own_vote.is_some() {
            return Err(CheckObstacle::Voted.into());
        }
        let now = self.parts.clock.now();
        let tx = self.parts.db.begin_write().await?;
        let taken = db::job_check::list_votes(&tx, id).await?;
        let free = |seat: Seat| taken.iter().all(|vote| vote.seat != seat);
        let seats: &[Seat] = if actor.has_role(Role::Reviewer) {
            &[Seat::Bureau, Seat::Second]
        } else {
            &[Seat::Second]
        };
        let seat = seats.iter().copied().find(|seat| free(*seat));
        let seat = seat.ok_or(CheckObstacle::SeatsTaken)?;
        let sealed = |value: &str| {
            let opening =
                Opening::seal(Value::from(value)).map_err(|_| JobError::Internal("no random bytes"))?;
            let commitment = opening
                .commitment()
                .map_err(|_| JobError::Internal("commitment"))?;
            Ok::<_, JobError>((commitment, opening.nonce))
        };
        let (verdict_commitment, verdict_nonce) = sealed(verdict.as_str())?;
        let (reason_commitment, reason_nonce) = sealed(&reason)?;
        let (check_commitment, check_nonce) = sealed(&id.to_string())?;
        // Which answer it is about is sealed too: the other checker knows the review's id.
        let leaf = Leaf::builder(Act::JobChecked, now.as_micros(), actor.ledger_actor())
            .commitment("check", check_commitment)
            .commitment("verdict", verdict_commitment)
            .commitment("verdict_reason", reason_commitment)
            .build()
            .map_err(|_| JobError::Internal("ledger leaf"))?;
        let vote = Vote {
            id: Uuid::now_v7(),
            check_id: id,
            seat,
            user_id: user,
            organization_id: organization,
            verdict,
            reason,
            check_nonce,
            verdict_nonce,
            reason_nonce,
            created_at: now,
        };
        db::job_check::insert_vote(&tx, &vote).await.map_err(|error| {
            if error.violates(SEAT_KEY) {
                CheckObstacle::SeatsTaken.into()
            } else if error.violates(VOTER_KEY) {
                CheckObstacle::Voted.into()
            } else {
                JobError::from(error)
            }
        })?;
        db::ledger::append(&tx, &leaf, now).await?;
        tx.commit().await?;
        Ok(CheckSummary {
            own_vote: Some(own(vote)),
            ..summary
        })
    }

    /// Why a job's answer was withheld: the reasons that its checkers gave, none where a vote was missing.
    ///
    /// # Errors
    /// As [`Sandbox::job`]; [`JobError::NotDue`] if it was not withheld.
    pub async fn withheld_because(&self, actor: &Actor, id: model::JobId) -> Result<Vec<String>, JobError> {
        let view = self.job(actor, id).await?;
        if view.job.state != JobState::Withheld {
            return Err(JobError::NotDue(view.job.due_at));
        }
        let paid = view.job.reuse_of.unwrap_or(view.job.id);
        let read = self.parts.db.read();
        let Some(check) = db::job_check::find_of_job(read, paid).await? else {
            return Ok(Vec::new());
        };
        let votes = db::job_check::list_votes(read, check.id).await?;
        let withheld = votes.into_iter().filter(|vote| vote.verdict == Verdict::Withhold);
        Ok(withheld.map(|vote| vote.reason).collect())
    }

    pub(crate) async fn tally(&self, id: CheckId) -> Result<Tally, JobError> {
        let votes = db::job_check::list_votes(self.parts.db.read(), id).await?;
        Ok(Tally::of(id, &votes))
    }

    /// A review that a job waits for, with its fixed day.
    async fn awaiting(&self, id: CheckId) -> Result<(Check, Timestamp), JobError> {
        let none = || JobError::NotFound("check");
        let read = self.parts.db.read();
        let check = db::job_check::find(read, id).await?.ok_or_else(none)?;
        let due_at = db::job_check::find_due(read, check.job_id).await?;
        let due_at = due_at.filter(|due| *due > self.parts.clock.now());
        Ok((check, due_at.ok_or_else(none)?))
    }

    async fn summary(
        &self,
        actor: &Actor,
        check: &Check,
        due_at: Timestamp,
        action: Action,
    ) -> Result<CheckSummary, JobError> {
        let (resource, datasets) = self.resource(check).await?;
        self.parts.authority.decide(actor, action, &resource)?;
        let (user, _) = actor.person()?;
        let votes = db::job_check::list_votes(self.parts.db.read(), check.id).await?;
        let own_vote = votes.into_iter().find(|vote| vote.user_id == user).map(own);
        Ok(CheckSummary {
            id: check.id,
            datasets,
            due_at,
            own_vote,
        })
    }

    /// What the authority is told of a review, and the datasets that its answer is about.
    async fn resource(&self, check: &Check) -> Result<(Resource, Vec<CheckedDataset>), JobError> {
        let read = self.parts.db.read();
        let job = db::job::load(read, check.job_id).await?;
        let project = db::project::find(read, job.project_id)
            .await?
            .ok_or(JobError::Internal("a job without a project"))?;
        let plan: sandbox_plan::PrivatePlan =
            serde_json::from_value(job.plan).map_err(|_| JobError::Internal("stored plan"))?;
        let mut datasets = Vec::new();
        let mut owners = std::collections::BTreeSet::new();
        for id in plan.datasets() {
            let dataset = db::dataset::load(read, id).await?;
            owners.insert(dataset.organization_id);
            datasets.push(CheckedDataset {
                id,
                slug: dataset.slug,
                title: dataset.metadata.title,
                level: dataset.level,
                unit: dataset.declared.as_ref().and_then(DeclaredMetadata::unit),
            });
        }
        let resource = Resource::Check {
            organization: project.organization_id,
            owners,
        };
        Ok((resource, datasets))
    }
}

fn own(vote: Vote) -> OwnVote {
    OwnVote {
        verdict: vote.verdict,
        reason: vote.reason,
        created_at: vote.created_at,
    }
}

/// What may not be seen does not exist.
fn unknown(error: JobError) -> JobError {
    match error {
        JobError::Denied(_) => JobError::NotFound("check"),
        other => other,
    }
}
