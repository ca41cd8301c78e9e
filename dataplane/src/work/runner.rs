//! Runs jobs on servers: the engine's [`Executor`].
//!
//! A job runs on a line of the gateway's own, so that no client that leaves can interrupt it, and as a task of the
//! server's where it offers one, so that no restart of ours can.
//! Invariant: a call whose `onInterruption` is `Fail` is dispatched at most once; one that a
//! server certainly did not dispatch may be sent again; one that is resumed is not sent at all.

mod request;
mod response;
mod send;
mod task;
#[cfg(test)]
mod tests;
mod twice;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use asyncmcp_delivery::engine::{Begin, Executed, Executor, Run};
use asyncmcp_delivery::job::{Call, OnInterruption};
use asyncmcp_delivery::state::End;
use asyncmcp_protocol::modern::rounds;
use bytes::Bytes;
use tokio::time::sleep;

use self::twice::Next;
use crate::servers::lines::{self, OwnLines};
use crate::servers::{Error, Reply};

/// Between an interruption and the next dispatch: a server that died needs a moment.
const PAUSE: Duration = Duration::from_secs(1);
/// How long notifying a server that a call is cancelled may take.
const NOTIFY_TIME: Duration = Duration::from_secs(1);

/// Runs jobs. One for the process.
pub struct Runner {
    lines: Arc<OwnLines>,
}

impl Runner {
    /// Runs jobs on these lines.
    pub fn new(lines: Arc<OwnLines>) -> Self {
        Self { lines }
    }

    /// Ends the sessions that no job uses; for the end of the process.
    pub async fn close(&self) {
        self.lines.close().await;
    }

    /// Until it is known how the call ended, or that it was not dispatched.
    async fn run(&self, run: &Run<'_>, params: Bytes) -> Executed {
        match run.call.on_interruption {
            OnInterruption::Fail => self.once(run, params).await,
            OnInterruption::Retry => self.again_and_again(run, &params).await,
        }
    }

    /// Dispatches it once; its arguments are held until they are sent.
    async fn once(&self, run: &Run<'_>, params: Bytes) -> Executed {
        match self.dispatch(run, params).await {
            Ok(reply) => replied(run.call, reply),
            Err(error) => after(run, &error, 0).unwrap_or_else(|_| ended(run.call, End::Unknown)),
        }
    }

    /// Dispatches it until an interruption is one too many.
    async fn again_and_again(&self, run: &Run<'_>, params: &Bytes) -> Executed {
        let mut interruptions = 0;
        loop {
            let error = match self.dispatch(run, params.clone()).await {
                Ok(reply) => return replied(run.call, reply),
                Err(error) => error,
            };
            match after(run, &error, interruptions) {
                Ok(executed) => return executed,
                Err(interrupted) => interruptions += u32::from(interrupted),
            }
            run.cancel.run_until_cancelled(sleep(PAUSE)).await;
        }
    }

    /// Sends the call.
    async fn dispatch(&self, run: &Run<'_>, params: Bytes) -> Result<Reply, Error> {
        let line = self.lines.take(&run.call.server, &run.call.client)?;
        let reply = send::send(&line, run, params).await;
        match &reply {
            Ok(_) => self.lines.give_back(&line, &run.call.client),
            Err(_) => lines::discard(line),
        }
        reply
    }

    /// Continues a call that was sent before, in the session that it was sent in.
    async fn resume(&self, run: &Run<'_>, token: &[u8]) -> Executed {
        let call = run.call;
        let Some((line, place)) = self.lines.resumed(&call.server, token) else {
            return Executed::Lost;
        };
        let reply = send::resume(&line, run, place).await;
        lines::discard(line);
        match reply {
            Ok(reply) => replied(call, reply),
            Err(Error::TooLarge { .. }) => ended(call, End::TooLarge),
            Err(error) => {
                tracing::info!(server = call.server, reason = error.reason(), %error, "failed to resume a call");
                Executed::Lost
            }
        }
    }
}

#[async_trait]
impl Executor for Runner {
    async fn execute(&self, mut run: Run<'_>) -> Executed {
        match run.take_begin() {
            Begin::Send(params) => self.run(&run, params).await,
            Begin::Resume(token) => self.resume(&run, &token).await,
        }
    }

    fn body(&self, call: &Call, end: End) -> Bytes {
        response::instead(call, end)
    }

    fn is_failure(&self, body: &Bytes) -> bool {
        response::is_tool_error(body)
    }

    fn unreadable(&self, call: &Call) -> Bytes {
        response::unreadable(call)
    }

    fn poisoned(&self, call: &Call) -> Bytes {
        response::poisoned(call)
    }
}

/// What follows from an error; `Err` if it is dispatched again, with whether it was interrupted.
fn after(run: &Run<'_>, error: &Error, interruptions: u32) -> Result<Executed, bool> {
    let call = run.call;
    tracing::info!(server = call.server, reason = error.reason(), %error, "no reply from the server");
    match twice::next(error, call.on_interruption, interruptions) {
        _ if run.cancel.is_cancelled() => Ok(ended(call, End::Unknown)),
        Next::NotSent { retry_after } => {
            let is_away = error.is_away();
            Ok(Executed::NotSent { retry_after, is_away })
        }
        Next::Later { retry_after } => Ok(Executed::Again { retry_after }),
        Next::End(end) => Ok(ended(call, end)),
        Next::Again { interrupted } => Err(interrupted),
    }
}

fn replied(call: &Call, reply: Reply) -> Executed {
    let reply = match reply {
        Reply::Result(result) if rounds::is_input_required(&result) => Reply::Error(response::asking(call)),
        reply => reply,
    };
    let end = match reply {
        Reply::Result(_) => End::Result,
        Reply::Error(_) => End::Error,
    };
    let body = response::of(call, reply);
    Executed::Ended { end, body }
}

fn ended(call: &Call, end: End) -> Executed {
    let body = response::instead(call, end);
    Executed::Ended { end, body }
}
