//! Dead letters and stopped deliveries in a store without room: the client that uses the most pays with the bodies of its
//! oldest ones, so that the calls of all others are accepted.
//!
//! The housekeeping calls it after delivered results were deleted. Invariant: nothing is deleted before
//! [`crate::store::Space::excess`] says so, which is shortly before new jobs find no room.

use super::core::Core;
use crate::store::{self, Evict, Evicted};

/// Bodies per commit. Between two commits the next client may use the most.
const BODIES: usize = 64;

pub(super) async fn run(core: &Core) -> Result<(), store::Error> {
    while !core.is_stopping() {
        let evict = Evict {
            bytes: core.store.space().excess(),
            limit: BODIES,
            at: core.now(),
        };
        if evict.bytes == 0 {
            break;
        }
        match core.store.evict(evict).await? {
            Some(evicted) if evicted.jobs > 0 => report(core, evicted),
            _ => break,
        }
    }
    Ok(())
}

fn report(core: &Core, evicted: Evicted) {
    let Evicted { client, jobs, bytes } = evicted;
    core.metrics.evicted(jobs);
    let client = format!("{:016x}", u64::from_be_bytes(client.0));
    tracing::warn!(target: "asyncmcp::delivery", client, jobs, bytes, "the store has no room for new calls: the bodies of the oldest dead letters of the client that uses the most were deleted");
}
