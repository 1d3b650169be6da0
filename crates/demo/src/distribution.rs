//! Skew: weighted choices, quantile curves, and how many rows each unit has.

use crate::random::Draw;

/// A choice among `0..n` with given weights, in constant time (Walker's alias method, Vose 1991).
#[derive(Debug, Clone)]
pub(crate) struct Weighted {
    /// Per slot: keep it if 32 random bits are below the threshold, else take the alias.
    slots: Vec<(u64, u32)>,
}

impl Weighted {
    /// A choice with these weights (not negative, not all zero).
    pub(crate) fn new(weights: &[f64]) -> Self {
        let n = weights.len();
        let total: f64 = weights.iter().sum();
        let mut share: Vec<f64> = weights.iter().map(|w| w * n as f64 / total).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| share[*i] < 1.0);
        let mut slots: Vec<(u64, u32)> = (0..n).map(|i| (1 << 32, i as u32)).collect();
        while let (Some(low), Some(high)) = (small.pop(), large.pop()) {
            slots[low] = ((share[low] * 4_294_967_296.0) as u64, high as u32);
            share[high] -= 1.0 - share[low];
            if share[high] < 1.0 {
                small.push(high)
            } else {
                large.push(high)
            }
        }
        Self { slots }
    }

    /// Zipf-Mandelbrot weights 1/(k + offset) for k = 1 … n.
    pub(crate) fn zipf(n: usize, offset: f64) -> Self {
        Self::new(&(1..=n).map(|k| 1.0 / (k as f64 + offset)).collect::<Vec<_>>())
    }

    /// Draws one.
    pub(crate) fn sample(&self, draw: &mut Draw) -> usize {
        let bits = draw.bits();
        let slot = (((bits >> 32) * self.slots.len() as u64) >> 32) as usize;
        let (threshold, alias) = self.slots[slot];
        if bits & 0xffff_ffff < threshold {
            slot
        } else {
            alias as usize
        }
    }
}

/// A distribution given by quantiles: (probability from 0 to 1, value) with straight lines in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Curve(pub(crate) &'static [(f64, f64)]);

impl Curve {
    /// The value at probability `p` in [0, 1].
    pub(crate) fn quantile(&self, p: f64) -> f64 {
        for pair in self.0.windows(2) {
            let ((p0, v0), (p1, v1)) = (pair[0], pair[1]);
            if p <= p1 {
                return v0 + (v1 - v0) * (p - p0) / (p1 - p0);
            }
        }
        self.0.last().map_or(0.0, |(_, v)| *v)
    }

    /// Draws one.
    pub(crate) fn sample(&self, draw: &mut Draw) -> f64 {
        self.quantile(draw.unit())
    }
}

/// How many rows each unit has: a truncated, shifted Zipf law that adds up exactly to the wanted rows.
///
/// Rank r of P units has about a/(r/P + b) − k rows, from `cap` for the busiest down to 1, with b found by bisection.
/// What is kept is, for each c, the number of units with at least c rows; row numbers `0..rows` are laid out by c,
/// so that finding the unit of a row takes a table of `cap` numbers, at any scale.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    /// First row of level c (the c-th rows of all units that have so many); ends with the number of rows.
    starts: Vec<u64>,
    /// The level that the first row of each stretch of 2^`stretch` rows is in.
    guide: Vec<u16>,
    stretch: u32,
}

/// Units that go beyond the cap on purpose.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Overactive {
    /// How many units.
    pub(crate) units: u64,
    /// How many rows each has.
    pub(crate) rows: u64,
}

