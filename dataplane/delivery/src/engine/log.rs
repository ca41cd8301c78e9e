//! One log line per attempt, and what an attempt leaves on its span.
//!
//! The engine calls it. Invariant: no URL, no header, no body and no secret in a line.

use std::time::Duration;

use tracing::Span;
use url::Url;

use super::delivery::Delivery;
use super::receivers::BreakerChange;
use crate::history::Outcome;
use crate::job::{Call, Change, Job, NOTICE_TYPE};
use crate::policy::Policy;
use crate::sender::Attempt;
use crate::state::Category;
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
    // The level of a line is part of its call site.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "asyncmcp::delivery",
                job = %job.id,
                webhook_id = job.id.webhook_id(),
                route = policy.route,
                tool = call.shown_as,
                event = job.is_notice().then_some(NOTICE_TYPE),
                attempt = job.attempts,
                outcome = outcome.as_str(),
                status = attempt.status,
                category = word(attempt.verdict),
                duration_ms = u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
                next,
                host = host(call).filter(|_| outcome == Outcome::Dead),
                "attempt"
            )
        };
    }
    if outcome == Outcome::Dead {
        line!(warn);
    } else {
        line!(info);
    }
}

/// A delivery that waited too long became a dead letter without another attempt.
pub(super) fn expired(policy: &Policy, job: &Job) {
    tracing::warn!(
        target: "asyncmcp::delivery",
        job = %job.id,
        webhook_id = job.id.webhook_id(),
        route = policy.route,
        outcome = Outcome::Dead.as_str(),
        category = Category::Expired.as_str(),
        "a delivery is older than webhook.maxAge"
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
pub(super) fn breaker(policy: &Policy, Delivery { job, call }: &Delivery, change: BreakerChange) {
    let host = host(call);
    match change {
        BreakerChange::Opened(wait) => tracing::warn!(
            target: "asyncmcp::delivery",
            host,
            webhook_id = job.id.webhook_id(),
            route = policy.route,
            state = "open",
            seconds = wait.as_secs(),
            "the circuit breaker of a receiver opened: most of its recent attempts failed, so it gets none for a while"
        ),
        BreakerChange::Closed => tracing::warn!(
            target: "asyncmcp::delivery",
            host,
            webhook_id = job.id.webhook_id(),
            route = policy.route,
            state = "closed",
            "the circuit breaker of a receiver closed: it works again"
        ),
    }
}

/// A receiver's host; its path and query may hold credentials.
fn host(call: &Call) -> Option<String> {
    let url = Url::parse(&call.target.as_ref()?.url).ok()?;
    url.host_str().map(str::to_owned)
}

/// This job's receiver wants no attempts for now.
pub(super) fn disabled(policy: &Policy, Delivery { job, call }: &Delivery, wait: Duration) {
    tracing::warn!(
        target: "asyncmcp::delivery",
        host = host(call),
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
