//! Rules for cells of low-sensitivity data (L2), released without noise: threshold, dominance, p-ratio,
//! rounding.
//!
//! Sources: ACRO (Green, Ritchie and Smith 2020), OpenSAFELY and ONS output-checking practice. Units are
//! counted, never rows; magnitudes are absolute values. Secondary suppression needs all cells together and is
//! not decided here.

/// The numbers of the rules; bureaus change them by dated policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The fewest units that a cell may rest on.
    pub min_units: u64,
    /// The share of the total that the largest unit must stay below.
    pub top_one: f64,
    /// The share of the total that the two largest units together must stay below.
    pub top_two: f64,
    /// The least (T − x₁ − x₂) / x₁.
    pub p_ratio: f64,
    /// The base that counts are rounded to, smaller than `min_units`.
    pub rounding_base: u64,
}

/// The rules for any data: 10 units, one below 50 %, two below 90 %, p-ratio at least 0.10, base 5.
pub const STANDARD: Rules = Rules {
    min_units: 10,
    top_one: 0.5,
    top_two: 0.9,
    p_ratio: 0.1,
    rounding_base: 5,
};

/// The stricter rules for business data: two below 67 %.
pub const BUSINESS: Rules = Rules {
    top_two: 0.67,
    ..STANDARD
};

/// Why a cell is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disclosive {
    /// Too few units, or none: zeros disclose too.
    #[error("the cell rests on too few units")]
    Threshold,
    /// One or two units make up too much of the total.
    #[error("one or two units dominate the cell")]
    Dominance,
    /// The second largest unit could estimate the largest too closely.
    #[error("the largest unit can be estimated too closely (p-ratio)")]
    PRatio,
    /// A contribution is not a finite number.
    #[error("a contribution is not a finite number")]
    NotFinite,
}

/// Checks a magnitude cell from each unit's total contribution to it.
///
/// # Errors
/// The first rule that the cell breaks.
pub fn check_cell(contributions: &[f64], rules: &Rules) -> Result<(), Disclosive> {
    if (contributions.len() as u64) < rules.min_units {
        return Err(Disclosive::Threshold);
    }
    let (mut first, mut second, mut total) = (0.0_f64, 0.0_f64, 0.0_f64);
    for size in contributions.iter().map(|x| x.abs()) {
        total += size;
        if size > first {
            second = first;
            first = size;
        } else if size > second {
            second = size;
        }
    }
    if !total.is_finite() {
        return Err(Disclosive::NotFinite);
    }
    // Nothing but zeros: no unit stands out.
    if first == 0.0 {
        return Ok(());
    }
    if first >= rules.top_one * total || first + second >= rules.top_two * total {
        return Err(Disclosive::Dominance);
    }
    // Without the two largest, summed apart: T − x₁ − x₂ would cancel.
    if total - first - second < rules.p_ratio * first {
        Err(Disclosive::PRatio)
    } else {
        Ok(())
    }
}

/// A count rounded to the nearest multiple of the base, halves up; a base of 0 is none.
#[must_use]
pub const fn round_count(count: u64, rules: &Rules) -> u64 {
    if rules.rounding_base == 0 {
        return count;
    }
    let below = count - count % rules.rounding_base;
    let up = 2 * (count % rules.rounding_base) >= rules.rounding_base;
    if up {
        below.saturating_add(rules.rounding_base)
    } else {
        below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `others` ones beside the given units.
    fn cell(largest: &[f64], others: usize) -> Vec<f64> {
        [largest, &vec![1.0; others]].concat()
    }

    #[test]
    fn table_of_cells() {
        let table = [
            (cell(&[], 9), STANDARD, Err(Disclosive::Threshold)),
            (cell(&[], 0), STANDARD, Err(Disclosive::Threshold)),
            (cell(&[], 10), STANDARD, Ok(())),
            (cell(&[9.0], 9), STANDARD, Err(Disclosive::Dominance)), // exactly half
            (cell(&[8.9], 9), STANDARD, Ok(())),
            (cell(&[-9.0], 9), STANDARD, Err(Disclosive::Dominance)), // absolute values
            (cell(&[49.0, 41.0], 10), STANDARD, Err(Disclosive::Dominance)), // exactly 90 % of 100
            (cell(&[40.0, 40.0], 20), STANDARD, Ok(())),
            (cell(&[40.0, 40.0], 20), BUSINESS, Err(Disclosive::Dominance)),
            (vec![0.0; 12], STANDARD, Ok(())),
            (cell(&[f64::NAN], 12), STANDARD, Err(Disclosive::NotFinite)),
            (cell(&[f64::INFINITY], 12), STANDARD, Err(Disclosive::NotFinite)),
        ];
        for (contributions, rules, expected) in table {
            assert_eq!(check_cell(&contributions, &rules), expected, "{contributions:?}");
        }
    }

    #[test]
    fn p_ratio_is_a_rule_of_its_own() {
        let only_p = Rules {
            top_one: 1.1,
            top_two: 1.1,
            ..STANDARD
        };
        // The ten others are 5 % of the largest, then 10 %.
        let others = |size: f64| [vec![100.0, 90.0], vec![size; 10]].concat();
        assert_eq!(check_cell(&others(0.5), &only_p), Err(Disclosive::PRatio));
        assert_eq!(check_cell(&others(1.01), &only_p), Ok(()));
    }

    #[test]
    fn counts_round_to_the_base() {
        for (count, rounded) in [(0, 0), (10, 10), (11, 10), (12, 10), (13, 15), (14, 15), (15, 15)] {
            assert_eq!(round_count(count, &STANDARD), rounded);
        }
        assert_eq!(
            round_count(
                7,
                &Rules {
                    rounding_base: 0,
                    ..STANDARD
                }
            ),
            7
        );
        assert_eq!(round_count(u64::MAX, &STANDARD), u64::MAX);
    }
}
