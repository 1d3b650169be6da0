//! The server's side of planners: few at once, fewer for one account, none for long, and none believed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use model::UserId;
use sandbox_plan::refusal::{MAX_DETAIL, PANICKED};
use sandbox_plan::source::MAX_TABLES;
use sandbox_plan::{PrivatePlan, Refusal, Rule};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::child::{ChildError, ChildProgram, Framed};
use crate::planner::{MAX_PLAN_REQUEST, MAX_PLANNED, PlanRequest, Planned};

/// What planners of a node may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannerLimits {
    /// Planners at a time.
    pub at_once: usize,
    /// Planners of one account at a time: fewer, so that others can plan as well.
    pub per_account: usize,
    /// The longest that a query waits for its planner.
    pub wait: Duration,
    /// The longest that it then waits for the answer.
    pub deadline: Duration,
    /// Processor time of each planner, in seconds.
    pub cpu_seconds: u64,
    /// Address space of each, in bytes.
    pub memory_bytes: u64,
}

/// Queries at the limits of their size take a second and a few hundred megabytes.
impl Default for PlannerLimits {
    fn default() -> Self {
        Self {
            at_once: 4,
            per_account: 2,
            wait: Duration::from_secs(10),
            deadline: Duration::from_secs(20),
            cpu_seconds: 10,
            memory_bytes: 1 << 30,
        }
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlannerError {
    /// The query breaks a rule; that it took more time or memory than it may is one.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// No planner became free in time, or the machine left it no time to answer.
    #[error("too many queries are being planned")]
    Busy,
    /// Planners end without an answer: a fault of ours.
    #[error("the query cannot be planned")]
    Failed,
}

/// Runs planners. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Planners {
    program: ChildProgram,
    limits: PlannerLimits,
    slots: Arc<Semaphore>,
    /// Of each account that plans or waits now.
    accounts: Arc<Mutex<HashMap<UserId, Weak<Account>>>>,
}

/// What one account may have at a time.
#[derive(Debug)]
struct Account {
    planners: Arc<Semaphore>,
    /// Queries, planned or waiting.
    queries: Arc<Semaphore>,
}

/// Queries of one account that are planned or wait; each holds its text and the declarations in memory.
const MAX_QUERIES: usize = 128;

/// The right to one planner.
struct Permit {
    _account: Arc<Account>,
    _query: OwnedSemaphorePermit,
    _of_account: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Planners {
    /// Planners under these limits.
    pub fn new(program: ChildProgram, limits: PlannerLimits) -> Self {
        Self {
            program,
            limits,
            slots: Arc::new(Semaphore::new(limits.at_once.max(1))),
            accounts: Arc::default(),
        }
    }

    /// Plans a query for an account, in a process that ends with the answer, with its limits, or when this is dropped.
    /// Limits of the request are replaced by this node's.
    ///
    /// A query that uses up processor time or memory is refused as too complex, whatever else the machine does.
    ///
    /// # Errors
    /// [`PlannerError`]. Logs tell how a planner ended, and nothing of the query.
    pub async fn plan(&self, account: UserId, mut request: PlanRequest) -> Result<Planned, PlannerError> {
        let _permit = timeout(self.limits.wait, self.permit(account))
            .await
            .ok()
            .flatten()
            .ok_or(PlannerError::Busy)?;
        request.memory_bytes = self.limits.memory_bytes;
        request.cpu_seconds = self.limits.cpu_seconds;
        let request = Arc::new(request);
        let payload = serde_json::to_vec(&request).map_err(|_| PlannerError::Failed)?;
        let framed = Framed::new(payload, MAX_PLAN_REQUEST).ok_or_else(|| {
            tracing::error!("ALARM: a query cannot be planned: its datasets' declarations are too long");
            PlannerError::Failed
        })?;
        let until = Instant::now() + self.limits.deadline;
        // Once more, for what had nothing to do with the query.
        for _ in 0..2 {
            let answer = timeout_at(until, self.attempt(&framed, &request)).await;
            let Ok(answer) = answer else {
                tracing::warn!("a sandbox planner was ended: the machine left it no time");
                return Err(PlannerError::Busy);
            };
            match answer {
                Ok(answer) => return answer.map_err(|refusal| PlannerError::Refused(Box::new(refusal))),
                Err(error @ (ChildError::Time | ChildError::Room)) => {
                    tracing::warn!(%error, "a sandbox planner was ended by its limits");
                    return Err(PlannerError::Refused(Box::new(Refusal::new(Rule::TooComplex))));
                }
                Err(error @ (ChildError::Spawn | ChildError::Broken)) => {
                    tracing::warn!(%error, "a sandbox planner failed");
                }
            }
        }
        tracing::error!("ALARM: a query cannot be planned: the planner failed twice");
        Err(PlannerError::Failed)
    }

    /// An account waits for one of its own first: what is before others in the queue is then never more than that.
    async fn permit(&self, account: UserId) -> Option<Permit> {
        let account = self.account(account);
        Some(Permit {
            _query: Arc::clone(&account.queries).try_acquire_owned().ok()?,
            _of_account: Arc::clone(&account.planners).acquire_owned().await.ok()?,
            _of_all: Arc::clone(&self.slots).acquire_owned().await.ok()?,
            _account: account,
        })
    }

    fn account(&self, account: UserId) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|_, own| own.strong_count() > 0);
        if let Some(own) = accounts.get(&account).and_then(Weak::upgrade) {
            return own;
        }
        let own = Arc::new(Account {
            planners: Arc::new(Semaphore::new(self.limits.per_account.max(1))),
            queries: Arc::new(Semaphore::new(MAX_QUERIES.max(self.limits.per_account))),
        });
        accounts.insert(account, Arc::downgrade(&own));
        own
    }

