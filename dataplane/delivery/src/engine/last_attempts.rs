//! How the last attempt at each receiver went, for people.
//!
//! `attempt` notes it, [`super::known_receivers`] reads it. Invariant: of bounded size (the receiver whose last attempt is
//! the oldest is forgotten first), and nothing is decided by it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Millis;
use crate::history::Outcome;
use crate::job::{Call, Job, Receiver, Target};
use crate::sender::Attempt;
use crate::verdict::Verdict;

/// Receivers that are remembered.
const MOST: usize = 1024;

/// The last attempt at a receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct LastAttempt {
    /// Where it went.
    pub target: Target,
    /// When it ended, by the store's clock.
    pub at: Millis,
    /// The status of the answer; `None` if there was none.
    pub status: Option<u16>,
    /// What it means for the delivery.
    pub outcome: Outcome,
    /// What it says about the receiver.
    pub verdict: Verdict,
    /// When a delivery reached the receiver last.
    pub delivered: Option<Millis>,
}

#[derive(Default)]
pub(super) struct LastAttempts(Mutex<State>);

#[derive(Default)]
struct State {
    of: HashMap<Receiver, LastAttempt>,
    by_time: BTreeSet<(Millis, Receiver)>,
}

impl LastAttempts {
    pub(super) fn note(
        &self,
        (job, call): (&Job, &Call),
        (attempt, outcome): (&Attempt, Outcome),
        now: Millis,
    ) {
        let (Some(receiver), Some(target)) = (job.receiver, &call.target) else {
            return;
        };
        let target = Target {
            secret: None,
            ..target.clone()
        };
        let last = LastAttempt {
            target,
            at: now,
            status: attempt.status,
            outcome,
            verdict: attempt.verdict,
            delivered: (outcome == Outcome::Delivered).then_some(now),
        };
        self.state().note(receiver, last);
    }

    pub(super) fn of(&self, receiver: Receiver) -> Option<LastAttempt> {
        self.state().of.get(&receiver).cloned()
    }

    /// All of them, the newest first.
    pub(super) fn receivers(&self) -> Vec<Receiver> {
        let state = self.state();
        state
            .by_time
            .iter()
            .rev()
            .map(|(_, receiver)| *receiver)
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, receiver: Receiver, last: LastAttempt) {
        let before = self.of.remove(&receiver);
        let delivered = before.as_ref().and_then(|before| before.delivered);
        if let Some(before) = before {
            self.by_time.remove(&(before.at, receiver));
        }
        self.by_time.insert((last.at, receiver));
        let delivered = last.delivered.or(delivered);
        self.of.insert(receiver, LastAttempt { delivered, ..last });
        if self.of.len() > MOST
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.of.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::NamedBy;
    use crate::verdict::of_status;

    fn last(number: u64, status: u16) -> (Receiver, LastAttempt) {
        let target = Target {
            url: format!("https://r{number}.example/"),
            named_by: NamedBy::Call,
            secret: None,
        };
        let at = Millis(number);
        let is_delivered = status < 300;
        let last = LastAttempt {
            at,
            status: Some(status),
            outcome: if is_delivered {
                Outcome::Delivered
            } else {
                Outcome::Retry
            },
            verdict: of_status(http::StatusCode::from_u16(status).unwrap()),
            delivered: is_delivered.then_some(at),
            target,
        };
        (last.target.receiver(), last)
    }

    #[test]
    fn the_oldest_is_forgotten_first_and_a_newer_attempt_replaces_an_older_one() {
        let last_attempts = LastAttempts::default();
        let (first, of_first) = last(1, 200);
        last_attempts.state().note(first, of_first);
        for number in 2..=MOST as u64 {
            let (receiver, attempt) = last(number, 200);
            last_attempts.state().note(receiver, attempt);
        }
        let failed = LastAttempt {
            at: Millis(9999),
            ..last(1, 503).1
        };
        last_attempts.state().note(first, failed);
        let (newest, attempt) = last(10_000, 200);
        last_attempts.state().note(newest, attempt);
        let all = last_attempts.receivers();
        assert_eq!((all.len(), all[0], all[1]), (MOST, newest, first));
        let kept = last_attempts.of(first).unwrap();
        assert_eq!((kept.status, kept.delivered), (Some(503), Some(Millis(1))));
        assert_eq!(last_attempts.of(last(2, 200).0), None, "the oldest");
    }
}
