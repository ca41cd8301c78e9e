//! Under which index rows a job is filed.
//!
//! Every store files a job under [`Job::rows`] and nothing else. Invariant: a function of the header alone.

use std::time::Duration;

use super::{Job, Key, Receiver};
use crate::clock::Millis;
use crate::state::{Exec, Push, State};

/// Whose turn is first among the deliveries that are due for one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// A delivery that was never replayed.
    Live,
    /// One that an administrator replayed: after all live ones, whatever the times.
    Replayed,
}

impl Rank {
    /// Both, first turn first.
    pub const ALL: [Self; 2] = [Self::Live, Self::Replayed];
}

/// The index rows a job is filed under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// `exec`: queued for this server, under this client.
    pub queued: Option<(Key, Key)>,
    /// `inflight`: running or sending; all that recovery reads.
    pub inflight: bool,
    /// `due`: for this receiver, in this rank, at this time.
    pub due: Option<(Receiver, Rank, Millis)>,
    /// `waiting`: undelivered after a first attempt, by the time from which its age counts.
    pub waiting: Option<Millis>,
    /// `dead`: a dead letter since then.
    pub dead: Option<Millis>,
    /// `dead_of`: a dead letter of this client, or a delivery that was stopped, since then and with a body that can be
    /// deleted.
    pub dead_of: Option<(Key, Millis)>,
    /// `settled`: over since then, or kept as if it were over only since then, and no dead letter, whose rows are kept longer and would be
    /// in the way of every sweep; garbage collection reads it.
    pub settled: Option<Millis>,
}

impl Job {
    /// Its rank among the deliveries that are due.
    pub fn rank(&self) -> Rank {
        if self.replays > 0 {
            Rank::Replayed
        } else {
            Rank::Live
        }
    }

    /// The time from which the delivery's age counts: the result's, or that of its replay.
    pub fn undelivered_since(&self) -> Option<Millis> {
        self.ended.map(|ended| self.replayed.unwrap_or(ended))
    }

    /// Until when it is kept at least, if it is over or if it were now: what ended well for `settled`, a dead letter for
    /// `dead`.
    pub fn kept_until(&self, now: Millis, settled: Duration, dead: Duration) -> Millis {
        let since = if self.state.is_settled() { self.turn } else { now };
        since.plus(match self.state.push {
            Push::Dead(_) => dead,
            _ => settled.saturating_add(self.kept_longer),
        })
    }

    /// The index rows this header is filed under.
    pub fn rows(&self) -> Rows {
        let State { exec, push } = self.state;
        let open = matches!(push, Push::Due | Push::Sending);
        Rows {
            queued: (exec == Exec::Queued).then_some((self.server, self.client)),
            inflight: self.state.is_in_flight(),
            due: self
                .receiver
                .filter(|_| push == Push::Due)
                .map(|receiver| (receiver, self.rank(), self.turn)),
            waiting: self
                .undelivered_since()
                .filter(|_| open && (self.attempts > 1 || push == Push::Due)),
            dead: matches!(push, Push::Dead(_)).then_some(self.turn),
            dead_of: (matches!(push, Push::Dead(_) | Push::Stopped) && self.size > 0)
                .then_some((self.client, self.turn)),
            settled: (self.state.is_settled() && !matches!(push, Push::Dead(_)))
                .then(|| self.turn.plus(self.kept_longer)),
        }
    }
}
