//! The data plane: an MCP Streamable HTTP endpoint in front of a route's servers, which answers
//! calls of webhook tools by webhook.
//!
//! The binary wires it; the tests run it in process. Invariant: it knows no Kubernetes API, and
//! everything it serves comes from one McpWebhookRoute document.

mod accept;
pub mod admin;
pub mod app;
pub mod args;
mod cancel;
pub mod catalogue;
pub mod config;
pub mod execute;
pub mod failpoint;
#[cfg(test)]
mod fake;
mod forward;
pub mod guard;
pub mod jobs;
pub mod operation;
pub mod policy;
pub mod respond;
pub mod server;
pub mod session;
pub mod sessions;
pub mod status;
pub mod store_command;
pub mod telemetry;
pub mod upstream;
