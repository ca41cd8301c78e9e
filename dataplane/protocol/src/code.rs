//! Every JSON-RPC error code that is ever sent, in one table, and the error object.
//!
//! The data plane's one mapping of errors to the wire writes these; the client reads them.
//!
//! Invariant: a code of ours lies outside -32768..-32000 (2026-07-28, Basic) and always
//! carries its name in `data.reason`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::raw::{RawObject, raw};
use crate::version::Version;

/// What went wrong, as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body is not JSON (JSON-RPC 2.0).
    ParseError,
    /// The body is JSON, but no JSON-RPC message (JSON-RPC 2.0).
    InvalidRequest,
    /// The method is not offered (JSON-RPC 2.0).
    MethodNotFound,
    /// The parameters are wrong; also an unknown tool (MCP).
    InvalidParams,
    /// A fault of ours (JSON-RPC 2.0).
    InternalError,
    /// A header and the body disagree (SEP-2243).
    HeaderMismatch,
    /// The request lacks a client capability it needs (2026-07-28, Basic).
    MissingClientCapability,
    /// The protocol version is not served here (2026-07-28, Streamable HTTP).
    UnsupportedProtocolVersion,
    /// The tool's server could not be reached; the call was not dispatched.
    ServerUnreachable,
    /// The server was silent for too long.
    Timeout,
    /// The call was dispatched, and whether it ran to its end cannot be known.
    OutcomeUnknown,
    /// Nothing was accepted; come back after `data.retryAfterMs`.
    Overloaded,
    /// The route does not deliver to the receiver that was named.
    ReceiverRefused,
    /// The call was cancelled.
    Cancelled,
    /// The answer exceeds a limit of the route.
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

    /// The name: a metric label, and `data.reason` of our own codes.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ParseError => "parse_error",
            Self::InvalidRequest => "invalid_request",
            Self::MethodNotFound => "method_not_found",
            Self::InvalidParams => "invalid_params",
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

    /// Whether the code is this project's own.
    pub const fn is_ours(self) -> bool {
        self.value() > -32000
    }
}

/// A JSON-RPC error object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorObject {
    /// The number; any, since servers have codes of their own.
    pub code: i64,
    /// One sentence for a human.
    pub message: String,
    /// What a program may need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

impl ErrorObject {
    /// An error of `code`; `data.reason` is set where the code is ours.
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

    /// [`Code::Overloaded`], with the wait a client should keep.
    pub fn overloaded(message: impl Into<String>, retry_after_ms: u64) -> Self {
        let mut data = RawObject::new();
        data.set_value("reason", Code::Overloaded.reason());
        data.set_value("retryAfterMs", &retry_after_ms);
        Self {
            data: Some(data.to_raw()),
            ..Self::new(Code::Overloaded, message)
        }
    }

    /// [`Code::OutcomeUnknown`] of a call that was cut so often that it is not tried again: `data.reason`
    /// is `poisoned`.
    pub fn poisoned(message: impl Into<String>) -> Self {
        let mut data = RawObject::new();
        data.set_value("reason", "poisoned");
        Self {
            data: Some(data.to_raw()),
            ..Self::new(Code::OutcomeUnknown, message)
        }
    }

    /// [`Code::UnsupportedProtocolVersion`]: stock clients fall back to a version listed here.
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

    /// Reads the `error` member of a response.
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
    fn our_codes_name_themselves_and_standard_ones_do_not() {
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
    fn overload_says_when_to_come_back() {
        let data = ErrorObject::overloaded("the queue is full", 1500).data.unwrap();
        assert_eq!(data.get(), r#"{"reason":"overloaded","retryAfterMs":1500}"#);
    }

    #[test]
    fn a_refused_version_lists_what_is_served() {
        let error = ErrorObject::unsupported_version("2026-07-28", &Version::LEGACY);
        assert_eq!(error.code, -32022);
        assert_eq!(
            error.data.unwrap().get(),
            r#"{"supported":["2025-11-25","2025-06-18","2025-03-26"],"requested":"2026-07-28"}"#
        );
    }

    #[test]
    fn reads_errors_of_servers_with_data_untouched() {
        let value = serde_json::from_str(r#"{"data":{ "n":1e400 },"code":-1,"message":"m"}"#).unwrap();
        let error = ErrorObject::parse(value).unwrap();
        assert_eq!((error.code, error.data.unwrap().get()), (-1, r#"{ "n":1e400 }"#));
    }
}
