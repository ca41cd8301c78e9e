//! Jobs of which the store cannot read a part.
//!
//! Whoever reads a job's call, arguments or body comes here with the error. A value whose key is missing waits for the
//! key, which the next process may have. Damaged values never come back: what can still be said is delivered, else the
//! job is a dead letter. Invariant: one such job holds up no other, and ends where its header can be read.

use std::sync::Arc;

use bytes::Bytes;

use super::core::Core;
use super::finish::Ending;
use crate::id::JobId;
use crate::job::{Change, Expect, Job};
use crate::state::{Category, End, Exec, Push};
use crate::store;

/// Ends a job that cannot be read, or sets it aside for the next process.
pub(super) async fn handle(core: &Arc<Core>, id: JobId, error: &store::Error) {
    let job = match core.read(|| core.store.job(id)).await {
        Ok(Some(job)) if matches!(error, store::Error::Corrupt(_)) => job,
        _ => return core.set_aside(id, error),
    };
    let webhook_id = id.webhook_id();
    tracing::error!(target: "asyncmcp::delivery", %error, webhook_id, state = job.state.stage().as_str(), "a job is damaged in the store: ending it");
    let _hold = core.holds.take(id);
    match job.state.exec {
        Exec::Ended(_) => bury(core, &job, Vec::new()).await,
        Exec::Queued | Exec::Running => end(core, &job).await,
    }
}

/// The call can still be answered if it can be read itself.
async fn end(core: &Arc<Core>, job: &Job) {
    match core.read(|| core.store.call(job.id)).await {
        Ok(Some(call)) => {
            let call = Arc::new(call);
            let (end, body) = match job.state.exec {
                Exec::Queued => (End::Error, core.executor.unreadable(&call)),
                _ => (End::Unknown, core.executor.body(&call, End::Unknown)),
            };
            let ending = Ending {
                id: job.id,
                expect: Expect::Version(job.version),
                call,
                end,
                body,
                poisoned: false,
            };
            core.finish_surely(&ending).await;
        }
        _ => {
            let finish = Change::Finish {
                end: End::Unknown,
                body: Bytes::new(),
            };
            bury(core, job, vec![finish]).await;
        }
    }
}

/// Makes it a dead letter, after these `changes`; a job without a receiver just ends.
async fn bury(core: &Core, job: &Job, mut changes: Vec<Change>) {
    if job.receiver.is_some() && !matches!(job.state.push, Push::Dead(_)) {
        let why = Category::Corrupt;
        changes.push(Change::Bury { why });
        core.metrics.dead(why);
    }
    let expect = Expect::Version(job.version);
    core.apply_surely(job.id, expect, changes).await;
}
