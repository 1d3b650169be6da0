//! `/ledger/checkpoint` and `/ledger/tile/…`: the public log as any tlog client reads it (C2SP tlog-tiles).

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header;
use ledger::Resource;
use ledger::tile::encode_entries;

use crate::failure::Failure;
use crate::problem::Code;
use crate::state::AppState;

/// `GET /ledger/checkpoint`.
pub(crate) async fn checkpoint(State(state): State<AppState>) -> Result<Response, Failure> {
    let none = || Failure::say(Code::Unavailable, "why-no-checkpoint");
    let checkpoint = db::ledger::find_checkpoint(state.db.read())
        .await?
        .ok_or_else(none)?;
    let head = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Ok((head, checkpoint.note).into_response())
}

/// `GET /ledger/key`: the verifier key, for those who meet the log for the first time.
pub(crate) async fn key(State(state): State<AppState>) -> Response {
    let head = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (head, format!("{}\n", state.ledger_key)).into_response()
}

/// `GET /ledger/tile/…`.
pub(crate) async fn tile(
    State(state): State<AppState>,
    Path(path): Path<String>,
) -> Result<Response, Failure> {
    let none = || Failure::not_found("tile");
    let resource: Resource = format!("tile/{path}").parse().map_err(|_| none())?;
    let size = db::ledger::find_checkpoint(state.db.read())
        .await?
        .map_or(0, |checkpoint| checkpoint.size);
    let bytes = match resource {
        Resource::Checkpoint => return Err(none()),
        Resource::Tile(tile) => db::ledger::find_tile(state.db.read(), tile)
            .await?
            .ok_or_else(none)?,
        Resource::Entries(tile) => {
            let first = tile.index() * 256;
            let width = u64::from(tile.width());
            // Nothing is served that no signed checkpoint covers.
            if first + width > size {
                return Err(none());
            }
            let leaves = db::ledger::list_leaves(state.db.read(), first, width).await?;
            if leaves.len() as u64 != width {
                return Err(none());
            }
            let entries: Vec<_> = leaves.into_iter().map(|leaf| leaf.entry).collect();
            encode_entries(&entries).map_err(|_| Failure::internal())?
        }
    };
    let head = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((head, bytes).into_response())
}
