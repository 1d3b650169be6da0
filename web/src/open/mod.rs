//! What programs fetch from the portal beside the API: downloads, the ledger's log, operations.

pub(crate) mod download;
pub(crate) mod ledger;
pub(crate) mod operation;
