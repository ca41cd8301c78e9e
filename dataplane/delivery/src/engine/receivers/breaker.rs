//! The circuit breaker of one receiver: after enough failures it gets no attempts for a while, then one at a time, two,
//! four and eight before the limit is lifted.
//!
//! [`super::ReceiverState`] asks it for capacity and reports every attempt. Where several clients use a receiver, the
//! failures of one of them do not open it, and the first attempts after a pause are of others. Invariant: pure, of constant size, and an
//! attempt that began before the last change of state is ignored.

use std::time::Duration;

use crate::clock::Millis;
use crate::job::Key;

/// Samples older than this are forgotten, a bucket at a time.
const WINDOW: Duration = Duration::from_mins(5);
const BUCKET: Duration = Duration::from_secs(30);
const BUCKETS: usize = 10;
/// Fewer samples are ignored.
const LEAST_SAMPLES: u32 = 10;
/// The share of samples that must have failed, in percent.
const FAILING_PERCENT: u32 = 70;
/// How long a receiver gets no attempts the first time, and at most.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Attempts at once in the last step before the limit is lifted.
const LAST_STEP: usize = 8;

/// The circuit breaker of a receiver, as people see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BreakerState {
    /// Attempts are made.
    #[default]
    Closed,
    /// No attempts until then; a few after it.
    Open {
        /// When the next attempt may begin.
        until: Millis,
    },
    /// A few attempts at once show whether it works again.
    HalfOpen,
}

/// What an attempt said about its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Sample {
    /// It answered, if only to refuse this one delivery for good.
    Well,
    /// It could not be reached, or asked for another attempt.
    Ill,
}

/// What an attempt changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum BreakerChange {
    /// It opened: no attempts for so long.
    Opened(Duration),
    /// It is closed again.
    Closed,
}

/// Counts the changes of state; an attempt carries the one that it began in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Term(u32);

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Which span of [`BUCKET`] since the epoch.
    number: u64,
    well: u32,
    ill: u32,
    /// Whose attempts were made.
    clients: Clients,
    /// Whose attempts failed.
    failing: Clients,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// No attempts until `until`.
    Open { until: Millis },
    /// `step` attempts at once; `well` of them ended well.
    HalfOpen { step: usize, well: usize },
}

/// Whose samples there are: of nobody, of one client, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Clients {
    first: Option<Key>,
    several: bool,
}

