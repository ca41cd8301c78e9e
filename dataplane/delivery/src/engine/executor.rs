//! What the engine needs from whoever speaks to servers: the data plane implements it.
//!
//! Invariant: delivery knows no MCP; every byte of a response comes from here.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::id::JobId;
use crate::job::Call;
use crate::state::End;

/// What came of one attempt to execute a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// The call ended; `body` is the JSON-RPC response, under the client's id.
    Ended {
        /// How: `Result`, `Error` or `TooLarge`.
        end: End,
        /// What is delivered, byte for byte.
        body: Bytes,
    },
    /// Certainly nothing was sent: the server could not be reached or had no room. The engine
    /// asks again after `retry_after`, until the call's timeout; then the call ends as
    /// [`End::Error`].
    NotSent {
        /// How long the server asked to be left alone; zero leaves it to the engine's back-off.
        retry_after: Duration,
    },
}

/// Runs calls on servers.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Runs `call` with `params`, the raw `params` of its `tools/call`. It runs within the job's
    /// execution span. When `cancel` fires, tell the server and return soon: what is returned
    /// then is not looked at. The engine keeps the call's timeout.
    async fn execute(&self, job: JobId, call: &Call, params: Bytes, cancel: CancellationToken) -> Executed;

    /// The JSON-RPC response for an end that the engine decided: `Timeout`, `Unknown`, `Cancelled`,
    /// `TooLarge`, or `Error` (the server was never reached, or left the route).
    fn body(&self, call: &Call, end: End) -> Bytes;
}
