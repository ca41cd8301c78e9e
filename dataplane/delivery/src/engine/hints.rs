//! Hints: what happened in the store that another part of the engine waits for.
//!
//! The code that committed sends one; `dispatch` passes it on. Invariant: polling finds everything that a hint reports,
//! so a lost hint costs time and nothing else.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{broadcast, mpsc};

use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Key, Rank, Receiver};

/// How many endings a waiter may fall behind by before it has to poll.
const ENDINGS: usize = 256;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// A job is queued, or there is capacity for an execution.
    Queued,
    /// A client's delivery is due for a receiver.
    Due(Receiver, Rank, Millis, Key),
    /// An administrator stopped a delivery.
    Stopped(JobId),
    /// A job's outcome is that it was cancelled.
    Cancelled(JobId),
    /// A job's call ended.
    Ended(JobId),
}

/// Where hints are sent and received, and where endings are published.
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

    /// Sends a hint. It is dropped once the engine has stopped.
    pub(super) fn send(&self, hint: Hint) {
        let _stopped = self.sender.send(hint);
    }

    /// What was sent; the first caller gets it.
    pub(super) fn receiver(&self) -> Option<mpsc::UnboundedReceiver<Hint>> {
        self.receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Publishes that a call ended.
    pub(super) fn ended(&self, id: JobId) {
        let _nobody_waits = self.endings.send(id);
    }
}
