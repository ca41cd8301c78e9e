//! Wall time that never runs backwards while the process lives.
//!
//! Everything that stores or compares a time takes it from a [`Clock`]; nothing else in this package reads the wall
//! clock. Invariant: two readings of one clock are in order.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// The time `after` later; saturates.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds, as `webhook-timestamp` wants them.
    pub fn as_secs(self) -> u64 {
        self.0 / 1000
    }
}

impl fmt::Display for Millis {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(i64::try_from(self.0).unwrap_or(i64::MAX)) {
            Ok(at) => write!(f, "{at}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// A wall clock that is further ahead of the store than this, while the store has unfinished jobs, is not trusted: a
/// machine that was off for that long is rarer than one whose clock is wrong.
const LEAP: Duration = Duration::from_hours(7 * 24);

/// The wall time at the process's start, advanced by the monotonic clock: a jump of the wall clock neither expires
/// everything nor delays a retry.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Millis,
    started: Instant,
    /// Whether [`Clock::wall`] reads the system's clock.
    is_system: bool,
}

impl Clock {
    /// Starts at the system's wall time, but not before `floor`, the highest time in the store; and at `floor` if the
    /// wall clock is more than a week ahead of it while there are `unfinished` jobs (pending ones and dead letters), which
    /// would expire by that.
    pub fn system(floor: Millis, unfinished: u64) -> Self {
        let wall = system_time();
        let start = first(wall, floor, unfinished);
        if start != wall && floor > Millis::default() {
            tracing::error!(%wall, store = %floor, "the wall clock is behind the store's last time or far ahead of it: ages are counted from the store's last time");
        }
        Self {
            is_system: true,
            ..Self::at(start)
        }
    }

    /// Starts at `wall`; what tests with a paused clock use.
    pub fn at(wall: Millis) -> Self {
        Self {
            start: wall,
            started: Instant::now(),
            is_system: false,
        }
    }

    /// The time now: what is stored and what ages are counted by.
    pub fn now(&self) -> Millis {
        self.start.plus(self.started.elapsed())
    }

    /// The wall time now, corrections included: only for times that others compare with their own clocks, never for what
    /// is stored.
    pub fn wall(&self) -> Millis {
        if self.is_system { system_time() } else { self.now() }
    }
}

fn system_time() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    Millis::default().plus(since_epoch.unwrap_or_default())
}

/// Where a clock starts.
pub(crate) fn first(wall: Millis, floor: Millis, unfinished: u64) -> Millis {
    let leaps = wall > floor.plus(LEAP) && unfinished > 0;
    if wall < floor || leaps { floor } else { wall }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;
    const NOW: Millis = Millis(20_000 * DAY);

    #[test]
    fn a_wall_clock_behind_the_store_starts_at_the_stores_time() {
        assert_eq!(first(Millis(0), NOW, 5), NOW);
        assert_eq!(first(Millis(NOW.0 - 1), NOW, 0), NOW);
    }

    #[test]
    fn a_wall_clock_years_ahead_does_not_age_what_is_unfinished() {
        let ahead = |days: u64| Millis(NOW.0 + days * DAY);
        assert_eq!(first(ahead(3650), NOW, 1), NOW);
        assert_eq!(first(ahead(8), NOW, 1), NOW);
        assert_eq!(first(ahead(6), NOW, 1), ahead(6), "it was off for some days");
        assert_eq!(
            first(ahead(3650), NOW, 0),
            ahead(3650),
            "there is nothing to lose"
        );
        assert_eq!(first(NOW, Millis(0), 0), NOW, "a new store has no time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_running_clock_follows_the_monotonic_one_alone() {
        let clock = Clock::system(Millis(NOW.0 * 9), 1);
        let before = clock.now();
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), before.plus(Duration::from_secs(90)));
        assert!(clock.wall() < before, "others are told the wall clock's time");
    }
}
