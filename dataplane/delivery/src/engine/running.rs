//! The executions under way, and the bell that wakes the execution loop.
//!
//! Invariant: a job is in here from before its start is committed until its outcome is, so it is never
//! dispatched twice.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::id::JobId;
use crate::job::Key;

/// All executions under way in this process.
#[derive(Default)]
pub(super) struct Running {
    jobs: Mutex<HashMap<JobId, Entry>>,
    /// Jobs that cannot be read until a key is back; another process tries again.
    parked: Mutex<HashSet<JobId>>,
    bell: Notify,
}

struct Entry {
    server: Key,
    /// The tools whose room it takes, where they have a limit of their own.
    tools: Option<Key>,
    cancel: CancellationToken,
}

/// One execution; dropping it makes room for the next.
pub(super) struct Execution {
    pub(super) id: JobId,
    /// Fires when the job is cancelled.
    pub(super) cancel: CancellationToken,
    running: Arc<Running>,
}

impl Running {
    /// Enters a job; `None` if it is in already.
    pub(super) fn enter(self: &Arc<Self>, id: JobId, server: Key, tools: Option<Key>) -> Option<Execution> {
        let mut jobs = self.jobs();
        if jobs.contains_key(&id) {
            return None;
        }
        let cancel = CancellationToken::new();
        let entry = Entry {
            server,
            tools,
            cancel: cancel.clone(),
        };
        jobs.insert(id, entry);
        Some(Execution {
            id,
            cancel,
            running: Arc::clone(self),
        })
    }

    /// Aborts a job's execution, if it is under way.
    pub(super) fn cancel(&self, id: JobId) {
        if let Some(entry) = self.jobs().get(&id) {
            entry.cancel.cancel();
        }
    }

    /// Leaves a job in the queue for as long as this process lives. Its client's later jobs wait behind it.
    pub(super) fn park(&self, id: JobId) {
        self.parked().insert(id);
    }

    /// Whether a job is in, or parked.
    pub(super) fn contains(&self, id: JobId) -> bool {
        self.jobs().contains_key(&id) || self.parked().contains(&id)
    }

    /// How many run on `server`.
    pub(super) fn on(&self, server: Key) -> usize {
        self.jobs()
            .values()
            .filter(|entry| entry.server == server)
            .count()
    }

    /// How many run of `tools`, which share a limit.
    pub(super) fn of(&self, tools: Key) -> usize {
        let jobs = self.jobs();
        jobs.values().filter(|entry| entry.tools == Some(tools)).count()
    }

    /// How many run in all.
    pub(super) fn total(&self) -> usize {
        self.jobs().len()
    }

    /// Wakes the execution loop: a job was queued.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Returns when a job was queued or room came free.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    fn parked(&self) -> MutexGuard<'_, HashSet<JobId>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.running.jobs().remove(&self.id);
        self.running.ring();
    }
}
