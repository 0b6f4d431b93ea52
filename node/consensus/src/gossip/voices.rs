//! Whether one key speaks with two voices: each process greets with a number that it drew at its start.
//!
//! A restart changes the number once. Two processes with one key, on two machines by mistake or by theft, are both heard,
//! in turns. Each has a guard of its own that knows nothing of the other's, so sooner or later they sign two things for
//! one slot (the guard's documentation names the case it cannot see): the others see it here, within a second or two, and
//! say so before that happens.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// Changes back to a number heard before, after which two processes are sure. What a dead process had sent may still be
/// read after the first greeting of the next: that is a change or two, and ends.
const RETURNS: u32 = 4;
/// Numbers remembered of one key; who restarts more often between two losses of all connections is told apart no more.
const NUMBERS_MAX: usize = 16;

/// A number for this process: not secret, and not the same twice in practice.
pub(super) fn own() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What was heard of one key.
#[derive(Debug, Default)]
pub(super) struct Voices {
    heard: HashSet<u64>,
    last: Option<u64>,
    returns: u32,
}

impl Voices {
    /// A process with this number spoke. Whether this shows two processes with one key; then it begins to count anew.
    pub(super) fn hear(&mut self, process: u64) -> bool {
        if self.last.replace(process) == Some(process) {
            return false;
        }
        if self.heard.len() >= NUMBERS_MAX {
            self.heard.clear();
        }
        if self.heard.insert(process) {
            return false;
        }
        self.returns += 1;
        let two = self.returns >= RETURNS;
        if two {
            self.returns = 0;
        }
        two
    }

    /// All connections are gone: who comes next may be a new process.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_one_voice_and_two_processes_are_two() {
        let mut voices = Voices::default();
        assert!((1..1_000).all(|process| !voices.hear(process)), "a process that restarts again and again");
        let mut voices = Voices::default();
        assert!(![1, 1, 1, 2, 1, 2, 2, 2, 2].into_iter().any(|process| voices.hear(process)), "a late message");
        let mut voices = Voices::default();
        let told: Vec<_> = (0..40).filter(|turn| voices.hear(7 + turn % 2)).collect();
        assert!(told[0] <= 6 && told.len() > 5, "two processes in turns: {told:?}");
        let mut voices = Voices::default();
        for process in 0..100 {
            assert!(!voices.hear(process) && !voices.hear(process + 1) && !voices.hear(process));
            voices.forget();
        }
        assert_ne!(own(), own());
    }
}
