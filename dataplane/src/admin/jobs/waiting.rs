//! What a job waits for, as the jobs API shows it.
//!
//! Invariant: the message names the field or the part that a person can do something about.

use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::Engine;
use asyncmcp_delivery::engine::jobs::{Listed, Shown};
use asyncmcp_delivery::engine::waiting::{Reason, Waiting};

use super::view::WaitingFor;
use super::{times, view};

/// A job as it is shown in lists.
pub(super) fn listed(engine: &Engine, clock: &Clock, listed: Listed) -> view::Job {
    let waiting = engine.waiting_for(&listed).map(|waiting| of(clock, waiting));
    view::Job::from(times::listed(clock, listed)).that_waits_for(waiting)
}

/// A job as it is shown alone.
pub(super) fn shown(engine: &Engine, clock: &Clock, shown: Shown) -> view::Job {
    let waiting = engine
        .waiting_for(&shown.listed)
        .map(|waiting| of(clock, waiting));
    view::Job::from(times::shown(clock, shown)).that_waits_for(waiting)
}

pub(super) fn of(clock: &Clock, Waiting { reason, until }: Waiting) -> WaitingFor {
    WaitingFor {
        reason: reason.as_str(),
        until: until.map(|until| clock.shown(until).to_string()),
        message: message(reason),
    }
}

/// The message as the end of a sentence about something that waits.
pub(super) fn sentence(reason: Reason) -> String {
    match reason {
        Reason::Retry | Reason::Breaker | Reason::Rate | Reason::Turn => format!(" for {}", message(reason)),
        _ => format!(": {}", message(reason)),
    }
}

fn message(reason: Reason) -> &'static str {
    match reason {
        Reason::ShuttingDown => "the process is shutting down; the next one continues",
        Reason::StoreKey => "the key that it is encrypted with is missing from store.json",
        Reason::SigningKey => "no key of webhook.signing can be used; /status says why",
        Reason::Header => "a header of webhook.receivers.default cannot be read; /status names its key",
        Reason::Retry => "the time of its next attempt",
        Reason::Breaker => "the receiver's circuit breaker: most of its recent attempts failed",
        Reason::Receiver => "the receiver asked for a pause (Retry-After, or webhook-delivery: disable)",
        Reason::Rate => "the rate of webhook.perReceiver.ratePerSecond",
        Reason::InFlight => "as many attempts are in progress as webhook.perReceiver.maxInFlight allows",
        Reason::Server => "its server cannot be reached; it is tried again",
        Reason::ServerGone => "its server is not in the route any more; the call ends after ten minutes",
        Reason::StoreSpace => "the store has no space for executions",
        Reason::Running => {
            "as many calls are running as maxConcurrentJobs, maxConcurrent, webhook.maxRunning or the client's share allow"
        }
        Reason::Turn => "its turn",
    }
}
