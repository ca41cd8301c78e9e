//! Deliveries that get too old behind an open breaker: they end, although they are not attempted.
//!
//! The housekeeping calls it. Without it, the jobs of a receiver that never comes back would stay pending for ever, and
//! count against their clients' limits. Invariant: only attempts of this process open a breaker, so nothing expires
//! before its receiver was tried since the start.

use futures::future::join_all;

use super::core::Core;
use crate::id::JobId;
use crate::job::{Change, Expect, Job, Rank, Receiver};
use crate::state::{Category, Push};
use crate::store;

/// Jobs checked in one commit.
const ROWS: usize = 256;

/// Ends what is older than `maxAge` and waits for a breaker, oldest turn first.
pub(super) async fn run(core: &Core) -> Result<(), store::Error> {
    for receiver in core.receivers.shut() {
        for rank in Rank::ALL {
            while expire(core, receiver, rank).await? == ROWS && !core.is_stopping() {}
        }
    }
    Ok(())
}

async fn expire(core: &Core, receiver: Receiver, rank: Rank) -> Result<usize, store::Error> {
    let waiting = core.store.due(receiver, rank, core.now(), ROWS).await?;
    let buried = join_all(waiting.into_iter().map(|id| bury(core, id))).await;
    let buried = buried.into_iter().collect::<Result<Vec<bool>, _>>()?;
    Ok(buried.into_iter().filter(|buried| *buried).count())
}

/// Ends the job if it is too old, and still due as it was read. Returns whether it did.
async fn bury(core: &Core, id: JobId) -> Result<bool, store::Error> {
    let job = core.store.job(id).await?;
    let Some(job) = job.filter(|job| is_too_old(core, job)) else {
        return Ok(false);
    };
    let bury = Change::Bury {
        why: Category::Expired,
    };
    let expect = Expect::Version(job.version);
    let buried = core.apply(job.id, expect, vec![bury]).await?.job().is_some();
    if buried {
        core.metrics.dead(Category::Expired);
    }
    Ok(buried)
}

fn is_too_old(core: &Core, job: &Job) -> bool {
    let since = job.undelivered_since().unwrap_or(job.accepted);
    job.state.push == Push::Due && since.plus(core.policy().max_age) < core.now()
}
