//! Why a message to a server came to nothing, and whether the server may have seen it.
//!
//! The edge and the job runner decide by it what a client sees and what may be sent
//! again. Invariant: no text of a server, no status and no URL in it is for clients;
//! they get [`Error::failure`].

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_delivery::engine::Stalled;

use super::advice::Advice;
use super::cause;
use super::missing::Missing;
use crate::caller::respond::server::Failure;

/// A message to a server came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The route names no such server (any more).
    #[error("the route has no server {0:?}")]
    NoServer(String),
    /// An HTTP client cannot be made.
    #[error("failed to set up the HTTP client: {}", cause::words(.0))]
    Client(#[source] Arc<reqwest::Error>),
    /// A credential or a certificate that the route gives for the server cannot be used, so nothing was sent.
    #[error(transparent)]
    Credentials(Box<Missing>),
    /// There was no connection, so the server saw nothing.
    #[error("failed to connect: {}", cause::words(.0))]
    NotSent(#[source] reqwest::Error),
    /// The connection broke after the message went out: it may have run.
    #[error("the connection broke: {}", cause::words(.0))]
    Broken(#[source] reqwest::Error),
    /// The answer stopped before the response: the call may have run.
    #[error("the stream ended without a response")]
    Interrupted,
    /// The server does not know our session, and so did not dispatch the message.
    #[error("the server does not know its session any more")]
    SessionLost,
    /// The server, or a proxy before it, is overloaded (429 or 503). A proxy also says so of a server that
    /// died with the call, so the message may have been dispatched.
    #[error("the server is overloaded")]
    Busy {
        /// How long it asks to wait; zero where it does not say.
        retry_after: Duration,
        /// The route lists the status in `notDispatched`.
        not_dispatched: bool,
    },
    /// The server answered with an HTTP error.
    #[error("the server answered with HTTP status {status}{advice}")]
    Rejected {
        /// The status.
        status: u16,
        /// What to do about it, for the people who run the route.
        advice: Advice,
    },
    /// The server offers only HTTP+SSE, the transport of MCP 2024-11-05.
    #[error(
        "LegacySseTransport: the server speaks only the HTTP+SSE transport of MCP 2024-11-05; it needs Streamable HTTP"
    )]
    LegacySseTransport,
    /// The server refused `initialize`.
    #[error("the server refused to initialize: {0}")]
    Refused(String),
    /// The server chose a version that the gateway does not speak.
    #[error("the server speaks MCP {0}, which is none of 2025-03-26, 2025-06-18 and 2025-11-25")]
    Version(String),
    /// The answer is larger than the limit.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Nothing came within the time allowed.
    #[error("no answer within {}", asyncmcp_crds::Duration::from(*.0))]
    Silent(Duration),
    /// What came is not MCP.
    #[error("the answer is not MCP: {0}")]
    Protocol(&'static str),
    /// There is no session to send in; the message was not sent.
    #[error("failed to open a session: {0}")]
    NotOpened(#[source] Box<Error>),
}

impl From<Stalled> for Error {
    fn from(Stalled(silence): Stalled) -> Self {
        Self::Silent(silence)
    }
}

impl Error {
    /// A closed set: the metric label and the reason in status.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoServer(_) => "no_server",
            Self::NotSent(_) | Self::Client(_) => "unreachable",
            Self::Credentials(_) => "credentials",
            Self::Broken(_) | Self::Interrupted => "interrupted",
            Self::SessionLost => "session_lost",
            Self::Busy { .. } => "busy",
            Self::Rejected { .. } | Self::Refused(_) => "rejected",
            Self::LegacySseTransport => "legacy_sse_transport",
            Self::Version(_) => "version",
            Self::TooLarge { .. } => "too_large",
            Self::Silent(_) => "timeout",
            Self::Protocol(_) => "protocol",
            Self::NotOpened(cause) => cause.reason(),
        }
    }

    /// Whether the server certainly dispatched nothing, whatever proxy stands before it: nothing was sent, or
    /// what came back can only come before a message is dispatched. Any other status may follow a call that
    /// ran.
    pub fn not_dispatched(&self) -> bool {
        match self {
            Self::Rejected { status, .. } => matches!(status, 401 | 405 | 406 | 415),
            Self::Busy { not_dispatched, .. } => *not_dispatched,
            Self::NoServer(_)
            | Self::Client(_)
            | Self::Credentials(_)
            | Self::NotSent(_)
            | Self::SessionLost
            | Self::LegacySseTransport
            | Self::Refused(_)
            | Self::Version(_)
            | Self::NotOpened(_) => true,
            Self::Broken(_)
            | Self::Interrupted
            | Self::TooLarge { .. }
            | Self::Silent(_)
            | Self::Protocol(_) => false,
        }
    }

    /// Whether no message can be sent to the server at present, whatever it is.
    pub fn is_away(&self) -> bool {
        matches!(
            self,
            Self::NotSent(_)
                | Self::Client(_)
                | Self::Credentials(_)
                | Self::NoServer(_)
                | Self::NotOpened(_)
        )
    }

    /// What it is to a client.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Silent(_) => Failure::Silent,
            Self::TooLarge { .. } => Failure::TooLarge,
            Self::Credentials(_) => Failure::NoCredentials,
            Self::NotOpened(cause) if matches!(**cause, Self::Credentials(_)) => Failure::NoCredentials,
            error if error.not_dispatched() => Failure::NotDispatched,
            _ => Failure::Unknown,
        }
    }

    /// How long the server asked to wait; zero where it did not say.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::NotOpened(cause) => cause.retry_after(),
            _ => Duration::ZERO,
        }
    }

    /// Whether a server that answers `initialize` so may be one that has no sessions.
    pub fn may_refuse_sessions(&self) -> bool {
        match self {
            Self::NotOpened(cause) => cause.may_refuse_sessions(),
            Self::Rejected { status, .. } => matches!(status, 400..500) && !matches!(status, 401 | 403),
            Self::Refused(_) | Self::Version(_) | Self::Protocol(_) => true,
            _ => false,
        }
    }

    /// Whether the server is there but turned us away, as status distinguishes it from an absent one.
    pub fn is_rejection(&self) -> bool {
        match self {
            Self::Rejected { status, .. } => *status < 500,
            Self::LegacySseTransport | Self::Refused(_) | Self::Version(_) | Self::Protocol(_) => true,
            Self::NotOpened(cause) => cause.is_rejection(),
            _ => false,
        }
    }
}
