//! All JSON-RPC error codes that this project sends, and the error object.
//!
//! Sent by the data plane's only mapping from errors to responses, and read by the client.
//!
//! Invariant: this project's own codes are outside -32768..-32000 (2026-07-28, Basic), and their name is always in
//! `data.reason`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::raw::{RawObject, raw};
use crate::version::Version;

/// The kind of an error, as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body is not JSON (JSON-RPC 2.0).
    ParseError,
    /// The body is JSON, but not a JSON-RPC message (JSON-RPC 2.0).
    InvalidRequest,
    /// The method is not supported (JSON-RPC 2.0).
    MethodNotFound,
    /// The parameters are invalid, or the tool is unknown (MCP).
    InvalidParams,
    /// No resource has this URI (MCP up to 2025-11-25; clients of newer versions get [`Code::InvalidParams`]).
    ResourceNotFound,
    /// A bug in the gateway (JSON-RPC 2.0).
    InternalError,
    /// A header and the body disagree (SEP-2243).
    HeaderMismatch,
    /// The request needs a capability that the client did not declare (2026-07-28, Basic).
    MissingClientCapability,
    /// The protocol version is not supported (2026-07-28, Streamable HTTP).
    UnsupportedProtocolVersion,
    /// The tool's server could not be reached; the call was not sent.
    ServerUnreachable,
    /// The server did not respond within the timeout.
    Timeout,
    /// The call was sent, and whether it completed cannot be known.
    OutcomeUnknown,
    /// The call was not accepted; retry after `data.retryAfterMs`.
    Overloaded,
    /// The route does not allow the receiver.
    ReceiverRefused,
    /// The call was cancelled.
    Cancelled,
    /// The response exceeds a limit of the route.
    TooLarge,
}

impl Code {
    /// The number on the wire.
    pub const fn value(self) -> i64 {
        match self {
            Self::ParseError => -32700,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::InvalidParams => -32602,
            Self::ResourceNotFound => -32002,
            Self::InternalError => -32603,
            Self::HeaderMismatch => -32020,
            Self::MissingClientCapability => -32021,
            Self::UnsupportedProtocolVersion => -32022,
            Self::ServerUnreachable => -31001,
            Self::Timeout => -31002,
            Self::OutcomeUnknown => -31003,
            Self::Overloaded => -31004,
            Self::ReceiverRefused => -31005,
            Self::Cancelled => -31006,
            Self::TooLarge => -31007,
        }
    }

    /// The name: a metric label, and `data.reason` of this project's own codes.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ParseError => "parse_error",
            Self::InvalidRequest => "invalid_request",
            Self::MethodNotFound => "method_not_found",
            Self::InvalidParams => "invalid_params",
            Self::ResourceNotFound => "resource_not_found",
            Self::InternalError => "internal_error",
            Self::HeaderMismatch => "header_mismatch",
            Self::MissingClientCapability => "missing_client_capability",
            Self::UnsupportedProtocolVersion => "unsupported_protocol_version",
            Self::ServerUnreachable => "server_unreachable",
            Self::Timeout => "timeout",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Overloaded => "overloaded",
            Self::ReceiverRefused => "receiver_refused",
            Self::Cancelled => "cancelled",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether this is one of the project's own codes.
    pub(crate) const fn is_ours(self) -> bool {
        self.value() > -32000
    }
}

/// A JSON-RPC error object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorObject {
    /// The code; any number, because servers define their own codes.
    pub code: i64,
    /// One sentence for people.
    pub message: String,
    /// Further information for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

