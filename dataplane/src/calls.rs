//! What answers a caller's messages, whatever its era.
//!
//! The edge makes a `Context` of a request and hands it each message. Here lives what a method means; HTTP, sessions and
//! how a server is reached do not. Invariant: every request is measured once, from here to the end of its answer.

mod accept;
mod ask;
mod audit;
mod bound;
mod call;
mod cancel;
mod forward;
mod level;
mod listen;
mod lists;
mod outgoing;
mod permit;
mod rate;
mod resume;
mod subscribe;
mod target;
mod task_ids;
mod task_report;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_delivery::clock::Clock;
use asyncmcp_delivery::engine::Engine;
use asyncmcp_protocol::listing::Kind;
use asyncmcp_protocol::modern::result::Caching;
use asyncmcp_protocol::{Message, Notification, RawObject, Request, Response};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

pub use self::bound::InProgress;
pub use self::rate::Rates;
pub use self::resume::Resumable;
pub use self::task_ids::TaskIds;
use crate::caller::Caller;
use crate::caller::answer::Answer;
use crate::caller::operation::{Metrics, Operation};
use crate::caller::respond::Error;
use crate::caller::trace::TraceHeaders;
use crate::config::Config;
use crate::servers::Outgoing;
use crate::servers::catalogue::Catalogue;
use crate::servers::lines::Lines;

/// How long servers may take to hear a client's notification or answer.
const DELIVERY_TIME: Duration = Duration::from_secs(30);
/// For how long modern clients may keep a list. No longer than a change of the route may take to be noticed: a
/// tool that has just become a webhook tool is acknowledged with what its former output schema does not allow.
const CACHE_TIME_MS: u64 = 5_000;

/// The parts that calls go through. One for the process.
pub struct Calls {
    /// The ways to servers.
    pub lines: Lines,
    /// What the servers offer.
    pub catalogue: Catalogue,
    /// Who executes and delivers webhook tools' calls.
    pub engine: Arc<Engine>,
    /// What is in progress that no connection holds.
    pub in_progress: InProgress,
    /// How many requests accounts make.
    pub rates: Rates,
    /// What is measured.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// The ids of servers' tasks.
    pub task_ids: TaskIds,
    /// The answers that clients can read on.
    pub resumable: Resumable,
    /// Fires when this process ends: what waits for a client's sake ends then.
    pub closing: CancellationToken,
}

impl Calls {
    /// Counts a request of `account`, unless it has made too many.
    pub(crate) fn permit(&self, config: &Config, account: &str) -> Result<(), Error> {
        let limit = config.route.webhook.per_client.requests_per_second;
        let taken = self.rates.take(account, limit, Instant::now());
        taken.map_err(Error::TooOften)
    }
}

/// One request: who asks, and the route it is answered by from beginning to end.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) calls: Arc<Calls>,
    pub(crate) config: Arc<Config>,
    pub(crate) caller: Arc<Caller>,
    /// Whether each answer is one JSON body: nothing but the response gets to the client.
    pub(crate) json_only: bool,
}

impl Context {
    /// Whether requests of this method are answered in the modern era.
    pub(crate) fn offers(method: &str) -> bool {
        method == "tools/call"
            || ask::answers(method)
            || tasks::is_modern(method)
            || Kind::of_method(method).is_some()
    }

    /// Answers one message.
    pub(crate) async fn answer(&self, message: Message, headers: &TraceHeaders) -> Answer {
        match message {
            Message::Request(request) => self.request(request, headers).await,
            Message::Notification(notification) => {
                let done = self.notification(&notification).await;
                done.map_or_else(Answer::Refused, |()| Answer::Accepted)
            }
            Message::Response(response) => {
                let done = self.response(response);
                done.map_or_else(Answer::Refused, |()| Answer::Accepted)
            }
        }
    }

    /// Opens the stream that a modern `subscriptions/listen` asks for, until `closing`.
    pub(crate) fn listen(
        &self,
        request: Request,
        headers: &TraceHeaders,
        closing: CancellationToken,
    ) -> Answer {
        let trace = headers.or_of(request.meta().as_ref());
        let mut operation = Operation::begin(&self.calls.metrics, &request.method, &trace);
        match self.calls.permit(&self.config, &self.caller.account) {
            Ok(()) => listen::answer(self, request, operation, closing),
            Err(error) => Answer::refusal(&error, request.id, &mut operation),
        }
    }

