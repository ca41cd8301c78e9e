//! The life of the operator. Called by `main`.
//!
//! Invariant: everything that can fail at the start fails before a watch is opened; when one part ends, the process
//! ends, and the lease is released last, when nothing acts any more.

use crate::admin::{self, Health};
use crate::api;
use crate::api::hearing::Hearing;
use crate::args::Run;
use crate::caches::Caches;
use crate::controller::{self, Scope, Watches};
use crate::events::Recorder;
use crate::leader::election::Timing;
use crate::leader::{Leader, Leadership, Named};
use crate::metrics::Metrics;
use crate::route::Routes;
use crate::route::claim::abandoned;
use crate::route::context::Context;
use crate::route::feedback::Poller;
use crate::route::memory::Memories;
use crate::scrape::Scrape;
use crate::settings::Settings;
use anyhow::Context as _;
use futures::future::{join_all, pending};
use kube::api::Api;
use prometheus::Registry;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::sleep;

/// Time between two sweeps of what deleted routes left.
const SWEEP: Duration = Duration::from_mins(1);

/// Runs until a signal, or until leadership is lost.
pub async fn run(args: Run, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let hearing = Hearing::default();
    let client = api::connect(hearing.clone())
        .await
        .context("failed to load the kubeconfig or the service account")?;
    let listener = TcpListener::bind(args.admin_listen).await;
    let listener = listener.with_context(|| format!("failed to listen on {}", args.admin_listen))?;
    let identity = args
        .identity
        .clone()
        .unwrap_or_else(|| format!("asyncmcp-operator-{:016x}", rand::random::<u64>()));
    let (leader, leadership) = election(&args, &client, &identity);
    let registry = Registry::new();
    let base = Base {
        recorder: Recorder::new(client.clone(), identity),
        poller: Poller::try_new().context("failed to set up the polling client")?,
        metrics: Metrics::register(&registry)?,
        settings: Settings::new(&args),
        leadership: leadership.clone(),
        client,
    };
    let scopes: Vec<(Watches, Arc<Routes>)> = Scope::of(&args.namespaces)
        .iter()
        .map(|scope| base.scope(scope))
        .collect();
    let caches: Vec<Caches> = scopes.iter().map(|(watches, _)| watches.caches.clone()).collect();
    let routes = caches.iter().map(|caches| caches.routes.clone()).collect();
    registry.register(Box::new(Scrape::new(leadership, routes)))?;
    registry.register(Box::new(hearing.clone()))?;
    let admin_port = axum::serve(listener, admin::router(registry, Health { caches, hearing }));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), admin = %args.admin_listen, "operator started");
    let ended = tokio::select! {
        lost = lead(leader.as_ref()) => Err(lost.into()),
        () = reconcile(scopes) => Err(anyhow::anyhow!("the watches ended")),
        served = admin_port.into_future() => served.context("the admin port failed"),
        () = stop => Ok(()),
    };
    if let Some(leader) = leader {
        leader.release().await;
    }
    ended
}

fn election(args: &Run, client: &kube::Client, identity: &str) -> (Option<Leader<Named>>, Leadership) {
    if !args.leader_elect {
        return (None, Leadership::always());
    }
    let namespace = args
        .lease_namespace
        .as_deref()
        .unwrap_or_else(|| client.default_namespace());
    let lease = Named::new(Api::namespaced(client.clone(), namespace), &args.lease_name);
    let (leader, leadership) = Leader::new(lease, identity.to_owned(), Timing::default());
    (Some(leader), leadership)
}

async fn lead(leader: Option<&Leader<Named>>) -> crate::leader::Error {
    match leader {
        Some(leader) => leader.run().await,
        None => pending().await,
    }
}

/// Every scope's watches and reconciles, and the sweep of what deleted routes left.
async fn reconcile(scopes: Vec<(Watches, Arc<Routes>)>) {
    let runs = scopes.into_iter().map(|(watches, routes)| async move {
        let leadership = routes.context.leadership.clone();
        tokio::select! {
            () = controller::run(watches, leadership, routes.clone()) => {}
            () = sweep(&routes) => {}
        }
    });
    join_all(runs).await;
}

/// Before the caches are warm every route seems to be gone.
async fn sweep(routes: &Routes) {
    routes.context.caches.warm().await;
    loop {
        sleep(SWEEP).await;
        let present: HashSet<(String, String)> = routes
            .context
            .caches
            .routes
            .state()
            .iter()
            .filter_map(|route| route.metadata.namespace.clone().zip(route.metadata.name.clone()))
            .collect();
        let exists = |namespace: &str, name: &str| present.contains(&(namespace.to_owned(), name.to_owned()));
        routes.memories.retain(exists);
        routes.context.interest.retain(exists);
        abandoned::let_go(&routes.context).await;
    }
}

/// The part of the contexts that all scopes share.
struct Base {
    client: kube::Client,
    leadership: Leadership,
    settings: Settings,
    recorder: Recorder,
    poller: Poller,
    metrics: Metrics,
}

impl Base {
    fn scope(&self, scope: &Scope) -> (Watches, Arc<Routes>) {
        let watches = Watches::new(&self.client, scope, &self.settings.watched);
        let context = Context {
            client: self.client.clone(),
            caches: watches.caches.clone(),
            interest: watches.interest.clone(),
            leadership: self.leadership.clone(),
            settings: self.settings.clone(),
            recorder: self.recorder.clone(),
            poller: self.poller.clone(),
            metrics: self.metrics.clone(),
        };
        let memories = Memories::default();
        (watches, Arc::new(Routes { context, memories }))
    }
}
