//! The three zones (privacy.md "Three zones"), each a store of its own type over its own folder.

use std::fmt;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use model::VersionId;
use object_store::local::LocalFileSystem;
use object_store::{GetOptions, GetResult, ObjectStore, ObjectStoreExt};
use tempfile::NamedTempFile;

use crate::error::StorageError;
use crate::hold;
use crate::pending::{PendingObject, create_folder, is_object_name};

/// A zone of privacy.md. Sealed: there are three.
pub trait Zone: sealed::Zone + fmt::Debug + Send + Sync + 'static {
    /// The zone's name, also that of its folder.
    const NAME: &'static str;
}

mod sealed {
    pub trait Zone {}
}

macro_rules! zone {
    ($(#[$doc:meta])* $name:ident = $text:literal, $(#[$alias_doc:meta])* $alias:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}
        impl sealed::Zone for $name {}
        impl Zone for $name {
            const NAME: &'static str = $text;
        }
        $(#[$alias_doc])*
        pub type $alias = Store<$name>;
    };
}

zone!(
    /// Originals with identifiers: read by ingest and de-identification only, deleted on schedule.
    Quarantine = "quarantine",
    /// The store of originals.
    QuarantineStore
);
zone!(
    /// Copies without direct identifiers, clustered by unit: read by sandbox workers only.
    Sandbox = "sandbox",
    /// The store of protected copies.
    SandboxStore
);
zone!(
    /// Public files.
    Open = "open",
    /// The store of public files.
    OpenStore
);

/// The objects of one zone. Cheap to clone.
pub struct Store<Z> {
    root: Arc<PathBuf>,
    objects: Arc<LocalFileSystem>,
    reserve: u64,
    zone: PhantomData<fn() -> Z>,
}

impl<Z> Clone for Store<Z> {
    fn clone(&self) -> Self {
        Self {
            root: Arc::clone(&self.root),
            objects: Arc::clone(&self.objects),
            reserve: self.reserve,
            zone: PhantomData,
        }
    }
}

impl<Z: Zone> fmt::Debug for Store<Z> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("zone", &Z::NAME)
            .finish_non_exhaustive()
    }
}

/// The folder of published versions.
pub(crate) const VERSIONS: &str = "versions";
/// The folder of files being written.
pub(crate) const PENDING: &str = "pending";

impl<Z: Zone> Store<Z> {
    /// Opens the zone's folder under `data`, creating it with mode 0700. Writes that would leave fewer than `reserve`
    /// bytes free on its disk are refused before they begin.
    ///
    /// # Errors
    /// If the folder cannot be created or its mode not be set.
    pub fn open(data: &Path, reserve: u64) -> Result<Self, StorageError> {
        let io = |error| StorageError::io("open the folder", Z::NAME, error);
        fs::create_dir_all(data).map_err(io)?;
        let root = data.join(Z::NAME);
        for folder in [root.clone(), root.join(VERSIONS), root.join(PENDING)] {
            create_folder(&folder).map_err(io)?;
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(io)?;
        }
        let root = root.canonicalize().map_err(io)?;
        let objects =
            LocalFileSystem::new_with_prefix(root.join(VERSIONS)).map_err(|source| StorageError::Read {
                zone: Z::NAME,
                source,
            })?;
        Ok(Self {
            root: Arc::new(root),
            objects: Arc::new(objects),
            reserve,
            zone: PhantomData,
        })
    }

    /// The zone's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Free bytes on the zone's disk for this process.
    ///
    /// # Errors
    /// If the file system does not say.
    pub fn free_bytes(&self) -> Result<u64, StorageError> {
        fs4::available_space(self.root.as_path())
            .map_err(|e| StorageError::io("ask for free space", Z::NAME, e))
    }

    /// Checks that `wanted` bytes can be written and the reserve is left.
    ///
    /// # Errors
    /// [`StorageError::Full`].
    pub fn check_space(&self, wanted: u64) -> Result<(), StorageError> {
        let wanted = wanted.saturating_add(self.reserve);
        if self.free_bytes()? < wanted {
            Err(StorageError::Full { wanted })
        } else {
            Ok(())
        }
    }

