//! The words of the portal as types: ids, slugs, levels, roles, bounds, bilingual text, declared metadata,
//! states of requests and jobs. Nothing here does I/O, and nothing here can hold a value that makes no sense.

pub mod category;
pub mod entry;
pub mod field;
pub mod id;
pub mod level;
pub mod localized;
pub mod metadata;
pub mod policy;
pub mod request;
pub mod role;
pub mod slug;
pub mod text;
pub mod time;

pub use category::Category;
pub use entry::{EntryMetadata, License, Theme, UpdateCycle};
pub use field::{Bounds, Domain, FieldDeclaration, FieldName, FieldRole, FieldType};
pub use id::{
    AllocationId, CheckId, DatasetId, JobId, LineageId, OrganizationId, PolicyId, ProjectId, RequestId,
    TaskId, TokenId, UserId, VersionId,
};
pub use level::Level;
pub use localized::{Language, Localized};
pub use metadata::{DeclaredMetadata, MetadataError, UnitDeclaration, UnitType};
pub use policy::{BudgetPolicy, ReviewPolicy, Weekday};
pub use request::{
    DatasetState, Decision, JobKind, JobState, Opinion, RequestKind, RequestState, Verdict, VersionState,
};
pub use role::{OrganizationKind, Role, Scope};
pub use slug::Slug;
pub use text::{Length, TextError};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
