//! What the tests across boundaries share: real processes, and patience with a deadline.
//!
//! The binaries under `tests/tests/` are thin; whatever two of them need is here. Invariant:
//! what a test starts it stops, by the process it started, also when it panics.

pub mod attempt;
pub mod authority;
pub mod chart;
pub mod cluster;
pub mod collector;
pub mod command;
pub mod dashboard;
pub mod dataplane;
pub mod dns;
pub mod example;
pub mod key;
pub mod modern;
pub mod namespace;
pub mod pages;
pub mod peers;
pub mod pile;
pub mod process;
pub mod prometheus;
pub mod readme;
pub mod relay;
pub mod session;
pub mod sync_fault;
pub mod usage;

pub use asyncmcp_fakes::{eventually, mcp, receiver};
