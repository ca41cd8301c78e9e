//! The engine: executes accepted calls and delivers their results.
//!
//! The data plane starts one per process, hands it calls with [`Engine::accept`] and stops it with [`Engine::drain`]. Here
//! live its loops and what they share in memory; what a job is and where it is kept belongs to [`crate::job`] and
//! [`crate::store`], and how a server or a receiver is called to [`Executor`] and [`Sender`]. Invariant: every step of an
//! acknowledged call is committed before the engine acts on it; memory holds what runs and one entry per receiver, never
//! a waiting job.

mod attempt;
mod backoff;
mod commit;
mod core;
mod damage;
mod deliver;
mod delivery;
mod dispatch;
mod drain;
mod evict;
mod execution;
mod executor;
mod expire;
mod explain;
mod finish;
mod hints;
mod holds;
pub mod jobs;
mod known_receivers;
mod last_attempts;
mod last_hour;
mod log;
mod memory_budget;
mod metrics;
mod notify;
mod receivers;
mod reconcile;
mod resume_token;
mod running;
mod scheduler;
mod shares;
mod sweep;
pub mod trial;
mod trials;
mod unreadable;
pub mod waiting;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use prometheus::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::core::Core;
pub use self::drain::Grace;
pub use self::executor::{Begin, Executed, Executor, Run};
use self::finish::Ending;
use self::hints::Hint;
pub use self::known_receivers::{DUE_COUNTED, Known, KnownReceivers};
pub use self::last_attempts::LastAttempt;
use self::last_hour::Event;
pub use self::last_hour::Minute;
pub use self::memory_budget::{Room, Stalled};
pub use self::receivers::BreakerState;
pub use self::resume_token::ResumeTokens;
use crate::clock::Clock;
use crate::egress::{NamedBy, Refusal};
use crate::id::JobId;
use crate::job::{Expect, Job, NewJob};
use crate::policy::Policy;
use crate::sender::Sender;
use crate::state::{End, Exec};
use crate::store::{self, Acceptance, Store};

/// The source of jitter: each call returns a number in [0, 1).
pub type Rng = Arc<dyn Fn() -> f64 + Send + Sync>;

/// The process's random numbers, as [`Rng`].
pub fn rng() -> Rng {
    Arc::new(rand::random::<f64>)
}

/// What an engine is made of.
pub struct Parts {
    /// Where the jobs are.
    pub store: Arc<dyn Store>,
    /// Who runs calls on servers.
    pub executor: Arc<dyn Executor>,
    /// Who sends webhooks.
    pub sender: Arc<dyn Sender>,
    /// The live policy.
    pub policy: watch::Receiver<Arc<Policy>>,
    /// The time.
    pub clock: Clock,
    /// The jitter.
    pub rng: Rng,
}

/// Why a call was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The route is going away or the process is ending.
    #[error("no more calls are accepted: the route is being deleted or this process is shutting down")]
    Closed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// How often [`Engine::ended`] polls.
const POLL: Duration = Duration::from_secs(1);

/// A running engine. Dropping it does not stop it; [`Engine::drain`] does.
pub struct Engine {
    core: Arc<Core>,
}

impl Engine {
    /// Registers the metrics in `registry` (which carries the labels `route` and `namespace`), then
    /// resumes what an earlier process left and goes to work. Needs a tokio runtime.
    pub fn start(parts: Parts, registry: &Registry) -> Result<Self, prometheus::Error> {
        let core = Arc::new(Core::new(parts, registry)?);
        // Metrics are read as soon as this returns. A store that is slow answers the work below.
        let is_known = sweep::report_oldest(&core).now_or_never().is_some();
        let work = work(Arc::clone(&core), is_known);
        core.loops.spawn(Arc::clone(&core).watched(work));
        core.loops.close();
        Ok(Self { core })
    }

    /// Accepts a call. It may be acknowledged only after this has returned [`Acceptance::New`] or
    /// [`Acceptance::Same`].
    pub async fn accept(&self, job: NewJob) -> Result<Acceptance, AcceptError> {
        if self.core.is_closed() {
            return Err(AcceptError::Closed);
        }
        let accept = |core: Arc<Core>| async move { accept(&core, job).await };
        Ok(self.detached(accept).await?)
    }

    /// Cancels a job: its outcome becomes [`End::Cancelled`], then its server call is aborted. Returns
    /// whether that happened; a job that ended before stays as it is.
    pub async fn cancel(&self, id: JobId) -> Result<bool, store::Error> {
        self.detached(move |core| async move { cancel(&core, id).await })
            .await
    }

