//! The end of a call: its outcome, with the first attempt claimed in the same commit if the receiver has capacity.
//!
//! Executions, cancellations and the reconciler end calls here. Invariant: the job is held while its end is being
//! committed, so that the reconciler does not resume it, and the attempt begins only if this commit claimed it.

use std::sync::Arc;

use std::time::Duration;

use bytes::Bytes;

use super::core::Core;
use super::hints::Hint;
use super::memory_budget::Held;
use super::receivers::Slot;
use super::{commit, deliver, log};
use crate::id::JobId;
use crate::job::{Applied, Call, Change, Expect, Job, OnInterruption};
use crate::state::{End, Push};
use crate::store;

/// A job that was interrupted this often is assumed to be the cause.
pub(super) const POISONED: u8 = 3;

/// The end of a call that is about to be committed.
pub(super) struct Ending {
    pub(super) id: JobId,
    pub(super) expect: Expect,
    pub(super) call: Arc<Call>,
    pub(super) end: End,
    pub(super) body: Bytes,
    /// It was interrupted too often.
    pub(super) poisoned: bool,
}

/// Why an execution could not be sent, at least not yet.
#[derive(Clone, Copy)]
pub(super) struct Unsent {
    pub(super) retry_after: Duration,
    /// The server could not be reached.
    pub(super) is_away: bool,
    /// An earlier attempt to send it may have arrived.
    pub(super) may_have_run: bool,
}

impl Ending {
    fn changes(&self, tool_failed: bool, claim: bool) -> Vec<Change> {
        let finish = Change::Finish {
            end: self.end,
            body: self.body.clone(),
        };
        let poison = self.poisoned.then_some(Change::Poison);
        let tool_failed = tool_failed.then_some(Change::ToolFailed);
        poison
            .into_iter()
            .chain(tool_failed)
            .chain([finish])
            .chain(claim.then_some(Change::Claim))
            .collect()
    }
}

impl Core {
    /// Ends a call. Returns whether this ended the call: not if it had ended before, or has another holder now.
    pub(super) async fn finish(self: &Arc<Self>, ending: &Ending) -> Result<bool, store::Error> {
        let _hold = self.holds.take(ending.id);
        let claimed = deliver::reserve(self, &ending.call, ending.body.len());
        let tool_failed = ending.end == End::Result && self.executor.is_failure(&ending.body);
        let changes = ending.changes(tool_failed, claimed.is_some());
        let Applied::Applied(job) = self.apply(ending.id, ending.expect, changes).await? else {
            return Ok(false);
        };
        self.metrics.ended(&job, &ending.call);
        self.hint(Hint::Ended(job.id));
        self.begin_delivery(job, ending, claimed);
        Ok(true)
    }

    /// Begins the attempt that was claimed with the end of the call, or leaves the delivery to the loop.
    fn begin_delivery(self: &Arc<Self>, job: Job, ending: &Ending, claimed: Option<(Held, Slot)>) {
        match claimed {
            Some((held, slot)) if job.state.push == Push::Sending && job.owner == Some(self.owner) => {
                let loaded = (Arc::clone(&ending.call), ending.body.clone(), held);
                deliver::spawn(self, slot, job, Some(loaded));
            }
            _ => self.schedule(&job),
        }
    }

    /// [`Self::finish`], retried until the store is up.
    pub(super) async fn finish_surely(self: &Arc<Self>, ending: &Ending) {
        self.surely(|| self.finish(ending)).await;
    }
}

/// Applies `onInterruption` to a job whose server call was interrupted.
pub(super) async fn interrupted(core: &Arc<Core>, job: &Job, call: &Arc<Call>, expect: Expect) {
    let poisoned = job.executions >= POISONED;
    if call.on_interruption == OnInterruption::Retry && !poisoned {
        release(core, job.id, expect).await;
        return;
    }
    log::unknown(job, call, poisoned);
    let body = if poisoned {
        core.executor.poisoned(call)
    } else {
        core.executor.body(call, End::Unknown)
    };
    let ending = Ending {
        id: job.id,
        expect,
        call: Arc::clone(call),
        end: End::Unknown,
        body,
        poisoned,
    };
    core.finish_surely(&ending).await;
}

/// Applies `onInterruption` to a job whose server call our shutdown interrupted. A graceful shutdown does not count: it
/// says nothing about the call.
pub(super) async fn stopped(core: &Arc<Core>, job: &Job, call: &Arc<Call>) {
    match call.on_interruption {
        OnInterruption::Retry => hand_back(core, job).await,
        OnInterruption::Fail => interrupted(core, job, call, commit::held(job)).await,
    }
}

/// Puts off an execution that could not be sent. Once that has been so for longer than the call's timeout, the call ends.
pub(super) async fn put_off(core: &Arc<Core>, job: &Job, call: &Arc<Call>, unsent: Unsent) {
    let since = job.unsent_since.or(job.started).unwrap_or(job.accepted);
    let left = call.timeout.saturating_sub(core.now().since(since));
    if left.is_zero() {
        let may_have_run = unsent.may_have_run || call.on_interruption == OnInterruption::Retry;
        let end = if may_have_run { End::Timeout } else { End::Error };
        let body = core.executor.body(call, end);
        return core.finish_surely(&of_execution(job, call, (end, body))).await;
    }
    let wait = |faults| unsent.retry_after.max(core.back_off(faults)).min(left);
    if unsent.is_away {
        core.backoff.server(job.server, wait);
    } else {
        core.backoff.job(job.id, wait);
    }
    core.apply_surely(job.id, commit::held(job), vec![Change::PutOff])
        .await;
    core.hint(Hint::Queued);
}

/// Gives an execution back to the queue, as if it had not begun.
pub(super) async fn hand_back(core: &Core, job: &Job) {
    let changes = vec![Change::Suspend, Change::Release];
    core.apply_surely(job.id, commit::held(job), changes).await;
    core.hint(Hint::Queued);
}

/// Gives an interrupted execution back to the queue.
async fn release(core: &Core, id: JobId, expect: Expect) {
    core.apply_surely(id, expect, vec![Change::Release]).await;
    core.hint(Hint::Queued);
}

/// The end that an execution came to.
pub(super) fn of_execution(job: &Job, call: &Arc<Call>, (end, body): (End, Bytes)) -> Ending {
    Ending {
        id: job.id,
        expect: commit::held(job),
        call: Arc::clone(call),
        end,
        body,
        poisoned: false,
    }
}
