//! The tools that answer by webhook.
//!
//! Invariant: names are those that clients see, so that what is written here is what `tools/list` shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Glob, form};

/// A tool, or a family of tools, whose result goes to a webhook. Where several entries match a tool, an exact name
/// beats a pattern, and then the longer text before the first `*` wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTool {
    /// The name of the tool as clients see it, with its server's prefix. `*` stands for any run of characters.
    #[schemars(transform = &form::WEBHOOK_TOOL)]
    pub name: Glob,
    /// How long one execution may take, from the call to the server until its result. Waiting for a free place is
    /// not counted. After it the call is cancelled, and the receiver gets an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How many executions of the tools of this entry may run at once, all of them together, 1 to 1000; the others
    /// wait. Absent: as many as the server and the route allow.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// What happens to an execution that was cut off, for example by a restart, so that its outcome is unknown:
    /// `Fail` delivers an error that says so, `Retry` calls the tool again. Absent: `Fail`, unless the tool's
    /// annotations say `idempotentHint` or `readOnlyHint`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_interruption: Option<OnInterruption>,
}

/// What happens to an execution that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum OnInterruption {
    /// Deliver an error: the outcome is unknown.
    Fail,
    /// Call the tool again.
    Retry,
}
