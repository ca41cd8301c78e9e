//! Which jobs this process is working on, so that the reconciler resumes only what nothing holds.
//!
//! Executions, attempts and commands take a [`Hold`] before their first commit. Invariant: a job is held from
//! before its claim until the claiming task has committed its outcome, or died.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::id::JobId;

/// The jobs that are held, and those that are set aside.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many hold each job: an execution still holds it when its attempt begins.
    held: HashMap<JobId, u32>,
    /// The attempts in progress, each by its claim.
    attempts: HashMap<(JobId, u32), CancellationToken>,
    /// Jobs that cannot be read in this process's life; the next one tries again.
    set_aside: HashSet<JobId>,
}

/// A job is being worked on; dropping it ends that.
pub(super) struct Hold {
    holds: Arc<Holds>,
    pub(super) id: JobId,
    /// The claim, if this is an attempt.
    attempt: Option<u32>,
    stopped: CancellationToken,
}

impl Holds {
    /// Holds a job.
    pub(super) fn take(self: &Arc<Self>, id: JobId) -> Hold {
        *self.state().held.entry(id).or_default() += 1;
        Hold {
            holds: Arc::clone(self),
            id,
            attempt: None,
            stopped: CancellationToken::new(),
        }
    }

    /// Holds a job for the attempt that was claimed as `run`; `None` if that attempt is in progress already.
    pub(super) fn take_attempt(self: &Arc<Self>, id: JobId, run: u32) -> Option<Hold> {
        let mut hold = self.take(id);
        match self.state().attempts.entry((id, run)) {
            Entry::Occupied(_) => return None,
            Entry::Vacant(entry) => entry.insert(hold.stopped.clone()),
        };
        hold.attempt = Some(run);
        Some(hold)
    }

    /// Interrupts the attempts of a job.
    pub(super) fn stop(&self, id: JobId) {
        for ((_, _), stopped) in self.state().attempts.iter().filter(|((of, _), _)| *of == id) {
            stopped.cancel();
        }
    }

    /// Whether a job is being worked on, or is set aside.
    pub(super) fn has(&self, id: JobId) -> bool {
        let state = self.state();
        state.held.contains_key(&id) || state.set_aside.contains(&id)
    }

    /// Ignores a job for as long as this process lives. Returns whether it was not set aside before.
    pub(super) fn set_aside(&self, id: JobId) -> bool {
        self.state().set_aside.insert(id)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Returns when the delivery was stopped during this attempt.
    pub(super) async fn stopped(&self) {
        self.stopped.cancelled().await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.holds.state();
        if let Some(run) = self.attempt {
            state.attempts.remove(&(self.id, run));
        }
        match state.held.get_mut(&self.id) {
            Some(holders) if *holders > 1 => *holders -= 1,
            _ => drop(state.held.remove(&self.id)),
        }
    }
}
