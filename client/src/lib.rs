//! The other end of the transport: a client that calls tools, a receiver that takes results.
//!
//! The `asyncmcp` command, the end-to-end pods and applications in Rust use it.
//!
//! Invariant: a result that comes by webhook reaches the application only after its signature
//! held, where keys are given. Arguments and results stay raw JSON.
//!
//! A [`Client`] makes HTTPS calls with the process's default rustls provider; install one in
//! `main` before the first call.

mod client;
mod config;
mod error;
mod receiver;
pub mod signature;
mod transport;

pub use client::{Answer, Client, Progress};
pub use config::Config;
pub use error::Error;
pub use receiver::{Attempt, Outcome, Receiver, ReceiverOptions};

pub use asyncmcp_protocol::tools::Tool;
pub use asyncmcp_protocol::{ErrorObject, Id, RawValue};
