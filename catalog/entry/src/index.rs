//! Feeding the search index from the outbox.
//!
//! An act that changes what the public may find [`announce`]s it in its own transaction. The [`Indexer`] applies what
//! was announced, in order, and forgets it once the index has committed it: after a crash it applies some of it twice,
//! which the index recognises by the dataset's revision.

use std::path::Path;
use std::sync::Arc;

use catalog_search::{
    Bilingual, Change, Document, Index, Options, Organization, Position, SearchPage, SearchQuery,
};
use db::dataset::{Dataset, DatasetFilter};
use db::{Connection, Database, Tx};
use model::{DatasetId, DatasetState, Localized, Timestamp};
use storage::Manifest;
use tokio::sync::Mutex;

use crate::{EntryError, Rule, SearchRule};

/// The outbox topic of changes to the public catalogue.
const TOPIC: &str = "catalog";
/// How many announcements are applied in one commit of the index.
const BATCH: u64 = 500;

/// Announces that a dataset changed for the public.
///
/// # Errors
/// If the database fails.
pub async fn announce(tx: &Tx, dataset: DatasetId, now: Timestamp) -> Result<(), EntryError> {
    Ok(db::outbox::push(tx, TOPIC, dataset.as_uuid(), serde_json::Value::Null, now).await?)
}

/// Keeps the index in step with the catalogue. Cheap to clone.
#[derive(Clone)]
pub struct Indexer {
    db: Database,
    index: Index,
    /// One applies at a time; the others wait and then find little left to do.
    turn: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Indexer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexer")
            .field("position", &self.index.position().0)
            .finish_non_exhaustive()
    }
}

impl Indexer {
    /// Opens the index in a folder; one that is missing, broken or of another schema is built anew.
    ///
    /// # Errors
    /// If the folder cannot be used or the database fails.
    pub async fn open(db: Database, folder: &Path) -> Result<Self, EntryError> {
        let path = folder.to_owned();
        let (index, anew) = blocking(move || match Index::open(&path, Options::default()) {
            Ok(index) => Ok((index, false)),
            Err(error) if error.needs_rebuild() => {
                tracing::warn!(%error, "search index is built anew");
                Index::create(&path, Options::default()).map(|index| (index, true))
            }
            Err(error) => Err(error),
        })
        .await?;
        let indexer = Self {
            db,
            index,
            turn: Arc::default(),
        };
        if anew {
            indexer.rebuild().await?;
        }
        indexer.catch_up().await?;
        Ok(indexer)
    }

    /// Applies everything announced so far; what was committed before this call is found after it.
    ///
    /// # Errors
    /// If the database or the index fails; the next call goes on from there.
    pub async fn catch_up(&self) -> Result<(), EntryError> {
        let _turn = self.turn.lock().await;
        loop {
            let messages = db::outbox::list(self.db.read(), TOPIC, BATCH).await?;
            let Some(last) = messages.last() else {
                return Ok(());
            };
            // A rebuilt database counts from 1 again; the index only wants positions that do not go back.
            let position = Position(last.id.max(self.index.position().0));
            let mut changes = Vec::with_capacity(messages.len());
            for message in &messages {
                let id = DatasetId::from_uuid(message.subject);
                if let Some(dataset) = db::dataset::find(self.db.read(), id).await? {
                    changes.push(change(self.db.read(), dataset).await?);
                }
            }
            let index = self.index.clone();
            blocking(move || index.apply(&changes, position)).await?;
            let ids: Vec<i64> = messages.iter().map(|message| message.id).collect();
            let tx = self.db.begin_write().await?;
            db::outbox::remove(&tx, &ids).await?;
            tx.commit().await?;
        }
    }

