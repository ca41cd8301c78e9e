//! How errors are reported to clients: the one place that turns errors into HTTP
//! statuses and JSON-RPC codes.
//!
//! The edge and the calls answer with an [`Error`]. Invariant: once a
//! legacy request has passed the door, the envelope and the session, its status is 200 (stock
//! clients do not survive any other; a message without a response has nothing but its status),
//! and nothing of a server's HTTP side is in it.

pub mod access;
pub mod door;
mod http_answer;
pub mod server;
pub mod task;
#[cfg(test)]
mod tests;

use std::time::Duration;

use asyncmcp_delivery::egress::Refusal;
use asyncmcp_protocol::code::{Code, ErrorObject};
use asyncmcp_protocol::{Version, initialize, message, modern, subscriptions};
use http::StatusCode;

pub use self::http_answer::json;
use self::server::{Asked, Failure};
use super::session;

/// How long a client is asked to wait before it tries again.
const PAUSE: Duration = Duration::from_secs(5);
/// The same where space becomes free by deliveries and by age.
const LONG_PAUSE: Duration = Duration::from_secs(30);
/// How much of a client's own text is repeated in an error.
const MAX_ECHO: usize = 128;

/// Why a request is not answered as it hoped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Refused before anything of it was read.
    #[error(transparent)]
    Guard(#[from] door::Error),
    /// The credentials do not let it in.
    #[error(transparent)]
    Access(#[from] access::Refusal),
    /// The body is not a message.
    #[error(transparent)]
    Message(#[from] message::Error),
    /// A batch, where the session's version has none.
    #[error("a batch is allowed in sessions of protocol version 2025-03-26 only; send one message per POST")]
    Batch,
    /// No session id, and not `initialize`.
    #[error("missing session: send initialize first, then the Mcp-Session-Id header it answers with")]
    NoSession,
    /// The session id is of no session.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// The event id is of no stream of this session.
    #[error(
        "Last-Event-ID is of no stream of this session; send the request again, or GET without this header"
    )]
    EventId,
    /// The call's response is not there any more.
    #[error(
        "the response is not kept any more: the gateway restarted, it was too large, or it was not fetched for 5 minutes; the \
         call may have run"
    )]
    NotKept,
    /// A receiver is named for a session, where there are none.
    #[error(
        "params._meta.webhookUrl of initialize names a receiver for a session, and this route has no sessions \
         (transport.stateless): leave it out"
    )]
    StatelessReceiver,
    /// The version is not served here.
    #[error("protocol version {} is not supported", echo(.0))]
    Version(String),
    /// `initialize` lacks something.
    #[error("params of initialize: {0}")]
    Initialize(#[from] initialize::Error),
    /// `initialize` in a batch.
    #[error("initialize must not be part of a batch")]
    InitializeInBatch,
    /// A second list of one kind in a batch: each asks every server.
    #[error("a batch may contain one list of each kind; send the others by themselves")]
    ListedInBatch,
    /// The envelope of a modern message is not right.
    #[error("{0}")]
    Envelope(modern::Error),
    /// The method is not offered.
    #[error("method {} is not offered", echo(.0))]
    Method(String),
    /// The same in the modern era, whose clients read the HTTP status.
    #[error("method {} is not offered in protocol version 2026-07-28", echo(.0))]
    NoMethod(String),
    /// There is no task, or it is not the caller's.
    #[error(transparent)]
    Task(#[from] task::Error),
    /// A parameter is missing or wrong.
    #[error("{0}")]
    Params(&'static str),
    /// What to listen to is not right.
    #[error("{0}")]
    Filter(subscriptions::Error),
    /// A stream is asked for where every answer is one JSON body.
    #[error(
        "subscriptions/listen is answered by an event stream: accept text/event-stream, and transport.jsonResponse must \
         be false"
    )]
    NoStream,
    /// The client, or all of them, have as many streams open as may be.
    #[error(
        "too many streams of subscriptions/listen are open, of this client or of all; close one, or listen to more on one"
    )]
    TooManyStreams,
    /// The session has as many subscriptions as it may, or as long ones.
    #[error(
        "this session subscribed to as many resources as it may (64, 4 KiB of URIs); unsubscribe from some first"
    )]
    TooManySubscriptions,
    /// No server has this tool.
    #[error("unknown tool: {}", echo(.0))]
    UnknownTool(String),
    /// No server has this prompt.
    #[error("unknown prompt: {}", echo(.0))]
    UnknownPrompt(String),
    /// No server has this resource.
    #[error("resource not found: {}", echo(.0))]
    UnknownResource(String),
    /// No server has this resource template.
    #[error("params.ref.uri is of no resource template that a server lists: {}", echo(.0))]
    UnknownTemplate(String),
    /// The cursor is of another list, or of another client.
    #[error(
        "params.cursor is none that this list gave to this client; send the request without it to begin again"
    )]
    Cursor,
    /// The tool's server is away.
    #[error("server {0:?} is unreachable at present")]
    Unavailable(String),
    /// The tool's server failed.
    #[error("server {server:?} {}", failure.text(*.asked))]
    Server {
        /// Its name in the route.
        server: String,
        /// How.
        failure: Failure,
        /// What it was asked for.
        asked: Asked,
    },
    /// The tool's server was silent for too long.
    #[error(
        "server {server:?} was silent for {}; {}",
        asyncmcp_crds::Duration::from(*.limit),
        asked.remedy()
    )]
    Silent {
        /// Its name in the route.
        server: String,
        /// The silence allowed.
        limit: Duration,
        /// What it was asked for.
        asked: Asked,
    },
    /// The server asks the client for something that the client did not declare.
    #[error("server {server:?} asks for {}, which this client did not declare at initialize", needs.join("."))]
    CannotAsk {
        /// Its name in the route.
        server: String,
        /// The capability.
        needs: &'static [&'static str],
    },
    /// The server asks the client something, and the client reads nothing but the response.
    #[error(
        "server {server:?} asks for {}, and no question reaches a client that takes JSON only: send the call by itself with \
         Accept: application/json, text/event-stream, and leave transport.jsonResponse of the route off",
        needs.join(".")
    )]
    JsonOnly {
        /// Its name in the route.
        server: String,
        /// The capability.
        needs: &'static [&'static str],
    },
    /// The client did not answer what the server asked.
    #[error(
        "the client did not answer what server {server:?} asked within {}; raise transport.timeout",
        asyncmcp_crds::Duration::from(*.limit)
    )]
    Unanswered {
        /// Its name in the route.
        server: String,
        /// The time allowed.
        limit: Duration,
    },
    /// The server asks for more, again and again.
    #[error("server {0:?} asked its client {1} times without answering the call, which is given up")]
    Rounds(String, u32),
    /// The receiver may not be used.
    #[error("{0}")]
    Receiver(#[from] Refusal),
    /// The same idempotency key or JSON-RPC id, but another call.
    #[error("another call was accepted under this {0} before; use a new one")]
    Conflict(&'static str),
    /// The same call was accepted under another id, and its response carries that one.
    #[error("this call was accepted before with the JSON-RPC id {0}; its response is delivered with that id")]
    Repeated(String),
    /// The client has as many calls pending as it may have.
    #[error(
        "{0} calls of this client wait for execution or delivery, as many as webhook.perClient.maxPending allows; try \
         again when some are delivered"
    )]
    ClientFull(u64),
    /// The arguments and results of the client's calls use as much of the store as those of one client may.
    #[error(
        "the arguments and results of this client's calls, with its dead letters, use its share of the gateway's store \
         ({} MiB); try again when some are delivered, or have its dead letters replayed; a larger store.embedded.size is \
         a larger share",
        .0 >> 20
    )]
    ClientStoreFull(u64),
    /// As many calls wait for the server as may.
    #[error(
        "{1} calls wait for server {0:?}, as many as servers[].maxQueuedJobs allows; try again when some have run"
    )]
    ServerFull(String, u64),
    /// The store has no space for another call.
    #[error(
        "the gateway's store has no space for more calls of webhook tools; try again when some are delivered"
    )]
    StoreFull,
    /// The route is being deleted or the process ends.
    #[error("no more calls are accepted here: the route is being deleted or the gateway is restarting")]
    Closing,
    /// As many ordinary calls are in progress as may, or as large ones.
    #[error(
        "too many calls are in progress at the gateway, of this client or of all; try again when some have ended"
    )]
    Busy,
    /// The client made as many requests as it may in a second.
    #[error(
        "this client makes more requests than webhook.perClient.requestsPerSecond allows; try again in {} ms",
        millis(*.0)
    )]
    TooOften(Duration),
    /// As many messages are on their way to servers as may, or as large ones.
    #[error("too many messages are on their way to the servers, of this client or of all; try again later")]
    Backlog,
    /// Whether the session was ended is not known: it was not used since the process started, and the store is down.
    #[error("it cannot be read whether this session was ended, since the gateway's store is down; try again")]
    Unchecked(#[source] asyncmcp_delivery::store::Error),
    /// What a client set for its session could not be written down.
    #[error("this could not be stored for the session, since the gateway's store is down or full; try again")]
    Unsaved(#[source] asyncmcp_delivery::store::Error),
    /// The session's end could not be written down.
    #[error("the session could not be ended, since the gateway's store is down; try again")]
    Revocation(#[source] asyncmcp_delivery::store::Error),
    /// The store failed.
    #[error("webhook calls cannot be stored at present")]
    Store(#[from] asyncmcp_delivery::store::Error),
}

impl Error {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Guard(error) => error.status(),
            Self::Access(refusal) => refusal.error.status(),
            Self::Message(_)
            | Self::Batch
            | Self::NoSession
            | Self::EventId
            | Self::Version(_)
            | Self::Envelope(_) => StatusCode::BAD_REQUEST,
            Self::Task(error) => error.status(),
            Self::Session(_) | Self::NoMethod(_) => StatusCode::NOT_FOUND,
            // DELETE, and a message without a response, can be refused only by the status.
            Self::Revocation(_) | Self::Unchecked(_) | Self::Backlog => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        }
    }

    /// When to try again, where a header says it: a body can be missing, or read by nobody.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Backlog => Some(PAUSE),
            Self::Access(refusal) if refusal.error == access::Error::NoKeys => Some(PAUSE),
            Self::TooOften(wait) => Some(*wait),
            _ => None,
        }
    }

    /// The code and the name in metrics.
    pub fn code(&self) -> Code {
        match self {
            Self::Guard(_)
            | Self::Access(_)
            | Self::Batch
            | Self::NoSession
            | Self::EventId
            | Self::Session(_)
            | Self::InitializeInBatch
            | Self::ListedInBatch => Code::InvalidRequest,
            Self::Message(error) => error.code(),
            Self::Version(_) => Code::UnsupportedProtocolVersion,
            Self::Envelope(error) => error.code(),
            Self::Method(_) | Self::NoMethod(_) => Code::MethodNotFound,
            Self::Task(error) => error.code(),
            Self::Initialize(_)
            | Self::StatelessReceiver
            | Self::Params(_)
            | Self::Filter(_)
            | Self::NoStream
            | Self::UnknownTool(_)
            | Self::UnknownPrompt(_)
            | Self::UnknownTemplate(_)
            | Self::Cursor
            | Self::Conflict(_)
            | Self::Repeated(_) => Code::InvalidParams,
            Self::UnknownResource(_) => Code::ResourceNotFound,
            Self::Unavailable(_) => Code::ServerUnreachable,
            Self::Server { failure, .. } => failure.code(),
            Self::Silent { .. } | Self::Unanswered { .. } => Code::Timeout,
            Self::CannotAsk { .. } | Self::JsonOnly { .. } => Code::MissingClientCapability,
            Self::Rounds(..) | Self::NotKept => Code::OutcomeUnknown,
            Self::Receiver(_) => Code::ReceiverRefused,
            Self::ClientFull(_)
            | Self::ClientStoreFull(_)
            | Self::ServerFull(..)
            | Self::StoreFull
            | Self::Closing
            | Self::Busy
            | Self::TooOften(_)
            | Self::Backlog
            | Self::Store(_)
            | Self::Unchecked(_)
            | Self::Unsaved(_)
            | Self::TooManyStreams
            | Self::TooManySubscriptions
            | Self::Revocation(_) => Code::Overloaded,
        }
    }

    /// The JSON-RPC error object.
    pub fn object(&self) -> ErrorObject {
        match self {
            Self::Version(requested) => ErrorObject::unsupported_version(&cut(requested), &Version::ALL),
            Self::Task(error) => error.object(),
            Self::StoreFull | Self::ClientStoreFull(_) => {
                ErrorObject::overloaded(self.to_string(), millis(LONG_PAUSE))
            }
            Self::CannotAsk { needs, .. } | Self::JsonOnly { needs, .. } => {
                ErrorObject::missing_capability(self.to_string(), needs)
            }
            Self::TooOften(wait) => ErrorObject::overloaded(self.to_string(), millis(*wait)),
            Self::UnknownResource(uri) => ErrorObject::resource_not_found(self.to_string(), uri),
            _ if self.code() == Code::Overloaded => ErrorObject::overloaded(self.to_string(), millis(PAUSE)),
            _ => ErrorObject::new(self.code(), self.to_string()),
        }
    }
}

impl From<modern::Error> for Error {
    fn from(error: modern::Error) -> Self {
        match error {
            modern::Error::Version(requested) => Self::Version(requested),
            error => Self::Envelope(error),
        }
    }
}

fn echo(text: &str) -> String {
    format!("{:?}", cut(text))
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_ECHO)].to_owned()
}

fn millis(pause: Duration) -> u64 {
    u64::try_from(pause.as_nanos().div_ceil(1_000_000)).expect("a pause of seconds")
}
