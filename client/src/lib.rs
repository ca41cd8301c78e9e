//! A client that calls tools, and a receiver for the webhooks that deliver their results.
//!
//! Used by the `asyncmcp` command (`cli/`), by the end-to-end tests and by applications in Rust.
//!
//! Invariant: if signing keys are configured, a result reaches the application only after its signature was verified.
//! Arguments and results stay raw JSON.
//!
//! A [`Client`] uses the process's default rustls provider for HTTPS; install one in `main` before the first call.

mod client;
mod config;
mod error;
mod header;
mod receiver;
pub mod signature;
mod transport;

pub use client::{Answer, Client, Progress};
pub use config::{BearerToken, Config};
pub use error::Error;
pub use header::Header;
pub use receiver::{Attempt, Outcome, Receiver, ReceiverOptions};

pub use asyncmcp_protocol::tool_result::is_error as is_tool_error;
pub use asyncmcp_protocol::tools::Tool;
pub use asyncmcp_protocol::{ErrorObject, Id, Outcome as ResponseOutcome, RawObject, RawValue, Response};
