//! The TCP ports: who may connect, how many, and for how long a connection without a request stays.
//!
//! `main` serves the MCP port and the admin port with it. No meaning of a request lives here. Invariant: each port has
//! descriptors of its own, so that whoever fills one leaves the other, the store, servers and receivers theirs.

mod activity;
mod connection;
pub mod limits;
mod places;
mod refusal;

use std::io;
use std::time::Duration;

use axum::Router;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::limits::Limits;
use self::places::Places;
use self::refusal::Refusals;

/// How long to wait after the kernel could not accept a connection for a reason that is not the connection's.
const PAUSE: Duration = Duration::from_secs(1);

/// Connections, per port.
#[derive(Clone, Debug)]
pub struct Metrics {
    open: IntGaugeVec,
    refused: IntCounterVec,
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    /// They are registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let open = Opts::new("asyncmcp_connections", "Open connections from clients, by port.");
        let refused = Opts::new(
            "asyncmcp_connections_refused_total",
            "Connections that were closed at once because the port had as many as it takes, by port.",
        );
        let metrics = Self {
            open: IntGaugeVec::new(open, &["port"])?,
            refused: IntCounterVec::new(refused, &["port"])?,
        };
        registry.register(Box::new(metrics.open.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        Ok(metrics)
    }
}

/// One port.
pub struct Port {
    /// Its name in metrics and logs.
    pub name: &'static str,
    /// Where connections come from.
    pub listener: TcpListener,
    /// What answers requests.
    pub router: Router,
    /// How many connections it takes.
    pub limits: Limits,
    /// Once it fires, requests in progress are answered, and nothing else is.
    pub closing: CancellationToken,
}

/// Serves a port until it closes and its last request is answered.
pub async fn serve(port: Port, metrics: Metrics) {
    let open = metrics.open.with_label_values(&[port.name]);
    let refused = metrics.refused.with_label_values(&[port.name]);
    let places = Places::new(port.limits, open);
    let refusals = Refusals::default();
    let connections = TaskTracker::new();
    while let Some(accepted) = port.closing.run_until_cancelled(port.listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                failed(&port, &error).await;
                continue;
            }
        };
        if let Some(place) = places.take(peer.ip()) {
            let serving = connection::serve(stream, port.router.clone(), port.closing.clone());
            connections.spawn(async move {
                serving.await;
                drop(place);
            });
        } else {
            refused.inc();
            tracing::debug!(port = port.name, %peer, "a connection is refused: there are too many");
            refusals.tell(stream);
        }
    }
    connections.close();
    connections.wait().await;
}

/// A connection that broke before it was accepted concerns nobody; all else would fail again at once.
async fn failed(port: &Port, error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::error!(port = port.name, %error, "failed to accept a connection");
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests;
