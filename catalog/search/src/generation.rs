//! One generation of the index in the engine: made, opened after a check, written to and viewed.

use std::path::{Path, PathBuf};

use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::schema::Schema;
use tantivy::{Index as Engine, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, TantivyError};

use crate::schema::FORMAT;
use crate::table::Snapshot;
use crate::{Error, Options, Position, analysis};

/// Least memory the engine's writer works with.
pub(crate) const WRITER_MEMORY_MIN: usize = 15_000_000;
/// Most memory the engine's writer is given.
const WRITER_MEMORY_MAX: usize = 500_000_000;
/// Bytes of stored text compressed together: a page of hits reads this much for each.
const STORE_BLOCK_BYTES: usize = 4_096;
/// Decompressed blocks of stored text that are kept, for each segment.
const STORE_CACHE_BLOCKS: usize = 64;
/// Share of deleted documents from which a segment is rewritten without them.
const DELETED_SHARE_MAX: f32 = 0.3;

/// What searches see; replaced as a whole.
pub(crate) struct State {
    pub(crate) snapshot: Snapshot,
    pub(crate) position: Position,
}

/// The engine's side of one generation.
pub(crate) struct Generation {
    pub(crate) engine: Engine,
    pub(crate) reader: IndexReader,
    pub(crate) path: Option<PathBuf>,
}

/// Commits with the format and the position as payload: one atomic file carries all three.
pub(crate) fn commit(writer: &mut IndexWriter, position: Position) -> Result<(), Error> {
    let failed = Error::engine("commit");
    let mut prepared = writer.prepare_commit().map_err(&failed)?;
    prepared.set_payload(&format!("{FORMAT}:{}", position.0));
    prepared.commit().map(|_| ()).map_err(&failed)
}

pub(crate) fn open_writer(engine: &Engine, options: &Options) -> Result<IndexWriter, Error> {
    let options = IndexWriterOptions::builder()
        .num_worker_threads(1)
        .num_merge_threads(1)
        .memory_budget_per_thread(options.writer_memory.clamp(WRITER_MEMORY_MIN, WRITER_MEMORY_MAX))
        .build();
    let writer: IndexWriter = engine
        .writer_with_options(options)
        .map_err(Error::engine("open the writer"))?;
    let mut merging = LogMergePolicy::default();
    merging.set_del_docs_ratio_before_merge(DELETED_SHARE_MAX);
    writer.set_merge_policy(Box::new(merging));
    Ok(writer)
}

pub(crate) fn make_engine(path: Option<&Path>, schema: &Schema) -> Result<Engine, Error> {
    let settings = IndexSettings {
        docstore_blocksize: STORE_BLOCK_BYTES,
        ..IndexSettings::default()
    };
    let builder = Engine::builder()
        .schema(schema.clone())
        .tokenizers(analysis::tokenizers())
        .settings(settings);
    match path {
        Some(path) => builder.create_in_dir(path),
        None => builder.create_in_ram(),
    }
    .map_err(Error::engine("make an index"))
}

/// A reader over the last commit, and what it shows.
pub(crate) fn view(
    engine: Engine,
    path: Option<PathBuf>,
    position: Position,
) -> Result<(Generation, State), Error> {
    let reader: IndexReader = engine
        .reader_builder()
        .reload_policy(ReloadPolicy::Manual)
        .doc_store_cache_num_blocks(STORE_CACHE_BLOCKS)
        .try_into()
        .map_err(Error::engine("open the reader"))?;
    let generation = Generation { engine, reader, path };
    let state = refresh(&generation, None, position)?;
    Ok((generation, state))
}

pub(crate) fn refresh(
    generation: &Generation,
    previous: Option<&Snapshot>,
    position: Position,
) -> Result<State, Error> {
    generation.reader.reload().map_err(Error::engine("reload"))?;
    let snapshot =
        Snapshot::load(generation.reader.searcher(), previous).map_err(Error::engine("read columns"))?;
    Ok(State { snapshot, position })
}

/// Opens a generation after checking all of it.
pub(crate) fn load(path: &Path, schema: &Schema) -> Result<(Generation, State), Error> {
    let corrupt = |reason: String| Error::Corrupt {
        path: path.to_owned(),
        reason,
    };
    let incompatible = |found: String| Error::Incompatible {
        path: path.to_owned(),
        found,
        expected: FORMAT,
    };
    let unreadable = |error: TantivyError| match error {
        TantivyError::IncompatibleIndex(reason) => incompatible(format!("{reason:?}")),
        error => corrupt(error.to_string()),
    };
    let mut engine = Engine::open_in_dir(path).map_err(unreadable)?;
    let payload = engine
        .load_metas()
        .map_err(unreadable)?
        .payload
        .unwrap_or_default();
    let (format, position) = payload.split_once(':').unwrap_or((&payload, ""));
    if format != FORMAT.to_string() {
        return Err(incompatible(format!("{format:?}")));
    }
    let position = position
        .parse()
        .map_err(|_| corrupt("the committed position is no number".to_owned()))?;
    if engine.schema() != *schema {
        return Err(incompatible("with other fields".to_owned()));
    }
    let damaged = engine.validate_checksum().map_err(unreadable)?;
    if let Some(file) = damaged.iter().next() {
        return Err(corrupt(format!("checksum of {}", file.display())));
    }
    engine.set_tokenizers(analysis::tokenizers());
    view(engine, Some(path.to_owned()), Position(position)).map_err(|error| corrupt(error.to_string()))
}
