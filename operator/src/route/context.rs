//! What every reconcile of a scope shares. Made by `main`, once per scope.
//!
//! Invariant: no secret and no route's state is in it, but through [`Memories`].

use crate::caches::Caches;
use crate::events::Recorder;
use crate::interest::Interest;
use crate::leader::Leadership;
use crate::memory::Memories;
use crate::metrics::Metrics;
use crate::route::feedback::Poller;
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
    /// What is remembered of each route.
    pub memories: Arc<Memories>,
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
