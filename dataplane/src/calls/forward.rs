//! An ordinary call, of a tool or of anything else: to its server and back, its payload untouched.
//!
//! [`super::call`] hands it each `tools/call` whose result does not go by webhook, [`super::ask`] what is asked beside tools.
//! Invariant: a call that may have reached its server is never sent again; when its client goes away a legacy call runs on
//! and a modern one is cancelled; how many are in progress is bounded.

mod elsewhere;
mod reply;
mod way;

use std::future::Future;
use std::time::Duration;

use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::code::Code;
use asyncmcp_protocol::version::Era;
use asyncmcp_protocol::{Message, Outcome, Request, Response, tool_result};
use bytes::Bytes;
use tracing::Instrument as _;

use self::elsewhere::{Elsewhere, Next};
use self::reply::AnswerSender;
use self::way::{End, Way};
use super::Context;
use super::bound::Held;
use super::outgoing::adapt;
use super::target::Target;
use crate::caller::answer::Answer;
use crate::caller::operation::{Operation, method_label};
use crate::caller::respond::Error;
use crate::caller::trace::TraceHeaders;
use crate::servers::{self, Events, Outgoing, Received};

/// Sends the request to its server.
pub(super) async fn call(
    context: &Context,
    target: Target,
    request: Request,
    operation: Operation,
) -> Answer {
    first_of(context, (target, Vec::new()), request, operation).await
}

/// Sends the request to one server after another, until one knows what it is about.
pub(super) async fn first_of(
    context: &Context,
    (target, others): (Target, Vec<Target>),
    request: Request,
    mut operation: Operation,
) -> Answer {
    let way = match context.calls.lines.lend(&context.caller, &target.server) {
        Ok(loan) => Way::of(&request, loan),
        Err(error) => {
            return Answer::refusal(&failed((&target, &request), &error), request.id, &mut operation);
        }
    };
    let outgoing = for_server(&request, &target, (&way, &operation.trace()));
    let calls = &context.calls.in_progress.calls;
    let Some(held) = calls.take(&context.caller.account, outgoing.body.len()) else {
        way.end(End::Answered); // nothing was sent, so its session is as good as before
        return Answer::refusal(&Error::Busy, request.id, &mut operation);
    };
    let (sender, pending) = reply::channel();
    let span = operation.span().clone();
    let call = Call {
        context: context.clone(),
        elsewhere: Elsewhere::new(others),
        way,
        ends_with_client: context.caller.version.era() == Era::Modern,
        json_only: context.json_only,
        outgoing,
        limit: context.silence(&target.server),
        target,
        request,
        operation,
        sender,
        _held: held,
    };
    tokio::spawn(call.run().instrument(span));
    pending.answer().await
}

/// A call on its way. A task of its own: it ends with the server's response, not with a legacy client's connection.
struct Call {
    context: Context,
    way: Way,
    /// Who else may know what the request is about.
    elsewhere: Elsewhere,
    /// Closing the answer's stream is how a modern client cancels (2026-07-28, Streamable HTTP).
    ends_with_client: bool,
    json_only: bool,
    target: Target,
    request: Request,
    outgoing: Outgoing,
    limit: Duration,
    operation: Operation,
    sender: AnswerSender,
    /// Counts it, until it has ended.
    _held: Held,
}

impl Call {
    async fn run(mut self) {
        while let Some(mut ended) = self.attempt().await {
            loop {
                match self.elsewhere.after(&self.target, ended) {
                    Next::Answer(response) => return self.answer(response).await,
                    Next::Ask(target) => match self.turn_to(target) {
                        Ok(()) => break,
                        Err(error) => ended = Err(error),
                    },
                }
            }
        }
        self.operation.failed(Code::Cancelled.reason());
        let end = End::Cancelled("the client closed the call's connection");
        self.way.end(end);
    }

    /// Sends the request and waits for the response; `None` if a modern client left meanwhile.
    async fn attempt(&mut self) -> Option<Result<Bytes, Error>> {
        let opened = self.open().await;
        let left = self.sender.gone();
        let ends_with_client = self.ends_with_client;
        let exchange = async {
            opened?;
            self.exchange().await
        };
        tokio::select! {
            biased; // a client that left meanwhile wants nothing sent
            () = left, if ends_with_client => None,
            response = exchange => Some(response),
        }
    }

