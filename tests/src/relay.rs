//! A wire that a test cuts: connections to it are connections to somebody else.
//!
//! Invariant: a cut ends the connections of that moment, and later ones pass.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// The wire. It ends when this is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    connections: Arc<Mutex<JoinSet<()>>>,
    listening: AbortHandle,
}

impl Relay {
    /// A wire to a loopback port.
    pub async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connections: Arc<Mutex<JoinSet<()>>> = Arc::default();
        let all = Arc::clone(&connections);
        let listening = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.spawn(pass(from, port));
            }
        });
        Ok(Self {
            address,
            connections,
            listening: listening.abort_handle(),
        })
    }

    /// Where it begins.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends all connections.
    pub fn cut(&self) {
        let mut all = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        all.abort_all();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn pass(mut from: TcpStream, port: u16) {
    if let Ok(mut to) = TcpStream::connect(("127.0.0.1", port)).await {
        let _ = copy_bidirectional(&mut from, &mut to).await; // either side ended it
    }
}
