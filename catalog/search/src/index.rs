//! The index: opened, fed, searched, rebuilt.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tantivy::query::Query;
use tantivy::schema::{IndexRecordOption, Schema};
use tantivy::{DocSet, Index as Engine, IndexWriter, TERMINATED, TantivyDocument, Term};
use uuid::Uuid;

use crate::collect::{CatalogCollector, chosen, facets};
use crate::document::{Change, Document};
use crate::generation::{
    Generation, State, WRITER_MEMORY_MIN, commit, load, make_engine, open_writer, refresh, view,
};
use crate::highlight::Marker;
use crate::matching::{Asked, Strictness, everything, is_known};
use crate::place::Place;
use crate::request::{Facets, Hit, SearchPage, SearchQuery, Sort};
use crate::schema::{Facet, Fields};
use crate::table::Snapshot;
use crate::{Error, FILTER_VALUES_MAX};

/// How an index works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for changes being indexed, in bytes; used during [`Index::apply`] and rebuilds only, and
    /// kept between 15 MB, the engine's least, and 500 MB.
    pub writer_memory: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writer_memory: WRITER_MEMORY_MIN,
        }
    }
}

/// How far the outbox was applied: the id of the last entry, or [`Position::START`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub i64);

impl Position {
    /// Before the first entry of the outbox.
    pub const START: Self = Self(0);
}

/// What [`Index::apply`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Datasets that were written or deleted.
    pub written: usize,
    /// Changes that were ignored because a newer revision was there or in the same batch.
    pub ignored: usize,
}

/// A search index. Cheap to clone; clones share the index, from any thread.
#[derive(Clone)]
pub struct Index {
    shared: Arc<Shared>,
}

struct Shared {
    /// None for an index in memory.
    place: Option<Place>,
    schema: Schema,
    fields: Fields,
    options: Options,
    state: RwLock<Arc<State>>,
    feed: Mutex<Feed>,
}

/// What the one writer works on.
struct Feed {
    generation: Generation,
    /// Opened by the first change, and again after a failure.
    writer: Option<IndexWriter>,
    /// Changes since the rebuild under way began.
    since_rebuild: Option<Vec<Change>>,
}

/// The newest revision of a dataset in an index.
#[derive(Clone, Copy)]
struct Known {
    revision: i64,
    live: bool,
}

impl Index {
    /// Opens the index in a directory, or makes an empty one in a new directory.
    ///
    /// Every file is read and compared with its checksum.
    ///
    /// # Errors
    /// [`Error::Locked`] if it is open elsewhere. [`Error::Incompatible`] or [`Error::Corrupt`] if it must be
    /// rebuilt: go on with [`Index::create`]. [`Error::Io`] and [`Error::Engine`] if the disk fails.
    pub fn open(directory: &Path, options: Options) -> Result<Self, Error> {
        let place = Place::lock(directory)?;
        let Some(path) = place.current()? else {
            return Self::start(Some(place), options);
        };
        let (schema, fields) = Fields::build();
        // The engine panics on some damage that its checksums would have shown.
        let loaded = catch_unwind(AssertUnwindSafe(|| load(&path, &schema)));
        let (generation, state) = loaded.unwrap_or_else(|_| {
            Err(Error::Corrupt {
                path: path.clone(),
                reason: "the search engine gave up on it".to_owned(),
            })
        })?;
        place.remove_all_but(&path)?;
        Ok(Self::assemble(
            Some(place),
            schema,
            fields,
            options,
            generation,
            state,
        ))
    }

    /// Makes an empty index in a directory, in place of any that is there.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Io`] and [`Error::Engine`].
    pub fn create(directory: &Path, options: Options) -> Result<Self, Error> {
        Self::start(Some(Place::lock(directory)?), options)
    }

    /// Makes an empty index in memory.
    ///
    /// # Errors
    /// [`Error::Engine`] if no thread can be started.
    pub fn in_memory(options: Options) -> Result<Self, Error> {
        Self::start(None, options)
    }

    fn start(place: Option<Place>, options: Options) -> Result<Self, Error> {
        let (schema, fields) = Fields::build();
        let path = place.as_ref().map(Place::make_generation).transpose()?;
        let engine = make_engine(path.as_deref(), &schema)?;
        let mut writer = open_writer(&engine, &options)?;
        commit(&mut writer, Position::START)?;
        drop(writer);
        let (generation, state) = view(engine, path, Position::START)?;
        if let (Some(place), Some(path)) = (&place, &generation.path) {
            place.publish(path)?;
            place.remove_all_but(path)?;
        }
        Ok(Self::assemble(place, schema, fields, options, generation, state))
    }

