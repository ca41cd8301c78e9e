//! The errors of clients and receivers.
//!
//! Returned by `client`, `transport` and `receiver`; printed by the command.
//!
//! Invariant: an error tells whether the server responded, and contains its response if it did.

use std::net::SocketAddr;
use std::time::Duration;

use asyncmcp_protocol::{ErrorObject, initialize, listing, message, sse};

/// Characters of an error's data that are shown.
const SHOWN: usize = 300;

/// Why a call, or opening a session or receiver, failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is invalid.
    #[error("invalid {field}: {why}")]
    Config {
        /// The name of the setting.
        field: &'static str,
        /// What its value must be.
        why: String,
    },
    /// The HTTP client could not be created.
    #[error("failed to set up the HTTP client")]
    Http(#[source] reqwest::Error),
    /// The connection failed or was lost.
    #[error("failed to reach {url}")]
    Unreachable {
        /// The URL of the endpoint.
        url: String,
        /// The error of the HTTP client.
        #[source]
        source: reqwest::Error,
    },
    /// The server sent nothing for `timeout_seconds`.
    #[error("no response within {} s; increase timeout_seconds if the server needs longer", .0.as_secs_f64())]
    Silent(Duration),
    /// The server asks for other credentials (401), or for more rights (403).
    #[error("the server refused the credentials (HTTP {status}): {why}")]
    Credentials {
        /// The HTTP status code.
        status: u16,
        /// What it said: the message of its JSON-RPC error, else the beginning of the body.
        why: String,
    },
    /// The HTTP status is not one that MCP uses.
    #[error("the server responded with HTTP {status}: {body}")]
    Status {
        /// The HTTP status code.
        status: u16,
        /// The first 1,024 bytes of the body.
        body: String,
    },
    /// The server does not know the session (404), or it is older than `transport_timeout_seconds`.
    #[error("the session has expired; connect again")]
    SessionOver,
    /// The server responded with a JSON-RPC error.
    #[error("the server responded with error {}: {}{}", .0.code, .0.message, data(.0))]
    Rpc(ErrorObject),
    /// The response is not a JSON-RPC message.
    #[error("the response is not a JSON-RPC message")]
    Message(#[source] message::Error),
    /// The response's event stream is invalid.
    #[error("failed to read the response's event stream")]
    Stream(#[source] sse::Error),
    /// The response is larger than the client accepts.
    #[error("the response is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The HTTP response ended before the JSON-RPC response.
    #[error("the server closed the stream without a response")]
    NoResponse,
    /// The result of `initialize` is invalid.
    #[error("the server sent an invalid result of initialize")]
    Initialize(#[source] initialize::Error),
    /// The result of `tools/list` is invalid.
    #[error("the server sent an invalid tool list")]
    Tools(#[source] listing::Error),
    /// The receiver cannot listen on its address.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address to listen on.
        address: SocketAddr,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
}

/// The start of what an error has for programs, such as when to try again.
fn data(error: &ErrorObject) -> String {
    let Some(data) = &error.data else {
        return String::new();
    };
    let shown: String = data
        .get()
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect();
    format!(" ({shown})")
}

impl Error {
    pub(crate) fn config(field: &'static str, why: String) -> Self {
        Self::Config { field, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_has_for_programs_is_shown() {
        let text = r#"{"code":-31004,"message":"full","data":{"reason":"overloaded","retryAfterMs":1500}}"#;
        let error: ErrorObject = serde_json::from_str(text).unwrap();
        let shown = Error::Rpc(error).to_string();
        assert!(
            shown.ends_with(r#"-31004: full ({"reason":"overloaded","retryAfterMs":1500})"#),
            "{shown}"
        );
        let error: ErrorObject = serde_json::from_str(r#"{"code":-32602,"message":"no"}"#).unwrap();
        assert!(Error::Rpc(error).to_string().ends_with("-32602: no"));
    }
}
