//! Closing projects whose period has ended, by the clock.

use std::collections::BTreeMap;

use db::Tx;
use db::allocation::{Allocation, Cost};
use db::project::Project;
use ledger::{Act, Actor, Leaf};
use model::{AllocationId, ProjectId, Timestamp};

use crate::{JobError, Sandbox};

/// How many projects are closed in one turn.
const BATCH: u64 = 100;

impl Sandbox {
    /// Closes every project whose period has ended, each in a transaction of its own: it takes no more jobs, its
    /// reservations go back to its datasets' caps but for what was spent (privacy.md "Accounting"), and the ledger says
    /// what that was. Jobs that were charged go on to their release.
    ///
    /// Returns how many were closed. One that cannot be is logged and tried again in the next turn.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn close_expired(&self) -> Result<usize, JobError> {
        let now = self.parts.clock.now();
        let mut closed = 0;
        for project in db::project::list_expired(self.parts.db.read(), now, BATCH).await? {
            match self.close(&project, now).await {
                Ok(done) => closed += usize::from(done),
                Err(error) => {
                    tracing::error!(project = %project.id, %error, "a project whose period has ended stays open");
                }
            }
        }
        Ok(closed)
    }

    /// Closes one project; `false` if somebody else has.
    async fn close(&self, project: &Project, now: Timestamp) -> Result<bool, JobError> {
        let tx = self.parts.db.begin_write().await?;
        // First of all: a submission of this moment has either committed, and what it was charged is seen below, or
        // finds the project closed.
        if !db::project::close(&tx, project.id, now).await? {
            return Ok(false);
        }
        let mut allocations = db::allocation::list_of_project(&tx, project.id, now).await?;
        // In the order in which charges take them.
        allocations.sort_by_key(|allocation| allocation.lineage_id);
        for allocation in &allocations {
            db::allocation::close(&tx, allocation.id, now).await?;
        }
        let leaf = Leaf::builder(Act::ProjectClosed, now.as_micros(), Actor::system())
            .subject("project", project.id.to_string())
            .fact("organization", project.organization_id.to_string())
            .fact("cause", "expired")
            .fact("expires_at", project.expires_at.as_micros())
            .fact("spent", spent(&tx, project.id, &allocations).await?)
            .build()
            .map_err(|_| JobError::Internal("ledger leaf"))?;
        db::ledger::append(&tx, &leaf, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// What a project spent over its whole life, as `project.opened` says what it was granted:
/// `bike-share-trips rho_nano=56130000 delta_atto=1000000000` for each of its allocations.
async fn spent(tx: &Tx, project: ProjectId, allocations: &[Allocation]) -> Result<Vec<String>, JobError> {
    let mut slugs: BTreeMap<AllocationId, Vec<String>> = BTreeMap::new();
    for (dataset, allocation) in db::project::list_datasets(tx, project).await? {
        if let Some(allocation) = allocation {
            let slug = db::dataset::load(tx, dataset).await?.slug.to_string();
            slugs
                .entry(AllocationId::from_uuid(allocation))
                .or_default()
                .push(slug);
        }
    }
    let mut sums: BTreeMap<AllocationId, Cost> = BTreeMap::new();
    for charge in db::allocation::list_charges(tx, project).await? {
        let sum = sums.entry(charge.allocation_id).or_default();
        sum.rho_nano += charge.cost.rho_nano;
        sum.delta_atto += charge.cost.delta_atto;
    }
    let describe = |allocation: &Allocation| {
        let Cost { rho_nano, delta_atto } = sums.get(&allocation.id).copied().unwrap_or_default();
        let slugs = slugs
            .get(&allocation.id)
            .map(|slugs| slugs.join("+"))
            .unwrap_or_default();
        format!("{slugs} rho_nano={rho_nano} delta_atto={delta_atto}")
    };
    Ok(allocations.iter().map(describe).collect())
}
