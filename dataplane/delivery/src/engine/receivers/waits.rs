//! What receivers wait for, for people and for a process that shuts down.
//!
//! Invariant: only read here; whose turn it is, is decided in [`super`].

use std::collections::BTreeMap;

use super::Receivers;
use crate::clock::Millis;
use crate::engine::waiting::{self, Reason, Waiting};
use crate::job::{Rank, Receiver};
use crate::policy::PerReceiver;

impl Receivers {
    /// Whether an attempt is in progress, or one may begin now.
    pub(in crate::engine) fn is_busy(&self, now: Millis, limits: &PerReceiver) -> bool {
        let state = self.state();
        state.in_flight > 0 || !state.ready(now, limits).is_empty()
    }

    /// What a delivery waits for that is due for `receiver`; `None` if it may begin.
    pub(in crate::engine) fn waiting_for(
        &self,
        (receiver, rank): (Receiver, Rank),
        now: Millis,
        limits: &PerReceiver,
    ) -> Option<Waiting> {
        let state = self.state();
        if state.is_full() {
            return Some(Reason::InFlight.into());
        }
        let origin = state.origins.get(&receiver.origin)?;
        origin.waiting_for(receiver.url, rank, now, limits)
    }

    /// How many receivers have something due.
    pub(in crate::engine) fn due(&self, now: Millis) -> usize {
        let state = self.state();
        state.origins.values().map(|origin| origin.due(now).count()).sum()
    }

    /// What the receivers wait for that have something due.
    pub(in crate::engine) fn waits(&self, now: Millis, limits: &PerReceiver) -> BTreeMap<Reason, usize> {
        let state = self.state();
        let origins = state.origins.values();
        waiting::count(origins.flat_map(|origin| origin.waits(now, limits)))
    }
}
