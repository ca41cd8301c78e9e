//! Headers that the route's author adds to requests: to a default receiver, or to a trace collector.
//!
//! Invariant: what makes a delivery verifiable (its content type, `webhook-*`, `ce-*`) cannot be set by a route.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;
use crate::form;

/// One HTTP header. Set exactly one of `value` and `valueFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = form::exactly_one_of(&MEMBERS)))]
pub struct Header {
    /// The name of the header. `Host`, `Content-Type`, `webhook-*`, `ce-*` and others that the sender itself sets are
    /// refused.
    #[schemars(extend("maxLength" = form::HEADER_NAME.max(), "x-kubernetes-validations" = name_rules()))]
    pub name: String,
    /// The value itself. For credentials use `valueFrom`.
    #[schemars(transform = &form::HEADER_VALUE)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value is read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<HeaderSource>,
}

/// Where the value of a header is read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeaderSource {
    /// A key in a Secret of the route's namespace. A changed value is used without a restart.
    pub secret_key_ref: SecretKeyRef,
}

pub(crate) const MEMBERS: [&str; 2] = ["value", "valueFrom"];

/// Names that the sender sets itself, or that belong to the connection (RFC 9110, section 7.6.1).
const RESERVED: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Families of names that mean something to a receiver: Standard Webhooks, CloudEvents, and our own.
const RESERVED_PREFIXES: [&str; 3] = ["webhook-", "ce-", "asyncmcp-"];

pub(crate) const RESERVED_MESSAGE: &str = "is set by the sender itself; choose another header name";

/// Whether a header's name is not the author's to set.
pub(crate) fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn name_rules() -> Vec<serde_json::Value> {
    let cel = format!(
        "!(self.lowerAscii() in ['{}']) && !self.lowerAscii().matches('^({})')",
        RESERVED.join("', '"),
        RESERVED_PREFIXES.join("|")
    );
    form::HEADER_NAME.rules_and(&format!("({cel})"), RESERVED_MESSAGE)
}