    /// The request goes to this server instead. The one before has answered it, or saw nothing of it.
    fn turn_to(&mut self, target: Target) -> Result<(), Error> {
        self.target = target;
        let loan = self
            .context
            .calls
            .lines
            .lend(&self.context.caller, &self.target.server);
        let way = Way::of(&self.request, loan.map_err(|error| self.failed(&error))?);
        self.outgoing = for_server(&self.request, &self.target, (&way, &self.operation.trace()));
        self.limit = self.context.silence(&self.target.server);
        std::mem::replace(&mut self.way, way).end(End::Answered);
        self.operation.again();
        Ok(())
    }

    /// Opens the session that the call is sent in, if it could be interrupted later: a client that leaves in the middle
    /// would leave a session behind at the server.
    async fn open(&self) -> Result<(), Error> {
        if !self.ends_with_client {
            return Ok(());
        }
        let opening = self.way.loan().open();
        self.patient(opening).await?.map_err(|error| self.failed(&error))
    }

    async fn answer(mut self, response: Result<Bytes, Error>) {
        let (response, end) = match response {
            Ok(response) => (response, End::Answered),
            Err(error) => {
                self.operation.failed(error.code().reason());
                let end = match error {
                    Error::Silent { .. } => End::Cancelled("the gateway waited for transport.timeout"),
                    _ => End::Failed,
                };
                (error.to_response(Some(self.request.id.clone())), end)
            }
        };
        self.way.end(end);
        drop(self.operation); // measured to here, however slowly the client reads
        self.sender.finish(response).await;
    }

    async fn exchange(&mut self) -> Result<Bytes, Error> {
        let sending = self.way.loan().send(self.outgoing.clone());
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
                Message::Request(asked) if self.json_only || self.sender.is_gone() => {
                    events.decline(asked);
                }
                _ => {
                    let message = self.way.relay(&events, incoming);
                    self.pass_on(message).await;
                }
            }
        }
        Err(self.failed(&servers::Error::Interrupted))
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
            Outcome::Result(result) if self.target.tool.is_some() && tool_result::is_error(result) => {
                self.operation.failed("tool_error");
            }
            Outcome::Result(_) => {}
        }
        match &response.id {
            Some(id) if id == self.way.id() => Ok(self.renamed(raw, response)),
            None => Ok(self.named(response)),
            Some(_) => Err(self.protocol("the response has another id than the call")),
        }
    }

    /// The response under the id that the client gave the call.
    fn renamed(&self, raw: &Bytes, response: Response) -> Bytes {
        if *self.way.id() == self.request.id {
            return raw.clone();
        }
        self.named(response)
    }

    /// The same for one that has another id or, as an error may, none.
    fn named(&self, mut response: Response) -> Bytes {
        response.id = Some(self.request.id.clone());
        response.to_bytes().into()
    }

    /// Waits for the server as long as it may be silent.
    async fn patient<T>(&self, waiting: impl Future<Output = T>) -> Result<T, Error> {
        let waiting = tokio::time::timeout(self.limit, waiting);
        waiting.await.map_err(|_| Error::Silent {
            server: self.target.server.clone(),
            limit: self.limit,
            asked: self.target.asked(),
        })
    }

    fn protocol(&self, flaw: &'static str) -> Error {
        self.failed(&servers::Error::Protocol(flaw))
    }

    fn failed(&self, error: &servers::Error) -> Error {
        failed((&self.target, &self.request), error)
    }
}

/// The error as the client sees it; what the server or the network said stays in the log.
fn failed((target, request): (&Target, &Request), error: &servers::Error) -> Error {
    let (server, tool, method) = (&target.server, &target.tool, method_label(&request.method));
    tracing::info!(server, tool, method, reason = error.reason(), %error, "a call failed");
    Error::Server {
        server: server.clone(),
        failure: error.failure(),
        asked: target.asked(),
    }
}

/// The call as its server gets it.
fn for_server(request: &Request, target: &Target, (way, trace): (&Way, &TraceHeaders)) -> Outgoing {
    let mut request = request.clone();
    adapt(&mut request, target, trace);
    way.spell(&mut request);
    Outgoing {
        id: Some(request.id.clone()),
        body: request.to_bytes().into(),
        method: request.method,
        tool: target.tool.clone(),
        trace: trace.clone(),
        room: Room::default(),
    }
}
