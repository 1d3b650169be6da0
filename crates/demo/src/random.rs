//! Counter-based randomness: a draw depends on a seed, a stream and a number, never on what was drawn before.

/// The output function of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// SplitMix64's increment: 2⁶⁴ divided by the golden ratio, made odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a draw is for. Two streams of one seed have nothing to do with each other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Person = 1,
    PersonNumber,
    Enterprise,
    EnterpriseNumber,
    Trip,
    TripOrder,
    TripRank,
    Visit,
    VisitOrder,
    VisitRank,
    Tax,
    TaxOrder,
    Division,
    DivisionName,
    Station,
    Air,
    AirCity,
    AirStation,
    AirDust,
    AirOutage,
    Section,
    Traffic,
    TrafficDay,
    Parking,
}

/// A short sequence of random numbers for one entity.
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    /// The sequence of entity `number` in a stream.
    pub(crate) const fn new(seed: u64, stream: Stream, number: u64) -> Self {
        let key = mix(seed ^ (stream as u64).wrapping_mul(GOLDEN));
        Self(mix(key ^ number.wrapping_mul(GOLDEN)))
    }

    /// 64 uniform bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Uniform in `0..n` (`n > 0`), by multiplication (Lemire 2019, without its rejection: the bias is n/2⁶⁴).
    pub(crate) const fn below(&mut self, n: u64) -> u64 {
        ((self.bits() as u128 * n as u128) >> 64) as u64
    }

    /// Uniform in [0, 1), on a grid of 2⁻⁵³.
    pub(crate) const fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// True `rate` times in a million.
    pub(crate) const fn one_of_million(&mut self, rate: u32) -> bool {
        self.below(1_000_000) < rate as u64
    }

    /// One of a list that is not empty.
    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

/// A pseudo-random permutation of `0..n` that needs no table.
///
/// Rounds of xor-shift and multiplication by odd numbers permute the least power of two that is not below `n`;
/// walking the cycle until a value is below `n` permutes `0..n` (Black and Rogaway, "Ciphers with arbitrary finite
/// domains", 2002). On average that takes fewer than two steps.
#[derive(Debug, Clone)]
pub(crate) struct Permutation {
    n: u64,
    mask: u64,
    shift: u32,
    keys: [u64; 6],
}

impl Permutation {
    /// The permutation number `number` of a stream, over `0..n`.
    pub(crate) fn new(seed: u64, stream: Stream, number: u64, n: u64) -> Self {
        let mut draw = Draw::new(seed, stream, number);
        let bits = (64 - n.max(2).saturating_sub(1).leading_zeros()).max(1);
        let mut keys = [0; 6];
        for (i, key) in keys.iter_mut().enumerate() {
            *key = if i % 2 == 0 { draw.bits() | 1 } else { draw.bits() };
        }
        Self {
            n,
            mask: u64::MAX >> (64 - bits),
            shift: bits / 2 + 1,
            keys,
        }
    }

    /// Where `x < n` goes.
    pub(crate) const fn apply(&self, mut x: u64) -> u64 {
        debug_assert!(x < self.n);
        loop {
            let k = &self.keys;
            x = x.wrapping_mul(k[0]).wrapping_add(k[1]) & self.mask;
            x ^= x >> self.shift;
            x = x.wrapping_mul(k[2]).wrapping_add(k[3]) & self.mask;
            x ^= x >> self.shift;
            x = x.wrapping_mul(k[4]).wrapping_add(k[5]) & self.mask;
            x ^= x >> self.shift;
            if x < self.n {
                return x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_hits_every_number_once_and_stirs() {
        for n in [1, 2, 3, 5, 16, 17, 1000, 4097] {
            let permutation = Permutation::new(7, Stream::TripOrder, 0, n);
            let mut image: Vec<u64> = (0..n).map(|x| permutation.apply(x)).collect();
            let fixed = image.iter().zip(0..).filter(|(a, b)| *a == b).count();
            image.sort_unstable();
            assert!(image.iter().copied().eq(0..n), "n = {n}");
            assert!(n < 100 || fixed < 20, "n = {n}: {fixed} numbers stayed in place");
        }
    }

    #[test]
    fn neighbouring_entities_draw_unlike_numbers() {
        let mean = (0..10_000)
            .map(|i| Draw::new(1, Stream::Trip, i).unit())
            .sum::<f64>()
            / 10_000.0;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
        assert_ne!(
            Draw::new(1, Stream::Trip, 5).bits(),
            Draw::new(1, Stream::Visit, 5).bits()
        );
        assert_ne!(
            Draw::new(1, Stream::Trip, 5).bits(),
            Draw::new(2, Stream::Trip, 5).bits()
        );
        let ones = (0..1_000_000)
            .filter(|i| Draw::new(3, Stream::Tax, *i).one_of_million(2_000))
            .count();
        assert!((1_800..2_200).contains(&ones), "{ones}");
    }
}
