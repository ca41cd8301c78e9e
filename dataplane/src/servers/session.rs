//! One MCP session on one server; on a modern server, which has none, what stands in its place.
//!
//! [`crate::servers::lines`] holds them; everything else sends through a line.
//! Invariant: every message after `initialize` carries the session's id and version, and
//! no error of a server's HTTP side gets further than an [`Error`].

pub(super) mod events;
mod refusal;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::header::{LAST_EVENT_ID, PROTOCOL_VERSION, SESSION_ID};
use asyncmcp_protocol::offers::Offers;
use asyncmcp_protocol::subscriptions::{Filter, LISTEN, List};
use asyncmcp_protocol::{Id, Request, Response as RpcResponse, Version};
use bytes::Bytes;
use reqwest::Response;

use self::events::Events;
use super::frame::Frame;
use super::http::{self, Body};
use super::operation::Operation;
use super::{Error, Upstream};
use crate::caller::trace::TraceHeaders;

/// A session on a server. Cheap to clone; every clone is the same session.
#[derive(Clone)]
pub struct ServerSession(Arc<Inner>);

struct Inner {
    upstream: Upstream,
    /// `None` where the server keeps no sessions.
    id: Option<HeaderValue>,
    version: Version,
    /// On a modern server.
    frame: Option<Frame>,
    said: Said,
    /// The server answered that it does not know the session.
    lost: AtomicBool,
}

/// How a server described itself at `initialize`; empty for a session that was not opened here.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) instructions: Option<String>,
    /// Whether it offers tools as tasks (2025-11-25).
    pub(super) tasks: bool,
    /// Whether it offers the tasks extension (2026-07-28).
    pub(super) task_extension: bool,
    /// What it offers beside tools.
    pub(super) offers: Offers,
    /// Whether it sends log messages.
    pub(super) logging: Option<bool>,
}

/// A message for a server, and what to measure it by.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its id, if it is a request.
    pub id: Option<Id>,
    /// The JSON-RPC message; goes out as it is.
    pub body: Bytes,
    /// Its method; `response` for a response.
    pub method: String,
    /// The tool of a `tools/call`, as the server names it: a name from the catalogue, never from a client.
    pub tool: Option<String>,
    /// The trace it belongs to.
    pub trace: TraceHeaders,
    /// Asked before much of the answer is read.
    pub room: Room,
}

impl Outgoing {
    /// A message that has no tool and no trace.
    pub fn new(method: &str, body: impl Into<Bytes>) -> Self {
        Self {
            id: None,
            body: body.into(),
            method: method.to_owned(),
            tool: None,
            trace: TraceHeaders::default(),
            room: Room::default(),
        }
    }
}

/// What a server answered to a POST.
#[derive(Debug)]
pub enum Received {
    /// Accepted, without a response: what notifications and responses get.
    Nothing,
    /// One JSON body, whole.
    Json(Bytes),
    /// A stream that ends with the response.
    Stream(Box<Events>),
}

impl ServerSession {
    pub(super) fn opened(upstream: Upstream, id: Option<HeaderValue>, version: Version, said: Said) -> Self {
        Self(Arc::new(Inner {
            upstream,
            id,
            version,
            frame: None,
            said,
            lost: AtomicBool::new(false),
        }))
    }

    /// The way to a modern server.
    pub(super) fn modern(upstream: Upstream, frame: Frame, said: Said) -> Self {
        Self(Arc::new(Inner {
            upstream,
            id: None,
            version: frame.envelope.version,
            frame: Some(frame),
            said,
            lost: AtomicBool::new(false),
        }))
    }

    /// Whether the server is modern: it takes requests only, asks nothing, and what was interrupted cannot be resumed.
    pub fn is_modern(&self) -> bool {
        self.0.frame.is_some()
    }

    /// The server's name.
    pub fn server(&self) -> &str {
        self.0.upstream.name()
    }

    /// The server.
    pub fn upstream(&self) -> &Upstream {
        &self.0.upstream
    }

