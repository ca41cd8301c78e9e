//! Jobs of which the store cannot read a part, and that end as dead letters.
//!
//! Attempts come here; [`super::unreadable`] does for calls that have not ended. A value whose key is missing waits for the
//! key, which the next process may have; damaged values never come back. Invariant: one such job holds up no other.

use super::core::Core;
use super::last_hour::Event;
use crate::id::JobId;
use crate::job::{Applied, Change, Expect, Job};
use crate::state::{Category, Push};
use crate::store;

/// Buries a delivery whose call or body cannot be read, or sets it aside for the next process.
pub(super) async fn handle(core: &Core, id: JobId, error: &store::Error) {
    if let Some(job) = damaged(core, id, error).await {
        bury(core, &job, Vec::new()).await;
    }
}

/// The job, if it is damaged; else it is set aside.
pub(super) async fn damaged(core: &Core, id: JobId, error: &store::Error) -> Option<Job> {
    match core.read(|| core.store.job(id)).await {
        Ok(Some(job)) if matches!(error, store::Error::Corrupt(_)) => {
            let webhook_id = id.webhook_id();
            tracing::error!(target: "asyncmcp::delivery", %error, webhook_id, state = job.state.stage().as_str(), "a job is damaged in the store: ending it");
            Some(job)
        }
        _ => {
            core.set_aside(id, error);
            None
        }
    }
}

/// Makes it a dead letter, after these `changes`; a job without a receiver just ends.
pub(super) async fn bury(core: &Core, job: &Job, mut changes: Vec<Change>) {
    let why = Category::Corrupt;
    let dies = job.receiver.is_some() && !matches!(job.state.push, Push::Dead(_));
    changes.extend(dies.then_some(Change::Bury { why }));
    let expect = Expect::Version(job.version);
    let applied = core.apply_surely(job.id, expect, changes).await;
    if dies && matches!(applied, Some(Applied::Applied(_))) {
        core.metrics.dead(why);
        core.last_hour.note(Event::Dead, core.now());
    }
}
