//! Charges about some units only, which compose in parallel.
//!
//! Where a field holds one value for each unit of a version, it parts the version's units: whoever has one value loses nothing by
//! a question about those with another. What the charges of one partition cost together is so the most that they cost any
//! value's units (McSherry 2009, "Privacy Integrated Queries", theorem 4; for zCDP, whose losses add over the jobs that a
//! unit is in at all, the same). It is kept within the counters of [`super::allocation`]: a charge counts for what it adds to
//! the largest value of its partition within the window. Where that has slid out and what it had carried has not, the difference
//! is *owed*: it is looked up whenever something is charged or shown.
//!
//! All of it rests on charges being made in the order of their times, which [`super::allocation::charge`] sees to.
//!
//! So at each charge, within the window that ends with it, the counter holds at least what the largest value's units lose. Neither
//! does the sum over a lifetime fall short of any unit's loss: a charge adds all of its own to the sum, or as much as makes what
//! the window has counted reach the loss within the window, and what was counted before the window reaches the loss before it.
//!
//! Partitions are those of one project: projects do not carry each other's charges, so that what one has left says
//! nothing of another. Of a unit, another version may hold another value: versions are different partitions, and these add.

use std::collections::BTreeMap;

use model::VersionId;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::allocation::Charge;
use crate::connection::Connection;
use crate::entity::charge;
use crate::error::Error;

/// The units that a charge is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    /// Of which version.
    pub version: VersionId,
    /// A field that holds one value for each unit of it.
    pub field: String,
    /// What tells the values of those units from others: [`Subset::of`].
    values: Vec<String>,
}

impl Subset {
    /// The units of a version with one of these values. Values are kept as the first 64 bits of their SHA-256: where two have the
    /// same, the units of both are charged for either.
    pub fn of<'a>(version: VersionId, field: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        let digest = |value: &str| -> String {
            let digest = Sha256::digest(value.as_bytes());
            digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
        };
        Self {
            version,
            field: field.to_owned(),
            values: values.into_iter().map(digest).collect(),
        }
    }

    /// As they are stored.
    pub(super) fn stored(&self) -> String {
        serde_json::json!(self.values).to_string()
    }
}

/// The charges within a window that are about subsets.
#[derive(Debug, Default)]
pub(super) struct Subsets(BTreeMap<(Uuid, Uuid, String), Partition>);

#[derive(Debug, Default)]
struct Partition {
    /// What its charges have taken from the counter.
    counted: i64,
    /// What they cost the units of each value.
    cost: BTreeMap<String, i64>,
}

impl Partition {
    fn owed(&self) -> i64 {
        let most = self.cost.values().copied().max().unwrap_or(0);
        most.saturating_sub(self.counted).max(0)
    }

    fn add(&mut self, values: &[String], rho_nano: i64) {
        for value in values {
            let cost = self.cost.entry(value.clone()).or_default();
            *cost = cost.saturating_add(rho_nano);
        }
    }
}

impl Subsets {
    /// Those of these charges that were made after a moment.
    pub(super) async fn load(
        connection: &Connection,
        charges: Condition,
        after_micros: i64,
    ) -> Result<Self, Error> {
        let rows = charge::Entity::find()
            .filter(charges)
            .filter(charge::Column::SubsetVersionId.is_not_null())
            .filter(charge::Column::CreatedAt.gt(after_micros))
            .order_by_asc(charge::Column::Id)
            .all(&connection.executor())
            .await?;
        let mut subsets = Self::default();
        for row in rows {
            let (Some(subset), Some(rho_nano)) = (read(&row)?, row.subset_rho_nano) else {
                continue;
            };
            let partition = subsets.partition(row.allocation_id, &subset);
            partition.add(&subset.values, rho_nano);
            partition.counted = partition.counted.saturating_add(row.rho_nano);
        }
        Ok(subsets)
    }

    fn partition(&mut self, allocation: Uuid, subset: &Subset) -> &mut Partition {
        let key = (allocation, subset.version.as_uuid(), subset.field.clone());
        self.0.entry(key).or_default()
    }

    /// Adds a charge, and tells what it takes from the counter.
    pub(super) fn charge(&mut self, charge: &Charge) -> i64 {
        let rho_nano = charge.cost.rho_nano;
        let Some(subset) = charge.carried() else {
            return rho_nano;
        };
        let partition = self.partition(charge.allocation_id.as_uuid(), subset);
        partition.add(&subset.values, rho_nano);
        // What was owed before stays so: in a lifetime every loss counts once.
        let counted = partition.owed().min(rho_nano);
        partition.counted = partition.counted.saturating_add(counted);
        counted
    }

    /// Adds a charge that takes so much from the counter.
    pub(super) fn add(&mut self, charge: &Charge, counted: i64) {
        if let Some(subset) = charge.carried() {
            let partition = self.partition(charge.allocation_id.as_uuid(), subset);
            partition.add(&subset.values, charge.cost.rho_nano);
            partition.counted = partition.counted.saturating_add(counted);
        }
    }

    /// What has to be left in the counter for charges that others carried which have slid out.
    pub(super) fn owed(&self) -> i64 {
        let owed = self.0.values().map(Partition::owed);
        owed.fold(0, i64::saturating_add)
    }
}

/// The subset of a stored charge.
pub(super) fn read(row: &charge::Model) -> Result<Option<Subset>, Error> {
    let (Some(version), Some(field), Some(values)) =
        (row.subset_version_id, &row.subset_field, &row.subset_values)
    else {
        return Ok(None);
    };
    let values =
        serde_json::from_str(values).map_err(|_| Error::corrupt("charge.subset_values", "no texts"))?;
    Ok(Some(Subset {
        version: VersionId::from_uuid(version),
        field: field.clone(),
        values,
    }))
}
