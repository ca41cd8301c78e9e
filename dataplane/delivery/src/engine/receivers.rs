//! The engine's memory of receivers: one entry for each that has due work or attempts under way.
//!
//! `deliver` claims by it, attempts give their [`Slot`] back to it. Invariant: an entry says when the
//! receiver's earliest delivery is due, never which; a job that waits is only a row in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::Millis;
use crate::job::Key;

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
    lanes: Mutex<HashMap<Key, Lane>>,
    changed: Notify,
}

/// The right to one attempt to a receiver; dropping it gives the room back.
pub(super) struct Slot {
    receivers: Arc<Receivers>,
    receiver: Key,
}

impl Receivers {
    /// Notes that a delivery is due at `at`.
    pub(super) fn park(&self, receiver: Key, at: Millis) {
        let mut lanes = self.lanes();
        let lane = lanes.entry(receiver).or_default();
        if lane.next.is_none_or(|next| at < next) {
            lane.next = Some(at);
            self.changed.notify_one();
        }
    }

    /// Leaves the receiver alone until `until`.
    pub(super) fn block(&self, receiver: Key, until: Millis) {
        let mut lanes = self.lanes();
        let lane = lanes.entry(receiver).or_default();
        lane.blocked_until = lane.blocked_until.max(Some(until));
    }

    /// Counts a fault of ours, or forgets them all; says how many there were in a row before.
    pub(super) fn fault(&self, receiver: Key, ours: bool) -> u32 {
        let mut lanes = self.lanes();
        let lane = lanes.entry(receiver).or_default();
        let before = lane.faults;
        lane.faults = if ours { before.saturating_add(1) } else { 0 };
        before
    }

    /// Room for a fresh result, unless work that is due already waits for it.
    pub(super) fn reserve(self: &Arc<Self>, receiver: Key, now: Millis, limit: usize) -> Option<Slot> {
        let mut lanes = self.lanes();
        let lane = lanes.entry(receiver).or_default();
        let taken = lane.in_flight >= limit || lane.next.is_some_and(|next| next <= now);
        if taken || lane.is_blocked(now) {
            return None;
        }
        Some(self.take(receiver, lane))
    }

    /// The receivers whose turn it is, each with all its room. Their next turn is unknown from here on:
    /// whoever asked looks it up and parks it.
    pub(super) fn ready(self: &Arc<Self>, now: Millis, limit: usize) -> Vec<(Key, Vec<Slot>)> {
        let mut lanes = self.lanes();
        lanes.retain(|_, lane| !lane.is_idle(now));
        let ready = lanes
            .iter_mut()
            .filter(|(_, lane)| lane.turn(limit).is_some_and(|turn| turn <= now));
        let claimed = ready.map(|(receiver, lane)| {
            lane.next = None;
            let room = limit - lane.in_flight;
            (*receiver, (0..room).map(|_| self.take(*receiver, lane)).collect())
        });
        claimed.collect()
    }

    /// When the next receiver's turn is.
    pub(super) fn next_turn(&self, limit: usize) -> Option<Millis> {
        self.lanes().values().filter_map(|lane| lane.turn(limit)).min()
    }

    /// Returns when something was parked, or room came free where something is parked.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn take(self: &Arc<Self>, receiver: Key, lane: &mut Lane) -> Slot {
        lane.in_flight += 1;
        Slot {
            receivers: Arc::clone(self),
            receiver,
        }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<Key, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut lanes = self.receivers.lanes();
        let Some(lane) = lanes.get_mut(&self.receiver) else {
            return;
        };
        lane.in_flight -= 1;
        if lane.next.is_some() {
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
        assert!(receivers.lanes().is_empty());
    }

    #[test]
    fn faults_in_a_row_are_counted() {
        let (receivers, key) = receivers();
        assert_eq!(receivers.fault(key, true), 0);
        assert_eq!(receivers.fault(key, true), 1);
        assert_eq!(receivers.fault(key, false), 2);
        assert_eq!(receivers.fault(key, true), 0);
    }
}
