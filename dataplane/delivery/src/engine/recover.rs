//! What an earlier process left under way, and what becomes of it.
//!
//! Runs once, before the loops, over the `inflight` rows alone. Invariant: no step here is O(jobs), and a
//! tool runs again only if its `onInterruption` says so.

use std::sync::Arc;

use futures::StreamExt;

use super::core::Core;
use super::{attempt, execution, log};
use crate::job::{Call, Change, Job, OnInterruption};
use crate::state::{End, Exec, Push};

/// A job that was cut this often is taken to be what kills the process.
const POISONED: u8 = 3;
/// Jobs looked after at once; the store makes one commit of their changes.
const AT_ONCE: usize = 256;

/// Looks after all jobs under way, then learns which receivers have due work.
pub(super) async fn run(core: &Arc<Core>) {
    let inflight = core.surely(|| core.store.inflight()).await.unwrap_or_default();
    let take_up = futures::stream::iter(inflight).map(|job| take_up(core, job));
    take_up.buffer_unordered(AT_ONCE).collect::<()>().await;
    let receivers = core.surely(|| core.store.receivers()).await.unwrap_or_default();
    for (receiver, rank, at) in receivers {
        core.receivers.park(receiver, rank, at);
    }
}

async fn take_up(core: &Arc<Core>, job: Job) {
    let Some(Some(call)) = core.surely(|| core.store.call(job.id)).await else {
        return;
    };
    match (job.state.exec, job.state.push) {
        (Exec::Running, _) => take_up_execution(core, &job, Arc::new(call)).await,
        (_, Push::Sending) => attempt::interrupted(core, &job, &call, None).await,
        _ => {}
    }
}

/// Goes on with an execution that left a handle, unless it was cut too often.
async fn take_up_execution(core: &Arc<Core>, job: &Job, call: Arc<Call>) {
    if !job.has_handle || job.executions >= POISONED {
        return interrupted(core, job, &call).await;
    }
    let Some(Some(handle)) = core.surely(|| core.store.handle(job.id)).await else {
        return interrupted(core, job, &call).await;
    };
    let tools = core.policy().tools.of(&call.shown_as).map(|limit| limit.tools);
    if let Some(entry) = core.running.enter(job.id, job.server, tools) {
        let execution = execution::take_up(Arc::clone(core), entry, call, handle);
        core.executions.spawn(execution);
    }
}

/// Applies `onInterruption` to a job whose server call was cut.
pub(super) async fn interrupted(core: &Arc<Core>, job: &Job, call: &Arc<Call>) {
    if call.on_interruption == OnInterruption::Retry && job.executions < POISONED {
        core.commit(job.id, Change::Release).await;
        core.running.ring();
        return;
    }
    let poisoned = job.executions >= POISONED;
    log::unknown(job, call, poisoned);
    if poisoned {
        core.surely(|| core.poison(job.id, call)).await;
    } else {
        let body = core.executor.body(call, End::Unknown);
        core.finish_surely(job.id, call, (End::Unknown, body), None).await;
    }
}
