//! The TCP ports: connection limits, TLS, the idle timeout, and whom and where a request is from and for.
//!
//! `main` serves the MCP port and the admin port with it. What a request means is not its concern. Invariant: each port
//! has limits of its own, so that a client that uses up one leaves file descriptors for the other port, the store, servers
//! and receivers.

mod activity;
pub mod bearer;
mod connection;
pub mod host;
mod limits;
pub mod peer;
mod permits;
mod refusal;
pub mod tls;

use std::io;
use std::time::Duration;

use axum::Router;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::limits::Limits;
use self::peer::Peer;
use self::permits::Permits;
use self::refusal::Refusals;
use self::tls::{Mode, Tls};

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
            "Connections that were closed at once because the port or their address had reached its limit, by port.",
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
    name: &'static str,
    listener: TcpListener,
    router: Router,
    limits: Limits,
    tls: Tls,
    /// Once it fires, requests in progress are answered, and nothing else is.
    closing: CancellationToken,
}

impl Port {
    /// The port of clients. It closes when `closing` fires.
    pub fn mcp(listener: TcpListener, router: Router, tls: Tls, closing: CancellationToken) -> Self {
        Self {
            name: "mcp",
            listener,
            router,
            limits: Limits::mcp(limits::descriptors()),
            tls,
            closing,
        }
    }

    /// The port of probes, scrapes and the jobs API. It never closes.
    pub fn admin(listener: TcpListener, router: Router) -> Self {
        Self {
            name: "admin",
            listener,
            router,
            limits: Limits::admin(),
            tls: Tls::never(),
            closing: CancellationToken::new(),
        }
    }
}

/// Serves a port until it closes and its last request is answered.
pub async fn serve(port: Port, metrics: Metrics) {
    let open = metrics.open.with_label_values(&[port.name]);
    let refused = metrics.refused.with_label_values(&[port.name]);
    let permits = Permits::new(port.limits, open);
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
        if let Some(permit) = permits.take(peer.ip()) {
            let from = (stream, Peer(peer.ip()));
            let serving = accept(from, port.tls.mode(), port.router.clone(), port.closing.clone());
            connections.spawn(async move {
                serving.await;
                drop(permit);
            });
        } else {
            refused.inc();
            tracing::debug!(port = port.name, %peer, "a connection is refused: there are too many");
            // Who expects TLS could not read the answer.
            if matches!(port.tls.mode(), Mode::Clear) {
                refusals.answer(stream);
            }
        }
    }
    connections.close();
    connections.wait().await;
}

/// Serves a connection in this mode.
async fn accept((stream, peer): (TcpStream, Peer), mode: Mode, router: Router, closing: CancellationToken) {
    // An event of a stream is not to wait for the acknowledgement of the one before.
    let _unsupported = stream.set_nodelay(true);
    match mode {
        Mode::Clear => connection::serve(stream, peer, router, closing).await,
        Mode::Tls(config) => {
            // Boxed: a connection in the clear, which may be open for days, has no room for the state of TLS.
            let shaken = closing.run_until_cancelled(Box::pin(tls::handshake(stream, config)));
            if let Some(stream) = shaken.await.flatten() {
                Box::pin(connection::serve(stream, peer, router, closing)).await;
            }
        }
        Mode::Closed => {}
    }
}

/// A connection that broke before it was accepted concerns nobody; any other error would repeat at once.
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
