//! Which rows belong to which unit.

use model::{UnitDeclaration, UnitType};

use crate::random::Random;

/// Rows of a dummy unit on average where the declaration allows more: enough to group and to bound, with many units.
const MEAN_ROWS: u64 = 8;

/// The unit of every row, by number from 0, in increasing order: some units have many rows, most have few, none more than
/// declared. As many rows as are wanted, or as the declaration allows at all.
pub(crate) fn units(declared: Option<UnitDeclaration>, wanted: u32, seed: u64) -> Vec<u32> {
    let Some(unit) = declared else {
        return (0..wanted).collect();
    };
    let cap = unit.max_rows_per_unit;
    let most = unit.max_rows.min(unit.max_units.saturating_mul(cap.into()));
    let rows = u32::try_from(most).map_or(wanted, |most| most.min(wanted));
    if unit.unit_type == UnitType::Row || cap == 1 {
        return (0..rows).collect();
    }
    // Declared maxima are coarse, but their ratio is the best guess there is.
    let mean = (unit.max_rows / unit.max_units)
        .clamp(2, MEAN_ROWS)
        .min(cap.into());
    let least = u64::from(rows.div_ceil(cap));
    let count = u64::from(rows)
        .div_ceil(mean)
        .clamp(least.max(1), unit.max_units.max(1));
    // Not above the rows, which are 32 bits.
    let count = usize::try_from(count).unwrap_or(0).min(rows as usize);
    let mut rows_of = vec![1u32; count];
    let mut open: Vec<usize> = (0..count).collect();
    let mut random = Random::new(seed, "rows of units");
    for _ in 0..(rows as usize).saturating_sub(count) {
        let place = Random::place(random.skewed(), open.len());
        let Some(has) = open.get(place).and_then(|unit| rows_of.get_mut(*unit)) else {
            break;
        };
        *has += 1;
        if *has >= cap {
            open.swap_remove(place);
        }
    }
    random.shuffle(&mut rows_of);
    (0..)
        .zip(rows_of)
        .flat_map(|(unit, rows)| (0..rows).map(move |_| unit))
        .collect()
}
