//! What the engine needs from the code that calls servers, which the data plane implements.
//!
//! Invariant: delivery knows no MCP; every byte of a response comes from here.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::memory_budget::Room;
use super::resume_token::ResumeTokens;
use crate::id::JobId;
use crate::job::Call;
use crate::state::End;

/// One execution, as an executor gets it.
pub struct Run<'a> {
    /// The job.
    pub job: JobId,
    /// Its snapshot.
    pub call: &'a Call,
    /// How it begins.
    pub begin: Begin,
    /// Where to leave the tokens with which a new process resumes it.
    pub tokens: ResumeTokens,
    /// To be asked before more than [`Room::SMALL`] bytes of a result are read.
    pub room: Room,
    /// When it fires, notify the server and return soon: what is returned then is ignored.
    /// An execution that is left to the next process is dropped instead.
    pub cancel: CancellationToken,
}

impl Run<'_> {
    /// Takes how it begins: who keeps arguments no longer than they are needed leaves their memory to other calls.
    pub fn take_begin(&mut self) -> Begin {
        std::mem::replace(&mut self.begin, Begin::Send(Bytes::new()))
    }
}

/// How an execution begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// By sending the call; these are the raw `params` of its `tools/call`.
    Send(Bytes),
    /// With this resume token, for the call was sent before. It is not sent again.
    Resume(Bytes),
}

/// The result of one attempt to execute a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// The call ended; `body` is the JSON-RPC response, under the client's id.
    Ended {
        /// How: `Result`, `Error`, `TooLarge` or `Unknown`.
        end: End,
        /// What is delivered, byte for byte.
        body: Bytes,
    },
    /// Certainly nothing was sent: the server could not be reached or had no capacity. The call goes back to the queue
    /// and is tried again after `retry_after`; once that has been so for longer than its timeout, it ends as
    /// [`End::Error`].
    NotSent {
        /// How long the server asked to wait; zero leaves it to the engine's backoff.
        retry_after: Duration,
        /// The server could not be reached, so that no other call on it can be sent either.
        is_away: bool,
    },
    /// It may have been sent, and may be sent again, but not now. Only of a call whose `onInterruption` is
    /// `Retry`. It goes back to the queue in the same way.
    Again {
        /// How long the server asked to wait; zero leaves it to the engine's backoff.
        retry_after: Duration,
    },
    /// It cannot be resumed with its token: the server does not know it any more. The engine goes by
    /// the call's `on_interruption`.
    Lost,
}

/// Runs calls on servers.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Runs a call, within the job's execution span. The engine keeps the call's timeout.
    async fn execute(&self, run: Run<'_>) -> Executed;

    /// The JSON-RPC response for an end that the engine decided: `Timeout`, `Unknown`, `Cancelled`,
    /// `TooLarge`, or `Error` (the server was never reached, or left the route).
    fn body(&self, call: &Call, end: End) -> Bytes;

    /// Whether the tool itself reports failure in this response, which is a result.
    fn is_failure(&self, _body: &Bytes) -> bool {
        false
    }

    /// The JSON-RPC response for a call that did not run because the store cannot read its arguments any more; it ends
    /// as `Error`.
    fn unreadable(&self, call: &Call) -> Bytes {
        self.body(call, End::Error)
    }

    /// The JSON-RPC response for a call that was interrupted too often to be tried again; it ends as `Unknown`.
    fn poisoned(&self, call: &Call) -> Bytes {
        self.body(call, End::Unknown)
    }
}
