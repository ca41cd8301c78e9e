//! The engine's memory of receivers: one entry for each that has due work or attempts under way.
//!
//! `deliver` claims by it, attempts give their [`Slot`] back to it. Invariant: an entry says when the
//! receiver's earliest delivery is due, never which; a job that waits is only a row in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::Millis;
use crate::job::Key;

/// Attempts under way at once to all receivers: what keeps a process that starts with very many due
/// receivers from running out of file descriptors. Only more than a hundred receivers that all hang
/// at once would make others wait for one attempt's timeout.
const OVERALL: usize = 1024;

/// What is remembered about one receiver.
#[derive(Default)]
struct Lane {
    /// When its earliest delivery is due.
    next: Option<Millis>,
    /// Attempts under way.
    in_flight: usize,
    /// It asked to be left alone until then.
    blocked_until: Option<Millis>,
    /// Faults of ours in a row.
    faults: u32,
}

impl Lane {
    /// When an attempt may begin; `None` while there is nothing to send or no room.
    fn turn(&self, limit: usize) -> Option<Millis> {
        let next = self.next.filter(|_| self.in_flight < limit)?;
        Some(self.blocked_until.map_or(next, |until| next.max(until)))
    }

    fn is_ready(&self, now: Millis, limit: usize) -> bool {
        self.turn(limit).is_some_and(|turn| turn <= now)
    }

    fn is_blocked(&self, now: Millis) -> bool {
        self.blocked_until.is_some_and(|until| until > now)
    }

    fn is_idle(&self, now: Millis) -> bool {
        self.next.is_none() && self.in_flight == 0 && !self.is_blocked(now)
    }
}

/// All receivers with something to do.
#[derive(Default)]
pub(super) struct Receivers {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    lanes: HashMap<Key, Lane>,
    /// Attempts under way in all.
    in_flight: usize,
}

impl State {
    fn lane(&mut self, receiver: Key) -> &mut Lane {
        self.lanes.entry(receiver).or_default()
    }

    fn is_full(&self) -> bool {
        self.in_flight >= OVERALL
    }
}

/// The right to one attempt to a receiver; dropping it gives the room back.
pub(super) struct Slot {
    receivers: Arc<Receivers>,
    receiver: Key,
}

impl Receivers {
    /// Notes that a delivery is due at `at`.
    pub(super) fn park(&self, receiver: Key, at: Millis) {
        let mut state = self.state();
        let lane = state.lane(receiver);
        if lane.next.is_none_or(|next| at < next) {
            lane.next = Some(at);
            self.changed.notify_one();
        }
    }

    /// Leaves the receiver alone until `until`.
    pub(super) fn block(&self, receiver: Key, until: Millis) {
        let mut state = self.state();
        let lane = state.lane(receiver);
        lane.blocked_until = lane.blocked_until.max(Some(until));
    }

    /// Counts a fault of ours, or forgets them all; says how many there were in a row before.
    pub(super) fn fault(&self, receiver: Key, ours: bool) -> u32 {
        let mut state = self.state();
        let lane = state.lane(receiver);
        let before = lane.faults;
        lane.faults = if ours { before.saturating_add(1) } else { 0 };
        before
    }

    /// Room for a fresh result, unless work that is due already waits for it.
    pub(super) fn reserve(self: &Arc<Self>, receiver: Key, now: Millis, limit: usize) -> Option<Slot> {
        let mut state = self.state();
        let full = state.is_full();
        let lane = state.lane(receiver);
        let taken = lane.in_flight >= limit || lane.next.is_some_and(|next| next <= now);
        if full || taken || lane.is_blocked(now) {
            return None;
        }
        Some(self.take(&mut state, receiver))
    }

    /// The receivers whose turn it is, each with its room. Their next turn is unknown from here on:
    /// whoever asked looks it up and parks it.
    pub(super) fn ready(self: &Arc<Self>, now: Millis, limit: usize) -> Vec<(Key, Vec<Slot>)> {
        let mut state = self.state();
        state.lanes.retain(|_, lane| !lane.is_idle(now));
        let ready = state.lanes.iter().filter(|(_, lane)| lane.is_ready(now, limit));
        let ready: Vec<Key> = ready.map(|(receiver, _)| *receiver).collect();
        let mut claimed = Vec::new();
        for receiver in ready {
            if state.is_full() {
                break;
            }
            state.lane(receiver).next = None;
            let mut slots = Vec::new();
            while state.lane(receiver).in_flight < limit && !state.is_full() {
                slots.push(self.take(&mut state, receiver));
            }
            claimed.push((receiver, slots));
        }
        claimed
    }

