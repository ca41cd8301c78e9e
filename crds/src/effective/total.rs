//! How long all retries of a delivery take.
//!
//! Invariant: without jitter, so that the same route always gets the same answer.

use std::time::Duration;

use super::Waits;

impl Waits {
    /// How many retries there are, and how long they take in all if every attempt fails at once; without jitter.
    pub fn total(&self) -> (u32, Duration) {
        match self {
            Self::Exponential {
                retries,
                initial,
                max,
                ..
            } => {
                let wait = |n: u32| initial.saturating_mul(2u32.saturating_pow(n)).min(*max);
                (*retries, (0..*retries).map(wait).sum())
            }
            Self::Schedule(waits) => (u32::try_from(waits.len()).unwrap_or(u32::MAX), waits.iter().sum()),
        }
    }
}
