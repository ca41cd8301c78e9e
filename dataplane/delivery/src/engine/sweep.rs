//! Periodic housekeeping: removes what is over and old, and reports the age of the oldest delivery.
//!
//! One loop of the engine. Invariant: bounded steps, so that a large sweep never holds up the jobs' own commits.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::core::Core;
use super::{evict, expire};
use crate::clock::Millis;
use crate::state::{Exec, Stage};
use crate::store::{self, Sweep};

const TICK: Duration = Duration::from_secs(5);
/// Ticks between sweeps.
const SWEEP_EVERY: u32 = 6;
/// Rows per commit.
const ROWS: usize = 512;

/// Runs until the engine stops. If the store is down, the next tick tries again.
pub(super) async fn run(core: &Core) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0u32.. {
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        report_oldest(core).await;
        if let Err(error) = reclaim(core).await {
            tracing::warn!(target: "asyncmcp::delivery", %error, "failed to delete delivered results early");
        } else if let Err(error) = evict::run(core).await {
            tracing::warn!(target: "asyncmcp::delivery", %error, "failed to delete the bodies of dead letters");
        }
        core.metrics.open_breakers(core.receivers.open_breakers());
        core.last_hour.count(core.store.counts(), core.now());
        if tick % SWEEP_EVERY == 0
            && let Err(error) = sweep(core).await
        {
            tracing::warn!(target: "asyncmcp::delivery", %error, "failed to remove expired jobs");
        }
    }
}

/// Reports the age of the oldest job in each state in which something has to happen to it; that of undelivered results is
/// there at once.
pub(super) async fn report_oldest(core: &Core) {
    core.metrics.longest_timeout(core.policy().longest_timeout);
    let Ok(waiting) = core.store.oldest_waiting().await else {
        return;
    };
    report(core, Stage::Due, waiting);
    let Ok(in_flight) = core.store.in_flight().await else {
        return;
    };
    let (running, sending): (Vec<_>, Vec<_>) =
        in_flight.iter().partition(|job| job.state.exec == Exec::Running);
    report(
        core,
        Stage::Running,
        running.iter().filter_map(|job| job.started).min(),
    );
    let sent = sending.iter().filter_map(|job| job.undelivered_since());
    report(core, Stage::Sending, sent.min());
    if let Ok(queued) = core.store.oldest_queued().await {
        report(core, Stage::Queued, queued);
    }
}

fn report(core: &Core, stage: Stage, since: Option<Millis>) {
    let age = since.map(|since| core.now().since(since));
    core.metrics.oldest_pending(stage, age.unwrap_or_default());
}

/// Deletes delivered results early while the store is crowded.
async fn reclaim(core: &Core) -> Result<(), store::Error> {
    let mut deleted = 0;
    while core.store.space().is_crowded() && !core.is_stopping() {
        let more = core.store.reclaim(ROWS).await?;
        deleted += more;
        if more < ROWS {
            break;
        }
    }
    if deleted > 0 {
        tracing::warn!(target: "asyncmcp::delivery", deleted, "the store is above 60 % of its budget: delivered results were deleted early");
    }
    Ok(())
}

async fn sweep(core: &Core) -> Result<(), store::Error> {
    expire::run(core).await?;
    loop {
        let (now, policy) = (core.now(), core.policy());
        let sweep = Sweep {
            now,
            settled_before: before(now, policy.result_retention),
            dead_before: before(now, policy.dead_retention),
            limit: ROWS,
        };
        if core.store.sweep(sweep).await? < ROWS || core.is_stopping() {
            return Ok(());
        }
    }
}

fn before(now: Millis, age: Duration) -> Millis {
    Millis::default().plus(now.since(Millis::default().plus(age)))
}
