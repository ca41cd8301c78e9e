//! The store of a route with `store.memory`, and the model that other stores are tested
//! against: everything in ordered maps behind one lock.
//!
//! Invariant: it does what [`Job::after_step`] and [`Job::rows`] say, and nothing of it outlives the process.

mod index;
mod notify;
mod roles;
mod room;
mod scan;
mod sweep;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;

use self::index::Index;
use super::metrics::Metrics;
use super::notices::NoticeCounts;
use super::queue_counts::QueueCounts;
use super::{Acceptance, Claim, ClaimDue, Claimed, ClientUse, Counts, Due, Error, SessionRow};
use crate::clock::Millis;
use crate::history::Entry;
use crate::id::JobId;
use crate::job::{Applied, Call, Change, Expect, Job, Key, NewJob, Owner, Rank, Stamp, Step};

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
    /// Bytes of the sessions' rows.
    session_bytes: u64,
    counts: Counts,
    /// What each client's jobs use; no client whose jobs use nothing.
    clients: BTreeMap<Key, ClientUse>,
    queues: QueueCounts,
    /// What became of events since this was reported last.
    notices: NoticeCounts,
    /// The size of all records.
    taken: u64,
    budget: Option<u64>,
    high_water: Millis,
    /// Engines so far; to the jobs, each is a process of its own.
    epoch: u64,
    closed: bool,
}

#[derive(Debug)]
struct Record {
    job: Job,
    call: Call,
    fingerprint: [u8; 32],
    params: Option<Bytes>,
    body: Option<Bytes>,
    token: Option<Bytes>,
    history: VecDeque<(u32, Entry)>,
}

impl Record {
    /// Keeps what a change brings in addition to the header.
    fn keep(&mut self, change: Change) {
        match change {
            Change::Finish { body, .. } => {
                self.params = None;
                self.body = Some(body);
            }
            Change::Evict => self.body = None,
            Change::ResumeToken { token } => self.token = Some(token),
            Change::Attempted(entry) => self.note(entry),
            _ => {}
        }
        if !self.job.has_resume_token {
            self.token = None;
        }
    }
}

impl Memory {
    /// An empty store without a size limit that reports to `metrics`.
    pub fn new(metrics: Metrics) -> Self {
        Self::bounded(None, metrics)
    }

    /// An empty store that may use this many bytes.
    pub fn bounded(budget: Option<u64>, metrics: Metrics) -> Self {
        metrics.set_up(true);
        let state = State {
            budget,
            epoch: 1,
            ..State::default()
        };
        metrics.set_space(&state.space());
        Self {
            state: Mutex::new(state),
            metrics,
        }
    }

    /// From now on the jobs belong to the next process, and steps of the last one change nothing.
    #[cfg(test)]
    pub(crate) fn restart(&self) {
        self.lock().epoch += 1;
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.lock();
        if state.closed {
            return Err(Error::Down("it is closed".to_owned()));
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
        self.metrics.notified(std::mem::take(&mut state.notices));
        self.metrics.set_jobs(&state.counts);
        self.metrics.set_space(&state.space());
        Ok(answer)
    }
}

impl State {
    fn accept(&mut self, new: NewJob) -> Result<Acceptance, Error> {
        if let Some(id) = self.dedupe.get(&new.dedupe.key).copied() {
            if self.jobs[&id].fingerprint != new.dedupe.fingerprint {
                return Ok(Acceptance::Conflict(id));
            }
            self.name(id, &new.names, new.at);
            return Ok(Acceptance::Same(id));
        }
        if self.jobs.contains_key(&new.id) {
            return Err(Error::Corrupt(format!("job {} exists already", new.id)));
        }
        let job = Job::accepted(&new);
        let used = self.client_use(job.client);
        if let Some(limit) = used.refuses(&new, &self.space()) {
            return Ok(Acceptance::ClientFull(limit));
        }
        if self.queues.queued_for(job.server) >= new.max_queued {
            return Ok(Acceptance::ServerFull);
        }
        let record = Record {
            job,
            call: new.call,
            fingerprint: new.dedupe.fingerprint,
            params: Some(new.params),
            body: None,
            token: None,
            history: VecDeque::new(),
        };
        if !self.space().holds_job(record.weight()) {
            return Ok(Acceptance::Full);
        }
        self.dedupe.insert(new.dedupe.key, new.id);
        self.find_by(&record.job);
        self.file(None, Some(&record.job));
        self.passed(new.at);
        self.taken += record.weight();
        self.jobs.insert(new.id, record);
        Ok(Acceptance::New(new.id))
    }

    fn owner(&self) -> Owner {
        Owner {
            replica: 0,
            epoch: self.epoch,
        }
    }

    fn check_owner(&self, stamp: Stamp) -> Result<(), Error> {
        if stamp.by == self.owner() {
            Ok(())
        } else {
            Err(Error::Fenced)
        }
    }

