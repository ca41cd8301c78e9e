//! `webhook.retry`, as a job keeps it.
//!
//! Acceptance and the delivery policy read it. Invariant: a job keeps the schedule that held when it began.

use asyncmcp_crds::effective::Waits;
use asyncmcp_delivery::job::Retry;

/// When the attempts of a delivery that begins now are repeated.
pub(crate) fn of(waits: &Waits) -> Retry {
    match waits {
        Waits::Exponential {
            retries,
            initial,
            max,
            jitter_percent,
        } => Retry::Exponential {
            retries: *retries,
            initial: *initial,
            max: *max,
            jitter_percent: *jitter_percent,
        },
        Waits::Schedule(waits) => Retry::Schedule {
            waits: waits.clone(),
            jitter_percent: 0,
        },
    }
}
