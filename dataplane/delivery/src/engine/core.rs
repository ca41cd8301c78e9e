//! What the engine's loops share, and the two ways they commit.
//!
//! Invariant: a commit that the store could not make is tried again until it can be or
//! the process is cut; what was to be committed is held meanwhile, never dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prometheus::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::budget::{Budget, Held};
use super::metrics::Metrics;
use super::receivers::Receivers;
use super::running::Running;
use super::{Chance, Executor, Parts, Policy, deliver};
use crate::clock::{Clock, Millis};
use crate::id::JobId;
use crate::job::{Call, Change, Job};
use crate::schedule;
use crate::sender::Sender;
use crate::state::End;
use crate::store::{self, Store};

/// The first wait after a fault of ours, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

pub(super) struct Core {
    pub(super) store: Arc<dyn Store>,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) sender: Arc<dyn Sender>,
    pub(super) clock: Clock,
    /// When this process began to deliver.
    pub(super) started: Millis,
    pub(super) chance: Chance,
    pub(super) metrics: Metrics,
    /// How much of bodies is in memory.
    pub(super) budget: Budget,
    /// Executions under way.
    pub(super) running: Arc<Running>,
    /// Receivers with due work or attempts under way.
    pub(super) receivers: Arc<Receivers>,
    /// Nothing more is claimed once this fires.
    pub(super) stop: CancellationToken,
    /// What still runs is interrupted once this fires.
    pub(super) cut: CancellationToken,
    pub(super) loops: TaskTracker,
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
            store: parts.store,
            executor: parts.executor,
            sender: parts.sender,
            started: parts.clock.now(),
            clock: parts.clock,
            chance: parts.chance,
            policy: parts.policy,
            metrics: Metrics::register(registry)?,
            budget: Budget::default(),
            running: Arc::default(),
            receivers: Arc::default(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            loops: TaskTracker::new(),
            executions: TaskTracker::new(),
            attempts: TaskTracker::new(),
            closed: AtomicBool::new(false),
        })
    }

    /// The policy as it is now.
    pub(super) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.borrow())
    }

    /// Tells one loop of new policies from here on.
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

    /// How long to wait after the `faults`-th fault of ours in a row.
    pub(super) fn back_off(&self, faults: u32) -> Duration {
        let wait = FIRST_WAIT
            .saturating_mul(2u32.saturating_pow(faults))
            .min(LONGEST_WAIT);
        schedule::jittered(wait, 20, (self.chance)())
    }

    /// Waits after the store failed a loop, for the `faults`-th time in a row, or until the engine stops.
    pub(super) async fn pause(&self, error: &store::Error, faults: u32) {
        tracing::warn!(target: "asyncmcp::delivery", %error, reason = error.reason(), "waiting for the store");
        let _stopped = tokio::time::timeout(self.back_off(faults), self.stop.cancelled()).await;
    }

    /// Ends a call and, where the receiver has room, claims its first attempt in the same commit.
    /// `held` is the room that the body takes already. Says whether the call ended by this; it does
    /// not if it had ended before.
    pub(super) async fn finish(
        self: &Arc<Self>,
        id: JobId,
        call: &Arc<Call>,
        (end, body): (End, Bytes),
        held: Option<Held>,
    ) -> Result<bool, store::Error> {
        let finish = Change::Finish {
            end,
            body: body.clone(),
        };
        self.end(id, call, (vec![finish], body), held).await
    }

    /// Ends a call that was cut too often, as [`Self::finish`] does.
    pub(super) async fn poison(self: &Arc<Self>, id: JobId, call: &Arc<Call>) -> Result<bool, store::Error> {
        let body = self.executor.poisoned(call);
        let finish = Change::Finish {
            end: End::Unknown,
            body: body.clone(),
        };
        self.end(id, call, (vec![Change::Poison, finish], body), None)
            .await
    }

    async fn end(
        self: &Arc<Self>,
        id: JobId,
        call: &Arc<Call>,
        (mut changes, body): (Vec<Change>, Bytes),
        held: Option<Held>,
    ) -> Result<bool, store::Error> {
        let claimed = held
            .or_else(|| self.budget.body(body.len()))
            .and_then(|held| Some((held, deliver::reserve(self, call)?)));
        changes.extend(claimed.as_ref().map(|_| Change::Claim));
        let Some(job) = self.store.apply(id, changes, self.now()).await? else {
            return Ok(false);
        };
        self.metrics.ended(&job, call);
        match claimed {
            Some((held, slot)) => {
                let loaded = (Arc::clone(call), body, held);
                deliver::spawn(self, slot, job, Some(loaded));
            }
            None => deliver::park(self, &job),
        }
        Ok(true)
    }

    /// [`Self::finish`], until the store can.
    pub(super) async fn finish_surely(
        self: &Arc<Self>,
        id: JobId,
        call: &Arc<Call>,
        (end, body): (End, Bytes),
        mut held: Option<Held>,
    ) {
        self.surely(|| self.finish(id, call, (end, body.clone()), held.take()))
            .await;
    }

    /// Applies one change, until the store can. `None` if it was no step of the state table, or never came through.
    pub(super) async fn commit(&self, id: JobId, change: Change) -> Option<Job> {
        self.commit_all(id, vec![change]).await
    }

    /// [`Self::commit`] for several changes in one commit.
    pub(super) async fn commit_all(&self, id: JobId, changes: Vec<Change>) -> Option<Job> {
        let apply = || self.store.apply(id, changes.clone(), self.now());
        self.surely(apply).await.flatten()
    }

    /// Does `act` until the store is up. Gives up when the process is cut (the next one recovers) and
    /// where the store says that trying again cannot help.
    pub(super) async fn surely<T, F>(&self, mut act: impl FnMut() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, store::Error>>,
    {
        for faults in 0.. {
            match act().await {
                Ok(done) => return Some(done),
                Err(error @ store::Error::Down(_)) if !self.cut.is_cancelled() => {
                    tracing::warn!(target: "asyncmcp::delivery", %error, "waiting for the store");
                    let wait = self.back_off(faults);
                    let _cut = tokio::time::timeout(wait, self.cut.cancelled()).await;
                }
                Err(error) => {
                    tracing::error!(target: "asyncmcp::delivery", %error, reason = error.reason(), "given up");
                    return None;
                }
            }
        }
        None
    }
}
