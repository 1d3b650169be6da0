//! What a search asks for and what it gets.

use uuid::Uuid;

use crate::Error;

/// Most entries on a page.
pub const PER_PAGE_MAX: u32 = 100;
/// Last entry that can be paged to; beyond it a search should be narrowed.
pub const WINDOW_MAX: u32 = 10_000;
/// Most values in the filter of one facet.
pub const FILTER_VALUES_MAX: usize = 100;

/// One page of a result list: numbered from 1, within [`PER_PAGE_MAX`] and [`WINDOW_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    number: u32,
    size: u32,
}

impl Page {
    /// The `number`th page, counted from 1, of `size` entries.
    ///
    /// # Errors
    /// [`Error::PageOutOfBounds`] unless `number` ≥ 1, 1 ≤ `size` ≤ [`PER_PAGE_MAX`] and the page ends
    /// within [`WINDOW_MAX`].
    pub fn new(number: u32, size: u32) -> Result<Self, Error> {
        let in_window = number
            .checked_mul(size)
            .is_some_and(|end| (1..=WINDOW_MAX).contains(&end));
        if in_window && size <= PER_PAGE_MAX {
            Ok(Self { number, size })
        } else {
            Err(Error::PageOutOfBounds { number, size })
        }
    }

    /// The page's number, from 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// Entries on a page.
    pub fn size(self) -> u32 {
        self.size
    }

    /// Entries before the page.
    pub(crate) fn offset(self) -> usize {
        (self.number as usize - 1) * self.size as usize
    }

    /// Entries up to the end of the page.
    pub(crate) fn end(self) -> usize {
        self.number as usize * self.size as usize
    }
}

impl Default for Page {
    fn default() -> Self {
        Self { number: 1, size: 20 }
    }
}

/// In which order the entries come. Ties go to the latest update, then to the id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// Best match first; without text, as [`Sort::Updated`].
    #[default]
    Relevance,
    /// Latest update first.
    Updated,
    /// By title in the reader's language; Chinese in the order of its pinyin.
    Title,
}

/// The reader's language: decides whose title and summary are shown and sorted by, not what is matched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// Chinese.
    #[default]
    Zh,
    /// English, where there is any.
    En,
}

/// Chosen facet values. A dataset passes if in every facet with a choice it has one of the chosen values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// Theme codes.
    pub themes: Vec<String>,
    /// Levels, 1 to 4.
    pub levels: Vec<u8>,
    /// Organisation ids.
    pub organizations: Vec<Uuid>,
    /// Update cycle codes.
    pub update_cycles: Vec<String>,
    /// Format codes.
    pub formats: Vec<String>,
}

/// A search of the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchQuery {
    /// What the reader typed; blank lists the whole catalogue. Any text is safe.
    pub text: String,
    /// Chosen facet values.
    pub filters: Filters,
    /// Which page.
    pub page: Page,
    /// In which order.
    pub sort: Sort,
    /// For whom.
    pub language: Language,
}

/// One page of results with the facets of the whole result.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchPage {
    /// Datasets that match text and filters, on all pages.
    pub count: u64,
    /// Whether no dataset had all the terms, so that a typo or missing terms were allowed for.
    pub approximate: bool,
    /// The datasets of this page, in order.
    pub hits: Vec<Hit>,
    /// What the result could be narrowed to.
    pub facets: Facets,
}

/// A dataset that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The dataset.
    pub id: Uuid,
    /// How well it matches; comparable within one page list only. None unless sorted by relevance to a text.
    pub score: Option<f32>,
    /// Its texts with the matches marked.
    pub highlights: Highlights,
}

/// Texts of a dataset as plain segments: to be escaped like any text, never HTML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Highlights {
    /// The title in the reader's language, or in Chinese where that is missing.
    pub title: Vec<Segment>,
    /// The part of the summary that matches best, or its beginning.
    pub summary: Vec<Segment>,
}

/// A stretch of text that matches the query or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The text, as it was written.
    pub text: String,
    /// Whether it matches.
    pub is_match: bool,
}

/// Values of each facet with the datasets that have them, most frequent first, then by value.
///
/// Each facet is counted with the text and the filters of the *other* facets applied, so that a reader
/// sees what choosing another value would give. A chosen value is always listed, with 0 if need be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// By theme code.
    pub themes: Vec<FacetCount<String>>,
    /// By level.
    pub levels: Vec<FacetCount<u8>>,
    /// By organisation id.
    pub organizations: Vec<FacetCount<Uuid>>,
    /// By update cycle code.
    pub update_cycles: Vec<FacetCount<String>>,
    /// By format code; a dataset counts once for each of its formats.
    pub formats: Vec<FacetCount<String>>,
}

/// A facet value with its number of datasets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetCount<T> {
    /// The value.
    pub value: T,
    /// Datasets that have it.
    pub count: u64,
}