impl Clients {
    fn of(parts: impl Iterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            if let Some(client) = part.first {
                all.add(client);
            }
            all.several |= part.several;
        }
        all
    }

    fn add(&mut self, client: Key) {
        self.several |= self.first.is_some_and(|first| first != client);
        self.first.get_or_insert(client);
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Breaker {
    state: State,
    term: Term,
    /// The only client whose attempts failed, since it opened.
    blamed: Option<Key>,
    /// How often it opened in a row without closing in between.
    openings: u32,
    /// When the last attempt was reported.
    touched: Millis,
    buckets: [Bucket; BUCKETS],
}

impl Breaker {
    pub(super) fn term(&self) -> Term {
        self.term
    }

    /// Whether it limits the receiver.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// When an attempt may begin again, where it has to wait.
    pub(super) fn until(&self) -> Option<Millis> {
        match self.state {
            State::Open { until } => Some(until),
            _ => None,
        }
    }

    /// How many attempts may be in progress, if nothing else limits them.
    pub(super) fn room(&self) -> usize {
        match self.state {
            State::Closed => usize::MAX,
            State::Open { .. } => 1, // from `until` on
            State::HalfOpen { step, .. } => step,
        }
    }

    /// The only client whose attempts failed, while it tries the receiver again: others come first.
    pub(super) fn comes_last(&self) -> Option<Key> {
        self.blamed.filter(|_| self.is_open())
    }

    /// An attempt begins at `now`.
    pub(super) fn begin(&mut self, now: Millis) {
        self.touched = now;
        if let State::Open { until } = self.state
            && until <= now
        {
            self.become_state(State::HalfOpen { step: 1, well: 0 });
        }
    }

    /// An attempt that began in `term` ended. Returns how the breaker changed by it.
    pub(super) fn end(
        &mut self,
        term: Term,
        (client, sample): (Key, Sample),
        now: Millis,
    ) -> Option<BreakerChange> {
        let before = self.state;
        self.touched = now;
        if term == self.term {
            match (self.state, sample) {
                (State::Closed, _) => self.sample((client, sample), now),
                (State::HalfOpen { .. }, Sample::Ill) => {
                    self.blamed = self.blamed.filter(|blamed| *blamed == client);
                    self.open(now);
                }
                (State::HalfOpen { step, well }, Sample::Well) => self.progress(step, well + 1),
                (State::Open { .. }, _) => {}
            }
        }
        match (before, self.state) {
            (State::Closed | State::HalfOpen { .. }, State::Open { until }) => {
                Some(BreakerChange::Opened(until.since(now)))
            }
            (State::HalfOpen { .. }, State::Closed) => Some(BreakerChange::Closed),
            _ => None,
        }
    }

    /// Whether nothing of it is worth remembering.
    pub(super) fn is_forgettable(&self, now: Millis) -> bool {
        let well = !self.is_open() && self.recent(now).all(|bucket| bucket.ill == 0);
        well || self.touched.plus(WINDOW) < now
    }

    fn sample(&mut self, (client, sample): (Key, Sample), now: Millis) {
        let number = bucket_number(now);
        let place = usize::try_from(number % BUCKETS as u64).expect("less than the number of buckets");
        let bucket = &mut self.buckets[place];
        if bucket.number != number {
            *bucket = Bucket {
                number,
                ..Bucket::default()
            };
        }
        bucket.clients.add(client);
        match sample {
            Sample::Well => bucket.well += 1,
            Sample::Ill => {
                bucket.ill += 1;
                bucket.failing.add(client);
            }
        }
        let ill: u32 = self.recent(now).map(|bucket| bucket.ill).sum();
        let all: u32 = self.recent(now).map(|bucket| bucket.ill + bucket.well).sum();
        let clients = Clients::of(self.recent(now).map(|bucket| bucket.clients));
        let failing = Clients::of(self.recent(now).map(|bucket| bucket.failing));
        let is_of_one_of_several = clients.several && !failing.several;
        if all >= LEAST_SAMPLES && ill * 100 >= all * FAILING_PERCENT && !is_of_one_of_several {
            self.blamed = failing.first.filter(|_| !failing.several);
            self.open(now);
        }
    }

    fn recent(&self, now: Millis) -> impl Iterator<Item = &Bucket> {
        let oldest = bucket_number(now).saturating_sub(BUCKETS as u64 - 1);
        self.buckets.iter().filter(move |bucket| bucket.number >= oldest)
    }

    fn open(&mut self, now: Millis) {
        let wait = FIRST_WAIT.saturating_mul(2u32.saturating_pow(self.openings));
        self.openings = self.openings.saturating_add(1);
        self.become_state(State::Open {
            until: now.plus(wait.min(LONGEST_WAIT)),
        });
    }

    /// A step is over when as many attempts as it allows have succeeded.
    fn progress(&mut self, step: usize, well: usize) {
        if well < step {
            self.state = State::HalfOpen { step, well };
        } else if step < LAST_STEP {
            self.state = State::HalfOpen {
                step: step * 2,
                well: 0,
            };
        } else {
            self.openings = 0;
            self.buckets = [Bucket::default(); BUCKETS];
            self.blamed = None;
            self.become_state(State::Closed);
        }
    }

    fn become_state(&mut self, state: State) {
        self.state = state;
        self.term = Term(self.term.0.wrapping_add(1));
    }
}

fn bucket_number(now: Millis) -> u64 {
    now.as_secs() / BUCKET.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_800_000_000_000);
    const CLIENT: Key = Key([1; 8]);
    const OTHER: Key = Key([2; 8]);

    fn after(seconds: u64) -> Millis {
        START.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn one_client_of_several_opens_nothing_and_comes_last() {
        let mut breaker = Breaker::default();
        breaker.end(breaker.term(), (OTHER, Sample::Well), START);
        feed(&mut breaker, Sample::Ill, 50, START);
        assert!(!breaker.is_open(), "it answers others");
        breaker.end(breaker.term(), (OTHER, Sample::Ill), START);
        assert!(breaker.is_open() && breaker.comes_last().is_none());

        let mut later = Breaker::default();
        later.end(later.term(), (OTHER, Sample::Ill), START);
        later.end(later.term(), (OTHER, Sample::Well), after(400));
        feed(&mut later, Sample::Ill, 50, after(400));
        assert!(
            !later.is_open(),
            "a failure of another client counts for five minutes"
        );

        let mut alone = Breaker::default();
        feed(&mut alone, Sample::Ill, 10, START);
        assert!(alone.is_open(), "nobody else says otherwise");
        assert_eq!(alone.comes_last(), Some(CLIENT));
    }

    fn feed(breaker: &mut Breaker, sample: Sample, times: u32, now: Millis) {
        for _ in 0..times {
            breaker.end(breaker.term(), (CLIENT, sample), now);
        }
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        feed(&mut breaker, Sample::Ill, 10, START);
        assert_eq!(breaker.until(), Some(after(30)));
        breaker
    }

    #[test]
    fn ten_samples_of_which_seven_failed_open_it() {
        let mut breaker = Breaker::default();
        feed(&mut breaker, Sample::Well, 3, START);
        feed(&mut breaker, Sample::Ill, 6, START);
        assert!(!breaker.is_open(), "nine samples");
        feed(&mut breaker, Sample::Ill, 1, START);
        assert!(breaker.is_open());
        assert_eq!(breaker.until(), Some(after(30)));

        let mut healthy = Breaker::default();
        feed(&mut healthy, Sample::Well, 31, START);
        feed(&mut healthy, Sample::Ill, 69, START);
        assert!(!healthy.is_open(), "69 of 100");
    }

    #[test]
    fn what_is_older_than_five_minutes_counts_no_more() {
        let mut breaker = Breaker::default();
        feed(&mut breaker, Sample::Ill, 9, START);
        assert!(!breaker.is_forgettable(after(200)));
        feed(&mut breaker, Sample::Ill, 9, after(300));
        assert!(!breaker.is_open());
        assert!(breaker.is_forgettable(after(700)));
        feed(&mut breaker, Sample::Ill, 1, after(330));
        assert!(breaker.is_open());
    }

    #[test]
    fn it_is_tried_with_one_attempt_then_two_four_and_eight() {
        let mut breaker = opened();
        breaker.begin(after(30));
        for step in [1, 2, 4, 8] {
            assert_eq!((breaker.room(), breaker.is_open()), (step, true));
            feed(
                &mut breaker,
                Sample::Well,
                u32::try_from(step).unwrap(),
                after(31),
            );
        }
        assert_eq!((breaker.room(), breaker.is_open()), (usize::MAX, false));
        feed(&mut breaker, Sample::Ill, 9, after(32));
        assert!(!breaker.is_open(), "it began anew");
    }

    #[test]
    fn a_failed_trial_doubles_the_wait_up_to_five_minutes() {
        let mut breaker = opened();
        let mut now = after(30);
        for wait in [60, 120, 240, 300, 300] {
            breaker.begin(now);
            feed(&mut breaker, Sample::Ill, 1, now);
            now = now.plus(Duration::from_secs(wait));
            assert_eq!(breaker.until(), Some(now));
        }
    }

    #[test]
    fn an_attempt_from_before_the_opening_decides_nothing() {
        let mut breaker = Breaker::default();
        let before = breaker.term();
        feed(&mut breaker, Sample::Ill, 10, START);
        breaker.begin(after(30));
        assert_eq!(breaker.end(before, (CLIENT, Sample::Ill), after(30)), None);
        assert_eq!(breaker.room(), 1);
        assert_eq!(breaker.end(before, (CLIENT, Sample::Well), after(30)), None);
        assert_eq!(breaker.room(), 1);
    }
}
