//! Reading an uploaded file into a version: the background task behind an upload.
//!
//! What is wrong with the file ends the version as failed, with the reason; what is wrong with the machine is tried
//! again. Objects are written first and the version becomes ready in one transaction afterwards: a crash in between
//! leaves objects that no manifest names, which the next attempt writes again, or which go with the version if it fails.

use std::sync::atomic::AtomicBool;

use catalog_ingest::{
    Destination, DetectLimits, IngestError, IngestOptions, IngestPlan, Progress, ROW_GROUP_ROWS, UnitSecret,
    Watch,
};
use db::version::{Ready, Version};
use hmac::{Hmac, KeyInit, Mac};
use model::{Category, Level, UnitType, VersionId, VersionState};
use seal::{DataKey, KeyPurpose};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use storage::DistributionFormat;

use crate::{Catalog, EntryError, Parts};

/// The kind of these tasks; their payload is `{"version": id}`.
pub const TASK_KIND: &str = "ingest";

/// After so many attempts a fault of the machine ends the version. Attempts that were cut off with their process count;
/// they alone may be more.
pub const TRIES: i64 = 3;

/// What became of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Ingested {
    /// The version is ready.
    Ready(Value),
    /// The file could not be read; the reason is stored with the version.
    Failed(Value),
    /// The version was done before, by an attempt that could not say so.
    Done,
}

impl Catalog {
    /// Reads the file of a version that is ingesting. `progress` is told how far it is, `cancel` stops it.
    ///
    /// # Errors
    /// For what another attempt may mend: disk, database, a stop.
    pub async fn ingest(
        &self,
        id: VersionId,
        progress: impl Fn(Progress) + Send + Sync + 'static,
        cancel: std::sync::Arc<AtomicBool>,
    ) -> Result<Ingested, EntryError> {
        let parts = &self.parts;
        let version = db::version::load(parts.db.read(), id).await?;
        if version.state != VersionState::Ingesting {
            return Ok(Ingested::Done);
        }
        let dataset = db::dataset::load(parts.db.read(), version.dataset_id).await?;
        let original = self.load_key(id, KeyPurpose::Original).await?;
        // A fresh one for every attempt: what an attempt before left on the disk opens for nobody.
        let copy = DataKey::generate().map_err(|_| EntryError::Internal("making a data key"))?;
        let this = self.clone();
        let level = dataset.level;
        let keys = (original, copy.clone());
        let read =
            tokio::task::spawn_blocking(move || read(&this.parts, &version, level, keys, &progress, &cancel))
                .await
                .map_err(|_| EntryError::Internal("ingest"))?;
        let now = parts.clock.now();
        let tx = parts.db.begin_write().await?;
        let result = match read {
            Ok(ready) => {
                let summary = json!({"version": id, "checksum": ready.checksum});
                db::version::set_ready(&tx, id, &ready, now).await?;
                if level.is_some_and(Level::is_conditional) {
                    self.put_key(&tx, id, KeyPurpose::Copy, &copy, now).await?;
                }
                Ingested::Ready(summary)
            }
            // Stopped, not refused: the file is read again from the start.
            Err(error @ IngestError::Cancelled) => return Err(error.into()),
            Err(error) if matches!(error.category(), Category::Unavailable | Category::Internal) => {
                return Err(error.into());
            }
            Err(error) => {
                let failure = json!({
                    "code": error.code(), "message": error.to_string(), "line": error.line(),
                    "arguments": error.arguments(),
                });
                db::version::set_failed(&tx, id, failure.clone()).await?;
                db::version_key::destroy(&tx, id, KeyPurpose::Original.as_str(), now).await?;
                Ingested::Failed(failure)
            }
        };
        tx.commit().await?;
        if matches!(result, Ingested::Failed(_)) {
            self.discard(id);
        }
        Ok(result)
    }

