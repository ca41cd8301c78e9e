//! One attempt from its claim to its committed outcome.
//!
//! `deliver` spawns it. Invariant: the receiver's slot is held until the outcome is committed, and a
//! job that is sent leaves `sending` in exactly one of three ways: delivered, due again, dead.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::{Instrument, Span};

use super::core::Core;
use super::damage;
use super::delivery::Delivery;
use super::holds::Hold;
use super::last_hour::Event;
use super::log;
use super::memory_budget::Held;
use super::receivers::{Sample, Slot};
use crate::clock::Millis;
use crate::history::{Entry, Outcome};
use crate::id::JobId;
use crate::job::{Applied, Call, Change, Expect, Job};
use crate::policy::Policy;
use crate::sender::{Attempt, Kind, Post};
use crate::state::Category;
use crate::verdict::Verdict;
use crate::{schedule, store, trace};

/// The call and the body of an attempt, and the memory that the body takes.
pub(super) type Loaded = (Arc<Call>, Bytes, Held);

/// What became of an attempt.
enum Sent {
    /// The receiver answered, or the network failed.
    Answered(Attempt),
    /// Interrupted by the end of the process.
    Cut,
    /// An administrator stopped the delivery.
    Stopped,
    /// Nothing was sent: a key to sign it with, or a header that belongs to it, cannot be read.
    Held,
}

pub(super) async fn run(core: Arc<Core>, (slot, hold): (Slot, Hold), job: Job, loaded: Option<Loaded>) {
    let Some((call, body, _held)) = load(&core, &job, loaded).await else {
        return; // still `sending`: the next process resumes it
    };
    let span = trace::attempt(&job, &call);
    let delivery = Delivery { job, call };
    let sent = tokio::select! {
        biased;
        sent = send(&core, &hold, &delivery, &body).instrument(span) => sent,
        () = hold.stopped() => Sent::Stopped,
    };
    let took = Some(core.now().since(delivery.job.turn));
    match sent {
        Sent::Answered(attempt) => settle(&core, &slot, &delivery, attempt).await,
        Sent::Cut => interrupted(&core, &delivery, took, delivery.held()).await,
        Sent::Stopped => stopped(&core, &delivery, took).await,
        Sent::Held => put_back_held(&core, &delivery).await,
    }
    drop(slot);
}

/// Puts back a job whose attempt was interrupted, after `took` where that is known. It is due at once and
/// uses no retry.
pub(super) async fn interrupted(core: &Core, delivery: &Delivery, took: Option<Duration>, expect: Expect) {
    // Logged before it is put back: the line explains a delivery that its receiver saw twice.
    core.metrics.interrupted();
    log::interrupted(&core.policy(), delivery);
    let entry = Entry {
        duration: took,
        next: Some(core.now()),
        ..blank(&delivery.job, Outcome::Interrupted)
    };
    put_back(core, &delivery.job, Some(entry), expect).await;
}

/// Makes a job due at once; what was done so far uses no retry.
async fn put_back(core: &Core, job: &Job, entry: Option<Entry>, expect: Expect) {
    let at = core.now();
    let again = Change::Retry { at, why: None };
    let changes = entry.map(Change::Attempted).into_iter().chain([again]).collect();
    if let Some(Applied::Applied(job)) = core.apply_surely(job.id, expect, changes).await {
        core.schedule(&job);
    }
}

/// Puts back a job that cannot be sent under the present policy, and keeps others of its receiver from being claimed. A
/// policy that came in between released the receiver before it was held, so it is read again.
async fn put_back_held(core: &Core, delivery: &Delivery) {
    if let Some(receiver) = delivery.job.receiver {
        core.receivers.hold(receiver);
    }
    put_back(core, &delivery.job, None, delivery.held()).await;
    let named_by = delivery.call.target.as_ref().map(|target| target.named_by);
    if named_by.is_some_and(|named_by| core.policy().can_send_to(named_by)) {
        core.receivers.release_held();
    }
}

/// The delivery was stopped, which is committed already: the attempt only goes into the history.
async fn stopped(core: &Core, delivery: &Delivery, took: Option<Duration>) {
    core.metrics.interrupted();
    log::interrupted(&core.policy(), delivery);
    let entry = Entry {
        duration: took,
        ..blank(&delivery.job, Outcome::Interrupted)
    };
    came_late(core, &delivery.job, entry).await;
}

async fn load(core: &Core, job: &Job, loaded: Option<Loaded>) -> Option<Loaded> {
    if loaded.is_some() {
        return loaded;
    }
    let receiver = job.receiver?;
    let held = tokio::select! {
        biased;
        held = core.memory.stored_body(receiver, job.size) => held,
        () = core.cut.cancelled() => return None,
    };
    match core.read(|| read(core, job.id)).await {
        Ok(read) => read.map(|(call, body)| (Arc::new(call), body, held)),
        Err(store::Error::Down(_)) => None, // interrupted by our shutdown
        Err(error) => {
            damage::handle(core, job.id, &error).await;
            None
        }
    }
}

