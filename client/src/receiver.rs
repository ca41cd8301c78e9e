//! The webhook's end: an HTTP server that takes deliveries, once each, and only signed ones.
//!
//! `asyncmcp receive`, `asyncmcp demo`, tests and applications run one.
//!
//! Invariant: a POST is answered in bounded time and memory. It is answered 2xx only when its
//! attempt is in the channel, so a delivery the application cannot take is sent again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use asyncmcp_protocol::{Message, Response, message};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::Error;
use crate::signature::{self, Key, WEBHOOK_ID};

mod book;
#[cfg(test)]
mod tests;

use book::Book;

/// The largest body, in bytes.
const MAX_BODY: usize = 32 << 20;
/// The longest a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Attempts that wait for the application; above it, senders are asked to come again.
const CAPACITY: usize = 256;

/// How a receiver behaves.
#[derive(Clone, Debug)]
pub struct ReceiverOptions {
    /// The path of the webhook.
    pub path: String,
    /// The keys; any of them will do. None: nothing is verified.
    pub keys: Vec<Key>,
    /// How many attempts of each delivery fail on purpose, to see retries.
    pub fail_first: u32,
    /// The status they fail with.
    pub fail_status: StatusCode,
}

impl Default for ReceiverOptions {
    fn default() -> Self {
        Self {
            path: "/webhook".to_owned(),
            keys: Vec::new(),
            fail_first: 0,
            fail_status: StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken: this is the delivery.
    Delivered,
    /// Its `webhook-id` was taken before; answered 200 and to be ignored.
    Duplicate,
    /// Refused on purpose, with `fail_status`.
    FailedOnPurpose,
    /// Not believed; answered 401.
    Refused(signature::Error),
}

/// One POST that reached the receiver.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What became of it.
    pub outcome: Outcome,
    /// Whether its signature was checked and held.
    pub verified: bool,
    /// What it was answered.
    pub status: StatusCode,
    /// The `webhook-id`, as claimed.
    pub webhook_id: Option<String>,
    /// The how manieth attempt of its delivery; 0 where it is not believed.
    pub number: u32,
    /// All its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Attempt {
    /// The JSON-RPC response in the body.
    pub fn response(&self) -> Result<Response, message::Error> {
        match Message::parse(&self.body)? {
            Message::Response(response) => Ok(response),
            _ => Err(message::Error::Invalid {
                id: None,
                flaw: message::Flaw::Shape,
            }),
        }
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A running receiver. Dropping it stops it.
pub struct Receiver {
    address: SocketAddr,
    path: String,
    attempts: mpsc::Receiver<Attempt>,
    server: JoinSet<()>,
}

impl Receiver {
    /// Listens on `address`; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, options: ReceiverOptions) -> Result<Self, Error> {
        if !options.path.starts_with('/') || options.path.contains(['{', '}', '*']) {
            let why = format!("{:?} is not a path that starts with /", options.path);
            return Err(Error::config("path", why));
        }
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (sender, attempts) = mpsc::channel(CAPACITY);
        let path = options.path.clone();
        let door = Door {
            book: Book::new(options.fail_first),
            options,
            attempts: sender,
        };
        let app = Router::new()
            .route(&path, post(receive))
            .with_state(Arc::new(door));
        let mut server = JoinSet::new();
        server.spawn(async move {
            // axum retries what can be retried; there is no error left to report.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self {
            address,
            path,
            attempts,
            server,
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL to name as `webhook_url` on the same machine.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}{}", self.path)
    }

    /// The next attempt; `None` once the receiver was closed.
    pub async fn next(&mut self) -> Option<Attempt> {
        self.attempts.recv().await
    }

    /// Stops listening; attempts that were answered can still be taken with `next`.
    pub fn close(&mut self) {
        self.attempts.close();
        self.server.abort_all();
    }
}

struct Door {
    options: ReceiverOptions,
    book: Book,
    attempts: mpsc::Sender<Attempt>,
}

async fn receive(
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    body: Body,
) -> (StatusCode, &'static str) {
    let status = match read(body).await {
        Ok(body) => door.take(headers, body, unix_seconds()),
        Err(status) => status,
    };
    let answer = if status.is_success() {
        r#"{"status":"success"}"#
    } else {
        r#"{"status":"refused"}"#
    };
    (status, answer)
}

async fn read(body: Body) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

impl Door {
    /// Judges one POST, hands it over, and says what to answer.
    fn take(&self, headers: HeaderMap, body: Bytes, now: i64) -> StatusCode {
        let Ok(place) = self.attempts.try_reserve() else {
            return StatusCode::SERVICE_UNAVAILABLE;
        };
        let webhook_id = headers
            .get(WEBHOOK_ID)
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        let (outcome, number) = self.judge(&headers, &body, webhook_id.as_deref(), now);
        let status = self.status(&outcome);
        place.send(Attempt {
            verified: !self.options.keys.is_empty() && !matches!(outcome, Outcome::Refused(_)),
            outcome,
            status,
            webhook_id,
            number,
            headers,
            body,
        });
        status
    }

    fn judge(&self, headers: &HeaderMap, body: &[u8], id: Option<&str>, now: i64) -> (Outcome, u32) {
        let keys = &self.options.keys;
        if !keys.is_empty()
            && let Err(error) = signature::verify(keys, headers, body, now)
        {
            return (Outcome::Refused(error), 0);
        }
        match id {
            Some(id) => self.book.enter(id),
            None => (Outcome::Delivered, 1),
        }
    }

    fn status(&self, outcome: &Outcome) -> StatusCode {
        match outcome {
            Outcome::Delivered | Outcome::Duplicate => StatusCode::OK,
            Outcome::FailedOnPurpose => self.options.fail_status,
            Outcome::Refused(_) => StatusCode::UNAUTHORIZED,
        }
    }
}

fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
