//! How soon a receiver may get its next attempt (`webhook.perReceiver.ratePerSecond`).
//!
//! Attempts are spread evenly; a tenth of a second's worth may go at once. Invariant: pure, two numbers of
//! state, and an attempt that did not happen costs nothing.

use crate::clock::Millis;

const MICROS: u64 = 1_000_000;
/// The burst that is allowed, as a time span.
const BURST: u64 = MICROS / 10;

/// The generic cell rate algorithm: when the next attempt would be if all were spread evenly.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    /// In microseconds since the epoch.
    even: u64,
}

impl Rate {
    /// When an attempt may begin.
    pub(super) fn free_at(self, per_second: Option<u32>) -> Millis {
        let Some(per_second) = per_second else {
            return Millis(0);
        };
        // As far before its even turn as the burst allows, of which its own interval is a part.
        let ahead = BURST.saturating_sub(interval(per_second));
        Millis(self.even.saturating_sub(ahead).div_ceil(1000))
    }

    /// An attempt begins.
    pub(super) fn take(&mut self, per_second: Option<u32>, now: Millis) {
        if let Some(per_second) = per_second {
            let now = now.0.saturating_mul(1000);
            self.even = self.even.max(now).saturating_add(interval(per_second));
        }
    }

    /// It did not happen after all.
    pub(super) fn refund(&mut self, per_second: Option<u32>) {
        if let Some(per_second) = per_second {
            self.even = self.even.saturating_sub(interval(per_second));
        }
    }
}

fn interval(per_second: u32) -> u64 {
    MICROS / u64::from(per_second.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many attempts may begin within ten seconds if there is always one to make.
    fn in_ten_seconds(per_second: u32) -> u64 {
        let (mut rate, mut count) = (Rate::default(), 0);
        let mut now = Millis(1_800_000_000_000);
        let end = Millis(now.0 + 10_000);
        while now < end {
            rate.take(Some(per_second), now);
            count += 1;
            now = now.max(rate.free_at(Some(per_second)));
        }
        count
    }

    #[test]
    fn attempts_keep_to_the_rate_but_for_one_burst() {
        for (per_second, least) in [(1, 10u64), (5, 50), (30, 300), (1000, 10_000), (5000, 50_000)] {
            let count = in_ten_seconds(per_second);
            let most = least + least.div_ceil(100) + 1;
            assert!((least..=most).contains(&count), "{per_second}/s: {count}");
        }
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut rate = Rate::default();
        rate.take(None, Millis(5));
        assert_eq!(rate.free_at(None), Millis(0));
    }

    #[test]
    fn what_is_given_back_was_never_taken() {
        let (mut rate, now) = (Rate::default(), Millis(1000));
        rate.take(Some(1), now);
        assert_eq!(rate.free_at(Some(1)), Millis(2000));
        rate.refund(Some(1));
        assert_eq!(rate.free_at(Some(1)), Millis(1000));
    }
}
