//! Attacks on the running process, each of which once worked.
//!
//! Invariant: an attack comes from one place, and what is asserted is what everybody else gets meanwhile.

mod connections;
mod signatures;
