//! Jobs and their delivery: what happens to a webhook tool's call between its
//! acknowledgement and its end.
//!
//! The data plane calls [`engine::Engine`]; operators' hands call [`store::Store`].
//! Invariant: nothing here knows MCP or Kubernetes, and no job leaves a
//! [`store::Store`] by any way but the table in [`state`].

pub mod clock;
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
