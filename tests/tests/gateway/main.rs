//! What clients and servers of the protocol's eras see of each other through the gateway, on the running process.
//!
//! Invariant: what a client gets is asserted beside what its server saw.

mod asking;
mod between;
mod bytes;
mod calls;
mod client;
mod content;
mod events;
mod hostile;
mod jobs;
mod leaving;
mod listening;
mod lists;
mod logging;
mod pairings;
mod refusals;
mod resuming;
mod rotation;
mod rounds;
mod scene;
mod stateless;
mod unanswered;