async fn read(core: &Core, id: JobId) -> Result<Option<(Call, Bytes)>, store::Error> {
    let call = core.store.call(id).await?;
    Ok(call.zip(core.store.body(id).await?))
}

async fn send(core: &Core, hold: &Hold, Delivery { job, call }: &Delivery, body: &Bytes) -> Sent {
    hold.is_alone().await;
    let policy = core.policy();
    let Some(target) = &call.target else {
        return Sent::Cut; // only what has a receiver is ever due
    };
    if !policy.can_send_to(target.named_by) {
        return Sent::Held;
    }
    let post = Post {
        job,
        call,
        target,
        body,
        at: core.clock.wall(),
        ended: core.clock.shown(job.ended.unwrap_or(job.accepted)),
        trace: &trace::outgoing(&call.trace),
        policy: &policy,
        kind: if job.is_notice() {
            Kind::DeadLetter
        } else {
            Kind::Result
        },
    };
    let attempt = tokio::select! {
        biased;
        attempt = core.sender.send(post) => attempt,
        () = core.cut.cancelled() => return Sent::Cut,
    };
    log::onto_span(&Span::current(), &attempt);
    Sent::Answered(attempt)
}

async fn settle(core: &Core, slot: &Slot, delivery: &Delivery, attempt: Attempt) {
    let (policy, job) = (core.policy(), &delivery.job);
    if let Some(sample) = sample(attempt.verdict)
        && let Some(change) = slot.sample(sample, core.now())
    {
        log::breaker(&policy, delivery, change);
    }
    block(core, delivery, &policy, &attempt);
    let next = wait(core, delivery, &attempt).map(|wait| core.now().plus(wait));
    let (change, outcome) = step(attempt.verdict, next, deadline(core, job, attempt.verdict));
    core.metrics.attempted(&attempt, outcome);
    core.last_attempts
        .note((job, &delivery.call), (&attempt, outcome), core.now());
    log::attempt(&policy, delivery, (&attempt, outcome), &change);
    let entry = entry(job, &attempt, outcome, &change);
    let is_told = outcome != Outcome::Delivered || job.attempts > 1 || job.replays > 0;
    let attempted = is_told.then(|| Change::Attempted(entry.clone()));
    let end = match &change {
        Change::Bury { why } => core.burial(job, Some(&delivery.call), *why),
        change => vec![change.clone()],
    };
    let changes: Vec<Change> = attempted.into_iter().chain(end).collect();
    match core.apply_surely(job.id, delivery.held(), changes.clone()).await {
        Some(Applied::Applied(after)) => {
            core.metrics.settled(job, &change, attempt.verdict, core.now());
            note(core, job, outcome);
            core.schedule(&after);
            core.schedule_event(&changes);
            core.forget_event(&after).await;
        }
        Some(Applied::Moved(_)) => came_late(core, job, entry).await,
        Some(Applied::Gone | Applied::Fenced) | None => {}
    }
}

/// Counts the attempt for the overview of the last hour.
fn note(core: &Core, job: &Job, outcome: Outcome) {
    let now = core.now();
    let since = now.since(job.undelivered_since().unwrap_or(job.accepted));
    match outcome {
        Outcome::Delivered => core.last_hour.note(Event::Delivered(since), now),
        Outcome::Retry => core.last_hour.note(Event::Failed, now),
        Outcome::Dead => {
            core.last_hour.note(Event::Failed, now);
            core.last_hour.note(Event::Dead, now);
        }
        Outcome::Interrupted => {}
    }
}

/// Keeps an attempt in the history that ended nothing, because the job was stopped or replayed meanwhile.
async fn came_late(core: &Core, job: &Job, entry: Entry) {
    let attempted = vec![Change::Attempted(entry)];
    core.apply_surely(job.id, Expect::Any, attempted).await;
}

/// The attempt as the job's history keeps it. A delivery that succeeds at once, the common case, has no entry: its
/// header says everything.
fn entry(job: &Job, attempt: &Attempt, outcome: Outcome, change: &Change) -> Entry {
    Entry {
        duration: Some(attempt.duration),
        category: attempt.verdict.category(),
        fault: match attempt.verdict {
            Verdict::Requeue(fault) => Some(fault),
            _ => None,
        },
        status: attempt.status,
        next: match change {
            Change::Retry { at, .. } => Some(*at),
            _ => None,
        },
        ..blank(job, outcome)
    }
}

