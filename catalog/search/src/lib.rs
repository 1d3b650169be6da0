//! The catalogue's search index: bilingual full text, facets with counts, and highlights.
//!
//! [`Index`] keeps one searchable [`Document`] per dataset. The caller feeds it from the catalogue's
//! outbox with [`Index::apply`]; the outbox position is committed together with the documents, so after
//! a crash the caller reads [`Index::position`] and goes on from there. The index is derived data: when
//! [`Error::needs_rebuild`] says so, [`Index::create`] starts an empty one and [`Index::begin_rebuild`]
//! fills it from the database while searches go on.
//!
//! Every call is synchronous and may touch the disk: use `spawn_blocking` from asynchronous code.
//!
//! # How text is matched
//! Chinese is indexed twice, as jieba's words and as character bigrams, and English as stems; a query is
//! read in the same two ways and a dataset matches when either reading does. Three tiers (title; keywords
//! and organisation; summary and fields) weigh 10 : 4 : 1. Pinyin, in full or as initials, is
//! a low-weight field asked for Latin input only. When nothing matches every term, Latin words unknown to
//! the index are matched within one edit, and then half of the terms suffice; such a page is marked
//! [`SearchPage::approximate`].
//!
//! # Caps
//! Query text is read up to [`QUERY_CHARS_MAX`] characters and [`QUERY_TERMS_MAX`] terms; what follows is
//! ignored, so that no text, however hostile, is slow or an error.

mod analysis;
mod collect;
mod document;
mod error;
mod generation;
mod highlight;
mod index;
mod matching;
mod phonetic;
mod place;
mod request;
mod schema;
mod table;
mod text;

#[cfg(test)]
mod tests;

pub use document::{Bilingual, Change, Document, Organization};
pub use error::Error;
pub use index::{Applied, Index, Options, Position, Rebuild};
pub use matching::{QUERY_CHARS_MAX, QUERY_TERMS_MAX};
pub use request::{
    FILTER_VALUES_MAX, FacetCount, Facets, Filters, Highlights, Hit, Language, PER_PAGE_MAX, Page,
    SearchPage, SearchQuery, Segment, Sort, WINDOW_MAX,
};
