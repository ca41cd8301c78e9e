//! An ordinary call, of a tool or of anything else: to its server and back, its payload untouched.
//!
//! [`super::call`] hands it each `tools/call` whose result does not go by webhook, [`super::ask`] what is asked beside tools.
//! Invariant: a call that may have reached its server is never sent again, unless the server asks for another round; when its
//! client goes away a legacy call runs on and a modern one is cancelled; how many are in progress is bounded.

mod attended;
mod elsewhere;
mod reply;
mod rounds;
mod tasks;
mod way;

use std::future::Future;
use std::time::Duration;

use asyncmcp_delivery::engine::Room;
use asyncmcp_protocol::code::Code;
use asyncmcp_protocol::version::Era;
use asyncmcp_protocol::{Message, Outcome, Request, Response, tool_result};
use bytes::Bytes;
use futures::TryFutureExt as _;
use tracing::Instrument as _;

use self::attended::Attended;
use self::elsewhere::{Elsewhere, Next};
use self::reply::{AnswerSender, Form, Inlet};
use self::tasks::Names;
use self::way::{End, Way};
use super::Context;
use super::bound::Held;
use super::outgoing::adapt;
use super::target::{Target, Tasks};
use crate::caller::answer::Answer;
use crate::caller::operation::{Operation, method_label};
use crate::caller::respond::server::Failure;
use crate::caller::respond::{Error, task};
use crate::caller::trace::TraceHeaders;
use crate::servers::lines::Line;
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
    let ends_with_client = tasks::waits(&request) || context.caller.version.era() == Era::Modern;
    let way = match way_to(context, &target, &request) {
        Ok(way) => way,
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
    let resumes = !ends_with_client && !context.json_only;
    let resumable = context.calls.resumable.clone();
    let recorded = resumes.then(|| resumable.record(&context.caller, &request.id));
    let (sender, pending) = reply::channel(recorded.flatten());
    let span = operation.span().clone();
    let call = Call {
        context: context.clone(),
        elsewhere: Elsewhere::new(others),
        way,
        ends_with_client,
        names: Names::of(context, &target.server, &target.tasks),
        outgoing,
        limit: if tasks::waits(&request) {
            Duration::MAX // the task takes as long as it takes
        } else {
            context.silence(&target.server)
        },
        target,
        request,
        operation,
        sender,
        rounds: 0,
        held,
    };
    let running = Attended::new(call.run().instrument(span));
    match running.until(pending.form()).await {
        Form::Json(response) => Answer::Json(response),
        Form::Stream(Inlet::Once(messages)) => Answer::Stream(messages),
        Form::Stream(Inlet::Kept(reader)) => resumable.answer(&context.caller, reader),
    }
}

/// The way to the target's server. Where the client reads nothing but the response, a server should know that it cannot ask.
fn way_to(context: &Context, target: &Target, request: &Request) -> Result<Way, servers::Error> {
    let loan = context.calls.lines.lend(&context.caller, &target.server)?;
    if context.json_only && !loan.is_own() {
        return Ok(Way::of(request, loan.unasked()));
    }
    Ok(Way::of(request, loan))
}

/// A call on its way. It ends with the server's response, not with a legacy client's connection.
struct Call {
    context: Context,
    way: Way,
    /// Who else may know what the request is about.
    elsewhere: Elsewhere,
    /// Closing the answer's stream is how a modern client cancels (2026-07-28, Streamable HTTP).
    ends_with_client: bool,
    /// The client's names of the server's tasks.
    names: Names,
    target: Target,
    request: Request,
    outgoing: Outgoing,
    limit: Duration,
    operation: Operation,
    sender: AnswerSender,
    /// How often it was sent again with what its server needs.
    rounds: u32,
    /// Counts it, until it has ended.
    held: Held,
}

impl Call {
    async fn run(mut self) {
        loop {
            let mut ended = match self.attempt().await {
                Ok(ended) => ended,
                Err(reason) => {
                    self.operation.failed(Code::Cancelled.reason());
                    return self.way.end(End::Cancelled(reason));
                }
            };
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
    }

    /// Sends the request and waits for the response; an error if the client cancelled it meanwhile, and how.
    async fn attempt(&mut self) -> Result<Result<Bytes, Error>, &'static str> {
        let opened = self.open().await;
        let left = self.sender.gone();
        let (ends_with_client, cancelled) = (self.ends_with_client, self.cancelled());
        let exchange = async {
            opened?;
            self.exchange().await
        };
        tokio::select! {
            biased; // a client that left meanwhile wants nothing sent
            () = left, if ends_with_client => Err("the client closed the call's connection"),
            () = cancelled => Err("the client cancelled the call"),
            response = exchange => Ok(response),
        }
    }

