//! Datasets and their versions: entry, upload, ingestion, release, reading.
//!
//! The life of a dataset: an officer makes the *entry* ([`Catalog::create`]), uploads a *version*
//! ([`Catalog::begin_upload`], [`Catalog::finish_upload`]) that a background task reads ([`ingestion`]), and asks for
//! its release; the review approves it ([`publish`]), which moves the dataset's version pointer: the one commit point
//! of publishing. Readers see what [`Catalog::find`] lets them.

mod abandoned;
mod entry;
mod error;
mod held;
pub mod index;
pub mod ingestion;
mod key;
mod loss;
pub mod publish;
mod read;
mod rewrap;
#[cfg(test)]
mod tests;
mod upload;

use std::sync::Arc;

use db::Database;
use identity::Authority;
use model::{BudgetPolicy, Clock};
use seal::OperatorKey;
use storage::{OpenStore, QuarantineStore, SandboxStore};

pub use entry::{EntryChange, NewEntry};
pub use error::{EntryError, Obstacle, Rule, SearchRule};
pub use held::{HeldUpload, SeenColumn, UploadLook};
pub use loss::{LossAmount, PrivacyLoss, UnitTypeLoss};
pub use read::{DatasetView, OpenFile};
pub use rewrap::{KeyName, RewrapError, Rewrapped, rewrap};

/// The use-cases of the catalogue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Catalog {
    parts: Arc<Parts>,
}

/// What the catalogue works with.
pub struct Parts {
    /// Entries and versions.
    pub db: Database,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who may do what.
    pub authority: Authority,
    /// Originals.
    pub quarantine: QuarantineStore,
    /// Protected versions.
    pub sandbox: SandboxStore,
    /// Open versions.
    pub open: OpenStore,
    /// Largest upload, in bytes.
    pub upload_bytes: u64,
    /// From which the secrets of unit types derive.
    pub unit_key: [u8; 32],
    /// Wraps the data keys of versions.
    pub keys: OperatorKey,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("upload_bytes", &self.upload_bytes)
            .finish_non_exhaustive()
    }
}

impl Catalog {
    /// The use-cases over these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// The budget rules in force now.
    pub(crate) async fn budget_policy(&self) -> Result<BudgetPolicy, EntryError> {
        let now = self.parts.clock.now();
        let row = db::policy::find_effective(self.parts.db.read(), BudgetPolicy::KIND, now).await?;
        match row {
            Some(row) => serde_json::from_value(row.body).map_err(|_| EntryError::Internal("budget policy")),
            None => Ok(BudgetPolicy::default()),
        }
    }
}