    /// Begins an object of a version. `extension` ends its name.
    ///
    /// # Errors
    /// [`StorageError::Full`], [`StorageError::Name`] for a strange extension, or a failure of the disk.
    pub fn begin(&self, version: VersionId, extension: &str) -> Result<PendingObject, StorageError> {
        if !is_object_name(extension) || extension.len() > 16 {
            return Err(StorageError::Name(extension.chars().take(64).collect()));
        }
        self.check_space(0)?;
        let file = self
            .make_file("object-")
            .map_err(|e| StorageError::io("create a pending object", Z::NAME, e))?;
        Ok(PendingObject::new(
            file,
            self.version_folder(version),
            extension.to_owned(),
            Z::NAME,
        ))
    }

    /// The objects for the query engine: locations are `<version id>/<name>`.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::<LocalFileSystem>::clone(&self.objects)
    }

    /// Where an object is, for [`Self::object_store`].
    ///
    /// # Errors
    /// [`StorageError::Name`] if the text cannot name an object.
    pub fn location(&self, version: VersionId, name: &str) -> Result<object_store::path::Path, StorageError> {
        if !is_object_name(name) {
            return Err(StorageError::Name(name.chars().take(64).collect()));
        }
        Ok(object_store::path::Path::from_iter([
            version.to_string().as_str(),
            name,
        ]))
    }

    /// The file of an object, for grants to sandbox workers and for serving downloads from local disks.
    ///
    /// # Errors
    /// [`StorageError::Name`] if the text cannot name an object.
    pub fn local_path(&self, version: VersionId, name: &str) -> Result<PathBuf, StorageError> {
        self.location(version, name)?;
        Ok(self.version_folder(version).join(name))
    }

    /// Reads an object, or a part of it, as `options` say (ranges, conditions).
    ///
    /// # Errors
    /// [`StorageError::NotFound`], a name that is none, or a failure to read.
    pub async fn get(
        &self,
        version: VersionId,
        name: &str,
        options: GetOptions,
    ) -> Result<GetResult, StorageError> {
        let location = self.location(version, name)?;
        self.objects
            .get_opts(&location, options)
            .await
            .map_err(|e| read_error::<Z>(e, name))
    }

    /// Reads bytes of an object.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_range(
        &self,
        version: VersionId,
        name: &str,
        range: Range<u64>,
    ) -> Result<Bytes, StorageError> {
        let location = self.location(version, name)?;
        self.objects
            .get_range(&location, range)
            .await
            .map_err(|e| read_error::<Z>(e, name))
    }

    /// Removes a version's objects: a draft that was refused, or a version whose time is over.
    ///
    /// # Errors
    /// A failure of the disk.
    pub fn remove_version(&self, version: VersionId) -> Result<(), StorageError> {
        match fs::remove_dir_all(self.version_folder(version)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StorageError::io("remove a version", Z::NAME, error))
            }
            _ => Ok(()),
        }
    }

    /// Creates a file in `pending` that is told from one that a crash has left.
    pub(crate) fn make_file(&self, prefix: &str) -> io::Result<NamedTempFile> {
        let pending = self.root.join(PENDING);
        let _door = hold::making(&pending)?;
        let file = tempfile::Builder::new().prefix(prefix).tempfile_in(pending)?;
        hold::take(file.as_file())?;
        Ok(file)
    }

    pub(crate) fn version_folder(&self, version: VersionId) -> PathBuf {
        self.root.join(VERSIONS).join(version.to_string())
    }
}

fn read_error<Z: Zone>(source: object_store::Error, name: &str) -> StorageError {
    match source {
        object_store::Error::NotFound { .. } => StorageError::NotFound(name.to_owned()),
        source => StorageError::Read {
            zone: Z::NAME,
            source,
        },
    }
}
