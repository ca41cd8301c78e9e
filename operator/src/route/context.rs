//! What all reconciles of a scope share: the API client and the caches. Made by `run`, once per scope.
//!
//! Invariant: it holds no secret and nothing about a single route, which is in `memory`.

use super::feedback::Poller;
use super::rollout::Rollouts;
use crate::caches::Caches;
use crate::definition::Definition;
use crate::events::Recorder;
use crate::interest::Interest;
use crate::leader::Leadership;
use crate::leader::neighbours::Left;
use crate::metrics::Metrics;
use crate::settings::Settings;
use std::sync::Arc;

/// What all reconciles of a scope share.
#[derive(Clone)]
pub(crate) struct Context {
    /// Client of the API server.
    pub(crate) client: kube::Client,
    /// The local view of the cluster.
    pub(crate) caches: Caches,
    /// Which routes depend on which object.
    pub(crate) interest: Arc<Interest>,
    /// Whether this replica may act.
    pub(crate) leadership: Leadership,
    /// The namespaces that are left to other operators.
    pub(crate) left: Left,
    /// Which routes' pods are being replaced.
    pub(crate) rollouts: Rollouts,
    /// What the definition in the cluster knows.
    pub(crate) definition: Definition,
    /// Settings of data planes from the command line.
    pub(crate) settings: Settings,
    pub(crate) recorder: Recorder,
    /// Polls the pods for their reports.
    pub(crate) poller: Poller,
    pub(crate) metrics: Metrics,
}
