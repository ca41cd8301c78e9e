//! How results are delivered: one attempt, the attempts after it, and the signature on each.
//!
//! Invariant: there is one way to say how often to try, `retry.max` with `exponential`, or `schedule`; never both.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DeadLetter, PerClient, PerReceiver, Receivers, SecretKeyRef};
use crate::{Duration, Size, form};

/// How results are delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// How long one attempt may take, from connecting until the receiver's answer was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What happens after an attempt that failed. Network errors, timeouts and most statuses other than 2xx are
    /// retried; 400, 410, 413, 415 and 422 are final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How old a result may become before it is given up as `expired` and kept as a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// How long a finished job is kept, so that the same call finds it again; dead letters have a time of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_retention: Option<Duration>,
    /// The largest response that is delivered, in bytes of its JSON. A larger one is dropped, and the receiver gets the
    /// error -31007 in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_result_size: Option<Size>,
    /// How many jobs may run at once on all servers together, 1 to 10000; the others wait in the store.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
    /// What one client may have under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_client: Option<PerClient>,
    /// How hard one receiver is pressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_receiver: Option<PerReceiver>,
    /// What happens to deliveries that were given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,
    /// The keys that sign deliveries (Standard Webhooks 1.0). Absent: deliveries carry `webhook-id` and
    /// `webhook-timestamp` but no signature, and status says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
    /// The receivers that results may be sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receivers: Option<Receivers>,
}

/// How often a delivery is tried, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schedule_stands_alone()))]
pub struct Retry {
    /// How many retries follow the first attempt, 0 to 50. Refused beside `schedule`, whose length says it.
    #[schemars(range(max = 50))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Waits that double: before retry n it is `initial` x 2^(n-1), at most `max`, give or take `jitterPercent`. Refused
    /// beside `schedule`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponential: Option<Exponential>,
    /// The wait before each retry, 1 to 50 of them, for example `[5s, 1m, 1h]`. Takes the place of `max` and
    /// `exponential`.
    #[schemars(length(min = 1, max = 50))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Vec<Duration>>,
    /// A receiver's `Retry-After` is honoured up to this long; a wait is never shorter than it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_max: Option<Duration>,
}

/// Waits that double.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = initial_is_at_most_max()))]
pub struct Exponential {
    /// The wait before the first retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<Duration>,
    /// The longest wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Duration>,
    /// By how much a wait may differ from the plan, in percent, 0 to 100.
    #[schemars(range(max = 100))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_percent: Option<u8>,
}

/// The keys that sign deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signing {
    /// The keys, 1 to 4: `whsec_` and the base64 of 24 to 64 bytes. Every key signs, so that a key is changed by adding
    /// the new one, changing the receivers, and taking the old one out. A key that cannot be read is skipped and
    /// reported; while none can be read, deliveries wait.
    #[schemars(length(min = 1, max = 4))]
    pub secret_refs: Vec<SecretKeyRef>,
}

pub(crate) const SCHEDULE_MESSAGE: &str =
    "set either schedule, or max and exponential; the length of schedule is the number of retries";

pub(crate) const INITIAL_MESSAGE: &str = "initial must not be longer than max";

fn schedule_stands_alone() -> Vec<serde_json::Value> {
    vec![form::rule(
        "!has(self.schedule) || (!has(self.max) && !has(self.exponential))",
        SCHEDULE_MESSAGE,
    )]
}

fn initial_is_at_most_max() -> Vec<serde_json::Value> {
    let cel = "!has(self.initial) || !has(self.max) || duration(self.initial) <= duration(self.max)";
    vec![form::rule(cel, INITIAL_MESSAGE)]
}
