//! What happened in the last hour, minute by minute, in memory: an overview needs no Prometheus.
//!
//! The engine notes events where it moves their metrics, and [`super::Engine::last_hour`] reads them. Invariant: of constant
//! size however much happens, and the time is an argument.

mod times;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use self::times::Times;
use crate::clock::Millis;
use crate::store::Counts;

/// A minute.
const SPAN: u64 = 60_000;
/// How many are kept, the present one included.
const MINUTES: usize = 60;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A call was accepted.
    Accepted,
    /// An attempt failed, whatever follows.
    Failed,
    /// A delivery became a dead letter.
    Dead,
    /// A receiver has a result, so long after it was there.
    Delivered(Duration),
}

/// One minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// When it began, by the store's clock.
    pub start: Millis,
    /// Calls accepted.
    pub accepted: u64,
    /// Deliveries that reached their receivers.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Deliveries that became dead letters.
    pub dead: u64,
    /// Half of the deliveries took at most so long, from the result or its replay; rounded up by a tenth at most.
    pub median: Option<Duration>,
    /// Nineteen of twenty took at most so long; rounded in the same way.
    pub slow: Option<Duration>,
    /// How many jobs were in each state when they were counted last in that minute.
    pub counts: Option<Counts>,
}

#[derive(Default)]
pub(super) struct LastHour(Mutex<VecDeque<Tally>>);

#[derive(Default)]
struct Tally {
    minute: Minute,
    times: Times,
}

impl LastHour {
    pub(super) fn note(&self, event: Event, now: Millis) {
        self.at(now, |tally| match event {
            Event::Accepted => tally.minute.accepted += 1,
            Event::Failed => tally.minute.failed += 1,
            Event::Dead => tally.minute.dead += 1,
            Event::Delivered(took) => {
                tally.minute.delivered += 1;
                tally.times.add(took);
            }
        });
    }

    /// Notes how many jobs are in each state.
    pub(super) fn count(&self, counts: Counts, now: Millis) {
        self.at(now, |tally| tally.minute.counts = Some(counts));
    }

    /// The minutes from the first in which anything was noted to that of `now`, oldest first, the last hour at most. In
    /// those without a note nothing happened.
    pub(super) fn read(&self, now: Millis) -> Vec<Minute> {
        self.at(now, |_| {});
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut minutes: Vec<Minute> = Vec::with_capacity(MINUTES);
        for tally in &*tallies {
            while let Some(gap) = minutes.last().map(|last| last.start.0 + SPAN)
                && gap < tally.minute.start.0
            {
                minutes.push(Minute {
                    start: Millis(gap),
                    ..Minute::default()
                });
            }
            minutes.push(tally.read());
        }
        minutes
    }

    /// The minute of `now`; a time before the last one noted counts for that one. What is older than an hour is dropped.
    fn at(&self, now: Millis, note: impl FnOnce(&mut Tally)) {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = Millis(now.0 - now.0 % SPAN);
        if tallies.back().is_none_or(|last| last.minute.start < start) {
            tallies.push_back(Tally::of(start));
            let oldest = start.minus(Duration::from_millis(SPAN * (MINUTES as u64 - 1)));
            while tallies.front().is_some_and(|first| first.minute.start < oldest) {
                tallies.pop_front();
            }
        }
        if let Some(last) = tallies.back_mut() {
            note(last);
        }
    }
}

impl Tally {
    fn of(start: Millis) -> Self {
        let minute = Minute {
            start,
            ..Minute::default()
        };
        Self {
            minute,
            times: Times::default(),
        }
    }

    fn read(&self) -> Minute {
        Minute {
            median: self.times.within(50),
            slow: self.times.within(95),
            ..self.minute
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_800_000_000_000);

    fn later(minutes: u64) -> Millis {
        Millis(START.0 + minutes * SPAN)
    }

    #[test]
    fn events_count_for_their_minute_and_idle_minutes_are_zero() {
        let hour = LastHour::default();
        hour.note(Event::Accepted, START);
        hour.note(Event::Accepted, Millis(START.0 + SPAN - 1));
        hour.note(Event::Dead, later(3));
        let minutes = hour.read(later(5));
        let accepted: Vec<u64> = minutes.iter().map(|minute| minute.accepted).collect();
        assert_eq!(accepted, [2, 0, 0, 0, 0, 0]);
        assert_eq!((minutes[3].dead, minutes[4].start), (1, later(4)));
    }

    #[test]
    fn no_more_than_an_hour_is_kept_however_long_nothing_happens() {
        let hour = LastHour::default();
        for minute in 0..200 {
            hour.note(Event::Failed, later(minute));
        }
        let minutes = hour.read(later(199));
        assert_eq!((minutes.len(), minutes[0].start), (MINUTES, later(140)));
        let after_a_day = hour.read(later(1640));
        assert_eq!(after_a_day.len(), 1, "nothing of it is of the last hour");
        assert_eq!(after_a_day[0].failed, 0);
    }

    #[test]
    fn a_clock_that_is_behind_adds_no_minute() {
        let hour = LastHour::default();
        hour.note(Event::Accepted, later(2));
        hour.note(Event::Accepted, later(1));
        let minutes = hour.read(later(2));
        assert_eq!((minutes.len(), minutes[0].accepted), (1, 2));
    }

    #[test]
    fn a_minute_keeps_the_last_counts_and_the_times_of_its_deliveries() {
        let hour = LastHour::default();
        let counts = |due| Counts {
            due,
            ..Counts::default()
        };
        hour.count(counts(1), START);
        hour.count(counts(2), START);
        for _ in 0..19 {
            hour.note(Event::Delivered(Duration::from_millis(100)), START);
        }
        hour.note(Event::Delivered(Duration::from_mins(1)), START);
        let minute = hour.read(START)[0];
        assert_eq!((minute.counts, minute.delivered), (Some(counts(2)), 20));
        for took in [minute.median, minute.slow] {
            let took = took.unwrap().as_millis();
            assert!((100..=110).contains(&took), "{took}");
        }
    }
}
