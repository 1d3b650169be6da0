//! Taking in files.

use catalog_ingest::IngestOptions;
use db::Tx;
use db::dataset::Dataset;
use db::task::NewTask;
use db::version::{NUMBER_KEY, Version};
use identity::{Action, Actor};
use model::{DatasetState, Level, Slug, TaskId, Timestamp, VersionId, VersionState};
use seal::KeyPurpose;
use serde_json::json;
use storage::Spool;

use crate::ingestion::TASK_KIND;
use crate::{Catalog, EntryError, HeldUpload, Obstacle, Rule};

/// How often the reading of a file may begin, above all by processes that died meanwhile, perhaps of this file.
const ATTEMPTS: i64 = 10;

impl Catalog {
    /// Checks that the actor may upload to this dataset, and opens a spool for the bytes, before any is taken.
    ///
    /// # Errors
    /// If the actor is no officer of its department, the dataset takes no files, or the disk has no room.
    pub async fn begin_upload(&self, actor: &Actor, slug: &Slug) -> Result<(Dataset, Spool), EntryError> {
        let dataset = self.load_for(actor, slug, Action::UploadVersion).await?;
        check_takes_files(&dataset)?;
        let spool = self.parts.quarantine.spool(self.parts.upload_bytes)?;
        Ok((dataset, spool))
    }

    /// The largest file that is taken, in bytes.
    pub fn upload_bytes(&self) -> u64 {
        self.parts.upload_bytes
    }

    /// The size of a version's original, in bytes, as long as it is kept.
    pub async fn original_bytes(&self, version: VersionId) -> Option<u64> {
        let quarantine = self.parts.quarantine.clone();
        tokio::task::spawn_blocking(move || quarantine.find_original_bytes(version))
            .await
            .ok()
            .flatten()
    }

    /// Keeps a received file as the dataset's next version and queues the task that reads it.
    ///
    /// # Errors
    /// If the file's name is none, or the disk or database fails; nothing is kept then.
    pub async fn finish_upload(
        &self,
        actor: &Actor,
        dataset: &Dataset,
        spool: Spool,
        source_name: &str,
        options: &IngestOptions,
    ) -> Result<(Version, TaskId), EntryError> {
        actor.person()?;
        let held = self.hold_upload(spool, source_name).await?;
        let stored = self.store_version(actor, dataset, &held, options).await;
        if stored.is_err() {
            self.parts.quarantine.remove_upload(held.id)?;
        }
        stored
    }

    /// The next version of a dataset, whose file is held under its id, and the task that reads it.
    pub(crate) async fn store_version(
        &self,
        actor: &Actor,
        dataset: &Dataset,
        held: &HeldUpload,
        options: &IngestOptions,
    ) -> Result<(Version, TaskId), EntryError> {
        let parts = &self.parts;
        let (user, organization) = actor.person()?;
        let now = parts.clock.now();
        let task = TaskId::at(now);
        let options = serde_json::to_value(options).map_err(|_| EntryError::Internal("options"))?;
        // Two uploads at once may take the same number: the constraint tells, and the second takes the next.
        for _ in 0..8 {
            let tx = parts.db.begin_write().await?;
            let version = Version {
                id: held.id,
                dataset_id: dataset.id,
                number: db::version::next_number(&tx, dataset.id).await?,
                state: VersionState::Ingesting,
                created_by: user,
                source_name: held.name.clone(),
                options: options.clone(),
                declared: dataset.declared.clone(),
                manifest: None,
                profile: None,
                failure: None,
                checksum: None,
                created_at: now,
                ready_at: None,
                published_at: None,
            };
            match db::version::insert(&tx, &version).await {
                Err(error) if error.violates(NUMBER_KEY) => continue,
                other => other?,
            }
            let new = NewTask {
                id: task,
                kind: TASK_KIND.to_owned(),
                payload: json!({"version": held.id}),
                organization_id: Some(organization),
                max_attempts: ATTEMPTS,
                run_at: now,
            };
            db::task::enqueue(&tx, &new, now).await?;
            db::version_key::put(&tx, held.id, KeyPurpose::Original.as_str(), &held.key, now).await?;
            tx.commit().await?;
            return Ok((version, task));
        }
        Err(Obstacle::TooManyUploads.into())
    }

    /// Reads again the files that came in while the entry had no level or another declaration.
    pub(crate) async fn requeue_quarantined(
        &self,
        tx: &Tx,
        dataset: &Dataset,
        now: Timestamp,
    ) -> Result<(), EntryError> {
        if dataset.level.is_none_or(|level| level == Level::L4) {
            return Ok(());
        }
        for version in db::version::list(tx, dataset.id, None, 100).await? {
            let kept = self.parts.quarantine.find_original_bytes(version.id).is_some();
            let purpose = KeyPurpose::Original.as_str();
            if version.state != VersionState::Ready
                || !kept
                || db::version_key::find(tx, version.id, purpose).await?.is_none()
            {
                continue;
            }
            db::version::set_ingesting(tx, version.id, dataset.declared.as_ref()).await?;
            let new = NewTask {
                id: TaskId::at(now),
                kind: TASK_KIND.to_owned(),
                payload: json!({"version": version.id}),
                organization_id: Some(dataset.organization_id),
                max_attempts: ATTEMPTS,
                run_at: now,
            };
            db::task::enqueue(tx, &new, now).await?;
        }
        Ok(())
    }
}

/// Whether a dataset takes files at all, and can keep what is in them.
pub(crate) fn check_takes_files(dataset: &Dataset) -> Result<(), EntryError> {
    if dataset.state == DatasetState::Retired {
        return Err(Obstacle::Retired.into());
    }
    if dataset.level == Some(Level::L4) {
        return Err(Obstacle::NotOpened.into());
    }
    let unit = dataset.declared.as_ref().and_then(model::DeclaredMetadata::unit);
    if dataset.level.is_some_and(Level::is_conditional) && unit.is_none() {
        return Err(Obstacle::NoUnit.into());
    }
    Ok(())
}

/// The name of an upload is a label, never a path.
pub(crate) fn file_name(given: &str) -> Result<String, EntryError> {
    let name = given.trim();
    let bad = name.is_empty()
        || name.chars().count() > 200
        || name.contains(['/', '\\', ':'])
        || name == "."
        || name == ".."
        || name.chars().any(char::is_control);
    if bad {
        let shown: String = name.chars().take(60).collect();
        return Err(Rule::FileName(shown).into());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_never_a_path() {
        for bad in [
            "",
            "..",
            "../../etc/passwd",
            "C:\\x.csv",
            "a/b.csv",
            "a\0.csv",
            &"长".repeat(201),
        ] {
            assert!(file_name(bad).is_err(), "{bad}");
        }
        assert_eq!(
            file_name(" 空气质量 2024.csv ").ok().as_deref(),
            Some("空气质量 2024.csv")
        );
    }
}