    /// Builds the index anew from the database while searches go on. Returns how many datasets it holds.
    ///
    /// # Errors
    /// If the database or the index fails; the old index stays in use.
    pub async fn rebuild(&self) -> Result<u64, EntryError> {
        let _turn = self.turn.lock().await;
        let position = self.index.position();
        let index = self.index.clone();
        let mut rebuild = blocking(move || index.begin_rebuild()).await?;
        let filter = DatasetFilter {
            state: Some(DatasetState::Released),
            ..DatasetFilter::default()
        };
        let mut before = None;
        loop {
            let datasets = db::dataset::list(self.db.read(), filter, before, BATCH).await?;
            let Some(last) = datasets.last() else { break };
            before = Some(last.id);
            let mut documents = Vec::with_capacity(datasets.len());
            for dataset in datasets {
                documents.push(document(self.db.read(), dataset).await?);
            }
            rebuild = blocking(move || {
                documents
                    .into_iter()
                    .try_for_each(|document| rebuild.add(document))?;
                Ok(rebuild)
            })
            .await?;
        }
        blocking(move || rebuild.finish(position)).await?;
        Ok(self.index.document_count())
    }

    /// Searches the public catalogue.
    ///
    /// # Errors
    /// [`EntryError::Invalid`] for pages beyond the window and over-long filters.
    pub async fn search(&self, query: SearchQuery) -> Result<SearchPage, EntryError> {
        let index = self.index.clone();
        blocking(move || index.search(&query)).await
    }

    /// How many datasets can be found.
    pub fn document_count(&self) -> u64 {
        self.index.document_count()
    }
}

async fn change(connection: &Connection, dataset: Dataset) -> Result<Change, EntryError> {
    if dataset.state == DatasetState::Released {
        Ok(Change::Upsert(Box::new(document(connection, dataset).await?)))
    } else {
        Ok(Change::Delete {
            id: dataset.id.as_uuid(),
            revision: dataset.revision,
        })
    }
}

/// What the index knows of a dataset: declared metadata only, so that search tells nothing of protected data.
async fn document(connection: &Connection, dataset: Dataset) -> Result<Document, EntryError> {
    let organization = db::organization::load(connection, dataset.organization_id).await?;
    let manifest = match (dataset.level, dataset.current_version_id) {
        (Some(level), Some(version)) if level.is_open() => db::version::load(connection, version)
            .await?
            .manifest
            .map(serde_json::from_value::<Manifest>),
        _ => None,
    };
    let manifest = manifest
        .transpose()
        .map_err(|_| EntryError::Internal("manifest"))?;
    let mut fields = Vec::new();
    for field in dataset.declared.iter().flat_map(|declared| declared.fields()) {
        fields.push(field.name.to_string());
        for label in field.label.iter() {
            fields.push(label.zh().to_owned());
            fields.extend(label.en().map(str::to_owned));
        }
    }
    if let Some(manifest) = &manifest
        && dataset.declared.is_none()
    {
        fields.extend(manifest.fields.iter().map(|field| field.name.to_string()));
    }
    let formats = manifest
        .iter()
        .flat_map(|m| &m.distributions)
        .map(|d| d.format.extension().to_owned());
    Ok(Document {
        id: dataset.id.as_uuid(),
        slug: dataset.slug.to_string(),
        title: bilingual(&dataset.metadata.title),
        summary: bilingual(&dataset.metadata.summary),
        keywords: dataset.metadata.keywords.clone(),
        theme: dataset.metadata.theme.code().to_owned(),
        level: dataset.level.map_or(4, model::Level::number),
        organization: Organization {
            id: organization.id.as_uuid(),
            name: bilingual(&organization.name),
        },
        update_cycle: dataset.metadata.update_cycle.code().to_owned(),
        formats: formats.collect(),
        fields,
        region: dataset.metadata.region.clone(),
        updated_at: dataset.updated_at.as_micros(),
        revision: dataset.revision,
    })
}

fn bilingual(text: &Localized) -> Bilingual {
    Bilingual {
        zh: text.zh().to_owned(),
        en: text.en().map(str::to_owned),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, catalog_search::Error> + Send + 'static,
) -> Result<T, EntryError> {
    let done = tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| EntryError::Internal("search"))?;
    done.map_err(|error| {
        if let Some(rule) = SearchRule::of(&error) {
            return Rule::Search(rule).into();
        }
        tracing::error!(%error, "search index");
        EntryError::Internal("search index")
    })
}
