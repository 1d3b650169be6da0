//! What the ledger says of each act: who, in which role, on which request, with what outcome. Texts are sealed.

use db::Tx;
use db::dataset::Dataset;
use db::request::Request;
use identity::Actor;
use ledger::{Act, Leaf, LeafBuilder, Nonce, Opening};
use model::Timestamp;
use serde_json::Value;

use crate::ReviewError;
use crate::payload::Payload;

/// Begins the leaf of an act on a request.
pub(crate) fn leaf(act: Act, actor: &Actor, request: &Request, now: Timestamp) -> LeafBuilder {
    Leaf::builder(act, now.as_micros(), actor.ledger_actor()).subject("request", request.id.to_string())
}

/// Adds the datasets' names.
pub(crate) fn with_datasets(leaf: LeafBuilder, datasets: &[Dataset]) -> LeafBuilder {
    let slugs: Vec<String> = datasets.iter().map(|dataset| dataset.slug.to_string()).collect();
    leaf.fact("datasets", slugs)
}

/// Adds a commitment to each text.
pub(crate) fn with_texts(mut leaf: LeafBuilder, payload: &Payload) -> Result<LeafBuilder, ReviewError> {
    for (name, commitment) in payload.commitments()? {
        leaf = leaf.commitment(name, commitment);
    }
    Ok(leaf)
}

/// The name of the commitment to an opinion's reason.
pub(crate) const OPINION_REASON: &str = "opinion_reason";
/// The name of the commitment to a decision's reason.
pub(crate) const DECISION_REASON: &str = "decision_reason";

/// Adds a commitment to a reason, be it empty, and gives what opens it: whoever is shown the reason later can see that
/// it is what was given.
pub(crate) fn with_reason(
    leaf: LeafBuilder,
    name: &str,
    reason: &str,
) -> Result<(LeafBuilder, Nonce), ReviewError> {
    let opening = Opening::seal(Value::from(reason)).map_err(|_| ReviewError::Internal("no random bytes"))?;
    let commitment = opening
        .commitment()
        .map_err(|_| ReviewError::Internal("commitment"))?;
    Ok((leaf.commitment(name, commitment), opening.nonce))
}

/// What opens the commitment to a stored reason, with its name.
pub(crate) fn opening(name: &str, reason: &str, nonce: Option<Nonce>) -> Option<(String, Opening)> {
    let value = Value::from(reason);
    nonce.map(|nonce| (name.to_owned(), Opening { nonce, value }))
}

/// Writes the leaf in the act's own transaction.
pub(crate) async fn append(tx: &Tx, leaf: LeafBuilder, now: Timestamp) -> Result<(), ReviewError> {
    let leaf = leaf.build().map_err(|_| ReviewError::Internal("ledger leaf"))?;
    db::ledger::append(tx, &leaf, now).await?;
    Ok(())
}
