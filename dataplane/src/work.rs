//! What the delivery engine calls back: what runs its jobs, and the route's rules.
//!
//! [`crate::app`] gives both to the engine. Here lives whatever the engine calls back. Nothing here answers a client.

pub mod delivery_policy;
pub mod runner;
