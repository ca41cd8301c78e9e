//! What a server's failure is to a client: did what it asked for run, perhaps?
//!
//! [`crate::servers::Error::failure`] decides which it is, [`super`] reports it. Invariant: what the server or the network said
//! is not in it; that stays in the log.

use asyncmcp_protocol::code::Code;

/// How a message to a server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was certainly not dispatched.
    NotDispatched,
    /// It was not called: a credential or a certificate that the route gives for it cannot be used.
    NoCredentials,
    /// Nothing came within the time allowed.
    Silent,
    /// The answer is larger than what is relayed.
    TooLarge,
    /// It may have been dispatched.
    Unknown,
}

/// What the message asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A tool's call.
    Tool,
    /// What runs nothing: a prompt, a resource, a completion.
    Other,
}

impl Failure {
    pub(super) fn code(self) -> Code {
        match self {
            Self::NotDispatched | Self::NoCredentials => Code::ServerUnreachable,
            Self::Silent => Code::Timeout,
            Self::TooLarge => Code::TooLarge,
            Self::Unknown => Code::OutcomeUnknown,
        }
    }

    pub(super) fn text(self, asked: Asked) -> &'static str {
        match (self, asked) {
            (Self::NotDispatched, Asked::Tool) => {
                "could not be reached or took no call; the tool did not run"
            }
            (Self::NotDispatched, Asked::Other) => "could not be reached or took no request",
            (Self::NoCredentials, Asked::Tool) => {
                "was not called: a credential or certificate that the route gives for it cannot be used at present (the \
                 route's status names it); the tool did not run"
            }
            (Self::NoCredentials, Asked::Other) => {
                "was not asked: a credential or certificate that the route gives for it cannot be used at present (the \
                 route's status names it)"
            }
            (Self::Silent, _) => "did not answer in time",
            (Self::TooLarge, _) => "sent an answer that is larger than the gateway relays",
            (Self::Unknown, Asked::Tool) => {
                "stopped before it answered; whether the tool ran to its end is not known"
            }
            (Self::Unknown, Asked::Other) => "stopped before it answered",
        }
    }
}

impl Asked {
    /// What helps against a server that takes longer than it may.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Tool => {
                "raise transport.timeout, or list the tool in webhookTools to get its result by webhook"
            }
            Self::Other => "raise transport.timeout",
        }
    }
}
