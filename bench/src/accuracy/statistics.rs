//! Averages of errors, and how sure they are.

use privacy::accuracy::Z95;

/// The root mean square of errors, with a 95 % confidence interval.
///
/// The mean square is a mean of independent draws, so it is nearly normal; its ends are taken through the root.
pub(super) fn root_mean_square(errors: &[f64]) -> (f64, [f64; 2]) {
    let squares: Vec<f64> = errors.iter().map(|error| error * error).collect();
    let (mean, deviation) = moments(&squares);
    let half = Z95 * deviation / count(&squares).sqrt();
    (mean.sqrt(), [(mean - half).max(0.0).sqrt(), (mean + half).sqrt()])
}

/// The mean and the standard deviation of a sample.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = count(values);
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

/// The 95 % interval of a share of so many draws (Wilson, "Probable inference", J. Am. Stat. Assoc. 22, 1927).
pub(super) fn share_interval(share: f64, draws: f64) -> [f64; 2] {
    let squared = Z95 * Z95 / draws;
    let centre = (share + squared / 2.0) / (1.0 + squared);
    let half = Z95 * (share * (1.0 - share) / draws + squared / (4.0 * draws)).sqrt() / (1.0 + squared);
    [centre - half, centre + half]
}

#[expect(clippy::cast_precision_loss, reason = "numbers of draws")]
pub(super) fn count<T>(values: &[T]) -> f64 {
    values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_are_alike_have_no_spread() {
        let (rms, [low, high]) = root_mean_square(&[3.0, -3.0, 3.0]);
        assert!((rms - 3.0).abs() < 1e-12 && (low - 3.0).abs() < 1e-12 && (high - 3.0).abs() < 1e-12);
        let (rms, [low, high]) = root_mean_square(&[0.0, 5.0, 1.0, -2.0]);
        assert!((rms - 7.5_f64.sqrt()).abs() < 1e-12 && low < rms && rms < high);
    }

    #[test]
    fn wilsons_interval() {
        // Newcombe 1998, table I: 81 of 263.
        let [low, high] = share_interval(81.0 / 263.0, 263.0);
        assert!(
            (low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5,
            "{low} {high}"
        );
    }
}
