//! The rules of an election by Lease, as a state machine. Called by `leader::Leader` only.
//!
//! Like client-go it never compares another machine's clock with its own: a lease is stale when *this*
//! process has seen it unchanged for the lease's duration.
//!
//! Invariant: reads no clock; does no I/O. A leader that could not renew for `renew_deadline` stops leading before
//! any other replica may take over (`renew_deadline` < `lease`).

use super::Standing;
use std::time::Duration;
use tokio::time::Instant;

/// The timing of an election.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// How long a lease is valid after its last observed change.
    pub(crate) lease: Duration,
    /// How long a leader may go without renewing.
    pub(crate) renew_deadline: Duration,
    /// Time between two attempts to acquire or renew the lease.
    pub(crate) retry: Duration,
    /// How long a candidate waits after it took the lease from another holder or from nobody.
    pub(crate) settle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
            settle: Duration::ZERO,
        }
    }
}

/// The fields of a Lease that the rules use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Who holds it; empty if it was released.
    pub(crate) holder: String,
    /// How often its holder changed.
    pub(crate) transitions: i32,
    /// The renewal stamp, opaque here: only a change of it counts.
    pub(crate) renewed: String,
    /// How long the lease stays valid without a renewal, as its holder wrote.
    pub(crate) duration: Duration,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write the lease with us as its holder and this count of transitions.
    Hold {
        /// The count to write.
        transitions: i32,
    },
    /// Another replica leads: check again later.
    StandBy,
}

/// One replica's view of the election.
#[derive(Debug)]
pub(crate) struct Election {
    me: String,
    timing: Timing,
    seen: Option<(Record, Instant)>,
    renewed: Option<Instant>,
    /// When this replica may act on what it holds.
    settled: Option<Instant>,
}

impl Election {
    /// A replica that has not read the lease yet.
    pub(crate) fn new(me: String, timing: Timing) -> Self {
        Self {
            me,
            timing,
            seen: None,
            renewed: None,
            settled: None,
        }
    }

    /// This replica leads: it renewed recently enough.
    pub(crate) fn leads(&self, now: Instant) -> bool {
        let settled = self.settled.is_some_and(|settled| now >= settled);
        settled && self.deadline().is_some_and(|deadline| now < deadline)
    }

    /// Where this replica stands.
    pub(crate) fn standing(&self, now: Instant) -> Standing {
        let holder = self.seen.as_ref().map(|(record, _)| &record.holder);
        match holder.filter(|holder| !holder.is_empty() && **holder != self.me) {
            _ if self.leads(now) => Standing::Leads,
            Some(holder) => Standing::StandsBy(holder.clone()),
            None => Standing::Unknown,
        }
    }

    /// This replica led and has run out of time to renew: it must stop acting at once.
    pub(crate) fn lost(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }

    /// When the leadership ends unless renewed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.renewed.map(|renewed| renewed + self.timing.renew_deadline)
    }

    /// Takes the lease as the API server has it and returns what to do.
    pub(crate) fn step(&mut self, lease: Option<Record>, now: Instant) -> Step {
        let Some(lease) = lease else {
            return Step::Hold { transitions: 0 };
        };
        let unchanged_since = self.observe(&lease, now);
        if lease.holder == self.me {
            return Step::Hold {
                transitions: lease.transitions,
            };
        }
        let stale = lease.holder.is_empty() || now >= unchanged_since + lease.duration;
        if !stale {
            return Step::StandBy;
        }
        Step::Hold {
            transitions: lease.transitions.saturating_add(1),
        }
    }

    /// Our write was accepted; `sent_at` is when it was sent, since the lease may have started at that moment.
    pub(crate) fn held(&mut self, sent_at: Instant) {
        let was_mine = self.seen.as_ref().is_some_and(|(seen, _)| seen.holder == self.me);
        let wait = if was_mine {
            Duration::ZERO
        } else {
            self.timing.settle
        };
        self.settled.get_or_insert(sent_at + wait);
        self.renewed = Some(sent_at);
    }

    /// Another replica holds the lease although this one led.
    pub(crate) fn is_taken_over(&self, step: &Step) -> bool {
        self.renewed.is_some() && *step == Step::StandBy
    }

    fn observe(&mut self, lease: &Record, now: Instant) -> Instant {
        match &self.seen {
            Some((seen, since)) if seen == lease => *since,
            _ => {
                self.seen = Some((lease.clone(), now));
                now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(holder: &str, renewed: &str) -> Record {
        Record {
            holder: holder.to_owned(),
            transitions: 3,
            renewed: renewed.to_owned(),
            duration: Duration::from_secs(15),
        }
    }

    fn election() -> Election {
        Election::new("me".to_owned(), Timing::default())
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn an_absent_lease_is_taken() {
        assert_eq!(
            election().step(None, Instant::now()),
            Step::Hold { transitions: 0 }
        );
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let step = election().step(Some(record("", "t0")), Instant::now());
        assert_eq!(step, Step::Hold { transitions: 4 });
    }

    #[test]
    fn a_lease_is_taken_only_after_it_was_seen_unchanged_for_its_duration() {
        let (mut election, start) = (election(), Instant::now());
        for (second, stamp, expect) in [
            (0, "t0", Step::StandBy),
            (14, "t0", Step::StandBy),
            (14, "t1", Step::StandBy),
            (28, "t1", Step::StandBy),
            (29, "t1", Step::Hold { transitions: 4 }),
        ] {
            let step = election.step(Some(record("other", stamp)), start + seconds(second));
            assert_eq!(step, expect, "at {second} s, stamp {stamp}");
        }
    }

    #[test]
    fn a_leader_that_cannot_renew_has_lost_before_anyone_may_take_over() {
        let (mut election, start) = (election(), Instant::now());
        assert!(!election.lost(start) && !election.leads(start));
        election.held(start);
        assert!(election.leads(start + seconds(9)) && !election.lost(start + seconds(9)));
        assert!(election.lost(start + seconds(10)) && !election.leads(start + seconds(10)));
        let timing = election.timing;
        assert!(timing.renew_deadline < timing.lease && timing.retry < timing.renew_deadline);
    }

    #[test]
    fn a_lease_that_was_somebody_elses_is_not_acted_on_at_once() {
        let (mut election, start) = (election(), Instant::now());
        election.timing.settle = seconds(5);
        election.step(Some(record("", "t0")), start);
        election.held(start);
        assert!(!election.leads(start + seconds(4)) && election.leads(start + seconds(5)));
        assert!(!election.lost(start + seconds(4)));
        let mut successor = Election::new("me".to_owned(), election.timing);
        successor.step(Some(record("me", "t1")), start);
        successor.held(start);
        assert!(successor.leads(start), "it was this installation's before");
    }

    #[test]
    fn a_leader_keeps_the_count_of_transitions_and_knows_when_another_replica_took_over() {
        let (mut election, start) = (election(), Instant::now());
        election.held(start);
        let step = election.step(Some(record("me", "t1")), start);
        assert_eq!(step, Step::Hold { transitions: 3 });
        let step = election.step(Some(record("other", "t2")), start);
        assert!(election.is_taken_over(&step));
    }
}
