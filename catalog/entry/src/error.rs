//! What can go wrong in the catalogue.

use catalog_ingest::IngestError;
use model::{Category, Level};
use storage::StorageError;

/// The rule that a description, a declaration, a file's name or a search breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Of the description.
    #[error(transparent)]
    Description(#[from] model::entry::EntryError),
    /// A dataset is at least as sensitive as its fields.
    #[error(
        "the dataset's level {level} is below that of a field ({least}); a dataset is at least as sensitive as its \
         fields"
    )]
    LevelBelowField {
        /// The dataset's level.
        level: Level,
        /// Its fields' highest.
        least: Level,
    },
    /// Open data is about no units.
    #[error("an open dataset (L1) declares no privacy unit; data about units is L2 or higher")]
    UnitOfOpenData,
    /// The name of an upload is a label, never a path.
    #[error(
        "the file name {0:?} is not a plain name of 1 to 200 characters without / \\ : and control characters"
    )]
    FileName(String),
    /// A page of the search that cannot be turned to, or a filter with too many values.
    #[error("{0}")]
    Search(SearchRule),
}

/// What is wrong with a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SearchRule {
    /// Outside of what may be paged through.
    #[error(
        "page {number} of {size} is out of bounds: pages start at 1, hold 1 to {} entries and end at entry {}; narrow \
         the search instead",
        catalog_search::PER_PAGE_MAX,
        catalog_search::WINDOW_MAX
    )]
    Page {
        /// The page.
        number: u32,
        /// Its size.
        size: u32,
    },
    /// A facet's filter lists too many values.
    #[error(
        "the filter on {facet} has {count} values; at most {} are allowed",
        catalog_search::FILTER_VALUES_MAX
    )]
    Filter {
        /// The facet.
        facet: &'static str,
        /// Values given.
        count: usize,
    },
}

impl SearchRule {
    /// The rule that a request broke, where the index says that the request was at fault.
    pub fn of(error: &catalog_search::Error) -> Option<Self> {
        match *error {
            catalog_search::Error::PageOutOfBounds { number, size } => Some(Self::Page { number, size }),
            catalog_search::Error::TooManyFilterValues { facet, count } => {
                Some(Self::Filter { facet, count })
            }
            _ => None,
        }
    }
}

/// What stands in the way of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// No more versions.
    #[error("the dataset is retired and takes no more versions")]
    Retired,
    /// No files.
    #[error("an L4 dataset is a catalogue entry with a reason; its data is not uploaded")]
    NotOpened,
    /// Nothing says whose rows they are.
    #[error("an L2 or L3 dataset declares its privacy unit and fields before its file: edit the entry first")]
    NoUnit,
    /// Others were faster, again and again.
    #[error("too many uploads to this dataset at once; try again")]
    TooManyUploads,
    /// A file that waited for its confirmation too long.
    #[error("the uploaded file is not kept any more; upload it again")]
    UploadGone,
    /// A file that was confirmed before.
    #[error("this file was confirmed already")]
    UploadConfirmed,
    /// What was decided on must not change under those who rely on it.
    #[error(
        "level, declaration and the special mark cannot change after release; retire the dataset and make a new entry"
    )]
    Released,
    /// The reviewers are looking at it.
    #[error(
        "a release request is open: level and declaration are what the reviewers look at; withdraw it first"
    )]
    ReleaseRequested,
}

/// Why an act on the catalogue did not happen.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// A description or declaration breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Rule),
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
    #[error(transparent)]
    State(#[from] Obstacle),
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
