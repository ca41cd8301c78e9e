//! What is remembered about one origin, and about one receiver there.
//!
//! The capacity and the rate are the origin's: a receiver is a URL, and another query string costs nothing. Invariant: of
//! constant size for each, however many deliveries wait.

use std::collections::BTreeMap;

use super::breaker::{Breaker, BreakerChange, BreakerState, Sample, Term};
use super::rate::Rate;
use crate::clock::Millis;
use crate::engine::waiting::{Reason, Waiting};
use crate::job::{Key, Rank};
use crate::policy::PerReceiver;

/// Replayed deliveries may use one in this many of an origin's in-flight limit.
const REPLAYS_SHARE: usize = 4;

/// What is remembered about one origin.
#[derive(Default)]
pub(super) struct OriginState {
    /// Its receivers, by URL.
    pub(super) receivers: BTreeMap<Key, ReceiverState>,
    /// The URL served last.
    served: Option<Key>,
    /// Attempts in progress.
    in_flight: usize,
    /// Those of them that are of replayed deliveries.
    pub(super) replaying: usize,
    rate: Rate,
}

/// What is remembered about one receiver.
#[derive(Default)]
pub(super) struct ReceiverState {
    /// When its earliest live delivery is due.
    pub(super) next: Option<Millis>,
    /// When its earliest replayed delivery is due.
    pub(super) replayed: Option<Millis>,
    /// Whose delivery was scheduled last.
    pub(super) client: Option<Key>,
    /// Attempts in progress.
    in_flight: usize,
    /// It asked for no attempts until then.
    pub(super) blocked_until: Option<Millis>,
    /// Until then it is not known whether it takes webhooks again: it asked for no more.
    pub(super) disabled_until: Option<Millis>,
    /// What is due for it cannot be sent until the policy changes.
    pub(super) is_held: bool,
    /// Faults of ours in a row.
    pub(super) faults: u32,
    breaker: Breaker,
}

impl OriginState {
    /// The receiver with this URL.
    pub(super) fn receiver(&mut self, url: Key) -> &mut ReceiverState {
        self.receivers.entry(url).or_default()
    }

    /// The receivers that get attempts now, beginning after the one served last.
    pub(super) fn ready(&self, now: Millis, limits: &PerReceiver) -> Vec<Key> {
        if self.free(now, limits) == 0 {
            return Vec::new();
        }
        let ready = self.receivers.iter();
        let ready = ready.filter(|(_, receiver)| self.turn(receiver, limits).is_some_and(|turn| turn <= now));
        let mut ready: Vec<Key> = ready.map(|(url, _)| *url).collect();
        let first = self
            .served
            .map_or(0, |served| ready.partition_point(|url| *url <= served));
        ready.rotate_left(first);
        ready
    }

    /// When the next attempt to any of its receivers may begin. Those of a client that is over its share wait for one of its
    /// attempts to end.
    pub(super) fn next_turn(&self, limits: &PerReceiver, is_over: impl Fn(Key) -> bool) -> Option<Millis> {
        if self.in_flight >= limits.max_in_flight {
            return None;
        }
        let receivers = self.receivers.values();
        let turns = receivers.filter(|receiver| !receiver.client.is_some_and(&is_over));
        turns.filter_map(|receiver| self.turn(receiver, limits)).min()
    }

    /// When an attempt may begin; `None` while there is nothing to send or no capacity.
    fn turn(&self, receiver: &ReceiverState, limits: &PerReceiver) -> Option<Millis> {
        if receiver.is_held {
            return None;
        }
        let live = receiver.next.filter(|_| self.room(receiver, limits) > 0);
        let replayed = receiver
            .replayed
            .filter(|_| self.room_for_replays(receiver, limits) > 0);
        let next = live.into_iter().chain(replayed).min()?;
        Some(
            next.max(receiver.free_at(limits))
                .max(self.rate.free_at(limits.rate)),
        )
    }

    /// How many replayed deliveries may begin now: at most a quarter of the in-flight limit, so that they never block
    /// live ones.
    pub(super) fn replays(&self, url: Key, now: Millis, limits: &PerReceiver) -> usize {
        let receiver = self.receivers.get(&url);
        let due = receiver.filter(|receiver| receiver.replayed.is_some_and(|at| at <= now));
        due.map_or(0, |receiver| self.room_for_replays(receiver, limits))
    }

    fn room_for_replays(&self, receiver: &ReceiverState, limits: &PerReceiver) -> usize {
        let share = (limits.max_in_flight / REPLAYS_SHARE).max(1);
        let room = share.saturating_sub(self.replaying);
        if self.room(receiver, limits) > 0 { room } else { 0 }
    }

    /// Whether an attempt to the receiver may begin now, whatever is due.
    pub(super) fn is_free(&self, url: Key, now: Millis, limits: &PerReceiver) -> bool {
        let Some(receiver) = self.receivers.get(&url) else {
            return self.free(now, limits) > 0;
        };
        let is_free = self.free(now, limits) > 0 && self.room(receiver, limits) > 0;
        is_free && !receiver.is_held && receiver.free_at(limits) <= now
    }

    /// How many attempts to the origin may begin now; with a rate, one at a time is known.
    pub(super) fn free(&self, now: Millis, limits: &PerReceiver) -> usize {
        let room = limits.max_in_flight.saturating_sub(self.in_flight);
        if self.rate.free_at(limits.rate) <= now {
            room
        } else {
            0
        }
    }

    fn room(&self, receiver: &ReceiverState, limits: &PerReceiver) -> usize {
        let room = limits.max_in_flight.saturating_sub(self.in_flight);
        room.min(receiver.room(limits))
    }

