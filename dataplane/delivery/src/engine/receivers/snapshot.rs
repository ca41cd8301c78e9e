//! What is remembered about receivers, as people see it.
//!
//! [`crate::engine::known_receivers`] asks for it. Invariant: only read here; whose turn it is, is decided in [`super`].

use super::breaker::BreakerState;
use super::state::OriginState;
use super::{Receivers, State};
use crate::clock::Millis;
use crate::engine::waiting::{Reason, Waiting};
use crate::job::{Key, Rank, Receiver};
use crate::policy::PerReceiver;

/// One receiver.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Snapshot {
    pub(in crate::engine) in_flight: usize,
    pub(in crate::engine) breaker: BreakerState,
    pub(in crate::engine) paused_until: Option<Millis>,
    pub(in crate::engine) disabled_until: Option<Millis>,
    /// What a delivery would wait for that was due.
    pub(in crate::engine) waiting: Option<Waiting>,
    /// When the earliest delivery is due.
    pub(in crate::engine) next: Option<Millis>,
}

impl Snapshot {
    /// Whether it gets no attempts at present, whatever is due.
    pub(in crate::engine) fn is_held_up(&self) -> bool {
        self.waiting.is_some() || self.breaker != BreakerState::Closed
    }
}

impl Receivers {
    /// Every receiver that is remembered: one with something due or in progress, or that failed recently.
    pub(in crate::engine) fn snapshots(
        &self,
        now: Millis,
        limits: &PerReceiver,
    ) -> Vec<(Receiver, Snapshot)> {
        let state = self.state();
        let mut all = Vec::new();
        for (origin, of_origin) in &state.origins {
            for url in of_origin.receivers.keys() {
                let receiver = Receiver {
                    origin: *origin,
                    url: *url,
                };
                all.push((receiver, snapshot(&state, of_origin, *url, now, limits)));
            }
        }
        all
    }

    /// One receiver; of one that is not remembered there is nothing to say.
    pub(in crate::engine) fn snapshot(
        &self,
        receiver: Receiver,
        now: Millis,
        limits: &PerReceiver,
    ) -> Snapshot {
        let state = self.state();
        let origin = state.origins.get(&receiver.origin);
        origin.map_or_else(Snapshot::default, |origin| {
            snapshot(&state, origin, receiver.url, now, limits)
        })
    }
}

fn snapshot(state: &State, origin: &OriginState, url: Key, now: Millis, limits: &PerReceiver) -> Snapshot {
    let waiting = if state.is_full() {
        Some(Reason::InFlight.into())
    } else {
        origin.waiting_for(url, Rank::Live, now, limits)
    };
    let Some(receiver) = origin.receivers.get(&url) else {
        return Snapshot::default();
    };
    let is_later = |at: &Millis| *at > now;
    Snapshot {
        in_flight: receiver.in_flight(),
        breaker: receiver.breaker(now, limits),
        paused_until: receiver.blocked_until.filter(is_later),
        disabled_until: receiver.disabled_until.filter(is_later),
        waiting,
        next: receiver.next.into_iter().chain(receiver.replayed).min(),
    }
}
