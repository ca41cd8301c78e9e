//! What the engine's loops, tasks and commands share.
//!
//! Every part of the engine holds an `Arc<Core>`. Invariant: nothing here waits for a store or a peer.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use prometheus::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::backoff::Backoff;
use super::executor::Executor;
use super::hints::{Hint, Hints};
use super::holds::Holds;
use super::last_attempts::LastAttempts;
use super::last_hour::LastHour;
use super::memory_budget::MemoryBudget;
use super::metrics::Metrics;
use super::receivers::Receivers;
use super::running::Running;
use super::trials::Trials;
use super::{Parts, Rng};
use crate::clock::{Clock, Millis};
use crate::id::JobId;
use crate::job::{Job, Owner};
use crate::policy::Policy;
use crate::sender::Sender;
use crate::store::{self, Store};

pub(super) struct Core {
    pub(super) store: Arc<dyn Store>,
    /// This process, as jobs name it.
    pub(super) owner: Owner,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) sender: Arc<dyn Sender>,
    pub(super) clock: Clock,
    /// When this process began to deliver.
    pub(super) started: Millis,
    pub(super) rng: Rng,
    pub(super) metrics: Metrics,
    /// How many bytes of bodies are in memory.
    pub(super) memory: MemoryBudget,
    /// The jobs that this process is working on.
    pub(super) holds: Arc<Holds>,
    pub(super) hints: Hints,
    /// Executions in progress.
    pub(super) running: Arc<Running>,
    /// Servers and jobs that wait before another execution.
    pub(super) backoff: Backoff,
    /// Receivers with due deliveries or attempts in progress.
    pub(super) receivers: Arc<Receivers>,
    /// How the last attempt at each of them went.
    pub(super) last_attempts: LastAttempts,
    pub(super) last_hour: LastHour,
    /// Test deliveries of the last minute.
    pub(super) trials: Trials,
    /// No more calls are begun once this fires.
    pub(super) stop: CancellationToken,
    /// The calls that still run are interrupted once this fires.
    pub(super) cut_calls: CancellationToken,
    /// No more attempts are begun once this fires.
    pub(super) last: CancellationToken,
    /// Whatever is still in progress is interrupted once this fires.
    pub(super) cut: CancellationToken,
    /// Fires when a loop panicked, or another process owns the jobs.
    pub(super) failed: CancellationToken,
    pub(super) loops: TaskTracker,
    pub(super) commands: TaskTracker,
    pub(super) executions: TaskTracker,
    pub(super) attempts: TaskTracker,
    policy: watch::Receiver<Arc<Policy>>,
    closed: AtomicBool,
}

/// One loop's view of the policy's changes.
pub(super) struct PolicyChanges(watch::Receiver<Arc<Policy>>);

impl PolicyChanges {
    /// Returns when there is a new policy; never, once there can be none.
    pub(super) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Core {
    pub(super) fn new(parts: Parts, registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            owner: parts.store.owner(),
            store: parts.store,
            executor: parts.executor,
            sender: parts.sender,
            started: parts.clock.now(),
            clock: parts.clock,
            rng: parts.rng,
            policy: parts.policy,
            metrics: Metrics::register(registry)?,
            memory: MemoryBudget::default(),
            holds: Arc::default(),
            hints: Hints::default(),
            running: Arc::default(),
            backoff: Backoff::default(),
            receivers: Arc::default(),
            last_attempts: LastAttempts::default(),
            last_hour: LastHour::default(),
            trials: Trials::default(),
            stop: CancellationToken::new(),
            cut_calls: CancellationToken::new(),
            last: CancellationToken::new(),
            cut: CancellationToken::new(),
            failed: CancellationToken::new(),
            loops: TaskTracker::new(),
            commands: TaskTracker::new(),
            executions: TaskTracker::new(),
            attempts: TaskTracker::new(),
            closed: AtomicBool::new(false),
        })
    }

    /// The policy as it is now.
    pub(super) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.borrow())
    }

    /// Notifies one loop of new policies from now on.
    pub(super) fn policy_changes(&self) -> PolicyChanges {
        let mut policy = self.policy.clone();
        policy.mark_unchanged();
        PolicyChanges(policy)
    }

    pub(super) fn now(&self) -> Millis {
        self.clock.now()
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Whether no more attempts are begun.
    pub(super) fn sends_no_more(&self) -> bool {
        self.last.is_cancelled()
    }

    pub(super) fn hint(&self, hint: Hint) {
        self.hints.send(hint);
    }

    /// Has the delivery loop consider a job's receiver when the job is due.
    pub(super) fn schedule(&self, job: &Job) {
        if let Some((receiver, rank, at)) = job.rows().due {
            self.hint(Hint::Due(receiver, rank, at, job.client));
        }
    }

    /// Leaves a job that cannot be read to the next process, and logs it once.
    pub(super) fn set_aside(&self, id: JobId, error: &store::Error) {
        if self.holds.set_aside(id) {
            let webhook_id = id.webhook_id();
            tracing::error!(target: "asyncmcp::delivery", %error, webhook_id, "a job cannot be read and waits for the next start");
        }
    }

    /// Runs a command in a task of its own, so that the caller may hang up at any moment: the command finishes what it
    /// has committed.
    pub(super) async fn detached<T: Send + 'static>(
        &self,
        command: impl Future<Output = T> + Send + 'static,
    ) -> T {
        match self.commands.spawn(command.in_current_span()).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => std::future::pending().await, // the runtime is ending
            },
        }
    }

    /// Watches a loop: if it panics, the engine fails, and the process exits.
    pub(super) async fn watched(self: Arc<Self>, work: impl Future<Output = ()>) {
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            tracing::error!(target: "asyncmcp::delivery", "the delivery engine panicked: shutting down");
            self.failed.cancel();
        }
    }
}
