//! The life of the operator. Called by `main`.
//!
//! Invariant: everything that can fail at the start fails before a watch is opened; when one part ends, the process
//! ends, and the lease is released last, when nothing acts any more.

use crate::admin::port::Port;
use crate::admin::{self, Health};
use crate::api;
use crate::api::hearing::Hearing;
use crate::args::Run;
use crate::controller::{self, Scope, Watches};
use crate::definition::Definition;
use crate::events::Recorder;
use crate::leader::Leadership;
use crate::leader::neighbours::Left;
use crate::metrics::Metrics;
use crate::route::Routes;
use crate::route::claim::abandoned;
use crate::route::context::Context;
use crate::route::feedback::Poller;
use crate::route::memory::Memories;
use crate::route::rollout::Rollouts;
use crate::ruling::Ruling;
use crate::scrape::Scrape;
use crate::settings::Settings;
use anyhow::Context as _;
use futures::future::join_all;
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
    let client = connect(&hearing).await?;
    // With connections of its own, which are never idle for long: none is dropped, and no other request waits for one.
    let ruling_client = connect(&hearing).await?;
    let listener = TcpListener::bind(args.admin_listen).await;
    let listener = listener.with_context(|| format!("failed to listen on {}", args.admin_listen))?;
    let identity = args
        .identity
        .clone()
        .unwrap_or_else(|| format!("asyncmcp-operator-{:016x}", rand::random::<u64>()));
    let scopes = Scope::of(&args.namespaces);
    let ruling = Ruling::new(&args, &ruling_client, &identity, &scopes);
    let registry = Registry::new();
    let base = Base {
        recorder: Recorder::new(client.clone(), identity),
        poller: Poller::try_new().context("failed to set up the polling client")?,
        metrics: Metrics::register(&registry)?,
        settings: Settings::new(&args),
        left: ruling.left(),
        definition: Definition::default(),
        rollouts: Rollouts::new(usize::from(args.max_rolling_routes)),
        client,
    };
    let scopes: Vec<(Watches, Arc<Routes>)> = scopes
        .iter()
        .enumerate()
        .map(|(index, scope)| base.scope(scope, ruling.of_scope(index)))
        .collect();
    let scrape = scrape(&scopes, &base.settings, &ruling);
    collect(&registry, scrape, &hearing, &base.definition)?;
    let health = Health {
        caches: scopes.iter().map(|(watches, _)| watches.caches.clone()).collect(),
        hearing,
        ruling: ruling.shown(),
        definition: base.definition.clone(),
    };
    // Events about the definition are in the namespace `default`, which an operator of some namespaces may not write.
    let recorder = args.namespaces.is_empty().then(|| base.recorder.clone());
    let admin_port = axum::serve(Port::new(listener), admin::router(registry, health));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), admin = %args.admin_listen, "operator started");
    let ended = tokio::select! {
        lost = ruling.run() => Err(lost.into()),
        () = reconcile(scopes) => Err(anyhow::anyhow!("the watches ended")),
        () = base.definition.follow(base.client.clone(), recorder) => Err(anyhow::anyhow!("the check of the definition ended")),
        served = admin_port.into_future() => served.context("the admin port failed"),
        () = stop => Ok(()),
    };
    ruling.release().await;
    ended
}

async fn connect(hearing: &Hearing) -> anyhow::Result<kube::Client> {
    let client = api::connect(hearing.clone()).await;
    client.context("failed to load the kubeconfig or the service account")
}

/// Registers what is computed at each scrape.
fn collect(
    registry: &Registry,
    scrape: Scrape,
    hearing: &Hearing,
    definition: &Definition,
) -> Result<(), prometheus::Error> {
    registry.register(Box::new(scrape))?;
    registry.register(Box::new(hearing.clone()))?;
    registry.register(Box::new(definition.clone()))
}

fn scrape(scopes: &[(Watches, Arc<Routes>)], settings: &Settings, ruling: &Ruling) -> Scrape {
    let scopes = scopes.iter().map(|(watches, routes)| {
        let leadership = routes.context.leadership.clone();
        (leadership, watches.caches.routes.clone())
    });
    Scrape {
        scopes: scopes.collect(),
        class: settings.class.clone(),
        ruling: ruling.shown(),
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
        let scope = routes.context.caches.namespace.as_deref();
        let is_ours = |namespace: &str| scope.is_none_or(|scope| scope == namespace);
        let rollouts = &routes.context.rollouts;
        rollouts.retain(|namespace, name| !is_ours(namespace) || exists(namespace, name));
        abandoned::let_go(&routes.context).await;
    }
}

/// The part of the contexts that all scopes share.
struct Base {
    client: kube::Client,
    left: Left,
    definition: Definition,
    rollouts: Rollouts,
    settings: Settings,
    recorder: Recorder,
    poller: Poller,
    metrics: Metrics,
}

impl Base {
    fn scope(&self, scope: &Scope, leadership: Leadership) -> (Watches, Arc<Routes>) {
        let watches = Watches::new(&self.client, scope, &self.settings.watched);
        let context = Context {
            client: self.client.clone(),
            caches: watches.caches.clone(),
            interest: watches.interest.clone(),
            leadership,
            left: self.left.clone(),
            definition: self.definition.clone(),
            rollouts: self.rollouts.clone(),
            settings: self.settings.clone(),
            recorder: self.recorder.clone(),
            poller: self.poller.clone(),
            metrics: self.metrics.clone(),
        };
        let memories = Memories::default();
        (watches, Arc::new(Routes { context, memories }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruling::Shown;

    #[test]
    fn the_collectors_share_one_registry() {
        let registry = Registry::new();
        let scrape = Scrape {
            scopes: Vec::new(),
            class: None,
            ruling: Shown::default(),
        };
        Metrics::register(&registry).unwrap();
        collect(&registry, scrape, &Hearing::default(), &Definition::default()).unwrap();
    }
}