    async fn attempt(
        &self,
        framed: &Framed,
        request: &Arc<PlanRequest>,
    ) -> Result<Result<Planned, Refusal>, ChildError> {
        let bytes = self.program.ask(framed, MAX_PLANNED).await?;
        let request = Arc::clone(request);
        // Reading and checking a long plan takes a while.
        let answer = tokio::task::spawn_blocking(move || {
            let answer: Result<Planned, Refusal> = serde_json::from_slice(&bytes).ok()?;
            is_credible(&answer, &request).then_some(answer)
        });
        let answer = answer.await.ok().flatten().ok_or(ChildError::Broken)?;
        if let Err(refusal) = &answer
            && refusal.detail.as_deref() == Some(PANICKED)
        {
            tracing::error!("the sandbox planner panicked over a query, which was refused");
        }
        Ok(answer)
    }
}

/// Whether it is an answer to the request: a planner is not believed, for it reads whatever anybody writes.
fn is_credible(answer: &Result<Planned, Refusal>, request: &PlanRequest) -> bool {
    match answer {
        Ok(Planned::Plan(plan)) => is_of(plan, request),
        Ok(Planned::Needs(needed)) => request.public.is_none() && (1..=MAX_TABLES).contains(&needed.len()),
        Err(refusal) => {
            let detail = refusal.detail.as_deref().unwrap_or_default();
            detail.chars().nth(MAX_DETAIL).is_none()
        }
    }
}

/// Whether a plan holds together, which its sensitivities are part of, and is one over the request's datasets as they are
/// declared, and its public relations.
fn is_of(plan: &PrivatePlan, request: &PlanRequest) -> bool {
    let declared = |table| request.protected.iter().any(|relation| relation.declares(table));
    let frozen = |table| request.public.iter().flatten().any(|known| known == table);
    let below = plan.parts.iter().flat_map(|part| &part.core.public);
    plan.check().is_ok() && plan.scans().all(declared) && below.chain(&plan.public).all(frozen)
}
