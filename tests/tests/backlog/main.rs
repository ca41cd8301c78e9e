//! A hundred thousand jobs that wait: what they cost a restart, and what they cost everybody else.
//!
//! Real processes on loopback, on the embedded store. Invariant: every number is measured in the run that judges it.

mod dead_receiver;
mod restart;
mod stage;
