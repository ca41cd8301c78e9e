//! Passes each hint to the loop that waits for it.
//!
//! One loop of the engine. Invariant: it waits for hints only, so that a slow store or receiver delays none.

use std::sync::Arc;

use super::core::Core;
use super::hints::Hint;

/// Dispatches hints until the engine stops.
pub(super) async fn run(core: &Arc<Core>) {
    let Some(mut hints) = core.hints.receiver() else {
        return;
    };
    while let Some(Some(hint)) = core.last.run_until_cancelled(hints.recv()).await {
        match hint {
            Hint::Queued => core.running.wake(),
            Hint::Due(receiver, rank, at, client) => {
                core.receivers.schedule(receiver, rank, at, Some(client));
            }
            Hint::Stopped(id) => core.holds.stop(id),
            Hint::Cancelled(id) => core.running.cancel(id),
            Hint::Ended(id) => core.hints.ended(id),
        }
    }
}
