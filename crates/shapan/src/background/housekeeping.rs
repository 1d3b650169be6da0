//! Tidying up: what has ended, what nobody asks for again, what nothing points at.

use std::sync::Arc;
use std::time::Duration;

use db::Database;
use identity::SessionPolicy;
use metrics_exporter_prometheus::PrometheusHandle;
use model::{Clock, Timestamp};
use shapan_config::Config;
use storage::{Manifest, OpenStore, QuarantineStore, SandboxStore};

use crate::failure::Failure;
use crate::portal::Portal;

use super::Background;

/// How often rows that have ended are deleted.
const ROWS_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often files are looked at.
const FILES_EVERY: Duration = Duration::from_secs(6 * 3_600);
/// Hours that the answer to an Idempotency-Key is kept.
const IDEMPOTENCY_HOURS: i64 = 24;
/// Age of a file that nothing points at: longer than any ingest takes, since a running one has such files.
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
        quarantine: portal.quarantine.clone(),
        protected: portal.protected.clone(),
        open: portal.open.clone(),
        quarantine_age: Duration::from_secs(u64::from(config.data.quarantine_days) * 86_400),
    };
    background.keep_turns("files", FILES_EVERY, move || {
        let files = files.clone();
        async move { files.tidy().await }
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
    quarantine: QuarantineStore,
    protected: SandboxStore,
    open: OpenStore,
    quarantine_age: Duration,
}

impl Files {
    /// Removes originals whose time in quarantine is over, and files that no manifest names.
    async fn tidy(&self) -> Result<(), Failure> {
        let mut manifests = Vec::new();
        for id in db::version::list_kept_ids(self.db.read()).await? {
            if let Some(manifest) = db::version::find(self.db.read(), id)
                .await?
                .and_then(|v| v.manifest)
                && !manifest.is_null()
            {
                let manifest: Manifest = serde_json::from_value(manifest)
                    .map_err(Failure::cannot(format_args!("read the manifest of version {id}")))?;
                manifests.push(manifest);
            }
        }
        let files = self.clone();
        tokio::task::spawn_blocking(move || files.remove(&manifests)).await?
    }

    fn remove(&self, manifests: &[Manifest]) -> Result<(), Failure> {
        let now = self.clock.now();
        let originals = self
            .quarantine
            .remove_uploads_older_than(self.quarantine_age, now)?;
        let mut orphans = 0;
        let found = self.quarantine.list_orphans(&[], ORPHAN_AGE, now)?;
        self.quarantine.remove_orphans(&found)?;
        orphans += found.len();
        let found = self.protected.list_orphans(manifests, ORPHAN_AGE, now)?;
        self.protected.remove_orphans(&found)?;
        orphans += found.len();
        let found = self.open.list_orphans(manifests, ORPHAN_AGE, now)?;
        self.open.remove_orphans(&found)?;
        orphans += found.len();
        if originals + orphans > 0 {
            tracing::info!(originals, orphans, "files were tidied up");
        }
        Ok(())
    }
}