    fn apply(&mut self, id: JobId, step: Step) -> Applied {
        if step.stamp.by != self.owner() {
            return Applied::Fenced;
        }
        let Some(record) = self.jobs.get_mut(&id) else {
            return Applied::Gone;
        };
        let before = record.job.clone();
        let Some(after) = before.after_step(&step) else {
            return Applied::Moved(before);
        };
        self.taken -= record.weight();
        record.job = after.clone();
        let notice = step.changes.iter().find_map(Change::notice).cloned();
        for change in step.changes {
            record.keep(change);
        }
        self.taken += record.weight();
        if before.names.len() < after.names.len() {
            self.find_by(&after);
        }
        if before.version < after.version {
            self.file(Some(&before), Some(&after));
            self.passed(step.stamp.at);
        }
        if let Some(notice) = notice.filter(|_| !after.is_notice()) {
            self.notify(notice, step.stamp.at);
        }
        Applied::Applied(after)
    }

    /// Files a job under its names, except those of other jobs.
    fn find_by(&mut self, job: &Job) {
        for name in &job.names {
            self.dedupe.entry(*name).or_insert(job.id);
        }
    }

    /// Files a job that has not ended under more names.
    fn name(&mut self, id: JobId, names: &[[u8; 32]], at: Millis) {
        let changes = names.iter().map(|name| Change::Name { name: *name }).collect();
        let by = self.owner();
        let expect = Expect::Any;
        let stamp = Stamp { by, at };
        let _ended = self.apply(
            id,
            Step {
                expect,
                stamp,
                changes,
            },
        );
    }

    fn claim_queued(&mut self, id: JobId, stamp: Stamp) -> Claim {
        let changes = vec![Change::Start];
        let expect = Expect::Any;
        let Applied::Applied(job) = self.apply(
            id,
            Step {
                expect,
                stamp,
                changes,
            },
        ) else {
            return Claim::Passed;
        };
        let record = &self.jobs[&id];
        Claim::Claimed(Box::new(Claimed {
            job,
            call: record.call.clone(),
            params: record.params.clone().unwrap_or_default(),
        }))
    }

    fn oldest_queued(&self) -> Option<Millis> {
        let oldest = self.index.oldest_queued()?;
        Some(self.jobs.get(&oldest)?.job.accepted)
    }

    fn claim_due(&mut self, claim: &ClaimDue) -> Due {
        let (receiver, stamp) = (claim.receiver, claim.stamp);
        let mut ids = self.due(claim, Rank::Live, claim.room);
        let left = claim.replays.min(claim.room - ids.len());
        ids.extend(self.due(claim, Rank::Replayed, left));
        let step = Step {
            expect: Expect::Any,
            stamp,
            changes: vec![Change::Claim],
        };
        let claimed = ids
            .into_iter()
            .filter_map(|id| self.apply(id, step.clone()).job());
        Due {
            claimed: claimed.collect(),
            next: Rank::ALL.map(|rank| self.index.next_due(receiver, rank)),
        }
    }

    /// The first jobs of a rank that the claim takes.
    fn due(&self, claim: &ClaimDue, rank: Rank, room: usize) -> Vec<JobId> {
        let reads = claim.reads(room);
        let mut ids = self.index.due(claim.receiver, rank, claim.stamp.at, reads);
        let client = |id: &JobId| self.jobs[id].job.client;
        ids.retain(|id| !claim.passed_over.contains(&client(id)));
        ids.sort_by_key(|id| claim.last == Some(client(id)));
        ids.truncate(room);
        ids
    }

    fn swap_session(&mut self, sid: [u8; 16], row: SessionRow) -> Result<bool, Error> {
        let before = self.sessions.get(&sid);
        if before.map_or(0, |row| row.version).checked_add(1) != Some(row.version) {
            return Ok(false);
        }
        let (size, known) = (row.weight(), before.map_or(0, SessionRow::weight));
        let others = self.session_bytes.saturating_sub(known);
        if size > known && !self.space().holds_sessions(others + size) {
            return Err(Error::SessionsFull);
        }
        if let Some(before) = before {
            self.expiring.remove(&(before.expires, sid));
        }
        self.session_bytes = others + size;
        self.expiring.insert((row.expires, sid));
        self.sessions.insert(sid, row);
        Ok(true)
    }

    /// Updates a job's index rows and counts.
    fn file(&mut self, before: Option<&Job>, after: Option<&Job>) {
        if let Some(job) = before {
            self.index.remove(job);
        }
        if let Some(job) = after {
            self.index.insert(job);
        }
        self.counts
            .shift(before.map(|job| job.state), after.map(|job| job.state));
        self.queues.shift(before, after);
        if let Some(job) = before.or(after) {
            let used = self.clients.entry(job.client).or_default();
            used.shift(before, after);
            if used.is_nothing() {
                self.clients.remove(&job.client);
            }
        }
    }

    fn client_use(&self, client: Key) -> ClientUse {
        self.clients.get(&client).copied().unwrap_or_default()
    }

    fn passed(&mut self, now: Millis) {
        self.high_water = self.high_water.max(now);
    }
}

#[cfg(test)]
mod tests;
