//! How results are delivered: attempts, retries and signatures.
//!
//! Invariant: retries are configured either by `retry.max` and `exponential`, or by `schedule`, never by both.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DeadLetter, PerClient, PerReceiver, Receivers, SecretKeyRef};
use crate::{Duration, Size, form};

/// How results are delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Timeout of one delivery attempt, from resolving the receiver's name to the head of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Retries after failed attempts. Network errors, timeouts and most statuses other than 2xx are retried; 400, 410,
    /// 413, 415 and 422 are final. A delivery that runs out of retries becomes a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Maximum age of an undelivered result. After it, the result becomes a dead letter with the reason `expired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// How long a delivered result is kept, so that a repetition of the same call finds it instead of running again, and
    /// how long the result of a task waits to be polled (2025-11-25: or for the `ttl` that the client asks for, up to
    /// `deadLetter.retention`). For dead letters `deadLetter.retention` applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_retention: Option<Duration>,
    /// Maximum size of a response that is delivered, in bytes of its JSON. A larger response is dropped, and error
    /// -31007 is delivered instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_result_size: Option<Size>,
    /// Maximum number of jobs that run concurrently on all servers together, 1 to 10000; the others wait in the store.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
    /// Quotas per client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_client: Option<PerClient>,
    /// Rate and concurrency limits per receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_receiver: Option<PerReceiver>,
    /// How dead letters are kept: results whose delivery ended without success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,
    /// The keys that sign deliveries (Standard Webhooks 1.0). Absent: deliveries carry `webhook-id` and
    /// `webhook-timestamp` but no signature, and the route's status reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
    /// The receivers that results may be sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receivers: Option<Receivers>,
}

/// When failed delivery attempts are retried, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schedule_stands_alone()))]
pub struct Retry {
    /// Maximum number of retries after the first attempt, 0 to 50. Mutually exclusive with `schedule`.
    #[schemars(range(max = 50))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Exponential backoff: the wait before retry n is `initial` x 2^(n-1), at most `max`, varied by `jitterPercent`.
    /// Mutually exclusive with `schedule`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponential: Option<Exponential>,
    /// The wait before each retry, 1 to 50 entries, for example `[5s, 1m, 1h]`; its length is the number of retries.
    /// Mutually exclusive with `max` and `exponential`.
    #[schemars(length(min = 1, max = 50))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Vec<Duration>>,
    /// The longest `Retry-After` of a receiver that is honoured. The wait before the retry is at least that long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_max: Option<Duration>,
}

/// Exponential backoff.
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
    /// Random variation of each wait, in percent, 0 to 100.
    #[schemars(range(max = 100))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_percent: Option<u8>,
}

/// The keys that sign deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signing {
    /// The signing keys, 1 to 4: `whsec_` followed by the base64 of 24 to 64 bytes. Each delivery to `receivers.default`
    /// is signed with every key, and each delivery to a receiver that a client named with a key derived from each of
    /// them for its origin (`asyncmcp keys derive`), or with the secret that the client named alone. To rotate a key, add the new one, update the receivers, then remove the old one. A key that cannot be read
    /// is skipped and reported; while no key can be read, deliveries wait.
    #[schemars(length(min = 1, max = 4))]
    pub secret_refs: Vec<SecretKeyRef>,
}

pub(crate) const SCHEDULE_MESSAGE: &str =
    "set either schedule, or max and exponential; with schedule, its length is the number of retries";

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
