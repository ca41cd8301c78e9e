//! The promise under single faults, on real processes: a proxy that lies about a call that ran, a caller that
//! hangs up during a commit, a sync that reports failure after it was done, a stop during an attempt, a file of the store
//! that is gone, neighbours in trouble.
//!
//! Invariant: no process is restarted here. What stands still after one fault stands still for good, and fails
//! the test.

mod damage;
mod doubt;
mod hanging_up;
mod neighbours;
mod scene;
mod stopping;
mod town;
mod turns;
mod twice;
