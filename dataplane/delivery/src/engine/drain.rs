//! The two ways an engine stops: the process shuts down, or the route is deleted.
//!
//! Invariant: whatever is not finished is in the store, in a state from which the next process continues.

use std::time::Duration;

use super::core::Core;
use crate::store;

/// How long the last commits may take once everything is interrupted.
const LAST_COMMITS: Duration = Duration::from_secs(5);
/// How often a route that is being deleted checks whether anything is pending.
const LOOK: Duration = Duration::from_millis(200);

/// See [`super::Engine::drain`].
pub(super) async fn drain(core: &Core, grace: Duration) -> Result<(), store::Error> {
    core.close();
    core.stop.cancel();
    core.commands.close();
    core.executions.close();
    core.attempts.close();
    if tokio::time::timeout(grace, at_rest(core)).await.is_err() {
        core.cut.cancel();
        let _late = tokio::time::timeout(LAST_COMMITS, at_rest(core)).await;
    }
    core.store.close().await
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
