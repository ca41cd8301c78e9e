//! Names of the HTTP headers of MCP and related standards, in lower case as HTTP/2 requires.
//!
//! Used by everything that speaks HTTP: the endpoint, the client for servers, and the client library.
//!
//! Invariant: names only; the code that reads a header decides who may send it.

/// The session id, in both directions (2025-11-25, Transports).
pub const SESSION_ID: &str = "mcp-session-id";
/// The protocol version of a request after `initialize` (2025-06-18 and newer).
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The method of a modern request (SEP-2243).
pub const METHOD: &str = "mcp-method";
/// The name or URI that a modern request refers to (SEP-2243).
pub const NAME: &str = "mcp-name";
/// The same names as people write them, for errors.
pub mod names {
    /// See [`super::PROTOCOL_VERSION`].
    pub const PROTOCOL_VERSION: &str = "MCP-Protocol-Version";
    /// See [`super::METHOD`].
    pub const METHOD: &str = "Mcp-Method";
    /// See [`super::NAME`].
    pub const NAME: &str = "Mcp-Name";
}

/// The last event that a client received on the stream it resumes (HTML, server-sent events).
pub const LAST_EVENT_ID: &str = "last-event-id";
/// What the headers of a modern `tools/call` begin with that repeat an argument (SEP-2243).
pub const PARAM: &str = "mcp-param-";
