//! What can go wrong in the catalogue.

use catalog_ingest::IngestError;
use model::Category;
use storage::StorageError;

/// Why an act on the catalogue did not happen.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// A description or declaration breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// The slug is taken.
    #[error("the slug {0:?} is taken; choose another")]
    SlugTaken(String),
    /// The actor may not, or the dataset is not there for them.
    #[error(transparent)]
    Denied(#[from] identity::Denied),
    /// There is no such dataset or version, or the actor may not know of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The dataset or version is in a state that does not allow the act.
    #[error("{0}")]
    State(String),
    /// The file could not be read.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// Files could not be stored or read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database failed or refused.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// Our fault.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl EntryError {
    /// Stable code for problem+json.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "entry-invalid",
            Self::SlugTaken(_) => "slug-taken",
            Self::Denied(_) => "forbidden",
            Self::NotFound(_) => "not-found",
            Self::State(_) => "wrong-state",
            Self::Ingest(error) => error.code(),
            Self::Storage(error) => match error.category() {
                Category::TooLarge => "upload-too-large",
                Category::Unavailable => "storage-unavailable",
                _ => "internal",
            },
            Self::Database(error) => match error.category() {
                Category::Conflict => "conflict",
                Category::Unavailable => "database-unavailable",
                Category::NotFound => "not-found",
                _ => "internal",
            },
            Self::Internal(_) => "internal",
        }
    }

    /// The kind of failure.
    pub fn category(&self) -> Category {
        match self {
            Self::Invalid(_) => Category::Refused,
            Self::SlugTaken(_) | Self::State(_) => Category::Conflict,
            Self::Denied(error) => error.category(),
            Self::NotFound(_) => Category::NotFound,
            Self::Ingest(error) => error.category(),
            Self::Storage(error) => error.category(),
            Self::Database(error) => error.category(),
            Self::Internal(_) => Category::Internal,
        }
    }
}
