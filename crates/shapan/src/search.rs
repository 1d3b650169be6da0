//! `shapan search rebuild`.

use catalog_entry::index::Indexer;
use shapan_config::Config;

use crate::failure::Failure;
use crate::import::say;
use crate::portal::{Lock, Portal, SEARCH};

/// Builds the search index anew from the database. No server may run meanwhile: it has the index open.
pub(crate) async fn rebuild(config: Config) -> Result<(), Failure> {
    let _lock = Lock::take(&config.data.dir)?;
    let portal = Portal::open(&config).await?;
    let indexer = Indexer::open(portal.db.clone(), &config.data.dir.join(SEARCH))
        .await
        .map_err(Failure::cannot("open the search index"))?;
    let datasets = indexer
        .rebuild()
        .await
        .map_err(Failure::cannot("build the search index"))?;
    say(&format!("the search index is built anew: {datasets} datasets"));
    Ok(())
}
