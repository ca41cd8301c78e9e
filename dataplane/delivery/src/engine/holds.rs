//! Which jobs this process is working on, so that the reconciler resumes only what nothing holds.
//!
//! Executions, attempts and commands take a [`Hold`] before their first commit. Invariant: a job is held from
//! before its claim until the claiming task has committed its outcome, or died.

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
    attempts: HashMap<(JobId, u32), Signals>,
    /// Jobs that cannot be read in this process's life; the next one tries again.
    set_aside: HashSet<JobId>,
}

/// How an attempt is interrupted, and how its end is known.
#[derive(Clone, Debug, Default)]
struct Signals {
    stopped: CancellationToken,
    ended: CancellationToken,
}

/// A job is being worked on; dropping it ends that.
pub(super) struct Hold {
    holds: Arc<Holds>,
    pub(super) id: JobId,
    /// The claim, if this is an attempt.
    attempt: Option<u32>,
    signals: Signals,
    /// The end of each attempt of this job that an earlier claim began.
    earlier: Vec<CancellationToken>,
}

impl Holds {
    /// Holds a job.
    pub(super) fn take(self: &Arc<Self>, id: JobId) -> Hold {
        *self.state().held.entry(id).or_default() += 1;
        Hold {
            holds: Arc::clone(self),
            id,
            attempt: None,
            signals: Signals::default(),
            earlier: Vec::new(),
        }
    }

    /// Holds a job for the attempt that was claimed as `run`; `None` if that attempt is in progress already. The claim
    /// ended any earlier one, so an attempt that is still in progress under it is interrupted.
    pub(super) fn take_attempt(self: &Arc<Self>, id: JobId, run: u32) -> Option<Hold> {
        let mut hold = self.take(id);
        let mut state = self.state();
        if state.attempts.contains_key(&(id, run)) {
            drop(state); // before the hold, which locks it again
            return None;
        }
        hold.earlier = state.stop(id);
        hold.attempt = Some(run);
        state.attempts.insert((id, run), hold.signals.clone());
        drop(state);
        Some(hold)
    }

    /// Interrupts the attempts of a job.
    pub(super) fn stop(&self, id: JobId) {
        self.state().stop(id);
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

impl State {
    /// Interrupts the attempts of a job; returns what signals the end of each.
    fn stop(&self, id: JobId) -> Vec<CancellationToken> {
        let attempts = self.attempts.iter().filter(|((of, _), _)| *of == id);
        let stop = |signals: &Signals| {
            signals.stopped.cancel();
            signals.ended.clone()
        };
        attempts.map(|(_, signals)| stop(signals)).collect()
    }
}

impl Hold {
    /// Returns when the delivery was stopped during this attempt.
    pub(super) async fn stopped(&self) {
        self.signals.stopped.cancelled().await;
    }

    /// Returns when no earlier attempt of this job is in progress.
    pub(super) async fn is_alone(&self) {
        for ended in &self.earlier {
            ended.cancelled().await;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.holds.state();
        if let Some(run) = self.attempt {
            state.attempts.remove(&(self.id, run));
        }
        self.signals.ended.cancel();
        match state.held.get_mut(&self.id) {
            Some(holders) if *holders > 1 => *holders -= 1,
            _ => drop(state.held.remove(&self.id)),
        }
    }
}
