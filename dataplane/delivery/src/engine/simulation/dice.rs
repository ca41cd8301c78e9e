//! Random numbers from a seed: what makes a world repeat exactly.
//!
//! `generate` draws a whole plan from [`Dice`]; while a world runs, small delays come from [`mix`], which depends
//! on what they are for and not on what was drawn before. Invariant: no number here comes from the machine.

use std::time::Duration;

/// A stream of random numbers (`SplitMix64`).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed, &[]))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).expect("less than a u32")
    }

    /// A small number below `end`.
    pub(super) fn small(&mut self, end: u8) -> u8 {
        u8::try_from(self.below(u32::from(end))).expect("less than a u8")
    }

    /// True once in `n` times.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// One of `choices`.
    pub(super) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        let count = u32::try_from(choices.len()).expect("a handful");
        choices[self.below(count) as usize].clone()
    }

    /// A time of at most `longest`, in whole milliseconds. Short ones are as likely as long ones.
    pub(super) fn time(&mut self, longest: Duration) -> Duration {
        let magnitudes = [Duration::from_millis(20), Duration::from_secs(2), longest];
        let end = self.pick(&magnitudes).min(longest).as_millis();
        Duration::from_millis(self.next() % u64::try_from(end + 1).expect("a few minutes"))
    }
}

/// A number that depends on the seed and on `place` alone.
pub(super) fn mix(seed: u64, place: &[u64]) -> u64 {
    place
        .iter()
        .fold(scramble(seed), |mixed, part| scramble(mixed ^ scramble(*part)))
}

fn scramble(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
