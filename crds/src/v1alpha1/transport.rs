//! The side of a route that faces clients.
//!
//! Invariant: nothing here concerns webhooks; a plain gateway needs this and `servers` only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, HostPattern, Size, form};

/// How clients reach the route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transport {
    /// The path of the MCP endpoint.
    #[schemars(transform = &form::MCP_PATH)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Answer every POST with JSON instead of a stream of events. Notifications that belong to a call (progress) then
    /// have no way to the client, and servers are shown no client capabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_response: Option<bool>,
    /// How long a server may be silent during an ordinary call; any event of its stream starts it anew. Then the
    /// server's call is cancelled and the client gets an error. Tools that need longer belong in `webhookTools`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How long a client's session lives. A session older than this is over: the client gets a 404 and starts anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Duration>,
    /// The values of the `Origin` header that are allowed, 128 at most, for example `https://app.example.com`. Other
    /// origins get a 403; requests without the header, which no browser sends, pass. Absent: only the route's own host,
    /// if that is listed in `hostnames` or is a loopback name.
    #[schemars(length(max = 128), transform = form::ORIGIN.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_origins: Option<Vec<String>>,
    /// The host names under which the route answers, without a port, 128 at most; `*.` stands for any depth. Other
    /// values of the `Host` header get a 403. Absent: loopback names if the data plane listens on a loopback address,
    /// else any name.
    #[schemars(length(max = 128), transform = form::HOST.each())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostnames: Option<Vec<HostPattern>>,
    /// The largest request body, in bytes. Larger ones get a 413.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_request_size: Option<Size>,
}
