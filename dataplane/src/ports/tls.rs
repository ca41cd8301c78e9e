//! TLS of the port of clients: with which certificate connections are accepted, and the handshake.
//!
//! `main` follows the route with [`follow`], [`super::serve`] asks it for each connection. Invariant: once a route asks for
//! TLS, no request is read without it; a certificate that cannot be used changes nothing for a port that has had another.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::refusal;
use crate::config::certificates::Certificate;
use crate::config::{Config, Live};

/// How long a handshake may take; a part of the time that a connection has for its first request.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How connections are accepted.
#[derive(Clone, Debug, Default)]
pub(super) enum Mode {
    /// In the clear.
    #[default]
    Clear,
    /// With TLS.
    Tls(Arc<ServerConfig>),
    /// Not at all: the route asks for TLS, and there is no certificate yet.
    Closed,
}

/// The mode of a port; changes with the route.
#[derive(Clone, Debug)]
pub struct Tls(watch::Receiver<Mode>);

impl Tls {
    /// In the clear, for ever.
    pub(super) fn never() -> Self {
        Self(watch::channel(Mode::Clear).1)
    }

    /// How the next connection is accepted.
    pub(super) fn mode(&self) -> Mode {
        self.0.borrow().clone()
    }
}

/// Follows `transport.tls`. Must be called within a runtime; ends with `live`.
pub fn follow(mut live: Live) -> Tls {
    let mut endpoint = Endpoint::default();
    let first = endpoint.next(&live.borrow_and_update());
    let (sender, receiver) = watch::channel(first.unwrap_or_default());
    tokio::spawn(async move {
        while live.changed().await.is_ok() {
            let config = Arc::clone(&live.borrow_and_update());
            if let Some(mode) = endpoint.next(&config) {
                sender.send_replace(mode);
            }
        }
    });
    Tls(receiver)
}

/// What the endpoint has had so far.
#[derive(Default)]
struct Endpoint {
    certificate: Option<Certificate>,
}

impl Endpoint {
    /// The mode for this configuration; `None` where it stays as it is.
    fn next(&mut self, config: &Config) -> Option<Mode> {
        let Some(secret) = &config.route.transport.certificate else {
            self.certificate = None;
            return Some(Mode::Clear);
        };
        match config.refs.certificate(secret) {
            Ok(certificate) if self.certificate.as_ref() == Some(&certificate) => None,
            Ok(certificate) => {
                tracing::info!(secret, "clients are served with another certificate");
                let mode = Mode::Tls(Arc::new(server(certificate.certified())));
                self.certificate = Some(certificate);
                Some(mode)
            }
            Err(error) if self.certificate.is_some() => {
                tracing::error!(%error, "clients are still served with the certificate before");
                None
            }
            Err(error) => {
                tracing::error!(%error, "no client can connect: there is no certificate");
                Some(Mode::Closed)
            }
        }
    }
}

/// Not `with_single_cert`, which would read the key once more.
struct Only(Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl fmt::Debug for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Only(..)")
    }
}

fn server(certified: &Arc<CertifiedKey>) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("ring has all suites of TLS 1.2 and 1.3");
    let only = Arc::new(Only(Arc::clone(certified)));
    let mut config = builder.with_no_client_auth().with_cert_resolver(only);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Shakes hands; `None` if nothing comes of it. Who begins in HTTP is told to use TLS.
pub(super) async fn handshake(stream: TcpStream, config: Arc<ServerConfig>) -> Option<TlsStream<TcpStream>> {
    let shaking = async {
        let mut first = [0];
        if stream.peek(&mut first).await.ok()? == 1 && first[0].is_ascii_uppercase() {
            let _gone = refusal::refuse(stream, refusal::CLEAR).await;
            return None;
        }
        let accepted = TlsAcceptor::from(config).accept(stream).await;
        accepted
            .inspect_err(|error| tracing::debug!(%error, "a handshake failed"))
            .ok()
    };
    timeout(HANDSHAKE, shaking).await.ok().flatten()
}
