//! What the engine remembers of receivers: one entry for each that has due deliveries or attempts in progress, or failed
//! recently.
//!
//! `deliver` asks it whom to claim for; attempts hold a [`Slot`] of it. Limits, rate and breaker live here; deliveries
//! do not. Invariant: an entry says when the receiver's earliest delivery is due, never which; a job that waits, also
//! for a rate or a breaker, is only a row in the store.

mod breaker;
mod rate;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub(super) use self::breaker::Sample;
use self::breaker::Term;
use self::state::ReceiverState;
use crate::clock::Millis;
use crate::job::{Key, Rank};
use crate::policy::PerReceiver;

/// Attempts in progress to all receivers: a process that starts with very many due receivers must not run out of file
/// descriptors. Others wait only if more than a hundred receivers hang at the same time.
const OVERALL: usize = 1024;

/// All receivers with something to do.
#[derive(Default)]
pub(super) struct Receivers {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<Key, ReceiverState>,
    /// Attempts in progress in all.
    in_flight: usize,
}

impl State {
    fn entry(&mut self, receiver: Key) -> &mut ReceiverState {
        self.entries.entry(receiver).or_default()
    }

    fn is_full(&self) -> bool {
        self.in_flight >= OVERALL
    }
}

/// The right to one attempt to a receiver; dropping it releases the capacity.
pub(super) struct Slot {
    receivers: Arc<Receivers>,
    receiver: Key,
    /// The limits that it was given under.
    limits: PerReceiver,
    term: Term,
    /// The rank of the attempt, once it began.
    begun: Option<Rank>,
}

/// A receiver whose turn it is.
pub(super) struct Turn {
    pub(super) receiver: Key,
    /// Its free capacity.
    pub(super) slots: Vec<Slot>,
    /// How many of them replayed deliveries may use, after the live ones.
    pub(super) replays: usize,
}

impl Receivers {
    /// Notes that a delivery is due at `at`.
    pub(super) fn schedule(&self, receiver: Key, rank: Rank, at: Millis) {
        let mut state = self.state();
        let entry = state.entry(receiver);
        let next = match rank {
            Rank::Live => &mut entry.next,
            Rank::Replayed => &mut entry.replayed,
        };
        if next.is_none_or(|next| at < next) {
            *next = Some(at);
            self.changed.notify_one();
        }
    }

    /// Makes no attempt to the receiver until `until`.
    pub(super) fn block(&self, receiver: Key, until: Millis) {
        let mut state = self.state();
        let entry = state.entry(receiver);
        entry.blocked_until = entry.blocked_until.max(Some(until));
    }

    /// Counts a fault of ours, or resets the count; returns how many there were in a row before.
    pub(super) fn fault(&self, receiver: Key, ours: bool) -> u32 {
        let mut state = self.state();
        let entry = state.entry(receiver);
        let before = entry.faults;
        entry.faults = if ours { before.saturating_add(1) } else { 0 };
        before
    }

    /// Capacity for a fresh result, unless live deliveries that are due wait for it already.
    pub(super) fn reserve(
        self: &Arc<Self>,
        receiver: Key,
        now: Millis,
        limits: &PerReceiver,
    ) -> Option<Slot> {
        let mut state = self.state();
        let full = state.is_full();
        let entry = state.entry(receiver);
        let others_wait = entry.next.is_some_and(|next| next <= now);
        if full || others_wait || !entry.is_free(now, limits) {
            return None;
        }
        Some(self.take(&mut state, receiver, now, limits))
    }

    /// The receivers whose turn it is, each with its free capacity. Their next turn is unknown afterwards (that of
    /// replayed deliveries only if they got capacity): the caller reads it from the store and schedules it.
    pub(super) fn ready(self: &Arc<Self>, now: Millis, limits: &PerReceiver) -> Vec<Turn> {
        let mut state = self.state();
        state.entries.retain(|_, entry| !entry.is_idle(now, limits));
        let ready = state
            .entries
            .iter()
            .filter(|(_, entry)| entry.is_ready(now, limits));
        let ready: Vec<Key> = ready.map(|(receiver, _)| *receiver).collect();
        let mut claimed = Vec::new();
        for receiver in ready {
            if state.is_full() {
                break;
            }
            let entry = state.entry(receiver);
            entry.next = None;
            let replays = entry.replays(now, limits);
            if replays > 0 {
                entry.replayed = None;
            }
            let mut slots = Vec::new();
            while state.entry(receiver).is_free(now, limits) && !state.is_full() {
                slots.push(self.take(&mut state, receiver, now, limits));
            }
            claimed.push(Turn {
                receiver,
                slots,
                replays,
            });
        }
        claimed
    }

    /// When the next receiver's turn is; `None` while there is nothing to send or no capacity at all.
    pub(super) fn next_turn(&self, limits: &PerReceiver) -> Option<Millis> {
        let state = self.state();
        let turns = state.entries.values().filter_map(|entry| entry.turn(limits));
        turns.min().filter(|_| !state.is_full())
    }

    /// How many receivers have a breaker that is open or half open.
    pub(super) fn open_breakers(&self) -> usize {
        self.state()
            .entries
            .values()
            .filter(|entry| entry.is_open())
            .count()
    }

    /// How many receivers are remembered.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.state().entries.len()
    }

    /// The receivers that get no attempts at present because their breaker is open.
    pub(super) fn shut(&self) -> Vec<Key> {
        let state = self.state();
        let shut = state.entries.iter().filter(|(_, entry)| entry.is_shut());
        shut.map(|(receiver, _)| *receiver).collect()
    }

    /// Returns when something was scheduled, or a receiver with something scheduled has capacity again.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn take(self: &Arc<Self>, state: &mut State, receiver: Key, now: Millis, limits: &PerReceiver) -> Slot {
        state.in_flight += 1;
        Slot {
            receivers: Arc::clone(self),
            receiver,
            limits: *limits,
            term: state.entry(receiver).take(now, limits),
            begun: None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The attempt begins. A slot that is dropped before does not count for the receiver's rate.
    pub(super) fn begin(&mut self, rank: Rank) {
        self.begun = Some(rank);
        if rank == Rank::Replayed {
            self.receivers.state().entry(self.receiver).replaying += 1;
        }
    }

    /// Records the attempt's sample; returns whether the breaker opened or closed by it.
    pub(super) fn sample(&self, sample: Sample, now: Millis) -> bool {
        let mut state = self.receivers.state();
        let entry = state.entry(self.receiver);
        if self.limits.breaker {
            entry.sample(self.term, sample, now)
        } else {
            entry.close();
            false
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.receivers.state();
        let was_full = state.is_full();
        state.in_flight -= 1;
        let entry = state.entry(self.receiver);
        entry.release(self.begun, &self.limits);
        if entry.next.is_some() || entry.replayed.is_some() || was_full {
            self.receivers.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
