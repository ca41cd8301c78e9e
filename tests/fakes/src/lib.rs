//! The other ends that tests need, one of each: a webhook receiver, an MCP server, and patience with a deadline.
//!
//! Unit tests take them as a dev-dependency, tests of processes as a dependency. Invariant: nothing of the product
//! is used here, so that a mistake cannot be on both sides of a test.

mod eventually;
pub mod issuer;
pub mod mcp;
pub mod receiver;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use eventually::{Holds, eventually};

/// A port on loopback where nobody listens.
///
/// # Panics
/// Never, but on a machine without a free port.
pub fn unused_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// A test that failed while it held the lock has said so itself.
fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
