//! Receipts: from pending to proven.

use ledger::{Inclusion, Receipt};
use model::JobId;
use serde_json::Value;

use crate::{JobError, Sandbox};

impl Sandbox {
    /// The receipt of a charge, proven as soon as a checkpoint covers its leaf.
    pub(crate) async fn receipt(
        &self,
        job: JobId,
        stored: Option<Value>,
    ) -> Result<Option<Receipt>, JobError> {
        let Some(stored) = stored else { return Ok(None) };
        let receipt: Receipt = serde_json::from_value(stored).map_err(|_| JobError::Internal("receipt"))?;
        if receipt.inclusion().is_some() {
            return Ok(Some(receipt));
        }
        let db = &self.parts.db;
        let hash = receipt.leaf().hash().map_err(|_| JobError::Internal("receipt"))?;
        let leaf = db::ledger::find_leaf(db.read(), &hash).await?;
        let (Some(index), Some(checkpoint)) = (
            leaf.and_then(|leaf| leaf.index),
            db::ledger::find_checkpoint(db.read()).await?,
        ) else {
            return Ok(Some(receipt));
        };
        if index >= checkpoint.size {
            return Ok(Some(receipt));
        }
        let path = db::ledger::prove_inclusion(db.read(), index, checkpoint.size).await?;
        let proven = receipt.with_inclusion(Inclusion {
            index,
            path,
            checkpoint: checkpoint.note,
        });
        let value = serde_json::to_value(&proven).map_err(|_| JobError::Internal("receipt"))?;
        let tx = db.begin_write().await?;
        db::job::set_receipt(&tx, job, value).await?;
        tx.commit().await?;
        Ok(Some(proven))
    }
}
