//! The delivery loop: whose turn it is, and claiming attempts for them.
//!
//! Fresh results of executions skip the loop where the receiver has room ([`reserve`]). Invariant: an
//! attempt begins only after its claim is committed, and never beyond a receiver's room, its
//! rate or its breaker.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;

use super::attempt;
use super::core::Core;
use super::receivers::Slot;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Call, Change, Job, Key, Target};
use crate::store;

/// How long to wait when nothing is parked; parking wakes the loop.
const IDLE: Duration = Duration::from_mins(1);

/// Claims and attempts until the engine stops.
pub(super) async fn run(core: &Arc<Core>) {
    let mut policy = core.policy_changes();
    let mut faults = 0;
    while !core.is_stopping() {
        if let Err(error) = claim_ready(core).await {
            core.pause(&error, faults).await;
            faults += 1;
            continue;
        }
        faults = 0;
        tokio::select! {
            () = core.stop.cancelled() => {}
            () = core.receivers.changed() => {}
            () = policy.next() => {}
            () = tokio::time::sleep(until_next_turn(core)) => {}
        }
    }
}

async fn claim_ready(core: &Arc<Core>) -> Result<(), store::Error> {
    let policy = core.policy();
    if !policy.can_send() {
        return Ok(()); // no signing key can be read: deliveries wait for a policy with one
    }
    let ready = core.receivers.ready(core.now(), &policy.per_receiver);
    let claims = ready
        .into_iter()
        .map(|(receiver, slots)| claim_for(core, receiver, slots));
    join_all(claims).await.into_iter().collect()
}

/// Claims what is due for one receiver, and parks it again for what is due later. A failure parks it
/// too: it must not be forgotten.
async fn claim_for(core: &Arc<Core>, receiver: Key, slots: Vec<Slot>) -> Result<(), store::Error> {
    let claimed = claim_due(core, receiver, slots).await;
    let next = claimed.as_ref().map_or(Some(core.now()), |next| *next);
    if let Some(at) = next {
        core.receivers.park(receiver, at);
    }
    claimed.map(drop)
}

async fn claim_due(
    core: &Arc<Core>,
    receiver: Key,
    slots: Vec<Slot>,
) -> Result<Option<Millis>, store::Error> {
    let due = core.store.due(receiver, core.now(), slots.len()).await?;
    let claims = due.into_iter().zip(slots).map(|(id, slot)| claim(core, id, slot));
    let claimed: Result<Vec<()>, _> = join_all(claims).await.into_iter().collect();
    claimed?;
    core.store.next_due(receiver).await
}

async fn claim(core: &Arc<Core>, id: JobId, slot: Slot) -> Result<(), store::Error> {
    let claimed = core.store.apply(id, vec![Change::Claim], core.now()).await?;
    if let Some(job) = claimed {
        spawn(core, slot, job, None);
    }
    Ok(())
}

/// Room to attempt a result at once that is about to be committed.
pub(super) fn reserve(core: &Core, call: &Call) -> Option<Slot> {
    let policy = core.policy();
    let target = call.target.as_ref()?;
    if core.is_stopping() || !policy.can_send() {
        return None;
    }
    core.receivers
        .reserve(Target::key(target), core.now(), &policy.per_receiver)
}

/// Notes a due job's turn.
pub(super) fn park(core: &Core, job: &Job) {
    if let Some((receiver, at)) = job.rows().due {
        core.receivers.park(receiver, at);
    }
}

/// Begins a claimed attempt. `loaded` spares reading what is at hand.
pub(super) fn spawn(core: &Arc<Core>, mut slot: Slot, job: Job, loaded: Option<(Arc<Call>, Bytes)>) {
    slot.begin();
    let attempt = attempt::run(Arc::clone(core), slot, job, loaded);
    core.attempts.spawn(attempt);
}

fn until_next_turn(core: &Core) -> Duration {
    let policy = core.policy();
    let next = core
        .receivers
        .next_turn(&policy.per_receiver)
        .filter(|_| policy.can_send());
    next.map_or(IDLE, |at| at.since(core.now()).min(IDLE))
}
