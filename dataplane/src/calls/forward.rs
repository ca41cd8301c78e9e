//! An ordinary tool call: to the tool's server and back, its payload untouched.
//!
//! [`super::call`] hands it each `tools/call` whose result does not go by webhook.
//! Invariant: a call that may have reached its server is never sent again. It runs on when a client with a session goes
//! away, which may come back, and is cancelled when any other does; how many run is bounded.

mod ids;
mod reply;

use std::future::Future;
use std::time::Duration;

use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::{Code, Message, Notification, Outcome, Request, Response, tool_result};
use bytes::Bytes;
use tracing::Instrument as _;

use self::ids::Ids;
use self::reply::AnswerSender;
use super::Context;
use super::bound::Held;
use super::outgoing::adapt;
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::Error;
use crate::caller::trace::TraceHeaders;
use crate::servers::catalogue::Tool;
use crate::servers::lines::{InUse, Line};
use crate::servers::{self, Events, Outgoing, Received};

/// How long a server may take to hear that a call is cancelled.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// Calls `tool` on its server.
pub(super) async fn call(
    context: &Context,
    tool: Tool,
    request: Request,
    mut operation: Operation,
) -> Answer {
    let line = match context.calls.lines.of(&context.caller, &tool.server) {
        Ok(line) => line,
        Err(error) => return Answer::refusal(&failed(&tool, &error), request.id, &mut operation),
    };
    let ids = Ids::of(&context.caller, &line, &request);
    let outgoing = for_server(ids.on_the_line(&request), &tool, &operation.trace());
    let calls = &context.calls.in_progress.calls;
    let Some(held) = calls.take(&context.caller.account, outgoing.body.len()) else {
        return Answer::refusal(&Error::Busy, request.id, &mut operation);
    };
    let (sender, pending) = reply::channel();
    let span = operation.span().clone();
    let call = Call {
        _progress: ids.token(&request).and_then(|token| line.expect_progress(token)),
        ids,
        outlives_its_client: context.caller.session.is_some(),
        line,
        json_only: context.json_only,
        outgoing,
        limit: context.silence(&tool.server),
        tool,
        request,
        operation,
        sender,
        _held: held,
    };
    tokio::spawn(call.run().instrument(span));
    pending.answer().await
}

/// A call on its way. A task of its own: it ends with the server's response, not with the client.
struct Call {
    line: Line,
    ids: Ids,
    outlives_its_client: bool,
    json_only: bool,
    tool: Tool,
    request: Request,
    outgoing: Outgoing,
    limit: Duration,
    operation: Operation,
    sender: AnswerSender,
    /// Its progress token is known, until it has ended.
    _progress: Option<InUse>,
    /// Counts it, until it has ended.
    _held: Held,
}

impl Call {
    async fn run(mut self) {
        let (gone, may_end) = (self.sender.gone(), !self.outlives_its_client);
        let response = tokio::select! {
            response = self.exchange() => response,
            () = gone, if may_end => return self.abandon(),
        };
        let response = response.unwrap_or_else(|error| {
            self.operation.failed(error.code().reason());
            error.to_response(Some(self.request.id.clone()))
        });
        drop(self.operation); // measured to here, however slowly the client reads
        self.sender.finish(response).await;
    }

    /// Nobody waits for the response: the client has cancelled the call by going away.
    fn abandon(mut self) {
        self.operation.failed(Code::Cancelled.reason());
        self.cancel("the client closed its stream");
    }

    async fn exchange(&mut self) -> Result<Bytes, Error> {
        let sending = self.line.send(self.outgoing.clone());
        match self
            .patient(sending)
            .await?
            .map_err(|error| self.failed(&error))?
        {
            Received::Json(body) => self.response(&body),
            Received::Stream(events) => self.relay(events).await,
            Received::Nothing => Err(self.protocol("a call was answered with no response")),
        }
    }

    /// Passes the server's messages on until it responds.
    async fn relay(&mut self, mut events: Box<Events>) -> Result<Bytes, Error> {
        self.sender.begin();
        while let Some(incoming) = self.patient(events.next()).await? {
            let incoming = incoming.map_err(|error| self.failed(&error))?;
            match &incoming.message {
                Message::Response(_) => return self.response(&incoming.raw),
                Message::Request(asked) if !self.can_ask() => events.decline(asked),
                _ => {
                    let message = self.line.relay(&events, incoming);
                    let message = message.and_then(|message| self.ids.message(message));
                    self.pass_on(message).await;
                }
            }
        }
        Err(self.failed(&servers::Error::Interrupted))
    }

    /// Whether a server's request reaches somebody who can answer it.
    fn can_ask(&self) -> bool {
        self.outlives_its_client && !self.json_only && !self.sender.is_gone()
    }

    async fn pass_on(&mut self, message: Option<Bytes>) {
        if let Some(message) = message {
            self.sender.send(message).await;
        }
    }

    /// The server's response, in its own bytes wherever it is one to this call.
    fn response(&mut self, raw: &Bytes) -> Result<Bytes, Error> {
        let Ok(Message::Response(response)) = Message::parse(raw) else {
            return Err(self.protocol("the answer to a call is not a response"));
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
            Some(id) if self.ids.are_of(id) => Ok(self.named(response)),
            None => Ok(self.named(response)),
            Some(_) => Err(self.protocol("the response has another id than the call")),
        }
    }

    /// A response under another id than the client's, or an error that could not name the call it is about.
    fn named(&self, mut response: Response) -> Bytes {
        response.id = Some(self.request.id.clone());
        response.to_bytes().into()
    }

    /// Waits for the server as long as it may be silent, then cancels the call there.
    async fn patient<T>(&self, waiting: impl Future<Output = T>) -> Result<T, Error> {
        tokio::time::timeout(self.limit, waiting).await.map_err(|_| {
            self.cancel("the gateway waited for transport.timeout");
            Error::Silent {
                server: self.tool.server.clone(),
                limit: self.limit,
            }
        })
    }

    fn cancel(&self, reason: &str) {
        let notification = Notification::cancelled(self.ids.id(&self.request), reason);
        let message = Outgoing::new("notifications/cancelled", notification.to_bytes());
        let line = self.line.clone();
        let notifying = async move {
            let sending = tokio::time::timeout(CANCEL_TIME, line.notify(message));
            if !matches!(sending.await, Ok(Ok(()))) {
                tracing::debug!(
                    server = line.server(),
                    "failed to notify a server that a call is cancelled"
                );
            }
        };
        tokio::spawn(notifying.in_current_span());
    }

    fn protocol(&self, flaw: &'static str) -> Error {
        self.failed(&servers::Error::Protocol(flaw))
    }

    fn failed(&self, error: &servers::Error) -> Error {
        failed(&self.tool, error)
    }
}

/// The error as the client sees it; what the server or the network said stays in the log.
fn failed(tool: &Tool, error: &servers::Error) -> Error {
    tracing::info!(server = tool.server, tool = tool.name, reason = error.reason(), %error, "a call failed");
    Error::Server {
        server: tool.server.clone(),
        failure: error.failure(),
    }
}

/// The call as its server gets it.
fn for_server(mut request: Request, tool: &Tool, trace: &TraceHeaders) -> Outgoing {
    adapt(&mut request, tool, trace);
    Outgoing {
        id: Some(request.id.clone()),
        body: request.to_bytes().into(),
        method: request.method,
        tool: Some(tool.name.clone()),
        trace: trace.clone(),
        room: Room::default(),
    }
}
