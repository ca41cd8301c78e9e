//! The two ways an engine stops: the process shuts down, or the route is deleted.
//!
//! A process that shuts down delivers what is due for as long as it may: nobody knows when the next one starts.
//! Invariant: whatever is not finished is in the store, in a state from which the next process continues.

use std::time::Duration;

use tokio::time::Instant;

use super::core::Core;
use crate::store;

/// How long the last commits may take once everything is interrupted.
const LAST_COMMITS: Duration = Duration::from_secs(5);
/// How often a route that is being deleted checks whether anything is pending.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is checked whether anything can be sent.
const IDLE: Duration = Duration::from_millis(20);

/// How long a shutdown may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// Calls that run may go on for so long.
    pub calls: Duration,
    /// What is due is delivered for so long.
    pub deliveries: Duration,
}

/// The same for both.
impl From<Duration> for Grace {
    fn from(grace: Duration) -> Self {
        Self {
            calls: grace,
            deliveries: grace,
        }
    }
}

/// See [`super::Engine::drain`].
pub(super) async fn drain(core: &Core, grace: Grace) -> Result<(), store::Error> {
    let end = Instant::now() + grace.deliveries;
    core.close();
    core.stop.cancel();
    core.commands.close();
    core.executions.close();
    if tokio::time::timeout(grace.calls, core.executions.wait())
        .await
        .is_err()
    {
        core.cut_calls.cancel();
    }
    let _late = tokio::time::timeout_at(end, nothing_to_send(core)).await;
    core.last.cancel();
    core.attempts.close();
    if tokio::time::timeout_at(end, at_rest(core)).await.is_err() {
        core.cut_calls.cancel();
        core.cut.cancel();
        let _late = tokio::time::timeout(LAST_COMMITS, at_rest(core)).await;
    }
    core.store.close().await
}

/// Returns when no call runs, and nothing is being sent or could be sent now. What is due later is the next process's.
async fn nothing_to_send(core: &Core) {
    core.commands.wait().await;
    core.executions.wait().await;
    // A hint of a delivery that is due may still be on its way.
    let mut idle = 0;
    while idle < 2 {
        tokio::time::sleep(IDLE).await;
        let policy = core.policy();
        let is_busy = core.receivers.is_busy(core.now(), &policy.per_receiver);
        idle = if is_busy && policy.can_send() { 0 } else { idle + 1 };
    }
}

async fn at_rest(core: &Core) {
    core.loops.wait().await;
    core.commands.wait().await;
    core.executions.wait().await;
    core.attempts.wait().await;
}

/// See [`super::Engine::finish_deliveries`].
pub(super) async fn finish_deliveries(core: &Core) {
    core.close();
    while core.store.counts().pending() > 0 && !core.is_stopping() {
        tokio::time::sleep(LOOK).await;
    }
}
