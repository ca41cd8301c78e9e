//! A webhook receiver that keeps every request and answers as the test decides, faults included, in the clear or over
//! TLS.
//!
//! It speaks HTTP/1.1 by itself, since no library breaks the rules. The receivers of the engine's tests are none of
//! these: they are behind no socket, so that a paused clock rules them. Invariant: a request is in the book before it
//! is answered.

mod answer;
mod bomb;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::future::{Future, Ready, ready};
use std::io::Result;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

pub use self::answer::Answer;
use self::wire::{Stream, gone, is_http, read};
use crate::{eventually, lock};

/// A request, as a rule a POST.
#[derive(Clone, Debug)]
pub struct Post {
    /// Its method.
    pub method: String,
    /// The path it went to.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// When it was there.
    pub at: Instant,
    /// How many requests with its `webhook-id` came before.
    pub earlier: usize,
    /// The status it was answered; `None` while it is not, and for an answer that is not whole.
    pub answered: Option<StatusCode>,
}

impl Post {
    /// A header's text; empty without one.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The delivery's id.
    pub fn webhook_id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The JSON-RPC response.
    pub fn response(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it was answered 2xx.
    pub fn is_taken(&self) -> bool {
        self.answered.is_some_and(|status| status.is_success())
    }
}

/// Where a receiver listens, and whether it speaks TLS: as a rule a free port on loopback, and no.
pub struct Place {
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }
}

/// A port on loopback that was chosen before.
impl From<u16> for Place {
    fn from(port: u16) -> Self {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()
    }
}

impl From<Arc<ServerConfig>> for Place {
    fn from(config: Arc<ServerConfig>) -> Self {
        let tls = Some(config.into());
        Self { tls, ..Self::from(0) }
    }
}

/// A decision without waiting.
pub type Script = Box<dyn Fn(Post) -> Ready<Answer> + Send + Sync>;

/// Each request gets the next line; the last one is repeated.
pub fn following(lines: impl IntoIterator<Item = Answer>) -> Script {
    let lines: Mutex<VecDeque<_>> = Mutex::new(lines.into_iter().collect());
    Box::new(move |_| {
        let mut lines = lock(&lines);
        let next = if lines.len() > 1 {
            lines.pop_front()
        } else {
            lines.front().cloned()
        };
        ready(next.expect("a script has a line"))
    })
}

/// A running receiver; dropping it stops it and closes its connections.
pub struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    desk: Arc<Desk>,
    _server: JoinSet<()>,
}

type Decision = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What the connections share.
struct Desk {
    decide: Box<dyn Fn(Post) -> Decision + Send + Sync>,
    book: Mutex<Book>,
    connections: AtomicUsize,
    flooded: AtomicUsize,
}

#[derive(Default)]
struct Book {
    posts: Vec<Post>,
    /// How many of each `webhook-id`.
    counts: HashMap<String, usize>,
}

impl Receiver {
    /// Starts one that answers what `decide` says, when it says so.
    pub async fn start<D, A>(decide: D) -> Result<Self>
    where
        D: Fn(Post) -> A + Send + Sync + 'static,
        A: Future<Output: Into<Answer>> + Send + 'static,
    {
        Self::start_at(0, decide).await
    }

    /// The same at a place of the test's choice.
    pub async fn start_at<D, A>(place: impl Into<Place>, decide: D) -> Result<Self>
    where
        D: Fn(Post) -> A + Send + Sync + 'static,
        A: Future<Output: Into<Answer>> + Send + 'static,
    {
        let Place { address, tls } = place.into();
        let listener = TcpListener::bind(address).await?;
        let desk = Arc::new(Desk {
            decide: Box::new(move |post| {
                let decision = decide(post);
                Box::pin(async { decision.await.into() })
            }),
            book: Mutex::default(),
            connections: AtomicUsize::new(0),
            flooded: AtomicUsize::new(0),
        });
        let (address, mut server) = (listener.local_addr()?, JoinSet::new());
        let scheme = if tls.is_some() { "https" } else { "http" };
        server.spawn(serve(listener, tls, Arc::clone(&desk)));
        Ok(Self {
            address,
            scheme,
            desk,
            _server: server,
        })
    }

    /// Starts one that takes everything.
    pub async fn willing() -> Result<Self> {
        Self::start(|_| ready(StatusCode::OK)).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// A URL of it under this name.
    pub fn url_as(&self, host: &str) -> String {
        format!("{}://{host}:{}/hook", self.scheme, self.address.port())
    }

    /// Every request so far, in the order in which they came.
    pub fn posts(&self) -> Vec<Post> {
        lock(&self.desk.book).posts.clone()
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        lock(&self.desk.book).posts.len()
    }

    /// The requests, once so many were answered.
    pub async fn answered(&self, enough: usize, deadline: Duration) -> Vec<Post> {
        eventually(deadline, || async {
            let posts = self.posts();
            let answered = posts.iter().filter(|post| post.answered.is_some()).count();
            if answered >= enough {
                return Ok(posts);
            }
            Err(format!("{answered} of {enough} POSTs"))
        })
        .await
    }

    /// The connections so far, also those that brought no request.
    pub fn connections(&self) -> usize {
        self.desk.connections.load(Ordering::SeqCst)
    }

    /// How many bytes of floods got out.
    pub fn flooded(&self) -> usize {
        self.desk.flooded.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        desk.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, desk) = (tls.clone(), Arc::clone(&desk));
        // An error ends a connection and nothing else: whoever is at its other end may do what he likes.
        connections.spawn(async move {
            let _ = connection(stream, tls, &desk).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, desk: &Desk) -> Result<()> {
    let stream: Box<dyn Stream> = match tls {
        None => Box::new(stream),
        Some(tls) => Box::new(tls.accept(stream).await?),
    };
    let mut stream = BufReader::new(stream);
    while is_http(&mut stream).await? {
        let (post, place) = desk.enter(read(&mut stream).await?);
        let answer = tokio::select! {
            answer = (desk.decide)(post) => answer,
            () = gone(&mut stream) => return Ok(()),
        };
        lock(&desk.book).posts[place].answered = answer.as_status();
        if !answer.give(&mut stream, &desk.flooded).await? {
            return Ok(());
        }
    }
    Answer::Noise.give(&mut stream, &desk.flooded).await.map(drop)
}

impl Desk {
    /// Writes a request down; it and its place in the book.
    fn enter(&self, mut post: Post) -> (Post, usize) {
        let mut book = lock(&self.book);
        let count = book.counts.entry(post.webhook_id().to_owned()).or_default();
        post.earlier = *count;
        *count += 1;
        book.posts.push(post.clone());
        (post, book.posts.len() - 1)
    }
}
