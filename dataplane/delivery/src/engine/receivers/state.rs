//! What is remembered about one receiver.
//!
//! Invariant: of constant size, however many deliveries wait for it.

use super::breaker::{Breaker, Sample, Term};
use super::rate::Rate;
use crate::clock::Millis;
use crate::job::Rank;
use crate::policy::PerReceiver;

/// Replayed deliveries may use one in this many of a receiver's in-flight limit.
const REPLAYS_SHARE: usize = 4;

/// What is remembered about one receiver.
#[derive(Default)]
pub(super) struct ReceiverState {
    /// When its earliest live delivery is due.
    pub(super) next: Option<Millis>,
    /// When its earliest replayed delivery is due.
    pub(super) replayed: Option<Millis>,
    /// Attempts in progress.
    pub(super) in_flight: usize,
    /// Those of them that are of replayed deliveries.
    pub(super) replaying: usize,
    /// It asked for no attempts until then.
    pub(super) blocked_until: Option<Millis>,
    /// Faults of ours in a row.
    pub(super) faults: u32,
    rate: Rate,
    breaker: Breaker,
}

impl ReceiverState {
    /// When an attempt may begin; `None` while there is nothing to send or no capacity.
    pub(super) fn turn(&self, limits: &PerReceiver) -> Option<Millis> {
        let live = self.next.filter(|_| self.has_room(limits));
        let replayed = self.replayed.filter(|_| self.room_for_replays(limits) > 0);
        let next = live.into_iter().chain(replayed).min()?;
        Some(next.max(self.free_at(limits)))
    }

    /// How many replayed deliveries may begin now: at most a quarter of the in-flight limit, so that they never block
    /// live ones.
    pub(super) fn replays(&self, now: Millis, limits: &PerReceiver) -> usize {
        let due = self.replayed.is_some_and(|at| at <= now);
        if due { self.room_for_replays(limits) } else { 0 }
    }

    fn room_for_replays(&self, limits: &PerReceiver) -> usize {
        let share = (limits.max_in_flight / REPLAYS_SHARE).max(1);
        let room = share.saturating_sub(self.replaying);
        if self.has_room(limits) { room } else { 0 }
    }

    pub(super) fn is_ready(&self, now: Millis, limits: &PerReceiver) -> bool {
        self.turn(limits).is_some_and(|turn| turn <= now)
    }

    /// Whether an attempt may begin now, whatever is due.
    pub(super) fn is_free(&self, now: Millis, limits: &PerReceiver) -> bool {
        self.has_room(limits) && self.free_at(limits) <= now
    }

    /// Whether nothing of it is worth remembering.
    pub(super) fn is_idle(&self, now: Millis, limits: &PerReceiver) -> bool {
        let nothing_to_do = self.next.is_none() && self.replayed.is_none() && self.in_flight == 0;
        nothing_to_do && self.free_at(limits) <= now && self.breaker.is_forgettable(now)
    }

    pub(super) fn is_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whether the breaker lets nothing through.
    pub(super) fn is_shut(&self) -> bool {
        self.breaker.until().is_some()
    }

    /// An attempt is about to begin.
    pub(super) fn take(&mut self, now: Millis, limits: &PerReceiver) -> Term {
        self.in_flight += 1;
        self.rate.take(limits.rate, now);
        if limits.breaker {
            self.breaker.begin(now);
        }
        self.breaker.term()
    }

    /// An attempt is over, or never began.
    pub(super) fn release(&mut self, begun: Option<Rank>, limits: &PerReceiver) {
        self.in_flight -= 1;
        match begun {
            None => self.rate.refund(limits.rate),
            Some(Rank::Live) => {}
            Some(Rank::Replayed) => self.replaying -= 1,
        }
    }

    /// Records how an attempt went; returns whether the breaker opened or closed by it.
    pub(super) fn sample(&mut self, term: Term, sample: Sample, now: Millis) -> bool {
        self.breaker.end(term, sample, now)
    }

    /// Forgets the breaker's state: it was switched off.
    pub(super) fn close(&mut self) {
        self.breaker = Breaker::default();
    }

    fn has_room(&self, limits: &PerReceiver) -> bool {
        let room = if limits.breaker {
            self.breaker.room()
        } else {
            usize::MAX
        };
        self.in_flight < limits.max_in_flight.min(room)
    }

    /// When the receiver's `Retry-After`, the breaker and the rate let an attempt begin.
    fn free_at(&self, limits: &PerReceiver) -> Millis {
        let opens = self.breaker.until().filter(|_| limits.breaker);
        let free = self.rate.free_at(limits.rate);
        free.max(self.blocked_until.unwrap_or_default())
            .max(opens.unwrap_or_default())
    }
}
