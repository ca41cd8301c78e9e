//! The MCP servers behind a route.
//!
//! Invariant: a name that clients see leads to one server, because prefixes never overlap.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ServiceRef;
use crate::{Duration, Glob, Size, form};

/// One MCP server. Set exactly one of `url` and `service`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = form::exactly_one_of(&MEMBERS)))]
pub struct Server {
    /// The name of the server within the route; it appears in status, metrics and logs.
    #[schemars(transform = &form::NAME)]
    pub name: String,
    /// The URL of the server's MCP endpoint (Streamable HTTP). Addresses of the pod itself are allowed, for a server
    /// that runs beside the data plane.
    #[schemars(transform = &form::SERVER_URL)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The server as a Service of the route's namespace; the URL becomes `scheme://name.namespace.svc:port/path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
    /// Text put before the names of the server's tools, 32 characters at most. Prefixes differ between servers, and
    /// none begins another. Absent: the names stay as the server says them.
    #[schemars(transform = &form::PREFIX)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_prefix: Option<String>,
    /// Which of the server's tools are offered, in lists as well as to calls. Names are the server's own, without the
    /// prefix; `*` stands for any run of characters. Absent: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<ToolFilter>,
    /// How long the server may be silent during an ordinary call; any event of the stream starts it anew. Calls of
    /// webhook tools have `webhookTools[].timeout` instead. Absent: the route's `transport.timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The largest answer that is read from the server, in bytes: a JSON body, or one event of a stream. A larger one
    /// fails its call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_response_size: Option<Size>,
    /// How many calls of webhook tools may run on the server at once, 1 to 1000; the others wait in the store.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_jobs: Option<u32>,
    /// How many accepted calls of webhook tools may wait for the server, 1 to 10000000. A call beyond them is refused
    /// with -31004 and the time to wait.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queued_jobs: Option<u32>,
}

/// A choice among a server's tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolFilter {
    /// The tools to offer, 64 patterns at most. Absent or empty: all.
    #[schemars(length(max = 64), transform = form::TOOL_GLOB.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include: Option<Vec<Glob>>,
    /// The tools not to offer, 64 patterns at most; this beats `include`.
    #[schemars(length(max = 64), transform = form::TOOL_GLOB.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Vec<Glob>>,
}

pub(crate) const MEMBERS: [&str; 2] = ["url", "service"];

pub(crate) const PREFIX_MESSAGE: &str =
    "no two servers may have the same toolPrefix, and none may begin with another's; change one of them";

/// The rule on the list of servers.
pub(super) fn prefixes_are_apart() -> Vec<serde_json::Value> {
    let cel = "self.all(a, !has(a.toolPrefix) || a.toolPrefix == '' || self.all(b, a.name == b.name || \
               !has(b.toolPrefix) || !b.toolPrefix.startsWith(a.toolPrefix)))";
    vec![form::rule(cel, PREFIX_MESSAGE)]
}
