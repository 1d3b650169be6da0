//! Random numbers that are the same wherever they are drawn.

/// SplitMix64's increment: 2⁶⁴ divided by the golden ratio, made odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The sequence of a seed for one purpose: what is drawn for one column does not depend on the others.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mut random = Self(seed);
        for byte in purpose.bytes() {
            random.0 = random.bits() ^ u64::from(byte);
        }
        random
    }

    /// 64 uniform bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1), on a grid of 2⁻⁵³.
    pub(crate) fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let bits = (self.bits() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// In [0, 1), small values oftener than large ones: the product of two uniform numbers, whose mean is a quarter.
    pub(crate) fn skewed(&mut self) -> f64 {
        self.unit() * self.unit()
    }

    /// In [0, 1), the middle oftener than the ends.
    pub(crate) fn central(&mut self) -> f64 {
        f64::midpoint(self.unit(), self.unit())
    }

    /// A share of [0, 1) as a place among `count`.
    pub(crate) fn place(share: f64, count: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "counts of rows and values; the share is in [0, 1)"
        )]
        let place = (share * count as f64) as usize;
        place.min(count.saturating_sub(1))
    }

    /// Puts things into an order in which each is as likely (Fisher, Yates; Durstenfeld 1964).
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let other = Self::place(self.unit(), last + 1);
            things.swap(last, other);
        }
    }
}
