//! What was acknowledged survives the end of the process: at every commit, at random moments under load,
//! and by SIGTERM.
//!
//! Real processes on loopback. Invariant: what counts as acknowledged is what a client read, what counts
//! as delivered is what a receiver answered 2xx, and what ran is in the server's own journal.

mod audit;
mod commits;
mod drain;
mod faults;
mod kills;
mod ledger;
mod load;
mod notices;
mod plan;
mod stage;
