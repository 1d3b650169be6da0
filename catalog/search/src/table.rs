//! The columns of a segment, decoded once, so that a search touches plain arrays.
//!
//! About 130 bytes a dataset. A segment never changes but for deletions, which the engine tracks apart:
//! its table lives as long as it does, and a commit decodes only what it added.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::columnar::StrColumn;
use tantivy::index::SegmentId;
use tantivy::{Searcher, SegmentReader};
use uuid::Uuid;

use crate::request::Language;
use crate::schema::{Facet, ID, LIVE, REVISION, UPDATED_AT, title_key};

/// Values of one text column: each document's as numbers into the sorted list of distinct ones.
pub(crate) struct TextColumn {
    /// Distinct values, sorted.
    pub(crate) values: Vec<String>,
    /// Where each document's values start in `ordinals`; one more at the end.
    starts: Vec<u32>,
    ordinals: Vec<u32>,
}

impl TextColumn {
    fn load(segment: &SegmentReader, name: &str) -> tantivy::Result<Self> {
        let documents = segment.max_doc();
        let mut column = Self {
            values: Vec::new(),
            starts: vec![0],
            ordinals: Vec::new(),
        };
        let found = segment.fast_fields().str(name)?;
        if let Some(text) = &found {
            column.values = distinct(text)?;
        }
        for document in 0..documents {
            if let Some(text) = &found {
                column
                    .ordinals
                    .extend(text.term_ords(document).map(|ordinal| ordinal as u32));
            }
            column.starts.push(column.ordinals.len() as u32);
        }
        Ok(column)
    }

    /// Numbers of a document's values.
    pub(crate) fn ordinals(&self, document: u32) -> &[u32] {
        let document = document as usize;
        &self.ordinals[self.starts[document] as usize..self.starts[document + 1] as usize]
    }
}

fn distinct(column: &StrColumn) -> tantivy::Result<Vec<String>> {
    let mut values = Vec::with_capacity(column.num_terms());
    let mut stream = column.dictionary().stream()?;
    while stream.advance() {
        values.push(String::from_utf8_lossy(stream.key()).into_owned());
    }
    Ok(values)
}

/// Numbers that order the titles of a segment, and the column that has their text.
pub(crate) struct TitleColumn {
    text: Option<StrColumn>,
    ordinals: Vec<u32>,
}

impl TitleColumn {
    fn load(segment: &SegmentReader, language: Language) -> tantivy::Result<Self> {
        let text = segment.fast_fields().str(title_key(language))?;
        let ordinals = (0..segment.max_doc())
            .map(|document| {
                text.as_ref()
                    .and_then(|text| text.ords().first(document))
                    .unwrap_or(0) as u32
            })
            .collect();
        Ok(Self { text, ordinals })
    }

    /// A document's place among the titles of its segment.
    pub(crate) fn ordinal(&self, document: u32) -> u32 {
        self.ordinals[document as usize]
    }

    /// The sort key behind a place, to compare across segments.
    pub(crate) fn key(&self, ordinal: u32) -> String {
        let mut key = String::new();
        if let Some(text) = &self.text {
            // An unreadable key would have failed the check on opening; it would sort first.
            let _ = text.ord_to_str(u64::from(ordinal), &mut key);
        }
        key
    }
}

/// The columns of one segment.
pub(crate) struct SegmentTable {
    pub(crate) facets: [TextColumn; 5],
    pub(crate) ids: Vec<Uuid>,
    pub(crate) updated_at: Vec<i64>,
    pub(crate) revisions: Vec<i64>,
    /// False where the document is a tombstone.
    pub(crate) live: Vec<bool>,
    titles: [TitleColumn; 2],
}

impl SegmentTable {
    fn load(segment: &SegmentReader) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        let documents = 0..segment.max_doc();
        let id_column = TextColumn::load(segment, ID)?;
        let id = |document| {
            let value = id_column
                .ordinals(document)
                .first()
                .map(|&ordinal| &id_column.values[ordinal as usize]);
            value
                .and_then(|value| Uuid::parse_str(value).ok())
                .unwrap_or_default()
        };
        let numbers = |name| -> tantivy::Result<Vec<i64>> {
            let column = columns.i64(name)?;
            Ok(documents
                .clone()
                .map(|document| column.first(document).unwrap_or_default())
                .collect())
        };
        let [theme, level, organization, update_cycle, format] = Facet::ALL.map(Facet::name);
        let live = columns.u64(LIVE)?;
        Ok(Self {
            facets: [
                TextColumn::load(segment, theme)?,
                TextColumn::load(segment, level)?,
                TextColumn::load(segment, organization)?,
                TextColumn::load(segment, update_cycle)?,
                TextColumn::load(segment, format)?,
            ],
            ids: documents.clone().map(id).collect(),
            // Where all documents are tombstones there is no such column.
            updated_at: match columns.column_opt::<i64>(UPDATED_AT)? {
                Some(column) => documents
                    .clone()
                    .map(|d| column.first(d).unwrap_or_default())
                    .collect(),
                None => vec![0; segment.max_doc() as usize],
            },
            revisions: numbers(REVISION)?,
            live: documents
                .clone()
                .map(|document| live.first(document) == Some(1))
                .collect(),
            titles: [
                TitleColumn::load(segment, Language::Zh)?,
                TitleColumn::load(segment, Language::En)?,
            ],
        })
    }

    /// The titles' order in a language.
    pub(crate) fn titles(&self, language: Language) -> &TitleColumn {
        &self.titles[match language {
            Language::Zh => 0,
            Language::En => 1,
        }]
    }
}

/// A consistent state of the index: the engine's view with the tables of its segments, in its order.
pub(crate) struct Snapshot {
    pub(crate) searcher: Searcher,
    pub(crate) tables: Vec<Arc<SegmentTable>>,
    by_segment: HashMap<SegmentId, Arc<SegmentTable>>,
}

impl Snapshot {
    /// Loads the tables, taking over those of segments that `previous` has too.
    pub(crate) fn load(searcher: Searcher, previous: Option<&Self>) -> tantivy::Result<Self> {
        let mut tables = Vec::new();
        let mut by_segment = HashMap::new();
        for segment in searcher.segment_readers() {
            let id = segment.segment_id();
            let table = match previous.and_then(|previous| previous.by_segment.get(&id)) {
                Some(table) => Arc::clone(table),
                None => Arc::new(SegmentTable::load(segment)?),
            };
            by_segment.insert(id, Arc::clone(&table));
            tables.push(table);
        }
        Ok(Self {
            searcher,
            tables,
            by_segment,
        })
    }
}
