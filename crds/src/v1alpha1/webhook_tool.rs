//! The tools whose results are delivered by webhook.
//!
//! Invariant: names are those that clients see in `tools/list`, prefix included.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Glob, form};

/// A tool, or a pattern over tools, whose results are delivered by webhook. If several entries match a tool, an exact
/// name takes precedence over a pattern, and among patterns the one with the longest text before the first `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTool {
    /// The name of the tool as clients see it, including its server's prefix. `*` matches any number of characters.
    #[schemars(transform = &form::WEBHOOK_TOOL)]
    pub name: Glob,
    /// Timeout of one execution, from the call to the server until its result. Time in the queue does not count. When
    /// it expires, the call is cancelled and an error is delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Maximum number of concurrent executions of all tools that match this entry, 1 to 1000; the others wait. Absent:
    /// limited only by the server's and the route's limits.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// What happens when an execution is interrupted, for example by a restart, and its outcome is unknown. `Fail`: an
    /// error is delivered, so the tool runs at most once. `Retry`: the tool is called again. `Auto`: `Retry` if the
    /// tool's annotations set `idempotentHint` or `readOnlyHint`, otherwise `Fail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_interruption: Option<OnInterruption>,
    /// The scopes that a client's access token must have to see and to call the tools that match this entry, beside those
    /// of `servers[].tools.scopes`, at most 16. Requires `auth.jwt`. Absent: none.
    #[schemars(length(max = 16), transform = form::SCOPE.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

/// What happens when an execution is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum OnInterruption {
    /// Deliver an error which says that the outcome is unknown.
    Fail,
    /// Call the tool again.
    Retry,
    /// Believe the annotations of the tool.
    Auto,
}
