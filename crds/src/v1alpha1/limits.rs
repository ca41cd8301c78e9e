//! Limits on a route's jobs: per client, per receiver, and for dead letters.
//!
//! Invariant: a limit refuses a call before it is accepted, or delays it afterwards; no limit drops a call that is still to
//! be delivered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DefaultReceiver;
use crate::{Duration, form};

/// Quotas per client. A client is the issuer and the subject of its access token, or its key of `auth.bearerSecretRefs`. Without
/// `auth` it is the address that it connects from (of IPv6 its network of 64 bits): clients behind one proxy are one client
/// unless `transport.trustedProxies` lists the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerClient {
    /// Maximum number of accepted calls that are queued, running or being delivered, 1 to 10000000. Further calls are
    /// refused with error -31004 and a time to wait. Dead letters do not count.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending: Option<u32>,
    /// The share of every limit on running jobs (`maxRunning`, `servers[].maxConcurrentJobs`) that one client may use,
    /// 1 to 100 percent: what runs cannot be taken back, so that the rest is left for others even while nobody else
    /// waits. A limit of 1 is first come, first served. 100: no such share.
    #[schemars(range(min = 1, max = 100))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running_percent: Option<u8>,
    /// Maximum number of requests per second, 1 to 10000; a second's worth may come at once. Further requests are refused
    /// with error -31004 and a time to wait. Absent: unlimited.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
}

/// Rate and concurrency limits per receiver. Concurrency and rate count per scheme, host and port, whatever the path and
/// query; the breaker and `Retry-After` are per URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerReceiver {
    /// Maximum number of concurrent delivery attempts, 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// Maximum number of attempts that start per second, 1 to 10000, spread evenly. Absent: unlimited.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// Circuit breaker for a URL that keeps failing. `Enabled`: when at least 10 attempts were made within 5
    /// minutes and 70 % of them failed, the breaker opens and no attempts are made for 30 seconds. Then it admits one
    /// attempt at a time, then 2, 4 and 8 concurrent ones, and closes when these succeed; each failure meanwhile
    /// doubles the pause, up to 5 minutes. Waiting deliveries do not use up attempts. Where several clients use the URL,
    /// failures of one of them alone do not open the breaker, and that client comes last when the URL is tried again.
    /// `Disabled`: only each delivery's own retry schedule applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
}

/// Whether a circuit breaker protects receivers that keep failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum Breaker {
    /// A receiver that keeps failing gets no attempts for a while.
    Enabled,
    /// Only each delivery's own retry schedule applies.
    Disabled,
}

/// How dead letters are kept: results whose delivery ended without success.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// How long a dead letter is kept, counted from its last attempt. Its result may be deleted earlier: where the store
    /// has no room for new calls, the client that uses the most of it loses the results of its oldest dead letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Duration>,
    /// A receiver that gets one event per dead letter: a JSON object with the type `dev.asyncmcp.job.dead.v1`, signed
    /// with the route's keys and delivered as results are, with the retries, limits and breaker of this section. Set exactly
    /// one of `url` and `service`; as `receivers.default` it may be a private or loopback address and use plain
    /// `http`. An event that becomes a dead letter itself has none. Events use at most 1 % of the store and 1 MiB; what
    /// does not fit is dropped and counted. A change holds for the dead letters that come after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<DefaultReceiver>,
}
