//! Tidying up: what has ended, what nobody asks for again, what nothing points at.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use catalog_entry::Catalog;
use db::Database;
use identity::SessionPolicy;
use metrics_exporter_prometheus::PrometheusHandle;
use model::{Clock, Timestamp, VersionId, VersionState};
use seal::KeyPurpose;
use shapan_config::Config;
use storage::{Known, OpenStore, QuarantineStore, SandboxStore};

use crate::failure::Failure;
use crate::portal::Portal;

use super::Background;

/// How often rows that have ended are deleted.
const ROWS_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often files are looked at.
const FILES_EVERY: Duration = Duration::from_secs(6 * 3_600);
/// Hours that the answer to an Idempotency-Key is kept.
const IDEMPOTENCY_HOURS: i64 = 24;
/// Age from which a file that nothing points at is left over, where no more is known of it: a file is written before
/// the row that names it.
const ORPHAN_AGE: Duration = Duration::from_secs(48 * 3_600);
/// How often metrics forget what was rendered.
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// Keeps tidying up.
pub(super) fn keep(background: &mut Background, config: &Config, portal: &Portal) {
    let (db, clock) = (portal.db.clone(), Arc::clone(&portal.clock));
    background.keep_turns("rows", ROWS_EVERY, move || {
        let (db, clock) = (db.clone(), Arc::clone(&clock));
        async move { delete_ended_rows(&db, clock.now()).await }
    });
    let files = Files {
        db: portal.db.clone(),
        clock: Arc::clone(&portal.clock),
        catalog: portal.catalog.clone(),
        quarantine: portal.quarantine.clone(),
        protected: portal.protected.clone(),
        open: portal.open.clone(),
        quarantine_age: Duration::from_secs(u64::from(config.data.quarantine_days) * 86_400),
    };
    background.keep_turns("files", FILES_EVERY, move || {
        let files = files.clone();
        async move { files.tidy().await.map(drop) }
    });
}

/// Keeps the metrics' memory bounded.
pub(crate) fn keep_metrics(background: &mut Background, metrics: &PrometheusHandle) {
    let metrics = metrics.clone();
    background.keep_turns("metrics", METRICS_EVERY, move || {
        let metrics = metrics.clone();
        async move {
            metrics.run_upkeep();
            Ok::<_, Failure>(())
        }
    });
}

/// Sessions that have ended, answers that nobody asks for again, failures that are forgotten.
async fn delete_ended_rows(db: &Database, now: Timestamp) -> Result<(), db::Error> {
    let policy = SessionPolicy::default();
    let tx = db.begin_write().await?;
    db::session::delete_expired(&tx, now, now.plus_seconds(-policy.idle_seconds)).await?;
    db::idempotency::delete_before(&tx, now.plus_seconds(-3_600 * IDEMPOTENCY_HOURS)).await?;
    db::throttle::delete_before(&tx, now.plus_seconds(-policy.forget_seconds)).await?;
    tx.commit().await
}

/// The files of the three zones.
#[derive(Clone)]
struct Files {
    db: Database,
    clock: Arc<dyn Clock>,
    catalog: Catalog,
    quarantine: QuarantineStore,
    protected: SandboxStore,
    open: OpenStore,
    quarantine_age: Duration,
}

impl Files {
    /// Removes what is left over: by crashes, of versions that failed, and originals whose time in quarantine is over.
    async fn tidy(&self) -> Result<usize, Failure> {
        let mut known = HashMap::new();
        for (id, state) in db::version::list_states(self.db.read()).await? {
            known.insert(id, self.known(id, state).await?);
        }
        let known = Arc::new(known);
        let (files, of) = (self.clone(), Arc::clone(&known));
        let originals = tokio::task::spawn_blocking(move || files.old_originals(&of)).await??;
        for version in &originals {
            self.catalog.erase(*version, KeyPurpose::Original).await?;
        }
        let files = self.clone();
        tokio::task::spawn_blocking(move || files.remove(&known, originals.len())).await?
    }

    async fn known(&self, id: VersionId, state: VersionState) -> Result<Known, Failure> {
        match state {
            VersionState::Failed => return Ok(Known::Nothing),
            VersionState::Ingesting => return Ok(Known::BeingWritten),
            VersionState::Ready | VersionState::Released | VersionState::Retired => {}
        }
        let version = db::version::find(self.db.read(), id).await?;
        // One in quarantine is ready without a manifest: it can be sent to be read again at any moment.
        match version
            .and_then(|version| version.manifest)
            .filter(|manifest| !manifest.is_null())
        {
            None => Ok(Known::BeingWritten),
            Some(manifest) => serde_json::from_value(manifest)
                .map(Known::Complete)
                .map_err(Failure::cannot(format_args!("read the manifest of version {id}"))),
        }
    }

    /// The versions whose originals nobody needs: their keys are forgotten, and then they go.
    fn old_originals(&self, known: &HashMap<VersionId, Known>) -> Result<Vec<VersionId>, Failure> {
        // Without any version it may be an empty database in the place of this portal's: nothing is given up early.
        let lost = if known.is_empty() {
            self.quarantine_age
        } else {
            ORPHAN_AGE
        };
        let now = self.clock.now();
        Ok(self
            .quarantine
            .list_old_uploads(known, lost, self.quarantine_age, now)?)
    }

    /// Removes what no version needs, besides so many originals that are gone.
    fn remove(&self, known: &HashMap<VersionId, Known>, originals: usize) -> Result<usize, Failure> {
        let now = self.clock.now();
        let there = [self.protected.list_versions()?, self.open.list_versions()?].concat();
        let unknown = there
            .iter()
            .filter(|version| !known.contains_key(version))
            .count();
        if unknown > 0 {
            tracing::warn!(
                versions = unknown,
                "there are files of versions that the database does not know; they are left alone: is it the database \
                 of this data folder, and not an older one?"
            );
        }
        let found = self.quarantine.list_orphans(known, ORPHAN_AGE, now)?;
        self.quarantine.remove_orphans(&found)?;
        let mut removed = originals + found.len();
        let found = self.protected.list_orphans(known, ORPHAN_AGE, now)?;
        self.protected.remove_orphans(&found)?;
        removed += found.len();
        let found = self.open.list_orphans(known, ORPHAN_AGE, now)?;
        self.open.remove_orphans(&found)?;
        removed += found.len();
        if removed > 0 {
            tracing::info!(removed, "files were tidied up");
        }
        Ok(removed)
    }
}
