//! What the engine remembers of receivers: one entry for each that has due deliveries or attempts in progress, or failed
//! recently.
//!
//! `deliver` asks it whom to claim for; attempts hold a [`Slot`] of it. Limits, rate and breaker live here; deliveries
//! do not. Origins take turns at the capacity that all share, the URLs of an origin at the origin's, and no client uses
//! more than its share. Invariant: an entry says when the receiver's earliest delivery is due, never which; a job that
//! waits, also for a rate or a breaker, is only a row in the store.

mod breaker;
mod rate;
mod snapshot;
mod state;
mod waits;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub use self::breaker::BreakerState;
use self::breaker::Term;
pub(super) use self::breaker::{BreakerChange, Sample};
pub(super) use self::snapshot::Snapshot;
use self::state::{OriginState, ReceiverState};
use super::shares;
use crate::clock::Millis;
use crate::job::{Key, Rank, Receiver};
use crate::policy::PerReceiver;

/// Attempts in progress to all receivers: a process that starts with very many due receivers must not run out of file
/// descriptors.
const OVERALL: usize = 1024;

/// All receivers with something to do.
#[derive(Default)]
pub(super) struct Receivers {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    origins: BTreeMap<Key, OriginState>,
    /// The origin served last.
    served: Option<Key>,
    /// Attempts in progress of each client.
    clients: HashMap<Key, usize>,
    /// Attempts in progress in all.
    in_flight: usize,
}

/// The right to one attempt to a receiver; dropping it releases the capacity.
pub(super) struct Slot {
    receivers: Arc<Receivers>,
    receiver: Receiver,
    /// The limits that it was given under.
    limits: PerReceiver,
    term: Term,
    /// The rank of the attempt and whose it is, once it began.
    begun: Option<(Rank, Key)>,
}

/// A receiver whose turn it is.
pub(super) struct Turn {
    pub(super) receiver: Receiver,
    /// Its free capacity.
    pub(super) slots: Vec<Slot>,
    /// How many of them replayed deliveries may use, after the live ones.
    pub(super) replays: usize,
    /// Clients that use their whole share: their deliveries are passed over.
    pub(super) passed_over: Vec<Key>,
    /// A client whose deliveries come after all others.
    pub(super) last: Option<Key>,
}

impl State {
    fn origin(&mut self, receiver: Receiver) -> &mut OriginState {
        self.origins.entry(receiver.origin).or_default()
    }

    fn entry(&mut self, receiver: Receiver) -> &mut ReceiverState {
        self.origin(receiver).receiver(receiver.url)
    }

    fn is_full(&self) -> bool {
        self.in_flight >= OVERALL
    }

    /// Whether a client uses its whole share, with `more` attempts that are about to begin.
    fn is_over(&self, client: Key, more: usize) -> bool {
        let in_flight = self.clients.get(&client).copied().unwrap_or_default();
        in_flight + more >= shares::of(OVERALL)
    }

    fn over(&self) -> Vec<Key> {
        let clients = self.clients.keys();
        clients
            .filter(|client| self.is_over(**client, 0))
            .copied()
            .collect()
    }

    /// The receivers whose turn it is, by origin, beginning after the one served last.
    fn ready(&self, now: Millis, limits: &PerReceiver) -> Vec<(Key, Vec<Key>)> {
        let ready = self.origins.iter();
        let ready = ready.map(|(origin, state)| (*origin, state.ready(now, limits)));
        let mut ready: Vec<_> = ready.filter(|(_, urls)| !urls.is_empty()).collect();
        let first = self
            .served
            .map_or(0, |served| ready.partition_point(|(origin, _)| *origin <= served));
        ready.rotate_left(first);
        ready
    }

    fn release(&mut self, client: Key) {
        match self.clients.get_mut(&client) {
            Some(in_flight) if *in_flight > 1 => *in_flight -= 1,
            _ => drop(self.clients.remove(&client)),
        }
    }
}