    /// When the next receiver's turn is; `None` while there is nothing to send or no room at all.
    pub(super) fn next_turn(&self, limit: usize) -> Option<Millis> {
        let state = self.state();
        let turns = state.lanes.values().filter_map(|lane| lane.turn(limit));
        turns.min().filter(|_| !state.is_full())
    }

    /// Returns when something was parked, or room came free where something is parked.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn take(self: &Arc<Self>, state: &mut State, receiver: Key) -> Slot {
        state.in_flight += 1;
        state.lane(receiver).in_flight += 1;
        Slot {
            receivers: Arc::clone(self),
            receiver,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.receivers.state();
        let was_full = state.is_full();
        state.in_flight -= 1;
        let lane = state.lane(self.receiver);
        lane.in_flight -= 1;
        if lane.next.is_some() || was_full {
            self.receivers.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000);
    const LATER: Millis = Millis(2_000);

    fn receivers() -> (Arc<Receivers>, Key) {
        (Arc::default(), Key::of("https://receiver.example"))
    }

    #[test]
    fn a_receiver_gets_as_many_slots_as_it_has_room() {
        let (receivers, key) = receivers();
        let first = receivers.reserve(key, NOW, 2).unwrap();
        let _second = receivers.reserve(key, NOW, 2).unwrap();
        assert!(receivers.reserve(key, NOW, 2).is_none());
        drop(first);
        assert!(receivers.reserve(key, NOW, 2).is_some());
    }

    #[test]
    fn due_work_goes_before_a_fresh_result() {
        let (receivers, key) = receivers();
        receivers.park(key, NOW);
        assert!(receivers.reserve(key, NOW, 8).is_none());
        let ready = receivers.ready(NOW, 8);
        assert_eq!((ready.len(), ready[0].1.len()), (1, 8));
        assert!(
            receivers.ready(NOW, 8).is_empty(),
            "its next turn is to be looked up"
        );
    }

    #[test]
    fn work_that_is_due_later_leaves_room_for_a_fresh_result() {
        let (receivers, key) = receivers();
        receivers.park(key, LATER);
        assert!(receivers.reserve(key, NOW, 8).is_some());
        assert_eq!(receivers.next_turn(8), Some(LATER));
    }

    #[test]
    fn a_blocked_receiver_waits_whatever_is_due() {
        let (receivers, key) = receivers();
        receivers.park(key, NOW);
        receivers.block(key, LATER);
        receivers.block(key, NOW); // a block never shrinks
        assert!(receivers.ready(NOW, 8).is_empty());
        assert!(receivers.reserve(key, NOW, 8).is_none());
        assert_eq!(receivers.next_turn(8), Some(LATER));
        assert_eq!(receivers.ready(LATER, 8).len(), 1);
    }

    #[test]
    fn one_receiver_without_room_does_not_hold_up_another() {
        let (receivers, full) = receivers();
        let _busy = receivers.reserve(full, NOW, 1).unwrap();
        receivers.park(full, NOW);
        receivers.park(Key::of("other"), LATER);
        assert_eq!(receivers.next_turn(1), Some(LATER));
    }

    #[test]
    fn idle_receivers_are_forgotten() {
        let (receivers, key) = receivers();
        drop(receivers.reserve(key, NOW, 1));
        receivers.ready(NOW, 1);
        assert!(receivers.state().lanes.is_empty());
    }

    #[test]
    fn faults_in_a_row_are_counted() {
        let (receivers, key) = receivers();
        assert_eq!(receivers.fault(key, true), 0);
        assert_eq!(receivers.fault(key, true), 1);
        assert_eq!(receivers.fault(key, false), 2);
        assert_eq!(receivers.fault(key, true), 0);
    }

    #[test]
    fn all_receivers_together_have_an_end() {
        let receivers: Arc<Receivers> = Arc::default();
        for number in 0..200 {
            receivers.park(Key::of(&number.to_string()), NOW);
        }
        let mut ready = receivers.ready(NOW, 8);
        let slots: usize = ready.iter().map(|(_, slots)| slots.len()).sum();
        assert_eq!((slots, ready.len()), (OVERALL, OVERALL / 8));
        assert!(receivers.ready(NOW, 8).is_empty());
        assert_eq!(receivers.next_turn(8), None, "until room comes free");
        assert!(receivers.reserve(Key::of("fresh"), NOW, 8).is_none());
        ready.pop();
        assert_eq!(receivers.next_turn(8), Some(NOW));
        assert_eq!(receivers.ready(NOW, 8).len(), 1);
    }
}
