//! Receivers that fail in every way: each delivery ends as it should, and log and metrics say so.
//!
//! Real processes on loopback. Invariant: a case states the whole story, every attempt of it; what no case
//! expects must not happen.

mod answers;
mod case;
mod ending;
mod names;
mod rebinding;
mod table;
