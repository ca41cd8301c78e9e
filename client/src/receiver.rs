//! A webhook receiver: an HTTP server that verifies and deduplicates deliveries.
//!
//! Used by `asyncmcp receive`, `asyncmcp demo`, tests and applications.
//!
//! Invariant: a POST is answered in bounded time and memory. It is answered with 2xx only after its attempt is in the
//! channel, so a delivery that the application has no capacity for is retried by the sender.

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

/// Maximum size of a body, in bytes.
const MAX_BODY: usize = 32 << 20;
/// Timeout for reading a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of attempts that wait for the application; further ones are answered with 503.
const CAPACITY: usize = 256;

/// The settings of a [`Receiver`].
#[derive(Clone, Debug)]
pub struct ReceiverOptions {
    /// The path of the webhook.
    pub path: String,
    /// The signing keys; a delivery must match one of them. Empty: signatures are not verified.
    pub keys: Vec<Key>,
    /// How many attempts of each delivery fail on purpose, to demonstrate retries.
    pub fail_first: u32,
    /// The status of the attempts that fail on purpose.
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

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted: process this delivery.
    Delivered,
    /// The `webhook-id` was delivered before. Answered with 200; ignore it.
    Duplicate,
    /// Answered with `fail_status` on purpose.
    FailedOnPurpose,
    /// The signature is invalid; answered with 401.
    Refused(signature::Error),
}

/// One POST to the receiver.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Whether it was accepted.
    pub outcome: Outcome,
    /// Whether the signature was verified.
    pub verified: bool,
    /// The status it was answered with.
    pub status: StatusCode,
    /// The `webhook-id` header; unverified if the attempt was refused.
    pub webhook_id: Option<String>,
    /// Attempt number within its delivery, from 1; 0 if the signature was not valid.
    pub number: u32,
    /// All headers of the request.
    pub headers: HeaderMap,
    /// The body of the request.
    pub body: Bytes,
}

impl Attempt {
    /// Parses the JSON-RPC response in the body.
    pub fn response(&self) -> Result<Response, message::Error> {
        match Message::parse(&self.body)? {
            Message::Response(response) => Ok(response),
            _ => Err(message::Error::Invalid {
                id: None,
                flaw: message::Flaw::Shape,
            }),
        }
    }

    /// The value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A running receiver. Dropping it stops the server.
pub struct Receiver {
    address: SocketAddr,
    path: String,
    attempts: mpsc::Receiver<Attempt>,
    server: JoinSet<()>,
}

impl Receiver {
    /// Starts a receiver on `address`; port 0 picks a free port.
    pub async fn bind(address: SocketAddr, options: ReceiverOptions) -> Result<Self, Error> {
        if !options.path.starts_with('/') || options.path.contains(['{', '}', '*']) {
            let why = format!("{:?} must start with / and contain no {{, }} or *", options.path);
            return Err(Error::config("path", why));
        }
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (sender, attempts) = mpsc::channel(CAPACITY);
        let path = options.path.clone();
        let handler = Handler {
            book: Book::new(options.fail_first),
            options,
            attempts: sender,
        };
        let app = Router::new()
            .route(&path, post(receive))
            .with_state(Arc::new(handler));
        let mut server = JoinSet::new();
        server.spawn(async move {
            // axum handles errors of single connections itself and returns none.
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

    /// The URL to use as `webhook_url` on the same machine.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}{}", self.path)
    }

    /// Waits for the next attempt; `None` after the receiver was closed.
    pub async fn next(&mut self) -> Option<Attempt> {
        self.attempts.recv().await
    }

    /// Stops listening. Attempts that were answered can still be received with `next`.
    pub fn close(&mut self) {
        self.attempts.close();
        self.server.abort_all();
    }
}

struct Handler {
    options: ReceiverOptions,
    book: Book,
    attempts: mpsc::Sender<Attempt>,
}

async fn receive(
    State(handler): State<Arc<Handler>>,
    headers: HeaderMap,
    body: Body,
) -> (StatusCode, &'static str) {
    let status = match read(body).await {
        Ok(body) => handler.handle(headers, body, unix_seconds()),
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

impl Handler {
    /// Checks one POST, passes it to the application, and returns the status of the response.
    fn handle(&self, headers: HeaderMap, body: Bytes, now: i64) -> StatusCode {
        let Ok(permit) = self.attempts.try_reserve() else {
            return StatusCode::SERVICE_UNAVAILABLE;
        };
        let webhook_id = headers
            .get(WEBHOOK_ID)
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        let (outcome, number) = self.check(&headers, &body, webhook_id.as_deref(), now);
        let status = self.status(&outcome);
        permit.send(Attempt {
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

    fn check(&self, headers: &HeaderMap, body: &[u8], id: Option<&str>, now: i64) -> (Outcome, u32) {
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