    fn assemble(
        place: Option<Place>,
        schema: Schema,
        fields: Fields,
        options: Options,
        generation: Generation,
        state: State,
    ) -> Self {
        let feed = Feed {
            generation,
            writer: None,
            since_rebuild: None,
        };
        let state = RwLock::new(Arc::new(state));
        Self {
            shared: Arc::new(Shared {
                place,
                schema,
                fields,
                options,
                state,
                feed: Mutex::new(feed),
            }),
        }
    }

    /// How far the outbox was applied, also after a crash: go on with the entry that follows.
    pub fn position(&self) -> Position {
        self.shared.state().position
    }

    /// Datasets that can be found.
    pub fn document_count(&self) -> u64 {
        let state = self.shared.state();
        let segments = state
            .snapshot
            .searcher
            .segment_readers()
            .iter()
            .zip(&state.snapshot.tables);
        segments
            .map(|(segment, table)| {
                segment
                    .doc_ids_alive()
                    .filter(|&document| table.live[document as usize])
                    .count() as u64
            })
            .sum()
    }

    /// Applies changes in order and commits them together with `position`, the outbox id of the last one.
    ///
    /// When it returns, every search sees them. Changes may be delivered more than once and late: older
    /// revisions than those in the index are ignored, and the position never goes back. After an
    /// error the same batch can be applied again.
    ///
    /// # Errors
    /// [`Error::InvalidLevel`]; [`Error::Engine`] if the disk fails.
    pub fn apply(&self, changes: &[Change], position: Position) -> Result<Applied, Error> {
        for change in changes {
            if let Change::Upsert(document) = change {
                check(document)?;
            }
        }
        let shared = &*self.shared;
        let mut feed = shared.feed();
        let state = shared.state();
        let mut known = HashMap::new();
        let mut last = HashMap::new();
        for (at, change) in changes.iter().enumerate() {
            let newest = match known.entry(change.id()) {
                Entry::Occupied(found) => found.into_mut(),
                Entry::Vacant(none) => none.insert(find_known(&state.snapshot, &shared.fields, change.id())?),
            };
            if accept(newest, change) {
                last.insert(change.id(), at);
            }
        }
        let applied = Applied {
            written: last.len(),
            ignored: changes.len() - last.len(),
        };
        let position = position.max(state.position);
        if last.is_empty() && position == state.position {
            return Ok(applied);
        }
        let accepted = changes
            .iter()
            .enumerate()
            .filter(|(at, change)| last.get(&change.id()) == Some(at));
        let written = write(shared, &mut feed, accepted.map(|(_, change)| change), position)
            .and_then(|()| refresh(&feed.generation, Some(&state.snapshot), position));
        match written {
            Ok(next) => shared.show(next),
            Err(error) => {
                // The writer may hold half of the batch, which the next commit must not include.
                feed.writer = None;
                return Err(error);
            }
        }
        if let Some(since) = &mut feed.since_rebuild {
            since.extend(changes.iter().cloned());
        }
        Ok(applied)
    }

    /// Finds datasets.
    ///
    /// # Errors
    /// [`Error::TooManyFilterValues`]; [`Error::Engine`] if the index cannot be read. No text is an error.
    pub fn search(&self, query: &SearchQuery) -> Result<SearchPage, Error> {
        let chosen = chosen(&query.filters);
        for (facet, values) in Facet::ALL.into_iter().zip(&chosen) {
            if values.len() > FILTER_VALUES_MAX {
                return Err(Error::TooManyFilterValues {
                    facet: facet.name(),
                    count: values.len(),
                });
            }
        }
        let state = self.shared.state();
        let fields = &self.shared.fields;
        let searcher = &state.snapshot.searcher;
        let asked = Asked::read(&query.text, |stem| is_known(searcher, fields, stem));
        let sort = if asked.blank && query.sort == Sort::Relevance {
            Sort::Updated
        } else {
            query.sort
        };
        let collector = CatalogCollector {
            tables: &state.snapshot.tables,
            chosen: &chosen,
            sort,
            language: query.language,
            limit: query.page.end(),
        };
        let run = |query: Box<dyn Query>| {
            searcher
                .search(&*query, &collector)
                .map_err(Error::engine("search"))
        };

        if !asked.blank && asked.is_empty() {
            let facets = facets(Default::default(), &chosen);
            return Ok(SearchPage {
                count: 0,
                approximate: false,
                hits: Vec::new(),
                facets,
            });
        }
        let mut approximate = false;
        let mut found = if asked.blank {
            run(everything(fields))?
        } else {
            run(asked.query(fields, Strictness::All))?
        };
        for strictness in [Strictness::OneEdit, Strictness::Half] {
            if found.matched == 0 && !asked.blank && asked.has(strictness) {
                found = run(asked.query(fields, strictness))?;
                approximate = found.matched > 0;
            }
        }

        let mut marker = Marker::new(&asked, approximate);
        let mut hits = Vec::new();
        for candidate in found.candidates.iter().skip(query.page.offset()) {
            let stored: TantivyDocument = searcher
                .doc(candidate.address)
                .map_err(Error::engine("read a found dataset"))?;
            let (title, summary) = fields.shown(&stored);
            hits.push(Hit {
                id: candidate.id,
                score: (sort == Sort::Relevance).then_some(candidate.score),
                highlights: marker.highlights(&title, &summary, query.language),
            });
        }
        let facets: Facets = facets(found.counts, &chosen);
        Ok(SearchPage {
            count: found.count,
            approximate,
            hits,
            facets,
        })
    }

