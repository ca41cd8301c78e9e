//! The parts, wired: the only file that names every one of them.
//!
//! `main` starts one per process; the admin port and the edge read it. Invariant: a part gets what
//! it needs as an argument and knows nothing of the others.

pub mod liveness;
mod state;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_crds::StatusReport;
use asyncmcp_crds::effective::Route;
use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::egress::resolver::Dns;
use asyncmcp_delivery::engine::{Engine, Parts, rng};
use asyncmcp_delivery::sender::HttpSender;
use asyncmcp_delivery::store::{self, Store};
use prometheus::{IntGaugeVec, Opts, Registry};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::liveness::Liveness;
use self::state::State;
use crate::args::Args;
use crate::catalogue::Catalogue;
use crate::config::Live;
use crate::execute::Runner;
use crate::jobs::Jobs;
use crate::jobs::token::Token;
use crate::server::Edge;
use crate::sessions::{Sessions, Wrap};
use crate::upstream::Upstreams;
use crate::{operation, policy, status, upstream};

/// What is kept of the grace period for attempts under way and for closing the store.
const KEPT_FOR_THE_END: Duration = Duration::from_secs(30);

/// A data plane at work.
pub struct App {
    live: Live,
    registry: Registry,
    store: Arc<dyn Store>,
    liveness: Liveness,
    engine: Arc<Engine>,
    runner: Arc<Runner>,
    catalogue: Catalogue,
    edge: Arc<Edge>,
    token: Arc<Token>,
    tried: Arc<AtomicBool>,
    ending: CancellationToken,
}

/// Why the pod is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// Some server was not tried yet: a name could still turn out to be its tool.
    #[error("not every server was tried once")]
    Starting,
    /// The process is ending.
    #[error("the process is ending")]
    Ending,
}

/// The registry of this process: each series carries the route it is about.
pub fn registry(route: &Route) -> Result<Registry, prometheus::Error> {
    let labels = [("route", &route.name), ("namespace", &route.namespace)];
    let labels: HashMap<_, _> = labels
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .into();
    let registry = Registry::new_custom(None, Some(labels))?;
    let build = IntGaugeVec::new(
        Opts::new("asyncmcp_build_info", "1; the version is a label."),
        &["version"],
    )?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    registry.register(Box::new(build))?;
    Ok(registry)
}

impl App {
    /// Opens the store, takes up what an earlier process left, and begins to watch the servers.
    /// Must be called within a runtime.
    pub fn start(args: &Args, live: Live, registry: Registry) -> Result<Self> {
        let config = Arc::clone(&live.borrow());
        let State { store, failed, ring } = state::open(args, &live, &registry)?;
        let token = Arc::new(state::token(args)?);
        let clock = {
            let counts = store.counts();
            Clock::system(store.high_water(), counts.pending() + counts.dead)
        };
        let upstreams = Upstreams::new(live.clone(), upstream::Metrics::register(&registry)?);
        let wrap = Wrap::new(Arc::clone(&ring), config.identity());
        let sessions = Sessions::new(upstreams.clone(), Arc::clone(&store), wrap);
        let catalogue = Catalogue::start(upstreams.clone(), sessions.clone());
        let runner = Arc::new(Runner::new(upstreams));
        let parts = Parts {
            store: Arc::clone(&store),
            executor: Arc::clone(&runner) as _,
            sender: Arc::new(HttpSender::new(Arc::new(Dns::system().context("the resolver")?))),
            policy: policy::follow(live.clone()),
            clock: clock.clone(),
            rng: rng(),
        };
        let engine = Arc::new(Engine::start(parts, &registry)?);
        let ending = CancellationToken::new();
        let edge = Arc::new(Edge {
            live: live.clone(),
            sessions,
            catalogue: catalogue.clone(),
            engine: Arc::clone(&engine),
            ring,
            metrics: operation::Metrics::register(&registry, clock.clone())?,
            clock,
            loopback: args.listen.ip().is_loopback(),
            closing: ending.clone(),
        });
        let tried = Arc::new(AtomicBool::new(false));
        tokio::spawn(note_when_tried(catalogue.clone(), Arc::clone(&tried)));
        tokio::spawn(finish_when_deleted(live.clone(), Arc::clone(&engine)));
        Ok(Self {
            live,
            registry,
            store,
            liveness: Liveness::new(failed, engine.failed()),
            engine,
            runner,
            catalogue,
            edge,
            token,
            tried,
            ending,
        })
    }

    /// What the MCP port serves.
    pub fn edge(&self) -> Arc<Edge> {
        Arc::clone(&self.edge)
    }

    /// What the jobs API serves.
    pub fn jobs(&self) -> Jobs {
        Jobs {
            engine: Arc::clone(&self.engine),
            token: Arc::clone(&self.token),
        }
    }

    /// What `/metrics` shows.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What `/readyz` says.
    pub fn readiness(&self) -> Result<(), NotReady> {
        if self.ending.is_cancelled() {
            return Err(NotReady::Ending);
        }
        if self.tried.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(NotReady::Starting)
        }
    }

    /// What `/status` says.
    pub async fn status(&self) -> Result<StatusReport, store::Error> {
        let config = Arc::clone(&self.live.borrow());
        status::report(&config, &self.catalogue, &*self.store).await
    }

    /// What `/livez` says.
    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// How long what runs may go on once the process was told to end: most of the pod's grace period.
    pub fn time_to_end(&self) -> Duration {
        let grace = self.live.borrow().route.data_plane.termination_grace_period;
        grace.saturating_sub(KEPT_FOR_THE_END)
    }

    /// Ends the work on jobs. What runs may go on until `deadline`; ordinary calls and their answers go on.
    pub async fn drain(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        tracing::info!(pending = self.engine.pending(), ?left, "ending");
        self.ending.cancel();
        if let Err(error) = self.engine.drain(left).await {
            tracing::error!(%error, "the store did not close cleanly; it is recovered at the next start");
        }
        self.runner.close().await;
    }
}

async fn note_when_tried(catalogue: Catalogue, tried: Arc<AtomicBool>) {
    catalogue.tried_once().await;
    tried.store(true, Ordering::Relaxed);
}

/// A route that is being deleted takes no new calls and finishes its deliveries.
async fn finish_when_deleted(mut live: Live, engine: Arc<Engine>) {
    if live.wait_for(|config| config.route.deleting).await.is_ok() {
        tracing::info!(
            pending = engine.pending(),
            "the route is being deleted; finishing its deliveries"
        );
        engine.finish_deliveries().await;
        tracing::info!("nothing is pending any more");
    }
}
