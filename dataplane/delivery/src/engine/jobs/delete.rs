//! Deleting jobs that are over, with all that is kept of them.
//!
//! The data plane's jobs API calls it. Invariant: a call that has not ended, and a delivery that may still succeed by
//! itself, are never deleted.

use std::sync::Arc;

use futures::future::join_all;

use super::{ActError, Bulk, Query, count, done};
use crate::engine::core::Core;
use crate::engine::{Engine, log};
use crate::id::JobId;
use crate::job::{Applied, Job};
use crate::store;
use crate::store::scan::Cursor;

impl Engine {
    /// Deletes a job that is delivered, dead, stopped, or over without a delivery. The same call, sent once more, is a new
    /// call. Returns the job as it was.
    pub async fn delete(&self, id: JobId) -> Result<Job, ActError> {
        self.detached(move |core| async move { delete(&core, id).await })
            .await
    }

    /// Deletes the dead letters of a query, or what it asks for, at most `limit` at a time and the newest first. Following
    /// the cursor comes to an end.
    pub async fn delete_all(
        &self,
        query: &Query,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Bulk, store::Error> {
        let (ids, next) = self.dead_or_as_asked(query, after, limit).await?;
        let delete_each = |core: Arc<Core>| async move {
            let deleted = join_all(ids.into_iter().map(|id| delete(&core, id))).await;
            count(deleted)
        };
        let changed = self.detached(delete_each).await?;
        Ok(Bulk { changed, next })
    }
}

async fn delete(core: &Core, id: JobId) -> Result<Job, ActError> {
    let job = done(remove(core, id).await?)?;
    log::acted(&core.policy(), &job, "deleted");
    Ok(job)
}

/// What it returns is durable, also when the commit reported failure.
async fn remove(core: &Core, id: JobId) -> Result<Applied, store::Error> {
    loop {
        let before = core.store.job(id).await?;
        let removed = core.store.remove(id, core.stamp()).await;
        let Err(error @ store::Error::Unknown(_)) = removed else {
            return removed.inspect(|removed| core.heed(matches!(removed, Applied::Fenced)));
        };
        tracing::warn!(target: "asyncmcp::delivery", %error, job = %id, "a commit reported failure: reading whether it happened");
        if core.read(|| core.store.job(id)).await?.is_none() {
            return Ok(before.map_or(Applied::Gone, Applied::Applied));
        }
    }
}
