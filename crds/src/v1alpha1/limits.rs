//! What bounds a route's jobs: how many may wait, and how hard one receiver is pressed.
//!
//! Invariant: a limit refuses before acceptance or makes wait after it; none drops what was accepted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, form};

/// What one client may have under way. A client is the principal of its credentials; without `auth` it is the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerClient {
    /// How many accepted calls may be waiting, running or being delivered, 1 to 10000000. A call beyond them is refused
    /// with -31004 and the time to wait; dead letters are not counted.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending: Option<u32>,
}

/// How hard one receiver is pressed. A receiver is a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerReceiver {
    /// How many attempts may be under way at once, 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// How many attempts may begin in a second, 1 to 10000, spread evenly. Absent: as many as there are.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// Whether a receiver that fails again and again is left alone for a while. `Enabled`: after at least 10 attempts in
    /// 5 minutes of which 70 % failed it gets none for 30 seconds, then one at a time, 2, 4 and 8, and everything when
    /// these succeed; each failure on the way doubles the pause, up to 5 minutes. Deliveries wait meanwhile, and waiting
    /// is no attempt. `Disabled`: each delivery keeps to its own retries alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
}

/// Whether a receiver that fails again and again is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum Breaker {
    /// Yes.
    Enabled,
    /// No.
    Disabled,
}

/// What happens to deliveries that were given up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// How long they are kept, counted from the end of the delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Duration>,
}
