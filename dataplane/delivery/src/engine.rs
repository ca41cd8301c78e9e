//! The engine: executes accepted calls and delivers their results.
//!
//! The data plane starts one per process, hands it calls with [`Engine::accept`] and ends
//! it with [`Engine::drain`]. Invariant: whatever was acknowledged is in the store, and
//! every step of it is committed there before the engine acts on it; memory holds what
//! runs and one entry per receiver, never a waiting job.

mod attempt;
mod budget;
mod core;
mod deliver;
mod drain;
mod execute;
mod execution;
mod executor;
mod expire;
mod handle;
pub mod jobs;
mod log;
mod metrics;
mod policy;
mod receivers;
mod recover;
mod running;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::watch;

pub use self::budget::Room;
use self::core::Core;
pub use self::executor::{Begin, Executed, Executor, Run};
pub use self::handle::Handles;
pub use self::policy::{PerReceiver, Policy, Signing, ToolLimit, ToolLimits};
use crate::clock::Clock;
use crate::egress::Refusal;
use crate::id::JobId;
use crate::job::{Change, NewJob, Origin};
use crate::sender::Sender;
use crate::state::End;
use crate::store::{self, Acceptance, Store};

/// Where jitter comes from: each call gives a number in [0, 1).
pub type Chance = Arc<dyn Fn() -> f64 + Send + Sync>;

/// The process's random numbers, as [`Chance`].
pub fn chance() -> Chance {
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
    pub chance: Chance,
}

/// Why a call was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The route is going away or the process is ending.
    #[error("no more calls are accepted: the route is being deleted or this process is ending")]
    Closed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// A running engine. It runs on when this is dropped; [`Engine::drain`] is what ends it.
pub struct Engine {
    core: Arc<Core>,
}

impl Engine {
    /// Registers the metrics in `registry` (which carries the labels `route` and `namespace`), then
    /// takes up what an earlier process left and goes to work. Needs a tokio runtime.
    pub fn start(parts: Parts, registry: &Registry) -> Result<Self, prometheus::Error> {
        let core = Arc::new(Core::new(parts, registry)?);
        core.loops.spawn(work(Arc::clone(&core)));
        core.loops.close();
        Ok(Self { core })
    }

    /// Accepts a call; it may be acknowledged when this has returned [`Acceptance::New`] or
    /// [`Acceptance::Same`], and by nothing else.
    pub async fn accept(&self, job: NewJob) -> Result<Acceptance, AcceptError> {
        if self.core.is_closed() {
            return Err(AcceptError::Closed);
        }
        let (server, tool) = (job.call.server.clone(), job.call.shown_as.clone());
        let acceptance = self.core.store.accept(job).await?;
        if matches!(acceptance, Acceptance::New(_)) {
            self.core.metrics.accepted(&server, &tool);
            self.core.running.ring();
        }
        Ok(acceptance)
    }

    /// Cancels a job: its outcome becomes [`End::Cancelled`], then its server call is aborted. Says
    /// whether that happened; a job that ended before is left alone.
    pub async fn cancel(&self, id: JobId) -> Result<bool, store::Error> {
        let Some(call) = self.core.store.call(id).await? else {
            return Ok(false);
        };
        let body = self.core.executor.body(&call, End::Cancelled);
        let cancelled = self
            .core
            .finish(id, &Arc::new(call), (End::Cancelled, body), None)
            .await?;
        self.core.running.cancel(id);
        Ok(cancelled)
    }

    /// Has a job found by `name`, too, by [`Self::cancel_call`]. Changes nothing of one that ended.
    pub async fn name(&self, id: JobId, name: [u8; 32]) -> Result<(), store::Error> {
        let change = vec![Change::Name { name }];
        self.core.store.apply(id, change, self.core.now()).await.map(drop)
    }

    /// Cancels the job that was accepted under `dedupe`, or has this name, as [`Self::cancel`] does.
    pub async fn cancel_call(&self, dedupe: [u8; 32]) -> Result<bool, store::Error> {
        match self.core.store.find(dedupe).await? {
            Some(id) => self.cancel(id).await,
            None => Ok(false),
        }
    }

    /// Whether a receiver that is being named may be: to be asked before acceptance.
    pub fn check_receiver(&self, origin: Origin, url: &str) -> Result<(), Refusal> {
        let checked = self.core.policy().egress.check_url(origin, url);
        checked
            .map(drop)
            .inspect_err(|refusal| self.core.metrics.blocked(*refusal))
    }

    /// Jobs that something is still to happen to.
    pub fn pending(&self) -> u64 {
        self.core.store.counts().pending()
    }

    /// For a route that is being deleted: accepts nothing more and returns when nothing is pending.
    /// [`Self::pending`] shows how far it is.
    pub async fn finish_deliveries(&self) {
        drain::finish_deliveries(&self.core).await;
    }

    /// For a process that is ending: accepts and claims nothing more, lets what runs go on for `grace`,
    /// then treats it as interrupted, and closes the store.
    pub async fn drain(&self, grace: Duration) -> Result<(), store::Error> {
        drain::drain(&self.core, grace).await
    }
}

async fn work(core: Arc<Core>) {
    // First, since recovery may take a while and metrics are read meanwhile.
    sweep::tell_oldest(&core).await;
    recover::run(&core).await;
    tokio::join!(execute::run(&core), deliver::run(&core), sweep::run(&core));
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
