//! An ordinary tool call: to the tool's server and back, its payload untouched.
//!
//! [`crate::server`] hands it each `tools/call` whose result does not go by webhook.
//! Invariant: a call that may have reached its server is never sent again, and it runs on when
//! its client goes away.

mod reply;

use std::future::Future;
use std::time::Duration;

use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::{Message, Notification, Outcome, RawObject, Request, Response, tool_result};
use bytes::Bytes;
use http::HeaderValue;
use tracing::Instrument as _;

use self::reply::Reply;
use crate::catalogue::Tool;
use crate::operation::Operation;
use crate::respond::Error;
use crate::server::{Answer, Client};
use crate::upstream::{
    self, Answer as ServerAnswer, Events, Incoming, Outgoing, ServerSession, TraceHeaders,
};

/// How long a server may take to hear that a call is cancelled.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// Calls `tool` on its server.
pub(crate) async fn call(client: &Client, tool: Tool, request: Request, operation: Operation) -> Answer {
    let (reply, pending) = reply::channel();
    let span = operation.span().clone();
    let call = Call {
        client: client.clone(),
        outgoing: for_server(&request, &tool, &operation.trace()),
        limit: client.silence(&tool.server),
        tool,
        request,
        operation,
        reply,
    };
    tokio::spawn(call.run().instrument(span));
    pending.answer().await
}

/// A call on its way. A task of its own: it ends with the server's response, not with the client.
struct Call {
    client: Client,
    tool: Tool,
    request: Request,
    outgoing: Outgoing,
    limit: Duration,
    operation: Operation,
    reply: Reply,
}

impl Call {
    async fn run(mut self) {
        let response = self.exchange().await.unwrap_or_else(|error| {
            tracing::info!(server = self.tool.server, tool = self.tool.name, %error, "a call failed");
            self.operation.failed(error.code().reason());
            error.to_response(Some(self.request.id.clone()))
        });
        drop(self.operation); // measured to here, however slowly the client reads
        self.reply.finish(response).await;
    }

    async fn exchange(&mut self) -> Result<Bytes, Error> {
        let (sessions, who) = (&self.client.edge.sessions, &self.client.identity);
        let posting = sessions.post(who, &self.tool.server, self.outgoing.clone());
        match self.patient(posting).await?.map_err(|error| self.failed(error))? {
            ServerAnswer::Json(body) => self.response(&body),
            ServerAnswer::Stream(events) => self.relay(events).await,
            ServerAnswer::Accepted => Err(self.protocol("a call was answered with no response")),
        }
    }

    /// Passes on what the server says until it responds.
    async fn relay(&mut self, mut events: Box<Events>) -> Result<Bytes, Error> {
        self.reply.begin();
        while let Some(incoming) = self.patient(events.next()).await? {
            let incoming = incoming.map_err(|error| self.failed(error))?;
            match &incoming.message {
                Message::Response(_) => return self.response(&incoming.raw),
                Message::Request(asked) if self.client.json_only || self.reply.is_gone() => {
                    events.session().decline(asked);
                }
                _ => self.say(events.session(), incoming).await,
            }
        }
        Err(self.failed(upstream::Error::Interrupted))
    }

    async fn say(&mut self, session: &ServerSession, incoming: Incoming) {
        let (sessions, who) = (&self.client.edge.sessions, &self.client.identity);
        if let Some(message) = sessions.relay(who, session, incoming) {
            self.reply.send(message).await;
        }
    }

    /// The server's response, in its own bytes wherever it is one to this call.
    fn response(&mut self, raw: &Bytes) -> Result<Bytes, Error> {
        let Ok(Message::Response(response)) = Message::parse(raw) else {
            return Err(self.protocol("the answer to a call is no response"));
        };
        match &response.outcome {
            Outcome::Error(_) => self.operation.failed("jsonrpc_error"),
            Outcome::Result(result) if tool_result::is_error(result) => {
                self.operation.failed("tool_error");
            }
            Outcome::Result(_) => {}
        }
        match &response.id {
            Some(id) if *id == self.request.id => Ok(raw.clone()),
            None => Ok(self.named(response)),
            Some(_) => Err(self.protocol("the response has another id than the call")),
        }
    }

    /// An error that could not name the call it is about.
    fn named(&self, mut response: Response) -> Bytes {
        response.id = Some(self.request.id.clone());
        response.to_bytes().into()
    }

    /// Waits for the server as long as it may be silent, then tells it that nobody waits any more.
    async fn patient<T>(&self, waiting: impl Future<Output = T>) -> Result<T, Error> {
        tokio::time::timeout(self.limit, waiting).await.map_err(|_| {
            self.cancel();
            Error::Silent {
                server: self.tool.server.clone(),
                limit: self.limit,
            }
        })
    }

    fn cancel(&self) {
        let note = Notification::cancelled(&self.request.id, "the gateway waited for transport.timeout");
        let note = Outgoing::new("notifications/cancelled", note.to_bytes());
        let (client, server) = (self.client.clone(), self.tool.server.clone());
        let telling = async move {
            let sending = client.edge.sessions.post(&client.identity, &server, note);
            if !matches!(tokio::time::timeout(CANCEL_TIME, sending).await, Ok(Ok(_))) {
                tracing::debug!(server, "a call could not be cancelled");
            }
        };
        tokio::spawn(telling.in_current_span());
    }

    fn protocol(&self, flaw: &'static str) -> Error {
        self.failed(upstream::Error::Protocol(flaw))
    }

    fn failed(&self, source: upstream::Error) -> Error {
        Error::Server {
            server: self.tool.server.clone(),
            source,
        }
    }
}

/// The call as its server gets it: the tool under its own name, what is meant for the gateway
/// taken out, and the trace put in (SEP-414). Everything else keeps its bytes.
fn for_server(request: &Request, tool: &Tool, trace: &TraceHeaders) -> Outgoing {
    let mut request = request.clone();
    adapt(&mut request, tool, trace);
    Outgoing {
        body: request.to_bytes().into(),
        method: request.method,
        tool: Some(tool.name.clone()),
        trace: trace.clone(),
        room: Room::default(),
    }
}

/// See [`for_server`]; also what a job's parameters go through.
pub(crate) fn adapt(request: &mut Request, tool: &Tool, trace: &TraceHeaders) {
    let mut meta = request.meta().unwrap_or_default();
    meta.retain(|key| !key.starts_with("dev.asyncmcp/") && key != "webhookUrl");
    trace_in(&mut meta, trace);
    request.set_meta(&meta);
    let params = request.params.get_or_insert_default();
    // Tasks were not offered, so the field means nothing here (2025-11-25, Tasks) and
    // must not mean anything to the server either.
    params.remove("task");
    if tool.name != tool.shown_as {
        params.set_value("name", &tool.name);
    }
}

fn trace_in(meta: &mut RawObject, trace: &TraceHeaders) {
    let text = |value: &Option<HeaderValue>| {
        value
            .as_ref()
            .and_then(|value| value.to_str().ok().map(str::to_owned))
    };
    if let Some(parent) = text(&trace.parent) {
        meta.set_value("traceparent", &parent);
        match text(&trace.state) {
            Some(state) => meta.set_value("tracestate", &state),
            None => drop(meta.remove("tracestate")),
        }
    }
}
