//! Objects at rest: three zones that do not know of one another, objects that are whole or absent, and the
//! manifests that say which objects make up a version.
//!
//! A version's objects live under a prefix of its own, `versions/<version id>/`, and are named by their SHA-256. They
//! are written into the zone's `pending` folder, synced, renamed into place, and the folder is synced
//! ([`PendingObject::publish`]): a crash between any two steps leaves nothing visible or the whole object. Making a
//! version current is not this crate's business: the pointer in the database is the only commit point.
//!
//! Reads go through `object_store`, so that the query engine sees the same objects, and so that another backend can
//! serve them; writes are ours, because `object_store`'s local backend does not sync.
//!
//! What lies in quarantine is sealed by this crate ([`seal`]); the parts of sandbox copies come in encrypted, as Parquet's
//! modular encryption leaves them; open files are public.
//!
//! # The zones
//! [`QuarantineStore`], [`SandboxStore`] and [`OpenStore`] are different types with different root folders (mode
//! 0700). A function that is given an open store cannot name a sandbox object:
//!
//! ```compile_fail
//! fn serve(store: &storage::OpenStore) {}
//! fn leak(sandbox: &storage::SandboxStore) {
//!     serve(sandbox);
//! }
//! ```

mod crash;
pub mod error;
mod hold;
pub mod manifest;
pub mod orphan;
pub mod pending;
pub mod spool;
#[cfg(test)]
mod tests;
pub mod zone;

pub use error::StorageError;
pub use manifest::{Distribution, DistributionFormat, Manifest, ManifestField, Part};
pub use object_store::ObjectStore;
pub use orphan::{Known, Orphan};
pub use pending::{PendingObject, StoredObject};
pub use spool::{Original, Scratch, Spool, Upload};
pub use zone::{Open, OpenStore, Quarantine, QuarantineStore, Sandbox, SandboxStore, Store, Zone};
