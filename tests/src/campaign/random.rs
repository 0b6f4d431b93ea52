//! Chance that can be repeated: SplitMix64 (Steele, Lea, Flood 2014), one stream for each try of a row.
//!
//! **Promises.** The same seed and try give the same numbers on every machine and in every build.
//!
//! **Absences.** No source of secrets: whoever knows the seed knows all.

use std::ops::Range;
use std::time::Duration;

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream of one try of a run with this seed: streams of different tries have nothing to do with one another.
    pub fn of(seed: u64, attempt: u64) -> Self {
        let mut tries = Self(seed ^ attempt.wrapping_mul(0xd1b5_4a32_d192_ed03));
        Self(tries.number())
    }

    /// The next number, each of 64 bits equally likely.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is nothing below 0");
        // The upper half of a product: the bias of a bound far below 2^64 is far below what any campaign can see.
        u64::try_from((u128::from(self.number()) * u128::from(bound)) >> 64).expect("below the bound")
    }

    /// A number of a range.
    ///
    /// # Panics
    /// When the range is empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    /// Whether something happens that does so in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of some things.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.index(things.len())]
    }

    /// A place in a list of `length`.
    ///
    /// # Panics
    /// When the list is empty.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a usize")
    }

    /// Puts things into another order, each order equally likely.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.index(last + 1));
        }
    }

    /// Fills bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.number().to_le_bytes()[..part.len()]);
        }
    }

    /// A time of a range, to the microsecond.
    ///
    /// # Panics
    /// When the range is empty.
    pub fn time(&mut self, range: Range<Duration>) -> Duration {
        let micros = |time: Duration| u64::try_from(time.as_micros()).expect("less than half a million years");
        Duration::from_micros(self.within(micros(range.start)..micros(range.end)))
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // First outputs of the authors' C program for the seed 1234567.
        let mut random = Random::new(1_234_567);
        let first: Vec<_> = (0..3).map(|_| random.number()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn streams_of_tries_differ_and_stay_within_their_bounds() {
        let mut seen = std::collections::BTreeSet::new();
        for attempt in 0..1_000 {
            let mut random = Random::of(7, attempt);
            assert_eq!(random.clone().number(), Random::of(7, attempt).number());
            assert!(seen.insert(random.number()));
            assert!((3..9).contains(&random.within(3..9)));
            let mut order = [0, 1, 2, 3, 4];
            random.shuffle(&mut order);
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2, 3, 4]);
        }
    }
}
