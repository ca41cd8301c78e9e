//! What every reconcile of a scope shares: the way to the cluster and what is known of it. Made by `run`, once per scope.
//!
//! Invariant: no secret is in it and nothing of one route; that is `memory`'s.

use super::feedback::Poller;
use crate::caches::Caches;
use crate::events::Recorder;
use crate::interest::Interest;
use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::settings::Settings;
use std::sync::Arc;

/// What every reconcile of a scope shares.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub client: kube::Client,
    /// What is known of the cluster.
    pub caches: Caches,
    /// Which route wants to know of which object.
    pub interest: Arc<Interest>,
    /// Whether this replica may act.
    pub leadership: Leadership,
    /// What the command line says of data planes.
    pub settings: Settings,
    /// Writes events.
    pub recorder: Recorder,
    /// Asks pods for their status.
    pub poller: Poller,
    /// The operator's own figures.
    pub metrics: Metrics,
}
