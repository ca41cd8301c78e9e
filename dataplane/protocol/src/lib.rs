//! The MCP wire format: messages, protocol versions and eras, and server-sent events.
//!
//! Used by the data plane and the client library.
//!
//! Invariant: nothing here does I/O, reads a clock or uses randomness, and a value that is not changed keeps its bytes:
//! it is never parsed and serialized again.

pub mod batch;
pub mod code;
mod depth;
pub mod era;
pub mod header;
pub mod id;
pub mod initialize;
pub mod listing;
pub mod log;
pub mod media;
pub mod message;
pub mod modern;
pub mod offers;
pub mod raw;
pub mod sse;
pub mod subscriptions;
pub mod tasks;
pub mod template;
pub mod tool_result;
pub mod tools;
pub mod version;

pub use code::{Code, ErrorObject};
pub use id::Id;
pub use message::{Message, Notification, Outcome, Request, Response};
pub use raw::RawObject;
pub use serde_json::value::RawValue;
pub use version::{Era, Version};
