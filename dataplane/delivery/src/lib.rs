//! Jobs and their delivery: what happens to a webhook tool's call between its acknowledgement and its end.
//!
//! Here live the state table, the stores, the engine, the retry schedule, signatures and the egress guard. What knows MCP,
//! Kubernetes or a route's YAML belongs to the data plane, which calls [`engine::Engine`] and [`store::Store`].
//! Invariant: a job changes only by the table in [`state`].

pub mod clock;
pub mod directory;
pub mod egress;
pub mod engine;
pub mod history;
pub mod id;
pub mod job;
pub mod key_file;
pub mod policy;
pub mod schedule;
pub mod sender;
pub mod signature;
pub mod state;
pub mod store;
pub mod trace;
pub mod verdict;