    async fn request(&self, request: Request, headers: &TraceHeaders) -> Answer {
        let trace = headers.or_of(request.meta().as_ref());
        let operation = Operation::begin(&self.calls.metrics, &request.method, &trace);
        let span = operation.span().clone();
        let answer = match self.calls.permit(&self.config, &self.caller.account) {
            Ok(()) => self.method(request, operation).instrument(span).await,
            Err(error) => Answer::refusal(&error, request.id, &mut { operation }),
        };
        match answer {
            Answer::Stream(_) if self.json_only => {
                answer.whole().await.map_or(Answer::Accepted, Answer::Json)
            }
            answer => answer,
        }
    }

    async fn method(&self, request: Request, operation: Operation) -> Answer {
        match request.method.as_str() {
            "ping" => Answer::result(request.id, &RawObject::new().to_raw()),
            "tools/call" => call::answer(self, request, operation).await,
            // Their futures are large, and need not be a part of every call's.
            _ => Box::pin(self.other(request, operation)).await,
        }
    }

    async fn other(&self, request: Request, mut operation: Operation) -> Answer {
        match request.method.as_str() {
            "logging/setLevel" => level::set(self, request, operation).await,
            "resources/subscribe" | "resources/unsubscribe" => {
                subscribe::answer(self, request, operation).await
            }
            method if tasks::is_about(method) => tasks::answer(self, request, operation).await,
            method if ask::answers(method) => ask::answer(self, request, operation).await,
            method => match Kind::of_method(method) {
                Some(kind) => lists::answer(self, kind, request, operation).await,
                None => Answer::refusal(&Error::Method(request.method), request.id, &mut operation),
            },
        }
    }

    /// How long and by whom what the gateway says of itself may be cached.
    pub(crate) fn caching(&self) -> Caching {
        Caching {
            ttl_ms: CACHE_TIME_MS,
            is_private: self.caller.principal.is_some(),
        }
    }

    async fn notification(&self, notification: &Notification) -> Result<(), Error> {
        match notification.method.as_str() {
            // Servers' sessions are opened, and initialized, when they are needed.
            "notifications/initialized" => Ok(()),
            _ if self.is_stateless() => Ok(()),
            "notifications/cancelled" if cancel::job(self, notification).await => Ok(()),
            "notifications/cancelled" => {
                cancel::call(self, notification);
                self.pass_on(notification)
            }
            _ => self.pass_on(notification),
        }
    }

    /// Whether nothing of a client's can find its way to what is in progress, so that its messages without a response are
    /// accepted and mean nothing.
    fn is_stateless(&self) -> bool {
        self.caller.scope.is_none()
    }

    /// Passes a notification on to every server that the caller has a session on. In the
    /// background: a server that hangs must not hold up the client's 202.
    fn pass_on(&self, notification: &Notification) -> Result<(), Error> {
        let message = Outgoing::new(&notification.method, notification.to_bytes());
        let size = message.body.len();
        let context = self.clone();
        self.in_background(size, async move {
            context.calls.lines.broadcast(&context.caller, message).await;
        })
    }

    /// Brings an answer to the server that asked. In the background, as above.
    fn response(&self, response: Response) -> Result<(), Error> {
        if self.is_stateless() {
            return Ok(());
        }
        let size = response.to_bytes().len();
        let context = self.clone();
        self.in_background(size, async move {
            if let Err(error) = context.calls.lines.answer(&context.caller, response).await {
                tracing::debug!(%error, "failed to pass a client's answer on");
            }
        })
    }

    /// Lets `passing_on` a message of `size` bytes run by itself, unless too many do already.
    fn in_background(
        &self,
        size: usize,
        passing_on: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        let messages = &self.calls.in_progress.messages;
        let held = messages.take(&self.caller.account, size).ok_or(Error::Backlog)?;
        tokio::spawn(async move {
            let _held = held;
            let _ = tokio::time::timeout(DELIVERY_TIME, passing_on).await; // it is too late to tell the client
        });
        Ok(())
    }

    /// The silence allowed on a call to `server`.
    fn silence(&self, server: &str) -> Duration {
        let route = &self.config.route;
        let server = route.servers.iter().find(|known| known.name == server);
        server.map_or(route.transport.timeout, |server| server.timeout)
    }
}
