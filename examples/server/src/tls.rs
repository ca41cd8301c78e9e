//! TLS in front of the server, with the certificate that is in the directory when a client connects.
//!
//! Used by `main` with `--tls-dir`. Invariant: a handshake that takes long holds up nobody else's.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

type Accepted = (TlsStream<TcpStream>, SocketAddr);

/// Connections whose handshake is done.
pub(crate) struct Tls {
    address: SocketAddr,
    accepted: mpsc::Receiver<Accepted>,
}

impl Tls {
    /// With `tls.crt` and `tls.key` of `dir`, which must be usable now.
    pub(crate) fn new(listener: TcpListener, dir: &Path) -> anyhow::Result<Self> {
        read(dir)?;
        let (sender, accepted) = mpsc::channel(64);
        let address = listener.local_addr()?;
        let dir = dir.to_owned();
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                tokio::spawn(handshake(dir.clone(), (stream, peer), sender.clone()));
            }
        });
        Ok(Self { address, accepted })
    }
}

async fn handshake(
    dir: PathBuf,
    (stream, peer): (TcpStream, SocketAddr),
    sender: mpsc::Sender<Accepted>,
) -> Option<()> {
    let acceptor = TlsAcceptor::from(read(&dir).ok()?);
    let shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream));
    let stream = shaken.await.ok()?.ok()?;
    sender.send((stream, peer)).await.ok()
}

fn read(dir: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let (certificate, key) = (dir.join("tls.crt"), dir.join("tls.key"));
    let chain = CertificateDer::pem_file_iter(&certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.with_context(|| certificate.display().to_string())?;
    let private = PrivateKeyDer::from_pem_file(&key).with_context(|| key.display().to_string())?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = builder.with_no_client_auth().with_single_cert(chain, private)?;
    Ok(config.into())
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Accepted {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await, // the process ends
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
