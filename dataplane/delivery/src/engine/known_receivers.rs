//! The receivers that this process knows of, for people: which get attempts, which do not, and how the last one went.
//!
//! The admin port asks [`Engine::known_receivers`] and [`Engine::known_receiver`]. Invariant: an answer is bounded, however
//! many receivers and deliveries there are, and nothing is changed by it.

use std::cmp::Reverse;
use std::collections::HashMap;

use futures::future::try_join_all;

use super::Engine;
use super::core::Core;
use super::last_attempts::LastAttempt;
use super::receivers::{BreakerState, Snapshot};
use super::waiting::{Reason, Waiting};
use crate::clock::Millis;
use crate::job::{Rank, Receiver, Target};
use crate::policy::{PerReceiver, Signing};
use crate::store;

/// The most receivers in one answer.
const MOST: usize = 200;
/// Deliveries are counted up to this number for each receiver.
pub const DUE_COUNTED: usize = 100;

/// What is known of one receiver.
#[derive(Clone, Debug)]
pub struct Known {
    /// Which one.
    pub receiver: Receiver,
    /// Its URL and who named it; `None` while that cannot be read from the store.
    pub target: Option<Target>,
    /// Deliveries that wait for an attempt, counted up to [`DUE_COUNTED`].
    pub due: usize,
    /// When the earliest of them is due.
    pub next: Option<Millis>,
    /// Attempts in progress.
    pub in_flight: usize,
    /// Its circuit breaker.
    pub breaker: BreakerState,
    /// It asked for no attempts until then.
    pub paused_until: Option<Millis>,
    /// It asked to be disabled, and is until then.
    pub disabled_until: Option<Millis>,
    /// What a due delivery waits for; `None` if it may begin.
    pub waiting: Option<Waiting>,
    /// The last attempt by this process.
    pub last: Option<LastAttempt>,
}

/// Receivers; first those that get no attempts, then those with the newest attempts.
#[derive(Clone, Debug)]
pub struct KnownReceivers {
    /// Those.
    pub receivers: Vec<Known>,
    /// How many more there are.
    pub left_out: usize,
}

impl Engine {
    /// The receivers with something due, in progress or failed, and those that got an attempt from this process.
    pub async fn known_receivers(&self) -> Result<KnownReceivers, store::Error> {
        let core = &*self.core;
        let limits = core.policy().per_receiver;
        let mut snapshots: HashMap<_, _> = core
            .receivers
            .snapshots(core.now(), &limits)
            .into_iter()
            .collect();
        for receiver in core.last_attempts.receivers() {
            snapshots.entry(receiver).or_default();
        }
        let mut order: Vec<_> = snapshots.into_iter().map(|row| (rank(core, &row), row)).collect();
        order.sort_unstable_by_key(|(rank, _)| *rank);
        let left_out = order.len().saturating_sub(MOST);
        let kept = order.into_iter().take(MOST);
        let known = try_join_all(kept.map(|(_, (receiver, snapshot))| known(core, receiver, snapshot)));
        Ok(KnownReceivers {
            receivers: known.await?,
            left_out,
        })
    }

    /// The limits of each receiver.
    pub fn per_receiver(&self) -> PerReceiver {
        self.core.policy().per_receiver
    }

    /// One receiver, whether or not anything is known of it.
    pub async fn known_receiver(&self, receiver: Receiver) -> Result<Known, store::Error> {
        let core = &*self.core;
        let limits = core.policy().per_receiver;
        let snapshot = core.receivers.snapshot(receiver, core.now(), &limits);
        known(core, receiver, snapshot).await
    }
}

/// Its place in the list.
fn rank(
    core: &Core,
    (receiver, snapshot): &(Receiver, Snapshot),
) -> (Reverse<bool>, Reverse<Option<Millis>>, Receiver) {
    let last = core.last_attempts.of(*receiver).map(|last| last.at);
    (Reverse(snapshot.is_held_up()), Reverse(last), *receiver)
}

async fn known(core: &Core, receiver: Receiver, snapshot: Snapshot) -> Result<Known, store::Error> {
    let last = core.last_attempts.of(receiver);
    let mut due = Vec::new();
    for rank in Rank::ALL {
        let room = DUE_COUNTED - due.len();
        due.extend(core.store.due(receiver, rank, Millis(u64::MAX), room).await?);
    }
    let target = match (&last, due.first()) {
        (Some(last), _) => Some(last.target.clone()),
        (None, Some(id)) => target_of(core, *id).await?,
        (None, None) => None,
    };
    Ok(Known {
        receiver,
        due: due.len(),
        next: snapshot.next.filter(|_| !due.is_empty()),
        in_flight: snapshot.in_flight,
        breaker: snapshot.breaker,
        paused_until: snapshot.paused_until,
        disabled_until: snapshot.disabled_until,
        waiting: waiting(core, target.as_ref(), snapshot.waiting),
        target,
        last,
    })
}

async fn target_of(core: &Core, id: crate::id::JobId) -> Result<Option<Target>, store::Error> {
    match core.store.call(id).await {
        Err(store::Error::Sealed { .. } | store::Error::Corrupt(_)) => Ok(None),
        call => Ok(call?.and_then(|call| call.target)),
    }
}

/// What holds up every delivery comes before what holds up those of one receiver.
fn waiting(core: &Core, target: Option<&Target>, of_receiver: Option<Waiting>) -> Option<Waiting> {
    let policy = core.policy();
    if core.sends_no_more() {
        return Some(Reason::ShuttingDown.into());
    }
    if policy.signing == Signing::Waiting {
        return Some(Reason::SigningKey.into());
    }
    if target.is_some_and(|target| !policy.can_send_to(target.named_by)) {
        return Some(Reason::Header.into());
    }
    of_receiver
}
