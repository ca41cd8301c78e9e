//! MCP on the wire: what a message is, which era it speaks, how it travels over SSE.
//!
//! The data plane and the client library stand on it.
//!
//! Invariant: nothing here does I/O, reads a clock or draws a random number, and no value
//! that is not changed is parsed and written again: it keeps its bytes.

pub mod batch;
pub mod code;
pub mod depth;
pub mod era;
pub mod header;
pub mod id;
pub mod initialize;
pub mod message;
pub mod raw;
pub mod sse;
pub mod tasks;
pub mod tool_result;
pub mod tools;
pub mod version;

pub use code::{Code, ErrorObject};
pub use id::Id;
pub use message::{Message, Notification, Outcome, Request, Response};
pub use raw::RawObject;
pub use serde_json::value::RawValue;
pub use version::{Era, Version};
