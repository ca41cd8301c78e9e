//! The answers to connections that are not served: 503 beyond the limits, 400 without TLS where it is needed.
//!
//! Invariant: at most [`AT_ONCE`] connections are answered at a time, each within [`TIMEOUT`], so that refusing costs a
//! port few descriptors; the others are closed without an answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// To a connection beyond the limits.
const TOO_MANY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 5\r\n\
     content-length: 92\r\nconnection: close\r\n\r\n\
     this port has as many connections as it takes, or as it takes from one address: use fewer.\r\n";
/// To a request that came without TLS.
pub(super) const CLEAR: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 67\r\n\
     connection: close\r\n\r\n\
     this port speaks TLS (transport.tls): begin the URL with https://\r\n";
/// Connections that are answered at a time.
const AT_ONCE: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(1);
/// How much of the refused request is read.
const READ: u64 = 64 << 10;

pub(super) struct Refusals(Arc<Semaphore>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Refusals {
    pub(super) fn answer(&self, stream: TcpStream) {
        if let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() {
            tokio::spawn(async move {
                let _gone = timeout(TIMEOUT, refuse(stream, TOO_MANY)).await;
                drop(permit);
            });
        }
    }
}

/// The request is read, too: closing a socket with unread bytes resets the connection, and the answer is lost.
pub(super) async fn refuse(mut stream: TcpStream, answer: &str) -> std::io::Result<()> {
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut request = Vec::new();
    stream.take(READ).read_to_end(&mut request).await.map(drop)
}
