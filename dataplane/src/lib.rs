//! The data plane: an MCP Streamable HTTP endpoint in front of a route's servers, which answers
//! calls of webhook tools by webhook.
//!
//! The binary wires it; the tests run it in process. A call's way leads through the rooms in this order: [`edge`], which
//! asks [`auth`], then [`calls`], [`servers`]; [`caller`] lies below all four. [`work`] is what the delivery engine asks for, [`admin`] what
//! people and the operator ask. Invariant: it knows no Kubernetes API, and everything it serves comes from one
//! McpWebhookRoute document.

pub mod admin;
pub mod app;
pub mod args;
pub mod auth;
pub mod caller;
pub mod calls;
pub mod config;
pub mod edge;
pub mod failpoint;
pub mod ports;
pub mod servers;
pub mod store_command;
pub mod telemetry;
#[cfg(test)]
mod tests;
pub mod work;
