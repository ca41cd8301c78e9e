//! Housekeeping by the clock: what is over and old goes, and the age of the oldest delivery is told.
//!
//! Invariant: bounded steps, so that a great sweep never holds up the jobs' own commits.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::core::Core;
use super::expire;
use crate::clock::Millis;
use crate::store::{self, Sweep};

const TICK: Duration = Duration::from_secs(5);
/// Ticks between sweeps.
const SWEEP_EVERY: u32 = 6;
/// Rows per commit.
const ROWS: usize = 512;

/// Keeps house until the engine stops. A store that is down is only left for later.
pub(super) async fn run(core: &Core) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0u32.. {
        tokio::select! {
            biased;
            () = core.stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        tell_oldest(core).await;
        if let Err(error) = reclaim(core).await {
            tracing::warn!(target: "asyncmcp::delivery", %error, "cannot make room");
        }
        core.metrics.open_breakers(core.receivers.open_breakers());
        if tick % SWEEP_EVERY == 0
            && let Err(error) = sweep(core).await
        {
            tracing::warn!(target: "asyncmcp::delivery", %error, "cannot sweep");
        }
    }
}

/// Tells the age of the oldest result that is not delivered.
pub(super) async fn tell_oldest(core: &Core) {
    if let Ok(oldest) = core.store.oldest_waiting().await {
        let age = oldest.map(|since| core.now().since(since));
        core.metrics.oldest_pending(age.unwrap_or_default());
    }
}

/// Gives delivered results back before their time while the store is crowded.
async fn reclaim(core: &Core) -> Result<(), store::Error> {
    let mut given = 0;
    while core.store.space().is_crowded() && !core.is_stopping() {
        let more = core.store.reclaim(ROWS).await?;
        given += more;
        if more < ROWS {
            break;
        }
    }
    if given > 0 {
        tracing::warn!(target: "asyncmcp::delivery", given, "the store is crowded: delivered results were given back");
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
