//! Headers that the route's author adds to requests to a server.
//!
//! Invariant: a route cannot set the headers that belong to the protocol or to the connection, and so cannot make the
//! gateway send a message that means something else than what it relays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HeaderSource;
use super::header::{MEMBERS, name_rules_without};
use crate::form;

/// One HTTP header. Set exactly one of `value` and `valueFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = form::exactly_one_of(&MEMBERS)))]
pub struct ServerHeader {
    /// The name of the header. Headers of the protocol and of the connection are refused, for example `Accept`,
    /// `Content-Type`, `Mcp-*`, `Last-Event-ID` and `Connection`; for `Host` set `host`.
    #[schemars(extend("maxLength" = form::HEADER_NAME.max(), "x-kubernetes-validations" = name_rules()))]
    pub name: String,
    /// The value in plain text, at most 1024 characters. For credentials use `valueFrom`.
    #[schemars(transform = &form::SERVER_HEADER_VALUE)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The source of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<HeaderSource>,
}

/// Names that the gateway sets itself (MCP, "Streamable HTTP"; W3C Trace Context), or that belong to the connection
/// (RFC 9110, section 7.6.1).
const RESERVED: [&str; 14] = [
    "accept",
    "accept-encoding",
    "connection",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "origin",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Prefixes of names that the gateway sets itself, or that are for proxies.
const RESERVED_PREFIXES: [&str; 3] = ["content-", "mcp-", "proxy-"];

/// Whether the gateway reserves the name of a header to a server.
pub(crate) fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn name_rules() -> Vec<serde_json::Value> {
    name_rules_without(&RESERVED, &RESERVED_PREFIXES)
}