    /// Cancels the job that was accepted under `dedupe`, or has this name, as [`Self::cancel`] does.
    pub async fn cancel_call(&self, dedupe: [u8; 32]) -> Result<bool, store::Error> {
        match self.core.store.find(dedupe).await? {
            Some(id) => self.cancel(id).await,
            None => Ok(false),
        }
    }

    /// Waits until a job's call ends; returns the job then. `None`: there is no such job.
    pub async fn ended(&self, id: JobId) -> Result<Option<Job>, store::Error> {
        let mut endings = self.core.hints.endings();
        loop {
            match self.core.store.job(id).await? {
                Some(job) if !matches!(job.state.exec, Exec::Ended(_)) => {}
                ended => return Ok(ended),
            }
            // A waiter that falls behind, or whose hint is lost, polls.
            let heard = async { while endings.recv().await.is_ok_and(|ended| ended != id) {} };
            let _polled = tokio::time::timeout(POLL, heard).await;
        }
    }

    /// Fires when the engine cannot continue: a loop of it panicked, or another process owns its jobs. The process has to
    /// exit; the next one resumes what is in the store.
    pub fn failed(&self) -> CancellationToken {
        self.core.failed.clone()
    }

    /// Whether a receiver is allowed; to be called before acceptance.
    pub fn check_receiver(&self, named_by: NamedBy, url: &str) -> Result<(), Refusal> {
        let checked = self.core.policy().egress.check_url(named_by, url);
        checked
            .map(drop)
            .inspect_err(|refusal| self.core.metrics.blocked(*refusal))
    }

    /// Why the policy refuses a receiver, for people; nothing is counted.
    pub fn refusal(&self, named_by: NamedBy, url: &str) -> Option<Refusal> {
        self.core.policy().egress.check_url(named_by, url).err()
    }

    /// Receivers that get no attempts for now because they asked for none (`webhook-delivery: disable`).
    pub fn disabled_receivers(&self) -> usize {
        self.core.receivers.disabled(self.core.now())
    }

    /// The last hour, minute by minute; shorter where the process is younger.
    pub fn last_hour(&self) -> Vec<Minute> {
        let (core, now) = (&self.core, self.core.now());
        core.last_hour.count(core.store.counts(), now);
        core.last_hour.read(now)
    }

    /// Unfinished jobs.
    pub fn pending(&self) -> u64 {
        self.core.store.counts().pending()
    }

    /// For a route that is being deleted: accepts nothing more and returns when nothing is pending.
    /// [`Self::pending`] shows the progress.
    pub async fn finish_deliveries(&self) {
        drain::finish_deliveries(&self.core).await;
    }

    /// For a process that shuts down: accepts and begins no more calls, lets those that run continue, delivers what is due
    /// meanwhile, interrupts what is left after `grace`, and closes the store.
    pub async fn drain(&self, grace: impl Into<Grace>) -> Result<(), store::Error> {
        drain::drain(&self.core, grace.into()).await
    }

    /// [`Core::detached`].
    async fn detached<T, F>(&self, command: impl FnOnce(Arc<Core>) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.core.detached(command(Arc::clone(&self.core))).await
    }
}

async fn work(core: Arc<Core>, oldest_is_known: bool) {
    if !oldest_is_known {
        sweep::report_oldest(&core).await;
    }
    let unheld = reconcile::first(&core).await;
    tokio::join!(
        dispatch::run(&core),
        scheduler::run(&core),
        deliver::run(&core),
        reconcile::run(&core, unheld),
        sweep::run(&core),
    );
}

async fn accept(core: &Core, job: NewJob) -> Result<Acceptance, store::Error> {
    let (server, tool) = (job.call.server.clone(), job.call.shown_as.clone());
    let accepted = core.store.accept(job).await;
    if let Ok(Acceptance::New(_)) = accepted {
        core.metrics.accepted(&server, &tool);
        core.last_hour.note(Event::Accepted, core.now());
    }
    // A commit that reported failure may have happened: its call is not acknowledged, but runs.
    core.hint(Hint::Queued);
    accepted
}

async fn cancel(core: &Arc<Core>, id: JobId) -> Result<bool, store::Error> {
    let Some(call) = core.store.call(id).await? else {
        return Ok(false);
    };
    let ending = Ending {
        id,
        expect: Expect::Any,
        body: core.executor.body(&call, End::Cancelled),
        call: Arc::new(call),
        end: End::Cancelled,
        poisoned: false,
    };
    let cancelled = core.finish(&ending).await?;
    core.hint(Hint::Cancelled(id));
    Ok(cancelled)
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
