//! Which servers and queued jobs wait before another execution begins.
//!
//! Executions that could not be sent report here, and the scheduler asks. A job that waits is a row in the store and
//! holds no capacity. Invariant: in memory only, so that a new process tries everything at once; a server that could not
//! be reached is tried with one job until one gets through.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::id::JobId;
use crate::job::Key;

/// A trial that has not failed within this time has reached its server: it takes longer than a connection may.
const TRIAL: Duration = Duration::from_secs(6);
/// What is known of a job or a server is forgotten this long after its time.
const MEMORY: Duration = Duration::from_mins(10);

#[derive(Default)]
pub(super) struct Backoff(Mutex<State>);

#[derive(Default)]
struct State {
    servers: HashMap<Key, Wait>,
    jobs: HashMap<JobId, Wait>,
}

struct Wait {
    until: Instant,
    /// How often in a row.
    faults: u32,
    /// A trial has begun, and has not failed.
    on_trial: bool,
}

impl Wait {
    fn is_over(&self) -> bool {
        self.until <= Instant::now()
    }

    /// Adds one more fault; `wait` is by how many there were before.
    fn extend(known: Option<&Self>, wait: impl Fn(u32) -> Duration) -> Self {
        let faults = known.map_or(0, |known| known.faults);
        Self {
            until: Instant::now() + wait(faults),
            faults: faults.saturating_add(1),
            on_trial: false,
        }
    }
}

impl Backoff {
    /// A server could not be reached. Those that fail together count as one fault.
    pub(super) fn server(&self, server: Key, wait: impl Fn(u32) -> Duration) {
        let mut state = self.state();
        let known = state.servers.get(&server);
        if known.is_none_or(|known| known.is_over() || known.on_trial) {
            let extended = Wait::extend(known, wait);
            state.servers.insert(server, extended);
        }
    }

    /// A server was reached.
    pub(super) fn reached(&self, server: Key) {
        self.state().servers.remove(&server);
    }

    /// How many executions may begin on a server.
    pub(super) fn capacity(&self, server: Key) -> usize {
        let mut state = self.state();
        match state.servers.get(&server) {
            Some(wait) if !wait.is_over() => 0,
            Some(wait) if wait.on_trial => {
                state.servers.remove(&server);
                usize::MAX
            }
            Some(_) => 1,
            None => usize::MAX,
        }
    }

    /// An execution begins on a server: if that could not be reached, it is its trial.
    pub(super) fn begin(&self, server: Key) {
        if let Some(wait) = self.state().servers.get_mut(&server) {
            wait.until = Instant::now() + TRIAL;
            wait.on_trial = true;
        }
    }

    /// A job's server had no capacity for it.
    pub(super) fn job(&self, id: JobId, wait: impl Fn(u32) -> Duration) {
        let mut state = self.state();
        let extended = Wait::extend(state.jobs.get(&id), wait);
        state.jobs.insert(id, extended);
    }

    /// Whether a job has to wait.
    pub(super) fn is_waiting(&self, id: JobId) -> bool {
        let state = self.state();
        state.jobs.get(&id).is_some_and(|wait| !wait.is_over())
    }

    /// Until when a server is not tried again.
    pub(super) fn server_until(&self, server: Key) -> Option<Instant> {
        let state = self.state();
        let wait = state.servers.get(&server).filter(|wait| !wait.is_over());
        wait.map(|wait| wait.until)
    }

    /// Until when a job is not tried again.
    pub(super) fn job_until(&self, id: JobId) -> Option<Instant> {
        let state = self.state();
        let wait = state.jobs.get(&id).filter(|wait| !wait.is_over());
        wait.map(|wait| wait.until)
    }

    /// When the next job or server has waited long enough. Forgets what is long over.
    pub(super) fn next(&self) -> Option<Instant> {
        let mut state = self.state();
        let now = Instant::now();
        state.jobs.retain(|_, wait| wait.until + MEMORY > now);
        state.servers.retain(|_, wait| wait.until + MEMORY > now);
        let waits = state.jobs.values().chain(state.servers.values());
        waits.map(|wait| wait.until).filter(|until| *until > now).min()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::clock::Millis;

    const SERVER: Key = Key([1; 8]);

    fn seconds(faults: u32) -> Duration {
        Duration::from_secs(u64::from(faults) + 1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_cannot_be_reached_is_tried_with_one_job() {
        let backoff = Backoff::default();
        assert_eq!(backoff.capacity(SERVER), usize::MAX);
        backoff.server(SERVER, seconds);
        backoff.server(SERVER, seconds);
        assert_eq!(backoff.capacity(SERVER), 0);
        advance(seconds(0)).await;
        assert_eq!(backoff.capacity(SERVER), 1, "what failed together is one fault");
        backoff.begin(SERVER);
        assert_eq!(backoff.capacity(SERVER), 0);
        backoff.server(SERVER, seconds);
        advance(seconds(0)).await;
        assert_eq!(backoff.capacity(SERVER), 0, "longer each time");
        advance(seconds(0)).await;
        backoff.begin(SERVER);
        advance(TRIAL).await;
        assert_eq!(backoff.capacity(SERVER), usize::MAX, "the trial is under way");
        backoff.server(SERVER, seconds);
        assert_eq!(backoff.next(), Some(Instant::now() + seconds(0)));
        backoff.reached(SERVER);
        assert_eq!((backoff.capacity(SERVER), backoff.next()), (usize::MAX, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_waits_longer_each_time_and_is_forgotten() {
        let backoff = Backoff::default();
        let id = JobId::new(Millis(1), [1; 10]);
        backoff.job(id, seconds);
        backoff.job(id, seconds);
        advance(seconds(0)).await;
        assert!(backoff.is_waiting(id));
        advance(seconds(0)).await;
        assert!(!backoff.is_waiting(id));
        advance(MEMORY).await;
        assert_eq!(backoff.next(), None);
        assert!(backoff.state().jobs.is_empty());
    }
}
