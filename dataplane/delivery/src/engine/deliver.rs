//! The delivery loop: which receivers are next, and claiming attempts for them.
//!
//! A fresh result skips the loop if its receiver has capacity ([`reserve`]). Replayed deliveries come after all live ones
//! that are due for the same receiver, and use at most a quarter of its in-flight limit. Invariant: an attempt begins
//! only after its claim is committed, and within the receiver's in-flight limit, rate and breaker.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::attempt::{self, Loaded};
use super::core::Core;
use super::memory_budget::Held;
use super::receivers::{Slot, Turn};
use crate::clock::Millis;
use crate::job::{Call, Job, Key, Rank};
use crate::state::Push;
use crate::store::{self, ClaimDue, Due};

/// How long to wait when nothing is scheduled; scheduling wakes the loop.
const IDLE: Duration = Duration::from_mins(1);
/// When a receiver is considered again whose deliveries are all of clients that use their whole share.
const PASSED_OVER: Duration = Duration::from_secs(1);

/// Claims and attempts until the engine sends no more, which is some time after it begins no more calls.
pub(super) async fn run(core: &Arc<Core>) {
    let mut policy = core.policy_changes();
    let mut faults = 0;
    while !core.sends_no_more() {
        if let Err(error) = claim_ready(core).await {
            core.pause(&error, faults).await;
            faults += 1;
            continue;
        }
        faults = 0;
        tokio::select! {
            biased;
            () = core.last.cancelled() => {}
            () = core.receivers.changed() => {}
            () = policy.next() => core.receivers.release_held(),
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

/// Claims what is due for one receiver, and schedules what is due later. After a failure it is scheduled again, so that
/// the receiver is not forgotten.
async fn claim_for(core: &Arc<Core>, turn: Turn) -> Result<(), store::Error> {
    let Turn {
        receiver,
        slots,
        replays,
        passed_over,
        last,
    } = turn;
    let others_first = !passed_over.is_empty();
    let claim = ClaimDue {
        receiver,
        room: slots.len(),
        replays,
        passed_over,
        last,
        stamp: core.stamp(),
    };
    let due = claim_due(core, claim).await.inspect_err(|_| {
        core.receivers.schedule(receiver, Rank::Live, core.now(), None);
        core.receivers
            .schedule(receiver, Rank::Replayed, core.now(), None);
    })?;
    // What is due, but was passed over, waits for an attempt of its client to end.
    let earliest = if others_first && due.claimed.is_empty() {
        core.now().plus(PASSED_OVER)
    } else {
        Millis(0)
    };
    for (job, slot) in due.claimed.into_iter().zip(slots) {
        spawn(core, slot, job, None);
    }
    for (rank, at) in Rank::ALL.into_iter().zip(due.next) {
        if let Some(at) = at {
            core.receivers.schedule(receiver, rank, at.max(earliest), None);
        }
    }
    Ok(())
}

/// Claims live deliveries first; replayed ones get what is left, up to their share. A claim whose commit
/// reported failure is read again: nothing else claims for this receiver, so what is being sent and not held is what was
/// claimed.
async fn claim_due(core: &Arc<Core>, claim: ClaimDue) -> Result<Due, store::Error> {
    let receiver = claim.receiver;
    let claimed = core.store.claim_due(claim).await;
    let Err(store::Error::Unknown(_)) = claimed else {
        return claimed;
    };
    let in_flight = core.read(|| core.store.in_flight()).await?;
    let claimed = in_flight.into_iter().filter(|job| {
        let is_here = job.receiver == Some(receiver) && job.owner == Some(core.owner);
        is_here && job.state.push == Push::Sending && !core.holds.has(job.id)
    });
    let mut due = Due {
        claimed: claimed.collect(),
        next: [None, None],
    };
    for (rank, next) in Rank::ALL.into_iter().zip(&mut due.next) {
        *next = core.read(|| core.store.next_due(receiver, rank)).await?;
    }
    Ok(due)
}

/// Capacity to attempt at once a result of `size` bytes that is about to be committed.
pub(super) fn reserve(core: &Core, call: &Call, size: usize) -> Option<(Held, Slot)> {
    let policy = core.policy();
    let target = call.target.as_ref()?;
    if core.sends_no_more() || !policy.can_send_to(target.named_by) {
        return None;
    }
    let receiver = target.receiver();
    let held = core.memory.body(receiver, size)?;
    let whose = (receiver, Key::of(&call.client));
    let slot = core.receivers.reserve(whose, core.now(), &policy.per_receiver)?;
    Some((held, slot))
}

/// Begins a claimed attempt, unless it is in progress. `loaded`: the call and body, if they are in memory already.
pub(super) fn spawn(core: &Arc<Core>, mut slot: Slot, job: Job, loaded: Option<Loaded>) {
    let Some(hold) = core.holds.take_attempt(job.id, job.run) else {
        return;
    };
    slot.begin(job.rank(), job.client);
    let attempt = attempt::run(Arc::clone(core), (slot, hold), job, loaded);
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