impl Receivers {
    /// Notes that a delivery is due at `at`, and whose it is where that is known.
    pub(super) fn schedule(&self, receiver: Receiver, rank: Rank, at: Millis, client: Option<Key>) {
        let mut state = self.state();
        let entry = state.entry(receiver);
        entry.client = client.or(entry.client);
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
    pub(super) fn block(&self, receiver: Receiver, until: Millis) {
        let mut state = self.state();
        let entry = state.entry(receiver);
        entry.blocked_until = entry.blocked_until.max(Some(until));
    }

    /// Makes no attempt to the receiver until [`Receivers::release_held`]: the policy does not allow one. Deliveries to the
    /// same URL that a client named wait, too.
    pub(super) fn hold(&self, receiver: Receiver) {
        self.state().entry(receiver).is_held = true;
    }

    /// The policy changed: the receivers that were held are tried again.
    pub(super) fn release_held(&self) {
        let mut state = self.state();
        let receivers = state
            .origins
            .values_mut()
            .flat_map(|origin| origin.receivers.values_mut());
        receivers.for_each(|receiver| receiver.is_held = false);
        self.changed.notify_one();
    }

    /// Blocks a receiver that asked for no more attempts.
    pub(super) fn disable(&self, receiver: Receiver, until: Millis) {
        self.block(receiver, until);
        self.state().entry(receiver).disabled_until = Some(until);
    }

    /// How many receivers get no attempts because they asked for none.
    pub(super) fn disabled(&self, now: Millis) -> usize {
        let state = self.state();
        let receivers = state
            .origins
            .values()
            .flat_map(|origin| origin.receivers.values());
        receivers
            .filter(|receiver| receiver.disabled_until > Some(now))
            .count()
    }

    /// Counts a fault of ours, or resets the count; returns how many there were in a row before.
    pub(super) fn fault(&self, receiver: Receiver, ours: bool) -> u32 {
        let mut state = self.state();
        let entry = state.entry(receiver);
        let before = entry.faults;
        entry.faults = if ours { before.saturating_add(1) } else { 0 };
        before
    }

    /// Capacity for a fresh result of `client`, unless live deliveries that are due wait for it already.
    pub(super) fn reserve(
        self: &Arc<Self>,
        (receiver, client): (Receiver, Key),
        now: Millis,
        limits: &PerReceiver,
    ) -> Option<Slot> {
        let mut state = self.state();
        let full = state.is_full() || state.is_over(client, 0);
        let others_wait = state.entry(receiver).next.is_some_and(|next| next <= now);
        if full || others_wait || !state.origin(receiver).is_free(receiver.url, now, limits) {
            return None;
        }
        Some(self.take(&mut state, receiver, now, limits))
    }

    /// The receivers whose turn it is, each with its free capacity. Their next turn is unknown afterwards (that of
    /// replayed deliveries only if they got capacity): the caller reads it from the store and schedules it.
    pub(super) fn ready(self: &Arc<Self>, now: Millis, limits: &PerReceiver) -> Vec<Turn> {
        let mut state = self.state();
        state.origins.retain(|_, origin| !origin.forget(now, limits));
        let mut given: HashMap<Key, usize> = HashMap::new();
        let mut turns = Vec::new();
        for (origin, urls) in state.ready(now, limits) {
            let mut waiting = urls.len();
            for url in urls {
                let receiver = Receiver { origin, url };
                let share = state.origin(receiver).free(now, limits).div_ceil(waiting);
                waiting -= 1;
                turns.extend(self.turn(&mut state, &mut given, (receiver, share), now, limits));
            }
        }
        turns
    }

    /// One receiver's turn, at which it gets up to `share` slots; none if its client has used its share.
    fn turn(
        self: &Arc<Self>,
        state: &mut State,
        given: &mut HashMap<Key, usize>,
        (receiver, share): (Receiver, usize),
        now: Millis,
        limits: &PerReceiver,
    ) -> Option<Turn> {
        let client = state.entry(receiver).client;
        let replays = state.origin(receiver).replays(receiver.url, now, limits);
        let mut slots = Vec::new();
        while slots.len() < share && !state.is_full() {
            let given = client.map(|client| given.entry(client).or_default());
            let is_over = client.zip(given.as_deref());
            let is_over = is_over.is_some_and(|(client, given)| state.is_over(client, *given));
            if is_over || !state.origin(receiver).is_free(receiver.url, now, limits) {
                break;
            }
            slots.push(self.take(state, receiver, now, limits));
            if let Some(given) = given {
                *given += 1;
            }
        }
        if slots.is_empty() {
            return None;
        }
        state.served = Some(receiver.origin);
        let entry = state.entry(receiver);
        let last = entry.comes_last();
        entry.next = None;
        if replays > 0 {
            entry.replayed = None;
        }
        let passed_over = state.over();
        Some(Turn {
            receiver,
            slots,
            replays,
            passed_over,
            last,
        })
    }

    /// When the next receiver's turn is; `None` while there is nothing to send or no capacity at all.
    pub(super) fn next_turn(&self, limits: &PerReceiver) -> Option<Millis> {
        let state = self.state();
        let turns = state
            .origins
            .values()
            .filter_map(|origin| origin.next_turn(limits, |client| state.is_over(client, 0)));
        turns.min().filter(|_| !state.is_full())
    }

    /// How many receivers have a breaker that is open or half open.
    pub(super) fn open_breakers(&self) -> usize {
        let state = self.state();
        let receivers = state
            .origins
            .values()
            .flat_map(|origin| origin.receivers.values());
        receivers.filter(|receiver| receiver.is_open()).count()
    }

    /// How many receivers are remembered.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        let state = self.state();
        state.origins.values().map(|origin| origin.receivers.len()).sum()
    }

