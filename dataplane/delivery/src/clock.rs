//! Wall time that never runs backwards while the process lives.
//!
//! Everything that stores or compares a time takes it from a [`Clock`]; nothing
//! else in this package reads one. Invariant: two readings of one clock are in order.

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

/// The wall clock as it stood when the process began, carried on by the monotonic clock:
/// a jump of the wall clock neither expires everything nor stalls a retry.
#[derive(Clone, Debug)]
pub struct Clock {
    wall: Millis,
    started: Instant,
}

impl Clock {
    /// Starts at the system's wall time, but not before `floor`, the highest
    /// time that an earlier life of this store wrote down.
    pub fn system(floor: Millis) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::at(Millis::default().plus(since_epoch).max(floor))
    }

    /// Starts at `wall`; what tests with a paused clock use.
    pub fn at(wall: Millis) -> Self {
        Self {
            wall,
            started: Instant::now(),
        }
    }

    /// The time now.
    pub fn now(&self) -> Millis {
        self.wall.plus(self.started.elapsed())
    }
}
