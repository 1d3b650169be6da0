//! Versions that nobody reads any more, although they say so: a process died in the last attempt.

use std::collections::HashSet;

use db::Connection;
use model::{VersionId, VersionState};
use seal::KeyPurpose;
use serde_json::json;

use crate::ingestion::TASK_KIND;
use crate::{Catalog, EntryError};

impl Catalog {
    /// Ends the versions that are said to be read although no task reads them or is about to, because the process died
    /// in the task's last attempt. Returns how many there were. For the start and for now and then.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn give_up_abandoned(&self) -> Result<usize, EntryError> {
        let db = &self.parts.db;
        let said = db::version::list_in_state(db.read(), VersionState::Ingesting).await?;
        if said.is_empty() {
            return Ok(0);
        }
        let read = being_read(db.read()).await?;
        let mut given_up = 0;
        for id in said.into_iter().filter(|id| !read.contains(id)) {
            let failure = json!({
                "code": "ingest-unavailable",
                "message": "each time the file was read the portal was interrupted before the end; upload it again, and \
                            if that ends in the same way tell those who run the portal",
            });
            let tx = db.begin_write().await?;
            match db::version::set_failed(&tx, id, failure).await {
                // It came to its end meanwhile.
                Err(db::Error::Stale(_)) => continue,
                other => other?,
            }
            // Holding the version, nobody can send it to be read again; whoever just did so has told its task with it.
            if being_read(&tx).await?.contains(&id) {
                tx.rollback().await?;
                continue;
            }
            let now = self.parts.clock.now();
            db::version_key::destroy(&tx, id, KeyPurpose::Original.as_str(), now).await?;
            tx.commit().await?;
            tracing::error!(version = %id, "a version is given up: the process died each time it read its file");
            given_up += 1;
            self.discard(id);
        }
        Ok(given_up)
    }
}

/// The versions that open tasks are about.
async fn being_read(connection: &Connection) -> Result<HashSet<VersionId>, EntryError> {
    let payloads = db::task::list_open_payloads(connection, TASK_KIND).await?;
    let version = |payload: serde_json::Value| payload["version"].as_str()?.parse().ok();
    Ok(payloads.into_iter().filter_map(version).collect())
}