    /// The receivers that get no attempts at present because their breaker is open.
    pub(super) fn shut(&self) -> Vec<Receiver> {
        let state = self.state();
        let mut shut = Vec::new();
        for (origin, of_origin) in &state.origins {
            let urls = of_origin.receivers.iter().filter(|(_, entry)| entry.is_shut());
            shut.extend(urls.map(|(url, _)| Receiver {
                origin: *origin,
                url: *url,
            }));
        }
        shut
    }

    /// Returns when something was scheduled, or a receiver with something scheduled has capacity again.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn take(
        self: &Arc<Self>,
        state: &mut State,
        receiver: Receiver,
        now: Millis,
        limits: &PerReceiver,
    ) -> Slot {
        state.in_flight += 1;
        Slot {
            receivers: Arc::clone(self),
            receiver,
            limits: *limits,
            term: state.origin(receiver).take(receiver.url, now, limits),
            begun: None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// A client's attempt begins. A slot that is dropped before does not count for the origin's rate.
    pub(super) fn begin(&mut self, rank: Rank, client: Key) {
        self.begun = Some((rank, client));
        let mut state = self.receivers.state();
        *state.clients.entry(client).or_default() += 1;
        if rank == Rank::Replayed {
            state.origin(self.receiver).replaying += 1;
        }
    }

    /// Records the attempt's sample; returns how the breaker changed by it.
    pub(super) fn sample(&self, sample: Sample, now: Millis) -> Option<BreakerChange> {
        let Some((_, client)) = self.begun else {
            return None; // an attempt that never began says nothing
        };
        let mut state = self.receivers.state();
        let entry = state.entry(self.receiver);
        if self.limits.breaker {
            entry.sample(self.term, (client, sample), now)
        } else {
            entry.close();
            None
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.receivers.state();
        let others_wait = state.is_full() || self.begun.is_some_and(|(_, client)| state.is_over(client, 0));
        state.in_flight -= 1;
        if let Some((_, client)) = self.begun {
            state.release(client);
        }
        let rank = self.begun.map(|(rank, _)| rank);
        let origin = state.origin(self.receiver);
        origin.release(self.receiver.url, rank, &self.limits);
        if origin.has_work() || others_wait {
            self.receivers.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
