//! Uploads that wait for their officer to look at how they will be read.
//!
//! Such a file lies in quarantine like any other original, under the id that its version will have; until it is
//! confirmed there is no version, so nobody reads it but [`Catalog::look_at_upload`], at its beginning. One that is never
//! confirmed is removed by the housekeeping.

use catalog_ingest::{DetectLimits, Glance, IngestOptions};
use db::dataset::Dataset;
use db::version::Version;
use identity::{Action, Actor};
use model::{DeclaredMetadata, FieldType, Level, TaskId, VersionId};
use seal::KeyPurpose;
use storage::{Original, Spool};

use crate::read::of_dataset;
use crate::upload::{check_takes_files, file_name};
use crate::{Catalog, EntryError, Obstacle, Parts};

/// Rows that are shown of open data.
const SHOWN: usize = 10;

/// A file that was received and not confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldUpload {
    /// The id of the version that it will be.
    pub id: VersionId,
    /// Its name, as its sender gave it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The key that it is sealed with, wrapped by the operator's. It is stored nowhere until the file is confirmed.
    pub key: Vec<u8>,
}

/// A column as its officer sees it before the file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenColumn {
    /// Its name. A header that is none could be a row: of data that are not open only declared names are told.
    pub name: Option<String>,
    /// The type of the values looked at.
    pub detected: FieldType,
    /// The declared type, if the entry declares the column.
    pub declared: Option<FieldType>,
    /// What stands for a missing value besides the empty field.
    pub missing: Vec<String>,
}

/// What an upload looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadLook {
    /// The proposal and, of open data, the first rows.
    pub glance: Glance,
    /// The columns in file order.
    pub columns: Vec<SeenColumn>,
    /// Declared columns that the file has not.
    pub absent: Vec<String>,
    /// Whether a declaration says which columns there are.
    pub declared: bool,
}

impl UploadLook {
    /// Whether the file has the declared columns and no other.
    pub fn fits(&self) -> bool {
        !self.declared || (self.absent.is_empty() && self.columns.iter().all(|c| c.declared.is_some()))
    }
}

impl Catalog {
    /// Keeps a received file until it is confirmed; [`Catalog::begin_upload`] has decided that it may come.
    ///
    /// # Errors
    /// If the file's name is none, or the disk fails; nothing is kept then.
    pub async fn hold_upload(&self, spool: Spool, source_name: &str) -> Result<HeldUpload, EntryError> {
        let name = file_name(source_name)?;
        let id = VersionId::at(self.parts.clock.now());
        let upload = tokio::task::spawn_blocking(move || spool.keep(id))
            .await
            .map_err(|_| EntryError::Internal("keeping an upload"))??;
        let Ok(key) = self.parts.keys.wrap(&upload.key, id, KeyPurpose::Original) else {
            self.parts.quarantine.remove_upload(id)?;
            return Err(EntryError::Internal("wrapping a data key"));
        };
        Ok(HeldUpload {
            id,
            name,
            bytes: upload.bytes,
            key,
        })
    }

    /// What a held upload looks like under these options.
    ///
    /// # Errors
    /// If the actor is no officer of its department, the file is not kept any more, or its beginning cannot be read.
    pub async fn look_at_upload(
        &self,
        actor: &Actor,
        dataset: &Dataset,
        held: &HeldUpload,
        options: &IngestOptions,
    ) -> Result<UploadLook, EntryError> {
        self.allow_upload(actor, dataset)?;
        let original = self.find_held(held).ok_or(Obstacle::UploadGone)?;
        let (options, declared) = (options.clone(), dataset.declared.clone());
        let open = dataset.level.is_some_and(Level::is_open);
        let looked = tokio::task::spawn_blocking(move || {
            let shown = if open { SHOWN } else { 0 };
            let limits = DetectLimits::default();
            let glance = catalog_ingest::glance(original, &options, declared.as_ref(), &limits, shown)?;
            Ok::<_, EntryError>(look(glance, declared.as_ref(), open))
        });
        looked
            .await
            .map_err(|_| EntryError::Internal("looking at an upload"))?
    }

    /// Makes a held upload the dataset's next version and queues the task that reads it.
    ///
    /// # Errors
    /// If the actor is no officer of its department, the dataset takes no files, or this one was confirmed already or is
    /// not kept any more.
    pub async fn confirm_upload(
        &self,
        actor: &Actor,
        dataset: &Dataset,
        held: &HeldUpload,
        options: &IngestOptions,
    ) -> Result<(Version, TaskId), EntryError> {
        self.allow_upload(actor, dataset)?;
        check_takes_files(dataset)?;
        if db::version::find(self.parts.db.read(), held.id).await?.is_some() {
            return Err(Obstacle::UploadConfirmed.into());
        }
        if self.find_held(held).is_none() {
            return Err(Obstacle::UploadGone.into());
        }
        self.store_version(actor, dataset, held, options).await
    }

    /// The file, if it is still kept and the key is its own.
    fn find_held(&self, held: &HeldUpload) -> Option<Original> {
        let Parts { keys, quarantine, .. } = &*self.parts;
        let key = keys.unwrap(&held.key, held.id, KeyPurpose::Original).ok()?;
        quarantine.find_original(held.id, key)
    }

    fn allow_upload(&self, actor: &Actor, dataset: &Dataset) -> Result<(), EntryError> {
        Ok(self
            .parts
            .authority
            .decide(actor, Action::UploadVersion, &of_dataset(dataset))?)
    }
}

fn look(glance: Glance, declared: Option<&DeclaredMetadata>, open: bool) -> UploadLook {
    let fields = declared.map_or(&[][..], DeclaredMetadata::fields);
    let detected = &glance.detection.columns;
    let columns = detected.iter().map(|column| {
        let field = fields
            .iter()
            .find(|field| field.name.folded() == column.name.folded());
        SeenColumn {
            name: (open || field.is_some()).then(|| column.name.to_string()),
            detected: column.field_type,
            declared: field.map(|field| field.field_type),
            missing: column.missing.clone(),
        }
    });
    let columns = columns.collect();
    let absent = fields
        .iter()
        .filter(|field| {
            detected
                .iter()
                .all(|column| column.name.folded() != field.name.folded())
        })
        .map(|field| field.name.to_string())
        .collect();
    UploadLook {
        columns,
        absent,
        declared: declared.is_some(),
        glance,
    }
}
