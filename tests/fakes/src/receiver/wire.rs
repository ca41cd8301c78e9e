//! HTTP/1.1 as a receiver reads it: no more of it than a sender of webhooks uses.

use std::io::{ErrorKind, Result};
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::Post;

/// A connection, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// From now on a close is an RST (`SO_LINGER` 0).
    fn reset_on_close(&self) -> Result<()>;
}

impl Stream for TcpStream {
    fn reset_on_close(&self) -> Result<()> {
        self.set_zero_linger()
    }
}

impl Stream for TlsStream<TcpStream> {
    fn reset_on_close(&self) -> Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

pub(super) type Reading = BufReader<Box<dyn Stream>>;

/// Whether what comes next looks like a request, and not like the beginning of TLS; an error if nothing comes.
pub(super) async fn is_http(stream: &mut Reading) -> Result<bool> {
    let next = stream.fill_buf().await?.first();
    next.map(u8::is_ascii_uppercase)
        .ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

/// Waits until the other end closes.
pub(super) async fn gone(stream: &mut Reading) {
    if stream.fill_buf().await.is_ok_and(|more| !more.is_empty()) {
        std::future::pending::<()>().await;
    }
}

pub(super) async fn read(stream: &mut Reading) -> Result<Post> {
    let first = line(stream).await?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next(), words.next());
    let mut headers = HeaderMap::new();
    while let Some((name, value)) = line(stream).await?.split_once(':') {
        let (name, value) = (name.parse::<HeaderName>(), value.trim().parse::<HeaderValue>());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.to_str().ok());
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Post {
        method: method.unwrap_or_default(),
        path: path.unwrap_or_default(),
        headers,
        body: body.into(),
        at: Instant::now(),
        earlier: 0,
        answered: None,
    })
}

async fn line(stream: &mut Reading) -> Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