    /// Ends a version whose file could not be read in any attempt.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn give_up(&self, id: VersionId) -> Result<(), EntryError> {
        let failure = json!({
            "code": "ingest-unavailable",
            "message": "the portal could not read the file because of a fault of its own; upload it again",
        });
        let tx = self.parts.db.begin_write().await?;
        db::version::set_failed(&tx, id, failure).await?;
        db::version_key::destroy(&tx, id, KeyPurpose::Original.as_str(), self.parts.clock.now()).await?;
        tx.commit().await?;
        self.discard(id);
        Ok(())
    }

    /// Removes every file of a version that failed. What cannot be removed now, or after a crash right here, is left to
    /// the sweep of files, which looks for the files of failed versions.
    pub(crate) fn discard(&self, id: VersionId) {
        let Parts {
            quarantine,
            sandbox,
            open,
            ..
        } = &*self.parts;
        for removed in [
            quarantine.remove_upload(id),
            sandbox.remove_version(id),
            open.remove_version(id),
        ] {
            if let Err(error) = removed {
                tracing::warn!(version = %id, %error, "files of a failed version are left for the next sweep");
            }
        }
    }
}

/// Both passes, on a blocking thread.
fn read(
    parts: &Parts,
    version: &Version,
    level: Option<Level>,
    (original, copy): (DataKey, DataKey),
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &AtomicBool,
) -> Result<Ready, IngestError> {
    let original = parts
        .quarantine
        .find_original(version.id, original)
        .ok_or(IngestError::Internal("the original is gone"))?;
    let options: IngestOptions =
        serde_json::from_value(version.options.clone()).map_err(|_| IngestError::Internal("options"))?;
    let watch = Watch::new(progress, cancel);
    let limits = DetectLimits::default();
    let Some(level) = level else {
        // Quarantine: nothing is written but what the file looks like.
        let detection =
            catalog_ingest::detect(original, &options, version.declared.as_ref(), &limits, &watch)?;
        return ready(&detection, &Value::Null, &json!({"dropped": null}));
    };
    let plan = IngestPlan {
        version: version.id,
        level,
        options,
        declared: version.declared.clone(),
        formats: if level.is_open() {
            DistributionFormat::ALL.to_vec()
        } else {
            Vec::new()
        },
        row_group_rows: ROW_GROUP_ROWS,
        limits,
    };
    let unit = version.declared.as_ref().and_then(model::DeclaredMetadata::unit);
    let secret = unit_secret(&parts.unit_key, unit.map_or(UnitType::Row, |unit| unit.unit_type));
    let destination = if level.is_open() {
        Destination::Open(&parts.open)
    } else {
        Destination::Sandbox {
            store: &parts.sandbox,
            quarantine: &parts.quarantine,
            secret: &secret,
            key: &copy,
        }
    };
    let outcome = catalog_ingest::ingest(original, &plan, destination, &watch)?;
    let manifest = serde_json::to_value(&outcome.manifest).map_err(|_| IngestError::Internal("manifest"))?;
    let profile = json!({
        "columns": outcome.profile.columns,
        "rows": outcome.manifest.rows,
        "units": outcome.units,
        "dropped": {"invalid_key": outcome.dropped.invalid_key, "over_cap": outcome.dropped.over_cap},
    });
    ready(&outcome.detection, &manifest, &profile)
}

fn ready(detection: &impl serde::Serialize, manifest: &Value, profile: &Value) -> Result<Ready, IngestError> {
    let canonical =
        serde_json_canonicalizer::to_vec(manifest).map_err(|_| IngestError::Internal("manifest"))?;
    Ok(Ready {
        options: serde_json::to_value(detection).map_err(|_| IngestError::Internal("detection"))?,
        manifest: manifest.clone(),
        profile: profile.clone(),
        checksum: hex::encode(Sha256::digest(canonical)),
    })
}

/// The secret of a unit type: HMAC-SHA256 of its name under the portal's key, so that one stored key serves all types
/// and none tells of another.
fn unit_secret(key: &[u8; 32], unit_type: UnitType) -> UnitSecret {
    // HMAC pads a key to its block with zeros (RFC 2104 section 2): a block never has the wrong length.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    mac.update(b"unit:");
    mac.update(unit_type.as_str().as_bytes());
    UnitSecret::new(mac.finalize().into_bytes().into())
}