impl ErrorObject {
    /// Creates an error; `data.reason` is set for the project's own codes.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let mut data = RawObject::new();
        if code.is_ours() {
            data.set_value("reason", code.reason());
        }
        Self {
            code: code.value(),
            message: message.into(),
            data: (!data.is_empty()).then(|| data.to_raw()),
        }
    }

    /// Creates a [`Code::Overloaded`] error with the time the client should wait.
    pub fn overloaded(message: impl Into<String>, retry_after_ms: u64) -> Self {
        let mut data = RawObject::new();
        data.set_value("reason", Code::Overloaded.reason());
        data.set_value("retryAfterMs", &retry_after_ms);
        Self {
            data: Some(data.to_raw()),
            ..Self::new(Code::Overloaded, message)
        }
    }

    /// Creates a [`Code::OutcomeUnknown`] error for a call that was interrupted so often that it is not executed again:
    /// `data.reason` is `poisoned`.
    pub fn poisoned(message: impl Into<String>) -> Self {
        let mut data = RawObject::new();
        data.set_value("reason", "poisoned");
        Self {
            data: Some(data.to_raw()),
            ..Self::new(Code::OutcomeUnknown, message)
        }
    }

    /// Creates a [`Code::MissingClientCapability`] error for the capability at `path`, as in `["elicitation", "url"]`.
    pub fn missing_capability(message: impl Into<String>, path: &[&str]) -> Self {
        let needed = path.iter().rev();
        let needed = needed.fold(RawObject::new(), |inner, key| {
            let mut outer = RawObject::new();
            outer.set(key, inner.to_raw());
            outer
        });
        let mut data = RawObject::new();
        data.set("requiredCapabilities", needed.to_raw());
        Self {
            data: Some(data.to_raw()),
            ..Self::new(Code::MissingClientCapability, message)
        }
    }

    /// Creates a [`Code::UnsupportedProtocolVersion`] error. Standard clients fall back to one of the listed versions.
    pub fn unsupported_version(requested: &str, supported: &[Version]) -> Self {
        let mut data = RawObject::new();
        data.set_value("supported", supported);
        data.set_value("requested", requested);
        let names: Vec<_> = supported.iter().map(|version| version.as_str()).collect();
        let message = format!(
            "protocol version {requested:?} is not supported; use one of {}",
            names.join(", ")
        );
        Self {
            data: Some(data.to_raw()),
            ..Self::new(Code::UnsupportedProtocolVersion, message)
        }
    }

    /// Creates a [`Code::ResourceNotFound`] error with the URI.
    pub fn resource_not_found(message: impl Into<String>, uri: &str) -> Self {
        let mut data = RawObject::new();
        data.set_value("uri", uri);
        Self {
            data: Some(data.to_raw()),
            ..Self::new(Code::ResourceNotFound, message)
        }
    }

    /// Parses the `error` member of a response.
    pub fn parse(value: &RawValue) -> Option<Self> {
        serde_json::from_str(value.get()).ok()
    }

    /// The object as raw JSON.
    pub fn to_raw(&self) -> Box<RawValue> {
        raw(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_projects_own_codes_contain_their_name() {
        let ours = ErrorObject::new(Code::Timeout, "silent for 30s");
        assert_eq!(
            ours.to_raw().get(),
            r#"{"code":-31002,"message":"silent for 30s","data":{"reason":"timeout"}}"#
        );
        let standard = ErrorObject::new(Code::InvalidParams, "unknown tool");
        assert_eq!(
            standard.to_raw().get(),
            r#"{"code":-32602,"message":"unknown tool"}"#
        );
    }

    #[test]
    fn an_overload_error_contains_the_time_to_wait() {
        let data = ErrorObject::overloaded("the queue is full", 1500).data.unwrap();
        assert_eq!(data.get(), r#"{"reason":"overloaded","retryAfterMs":1500}"#);
    }

    #[test]
    fn a_missing_capability_is_named_as_it_would_be_declared() {
        let error = ErrorObject::missing_capability("asks", &["elicitation", "url"]);
        assert_eq!(
            (error.code, error.data.unwrap().get()),
            (-32021, r#"{"requiredCapabilities":{"elicitation":{"url":{}}}}"#)
        );
    }

    #[test]
    fn an_unsupported_version_error_lists_the_supported_ones() {
        let error = ErrorObject::unsupported_version("2026-07-28", &Version::LEGACY);
        assert_eq!(error.code, -32022);
        assert_eq!(
            error.data.unwrap().get(),
            r#"{"supported":["2025-11-25","2025-06-18","2025-03-26"],"requested":"2026-07-28"}"#
        );
    }

    #[test]
    fn parses_errors_of_servers_with_unchanged_data() {
        let value = serde_json::from_str(r#"{"data":{ "n":1e400 },"code":-1,"message":"m"}"#).unwrap();
        let error = ErrorObject::parse(value).unwrap();
        assert_eq!((error.code, error.data.unwrap().get()), (-1, r#"{ "n":1e400 }"#));
    }
}
