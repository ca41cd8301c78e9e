//! The MCP endpoint of a route.
//!
//! Invariant: nothing here concerns webhooks; a plain gateway needs only this and `servers`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TransportTls;
use crate::{Duration, HostPattern, Size, form};

/// The MCP endpoint that clients connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transport {
    /// The path of the MCP endpoint.
    #[schemars(transform = &form::MCP_PATH)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Answer every POST with JSON instead of an event stream. Notifications that belong to a call, such as progress,
    /// then cannot reach the client, so servers see a client without capabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_response: Option<bool>,
    /// How long a server may be silent during an ordinary call; any event on the stream resets the timer. When the
    /// timer expires, the call is cancelled and the client gets an error. List tools that need more time in
    /// `webhookTools`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Maximum age of a client's session. After it, the client gets a 404 and must initialize a new session. A shorter
    /// value applies to open sessions as well, a longer one to new sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Duration>,
    /// Serve clients of versions up to 2025-11-25 without sessions, as if any request could reach another replica. They get no
    /// `Mcp-Session-Id`, GET and DELETE answer 405, and what needs a session is refused: subscriptions, log levels, a
    /// receiver named at `initialize`, and anything that a server asks of the client. Sessions that are open stay usable for
    /// requests until they end. Clients of 2026-07-28 and later never have sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stateless: Option<bool>,
    /// Allowed values of the `Origin` header, at most 128, for example `https://app.example.com`. Other origins get a
    /// 403. Requests without the header are allowed, because browsers always send it. Absent: only the route's own
    /// host, if it is listed in `hostnames` or is a loopback name.
    #[schemars(length(max = 128), transform = form::ORIGIN.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_origins: Option<Vec<String>>,
    /// Allowed host names in the `Host` header, without a port, at most 128; `*.` and a domain matches its subdomains
    /// at any depth. Other hosts get a 403. Absent: loopback names if the data plane listens on a loopback address,
    /// otherwise any name.
    #[schemars(length(max = 128), transform = form::HOST.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostnames: Option<Vec<HostPattern>>,
    /// TLS of the MCP endpoint (HTTP/1.1 and HTTP/2). The URL of the endpoint begins with `https` then. The admin port stays
    /// without. Absent: no TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TransportTls>,
    /// Address ranges of the proxies before the data plane, such as the cluster's pods with an Ingress controller, at most
    /// 64. The client's address is then the last one in their `X-Forwarded-For` that no listed proxy has. Absent: the address
    /// of the connection.
    #[schemars(length(max = 64), transform = form::CIDR.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_proxies: Option<Vec<String>>,
    /// Maximum size of a request body, in bytes. Larger requests get a 413.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_request_size: Option<Size>,
}
