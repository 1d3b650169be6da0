//! What handlers work with: the use-cases, and the few things that belong to the edge alone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use catalog_entry::Catalog;
use catalog_entry::index::Indexer;
use db::Database;
use db::organization::Organization;
use db::task::Task;
use identity::{Action, Actor, Authority, Identity, Resource};
use model::{Clock, OrganizationId, TaskId};
use query::Engine;
use review::Review;
use sandbox_job::Sandbox;

use crate::failure::Failure;
use crate::usage::Usage;

/// The services of a process, shared by all requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Services>);

/// The services of a process.
#[derive(Debug)]
pub struct Services {
    /// Who may do what.
    pub authority: Authority,
    /// Accounts, sessions, tokens.
    pub identity: Identity,
    /// Datasets and versions.
    pub catalog: Catalog,
    /// Search over the public catalogue.
    pub indexer: Indexer,
    /// Requests and decisions.
    pub review: Review,
    /// Private jobs.
    pub sandbox: Sandbox,
    /// SQL over open data.
    pub query: Engine,
    /// Tasks, ledger and idempotency keys are read here directly: there is no rule to keep.
    pub db: Database,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Counts of views, downloads and calls.
    pub usage: Usage,
    /// The longest time until an answer begins, and between the parts of an upload.
    pub request_time: Duration,
    /// Signs cursors, so that a forged one is told from a given one.
    pub cursor_key: [u8; 32],
    /// How the portal is reached from outside, if it is configured.
    pub public_url: Option<String>,
    /// Whether sign-in cookies are for HTTPS only.
    pub secure_cookies: bool,
    /// The log's verifier key, as `shapan ledger verify` takes it.
    pub ledger_key: String,
    /// Renders `/metrics`; shown to loopback clients only.
    pub metrics: Option<MetricsRenderer>,
}

/// Renders the process's metrics in Prometheus' text format.
#[derive(Clone)]
pub struct MetricsRenderer(pub Arc<dyn Fn() -> String + Send + Sync>);

impl std::fmt::Debug for MetricsRenderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MetricsRenderer")
    }
}

impl AppState {
    /// Shares the services.
    pub fn new(services: Services) -> Self {
        Self(Arc::new(services))
    }
}

impl Services {
    /// These organisations by id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn organizations(
        &self,
        ids: impl Iterator<Item = OrganizationId>,
    ) -> Result<HashMap<OrganizationId, Organization>, Failure> {
        let ids: HashSet<OrganizationId> = ids.collect();
        let found = db::organization::list_by_id(self.db.read(), ids).await?;
        Ok(found
            .into_iter()
            .map(|organization| (organization.id, organization))
            .collect())
    }

    /// A background task that the actor may follow.
    ///
    /// # Errors
    /// Not found, also where it is another organisation's: the two look alike.
    pub async fn find_task(&self, actor: &Actor, id: TaskId) -> Result<Task, Failure> {
        let none = || Failure::not_found("task");
        let task = db::task::find(self.db.read(), id).await?.ok_or_else(none)?;
        let organization = task.organization_id.ok_or_else(none)?;
        let resource = Resource::organization(organization);
        self.authority
            .decide(actor, Action::FollowTask, &resource)
            .map_err(|_| none())?;
        Ok(task)
    }
}

impl std::ops::Deref for AppState {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}
