//! Reading datasets: who may see what.

use bytes::Bytes;
use db::dataset::{Dataset, DatasetFilter};
use db::organization::Organization;
use db::version::Version;
use futures::Stream;
use identity::{Action, Actor, Resource};
use model::{DatasetId, DatasetState, Level, OrganizationId, Slug, Timestamp, VersionId, VersionState};
use storage::{Distribution, DistributionFormat, Manifest};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::{Catalog, EntryError};

/// How much of a file is read at once.
const READ_BYTES: usize = 256 << 10;

/// A dataset as one reader may see it.
#[derive(Debug, Clone)]
pub struct DatasetView {
    /// The entry.
    pub dataset: Dataset,
    /// The department that provides it.
    pub organization: Organization,
    /// The current version: for everyone if the dataset is open, else for trusted roles.
    pub version: Option<Version>,
    /// Its manifest, under the same rule.
    pub manifest: Option<Manifest>,
    /// Whether figures computed from the data may be shown to this reader.
    pub figures: bool,
}

/// A file of an open version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFile {
    /// Whose file it is.
    pub version: VersionId,
    /// The version's number.
    pub number: i64,
    /// Name, size, checksum, media type.
    pub distribution: Distribution,
}

impl Catalog {
    /// The dataset that a slug, present or former, leads to, as this actor may see it.
    ///
    /// # Errors
    /// [`EntryError::NotFound`] if there is none or the actor may not know of it: the two look alike.
    pub async fn find(&self, actor: &Actor, slug: &Slug) -> Result<DatasetView, EntryError> {
        let db = &self.parts.db;
        let dataset = db::dataset::find_by_slug(db.read(), slug)
            .await?
            .ok_or(EntryError::NotFound("dataset"))?;
        let resource = of_dataset(&dataset);
        let seen = if dataset.state == DatasetState::Draft {
            Action::ViewDraftEntry
        } else {
            Action::ViewEntry
        };
        if self.parts.authority.decide(actor, seen, &resource).is_err() {
            return Err(EntryError::NotFound("dataset"));
        }
        let open = dataset.state == DatasetState::Released && dataset.level.is_some_and(Level::is_open);
        let figures = open
            || self
                .parts
                .authority
                .decide(actor, Action::ViewProfile, &resource)
                .is_ok();
        let organization = db::organization::load(db.read(), dataset.organization_id).await?;
        let version = match dataset.current_version_id {
            Some(id) if figures => db::version::find(db.read(), id).await?,
            _ => None,
        };
        let manifest = version.as_ref().map(manifest_of).transpose()?.flatten();
        Ok(DatasetView {
            dataset,
            organization,
            version,
            manifest,
            figures,
        })
    }

