//! The public ledger.

use askama::Template;
use model::Timestamp;

use super::shell::Shell;

/// A leaf in the list.
#[derive(Debug, Clone)]
pub struct LedgerRow {
    /// Its index.
    pub index: u64,
    /// When the act was done.
    pub moment: Timestamp,
    /// What was done, in words, in the page's language.
    pub act: String,
    /// Who did it: the organisation's name, or the portal.
    pub actor: String,
    /// What it was done to, as the leaf says it.
    pub subject: String,
    /// The leaf's hash, base64.
    pub hash: String,
}

/// The newest checkpoint.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// How many leaves it covers.
    pub size: u64,
    /// The root hash, base64.
    pub root: String,
    /// When it was signed.
    pub moment: Timestamp,
    /// The signed note, as `/ledger/checkpoint` gives it.
    pub note: String,
}

/// `GET /ledger?before=`: newest leaves first.
#[derive(Debug, Clone, Template)]
#[template(path = "ledger.html")]
pub struct LedgerPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The scheme and authority that the verifying command calls.
    pub origin: String,
    /// The log's name and public key, as a verifier key (signed note).
    pub verifier_key: String,
    /// The newest checkpoint; none before the first act.
    pub checkpoint: Option<Checkpoint>,
    /// The leaves of this page.
    pub rows: Vec<LedgerRow>,
    /// The address of older leaves.
    pub older: Option<String>,
}
