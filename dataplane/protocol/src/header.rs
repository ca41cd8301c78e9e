//! Names of the HTTP headers MCP and its companions use; lower case, as HTTP/2 wants them.
//!
//! Used by every end that speaks HTTP: the door, the upstream client, the client library.
//!
//! Invariant: only names; who may send which header is decided where it is read.

/// The session id, in both directions (2025-11-25, Transports).
pub const SESSION_ID: &str = "mcp-session-id";
/// The protocol version of a request after `initialize` (2025-06-18 and newer).
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The method of a modern request (SEP-2243).
pub const METHOD: &str = "mcp-method";
/// The name or URI a modern request is about (SEP-2243).
pub const NAME: &str = "mcp-name";
/// The last event a client saw on the stream it resumes (HTML, server-sent events).
pub const LAST_EVENT_ID: &str = "last-event-id";
