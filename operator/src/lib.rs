//! The operator: turns `McpWebhookRoute` objects into data-plane pods, and the pods' reports into status.
//!
//! | module | what |
//! |---|---|
//! | `api` | the client of the API server: deadlines, and what was heard of it |
//! | `controller` | the watches, and the queue of routes they feed |
//! | `definition` | whether the `CustomResourceDefinition` in the cluster knows all fields |
//! | `route` | one reconcile: resolve, validate, ensure, build, apply, publish |
//! | `ruling`, `leader` | which of several replicas acts, and which of several operators of one class |
//! | `names`, `labels`, `kinds` | names and labels of the objects it makes |
//! | `rbac` | the operator's permissions, as a table |
//!
//! Invariant: the operator never speaks MCP and never reads the contents of a Secret.

mod admin;
mod api;
pub mod args;
mod caches;
mod cause;
mod controller;
mod definition;
mod digest;
mod events;
mod interest;
mod kinds;
pub mod labels;
mod leader;
mod metrics;
mod names;
pub mod rbac;
mod route;
mod ruling;
pub mod run;
mod scrape;
mod settings;
