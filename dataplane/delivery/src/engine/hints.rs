//! Hints: what happened in the store that somebody else waits for.
//!
//! Whoever committed sends one, one loop hands it to those who wait. Invariant: a hint is only a hint; whatever
//! it tells is found by polling, too, so that one that is lost costs time and nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{broadcast, mpsc};

use super::core::Core;
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Key, Rank};

/// Endings that somebody who waits may fall behind by, before polling finds them.
const ENDINGS: usize = 256;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// A job is queued, or an execution has room.
    Queued,
    /// A delivery is due for a receiver.
    Due(Key, Rank, Millis),
    /// An administrator stopped a delivery.
    Stopped(JobId),
    /// A job's outcome is that it was cancelled.
    Cancelled(JobId),
    /// A job's call ended.
    Ended(JobId),
}

/// Where hints are sent, and where endings are heard of.
pub(super) struct Hints {
    sender: mpsc::UnboundedSender<Hint>,
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Hint>>>,
    endings: broadcast::Sender<JobId>,
}

impl Default for Hints {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            endings: broadcast::Sender::new(ENDINGS),
        }
    }
}

impl Hints {
    /// The calls that end from here on.
    pub(super) fn endings(&self) -> broadcast::Receiver<JobId> {
        self.endings.subscribe()
    }
}

impl Core {
    /// Sends a hint. Nobody hears it once the engine has stopped, and nobody needs to.
    pub(super) fn hint(&self, hint: Hint) {
        let _stopped = self.hints.sender.send(hint);
    }
}

/// Hands hints on until the engine stops.
pub(super) async fn run(core: &Arc<Core>) {
    let receiver = core
        .hints
        .receiver
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let Some(mut receiver) = receiver else { return };
    while let Some(Some(hint)) = core.stop.run_until_cancelled(receiver.recv()).await {
        match hint {
            Hint::Queued => core.running.wake(),
            Hint::Due(receiver, rank, at) => core.receivers.schedule(receiver, rank, at),
            Hint::Stopped(id) => core.holds.stop(id),
            Hint::Cancelled(id) => core.running.cancel(id),
            Hint::Ended(id) => drop(core.hints.endings.send(id)), // an error: nobody waits
        }
    }
}
