//! Calls that have not ended, and of which the store cannot read a part.
//!
//! The scheduler and the reconciler come here with what reading a job failed with. What can still be said is delivered,
//! else the job is a dead letter ([`damage`]). Invariant: one such job holds up no other, and ends where its header can be
//! read.

use std::sync::Arc;

use bytes::Bytes;

use super::core::Core;
use super::damage;
use super::finish::Ending;
use crate::id::JobId;
use crate::job::{Change, Expect, Job};
use crate::state::{End, Exec};
use crate::store;

/// Ends a job that cannot be read, or sets it aside for the next process.
pub(super) async fn handle(core: &Arc<Core>, id: JobId, error: &store::Error) {
    let Some(job) = damage::damaged(core, id, error).await else {
        return;
    };
    let _hold = core.holds.take(id);
    match job.state.exec {
        Exec::Ended(_) => damage::bury(core, &job, Vec::new()).await,
        Exec::Queued | Exec::Running => end(core, &job).await,
    }
}

/// The call can still be answered if it can be read itself.
async fn end(core: &Arc<Core>, job: &Job) {
    let call = match core.read(|| core.store.call(job.id)).await {
        Ok(Some(call)) => call,
        Ok(None) | Err(store::Error::Corrupt(_)) => {
            let finish = Change::Finish {
                end: End::Unknown,
                body: Bytes::new(),
            };
            return damage::bury(core, job, vec![finish]).await;
        }
        // Its key may come back, and then its client can be told.
        Err(error) => return core.set_aside(job.id, &error),
    };
    let (end, body) = match job.state.exec {
        Exec::Queued => (End::Error, core.executor.unreadable(&call)),
        _ => (End::Unknown, core.executor.body(&call, End::Unknown)),
    };
    let ending = Ending {
        id: job.id,
        expect: Expect::Version(job.version),
        call: Arc::new(call),
        end,
        body,
        poisoned: false,
    };
    core.finish_surely(&ending).await;
}
