//! Runs jobs on servers: the engine's [`Executor`].
//!
//! A job runs in a session of the gateway's own, so that no client's end can cut it, and as a task of the
//! server's where it offers one, so that no end of ours can.
//! Invariant: a call whose `onInterruption` is `Fail` is dispatched at most once; one that a
//! server certainly did not dispatch may be sent again; one that is resumed is not sent at all.

mod pool;
mod request;
mod response;
mod resume_token;
mod send;
mod task;
#[cfg(test)]
mod tests;
mod twice;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use asyncmcp_delivery::engine::{Begin, Executed, Executor, Run};
use asyncmcp_delivery::job::Call;
use asyncmcp_delivery::state::End;
use bytes::Bytes;
use tokio::time::sleep;

use self::pool::Pool;
use self::resume_token::ResumeToken;
use self::twice::{Failure, Next};
use crate::upstream::{Error, Reply, Upstreams};

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
            let failure = match self.dispatch(run, params).await {
                Ok(reply) => return replied(call, reply),
                Err(failure) => failure,
            };
            let error = &failure.error;
            tracing::info!(server = call.server, reason = error.reason(), %error, "an execution got no reply");
            match twice::next(&failure, call.on_interruption, cuts) {
                _ if run.cancel.is_cancelled() => return ended(call, End::Unknown),
                Next::NotSent { retry_after } => return Executed::NotSent { retry_after },
                Next::Later { retry_after } => return Executed::Again { retry_after },
                Next::End(end) => return ended(call, end),
                Next::Again { cut } => cuts += u32::from(cut),
            }
            run.cancel.run_until_cancelled(sleep(PAUSE)).await;
        }
    }

    /// Sends the call once, or twice where the first session was not known to the server any more.
    async fn dispatch(&self, run: &Run<'_>, params: &[u8]) -> Result<Reply, Failure> {
        for _ in 0..2 {
            let taking = run.cancel.run_until_cancelled(self.pool.take(&run.call.server));
            let session = taking
                .await
                .unwrap_or(Err(Error::Interrupted))
                .map_err(Failure::opening)?;
            match send::send(&session, run, params).await {
                Ok(reply) => {
                    self.pool.give_back(session);
                    return Ok(reply);
                }
                Err(Error::SessionLost) => {} // gone at the server: nothing to end
                Err(error) => {
                    pool::discard(session);
                    return Err(Failure::calling(error));
                }
            }
        }
        Err(Failure::calling(Error::SessionLost))
    }

    /// Goes on with a call that was sent before, on the session that it was sent on.
    async fn resume(&self, run: &Run<'_>, token: &[u8]) -> Executed {
        let call = run.call;
        let Some((session, place)) = ResumeToken::read(token).and_then(|token| self.pool.known(call, token))
        else {
            return Executed::Lost;
        };
        let reply = send::resume(&session, run, place).await;
        pool::discard(session);
        match reply {
            Ok(reply) => replied(call, reply),
            Err(Error::TooLarge { .. }) => ended(call, End::TooLarge),
            Err(error) => {
                tracing::info!(server = call.server, reason = error.reason(), %error, "a call cannot be resumed");
                Executed::Lost
            }
        }
    }
}

#[async_trait]
impl Executor for Runner {
    async fn execute(&self, run: Run<'_>) -> Executed {
        match &run.begin {
            Begin::Send(params) => self.run(&run, params).await,
            Begin::Resume(token) => self.resume(&run, token).await,
        }
    }

    fn body(&self, call: &Call, end: End) -> Bytes {
        response::instead(call, end)
    }

    fn poisoned(&self, call: &Call) -> Bytes {
        response::poisoned(call)
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
