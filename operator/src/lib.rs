//! The operator: turns `McpWebhookRoute` objects into data-plane pods, and the pods' reports into status.
//!
//! | module | what |
//! |---|---|
//! | `controller` | the watches, and the queue of routes they feed |
//! | `route` | one reconcile: resolve, validate, ensure, build, apply, publish |
//! | `leader` | which of several replicas acts |
//! | `names`, `labels`, `kinds` | names and labels of the objects it makes |
//! | `rbac` | the operator's permissions, as a table |
//!
//! Invariant: the operator never speaks MCP and never reads the contents of a Secret.

pub mod admin;
pub mod args;
pub mod caches;
mod cause;
pub mod controller;
mod digest;
pub mod events;
pub mod interest;
pub mod kinds;
pub mod labels;
pub mod leader;
pub mod metrics;
pub mod names;
pub mod rbac;
pub mod route;
pub mod run;
pub mod scrape;
pub mod settings;
