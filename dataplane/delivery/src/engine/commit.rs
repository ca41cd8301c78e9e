//! How the engine commits: it retries until the outcome of a step is known.
//!
//! Every change of a job by the engine goes through [`Core::apply`]. Invariant: after a commit that reported failure the
//! job is read again and compared before anything else happens, and what was to be committed is kept meanwhile; only the
//! process's shutdown interrupts that.

use std::future::Future;
use std::time::Duration;

use super::core::Core;
use crate::id::JobId;
use crate::job::{Applied, Change, Expect, Job, Stamp, Step};
use crate::schedule;
use crate::store;

/// The first wait after a fault of ours, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Core {
    /// Who makes a step now.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp {
            by: self.owner,
            at: self.now(),
        }
    }

    /// Applies changes to one job. What it returns is durable, also when the commit reported failure.
    pub(super) async fn apply(
        &self,
        id: JobId,
        expect: Expect,
        changes: Vec<Change>,
    ) -> Result<Applied, store::Error> {
        let step = Step {
            expect,
            stamp: self.stamp(),
            changes,
        };
        loop {
            let answer = self.store.apply(id, step.clone()).await;
            let Err(error @ store::Error::Unknown(_)) = answer else {
                return answer.inspect(|applied| self.heed(matches!(applied, Applied::Fenced)));
            };
            tracing::warn!(target: "asyncmcp::delivery", %error, job = %id, "a commit reported failure: reading whether it happened");
            if let Some(found) = self.look_again(id, &step).await? {
                return Ok(found);
            }
        }
    }

    /// A process that no longer owns its jobs has to exit: its steps change nothing.
    pub(super) fn heed(&self, fenced: bool) {
        if fenced && !self.failed.is_cancelled() {
            tracing::error!(target: "asyncmcp::delivery", "another process owns this process's jobs now: shutting down");
            self.stop.cancel();
            self.last.cancel();
            self.failed.cancel();
        }
    }

    /// The outcome of a step whose commit reported failure; `None`: it did not happen.
    async fn look_again(&self, id: JobId, step: &Step) -> Result<Option<Applied>, store::Error> {
        let Some(job) = self.read(|| self.store.job(id)).await? else {
            return Ok(Some(Applied::Gone));
        };
        let unmoved = match step.expect {
            Expect::Any => false,
            Expect::Version(version) => job.version == version,
            Expect::Held(run) => job.is_held(step.stamp.by, run),
        };
        Ok(match (unmoved, step.leads_to(&job), step.expect) {
            (false, true, _) => Some(Applied::Applied(job)),
            (true, ..) | (_, _, Expect::Any) => None,
            (false, false, _) => Some(Applied::Moved(job)),
        })
    }

    /// [`Self::apply`], retried until the store is up. `None`: interrupted by our shutdown, or retrying cannot help.
    pub(super) async fn apply_surely(
        &self,
        id: JobId,
        expect: Expect,
        changes: Vec<Change>,
    ) -> Option<Applied> {
        self.surely(|| self.apply(id, expect, changes.clone())).await
    }

    /// Retries `act` until the store is up. Gives up when our shutdown interrupts it (the next process recovers) and
    /// when the store says that retrying cannot help.
    pub(super) async fn surely<T, F>(&self, act: impl FnMut() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, store::Error>>,
    {
        let done = self.read(act).await.inspect_err(|error| {
            tracing::error!(target: "asyncmcp::delivery", %error, reason = error.reason(), "an operation on the store failed and is not retried");
        });
        done.ok()
    }

    /// The same, with the error with which it gave up.
    pub(super) async fn read<T, F>(&self, mut act: impl FnMut() -> F) -> Result<T, store::Error>
    where
        F: Future<Output = Result<T, store::Error>>,
    {
        let mut faults = 0;
        loop {
            match act().await {
                Err(error @ store::Error::Down(_)) if !self.cut.is_cancelled() => {
                    tracing::warn!(target: "asyncmcp::delivery", %error, "waiting for the store");
                    let wait = self.back_off(faults);
                    let _cut = tokio::time::timeout(wait, self.cut.cancelled()).await;
                    faults += 1;
                }
                answer => return answer,
            }
        }
    }

    /// How long to wait after the `faults`-th fault of ours in a row.
    pub(super) fn back_off(&self, faults: u32) -> Duration {
        let wait = FIRST_WAIT
            .saturating_mul(2u32.saturating_pow(faults))
            .min(LONGEST_WAIT);
        schedule::jittered(wait, 20, (self.rng)())
    }

    /// Waits after the store failed a loop, for the `faults`-th time in a row, or until the engine stops.
    pub(super) async fn pause(&self, error: &store::Error, faults: u32) {
        self.heed(matches!(error, store::Error::Fenced));
        tracing::warn!(target: "asyncmcp::delivery", %error, reason = error.reason(), "waiting for the store");
        let _stopped = tokio::time::timeout(self.back_off(faults), self.last.cancelled()).await;
    }
}

/// What steps of the holder of a job expect: its present claim.
pub(super) fn held(job: &Job) -> Expect {
    Expect::Held(job.run)
}
