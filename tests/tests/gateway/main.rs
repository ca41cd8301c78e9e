//! Clients and servers of both eras on the running process.
//!
//! Invariant: each of them sees its own era, and nobody hangs.

mod openings;
mod pairings;
mod scene;
mod vanishing;
