//! Headers that the route's author adds to requests to the default receiver or to a trace collector.
//!
//! Invariant: a route cannot set the headers that make a delivery verifiable (`Content-Type`, `webhook-*`, `ce-*`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;
use crate::form;

/// One HTTP header. Set exactly one of `value` and `valueFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = form::exactly_one_of(&MEMBERS)))]
pub struct Header {
    /// The name of the header. Headers that the gateway sets itself are refused, for example `Host`, `Content-Type`,
    /// `webhook-*` and `ce-*`.
    #[schemars(extend("maxLength" = form::HEADER_NAME.max(), "x-kubernetes-validations" = name_rules()))]
    pub name: String,
    /// The value in plain text. For credentials use `valueFrom`.
    #[schemars(transform = &form::HEADER_VALUE)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The source of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<HeaderSource>,
}

/// The source of a header's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeaderSource {
    /// A key of a Secret in the route's namespace. A changed value takes effect without a restart.
    pub secret_key_ref: SecretKeyRef,
}

pub(crate) const MEMBERS: [&str; 2] = ["value", "valueFrom"];

/// Names that the gateway sets itself, or that belong to the connection (RFC 9110, section 7.6.1).
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

/// Prefixes of names that have a meaning for receivers: Standard Webhooks, CloudEvents, and this project's own.
const RESERVED_PREFIXES: [&str; 3] = ["webhook-", "ce-", "asyncmcp-"];

pub(crate) const RESERVED_MESSAGE: &str =
    "is reserved: the gateway sets this header itself; use another header name";

/// Whether the gateway reserves a header's name.
pub(crate) fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn name_rules() -> Vec<serde_json::Value> {
    name_rules_without(&RESERVED, &RESERVED_PREFIXES)
}

/// The rules on a header's name that is none of these and begins with none of these.
pub(super) fn name_rules_without(names: &[&str], prefixes: &[&str]) -> Vec<serde_json::Value> {
    let cel = format!(
        "!(self.lowerAscii() in ['{}']) && !self.lowerAscii().matches('^({})')",
        names.join("', '"),
        prefixes.join("|")
    );
    form::HEADER_NAME.rules_and(&format!("({cel})"), RESERVED_MESSAGE)
}
