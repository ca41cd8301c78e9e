//! The delivery loop: whose turn it is, and claiming attempts for them.
//!
//! Fresh results of executions skip the loop where the receiver has room ([`reserve`]). What an
//! administrator had replayed comes after all live deliveries that are due for the same receiver, and
//! takes a quarter of its room at most. Invariant: an attempt begins only after its claim is committed,
//! and never beyond a receiver's room, its rate or its breaker.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::attempt::{self, Loaded};
use super::core::Core;
use super::receivers::{Slot, Turn};
use crate::id::JobId;
use crate::job::{Call, Change, Job, Rank, Target};
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
            biased;
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
    let claims = ready.into_iter().map(|turn| claim_for(core, turn));
    join_all(claims).await.into_iter().collect()
}

/// Claims what is due for one receiver, and parks it again for what is due later. A failure parks it
/// too: it must not be forgotten.
async fn claim_for(core: &Arc<Core>, turn: Turn) -> Result<(), store::Error> {
    let receiver = turn.receiver;
    let ranks = if turn.replays > 0 {
        &Rank::ALL[..]
    } else {
        &[Rank::Live]
    };
    let claimed = claim_due(core, turn).await;
    for rank in ranks {
        let next = match &claimed {
            Ok(()) => core.store.next_due(receiver, *rank).await,
            Err(_) => Ok(Some(core.now())),
        };
        if let Some(at) = next.unwrap_or_else(|_| Some(core.now())) {
            core.receivers.park(receiver, *rank, at);
        }
    }
    claimed
}

/// Claims live deliveries first; replayed ones get what is left, up to their share.
async fn claim_due(core: &Arc<Core>, turn: Turn) -> Result<(), store::Error> {
    let Turn {
        receiver,
        slots,
        replays,
    } = turn;
    let (now, room) = (core.now(), slots.len());
    let mut due = core.store.due(receiver, Rank::Live, now, room).await?;
    let left = replays.min(room - due.len());
    if left > 0 {
        due.extend(core.store.due(receiver, Rank::Replayed, now, left).await?);
    }
    let claims = due.into_iter().zip(slots).map(|(id, slot)| claim(core, id, slot));
    join_all(claims).await.into_iter().collect()
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
    if let Some((receiver, rank, at)) = job.rows().due {
        core.receivers.park(receiver, rank, at);
    }
}

/// Begins a claimed attempt. `loaded` spares reading what is at hand.
pub(super) fn spawn(core: &Arc<Core>, mut slot: Slot, job: Job, loaded: Option<Loaded>) {
    slot.begin(job.rank());
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
