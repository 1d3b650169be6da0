//! How much privacy was given away and may still be, on the pages of those who answer for it.

use model::UnitType;

/// An amount of privacy loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossAmount {
    /// ρ, which adds up.
    pub rho: f64,
    /// ε, which does not.
    pub epsilon: f64,
    /// The δ that ε holds with.
    pub delta: f64,
}

/// A dataset's own account.
#[derive(Debug, Clone)]
pub struct DatasetLoss {
    /// Its title in the page's language.
    pub title: String,
    /// The length of the sliding window in days.
    pub window_days: i64,
    /// Spent in its lifetime.
    pub spent: LossAmount,
    /// Left in the window.
    pub left_in_window: LossAmount,
    /// Left for life.
    pub left_for_life: LossAmount,
}

/// All datasets about one type of unit together.
#[derive(Debug, Clone)]
pub struct UnitTypeLoss {
    /// The type.
    pub unit_type: UnitType,
    /// How many datasets.
    pub datasets: u64,
    /// Spent in their lifetimes.
    pub spent: LossAmount,
    /// What may still be spent.
    pub left: LossAmount,
    /// Both together.
    pub worst: LossAmount,
}

/// What a page shows of it; nothing where both lists are empty.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    /// The datasets that the page is about.
    pub datasets: Vec<DatasetLoss>,
    /// The types of their units.
    pub unit_types: Vec<UnitTypeLoss>,
}

impl LossAmount {
    /// δ as people write it, rounded up to two digits: `1.0e-9`.
    pub(crate) fn delta_text(&self) -> String {
        let (mut digits, mut exponent) = (self.delta, 0);
        while digits > 0.0 && digits < 1.0 {
            digits *= 10.0;
            exponent += 1;
        }
        // A sum of exact halves is not rounded up by what floating point adds to it.
        digits = (digits * 10.0 - 1e-6).ceil() / 10.0;
        if digits >= 10.0 {
            digits /= 10.0;
            exponent -= 1;
        }
        format!("{digits:.1}e-{exponent}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delta_is_rounded_up() {
        let text = |delta: f64| {
            let amount = LossAmount {
                rho: 0.0,
                epsilon: 0.0,
                delta,
            };
            amount.delta_text()
        };
        for (delta, want) in [
            (1e-9, "1.0e-9"),
            (5e-10, "5.0e-10"),
            (5.000_01e-10, "5.1e-10"),
            (1.05e-9, "1.1e-9"),
            (9.99e-10, "1.0e-9"),
        ] {
            assert_eq!(text(delta), want);
        }
    }
}
