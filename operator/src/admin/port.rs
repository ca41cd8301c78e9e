//! The connections of the admin port, which `run` serves: probes, scrapes, and whoever else reaches a pod.
//!
//! Invariant: no peer keeps others out. An address has a share of the connections, and each connection ends after a while,
//! whatever its peer sends or leaves unsent; a client opens another one. So the operator always has file descriptors for
//! the API server and for the kubelet's probes.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// Connections in all.
const IN_ALL: usize = 64;
/// Of them, from one address.
const FROM_ONE: usize = 16;
/// How long a connection may last. Probes and scrapes take less than a second.
const LIFE: Duration = Duration::from_secs(30);

/// The listener, and who is connected.
pub(crate) struct Port {
    listener: TcpListener,
    open: Open,
    life: Duration,
}

type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

impl Port {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            open: Open::default(),
            life: LIFE,
        }
    }

    /// A permit for a connection from `peer`, if one is left.
    fn permit(&self, peer: IpAddr) -> Option<Permit> {
        let peer = peer.to_canonical();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = open.get(&peer).copied().unwrap_or_default();
        if theirs >= FROM_ONE || open.values().sum::<usize>() >= IN_ALL {
            return None;
        }
        open.insert(peer, theirs + 1);
        let open = Arc::clone(&self.open);
        Some(Permit { open, peer })
    }
}

impl Listener for Port {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            // axum's own listener waits after an error that would repeat at once.
            let (stream, peer) = Listener::accept(&mut self.listener).await;
            if let Some(permit) = self.permit(peer.ip()) {
                let end = Box::pin(tokio::time::sleep(self.life));
                let connection = Connection {
                    stream,
                    end,
                    _permit: permit,
                };
                return (connection, peer);
            }
            tracing::debug!(%peer, "a connection to the admin port is refused: there are too many");
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Held by a connection; dropping it releases it.
struct Permit {
    open: Open,
    peer: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.peer) {
            Some(theirs) if *theirs > 1 => *theirs -= 1,
            _ => drop(open.remove(&self.peer)),
        }
    }
}

/// A connection that fails once its time is over.
pub(crate) struct Connection {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _permit: Permit,
}

impl Connection {
    /// The stream, until the connection's time is over.
    fn stream(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(Pin::new(&mut self.stream)),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream(context)?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn serve(life: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let port = Port {
            life,
            ..Port::new(listener)
        };
        let router = Router::new().route("/livez", get(async || "ok"));
        tokio::spawn(axum::serve(port, router).into_future());
        address
    }

    async fn answer(stream: &mut TcpStream) -> io::Result<String> {
        let request = b"GET /livez HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn an_address_has_a_share_of_the_connections_and_gets_it_back() {
        let address = serve(LIFE).await;
        let mut held = Vec::new();
        for _ in 0..FROM_ONE {
            held.push(TcpStream::connect(address).await.unwrap());
        }
        // All of them are accepted, in their order, before this one is refused.
        let mut more = TcpStream::connect(address).await.unwrap();
        let refused = answer(&mut more).await;
        assert!(
            refused.as_ref().is_ok_and(String::is_empty) || refused.is_err(),
            "{refused:?}"
        );
        for stream in &mut held {
            let text = answer(stream).await.unwrap();
            assert!(text.ends_with("ok"), "{text}");
        }
        drop(held);
        let again = async {
            loop {
                let mut stream = TcpStream::connect(address).await.unwrap();
                if answer(&mut stream).await.is_ok_and(|text| text.ends_with("ok")) {
                    return;
                }
            }
        };
        let again = tokio::time::timeout(Duration::from_secs(20), again).await;
        again.expect("permits are released");
    }

    #[tokio::test]
    async fn a_connection_ends_whatever_its_peer_leaves_unsent() {
        let address = serve(Duration::from_millis(50)).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), idle.read_to_end(&mut rest)).await;
        ended.expect("the connection is closed").ok();
    }
}
