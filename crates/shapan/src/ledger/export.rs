//! `shapan ledger export`: a mirror of the log, as its address serves it.

use std::fs;
use std::path::Path;

use ledger::tile::{changed_tiles, encode_entries};
use ledger::{Resource, Tile};
use shapan_config::Config;

use super::source::KEY;
use crate::background::sequencer;
use crate::failure::Failure;
use crate::import::say;
use crate::portal::Portal;

/// Writes key, tiles and entries, and the checkpoint last: whoever reads it finds what it covers.
pub(crate) async fn run(folder: &Path, config: Config) -> Result<(), Failure> {
    let portal = Portal::open(&config).await?;
    let db = &portal.db;
    sequencer::sequence(db, &portal.secrets.ledger, portal.clock.as_ref()).await?;
    let checkpoint = db::ledger::find_checkpoint(db.read()).await?;
    let checkpoint = checkpoint.ok_or_else(|| Failure::new("the log has no checkpoint yet"))?;
    let missing = |resource: Resource| Failure::new(format!("the database lacks {resource} of the log"));
    write(
        folder,
        KEY,
        format!("{}\n", portal.secrets.ledger.verifier()).as_bytes(),
    )?;
    for tile in changed_tiles(0, checkpoint.size) {
        let bytes = db::ledger::find_tile(db.read(), tile).await?;
        let bytes = bytes.ok_or_else(|| missing(tile.resource()))?;
        write(folder, &tile.resource().to_string(), &bytes)?;
        if let Some(resource) = tile.entries() {
            let leaves = leaves(&portal, tile).await?.ok_or_else(|| missing(resource))?;
            write(folder, &resource.to_string(), &encode_entries(&leaves)?)?;
        }
    }
    write(folder, "checkpoint", checkpoint.note.as_bytes())?;
    say(&format!(
        "{} entries are mirrored in {}",
        checkpoint.size,
        folder.display()
    ));
    Ok(())
}

async fn leaves(portal: &Portal, tile: Tile) -> Result<Option<Vec<Vec<u8>>>, Failure> {
    let width = u64::from(tile.width());
    let first = tile.index() * u64::from(ledger::tile::TILE_WIDTH);
    let leaves = db::ledger::list_leaves(portal.db.read(), first, width).await?;
    let whole = leaves.len() as u64 == width;
    Ok(whole.then(|| leaves.into_iter().map(|leaf| leaf.entry).collect()))
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = folder.join(path);
    let cannot = |error: std::io::Error| Failure::cannot(format_args!("write {}", path.display()))(error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(cannot)?;
    }
    fs::write(&path, bytes).map_err(cannot)
}
