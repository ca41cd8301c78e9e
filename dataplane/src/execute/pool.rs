//! The gateway's own sessions for jobs, kept for the next job on the same server.
//!
//! [`super::Runner`] takes one for each job: opening one costs as much as a quick call.
//! Invariant: a session runs one job at a time and belongs to no client; who ends badly with
//! one does not give it back.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use asyncmcp_delivery::job::Call;
use asyncmcp_protocol::initialize::ClientCapabilities;
use futures::future::join_all;
use tokio::time::Instant;

use super::resume_token::{Place, ResumeToken};
use crate::upstream::{Error, Identity, ServerSession, Upstreams};

/// A session without a job for so long is ended.
const IDLE: Duration = Duration::from_mins(1);
/// How often that is looked after.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long ending a session may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// The sessions that no job is using.
pub(super) struct Pool {
    upstreams: Upstreams,
    idle: Mutex<BTreeMap<String, Vec<Idle>>>,
}

struct Idle {
    session: ServerSession,
    since: Instant,
}

impl Pool {
    pub(super) fn new(upstreams: Upstreams) -> Arc<Self> {
        let pool = Arc::new(Self {
            upstreams,
            idle: Mutex::default(),
        });
        tokio::spawn(end_idle(Arc::downgrade(&pool)));
        pool
    }

    /// A session for one job.
    pub(super) async fn take(&self, server: &str) -> Result<ServerSession, Error> {
        let upstream = self
            .upstreams
            .get(server)
            .ok_or_else(|| Error::NoServer(server.to_owned()))?;
        let kept = self.lock().get_mut(server).and_then(Vec::pop);
        match kept {
            Some(kept) if kept.session.upstream().is(&upstream) => Ok(kept.session),
            Some(kept) => {
                // The route has moved the server, and with it every session kept for it.
                discard(kept.session);
                upstream.open(&Identity::gateway(ClientCapabilities::NONE)).await
            }
            None => upstream.open(&Identity::gateway(ClientCapabilities::NONE)).await,
        }
    }

    /// The session that an earlier process left a resume token on. It is not kept for other jobs: what its server
    /// offers is not known any more.
    pub(super) fn known(&self, call: &Call, token: ResumeToken) -> Option<(ServerSession, Place)> {
        let upstream = self.upstreams.get(&call.server)?;
        let session = upstream.known(token.session.as_deref(), token.version()?)?;
        Some((session, token.place))
    }

    /// Keeps a session whose job went well, unless its server has forgotten it.
    pub(super) fn give_back(&self, session: ServerSession) {
        if session.is_lost() {
            return;
        }
        let kept = Idle {
            since: Instant::now(),
            session,
        };
        self.lock()
            .entry(kept.session.server().to_owned())
            .or_default()
            .push(kept);
    }

    /// Ends the sessions that are idle.
    pub(super) async fn close(&self) {
        let sessions = self.remove(|_| true);
        end(&sessions).await;
    }

    fn remove(&self, over: impl Fn(&Idle) -> bool) -> Vec<ServerSession> {
        let mut idle = self.lock();
        let over = idle
            .values_mut()
            .flat_map(|kept| kept.extract_if(.., |idle| over(idle)));
        let over = over.map(|idle| idle.session).collect();
        idle.retain(|_, kept| !kept.is_empty());
        over
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a session that should not be used again. Nobody waits for it.
pub(super) fn discard(session: ServerSession) {
    tokio::spawn(async move { end(&[session]).await });
}

async fn end_idle(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(pool) = pool.upgrade() else { return };
        let sessions = pool.remove(|idle| idle.since.elapsed() >= IDLE);
        end(&sessions).await;
    }
}

fn end(sessions: &[ServerSession]) -> impl Future<Output = ()> {
    let ending = join_all(
        sessions
            .iter()
            .map(|session| tokio::time::timeout(GOODBYE, session.end())),
    );
    async { drop(ending.await) }
}
