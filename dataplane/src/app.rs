//! The parts, wired: the only file that names every one of them.
//!
//! `main` starts one per process. Invariant: a part gets what
//! it needs as an argument and knows nothing of the others.

mod state;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_crds::effective::Route;
use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::egress::resolver::Dns;
use asyncmcp_delivery::engine::{Engine, Grace, Parts, rng};
use asyncmcp_delivery::sender::HttpSender;
use asyncmcp_delivery::store::Store;
use prometheus::{IntGaugeVec, Opts, Registry};
use tokio_util::sync::CancellationToken;

use self::state::State;
use crate::admin::Admin;
use crate::admin::health::Health;
use crate::args::{Args, Switch};
use crate::auth::{self, Auth};
use crate::caller::operation;
use crate::calls::{Calls, InProgress, Rates, Resumable, TaskIds};
use crate::config::Live;
use crate::edge::Edge;
use crate::servers::catalogue::{Catalogue, Cursors};
use crate::servers::lines::{Lines, Wrap};
use crate::servers::{self, Upstreams};
use crate::work::delivery_policy;
use crate::work::runner::Runner;

/// What is kept of the grace period for delivering what the last calls ended with.
const KEPT_FOR_DELIVERIES: Duration = Duration::from_secs(30);
/// What is kept of it for the last commits and for closing the store.
const KEPT_FOR_THE_END: Duration = Duration::from_secs(10);

/// The engine, at work.
fn engine(
    (store, runner): (Arc<dyn Store>, Arc<Runner>),
    live: &Live,
    clock: &Clock,
    registry: &Registry,
) -> Result<Arc<Engine>> {
    let parts = Parts {
        store,
        executor: runner,
        sender: Arc::new(HttpSender::new(Arc::new(Dns::system().context("the resolver")?))),
        policy: delivery_policy::follow(live.clone()),
        clock: clock.clone(),
        rng: rng(),
    };
    Ok(Arc::new(Engine::start(parts, registry)?))
}

/// A data plane at work.
pub struct App {
    live: Live,
    engine: Arc<Engine>,
    runner: Arc<Runner>,
    edge: Arc<Edge>,
    admin: Admin,
    ending: CancellationToken,
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
    /// Opens the store, resumes what an earlier process left, and begins to watch the servers.
    /// Must be called within a runtime.
    pub fn start(args: &Args, live: Live, registry: Registry) -> Result<Self> {
        let config = Arc::clone(&live.borrow());
        let State { store, failed, ring } = state::open(args, &live, &registry)?;
        let clock = clock(&*store, args);
        let upstreams = Upstreams::new(live.clone(), servers::Metrics::register(&registry)?);
        let wrap = Wrap::new(Arc::clone(&ring), config.identity());
        let task_ids = TaskIds::new(Arc::clone(&ring), config.identity());
        let ending = CancellationToken::new();
        let lines = Lines::new(upstreams.clone(), Arc::clone(&store), wrap);
        let cursors = Cursors::new(Arc::clone(&ring), config.identity());
        let catalogue = Catalogue::start(upstreams, lines.clone(), cursors);
        let runner = Arc::new(Runner::new(lines.own()));
        let parts = (Arc::clone(&store), Arc::clone(&runner));
        let engine = engine(parts, &live, &clock, &registry)?;
        let calls = Calls {
            lines,
            catalogue: catalogue.clone(),
            engine: Arc::clone(&engine),
            in_progress: InProgress::default(),
            rates: Rates::default(),
            metrics: operation::Metrics::register(&registry, clock.clone())?,
            clock: clock.clone(),
            task_ids,
            resumable: Resumable::start(Arc::clone(&ring), config.identity()),
            closing: ending.clone(),
        };
        let auth = Arc::new(Auth::start(live.clone(), auth::Metrics::register(&registry)?)?);
        let edge = Arc::new(Edge {
            live: live.clone(),
            auth: Arc::clone(&auth),
            calls: Arc::new(calls),
            ring,
            loopback: args.listen.ip().is_loopback(),
            closing: ending.clone(),
        });
        let health = Health::new(ending.clone(), failed, engine.failed());
        follow(&live, &catalogue, &engine, &health);
        let admin = Admin {
            live: live.clone(),
            registry,
            store,
            engine: Arc::clone(&engine),
            clock,
            auth,
            catalogue,
            token: Arc::new(state::token(args)?),
            console: args.console == Switch::On,
            health,
            loopback: args.admin_listen.ip().is_loopback(),
        };
        Ok(Self {
            live,
            engine,
            runner,
            edge,
            admin,
            ending,
        })
    }

    /// What the MCP port serves.
    pub fn edge(&self) -> Arc<Edge> {
        Arc::clone(&self.edge)
    }

    /// What the admin port serves.
    pub fn admin(&self) -> Admin {
        self.admin.clone()
    }

    /// Whether the process lives.
    pub fn health(&self) -> &Health {
        &self.admin.health
    }

    /// How long calls and deliveries may continue after SIGTERM: most of the pod's grace period.
    pub fn time_to_end(&self) -> Grace {
        let grace = self.live.borrow().route.data_plane.termination_grace_period;
        Grace {
            calls: grace.saturating_sub(KEPT_FOR_DELIVERIES),
            deliveries: grace.saturating_sub(KEPT_FOR_THE_END),
        }
    }

    /// Ends the work on jobs. Ordinary calls and their answers go on.
    pub async fn drain(&self, grace: Grace) {
        let span = |time: Duration| asyncmcp_crds::Duration::from(Duration::from_secs(time.as_secs()));
        let (calls, deliveries) = (span(grace.calls), span(grace.deliveries));
        tracing::info!(pending = self.engine.pending(), %calls, %deliveries, "shutting down: waiting at most this long; Ctrl-C ends at once");
        self.ending.cancel();
        if let Err(error) = self.engine.drain(grace).await {
            tracing::error!(%error, "the store did not close cleanly; it is recovered at the next start");
        }
        self.runner.close().await;
    }
}

/// The wall clock, corrected by what the store has seen of the time.
fn clock(store: &dyn Store, args: &Args) -> Clock {
    let counts = store.counts();
    let unfinished = counts.pending() + counts.dead;
    Clock::system(store.high_water(), unfinished, args.state_dir.as_deref())
}

/// What goes on beside the requests.
fn follow(live: &Live, catalogue: &Catalogue, engine: &Arc<Engine>, health: &Health) {
    tokio::spawn(note_when_tried(catalogue.clone(), health.clone()));
    tokio::spawn(finish_when_deleted(live.clone(), Arc::clone(engine)));
}

async fn note_when_tried(catalogue: Catalogue, health: Health) {
    catalogue.tried_once().await;
    health.tried();
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
