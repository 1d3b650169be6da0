//! Plans that count rows and units only are counted without sums; the totals are the same.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use proptest::prelude::*;

use super::fixture::{SECRET, Trip, batch, cases, relation_with, trip};
use crate::bounding::{Bounding, Partial, Pass};
use crate::plan::{Aggregate, PlanCore};

const NOTES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// The totals of every aggregate in each cell that some unit is in, whatever the cells are named by.
fn totals(core: &PlanCore, batches: &[Vec<Trip>]) -> BTreeMap<Vec<u8>, Vec<(Aggregate, i128)>> {
    let mut bounding = Bounding::new(core, SECRET, Pass::Whole { room: 1 << 20 }).unwrap();
    for trips in batches {
        let all = batch(trips);
        let names = core.tables[0].columns.iter().map(|column| column.name.as_str());
        let columns = std::iter::once("__unit").chain(names);
        let places: Vec<usize> = columns.map(|name| all.schema().index_of(name).unwrap()).collect();
        let read: RecordBatch = all.project(&places).unwrap();
        bounding.push(&read).unwrap();
    }
    let cells: Vec<(Vec<u8>, Vec<i128>)> = match bounding.finish() {
        Partial::Listed { totals, .. } => {
            let cells = totals.chunks(core.aggregates.len()).map(<[i128]>::to_vec);
            (0u32..)
                .map(|cell| cell.to_be_bytes().to_vec())
                .zip(cells)
                .collect()
        }
        Partial::Found(cells) => {
            let totals = cells.totals.chunks(core.aggregates.len()).map(<[i128]>::to_vec);
            let names = cells.names.iter().flatten().map(<[u8]>::to_vec);
            names.zip(totals).collect()
        }
        Partial::Sieved(_) => panic!("nothing was to be sieved"),
    };
    let named = |totals: Vec<i128>| core.aggregates.iter().cloned().zip(totals).collect();
    let met = cells
        .into_iter()
        .filter(|(_, totals)| totals.iter().any(|total| *total != 0));
    met.map(|(name, totals)| (name, named(totals))).collect()
}

proptest! {
    #![proptest_config(cases(64))]

    /// Units of any length, cut into batches anywhere, with more rows than they may have and in more groups than count.
    #[test]
    fn counts_are_what_sums_are(
        units in prop::collection::vec(prop::collection::vec((0..12usize, 0..40i64, any::<bool>()), 0..40), 1..12),
        rows_per_unit in prop_oneof![Just(1u32), Just(3), Just(17), Just(100)],
        sizes in prop::collection::vec(1..60usize, 1..20),
        key in prop_oneof![Just("note"), Just("fare"), Just("note, fare")],
        filter in prop_oneof![Just(""), Just("WHERE electric")],
    ) {
        let relation = relation_with(rows_per_unit);
        let plan = |more: &str| {
            let sql = format!("SELECT {key}, COUNT(*), COUNT(DISTINCT person_id){more} FROM bike_trips {filter} GROUP BY {key}");
            crate::plan(&sql, &relation).unwrap().parts.remove(0).core
        };
        // A count of values is a sum for each row.
        let (counts, sums) = (plan(""), plan(", COUNT(distance)"));
        prop_assert_eq!(counts.groups_per_unit, sums.groups_per_unit);
        prop_assert!(key == "fare" || counts.groups_per_unit <= 5, "else none is left out");
        let rows = (0..).zip(units).flat_map(|(unit, rows)| {
            rows.into_iter().map(move |(note, fare, electric)| Trip {
                note: Some(NOTES[note]),
                fare: Some(fare),
                electric: Some(electric),
                ..trip(unit, "东城")
            })
        });
        let mut rows: Vec<Trip> = rows.collect();
        let mut batches = vec![];
        for size in sizes.iter().cycle() {
            if rows.is_empty() {
                break;
            }
            let rest = rows.split_off(rows.len().min(*size));
            batches.push(std::mem::replace(&mut rows, rest));
        }
        let counted = totals(&counts, &batches);
        let mut summed = totals(&sums, &batches);
        for totals in summed.values_mut() {
            totals.retain(|(aggregate, _)| counts.aggregates.contains(aggregate));
        }
        prop_assert_eq!(counted, summed);
    }
}
