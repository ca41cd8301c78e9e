//! A request of the gateway's own and the server's reply to it.
//!
//! `open`, the catalogue and the executor ask through it. Invariant: nobody behind such a
//! request could answer a server's question, so `ping` is answered and all else refused.

use std::future::Future;

use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::code::{Code, ErrorObject};
use asyncmcp_protocol::{Id, Message, Outcome, RawObject, RawValue, Request, Response};
use bytes::Bytes;

use super::session::{Answer, Outgoing, ServerSession};
use super::{Error, Events, Noted, TraceHeaders};

/// How a server replied, in its own bytes.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A `result`.
    Result(Box<RawValue>),
    /// An `error`.
    Error(Box<RawValue>),
}

/// How a request is sent, and its answer read.
#[derive(Default)]
pub struct Manner {
    /// The tool of a `tools/call`, as the server names it.
    pub tool: Option<String>,
    /// The trace it belongs to.
    pub trace: TraceHeaders,
    /// Asked before much of the answer is read.
    pub room: Room,
    /// Told of the events that the answer could be taken up from.
    pub noted: Option<Noted>,
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
    /// Asks and waits for the reply, within the server's `timeout` of silence.
    pub async fn ask(&self, method: &str, params: Option<RawObject>) -> Result<Reply, Error> {
        let limit = self.upstream().timeout();
        let request = Request::new(self.own_id(), method, params);
        let asking = self.call(&request, Manner::default());
        tokio::time::timeout(limit, asking)
            .await
            .unwrap_or(Err(Error::Silent(limit)))
    }

    /// Sends `request`, whose id is one of [`ServerSession::own_id`], and waits as long as it takes.
    pub async fn call(&self, request: &Request, manner: Manner) -> Result<Reply, Error> {
        let message = Outgoing {
            body: request.to_bytes().into(),
            method: request.method.clone(),
            tool: manner.tool,
            trace: manner.trace,
            room: manner.room,
        };
        match self.post(message).await? {
            Answer::Accepted => Err(Error::Protocol("a request was answered with no response")),
            Answer::Json(body) => read(&body, &request.id),
            Answer::Stream(events) => await_reply(events.noting(manner.noted), &request.id).await,
        }
    }

    /// Waits for the reply to a request that another process sent, from the event `last_id` of its answer on.
    pub async fn resume(&self, request: &Id, last_id: &str, manner: Manner) -> Result<Reply, Error> {
        let events = Events::resumed(self.clone(), last_id).within(manner.room);
        await_reply(events.noting(manner.noted), request).await
    }

    /// Answers a server's request as one that nobody could take further. In the background:
    /// the reply that is waited for must not wait for it.
    pub fn decline(&self, request: &Request) {
        let answer = declining(request);
        let session = self.clone();
        background(async move {
            if let Err(error) = session.post(Outgoing::new("response", answer.to_bytes())).await {
                tracing::debug!(server = session.server(), %error, "a request could not be declined");
            }
        });
    }
}

/// Work that nobody waits for; its span goes on as the parent.
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
        _ => Err(Error::Protocol("the answer to a request is no response")),
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
    let object = RawObject::new;
    match request.method.as_str() {
        "ping" => Response::result(id, object().to_raw()),
        "roots/list" => {
            let mut roots = object();
            roots.set_value("roots", &[(); 0]);
            Response::result(id, roots.to_raw())
        }
        method => {
            let message = format!("{method} is not possible here: no client is listening to this call");
            Response::error(Some(id), &ErrorObject::new(Code::MethodNotFound, message))
        }
    }
}

/// A server's error for people: its code and at most a line of its words.
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