    /// The id the server gave it, if it gives any.
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_ref().and_then(|id| id.to_str().ok())
    }

    /// The version the server chose.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// How the server is to be used; not known of a session that an earlier process opened.
    pub fn instructions(&self) -> Option<&str> {
        self.0.said.instructions.as_deref()
    }

    /// Whether the server offers tools as tasks; not known of a session that an earlier process opened.
    pub fn offers_tasks(&self) -> bool {
        self.0.said.tasks
    }

    /// Whether the server is modern and offers the tasks extension.
    pub fn offers_task_extension(&self) -> bool {
        self.0.said.task_extension
    }

    /// What the server offers beside tools; not known of a session that an earlier process opened.
    pub fn offers(&self) -> Offers {
        self.0.said.offers
    }

    /// Whether the server may send log messages: only where it is known that it does not, there is no use in setting a level.
    pub(super) fn may_log(&self) -> bool {
        self.0.said.logging.unwrap_or(true)
    }

    /// Whether the server answered that it does not know the session any more.
    pub fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// The server does not know the session any more: the next message opens another one.
    pub(super) fn lose(&self) {
        self.0.lost.store(true, Ordering::Relaxed);
    }

    /// Whether `other` is this very session.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Sends a message. Returns at the response's head, but reads a JSON body whole. It waits
    /// as long as the server takes: the caller knows how long that may be.
    pub async fn post(&self, message: Outgoing) -> Result<Received, Error> {
        let (server, tool) = (self.server(), message.tool.as_deref());
        let mut operation = Operation::begin(&self.0.upstream.0.metrics, server, &message.method, tool);
        let (mut headers, body) = match &self.0.frame {
            None => (self.headers(), message.body),
            Some(_) if message.id.is_none() => return Ok(Received::Nothing),
            Some(frame) => {
                let params = self.0.upstream.header_params(tool.unwrap_or_default());
                frame.of(&message.body, &params)?
            }
        };
        message.trace.within(operation.span()).write_headers(&mut headers);
        match self.exchange(headers, (message.id, body), &message.room).await {
            Ok(Content::Nothing) => Ok(Received::Nothing),
            Ok(Content::Json(body)) => {
                if let Some(refusal) = refusal::of_body(&body) {
                    self.heed(&refusal);
                    operation.refused();
                }
                Ok(Received::Json(self.read(&message.method, body)))
            }
            Ok(Content::Stream(response)) => {
                let events = Events::answer(self.clone(), response, Some(operation));
                let events = events.to(message.method).within(message.room);
                Ok(Received::Stream(Box::new(events)))
            }
            Err(error) => {
                operation.failed(&error);
                Err(error)
            }
        }
    }

    /// The answer to a request of `method`, as whoever it is for reads it.
    pub(super) fn read(&self, method: &str, raw: Bytes) -> Bytes {
        match &self.0.frame {
            Some(frame) => frame.read(method, raw),
            None => raw,
        }
    }

    /// Heeds an error by which the server says with any HTTP status that it does not know the session: the next message
    /// opens another one. This error is the answer to its message, which is not sent again.
    pub(super) fn heed(&self, response: &RpcResponse) {
        if self.0.id.is_some() && refusal::denies_session(response) {
            self.0.lost.store(true, Ordering::Relaxed);
        }
    }

    /// Opens the server's standalone stream, on a modern server the one of its lists; `None` where it offers none.
    pub async fn listen(&self) -> Result<Option<Events>, Error> {
        if self.is_modern() {
            return self.listen_to_lists().await;
        }
        match self.stream(None).await {
            Ok(response) => Ok(Some(Events::listen(self.clone(), response))),
            Err(Error::Rejected { status: 405, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn listen_to_lists(&self) -> Result<Option<Events>, Error> {
        let filter = Filter {
            lists: List::ALL.into(),
            ..Filter::default()
        };
        let request = Request::new(self.upstream().own_id(), LISTEN, Some(filter.to_params()));
        let message = Outgoing {
            id: Some(request.id.clone()),
            ..Outgoing::new(LISTEN, request.to_bytes())
        };
        let posting = tokio::time::timeout(self.upstream().timeout(), self.post(message));
        match posting.await {
            Ok(Ok(Received::Stream(events))) => Ok(Some(*events)),
            Ok(Ok(_) | Err(Error::Rejected { .. } | Error::Protocol(_))) => Ok(None),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::Silent(self.upstream().timeout())),
        }
    }

    /// Ends the session at the server. It may refuse, and then the session expires there.
    pub async fn end(&self) {
        if self.0.id.is_some()
            && let Err(error) = self.0.upstream.delete(self.headers()).await
        {
            tracing::debug!(server = self.server(), %error, "failed to end a session");
        }
    }

    /// A GET, with the last event seen where there is one.
    pub(super) async fn stream(&self, last_id: Option<&str>) -> Result<Response, Error> {
        let mut headers = self.headers();
        if let Some(value) = last_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(HeaderName::from_static(LAST_EVENT_ID), value);
        }
        let response = self.0.upstream.get(headers).await?;
        match (response.status(), http::body_kind(&response)) {
            (StatusCode::OK, Body::Stream) => Ok(response),
            (StatusCode::OK, _) => Err(Error::Protocol("a GET was answered with no event stream")),
            _ => Err(self.refusal(response).await.0),
        }
    }

    async fn exchange(
        &self,
        headers: HeaderMap,
        (id, body): (Option<Id>, Bytes),
        room: &Room,
    ) -> Result<Content, Error> {
        let response = self.0.upstream.post(headers, body).await?;
        if response.status().is_success() {
            return receive(response, self.0.upstream.max_response(), room).await;
        }
        let (error, said) = self.refusal(response).await;
        if self.is_modern() && refusal::is_of_another_era(&error, &said, id.as_ref()) {
            self.0.upstream.forget_eras();
            return Err(error);
        }
        if !refusal::answers(&said, id.as_ref()) {
            return Err(error);
        }
        // Also where it is about the session: it is the answer, and the message is not sent again.
        if refusal::says_unknown_session(&said) {
            self.0.lost.store(true, Ordering::Relaxed);
        }
        Ok(Content::Json(said))
    }

    /// What an HTTP error means, and the beginning of its body.
    async fn refusal(&self, response: Response) -> (Error, Bytes) {
        let status = response.status();
        let busy = self.0.upstream.busy(&response);
        let rejected = self.0.upstream.rejected(&response);
        let said = http::beginning(response).await;
        let explained = self.0.upstream.explained(&rejected, &said);
        let rejected = explained.unwrap_or(rejected);
        let has_session = self.0.id.is_some();
        let error = match (busy, status) {
            (Some(busy), _) => busy,
            (_, StatusCode::NOT_FOUND) if has_session => Error::SessionLost,
            (_, StatusCode::BAD_REQUEST) if has_session && refusal::says_unknown_session(&said) => {
                Error::SessionLost
            }
            _ => rejected,
        };
        (error, said)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let version = HeaderValue::from_static(self.0.version.as_str());
        headers.insert(HeaderName::from_static(PROTOCOL_VERSION), version);
        if let Some(id) = &self.0.id {
            headers.insert(HeaderName::from_static(SESSION_ID), id.clone());
        }
        headers
    }
}

impl fmt::Debug for ServerSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its id is a credential.
        write!(f, "ServerSession({}, {})", self.server(), self.version())
    }
}

/// What a success status brought.
pub(super) enum Content {
    Nothing,
    Json(Bytes),
    Stream(Response),
}

/// Reads the answer by the kind of its body; a JSON body up to `limit`.
pub(super) async fn receive(response: Response, limit: usize, room: &Room) -> Result<Content, Error> {
    match (response.status(), http::body_kind(&response)) {
        (StatusCode::ACCEPTED | StatusCode::NO_CONTENT, _) => Ok(Content::Nothing),
        (_, Body::Stream) => Ok(Content::Stream(response)),
        (_, kind) => match (http::read(response, limit, room).await?, kind) {
            (body, _) if body.is_empty() => Ok(Content::Nothing),
            (body, Body::Json) => Ok(Content::Json(body)),
            _ => Err(Error::Protocol(
                "the content type is neither JSON nor an event stream",
            )),
        },
    }
}
