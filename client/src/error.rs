//! What can go wrong for a client.
//!
//! Made by `client`, `transport` and `receiver`; shown by the command.
//!
//! Invariant: an error says whether the server answered, and carries its answer if it did.

use std::net::SocketAddr;
use std::time::Duration;

use asyncmcp_protocol::{ErrorObject, initialize, message, sse, tools};

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting makes no sense.
    #[error("invalid setting {field}: {why}")]
    Config {
        /// The setting.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The HTTP client could not be made.
    #[error("failed to set up the HTTP client")]
    Http(#[source] reqwest::Error),
    /// No connection, or it broke.
    #[error("failed to reach {url}")]
    Unreachable {
        /// The endpoint.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server said nothing for too long.
    #[error("the server was silent for {0:?}; raise timeout_seconds if that is to be expected")]
    Silent(Duration),
    /// The HTTP status is none of MCP's.
    #[error("the server answered HTTP {status}: {body}")]
    Status {
        /// The status.
        status: u16,
        /// The first 1,024 bytes of the body.
        body: String,
    },
    /// The session is not known to the server (404), or older than `transport_timeout_seconds`.
    #[error("the session is over; connect again")]
    SessionOver,
    /// A JSON-RPC error.
    #[error("the server answered error {}: {}", .0.code, .0.message)]
    Rpc(ErrorObject),
    /// The answer is no JSON-RPC.
    #[error("the answer cannot be read")]
    Message(#[source] message::Error),
    /// The answer's stream cannot be read.
    #[error("the answer's stream cannot be read")]
    Stream(#[source] sse::Error),
    /// The answer is larger than a client takes.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer ended before the response came.
    #[error("the server ended its answer without a response")]
    NoResponse,
    /// The answer to `initialize` cannot be read.
    #[error("the answer to initialize cannot be read")]
    Initialize(#[source] initialize::Error),
    /// The tool list cannot be read.
    #[error("the tool list cannot be read")]
    Tools(#[source] tools::Error),
    /// The receiver cannot listen.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn config(field: &'static str, why: String) -> Self {
        Self::Config { field, why }
    }
}