    /// Starts to build the index anew beside the one in use, which goes on serving and being fed.
    ///
    /// Begin it *before* reading the database, so that nothing falls between the two.
    ///
    /// # Errors
    /// [`Error::RebuildRunning`] while another one lives; [`Error::Io`] and [`Error::Engine`].
    pub fn begin_rebuild(&self) -> Result<Rebuild, Error> {
        let shared = &*self.shared;
        let mut feed = shared.feed();
        if feed.since_rebuild.is_some() {
            return Err(Error::RebuildRunning);
        }
        let path = shared.place.as_ref().map(Place::make_generation).transpose()?;
        let engine = make_engine(path.as_deref(), &shared.schema)?;
        let writer = open_writer(&engine, &shared.options)?;
        feed.since_rebuild = Some(Vec::new());
        let begun_at = shared.state().position;
        drop(feed);
        Ok(Rebuild {
            index: self.clone(),
            engine,
            writer: Some(writer),
            path,
            known: HashMap::new(),
            begun_at,
            is_recorded: true,
        })
    }

    /// Builds the index anew from all documents; see [`Index::begin_rebuild`] to do so in steps.
    ///
    /// # Errors
    /// As [`Index::begin_rebuild`], [`Rebuild::add`] and [`Rebuild::finish`].
    pub fn rebuild(
        &self,
        documents: impl IntoIterator<Item = Document>,
        position: Position,
    ) -> Result<(), Error> {
        let mut rebuild = self.begin_rebuild()?;
        for document in documents {
            rebuild.add(document)?;
        }
        rebuild.finish(position)
    }
}

/// An index being built anew. Dropping it without [`Rebuild::finish`] gives up and leaves no trace.
pub struct Rebuild {
    index: Index,
    engine: Engine,
    /// Taken when it ends.
    writer: Option<IndexWriter>,
    /// Taken when it is published; otherwise removed in the end.
    path: Option<PathBuf>,
    known: HashMap<Uuid, Option<Known>>,
    begun_at: Position,
    /// Changes to the old index are being recorded for this rebuild.
    is_recorded: bool,
}

impl Rebuild {
    /// Adds a dataset. Of several revisions of one, the newest stays.
    ///
    /// # Errors
    /// [`Error::InvalidLevel`]; [`Error::Engine`] if the disk fails.
    pub fn add(&mut self, document: Document) -> Result<(), Error> {
        check(&document)?;
        self.add_change(&Change::Upsert(Box::new(document)))
    }

    fn add_change(&mut self, change: &Change) -> Result<(), Error> {
        if accept(self.known.entry(change.id()).or_default(), change)
            && let Some(writer) = &self.writer
        {
            replace(writer, &self.index.shared.fields, change)?;
        }
        Ok(())
    }

