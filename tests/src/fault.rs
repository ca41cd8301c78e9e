//! A webhook receiver that misbehaves as it is told, byte by byte, in the clear or over TLS.
//!
//! Invariant: one request per connection, answered by the next line of the script; the last line is
//! repeated.

mod bomb;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Between two bytes of a dripping answer.
const DRIP: Duration = Duration::from_secs(1);

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers with this status and these header lines (each ends in CR LF), and no body.
    Answer(u16, String),
    /// Answers with this status and, as `Retry-After`, the date that is so far away.
    BusyFor(u16, Duration),
    /// Reads the request and says nothing.
    Silence,
    /// Answers 200, announces a body and never sends it.
    NoBody,
    /// Answers 200 and sends its body a byte at a time, each in good time.
    Drip,
    /// Answers 200 and cuts the connection (RST) in the middle of the body.
    Reset,
    /// Answers 200 and closes the connection in the middle of the body.
    Short,
    /// Closes the connection without an answer.
    HangUp,
    /// Answers 200 and a body of so many bytes.
    Flood(usize),
    /// Answers 200 and a gzip stream that would unpack to so many bytes.
    Bomb(usize),
    /// Greets as a mail server would, before anything was asked.
    Greeting,
}

impl Fault {
    /// An answer without any fault in its form.
    pub fn status(status: u16) -> Self {
        Self::Answer(status, String::new())
    }
}

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// When it was there.
    pub at: Instant,
}

impl Seen {
    /// A header's text; empty without one.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A running receiver; dropping it stops it and closes its connections.
pub struct FaultyReceiver {
    address: SocketAddr,
    scheme: &'static str,
    log: Arc<Log>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Log {
    seen: Mutex<Vec<Seen>>,
    connections: Mutex<usize>,
    flooded: Mutex<usize>,
}

impl FaultyReceiver {
    /// Starts one that follows `script`.
    pub async fn start(script: impl IntoIterator<Item = Fault>) -> Result<Self> {
        Self::start_with(script, None).await
    }

    /// The same, over TLS if `tls` is given.
    pub async fn start_with(
        script: impl IntoIterator<Item = Fault>,
        tls: Option<TlsAcceptor>,
    ) -> Result<Self> {
        let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self::start_at(anywhere, script, tls).await
    }

    /// The same at an address of the test's choice.
    pub async fn start_at(
        address: SocketAddr,
        script: impl IntoIterator<Item = Fault>,
        tls: Option<TlsAcceptor>,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let log = Arc::<Log>::default();
        let mut server = JoinSet::new();
        let scheme = if tls.is_some() { "https" } else { "http" };
        server.spawn(serve(
            listener,
            script.into_iter().collect(),
            tls,
            Arc::clone(&log),
        ));
        Ok(Self {
            address,
            scheme,
            log,
            _server: server,
        })
    }

    /// Its URL, under this name.
    pub fn url(&self, host: &str) -> String {
        format!("{}://{host}:{}/hook", self.scheme, self.address.port())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.log.seen).clone()
    }

    /// The connections so far, also those that brought no request.
    pub fn connections(&self) -> usize {
        *lock(&self.log.connections)
    }

    /// How much of floods got out.
    pub fn flooded(&self) -> usize {
        *lock(&self.log.flooded)
    }
}

async fn serve(listener: TcpListener, mut script: VecDeque<Fault>, tls: Option<TlsAcceptor>, log: Arc<Log>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        *lock(&log.connections) += 1;
        let next = if script.len() > 1 {
            script.pop_front()
        } else {
            script.front().cloned()
        };
        let Some(fault) = next else { return };
        connections.spawn(connection(stream, fault, tls.clone(), Arc::clone(&log)));
    }
}

/// Errors end a connection and nothing else: whoever is at its other end may do what he likes.
async fn connection(stream: TcpStream, fault: Fault, tls: Option<TlsAcceptor>, log: Arc<Log>) {
    let _ = match tls {
        None if matches!(fault, Fault::Reset) => reset(stream, &log).await,
        None if matches!(fault, Fault::Greeting) => greet(stream).await,
        None => converse(stream, fault, &log).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => converse(stream, fault, &log).await,
            Err(error) => Err(error),
        },
    };
}

async fn converse<S>(stream: S, fault: Fault, log: &Log) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let seen = read(&mut stream).await?;
    lock(&log.seen).push(seen);
    match fault {
        Fault::Answer(status, headers) => answer(stream, status, &headers).await,
        Fault::BusyFor(status, wait) => {
            let date = httpdate::fmt_http_date(SystemTime::now() + wait);
            answer(stream, status, &format!("retry-after: {date}\r\n")).await
        }
        Fault::Silence | Fault::Greeting => std::future::pending().await,
        Fault::HangUp => stream.shutdown().await,
        Fault::Short => {
            stream.write_all(&head(10)).await?;
            stream.write_all(b"half").await?;
            stream.shutdown().await
        }
        Fault::NoBody | Fault::Reset => {
            stream.write_all(&head(10)).await?;
            stream.flush().await?;
            std::future::pending().await
        }
        Fault::Drip => drip(stream).await,
        Fault::Flood(bytes) => flood(stream, bytes, log).await,
        Fault::Bomb(bytes) => {
            let bomb = bomb::of(bytes);
            let head = format!(
                "HTTP/1.1 200 x\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                bomb.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&bomb).await?;
            stream.flush().await
        }
    }
}

async fn answer(mut stream: impl AsyncWrite + Unpin, status: u16, headers: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status} x\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.shutdown().await
}

/// With `SO_LINGER` 0 a close is an RST.
async fn reset(mut stream: TcpStream, log: &Log) -> std::io::Result<()> {
    let seen = read(&mut BufReader::new(&mut stream)).await?;
    lock(&log.seen).push(seen);
    stream.write_all(&head(10)).await?;
    stream.write_all(b"half").await?;
    stream.set_zero_linger()
}

async fn greet(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"220 mail.example.com ESMTP\r\n").await?;
    std::future::pending().await
}

async fn drip(mut stream: impl AsyncWrite + Unpin) -> std::io::Result<()> {
    stream.write_all(&head(1000)).await?;
    loop {
        stream.write_all(b"x").await?;
        stream.flush().await?;
        tokio::time::sleep(DRIP).await;
    }
}

async fn flood(mut stream: impl AsyncWrite + Unpin, bytes: usize, log: &Log) -> std::io::Result<()> {
    static CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    stream.write_all(&head(bytes)).await?;
    let mut left = bytes;
    while left > 0 {
        let written = stream.write(&CHUNK[..left.min(CHUNK.len())]).await?;
        *lock(&log.flooded) += written;
        left -= written;
    }
    stream.flush().await
}

fn head(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 x\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

async fn read<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<Seen> {
    line(stream).await?; // the request line
    let mut headers = HeaderMap::new();
    while let Some((name, value)) = line(stream).await?.split_once(':') {
        let (name, value) = (name.parse::<HeaderName>(), value.trim().parse::<HeaderValue>());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.to_str().ok());
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Seen {
        headers,
        body: body.into(),
        at: Instant::now(),
    })
}

async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
