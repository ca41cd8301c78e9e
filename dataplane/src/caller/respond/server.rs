//! What a server's failure is to a client: did the tool run, perhaps?
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

impl Failure {
    pub(super) fn code(self) -> Code {
        match self {
            Self::NotDispatched | Self::NoCredentials => Code::ServerUnreachable,
            Self::Silent => Code::Timeout,
            Self::TooLarge => Code::TooLarge,
            Self::Unknown => Code::OutcomeUnknown,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::NotDispatched => "could not be reached or took no call; the tool did not run",
            Self::NoCredentials => {
                "was not called: a credential or certificate that the route gives for it cannot be used at present (the \
                 route's status names it); the tool did not run"
            }
            Self::Silent => "did not answer in time",
            Self::TooLarge => "sent an answer that is larger than the gateway relays",
            Self::Unknown => "stopped before it answered; whether the tool ran to its end is not known",
        }
    }
}
