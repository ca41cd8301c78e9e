//! The other ends that tests need, one of each: a webhook receiver, an MCP server, and patience with a deadline.
//!
//! Unit tests take them as a dev-dependency, tests of processes as a dependency. Invariant: nothing of the product
//! is used here, so that a mistake cannot be on both sides of a test.

mod eventually;

pub use eventually::{Answer, eventually};
