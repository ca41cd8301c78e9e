//! The reconciler: whatever the store says is in progress must be worked on by something.
//!
//! Its first round resumes what an earlier process left. Later rounds find what a lost wake-up, a commit that reported
//! failure or a panic left behind in this one. Invariant: it resumes what belongs to a process that ended, or what two
//! rounds in a row saw unheld at the same version, by a step that expects that version; no round is O(jobs), and a tool
//! runs again only if its `onInterruption` allows it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use super::core::Core;
use super::delivery::Delivery;
use super::finish::{self, POISONED};
use super::hints::Hint;
use super::{attempt, execution, unreadable};
use crate::id::JobId;
use crate::job::{Applied, Call, Change, Expect, Job};
use crate::state::{Exec, Push};
use crate::store;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(20);
/// Jobs resumed at once; the store makes one commit of their changes.
const AT_ONCE: usize = 256;

/// Jobs of this process that nothing held in the last round, and their versions then.
#[derive(Default)]
pub(super) struct Unheld(HashMap<JobId, u64>);

/// The first round, which resumes what an earlier process left. Waits for the store.
pub(super) async fn first(core: &Arc<Core>) -> Unheld {
    let mut unheld = Unheld::default();
    core.surely(async || round(core, &mut Unheld::default()).await)
        .await;
    unheld.0.clear();
    unheld
}

/// One round after the other until the engine stops.
pub(super) async fn run(core: &Arc<Core>, mut unheld: Unheld) {
    loop {
        tokio::select! {
            () = core.stop.cancelled() => return,
            () = tokio::time::sleep(ROUND) => {}
        }
        if let Err(error) = round(core, &mut unheld).await {
            tracing::warn!(target: "asyncmcp::delivery", %error, "failed to compare the store with the work in progress");
        }
        core.hint(Hint::Queued);
    }
}

async fn round(core: &Arc<Core>, unheld: &mut Unheld) -> Result<(), store::Error> {
    let left_behind = left_behind(core, unheld).await?;
    let resumed = futures::stream::iter(left_behind).map(|job| resume(core, job));
    resumed.buffer_unordered(AT_ONCE).collect::<()>().await;
    for (receiver, rank, at) in core.store.receivers().await? {
        core.receivers.schedule(receiver, rank, at, None);
    }
    Ok(())
}

/// The jobs in progress that nothing is working on.
async fn left_behind(core: &Core, unheld: &mut Unheld) -> Result<Vec<Job>, store::Error> {
    let in_flight = core.store.in_flight().await?;
    let nobodys = in_flight.into_iter().filter(|job| !core.holds.has(job.id));
    let (sure, doubtful): (Vec<Job>, Vec<Job>) = nobodys.partition(|job| {
        let is_ours = job.owner == Some(core.owner);
        !is_ours || unheld.0.get(&job.id) == Some(&job.version)
    });
    unheld.0 = doubtful.into_iter().map(|job| (job.id, job.version)).collect();
    for job in sure.iter().filter(|job| job.owner == Some(core.owner)) {
        tracing::warn!(target: "asyncmcp::delivery", job = %job.id, state = job.state.stage().as_str(), "nothing was working on a job in progress: resuming it");
        core.metrics.reconciled(job);
    }
    Ok(sure)
}

async fn resume(core: &Arc<Core>, job: Job) {
    let _hold = core.holds.take(job.id);
    let call = match core.read(|| core.store.call(job.id)).await {
        Ok(Some(call)) => call,
        Ok(None) => return,
        Err(error) => return unreadable::handle(core, job.id, &error).await,
    };
    let (call, expect) = (Arc::new(call), as_read(&job));
    match (job.state.exec, job.state.push) {
        (Exec::Running, _) => resume_execution(core, &job, call).await,
        (_, Push::Sending) => attempt::interrupted(core, &Delivery { job, call }, None, expect).await,
        _ => {}
    }
}

fn as_read(job: &Job) -> Expect {
    Expect::Version(job.version)
}

/// Resumes an execution that left a resume token, unless it was interrupted too often.
async fn resume_execution(core: &Arc<Core>, job: &Job, call: Arc<Call>) {
    let token = if job.has_resume_token && job.executions < POISONED {
        core.surely(|| core.store.resume_token(job.id)).await.flatten()
    } else {
        None
    };
    let Some(token) = token else {
        return finish::interrupted(core, job, &call, as_read(job)).await;
    };
    let tools = core.policy().tools.of(&call.shown_as).map(|limit| limit.tools);
    let Some(entry) = core
        .running
        .enter(core.holds.take(job.id), (job.server, job.client), tools)
    else {
        return;
    };
    let resumed = core
        .apply_surely(job.id, as_read(job), vec![Change::Resume])
        .await;
    if let Some(Applied::Applied(job)) = resumed {
        let execution = execution::resume(Arc::clone(core), entry, job, (call, token));
        core.executions.spawn(execution);
    }
}
