//! The executions in progress, and what wakes the scheduler.
//!
//! Invariant: a job is in here from before its start is committed until its outcome is, so it is never
//! dispatched twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::holds::Hold;
use crate::id::JobId;
use crate::job::Key;

/// All executions in progress in this process.
#[derive(Default)]
pub(super) struct Running {
    jobs: Mutex<HashMap<JobId, Entry>>,
    changed: Notify,
}

struct Entry {
    server: Key,
    client: Key,
    /// The tools whose limit it counts against, if they have one of their own.
    tools: Option<Key>,
    cancel: CancellationToken,
}

/// One execution; dropping it frees capacity for the next.
pub(super) struct Execution {
    pub(super) id: JobId,
    /// Fires when the job is cancelled.
    pub(super) cancel: CancellationToken,
    running: Arc<Running>,
    _hold: Hold,
}

impl Running {
    /// Enters the job that is held; `None` if it is in already.
    pub(super) fn enter(
        self: &Arc<Self>,
        hold: Hold,
        (server, client): (Key, Key),
        tools: Option<Key>,
    ) -> Option<Execution> {
        let id = hold.id;
        let mut jobs = self.jobs();
        if jobs.contains_key(&id) {
            return None;
        }
        let cancel = CancellationToken::new();
        let entry = Entry {
            server,
            client,
            tools,
            cancel: cancel.clone(),
        };
        jobs.insert(id, entry);
        Some(Execution {
            id,
            cancel,
            running: Arc::clone(self),
            _hold: hold,
        })
    }

    /// Aborts a job's execution, if it is in progress.
    pub(super) fn cancel(&self, id: JobId) {
        if let Some(entry) = self.jobs().get(&id) {
            entry.cancel.cancel();
        }
    }

    /// How many run on `server`.
    pub(super) fn on(&self, server: Key) -> usize {
        self.jobs()
            .values()
            .filter(|entry| entry.server == server)
            .count()
    }

    /// How many of a client's run, on `server` and in all.
    pub(super) fn of_client(&self, client: Key, server: Key) -> (usize, usize) {
        let jobs = self.jobs();
        let of_client = jobs.values().filter(|entry| entry.client == client);
        let on_server = of_client.clone().filter(|entry| entry.server == server);
        (on_server.count(), of_client.count())
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

    /// Wakes the scheduler: a job is queued, or there is capacity for an execution.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Returns when the loop was woken.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.running.jobs().remove(&self.id);
        self.running.wake();
    }
}