    /// The request goes to this server instead. The one before has answered it, or saw nothing of it.
    fn turn_to(&mut self, target: Target) -> Result<(), Error> {
        self.target = target;
        let way = way_to(&self.context, &self.target, &self.request);
        let way = way.map_err(|error| self.failed(&error))?;
        self.outgoing = for_server(&self.request, &self.target, (&way, &self.operation.trace()));
        self.limit = self.context.silence(&self.target.server);
        self.names = Names::of(&self.context, &self.target.server, &self.target.tasks);
        self.rounds = 0;
        std::mem::replace(&mut self.way, way).end(End::Answered);
        self.operation.again();
        Ok(())
    }

    /// Returns when a legacy client cancels what no server hears of: a server without sessions hears of it by the end of the
    /// connection, as it does in the modern era.
    fn cancelled(&self) -> impl Future<Output = ()> + Send + use<> {
        let cancellable = &self.context.calls.in_progress.cancellable;
        let cancellable = cancellable.add(self.context.caller.scope, &self.request.id);
        let line = Line::clone(self.way.loan());
        async move {
            cancellable.cancelled().await;
            if !line.is_across_eras() {
                std::future::pending::<()>().await; // its server is notified, and answers
            }
        }
    }

    /// Opens the session that the call is sent in, if it could be interrupted later: a client that leaves in the middle
    /// would leave a session behind at the server.
    async fn open(&self) -> Result<(), Error> {
        if let Tasks::Wanted(tool) = &self.target.tasks {
            let about = self.patient(Box::pin(self.way.loan().about())).await?;
            return match about.map_err(|error| self.failed(&error))?.version.era() {
                Era::Legacy => Ok(()),
                Era::Modern => Err(task::Error::NotOffered(tool.clone()).into()),
            };
        }
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
        loop {
            let raw = self.round().await?;
            let Ok(Message::Response(response)) = Message::parse(&raw) else {
                return Err(self.protocol("the answer to a call is not a response"));
            };
            let Some(needed) = self.needed(&response)? else {
                return self.response(&raw, response);
            };
            if let Some(refusal) = self.next_round(&needed).await? {
                return Ok(refusal);
            }
        }
    }

    /// Sends the call, or its next round, and returns the server's response.
    async fn round(&mut self) -> Result<Bytes, Error> {
        let sending = self.way.loan().send(self.outgoing.clone());
        match self
            .patient(sending)
            .await?
            .map_err(|error| self.failed(&error))?
        {
            Received::Json(body) => Ok(body),
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
                Message::Response(_) => return Ok(incoming.raw),
                Message::Request(asked) if self.context.json_only || self.sender.is_gone() => {
                    events.decline(asked);
                }
                _ => {
                    let message = self.way.relay(&events, self.names.incoming(incoming));
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
    fn response(&mut self, raw: &Bytes, mut response: Response) -> Result<Bytes, Error> {
        match &response.outcome {
            Outcome::Error(_) => self.operation.failed("jsonrpc_error"),
            Outcome::Result(result) if self.target.tool.is_some() && tool_result::is_error(result) => {
                self.operation.failed("tool_error");
            }
            Outcome::Result(_) => {}
        }
        let is_renamed = self.names.rename(&mut response);
        match &response.id {
            _ if is_renamed.is_err() => {
                Err(self.protocol("a task that was not asked for, or whose id is too long"))
            }
            Some(id) if id == self.way.id() && is_renamed == Ok(true) => Ok(self.named(response)),
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

    /// Waits for the server as long as it may be silent. Not an `async fn`, which would keep room for `waiting` twice.
    fn patient<T>(&self, waiting: impl Future<Output = T>) -> impl Future<Output = Result<T, Error>> {
        let waiting = tokio::time::timeout(self.limit, waiting);
        waiting.map_err(|_| Error::Silent {
            server: self.target.server.clone(),
            limit: self.limit,
            asked: self.target.asked(),
        })
    }

    fn protocol(&self, flaw: &'static str) -> Error {
        self.failed(&servers::Error::Protocol(flaw))
    }

    fn failed(&self, error: &servers::Error) -> Error {
        let failed = failed((&self.target, &self.request), error);
        match failed {
            // An earlier round ran.
            Error::Server {
                server,
                failure: Failure::NotDispatched | Failure::NoCredentials,
                asked,
            } if self.rounds > 0 => Error::Server {
                server,
                failure: Failure::Unknown,
                asked,
            },
            failed => failed,
        }
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
