//! A request of the gateway's own and the server's reply to it.
//!
//! `open` and [`crate::servers::lines`] ask through it. Invariant: nobody behind such a
//! request could answer a server's question, so `ping` is answered and all else refused.

use std::future::Future;

use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::code::{Code, ErrorObject};
use asyncmcp_protocol::{Id, Message, Outcome, RawObject, RawValue, Request, Response};
use bytes::Bytes;

use super::session::{Outgoing, Received, ServerSession};
use super::{Error, Events, Noted};
use crate::caller::trace::TraceHeaders;

/// How a server replied, in its own bytes.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A `result`.
    Result(Box<RawValue>),
    /// An `error`.
    Error(Box<RawValue>),
}

/// How a request is sent, and its answer read.
#[derive(Clone, Default)]
pub struct RequestOptions {
    /// The tool of a `tools/call`, as the server names it.
    pub tool: Option<String>,
    /// The trace it belongs to.
    pub trace: TraceHeaders,
    /// Asked before much of the answer is read.
    pub room: Room,
    /// Told of the events that the answer could be resumed from.
    pub noted: Option<Noted>,
}

/// A message, and the params it was made of, whose memory is accounted for.
struct Made {
    bytes: Vec<u8>,
    _params: Bytes,
}

impl AsRef<[u8]> for Made {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Reply {
    /// The result, or what a person needs to know of the error.
    pub fn result(self) -> Result<Box<RawValue>, Error> {
        match self {
            Self::Result(result) => Ok(result),
            Self::Error(error) => Err(Error::Refused(describe(&error))),
        }
    }
}

impl ServerSession {
    /// Sends `request`, whose id is one of [`super::Upstream::own_id`], and waits as long as it takes.
    pub async fn call(&self, request: &Request, options: RequestOptions) -> Result<Reply, Error> {
        let id = request.id.clone();
        let (method, body) = (request.method.clone(), request.to_bytes().into());
        self.reply(id, (method, body), options).await
    }

    /// The same by value: the request's bytes, and `params`, which they were made of, are dropped once they are sent.
    pub async fn call_once(
        &self,
        request: Request,
        params: Bytes,
        options: RequestOptions,
    ) -> Result<Reply, Error> {
        let message = Bytes::from_owner(Made {
            bytes: request.to_bytes(),
            _params: params,
        });
        let Request { id, method, .. } = request;
        self.reply(id, (method, message), options).await
    }

    async fn reply(
        &self,
        id: Id,
        (method, body): (String, Bytes),
        options: RequestOptions,
    ) -> Result<Reply, Error> {
        let message = Outgoing {
            id: Some(id.clone()),
            body,
            method,
            tool: options.tool,
            trace: options.trace,
            room: options.room,
        };
        match self.post(message).await? {
            Received::Nothing => Err(Error::Protocol("a request was answered with no response")),
            Received::Json(body) => read(&body, &id),
            Received::Stream(events) => await_reply(events.noting(options.noted), &id).await,
        }
    }

    /// Waits for the reply to a request that another process sent, from the event `last_id` of its answer on.
    pub async fn resume(&self, request: &Id, last_id: &str, options: RequestOptions) -> Result<Reply, Error> {
        let events = Events::resumed(self.clone(), last_id).within(options.room);
        await_reply(events.noting(options.noted), request).await
    }

    /// Answers a server's request as one that nobody could answer. In the background:
    /// the reply that is waited for must not wait for it.
    pub fn decline(&self, request: &Request) {
        if self.is_modern() {
            return; // it may not ask, and there is no way to answer
        }
        let answer = declining(request);
        let session = self.clone();
        background(async move {
            if let Err(error) = session.post(Outgoing::new("response", answer.to_bytes())).await {
                tracing::debug!(server = session.server(), %error, "failed to decline a server's request");
            }
        });
    }
}

/// Work that nobody waits for; its span stays the parent.
fn background(work: impl Future<Output = ()> + Send + 'static) {
    use tracing::Instrument as _;
    tokio::spawn(work.in_current_span());
}

/// The reply at the end of `events`; what else is on it is declined or dropped.
pub(super) async fn await_reply(mut events: Events, id: &Id) -> Result<Reply, Error> {
    while let Some(incoming) = events.next().await {
        match incoming?.message {
            Message::Response(response) => return of(response, id),
            Message::Request(request) => events.session().decline(&request),
            Message::Notification(_) => {}
        }
    }
    Err(Error::Interrupted)
}

/// The reply in a JSON body.
pub(super) fn read(body: &Bytes, id: &Id) -> Result<Reply, Error> {
    match Message::parse(body) {
        Ok(Message::Response(response)) => of(response, id),
        _ => Err(Error::Protocol("the answer to a request is not a response")),
    }
}

fn of(response: Response, id: &Id) -> Result<Reply, Error> {
    match response.outcome {
        // An error may lack the id of a request that the server could not read.
        Outcome::Error(error) if response.id.as_ref().is_none_or(|of| of == id) => Ok(Reply::Error(error)),
        Outcome::Result(result) if response.id.as_ref() == Some(id) => Ok(Reply::Result(result)),
        _ => Err(Error::Protocol("the response has another id than the request")),
    }
}

fn declining(request: &Request) -> Response {
    let id = request.id.clone();
    match request.method.as_str() {
        "ping" => Response::result(id, RawObject::new().to_raw()),
        method => {
            let message = format!("{method} is not possible here: no client is listening to this call");
            Response::error(Some(id), &ErrorObject::new(Code::MethodNotFound, message))
        }
    }
}

/// A server's error for people: its code and at most a line of its text.
fn describe(error: &RawValue) -> String {
    match ErrorObject::parse(error) {
        Some(error) => {
            let words: String = error
                .message
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect();
            format!("{} {words}", error.code)
        }
        None => "an error that cannot be read".to_owned(),
    }
}
