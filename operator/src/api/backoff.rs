//! How long a watch waits after a failure. Used by `controller::watches`.
//!
//! kube's default grows to half a minute: a definition that was deleted and comes back was noticed 70 s later.
//!
//! Invariant: a failed watch is tried again within [`LONGEST`], and not more than twice a second.

use kube::runtime::utils::Backoff;
use std::time::Duration;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
pub(crate) const LONGEST: Duration = Duration::from_secs(5);
/// A watch that has worked for this long starts again with the first wait. A list begins with a success even if the
/// API server then refuses it.
const CALM: Duration = Duration::from_secs(10);

/// Doubles from [`FIRST`] to [`LONGEST`], with jitter.
#[derive(Debug)]
pub(crate) struct Soon {
    failures: u32,
    last: Instant,
}

impl Default for Soon {
    fn default() -> Self {
        Self {
            failures: 0,
            last: Instant::now(),
        }
    }
}

impl Iterator for Soon {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = FIRST.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.last = Instant::now();
        Some(
            wait.clamp(FIRST, LONGEST)
                .mul_f64(rand::random_range(0.75..=1.0))
                .max(FIRST),
        )
    }
}

impl Backoff for Soon {
    fn reset(&mut self) {
        if self.last.elapsed() > CALM {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_to_five_seconds_and_start_over_after_a_calm_while() {
        let mut backoff = Soon::default();
        let waits: Vec<Duration> = backoff.by_ref().take(40).collect();
        assert_eq!(waits[0], FIRST);
        assert!(
            waits.iter().all(|wait| (FIRST..=LONGEST).contains(wait)),
            "{waits:?}"
        );
        assert!(waits[39] > Duration::from_secs(3));
        backoff.reset();
        assert!(backoff.next() > Some(Duration::from_secs(3)));
        tokio::time::advance(CALM + FIRST).await;
        backoff.reset();
        assert_eq!(backoff.next(), Some(FIRST));
    }
}
