//! Counts of what the public does: aggregates per day, never who.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use db::Database;
use db::usage::UsageKind;
use model::Timestamp;

/// Counts in memory until [`Usage::flush`] adds them to the database. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Usage(Arc<Mutex<BTreeMap<(UsageKind, String), i64>>>);

/// The zone whose days are counted.
const ZONE: &str = "Asia/Shanghai";

/// The most subjects that are kept in memory; further ones are counted together.
const MAX_SUBJECTS: usize = 10_000;

impl Usage {
    /// Counts one event about a dataset's slug or another public name.
    pub fn count(&self, kind: UsageKind, subject: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind, subject.to_owned());
        if counts.len() >= MAX_SUBJECTS && !counts.contains_key(&key) {
            *counts.entry((kind, "other".to_owned())).or_default() += 1;
        } else {
            *counts.entry(key).or_default() += 1;
        }
    }

    /// Adds what was counted to the database; what cannot be added is kept for the next time.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn flush(&self, db: &Database, now: Timestamp) -> Result<(), db::Error> {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if counts.is_empty() {
            return Ok(());
        }
        let stored = async {
            let tx = db.begin_write().await?;
            db::usage::count_all(&tx, &now.date_in(ZONE), &counts).await?;
            tx.commit().await
        };
        let result = stored.await;
        if result.is_err() {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, count) in counts {
                *kept.entry(key).or_default() += count;
            }
        }
        result
    }
}
