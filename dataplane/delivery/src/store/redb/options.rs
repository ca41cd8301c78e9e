//! How an embedded store is opened.
//!
//! Invariant: the defaults bound nothing and take no room of their own: they are for stores that a test or a
//! tool opens. The data plane says what a route's store may take.

use std::sync::Arc;
use std::time::Duration;

use super::hooks::Hook;
use crate::store::metrics::Metrics;
use crate::store::seal::Sealer;

/// Bodies of more bytes are files beside the database.
pub(super) const LARGE: usize = 256 << 10;
/// How long a look at the volume holds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How to open an embedded store.
#[derive(Clone)]
pub struct Options {
    /// What the store reports to.
    pub metrics: Metrics,
    /// The keys that calls, arguments, results and sessions are sealed with.
    pub sealer: Arc<Sealer>,
    /// Names the route that values are sealed for. A store that was made for another route keeps that one's.
    pub route: String,
    /// Bodies of more bytes are files beside the database: 256 KiB.
    pub large: usize,
    /// What the volume is said to hold, in bytes (`store.embedded.size`); the store's budget is 80 % of that or of
    /// what the file system has, if that is less.
    pub size: u64,
    /// Room that is kept for a full disk, in bytes: at most a sixteenth of the volume, and none below 1 MiB.
    pub ballast: u64,
    /// How long a look at the volume holds: 1 s.
    pub look_every: Duration,
    /// Called on the writer thread when a group is about to be committed.
    pub before_commit: Option<Hook>,
    /// Called on the writer thread when a group is on the disk and nobody was told yet.
    pub after_commit: Option<Hook>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            metrics: Metrics::default(),
            sealer: Arc::default(),
            route: String::new(),
            large: LARGE,
            size: u64::MAX,
            ballast: 0,
            look_every: LOOK_EVERY,
            before_commit: None,
            after_commit: None,
        }
    }
}