    /// The versions of a dataset, newest first: released ones of open data for everyone, all for trusted roles.
    ///
    /// # Errors
    /// As [`Catalog::find`].
    pub async fn versions(
        &self,
        actor: &Actor,
        slug: &Slug,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<Version>, EntryError> {
        let view = self.find(actor, slug).await?;
        if !view.figures {
            return Ok(Vec::new());
        }
        let trusted = self
            .parts
            .authority
            .decide(actor, Action::ViewProfile, &of_dataset(&view.dataset))
            .is_ok();
        let versions = db::version::list(self.parts.db.read(), view.dataset.id, before, limit).await?;
        Ok(versions
            .into_iter()
            .filter(|v| trusted || v.state == VersionState::Released)
            .collect())
    }

    /// One version with its manifest, for those who may see the dataset's figures.
    ///
    /// # Errors
    /// As [`Catalog::find`].
    pub async fn version(
        &self,
        actor: &Actor,
        slug: &Slug,
        number: i64,
    ) -> Result<(DatasetView, Version, Option<Manifest>), EntryError> {
        let view = self.find(actor, slug).await?;
        let none = || EntryError::NotFound("version");
        if !view.figures {
            return Err(none());
        }
        let version = db::version::find_by_number(self.parts.db.read(), view.dataset.id, number)
            .await?
            .ok_or_else(none)?;
        let trusted = self
            .parts
            .authority
            .decide(actor, Action::ViewProfile, &of_dataset(&view.dataset))
            .is_ok();
        if version.state != VersionState::Released && !trusted {
            return Err(none());
        }
        let manifest = manifest_of(&version)?;
        Ok((view, version, manifest))
    }

    /// The file of an open, released version in a format; the current one if no number is given.
    ///
    /// # Errors
    /// [`EntryError::NotFound`] for anything that is not open, released and there.
    pub async fn open_file(
        &self,
        actor: &Actor,
        slug: &Slug,
        number: Option<i64>,
        format: DistributionFormat,
    ) -> Result<OpenFile, EntryError> {
        let (version, manifest) = self.open_version(actor, slug, number).await?;
        let distribution = manifest
            .find_distribution(format)
            .cloned()
            .ok_or(EntryError::NotFound("download in this format"))?;
        Ok(OpenFile {
            version: version.id,
            number: version.number,
            distribution,
        })
    }

    /// Paths of the parts of an open, released version within the open store, in row order.
    ///
    /// # Errors
    /// [`EntryError::NotFound`] for anything that is not open, released and there.
    pub async fn open_parts(
        &self,
        actor: &Actor,
        slug: &Slug,
        number: Option<i64>,
    ) -> Result<(Version, Vec<String>), EntryError> {
        let (version, manifest) = self.open_version(actor, slug, number).await?;
        let parts = manifest
            .parts
            .iter()
            .map(|part| Ok(self.parts.open.location(version.id, &part.name)?.to_string()))
            .collect::<Result<Vec<_>, EntryError>>()?;
        Ok((version, parts))
    }

    async fn open_version(
        &self,
        actor: &Actor,
        slug: &Slug,
        number: Option<i64>,
    ) -> Result<(Version, Manifest), EntryError> {
        let view = self.find(actor, slug).await?;
        let none = || EntryError::NotFound("open version");
        if view.dataset.state != DatasetState::Released || view.dataset.level != Some(Level::L1) {
            return Err(none());
        }
        let version = match number {
            None => view.version,
            Some(n) => db::version::find_by_number(self.parts.db.read(), view.dataset.id, n).await?,
        };
        let version = version
            .filter(|v| v.state == VersionState::Released)
            .ok_or_else(none)?;
        let manifest = manifest_of(&version)?.ok_or_else(none)?;
        Ok((version, manifest))
    }

    /// The store that open files are read from.
    pub fn open_store(&self) -> &storage::OpenStore {
        &self.parts.open
    }

    /// Bytes of an open file, from `first` on, `count` of them, in pieces of up to 256 KiB.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub async fn read_open(
        &self,
        file: &OpenFile,
        first: u64,
        count: u64,
    ) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + 'static, EntryError> {
        let path = self
            .parts
            .open
            .local_path(file.version, &file.distribution.name)?;
        let lost = |_| EntryError::Internal("an open file that a manifest names cannot be read");
        let mut opened = tokio::fs::File::open(path).await.map_err(lost)?;
        opened.set_max_buf_size(READ_BYTES);
        if first > 0 {
            opened.seek(std::io::SeekFrom::Start(first)).await.map_err(lost)?;
        }
        Ok(ReaderStream::with_capacity(opened.take(count), READ_BYTES))
    }

    /// The entries of the actor's own department in any state, last changed first, after the one that changed at
    /// `after`.
    ///
    /// # Errors
    /// If the actor is nobody's officer.
    pub async fn list_own(
        &self,
        actor: &Actor,
        after: Option<(Timestamp, DatasetId)>,
        limit: u64,
    ) -> Result<Vec<Dataset>, EntryError> {
        let (_, organization) = actor.person()?;
        self.parts
            .authority
            .decide(actor, Action::CreateDataset, &of_organization(organization))?;
        Ok(db::dataset::list_changed(self.parts.db.read(), organization, after, limit).await?)
    }

    /// Released datasets, newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn list_released(
        &self,
        before: Option<DatasetId>,
        limit: u64,
    ) -> Result<Vec<Dataset>, EntryError> {
        let filter = DatasetFilter {
            state: Some(DatasetState::Released),
            ..DatasetFilter::default()
        };
        Ok(db::dataset::list(self.parts.db.read(), filter, before, limit).await?)
    }

    /// The dataset of a slug, if the actor may do this to it.
    pub(crate) async fn load_for(
        &self,
        actor: &Actor,
        slug: &Slug,
        action: Action,
    ) -> Result<Dataset, EntryError> {
        let view = self.find(actor, slug).await?;
        self.parts
            .authority
            .decide(actor, action, &of_dataset(&view.dataset))?;
        Ok(view.dataset)
    }
}

/// What the authority is told of a dataset.
pub(crate) fn of_dataset(dataset: &Dataset) -> Resource {
    Resource::dataset(
        dataset.organization_id,
        dataset.level,
        dataset.state,
        dataset.metadata.special,
    )
}

/// What the authority is told of an organisation's own affairs.
pub(crate) fn of_organization(organization: OrganizationId) -> Resource {
    Resource::organization(organization)
}

/// The manifest of a version that is ready.
pub(crate) fn manifest_of(version: &Version) -> Result<Option<Manifest>, EntryError> {
    // A version in quarantine has none: nothing was written for it.
    let stored = version.manifest.clone().filter(|manifest| !manifest.is_null());
    let read = stored.map(serde_json::from_value).transpose();
    read.map_err(|_| EntryError::Internal("manifest"))
}
