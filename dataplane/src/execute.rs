//! Runs jobs on servers: the engine's [`Executor`].
//!
//! A job runs in a session of the gateway's own, so that no client's end can cut it, and as a task of the
//! server's where it offers one, so that no end of ours can.
//! Invariant: a call whose `onInterruption` is `Fail` is dispatched at most once; one that a
//! server certainly did not dispatch may be sent again; one that is taken up is not sent at all.

mod handle;
mod pool;
mod request;
mod response;
mod send;
mod task;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use asyncmcp_delivery::engine::{Begin, Executed, Executor, Run};
use asyncmcp_delivery::job::{Call, OnInterruption};
use asyncmcp_delivery::state::End;
use bytes::Bytes;
use tokio::time::sleep;

use self::handle::Handle;
use self::pool::Pool;
use crate::upstream::{Error, Reply, Upstreams};

/// Times that one execution may be dispatched when it may run again. Who cuts it three times
/// is the call itself.
const DISPATCHES: u32 = 3;
/// Between an interruption and the next dispatch: a server that died needs a moment.
const PAUSE: Duration = Duration::from_secs(1);
/// How long telling a server that a call is cancelled may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Runs jobs. One for the process.
pub struct Runner {
    pool: Arc<Pool>,
}

impl Runner {
    /// Runs jobs on these servers. Must be called within a runtime.
    pub fn new(upstreams: Upstreams) -> Self {
        Self {
            pool: Pool::new(upstreams),
        }
    }

    /// Ends the sessions that no job uses; for the end of the process.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Until it is known how the call ended, or that it was not dispatched.
    async fn run(&self, run: &Run<'_>, params: &[u8]) -> Executed {
        let (call, mut cuts) = (run.call, 0);
        loop {
            let error = match self.dispatch(run, params).await {
                Ok(reply) => return replied(call, reply),
                Err(error) => error,
            };
            tracing::info!(server = call.server, reason = error.reason(), %error, "an execution got no reply");
            match next(&error, call.on_interruption, cuts) {
                _ if run.cancel.is_cancelled() => return ended(call, End::Unknown),
                Next::NotSent(retry_after) => return Executed::NotSent { retry_after },
                Next::End(end) => return ended(call, end),
                Next::Again { cut } => cuts += u32::from(cut),
            }
            run.cancel.run_until_cancelled(sleep(PAUSE)).await;
        }
    }

    /// Sends the call once, or twice where the first session was not known to the server any more.
    async fn dispatch(&self, run: &Run<'_>, params: &[u8]) -> Result<Reply, Error> {
        for _ in 0..2 {
            let taking = run.cancel.run_until_cancelled(self.pool.take(&run.call.server));
            let session = taking
                .await
                .unwrap_or(Err(Error::Interrupted))
                .map_err(unopened)?;
            match send::send(&session, run, params).await {
                Ok(reply) => {
                    self.pool.give_back(session);
                    return Ok(reply);
                }
                Err(Error::SessionLost) => {} // gone at the server: nothing to end
                Err(error) => {
                    pool::discard(session);
                    return Err(error);
                }
            }
        }
        Err(Error::SessionLost)
    }

    /// Goes on with a call that was sent before, on the session that it was sent on.
    async fn take_up(&self, run: &Run<'_>, handle: &[u8]) -> Executed {
        let call = run.call;
        let Some((session, place)) = Handle::read(handle).and_then(|handle| self.pool.known(call, handle))
        else {
            return Executed::Lost;
        };
        let reply = send::take_up(&session, run, place).await;
        pool::discard(session);
        match reply {
            Ok(reply) => replied(call, reply),
            Err(Error::TooLarge { .. }) => ended(call, End::TooLarge),
            Err(error) => {
                tracing::info!(server = call.server, reason = error.reason(), %error, "a call cannot be taken up");
                Executed::Lost
            }
        }
    }
}

/// What follows a dispatch that got no reply.
enum Next {
    NotSent(Duration),
    End(End),
    Again { cut: bool },
}

/// `cuts` counts the dispatches before this one that may have run.
fn next(error: &Error, on_interruption: OnInterruption, cuts: u32) -> Next {
    match (error, on_interruption) {
        (Error::TooLarge { .. }, _) => Next::End(End::TooLarge),
        // It went out before: the engine must not take it for one that never did.
        (error, _) if error.not_dispatched() && cuts > 0 => Next::Again { cut: false },
        (Error::Busy { retry_after }, _) => Next::NotSent(*retry_after),
        (error, _) if error.not_dispatched() => Next::NotSent(Duration::ZERO),
        (_, OnInterruption::Retry) if cuts + 1 < DISPATCHES => Next::Again { cut: true },
        (_, _) => Next::End(End::Unknown),
    }
}

#[async_trait]
impl Executor for Runner {
    async fn execute(&self, run: Run<'_>) -> Executed {
        match &run.begin {
            Begin::Send(params) => self.run(&run, params).await,
            Begin::TakeUp(handle) => self.take_up(&run, handle).await,
        }
    }

    fn body(&self, call: &Call, end: End) -> Bytes {
        response::instead(call, end)
    }

    fn poisoned(&self, call: &Call) -> Bytes {
        response::poisoned(call)
    }
}

/// A session that could not be opened: whatever went wrong, the call was not sent.
fn unopened(error: Error) -> Error {
    match error {
        error if error.not_dispatched() => error,
        error => {
            tracing::debug!(%error, "a session could not be opened");
            Error::Busy {
                retry_after: Duration::ZERO,
            }
        }
    }
}

fn replied(call: &Call, reply: Reply) -> Executed {
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
