//! The store's clock, which never runs backwards, and how its times are shown as wall time.
//!
//! Everything that stores or compares a time takes it from a [`Clock`]; nothing else in this package reads the wall
//! clock. Invariant: two readings of one store's clock are in order, and no stored time leaves the process but through
//! [`Clock::shown`].

mod file;
mod offsets;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use self::offsets::Offsets;

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

    /// The time `before` earlier; zero if there is none.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(before.as_millis()).unwrap_or(u64::MAX)),
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

/// A wall clock that differs from what was noted by less than this was not set: two clocks are never read at once. What
/// is shown is that exact.
const TOLERANCE: u64 = 5_000;

/// What the wall clock reads.
pub type WallClock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// The store's clock: the wall time at some start, advanced by the monotonic clock, so that a jump of the wall clock
/// neither expires everything nor delays a retry. What differs from the wall clock since is remembered and applied when a
/// time is shown. The clock is not slewed towards the wall clock instead: for a gap of days that takes days, in which what
/// is shown is wrong, and what it gains or loses distorts ages.
#[derive(Clone)]
pub struct Clock {
    start: Millis,
    started: Instant,
    /// `None`: the clock is its own wall clock.
    wall: Option<WallClock>,
    skew: Arc<Skew>,
}

#[derive(Default)]
struct Skew {
    /// The last of the offsets, which every reading compares.
    ahead: AtomicI64,
    offsets: Mutex<Offsets>,
    file: Option<PathBuf>,
}

impl Clock {
    /// Follows the system's wall clock; see [`Clock::follow`].
    pub fn system(floor: Millis, unfinished: u64, dir: Option<&Path>) -> Self {
        Self::follow(Arc::new(system_time), floor, unfinished, dir)
    }

    /// Starts where an earlier process left, plus the time that passed on the wall clock: not before `floor`, the highest
    /// time in the store, and at `floor` if more than a week passed while there are `unfinished` jobs (pending ones and
    /// dead letters), which would expire by that. `dir` is where the offsets are kept.
    pub fn follow(wall: WallClock, floor: Millis, unfinished: u64, dir: Option<&Path>) -> Self {
        let skew = Skew::open(floor, dir);
        let (ahead, reached) = skew.offsets().last();
        let (reads, floor) = (wall(), floor.max(reached));
        let passed = Millis(reads.0.saturating_add_signed(ahead.saturating_neg()));
        let mut start = first(passed, floor, unfinished);
        if start != passed && floor > Millis::default() {
            // What was stored at `floor` itself is still shown as it was.
            start = start.plus(Duration::from_millis(1));
            let store = skew.shown(floor);
            tracing::error!(wall = %reads, %store, "the wall clock is behind the store's last time or far ahead of it: ages are counted from the store's last time");
        }
        let clock = Self {
            wall: Some(wall),
            skew: Arc::new(skew),
            ..Self::at(start)
        };
        clock.now(); // notes what differs
        clock
    }

    /// Starts at `wall`; what tests with a paused clock use.
    pub fn at(wall: Millis) -> Self {
        Self {
            start: wall,
            started: Instant::now(),
            wall: None,
            skew: Arc::default(),
        }
    }

    /// The time now: what is stored and what ages are counted by.
    pub fn now(&self) -> Millis {
        let now = self.start.plus(self.started.elapsed());
        if let Some(wall) = &self.wall {
            self.skew.compare(now, wall());
        }
        now
    }

    /// The wall time now, corrections included: only for times that others compare with their own clocks, never for what
    /// is stored.
    pub fn wall(&self) -> Millis {
        self.wall.as_ref().map_or_else(|| self.now(), |wall| wall())
    }

    /// A time of [`Clock::now`] as others are to see it: what the wall clock read then.
    pub fn shown(&self, at: Millis) -> Millis {
        self.skew.shown(at)
    }

    /// What is shown as `wall` or later is not before this. Where the wall clock was set back this and
    /// [`Clock::until`] may include more than that, never less.
    pub fn since(&self, wall: Millis) -> Millis {
        self.skew.offsets().since(wall)
    }

    /// What is shown as a time before `wall` is before this.
    pub fn until(&self, wall: Millis) -> Millis {
        self.skew.offsets().until(wall)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

impl Skew {
    /// A store without any time is a new one, whatever an earlier one has left.
    fn open(floor: Millis, dir: Option<&Path>) -> Self {
        let file = dir.map(|dir| dir.join(file::NAME));
        let kept = file.as_deref().filter(|_| floor > Millis::default());
        let offsets = kept.map(file::load).transpose().unwrap_or_else(|error| {
            tracing::warn!(%error, "failed to read clock.json: times of old jobs may be shown wrong");
            None
        });
        let offsets = offsets.unwrap_or_default();
        Self {
            ahead: AtomicI64::new(offsets.last().0),
            offsets: Mutex::new(offsets),
            file,
        }
    }

    fn compare(&self, now: Millis, wall: Millis) {
        let ahead = i64::try_from(i128::from(wall.0) - i128::from(now.0)).unwrap_or(0);
        if ahead.abs_diff(self.ahead.load(Ordering::Relaxed)) > TOLERANCE {
            self.note(now, ahead);
        }
    }

    /// Nothing waits for the file but the reading that found the difference, and that is rare.
    fn note(&self, now: Millis, ahead: i64) {
        let mut offsets = self.offsets();
        offsets.push(now, ahead);
        self.ahead.store(ahead, Ordering::Relaxed);
        let saved = self.file.as_deref().map(|file| file::save(file, &offsets));
        if let Some(Err(error)) = saved {
            tracing::warn!(%error, "failed to write clock.json: after a restart, times of old jobs may be shown wrong");
        }
    }

    fn shown(&self, at: Millis) -> Millis {
        self.offsets().shown(at)
    }

    /// No holder panics half way; what it guards is whole.
    fn offsets(&self) -> MutexGuard<'_, Offsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
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
