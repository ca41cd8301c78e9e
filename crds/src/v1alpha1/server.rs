//! The MCP servers behind a route.
//!
//! Invariant: no prefix is a prefix of another, so that a prefixed tool name belongs to one server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SecretKeyRef, ServerHeader, ServerTls, ServiceRef};
use crate::{Duration, Glob, Size, form};

/// One MCP server. Set exactly one of `url` and `service`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules()))]
pub struct Server {
    /// The name of the server within the route. It appears in status, metrics and logs.
    #[schemars(transform = &form::NAME)]
    pub name: String,
    /// The URL of the server's MCP endpoint (Streamable HTTP). It may be a loopback address, for a server that runs in
    /// the same pod.
    #[schemars(transform = &form::SERVER_URL)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The server as a Service in the route's namespace. The URL is `scheme://name.namespace.svc:port/path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceRef>,
    /// Prefix added to the names of the server's tools and prompts, at most 32 characters. Prefixes must be unique, and none
    /// may be a prefix of another. Absent: the names are unchanged. URIs of resources always are.
    #[schemars(transform = &form::PREFIX)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_prefix: Option<String>,
    /// Selects which of the server's tools are offered. The filter applies to both `tools/list` and `tools/call`. Names
    /// are the server's own, without the prefix; `*` matches any number of characters. Absent: all tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<ToolFilter>,
    /// What an unreachable server does to lists. A call of one of its tools, a prompt or a resource of it fails either way,
    /// and never goes to another server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_mode: Option<FailureMode>,
    /// Headers added to each request to the server, at most 32. A request is not sent while one of them cannot be read.
    /// They go to this server alone, never to where it redirects to. A client's own headers, `Authorization` included,
    /// are never passed on.
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<ServerHeader>>,
    /// A key of a Secret in the route's namespace with a token that the gateway sends to the server as `Authorization:
    /// Bearer`. A new token takes effect without a restart. No request is sent while it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_token_secret_ref: Option<SecretKeyRef>,
    /// TLS of the connections to the server, which needs an `https` URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
    /// The `Host` header of requests to the server, for servers that refuse the name of their Service (MCP SDKs answer 421
    /// or 403 to all but loopback names by default), for example `localhost:8080`. Absent: the host and port of the URL.
    #[schemars(transform = &form::AUTHORITY)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How long the server may be silent during an ordinary call; any event on the stream resets the timer. Calls of
    /// webhook tools use `webhookTools[].timeout` instead. Absent: the route's `transport.timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Maximum size of a response from the server, in bytes: a JSON body, or one event of a stream. A larger response
    /// fails its call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_response_size: Option<Size>,
    /// Maximum number of webhook tool calls that run on the server concurrently, 1 to 1000; the others wait in the
    /// store.
    #[schemars(range(min = 1, max = 1000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_jobs: Option<u32>,
    /// Maximum number of accepted webhook tool calls that wait for the server, 1 to 10000000. Further calls are refused
    /// with error -31004 and a time to wait.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queued_jobs: Option<u32>,
    /// The HTTP statuses, 429 and 503, that the server and every proxy before it return only for requests that they have
    /// not started to process. A call that gets one is sent again, also where `onInterruption` is `Fail`. Many proxies
    /// also return 503 when a server fails during a call: list it only if yours do not. Absent: none.
    #[schemars(transform = not_dispatched)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_dispatched: Option<Vec<u16>>,
}

/// What an unreachable server does to lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum FailureMode {
    /// Lists leave it out.
    FailOpen,
    /// Lists fail: clients would rather have none than one without it. The route is not `Ready` while no such server can
    /// be reached.
    FailClosed,
}

/// The statuses that `notDispatched` may list.
pub(crate) const NOT_DISPATCHED: [u16; 2] = [429, 503];

fn not_dispatched(schema: &mut schemars::Schema) {
    schema.insert("maxItems".to_owned(), NOT_DISPATCHED.len().into());
    schema.insert("x-kubernetes-list-type".to_owned(), "set".into());
    let item = serde_json::json!({"type": "integer", "enum": NOT_DISPATCHED});
    schema.insert("items".to_owned(), item);
}

/// Selects tools of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolFilter {
    /// The tools to offer, at most 64 patterns. Absent or empty: all.
    #[schemars(length(max = 64), transform = form::TOOL_GLOB.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include: Option<Vec<Glob>>,
    /// The tools to leave out, at most 64 patterns; takes precedence over `include`.
    #[schemars(length(max = 64), transform = form::TOOL_GLOB.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Vec<Glob>>,
    /// The scopes that a client's access token must have to see and to call these tools, all of them, at most 16, and to
    /// use the server's prompts and resources. A call without them gets a 403 that names them. Requires `auth.jwt`: tokens of `auth.bearerSecretRefs` have no scopes.
    /// Absent: none.
    #[schemars(length(max = 16), transform = form::SCOPE.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

pub(crate) const MEMBERS: [&str; 2] = ["url", "service"];

pub(crate) const PREFIX_MESSAGE: &str =
    "toolPrefix must be unique among servers, and none may be a prefix of another; change one of them";

pub(crate) const TLS_MESSAGE: &str =
    "tls needs https: begin the server's url with https://, or set service.scheme to https";

pub(crate) const TOKEN_MESSAGE: &str =
    "bearerTokenSecretRef sets the Authorization header: remove it, or remove Authorization from headers";

/// The rules on one server.
fn rules() -> Vec<serde_json::Value> {
    let https = "!has(self.tls) || (has(self.url) && self.url.startsWith('https://')) || (has(self.service) && \
                 has(self.service.scheme) && self.service.scheme == 'https')";
    let one_token = "!has(self.bearerTokenSecretRef) || !has(self.headers) || \
                     self.headers.all(h, h.name.lowerAscii() != 'authorization')";
    let mut rules = form::exactly_one_of(&MEMBERS);
    rules.push(form::rule(https, TLS_MESSAGE));
    rules.push(form::rule(one_token, TOKEN_MESSAGE));
    rules
}

/// The rule on the list of servers.
pub(super) fn prefixes_are_apart() -> Vec<serde_json::Value> {
    let cel = "self.all(a, !has(a.toolPrefix) || a.toolPrefix == '' || self.all(b, a.name == b.name || \
               !has(b.toolPrefix) || !b.toolPrefix.startsWith(a.toolPrefix)))";
    vec![form::rule(cel, PREFIX_MESSAGE)]
}
