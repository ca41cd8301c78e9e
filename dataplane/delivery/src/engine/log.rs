//! One log line per attempt, and what an attempt leaves on its span.
//!
//! The engine calls it. Invariant: no URL, no header, no body and no secret in a line.

use std::time::Duration;

use tracing::Span;

use super::delivery::Delivery;
use super::receivers::Sample;
use crate::history::Outcome;
use crate::job::{Call, Change, Job};
use crate::policy::Policy;
use crate::sender::Attempt;
use crate::verdict::Verdict;

/// The line of an attempt that ended by itself.
pub(super) fn attempt(
    policy: &Policy,
    Delivery { job, call }: &Delivery,
    (attempt, outcome): (&Attempt, Outcome),
    change: &Change,
) {
    let next = match change {
        Change::Retry { at, .. } => Some(at.to_string()),
        _ => None,
    };
    tracing::info!(
        target: "asyncmcp::delivery",
        job = %job.id,
        webhook_id = job.id.webhook_id(),
        route = policy.route,
        tool = call.shown_as,
        attempt = job.attempts,
        outcome = outcome.as_str(),
        status = attempt.status,
        category = word(attempt.verdict),
        duration_ms = u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
        next,
        "attempt"
    );
}

/// The line of an attempt that was interrupted.
pub(super) fn interrupted(policy: &Policy, Delivery { job, call }: &Delivery) {
    tracing::info!(
        target: "asyncmcp::delivery",
        job = %job.id,
        webhook_id = job.id.webhook_id(),
        route = policy.route,
        tool = call.shown_as,
        attempt = job.attempts,
        outcome = Outcome::Interrupted.as_str(),
        "attempt"
    );
}

/// This job's attempt opened a receiver's breaker, or closed it again.
pub(super) fn breaker(policy: &Policy, Delivery { job, call }: &Delivery, sample: Sample) {
    tracing::warn!(
        target: "asyncmcp::delivery",
        job = %job.id,
        route = policy.route,
        tool = call.shown_as,
        state = match sample {
            Sample::Ill => "open",
            Sample::Well => "closed",
        },
        "a receiver's circuit breaker changed state"
    );
}

/// This job's receiver wants no attempts for now.
pub(super) fn disabled(policy: &Policy, Delivery { job, call }: &Delivery, wait: Duration) {
    tracing::warn!(
        target: "asyncmcp::delivery",
        job = %job.id,
        route = policy.route,
        tool = call.shown_as,
        seconds = wait.as_secs(),
        "a receiver answered `webhook-delivery: disable`; it gets no attempts for a while"
    );
}

/// What an administrator did to a job.
pub(super) fn acted(policy: &Policy, job: &Job, what: &'static str) {
    tracing::info!(
        target: "asyncmcp::delivery",
        job = %job.id,
        webhook_id = job.id.webhook_id(),
        route = policy.route,
        replays = job.replays,
        action = what,
        "an administrator changed a job"
    );
}

/// A job ends because it is unknown whether it ran.
pub(super) fn unknown(job: &Job, call: &Call, poisoned: bool) {
    tracing::warn!(
        target: "asyncmcp::delivery",
        job = %job.id,
        tool = call.shown_as,
        executions = job.executions,
        reason = if poisoned { "poisoned" } else { "interrupted" },
        "the outcome of a call is unknown"
    );
}

/// Records status and failure on the attempt's span.
pub(super) fn onto_span(span: &Span, attempt: &Attempt) {
    if let Some(status) = attempt.status {
        span.record("http.response.status_code", i64::from(status));
    }
    if let Some(word) = word(attempt.verdict) {
        span.record("error.type", word);
        span.record("otel.status_code", "ERROR");
    }
}

fn word(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Requeue(fault) => Some(fault.as_str()),
        other => other.category().map(crate::state::Category::as_str),
    }
}
