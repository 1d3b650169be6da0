//! The city with what its trips are joined with: rides of the same persons, and public tables.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use model::{DatasetId, Slug};
use tempfile::TempDir;

use super::fixture::{SECRET, Trip, key, relation_with, write_city};
use crate::{Granted, Part, PlanCore, PrivatePlan, PublicTable, Refusal, Relation, Tables, Totals};

/// Trips, rides (the same columns under another name), and tables about districts and fares.
pub(super) struct World {
    pub(super) protected: Vec<Relation>,
    pub(super) public: Vec<PublicTable>,
}

pub(super) fn public(name: &str, columns: Vec<(&str, ArrayRef)>) -> PublicTable {
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
    PublicTable::freeze(name, &schema, &[batch]).unwrap()
}

pub(super) fn world_of(rows_per_unit: u32) -> World {
    let trips = relation_with(rows_per_unit);
    let mut rides = relation_with(4);
    rides.slug = Slug::parse("rides").unwrap();
    rides.dataset = DatasetId::from_uuid(uuid::Uuid::from_u128(77));
    let parks = public(
        "parks",
        vec![
            (
                "district",
                Arc::new(StringArray::from(vec![
                    Some("东城"),
                    Some("东城"),
                    Some("西城"),
                    None,
                    Some("火星"),
                ])),
            ),
            (
                "places",
                Arc::new(Int64Array::from(vec![
                    Some(10),
                    Some(20),
                    Some(30),
                    Some(40),
                    None,
                ])),
            ),
        ],
    );
    let zones = public(
        "zones",
        vec![
            ("name", Arc::new(StringArray::from(vec!["东城", "西城"]))),
            ("zone", Arc::new(StringArray::from(vec!["内环", "外环"]))),
            ("capacity", Arc::new(Int64Array::from(vec![7_000, 90_000]))),
        ],
    );
    World {
        protected: vec![trips, rides],
        public: vec![parks, zones],
    }
}

impl World {
    pub(super) fn plan(&self, sql: &str) -> Result<PrivatePlan, Refusal> {
        crate::plan(
            sql,
            Tables {
                protected: &self.protected,
                public: &self.public,
            },
        )
    }

    /// Trips and rides as a plan's tables, in folders of their own.
    pub(super) fn granted(
        &self,
        core: &PlanCore,
        trips: &[Trip],
        rides: &[Trip],
    ) -> (Vec<Granted>, [TempDir; 2]) {
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let (trips, rides) = (
            write_city(&folders[0], trips, 2),
            write_city(&folders[1], rides, 3),
        );
        let of = |table: &crate::source::ScanTable| -> Vec<Part> {
            if table.dataset == self.protected[0].dataset {
                trips.clone()
            } else {
                rides.clone()
            }
        };
        let tables = core.tables.iter();
        let granted = tables.map(|table| Granted {
            parts: of(table),
            key: key(),
        });
        (granted.collect(), folders)
    }

    /// The totals of a query of one part over trips and rides.
    pub(super) fn totals(
        &self,
        plan: &PrivatePlan,
        trips: &[Trip],
        rides: &[Trip],
        threads: usize,
    ) -> Totals {
        let mut all = self.all_totals(plan, trips, rides, threads);
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// The totals of all parts of a query over trips and rides.
    pub(super) fn all_totals(
        &self,
        plan: &PrivatePlan,
        trips: &[Trip],
        rides: &[Trip],
        threads: usize,
    ) -> Vec<Totals> {
        let of_part = |core: &PlanCore| {
            let (granted, _folders) = self.granted(core, trips, rides);
            crate::execute(core, &granted, &SECRET, threads).unwrap()
        };
        plan.parts.iter().map(|part| of_part(&part.core)).collect()
    }
}
