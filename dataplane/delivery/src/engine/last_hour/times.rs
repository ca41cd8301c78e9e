//! How long the deliveries of one minute took, in buckets whose limits grow by a tenth.
//!
//! Invariant: of constant size, and an answer is never below the truth and at most a tenth above it (one millisecond for
//! the shortest times).

use std::time::Duration;

/// From one bucket's limit to the next.
const GROWTH: f64 = 1.1;
/// The last limit is over eight days.
const BUCKETS: usize = 216;

#[derive(Clone)]
pub(super) struct Times {
    buckets: [u32; BUCKETS],
    count: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            buckets: [0; BUCKETS],
            count: 0,
        }
    }
}

impl Times {
    pub(super) fn add(&mut self, took: Duration) {
        let bucket = &mut self.buckets[bucket(took)];
        *bucket = bucket.saturating_add(1);
        self.count += 1;
    }

    /// The time within which so many percent of the deliveries were; `None` if there were none.
    pub(super) fn within(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        let last = self.buckets.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted && seen > 0
        })?;
        Some(limit(last))
    }
}

/// The first bucket with a limit that is not below.
fn bucket(took: Duration) -> usize {
    let limits = 0..BUCKETS - 1;
    let first = limits.into_iter().find(|bucket| limit(*bucket) >= took);
    first.unwrap_or(BUCKETS - 1)
}

/// Whole milliseconds, rounded up.
fn limit(bucket: usize) -> Duration {
    let power = i32::try_from(bucket).unwrap_or(i32::MAX);
    Duration::from_secs_f64((GROWTH.powi(power)).ceil() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_at_most_a_tenth_above_the_truth() {
        for millis in [1u64, 2, 7, 30, 999, 15_000, 86_400_000, 600_000_000] {
            let mut times = Times::default();
            times.add(Duration::from_millis(millis));
            let shown = times.within(50).unwrap().as_millis();
            let most = u128::from(millis) + u128::from(millis / 10) + 1;
            assert!((u128::from(millis)..=most).contains(&shown), "{millis}: {shown}");
        }
        assert_eq!(Times::default().within(95), None);
    }

    #[test]
    fn a_percentage_is_of_all_deliveries() {
        let mut times = Times::default();
        (1..=100).for_each(|millis| times.add(Duration::from_millis(millis)));
        let within = |percent| times.within(percent).unwrap().as_millis();
        assert!((50..=56).contains(&within(50)), "{}", within(50));
        assert!((95..=106).contains(&within(95)), "{}", within(95));
    }
}
