//! The data keys of versions: wrapped in the database, and forgotten to erase what they seal.

use db::Tx;
use model::{Timestamp, VersionId};
use seal::{DataKey, KeyPurpose};

use crate::{Catalog, EntryError};

impl Catalog {
    /// Stores a key of a version in the act that makes it needed.
    pub(crate) async fn put_key(
        &self,
        tx: &Tx,
        version: VersionId,
        purpose: KeyPurpose,
        key: &DataKey,
        now: Timestamp,
    ) -> Result<(), EntryError> {
        let wrapped = self
            .parts
            .keys
            .wrap(key, version, purpose)
            .map_err(|_| EntryError::Internal("wrapping a data key"))?;
        Ok(db::version_key::put(tx, version, purpose.as_str(), &wrapped, now).await?)
    }

    /// The key of a version.
    pub(crate) async fn load_key(
        &self,
        version: VersionId,
        purpose: KeyPurpose,
    ) -> Result<DataKey, EntryError> {
        let wrapped = db::version_key::find(self.parts.db.read(), version, purpose.as_str())
            .await?
            .ok_or(EntryError::Internal("the data key is destroyed"))?;
        self.parts
            .keys
            .unwrap(&wrapped, version, purpose)
            .map_err(|_| EntryError::Internal("a data key that the operator's key does not open"))
    }

    /// Erases the original or the protected copy of a version: first its key is forgotten, in one transaction, after
    /// which nobody can read it, wherever copies of the files lie; then the files are removed. Again is harmless.
    ///
    /// Whether it is to be erased is decided before this is called.
    ///
    /// # Errors
    /// If the database or the disk fails.
    pub async fn erase(&self, version: VersionId, what: KeyPurpose) -> Result<(), EntryError> {
        let parts = &self.parts;
        let tx = parts.db.begin_write().await?;
        db::version_key::destroy(&tx, version, what.as_str(), parts.clock.now()).await?;
        tx.commit().await?;
        match what {
            KeyPurpose::Original => parts.quarantine.remove_upload(version)?,
            KeyPurpose::Copy => parts.sandbox.remove_version(version)?,
        }
        Ok(())
    }
}
