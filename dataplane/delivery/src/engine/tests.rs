//! The engine as a whole, over the memory store.
//!
//! Most of it runs under a paused clock against scripted servers and receivers (`world`); `faults` uses
//! real receivers on loopback.

mod breaker;
mod deliveries;
mod draining;
mod executions;
mod fairness;
mod faults;
mod flaky;
mod holding;
mod jobs;
mod known;
mod memory;
mod receivers;
mod recovery;
mod resume_tokens;
mod room;
mod servers;
mod traces;
mod world;
