//! What the data plane tells of itself, at real receivers: metrics in a Prometheus, spans in a collector.
//!
//! Needs prometheus, promtool and the peers, as `make test ONLY=monitoring` brings them. Invariant: every process here
//! is a real one, and what is asserted was read back from somebody else's.

mod metrics;
mod restart;
mod traces;
mod world;