    /// Swaps the new index in, with the changes that were applied to the old one in the meantime.
    ///
    /// `position` is the outbox's last id at the time the database was read, taken *before* the first
    /// dataset was. The index is then where it and the changes since then have brought it, or at `position`
    /// if that is from before [`Index::begin_rebuild`].
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Engine`]; the old index stays in use.
    pub fn finish(mut self, position: Position) -> Result<(), Error> {
        let Some(mut writer) = self.writer.take() else {
            return Ok(());
        };
        // The bulk is committed and merged while the old index goes on being fed.
        commit(&mut writer, position)?;
        let segments = self
            .engine
            .searchable_segment_ids()
            .map_err(Error::engine("list segments"))?;
        if segments.len() > 1 {
            writer
                .merge(&segments)
                .wait()
                .map_err(Error::engine("merge segments"))?;
        }
        self.writer = Some(writer);

        let index = self.index.clone();
        let shared = &*index.shared;
        let mut feed = shared.feed();
        self.is_recorded = false;
        for change in feed.since_rebuild.take().unwrap_or_default() {
            self.add_change(&change)?;
        }
        let position = if position < self.begun_at {
            position
        } else {
            position.max(shared.state().position)
        };
        let Some(mut writer) = self.writer.take() else {
            return Ok(());
        };
        commit(&mut writer, position)?;
        let path = self.path.clone();
        let (generation, state) = view(self.engine.clone(), path.clone(), position)?;
        if let (Some(place), Some(path)) = (&shared.place, &path) {
            place.publish(path)?;
        }
        self.path = None;
        feed.writer = Some(writer);
        feed.generation = generation;
        shared.show(state);
        if let (Some(place), Some(path)) = (&shared.place, &path) {
            // The swap is done; what cannot be removed now is removed on opening.
            let _ = place.remove_all_but(path);
        }
        Ok(())
    }
}

impl Drop for Rebuild {
    fn drop(&mut self) {
        self.writer = None;
        if self.is_recorded {
            self.index.shared.feed().since_rebuild = None;
        }
        if let Some(path) = &self.path {
            // What cannot be removed now is removed on opening.
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

impl Shared {
    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn show(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(|poisoned| {
            // Somebody panicked in the middle of a batch: what the writer holds of it is given up.
            let mut feed = poisoned.into_inner();
            feed.writer = None;
            self.feed.clear_poison();
            feed
        })
    }
}

fn check(document: &Document) -> Result<(), Error> {
    match document.level {
        1..=4 => Ok(()),
        level => Err(Error::InvalidLevel {
            id: document.id,
            level,
        }),
    }
}

/// Whether a change is news; if so, it becomes the newest.
///
/// A repeated upsert of the same revision is written again, as nothing says that it is older; but
/// it does not undo a deletion.
fn accept(newest: &mut Option<Known>, change: &Change) -> bool {
    let (revision, live) = (change.revision(), matches!(change, Change::Upsert(_)));
    let is_news = newest.is_none_or(|newest| {
        revision > newest.revision || (revision == newest.revision && (newest.live || !live))
    });
    if is_news {
        *newest = Some(Known { revision, live });
    }
    is_news
}

fn find_known(snapshot: &Snapshot, fields: &Fields, id: Uuid) -> Result<Option<Known>, Error> {
    let term = Term::from_field_text(fields.id, &id.to_string());
    let find = || -> tantivy::Result<Option<Known>> {
        for (segment, table) in snapshot.searcher.segment_readers().iter().zip(&snapshot.tables) {
            let postings = segment
                .inverted_index(fields.id)?
                .read_postings(&term, IndexRecordOption::Basic)?;
            let Some(mut postings) = postings else { continue };
            while postings.doc() != TERMINATED {
                let document = postings.doc();
                if !segment.is_deleted(document) {
                    let (revision, live) =
                        (table.revisions[document as usize], table.live[document as usize]);
                    return Ok(Some(Known { revision, live }));
                }
                postings.advance();
            }
        }
        Ok(None)
    };
    find().map_err(Error::engine("look up a revision"))
}

fn write<'a>(
    shared: &Shared,
    feed: &mut Feed,
    changes: impl Iterator<Item = &'a Change>,
    position: Position,
) -> Result<(), Error> {
    let writer = match &mut feed.writer {
        Some(writer) => writer,
        none => none.insert(open_writer(&feed.generation.engine, &shared.options)?),
    };
    for change in changes {
        replace(writer, &shared.fields, change)?;
    }
    commit(writer, position)
}

fn replace(writer: &IndexWriter, fields: &Fields, change: &Change) -> Result<(), Error> {
    writer.delete_term(Term::from_field_text(fields.id, &change.id().to_string()));
    let document = match change {
        Change::Upsert(document) => fields.document(document),
        Change::Delete { id, revision } => fields.tombstone(*id, *revision),
    };
    writer
        .add_document(document)
        .map(|_| ())
        .map_err(Error::engine("add a dataset"))
}
