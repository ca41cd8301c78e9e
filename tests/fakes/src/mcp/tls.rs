//! TLS in front of the server, with a configuration that a test may replace at any time.
//!
//! Invariant: a handshake that takes long holds up nobody else's.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use crate::lock;

/// How a server identifies itself, and whom it lets in. Cheap to clone; every clone is the same.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    config: Mutex<Arc<ServerConfig>>,
    clients: Mutex<Vec<Vec<u8>>>,
    refused: AtomicUsize,
}

/// Connections whose handshake is done.
pub(super) struct Accepted {
    address: SocketAddr,
    streams: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl Tls {
    /// With this configuration.
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self(Arc::new(Inner {
            config: Mutex::new(config),
            clients: Mutex::default(),
            refused: AtomicUsize::new(0),
        }))
    }

    /// From now on, for new connections.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        *lock(&self.0.config) = config;
    }

    /// The certificates (DER) that clients had, one for each connection; empty for one without.
    pub fn clients(&self) -> Vec<Vec<u8>> {
        lock(&self.0.clients).clone()
    }

    /// How many connections came to nothing.
    pub fn refused(&self) -> usize {
        self.0.refused.load(Ordering::SeqCst)
    }

    pub(super) fn accept(self, listener: TcpListener, address: SocketAddr) -> Accepted {
        let (sender, streams) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                tokio::spawn(self.clone().handshake(stream, peer, sender.clone()));
            }
        });
        Accepted { address, streams }
    }

    async fn handshake(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
    ) {
        let config = lock(&self.0.config).clone();
        let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else {
            self.0.refused.fetch_add(1, Ordering::SeqCst);
            return;
        };
        let certificates = stream.get_ref().1.peer_certificates();
        let first = certificates.and_then(<[_]>::first);
        lock(&self.0.clients).push(first.map(|it| it.to_vec()).unwrap_or_default());
        let _ = sender.send((stream, peer)).await; // the server is gone
    }
}

impl Listener for Accepted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.streams.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await, // the runtime ends
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
