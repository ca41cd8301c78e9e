//! How many test deliveries were sent lately.
//!
//! [`super::trial`] asks before it sends one. Invariant: of bounded size, and the time is an argument.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Millis;

/// Test deliveries in [`SPAN`].
pub(super) const MOST: usize = 10;
const SPAN: Duration = Duration::from_mins(1);

/// The test deliveries of the last minute.
#[derive(Default)]
pub(super) struct Trials(Mutex<VecDeque<Millis>>);

impl Trials {
    /// One more, or how long until there may be one.
    pub(super) fn take(&self, now: Millis) -> Result<(), Duration> {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while sent.front().is_some_and(|first| first.plus(SPAN) <= now) {
            sent.pop_front();
        }
        match sent.front() {
            Some(first) if sent.len() >= MOST => Err(first.plus(SPAN).since(now)),
            _ => {
                sent.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_allows_ten() {
        let trials = Trials::default();
        let start = Millis(1_800_000_000_000);
        for second in 0..10 {
            assert_eq!(trials.take(start.plus(Duration::from_secs(second))), Ok(()));
        }
        let later = start.plus(Duration::from_secs(20));
        assert_eq!(trials.take(later), Err(Duration::from_secs(40)));
        let later = start.plus(Duration::from_mins(1));
        assert_eq!(trials.take(later), Ok(()));
        assert_eq!(
            trials.take(later),
            Err(Duration::from_secs(1)),
            "the second one is kept"
        );
    }
}
