//! The store of a route with `store.memory`, and the model that other stores are tested
//! against: everything in ordered maps behind one lock.
//!
//! Invariant: what it answers is what [`Job::after`] and [`Job::rows`] say, and nothing of it
//! outlives the process.

mod index;
mod room;
mod scan;
mod sweep;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use self::index::Index;
use super::lanes::Lanes;
use super::metrics::Metrics;
use super::scan::Found;
use super::{Acceptance, Counts, Error, Scan, SessionRow, Space, Store, Sweep};
use crate::clock::Millis;
use crate::history::Entry;
use crate::id::JobId;
use crate::job::{Call, Change, Job, Key, NewJob, Rank};

/// A store that forgets everything when it is dropped.
#[derive(Debug)]
pub struct Memory {
    state: Mutex<State>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct State {
    jobs: BTreeMap<JobId, Record>,
    dedupe: BTreeMap<[u8; 32], JobId>,
    index: Index,
    sessions: BTreeMap<[u8; 16], SessionRow>,
    expiring: BTreeSet<(Millis, [u8; 16])>,
    counts: Counts,
    /// How many jobs of each client are pending; no client with none.
    pending: BTreeMap<Key, u64>,
    lanes: Lanes,
    /// What all records weigh.
    taken: u64,
    budget: Option<u64>,
    high_water: Millis,
    closed: bool,
}

#[derive(Debug)]
struct Record {
    job: Job,
    call: Call,
    fingerprint: [u8; 32],
    params: Option<Bytes>,
    body: Option<Bytes>,
    handle: Option<Bytes>,
    history: VecDeque<(u32, Entry)>,
}

impl Memory {
    /// An empty store without bounds that reports to `metrics`.
    pub fn new(metrics: Metrics) -> Self {
        Self::bounded(None, metrics)
    }

    /// An empty store that may take so many bytes.
    pub fn bounded(budget: Option<u64>, metrics: Metrics) -> Self {
        metrics.set_up(true);
        let state = State {
            budget,
            ..State::default()
        };
        metrics.set_space(&state.space());
        Self {
            state: Mutex::new(state),
            metrics,
        }
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.lock();
        if state.closed {
            return Err(Error::Down("it was closed".to_owned()));
        }
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Changes something under the lock and reports it as a commit of one.
    fn commit<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T, Error> {
        let mut state = self.open()?;
        let answer = change(&mut state);
        self.metrics.committed(1);
        self.metrics.set_jobs(&state.counts);
        self.metrics.set_space(&state.space());
        Ok(answer)
    }
}

impl State {
    fn accept(&mut self, new: NewJob) -> Result<Acceptance, Error> {
        if let Some(id) = self.dedupe.get(&new.dedupe.key).copied() {
            let same = self.jobs[&id].fingerprint == new.dedupe.fingerprint;
            return Ok(if same {
                Acceptance::Same(id)
            } else {
                Acceptance::Conflict(id)
            });
        }
        if self.jobs.contains_key(&new.id) {
            return Err(Error::Corrupt(format!("there is a job {} already", new.id)));
        }
        let job = Job::accepted(&new);
        if self.pending_of(job.client) >= new.max_pending {
            return Ok(Acceptance::ClientFull);
        }
        if self.lanes.queued_for(job.server) >= new.max_queued {
            return Ok(Acceptance::ServerFull);
        }
        let record = Record {
            job,
            call: new.call,
            fingerprint: new.dedupe.fingerprint,
            params: Some(new.params),
            body: None,
            handle: None,
            history: VecDeque::new(),
        };
        if !self.space().holds_job(record.weight()) {
            return Ok(Acceptance::Full);
        }
        self.dedupe.insert(new.dedupe.key, new.id);
        self.file(None, Some(&record.job));
        self.passed(new.at);
        self.taken += record.weight();
        self.jobs.insert(new.id, record);
        Ok(Acceptance::New(new.id))
    }

    fn apply(&mut self, id: JobId, changes: Vec<Change>, now: Millis) -> Option<Job> {
        let record = self.jobs.get_mut(&id)?;
        let after = record.job.after_all(&changes, now)?;
        self.taken -= record.weight();
        let before = std::mem::replace(&mut record.job, after.clone());
        let mut noted = false;
        for change in changes {
            match change {
                Change::Finish { body, .. } => {
                    record.params = None;
                    record.body = Some(body);
                }
                Change::Handle { handle } => {
                    record.handle = Some(handle);
                    noted = true;
                }
                Change::Note(entry) => {
                    record.note(entry);
                    noted = true;
                }
                _ => {}
            }
        }
        if !after.has_handle {
            record.handle = None;
        }
        self.taken += record.weight();
        if before.names.len() < after.names.len() {
            for name in &after.names {
                self.dedupe.entry(*name).or_insert(id);
            }
        }
        if noted || before != after {
            self.file(Some(&before), Some(&after));
            self.passed(now);
        }
        Some(after)
    }

    fn swap_session(&mut self, sid: [u8; 16], row: SessionRow) -> bool {
        let before = self.sessions.get(&sid);
        if before.map_or(0, |row| row.version).checked_add(1) != Some(row.version) {
            return false;
        }
        if let Some(before) = before {
            self.expiring.remove(&(before.expires, sid));
        }
        self.expiring.insert((row.expires, sid));
        self.sessions.insert(sid, row);
        true
    }