impl Activity {
    /// Lays out `rows` rows over `units` units with at most `cap` each, but for the overactive ones.
    pub(crate) fn new(units: u64, rows: u64, cap: u64, overactive: Overactive) -> Self {
        let over_levels = overactive.rows.saturating_sub(cap);
        let extra = (over_levels * overactive.units).min(rows);
        let wanted = (rows - extra).min(units * cap);
        let (mut low, mut high) = (1e-6, 1e3);
        for _ in 0..80 {
            let middle = (low + high) / 2.0;
            let total: u64 = (1..=cap).map(|c| at_least(units, cap, middle, c)).sum();
            if total <= wanted {
                low = middle
            } else {
                high = middle
            }
        }
        let mut levels: Vec<u64> = (1..=cap).map(|c| at_least(units, cap, low, c)).collect();
        let mut short = wanted.saturating_sub(levels.iter().sum());
        for c in 0..levels.len() {
            let room = if c == 0 {
                units - levels[0]
            } else {
                levels[c - 1] - levels[c]
            };
            let more = room.min(short);
            levels[c] += more;
            short -= more;
        }
        if extra > 0 {
            levels.extend(std::iter::repeat_n(overactive.units, over_levels as usize));
        }
        let mut starts = vec![0];
        let mut next = 0;
        for level in levels {
            next += level;
            starts.push(next);
        }
        // About a thousand stretches, so that the level of a row is found in a step or two.
        let stretch = (64 - next.leading_zeros()).saturating_sub(10);
        let level_at = |row: u64| (starts.partition_point(|start| *start <= row) - 1) as u16;
        let guide = (0..=next >> stretch)
            .map(|at| level_at((at << stretch).min(next.max(1) - 1)))
            .collect();
        Self {
            starts,
            guide,
            stretch,
        }
    }

    /// How many rows there are in all.
    pub(crate) fn rows(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The rank of the unit that row `slot` (below [`Self::rows`]) belongs to; 0 is the busiest.
    pub(crate) fn rank(&self, slot: u64) -> u64 {
        let mut level = usize::from(self.guide[(slot >> self.stretch) as usize]);
        while self.starts[level + 1] <= slot {
            level += 1;
        }
        slot - self.starts[level]
    }
}

/// How many units have at least `c` rows: the share x where a/(x + b) − k = c, with a and k such that the busiest
/// has `cap` and the last one row.
fn at_least(units: u64, cap: u64, b: f64, c: u64) -> u64 {
    let (cap, c) = (cap as f64, c as f64);
    let a = (cap - 1.0) * b * (1.0 + b);
    let k = a / (1.0 + b) - 1.0;
    let share = (a / (c + k) - b).clamp(0.0, 1.0);
    // However few the units, the busiest has as many rows as it may.
    ((units as f64 * share + 1e-6) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    #[test]
    fn weights_are_kept() {
        let weighted = Weighted::new(&[1.0, 0.0, 3.0]);
        let mut counts = [0; 3];
        let mut draw = Draw::new(1, Stream::Trip, 1);
        for _ in 0..40_000 {
            counts[weighted.sample(&mut draw)] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((9_000..11_000).contains(&counts[0]), "{counts:?}");
        assert!(Weighted::zipf(5, 0.0).slots.len() == 5);
    }

    #[test]
    fn curves_interpolate() {
        let curve = Curve(&[(0.0, 10.0), (0.5, 20.0), (1.0, 100.0)]);
        assert_eq!(curve.quantile(0.25), 15.0);
        assert_eq!(curve.quantile(1.0), 100.0);
    }

    #[test]
    fn activity_adds_up_and_holds_its_cap() {
        let over = Overactive { units: 2, rows: 300 };
        for (units, rows, cap, over) in [
            (1_200, 20_000, 100, Overactive::default()),
            (1_200, 20_000, 100, over),
            (1_000, 10_000, 50, Overactive::default()),
            (120_000, 2_000_000, 100, Overactive::default()),
        ] {
            let activity = Activity::new(units, rows, cap, over);
            assert_eq!(activity.rows(), rows);
            let mut counts = vec![0_u64; units as usize];
            for slot in 0..rows {
                counts[activity.rank(slot) as usize] += 1;
            }
            let beyond = counts.iter().filter(|n| **n > cap).count() as u64;
            assert_eq!(beyond, over.units);
            assert!(counts.iter().all(|n| *n >= 1), "everybody has a row");
            assert_eq!(counts[0], cap.max(over.rows));
        }
    }
}
