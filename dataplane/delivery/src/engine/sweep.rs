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
            () = core.stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        tell_oldest(core).await;
        core.metrics.open_breakers(core.receivers.open_breakers());
        if tick % SWEEP_EVERY == 0
            && let Err(error) = sweep(core).await
        {
            tracing::warn!(target: "asyncmcp::delivery", %error, "cannot sweep");
        }
    }
}

async fn tell_oldest(core: &Core) {
    if let Ok(oldest) = core.store.oldest_waiting().await {
        let age = oldest.map(|since| core.now().since(since));
        core.metrics.oldest_pending(age.unwrap_or_default());
    }
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
