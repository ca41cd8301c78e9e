//! A webhook receiver that keeps every POST and answers as the test decides.
//!
//! Crash and live tests read their truth from it; receivers that break the rules of HTTP are in
//! [`crate::fault`]. Invariant: a POST is in the book before it is answered.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use axum::Router;
use axum::extract::{Request, State};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::eventually;

/// The largest body.
const MAX_BODY: usize = 32 << 20;

/// One POST.
#[derive(Clone, Debug)]
pub struct Post {
    /// The path it went to.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// When it was there.
    pub at: Instant,
    /// How many POSTs with its `webhook-id` came before.
    pub earlier: usize,
    /// What it was answered; `None` while it is not.
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

type Decide = Arc<dyn Fn(Post) -> BoxFuture<'static, StatusCode> + Send + Sync>;

#[derive(Default)]
struct Book {
    posts: Vec<Post>,
    /// How many of each `webhook-id`.
    counts: HashMap<String, usize>,
}

/// A running receiver; dropping it stops it.
pub struct Receiver {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    _server: JoinSet<()>,
}

#[derive(Clone)]
struct Door {
    book: Arc<Mutex<Book>>,
    decide: Decide,
}

impl Receiver {
    /// Starts one that answers what `decide` says, when it says so.
    pub async fn start<A>(decide: impl Fn(Post) -> A + Send + Sync + 'static) -> Result<Self>
    where
        A: Future<Output = StatusCode> + Send + 'static,
    {
        Self::start_at(0, decide).await
    }

    /// The same at a port that was chosen before.
    pub async fn start_at<A>(port: u16, decide: impl Fn(Post) -> A + Send + Sync + 'static) -> Result<Self>
    where
        A: Future<Output = StatusCode> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let book = Arc::<Mutex<Book>>::default();
        let door = Door {
            book: Arc::clone(&book),
            decide: Arc::new(move |post| Box::pin(decide(post))),
        };
        let app = Router::new().fallback(take).with_state(door);
        let mut server = JoinSet::new();
        server.spawn(async move {
            // axum retries what can be retried; there is no error left to report.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self {
            address,
            book,
            _server: server,
        })
    }

    /// Starts one that takes everything.
    pub async fn willing() -> Result<Self> {
        Self::start(|_| async { StatusCode::OK }).await
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every POST so far, in the order in which they came.
    pub fn posts(&self) -> Vec<Post> {
        lock(&self.book).posts.clone()
    }

    /// How many POSTs there were so far.
    pub fn count(&self) -> usize {
        lock(&self.book).posts.len()
    }

    /// The POSTs, once so many were answered.
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
}

async fn take(State(door): State<Door>, request: Request) -> StatusCode {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::BAD_REQUEST; // cut on its way: the sender is gone
    };
    let (post, place) = enter(&door, head, body);
    let status = (door.decide)(post).await;
    lock(&door.book).posts[place].answered = Some(status);
    status
}

fn enter(door: &Door, head: http::request::Parts, body: Bytes) -> (Post, usize) {
    let mut post = Post {
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body,
        at: Instant::now(),
        earlier: 0,
        answered: None,
    };
    let mut book = lock(&door.book);
    let count = book.counts.entry(post.webhook_id().to_owned()).or_default();
    post.earlier = *count;
    *count += 1;
    book.posts.push(post.clone());
    (post, book.posts.len() - 1)
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
