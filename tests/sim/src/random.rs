//! Chance that can be repeated: SplitMix64, one stream for each part of a run, so that a change in one part leaves the
//! draws of the others.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed and a part's name.
    pub fn new(seed: u64, part: &str) -> Self {
        let mut stream = Self(seed ^ 0x7465_7374_616d_7572);
        for byte in part.bytes() {
            stream.0 = stream.0.rotate_left(8) ^ u64::from(byte);
            stream.next();
        }
        stream
    }

    /// The next number.
    #[allow(clippy::should_implement_trait, reason = "a stream without an end is no iterator worth the name")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound; 0 below 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// A number from one to another, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True so often in 10,000.
    pub fn chance(&mut self, in_10_000: u64) -> bool {
        self.below(10_000) < in_10_000
    }

    /// One of some.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}