    /// An attempt to the receiver is about to begin.
    pub(super) fn take(&mut self, url: Key, now: Millis, limits: &PerReceiver) -> Term {
        self.in_flight += 1;
        self.served = Some(url);
        self.rate.take(limits.rate, now);
        self.receiver(url).take(now, limits)
    }

    /// An attempt is over, or never began.
    pub(super) fn release(&mut self, url: Key, begun: Option<Rank>, limits: &PerReceiver) {
        self.in_flight -= 1;
        self.receiver(url).in_flight -= 1;
        match begun {
            None => self.rate.refund(limits.rate),
            Some(Rank::Live) => {}
            Some(Rank::Replayed) => self.replaying -= 1,
        }
    }

    /// Forgets the receivers of which nothing is worth remembering; returns whether that is so of the origin.
    pub(super) fn forget(&mut self, now: Millis, limits: &PerReceiver) -> bool {
        self.receivers
            .retain(|_, receiver| !receiver.is_idle(now, limits));
        self.receivers.is_empty() && self.in_flight == 0 && self.rate.free_at(limits.rate) <= now
    }

    /// What a delivery of `rank` waits for that is due for the receiver with this URL.
    pub(super) fn waiting_for(
        &self,
        url: Key,
        rank: Rank,
        now: Millis,
        limits: &PerReceiver,
    ) -> Option<Waiting> {
        let receiver = self.receivers.get(&url)?;
        if receiver.is_held {
            return Some(Reason::Header.into());
        }
        if let Some(until) = receiver
            .breaker
            .until()
            .filter(|until| limits.breaker && *until > now)
        {
            return Some(Reason::Breaker.until(until));
        }
        if let Some(until) = receiver.blocked_until.filter(|until| *until > now) {
            return Some(Reason::Receiver.until(until));
        }
        if self.in_flight >= limits.max_in_flight {
            return Some(Reason::InFlight.into());
        }
        if receiver.room(limits) == 0 {
            return Some(Reason::Breaker.into()); // half open: a few attempts at once
        }
        if rank == Rank::Replayed && self.room_for_replays(receiver, limits) == 0 {
            return Some(Reason::InFlight.into());
        }
        let free = self.rate.free_at(limits.rate);
        (free > now).then(|| Reason::Rate.until(free))
    }

    /// Its receivers that have something due, and the rank of it.
    pub(super) fn due(&self, now: Millis) -> impl Iterator<Item = (Key, Rank)> {
        let is_due = move |at: Option<Millis>| at.is_some_and(|at| at <= now);
        let receivers = self.receivers.iter();
        receivers.filter_map(move |(url, receiver)| {
            match (is_due(receiver.next), is_due(receiver.replayed)) {
                (true, _) => Some((*url, Rank::Live)),
                (false, true) => Some((*url, Rank::Replayed)),
                (false, false) => None,
            }
        })
    }

    /// What its receivers wait for that have something due.
    pub(super) fn waits(&self, now: Millis, limits: &PerReceiver) -> Vec<Waiting> {
        let due = self.due(now);
        due.filter_map(|(url, rank)| self.waiting_for(url, rank, now, limits))
            .collect()
    }

    /// Whether one of its receivers has something to send.
    pub(super) fn has_work(&self) -> bool {
        let mut receivers = self.receivers.values();
        receivers.any(|receiver| receiver.next.is_some() || receiver.replayed.is_some())
    }
}

impl ReceiverState {
    /// Whether nothing of it is worth remembering.
    fn is_idle(&self, now: Millis, limits: &PerReceiver) -> bool {
        let nothing_to_do = self.next.is_none() && self.replayed.is_none() && self.in_flight == 0;
        nothing_to_do && self.free_at(limits) <= now && self.breaker.is_forgettable(now)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Its breaker as people see it.
    pub(super) fn breaker(&self, now: Millis, limits: &PerReceiver) -> BreakerState {
        match self.breaker.until() {
            _ if !limits.breaker || !self.breaker.is_open() => BreakerState::Closed,
            Some(until) if until > now => BreakerState::Open { until },
            _ => BreakerState::HalfOpen,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whose deliveries come after all others.
    pub(super) fn comes_last(&self) -> Option<Key> {
        self.breaker.comes_last()
    }

    /// Whether the breaker lets nothing through.
    pub(super) fn is_shut(&self) -> bool {
        self.breaker.until().is_some()
    }

    fn take(&mut self, now: Millis, limits: &PerReceiver) -> Term {
        self.in_flight += 1;
        if limits.breaker {
            self.breaker.begin(now);
        }
        self.breaker.term()
    }

    /// Records how an attempt went; returns how the breaker changed by it.
    pub(super) fn sample(&mut self, term: Term, sample: (Key, Sample), now: Millis) -> Option<BreakerChange> {
        self.breaker.end(term, sample, now)
    }

    /// Forgets the breaker's state: it was switched off.
    pub(super) fn close(&mut self) {
        self.breaker = Breaker::default();
    }

    /// How many more attempts the breaker allows.
    fn room(&self, limits: &PerReceiver) -> usize {
        if limits.breaker {
            self.breaker.room().saturating_sub(self.in_flight)
        } else {
            usize::MAX
        }
    }

    /// When the receiver's `Retry-After` and the breaker let an attempt begin.
    fn free_at(&self, limits: &PerReceiver) -> Millis {
        let opens = self.breaker.until().filter(|_| limits.breaker);
        self.blocked_until
            .unwrap_or_default()
            .max(opens.unwrap_or_default())
    }
}