/// What the header says about the attempt in progress.
fn blank(job: &Job, outcome: Outcome) -> Entry {
    Entry {
        replay: job.replays,
        started: job.turn,
        duration: None,
        outcome,
        category: None,
        fault: None,
        status: None,
        next: None,
    }
}

/// What the attempt says about the receiver. A policy refusal or a fault of ours did not reach it.
fn sample(verdict: Verdict) -> Option<Sample> {
    match verdict {
        Verdict::Delivered | Verdict::Terminal(_) => Some(Sample::Well),
        Verdict::Retry(_) => Some(Sample::Ill),
        Verdict::Refused(_) | Verdict::Requeue(_) => None,
    }
}

/// How long until the next attempt, if a retry is left. A fault of ours uses none.
fn wait(core: &Core, Delivery { job, call }: &Delivery, attempt: &Attempt) -> Option<Duration> {
    let ours = matches!(attempt.verdict, Verdict::Requeue(_));
    let faults = core.receivers.fault(job.receiver?, ours);
    if ours {
        return Some(core.back_off(faults));
    }
    let longest = core.policy().retry_after_max;
    schedule::next(
        &call.retry,
        job.attempts,
        attempt.retry_after,
        longest,
        (core.rng)(),
    )
}

/// A receiver that says when to come back gets no attempt until then, neither of this job nor of others; nor does one that
/// wants none at all (`webhook-delivery: disable`), with any status, for as long as the route waits at most.
fn block(core: &Core, delivery: &Delivery, policy: &Policy, attempt: &Attempt) {
    let (Some(wait), Some(receiver)) = (attempt.retry_after, delivery.job.receiver) else {
        return;
    };
    let until = core.now().plus(wait.min(policy.retry_after_max));
    if attempt.disables {
        core.receivers.disable(receiver, until);
        log::disabled(policy, delivery, until.since(core.now()));
    } else if matches!(attempt.status, Some(429 | 503)) {
        core.receivers.block(receiver, until);
    }
}

/// When the delivery is too old: `maxAge` after the result. While only faults of ours have prevented it, the time before
/// this process started does not count.
fn deadline(core: &Core, job: &Job, verdict: Verdict) -> Millis {
    let result = job.undelivered_since().unwrap_or(job.accepted);
    let since = match verdict {
        Verdict::Requeue(_) => result.max(core.started),
        _ => result,
    };
    since.plus(core.policy().max_age)
}

/// The change that a verdict means; `next` is when the next attempt would be, if a retry is left.
fn step(verdict: Verdict, next: Option<Millis>, deadline: Millis) -> (Change, Outcome) {
    let bury = |why| (Change::Bury { why }, Outcome::Dead);
    match (verdict, next) {
        (Verdict::Delivered, _) => (Change::Deliver, Outcome::Delivered),
        (Verdict::Refused(_), _) => bury(Category::Blocked),
        (Verdict::Terminal(why), _) | (Verdict::Retry(why), None) => bury(why),
        (_, Some(at)) if at > deadline => bury(Category::Expired),
        (Verdict::Retry(why), Some(at)) => (Change::Retry { at, why: Some(why) }, Outcome::Retry),
        (Verdict::Requeue(_), at) => {
            let at = at.unwrap_or(deadline);
            (Change::Retry { at, why: None }, Outcome::Retry)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Fault;

    const NEXT: Option<Millis> = Some(Millis(50));
    const DEADLINE: Millis = Millis(100);

    #[test]
    fn a_failure_is_retried_while_retries_and_age_allow() {
        let why = Category::Http5xx;
        let retried = (
            Change::Retry {
                at: Millis(50),
                why: Some(why),
            },
            Outcome::Retry,
        );
        assert_eq!(step(Verdict::Retry(why), NEXT, DEADLINE), retried);
        let dead = |why| (Change::Bury { why }, Outcome::Dead);
        assert_eq!(step(Verdict::Retry(why), None, DEADLINE), dead(why));
        assert_eq!(
            step(Verdict::Retry(why), Some(Millis(101)), DEADLINE),
            dead(Category::Expired)
        );
    }

    #[test]
    fn what_the_receiver_will_never_take_is_buried_at_once() {
        let dead = |why| (Change::Bury { why }, Outcome::Dead);
        let gone = Verdict::Terminal(Category::Http4xx);
        assert_eq!(step(gone, NEXT, DEADLINE), dead(Category::Http4xx));
    }

    #[test]
    fn a_fault_of_ours_uses_no_retry() {
        let again = (
            Change::Retry {
                at: Millis(50),
                why: None,
            },
            Outcome::Retry,
        );
        assert_eq!(step(Verdict::Requeue(Fault::Resolver), NEXT, DEADLINE), again);
    }
}
