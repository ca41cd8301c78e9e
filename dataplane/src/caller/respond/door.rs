//! Why a request does not get in, before a byte of MCP is read.
//!
//! [`crate::edge::door`] decides, [`super`] reports it. Invariant: each names what to change.

use std::time::Duration;

use http::StatusCode;

/// What the path answers, as `Allow` and CORS name it.
pub const METHODS: &str = "GET, POST, DELETE, OPTIONS";
/// The same from 2026-07-28 on.
pub const MODERN_METHODS: &str = "POST, OPTIONS";
/// How long a client may take to send a request's body.
pub const BODY_TIME: Duration = Duration::from_secs(30);
/// Why a request did not get in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another path than `transport.path`.
    #[error("nothing is served at this path; MCP is at {0}")]
    Path(String),
    /// The Host is not one that this route answers to.
    #[error("host {0:?} is not allowed; add it to transport.hostnames")]
    Host(String),
    /// The Origin is not one that may call.
    #[error("origin {0:?} is not allowed; add it to transport.allowedOrigins")]
    Origin(String),
    /// The path knows no such method.
    #[error("method not allowed; use {METHODS}")]
    Method,
    /// The path knows the method, but the version that the request names does not.
    #[error(
        "method not allowed: from protocol version 2026-07-28 on there are no sessions; use {MODERN_METHODS}"
    )]
    NoSessions,
    /// The same where the route has no sessions.
    #[error("method not allowed: this route has no sessions (transport.stateless); use {MODERN_METHODS}")]
    Stateless,
    /// The client would not understand the answer.
    #[error("not acceptable: the client must accept {0}")]
    Accept(&'static str),
    /// The body is announced as something else than JSON.
    #[error("unsupported media type: Content-Type must be application/json")]
    ContentType,
    /// The body is larger than `transport.maxRequestSize`.
    #[error("the body is larger than {limit} bytes (transport.maxRequestSize)")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The body did not come in time.
    #[error("the body did not arrive within {} s", BODY_TIME.as_secs())]
    Slow,
    /// The connection broke while the body was read.
    #[error("the body could not be read")]
    Broken,
}

impl Error {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Path(_) => StatusCode::NOT_FOUND,
            Self::Host(_) | Self::Origin(_) => StatusCode::FORBIDDEN,
            Self::Method | Self::NoSessions | Self::Stateless => StatusCode::METHOD_NOT_ALLOWED,
            Self::Accept(_) => StatusCode::NOT_ACCEPTABLE,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}
