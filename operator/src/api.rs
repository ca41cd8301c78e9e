//! The client of the API server. Made by `run`, used by everything that reads or writes the cluster.
//!
//! kube's own client waits for an answer without a limit, and a load balancer may drop an idle connection without a word.
//!
//! Invariant: every request has a deadline, and no watch is idle for longer than a minute without being opened again.

pub(crate) mod backoff;
pub(crate) mod hearing;
mod limits;

use hearing::Hearing;
use kube::client::ClientBuilder;
use limits::Limits;
use std::time::Duration;
use tower::layer::layer_fn;

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);

/// How long one watch call lasts, in seconds. The API server then ends it, and the watcher opens the next one; if the end
/// does not arrive, the watcher gives the connection up 5 s later.
pub(crate) const WATCH_SECONDS: u32 = 40;

/// Connects as the kubeconfig or the service account says.
pub(crate) async fn connect(hearing: Hearing) -> Result<kube::Client, kube::Error> {
    let mut config = kube::Config::infer().await.map_err(kube::Error::InferConfig)?;
    config.connect_timeout = Some(CONNECT);
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder
        .with_layer(&layer_fn(|service| Limits::new(service, hearing.clone())))
        .build())
}

/// A client of this service instead of an API server, with the same limits.
#[cfg(test)]
pub(crate) fn of<S, B>(service: S, hearing: Hearing) -> kube::Client
where
    S: tower::Service<http::Request<kube::client::Body>, Response = http::Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<limits::BoxError> + 'static,
    B: http_body::Body<Data = bytes::Bytes> + Send + Unpin + 'static,
    B::Error: Into<limits::BoxError> + 'static,
{
    kube::Client::new(Limits::new(service, hearing), "default")
}
