//! How results are delivered.
//!
//! Invariant: a retry schedule that passes has waits above zero and is finite.

use super::{Findings, receivers, references};
use crate::effective;
use crate::v1alpha1::{DeadLetter, Exponential, Retry, Signing, Webhook, webhook};

pub(super) fn check(webhook: Option<&Webhook>, findings: &mut Findings) {
    let Some(webhook) = webhook else { return };
    findings.not_zero("spec.webhook.timeout", webhook.timeout.as_ref());
    findings.not_zero("spec.webhook.maxAge", webhook.max_age.as_ref());
    check_limits(webhook, findings);
    if let Some(retry) = &webhook.retry {
        check_retry(retry, findings);
    }
    if let Some(signing) = &webhook.signing {
        check_signing(signing, findings);
    }
    if let Some(given) = &webhook.receivers {
        receivers::check(given, findings);
    }
}

fn check_limits(webhook: &Webhook, findings: &mut Findings) {
    findings.not_zero("spec.webhook.resultRetention", webhook.result_retention.as_ref());
    findings.maybe_range("spec.webhook.maxRunning", 1..=10_000, webhook.max_running);
    if let Some(given) = &webhook.per_client {
        let path = "spec.webhook.perClient";
        findings.maybe_range(
            format_args!("{path}.maxPending"),
            1..=10_000_000,
            given.max_pending,
        );
        let percent = given.max_running_percent.map(u32::from);
        findings.maybe_range(format_args!("{path}.maxRunningPercent"), 1..=100, percent);
        let rate = given.requests_per_second;
        findings.maybe_range(format_args!("{path}.requestsPerSecond"), 1..=10_000, rate);
    }
    if let Some(given) = &webhook.per_receiver {
        let path = "spec.webhook.perReceiver";
        findings.maybe_range(format_args!("{path}.maxInFlight"), 1..=1000, given.max_in_flight);
        let rate = given.rate_per_second;
        findings.maybe_range(format_args!("{path}.ratePerSecond"), 1..=10_000, rate);
    }
    if let Some(DeadLetter { retention, notify }) = &webhook.dead_letter {
        findings.not_zero("spec.webhook.deadLetter.retention", retention.as_ref());
        if let Some(notify) = notify {
            receivers::check_of_author("spec.webhook.deadLetter.notify", notify, findings);
        }
    }
}

fn check_retry(retry: &Retry, findings: &mut Findings) {
    let alone = retry.schedule.is_none() || (retry.max.is_none() && retry.exponential.is_none());
    findings.require(alone, "spec.webhook.retry", webhook::SCHEDULE_MESSAGE);
    findings.range("spec.webhook.retry.max", 0..=50, retry.max.unwrap_or_default());
    findings.not_zero("spec.webhook.retry.retryAfterMax", retry.retry_after_max.as_ref());
    if let Some(schedule) = &retry.schedule {
        findings.count("spec.webhook.retry.schedule", 1..=50, schedule.len());
        for (index, wait) in schedule.iter().enumerate() {
            findings.not_zero(format_args!("spec.webhook.retry.schedule[{index}]"), Some(wait));
        }
    }
    if let Some(exponential) = &retry.exponential {
        check_exponential(exponential, findings);
    }
}

/// `initial` is compared with the effective `max`, which may be the default.
fn check_exponential(given: &Exponential, findings: &mut Findings) {
    let path = "spec.webhook.retry.exponential";
    findings.not_zero(format_args!("{path}.initial"), given.initial.as_ref());
    findings.not_zero(format_args!("{path}.max"), given.max.as_ref());
    findings.range(
        format_args!("{path}.jitterPercent"),
        0..=100,
        given.jitter_percent.unwrap_or_default().into(),
    );
    let (initial, max) = effective::waits(given);
    findings.require(initial <= max, path, webhook::INITIAL_MESSAGE);
}

fn check_signing(signing: &Signing, findings: &mut Findings) {
    findings.count(
        "spec.webhook.signing.secretRefs",
        1..=4,
        signing.secret_refs.len(),
    );
    for (index, reference) in signing.secret_refs.iter().enumerate() {
        references::check_secret_key(
            &format!("spec.webhook.signing.secretRefs[{index}]"),
            reference,
            findings,
        );
    }
}
