//! How an embedded store is opened.
//!
//! The data plane makes them from the route. Invariant: the defaults limit nothing and reserve no space: they are for
//! stores that a test or a tool opens.

use std::sync::Arc;
use std::time::Duration;

use super::hooks::Hook;
use crate::store::metrics::Metrics;
use crate::store::seal::Sealer;

/// Larger bodies are files beside the database.
pub(super) const LARGE: usize = 256 << 10;
/// How long a measurement of the volume is valid.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How to open an embedded store.
#[derive(Clone)]
pub struct Options {
    /// What the store reports to.
    pub metrics: Metrics,
    /// The keys with which calls, arguments, results and sessions are encrypted.
    pub sealer: Arc<Sealer>,
    /// The route for which values are encrypted. A store that was created for another route keeps that one.
    pub route: String,
    /// Larger bodies are files beside the database: 256 KiB.
    pub large: usize,
    /// The configured size of the volume, in bytes (`store.embedded.size`); the store's budget is 80 % of that or of the
    /// file system's size, if that is less.
    pub size: u64,
    /// The size of the reserve file for a full disk, in bytes: at most a sixteenth of the volume, none below 1 MiB.
    pub ballast: u64,
    /// How long a measurement of the volume is valid: 1 s.
    pub look_every: Duration,
    /// Called on the writer thread when a group is about to be committed.
    pub before_commit: Option<Hook>,
    /// Called on the writer thread when a group is on the disk and no reply was sent yet.
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
