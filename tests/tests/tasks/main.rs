//! Calls of tools as tasks, on the running process: in the forms of both eras, with and without a receiver, across restarts,
//! and the tasks of servers.
//!
//! Invariant: what a client gets is asserted beside what its server saw and its receiver got.

mod beginning;
mod callers;
mod delivering;
mod ending;
mod followed;
mod limits;
mod notified;
mod restarts;
mod scene;
mod servers;