    /// Moves a job's index rows and its place in the counts.
    fn file(&mut self, before: Option<&Job>, after: Option<&Job>) {
        if let Some(job) = before {
            self.index.remove(job);
        }
        if let Some(job) = after {
            self.index.insert(job);
        }
        self.counts
            .shift(before.map(|job| job.state), after.map(|job| job.state));
        self.lanes.shift(before, after);
        let pending = |job: Option<&Job>| Some(job?.client).filter(|_| job.is_some_and(Job::is_pending));
        match (pending(before), pending(after)) {
            (None, Some(client)) => *self.pending.entry(client).or_default() += 1,
            (Some(client), None) => self.one_less(client),
            _ => {}
        }
    }

    fn one_less(&mut self, client: Key) {
        match self.pending_of(client) {
            0 | 1 => drop(self.pending.remove(&client)),
            more => drop(self.pending.insert(client, more - 1)),
        }
    }

    fn pending_of(&self, client: Key) -> u64 {
        self.pending.get(&client).copied().unwrap_or(0)
    }

    fn passed(&mut self, now: Millis) {
        self.high_water = self.high_water.max(now);
    }
}

#[async_trait]
impl Store for Memory {
    async fn accept(&self, job: NewJob) -> Result<Acceptance, Error> {
        self.commit(|state| state.accept(job))?
    }

    async fn apply(&self, id: JobId, changes: Vec<Change>, now: Millis) -> Result<Option<Job>, Error> {
        self.commit(|state| state.apply(id, changes, now))
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, Error> {
        Ok(self.open()?.jobs.get(&id).map(|record| record.job.clone()))
    }

    async fn call(&self, id: JobId) -> Result<Option<Call>, Error> {
        Ok(self.open()?.jobs.get(&id).map(|record| record.call.clone()))
    }

    async fn params(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        Ok(self
            .open()?
            .jobs
            .get(&id)
            .and_then(|record| record.params.clone()))
    }

    async fn body(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        Ok(self.open()?.jobs.get(&id).and_then(|record| record.body.clone()))
    }

    async fn handle(&self, id: JobId) -> Result<Option<Bytes>, Error> {
        Ok(self
            .open()?
            .jobs
            .get(&id)
            .and_then(|record| record.handle.clone()))
    }

    async fn find(&self, dedupe: [u8; 32]) -> Result<Option<JobId>, Error> {
        Ok(self.open()?.dedupe.get(&dedupe).copied())
    }

    async fn lanes(&self) -> Result<Vec<Key>, Error> {
        Ok(self.open()?.index.lanes())
    }

    async fn next_queued(&self, server: Key, after: Option<Key>) -> Result<Option<(Key, JobId)>, Error> {
        Ok(self.open()?.index.next_queued(server, after))
    }

    async fn queued(&self, server: Key, client: Key, limit: usize) -> Result<Vec<JobId>, Error> {
        Ok(self.open()?.index.queued(server, client, limit))
    }

    async fn pending_of(&self, client: Key) -> Result<u64, Error> {
        Ok(self.open()?.pending_of(client))
    }

    async fn inflight(&self) -> Result<Vec<Job>, Error> {
        let state = self.open()?;
        let jobs = state.index.inflight().map(|id| state.jobs[&id].job.clone());
        Ok(jobs.collect())
    }

    async fn receivers(&self) -> Result<Vec<(Key, Rank, Millis)>, Error> {
        Ok(self.open()?.index.receivers())
    }

    async fn due(&self, receiver: Key, rank: Rank, now: Millis, limit: usize) -> Result<Vec<JobId>, Error> {
        Ok(self.open()?.index.due(receiver, rank, now, limit))
    }

    async fn next_due(&self, receiver: Key, rank: Rank) -> Result<Option<Millis>, Error> {
        Ok(self.open()?.index.next_due(receiver, rank))
    }

    async fn scan(&self, scan: Scan) -> Result<Found, Error> {
        self.open()?.scan(&scan)
    }

    async fn history(&self, id: JobId) -> Result<Vec<(u32, Entry)>, Error> {
        Ok(self.open()?.history(id))
    }

    async fn oldest_waiting(&self) -> Result<Option<Millis>, Error> {
        Ok(self.open()?.index.oldest_waiting())
    }

    async fn sweep(&self, sweep: Sweep) -> Result<usize, Error> {
        self.commit(|state| state.sweep(&sweep))
    }

    async fn reclaim(&self, limit: usize) -> Result<usize, Error> {
        self.commit(|state| state.reclaim(limit))
    }

    fn space(&self) -> Space {
        self.lock().space()
    }

    fn counts(&self) -> Counts {
        self.lock().counts
    }

    fn is_up(&self) -> bool {
        !self.lock().closed
    }

    fn high_water(&self) -> Millis {
        self.lock().high_water
    }

    async fn session(&self, sid: [u8; 16]) -> Result<Option<SessionRow>, Error> {
        Ok(self.open()?.sessions.get(&sid).cloned())
    }

    async fn swap_session(&self, sid: [u8; 16], row: SessionRow) -> Result<bool, Error> {
        self.commit(|state| state.swap_session(sid, row))
    }

    async fn close(&self) -> Result<(), Error> {
        self.lock().closed = true;
        self.metrics.set_up(false);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
