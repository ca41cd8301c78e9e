//! Where jobs live: one trait, one conformance suite, and the stores that pass it.
//!
//! The engine and the data plane hold an `Arc<dyn Store>`. Invariant: a method that
//! changes something returns only after the change is as durable as the store can
//! make it, and a change is there as a whole or not at all.

pub mod memory;
pub mod metrics;
pub mod redb;
pub mod scan;
pub mod seal;
pub mod space;

mod codec;
#[cfg(test)]
mod conformance;
mod lanes;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use self::scan::Scan;
pub use self::space::Space;
use crate::clock::Millis;
use crate::history::Entry;
use crate::id::JobId;
use crate::job::{Call, Change, Job, Key, NewJob, Rank};
use crate::state::{Exec, Push, State};

/// A store failed. Nobody may be told that what was asked for happened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The commit failed, or the store is closed. A commit that failed may yet be found
    /// durable when the store is up again: ask again, do not assume.
    #[error("the store is down: {0}")]
    Down(String),
    /// A row cannot be read.
    #[error("the store is corrupt: {0}")]
    Corrupt(String),
    /// A value is whole, but sealed with a key that is not in the key ring: it waits for the key.
    #[error(
        "the store has a value that is sealed with key {key}, which is not in the key ring; put the key back \
         (in a cluster into `store.json` of the Secret <route>-keys, else into `store.json` of the state directory)"
    )]
    Sealed {
        /// The key's id.
        key: u32,
    },
    /// Written by a newer version than this one.
    #[error(
        "the store has format {found}, and this version reads up to {known}: start the version that wrote it, or a newer one"
    )]
    NewerFormat {
        /// What the file says.
        found: u32,
        /// What this version knows.
        known: u32,
    },
}

impl Error {
    /// A closed set: the metric label and the word in `/status`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Down(_) => "StoreDown",
            Self::Corrupt(_) => "StoreCorrupt",
            Self::Sealed { .. } => "StoreKeyMissing",
            Self::NewerFormat { .. } => "StoreNewerFormat",
        }
    }
}

/// What came of an acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// A new job.
    New(JobId),
    /// The same call was accepted before; this is its job.
    Same(JobId),
    /// The same key, but other arguments: nothing was accepted.
    Conflict(JobId),
    /// The client has as many jobs pending as it may have: nothing was accepted.
    ClientFull,
    /// As many jobs are queued for the server as may be: nothing was accepted.
    ServerFull,
    /// The store has no room for another job: nothing was accepted.
    Full,
}

/// How many jobs are where; kept in the same commit as the jobs, never by a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting for execution.
    pub queued: u64,
    /// Executing.
    pub running: u64,
    /// Waiting for an attempt.
    pub due: u64,
    /// In an attempt.
    pub sending: u64,
    /// Dead letters.
    pub dead: u64,
}

impl Counts {
    /// Jobs that something is still to happen to.
    pub fn pending(&self) -> u64 {
        self.queued + self.running + self.due + self.sending
    }

    /// Counts a job that went from `before` to `after`; `None` is before acceptance or after removal.
    pub fn shift(&mut self, before: Option<State>, after: Option<State>) {
        if let Some(count) = before.and_then(|state| self.slot(state)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = after.and_then(|state| self.slot(state)) {
            *count += 1;
        }
    }

    /// Where a job in `state` is counted; a job that is over is counted nowhere.
    fn slot(&mut self, state: State) -> Option<&mut u64> {
        match (state.exec, state.push) {
            (Exec::Queued, _) => Some(&mut self.queued),
            (Exec::Running, _) => Some(&mut self.running),
            (_, Push::Due) => Some(&mut self.due),
            (_, Push::Sending) => Some(&mut self.sending),
            (_, Push::Dead(_)) => Some(&mut self.dead),
            _ => None,
        }
    }
}

/// A key that values of the store are sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Its id in the key ring.
    pub id: u32,
    /// How many values.
    pub values: u64,
    /// Whether it is in the key ring. Values of one that is not wait for it.
    pub known: bool,
}

/// What a session may remember beyond its sealed id. The data plane owns the bytes' meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Counts writes; 0 is "no row yet".
    pub version: u64,
    /// When the row may go.
    pub expires: Millis,
    /// At most 16 KiB.
    pub bytes: Bytes,
}

/// The times that [`Store::sweep`] compares with.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The time now: session rows that expired before it go.
    pub now: Millis,
    /// Delivered, stopped and polled-only jobs settled before this go.
    pub settled_before: Millis,
    /// Dead letters buried before this go.
    pub dead_before: Millis,
    /// At most so many jobs and sessions at once.
    pub limit: usize,
}

/// How old the written time may grow while nothing else is written.
const HEARTBEAT: Duration = Duration::from_hours(1);

/// A durable home for jobs and session rows. All times are arguments.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Accepts a call, once per dedupe key for as long as its job is kept. An id that is taken
    /// already is an error, and the job that has it stays as it is.
    async fn accept(&self, job: NewJob) -> Result<Acceptance, Error>;

    /// Applies `changes` to one job in one commit. `None`, and nothing changed, if the job is gone
    /// or any of them is no step of the state table. No `changes` change nothing.
    async fn apply(&self, id: JobId, changes: Vec<Change>, now: Millis) -> Result<Option<Job>, Error>;

    /// A job's header.
    async fn job(&self, id: JobId) -> Result<Option<Job>, Error>;

    /// A job's snapshot.
    async fn call(&self, id: JobId) -> Result<Option<Call>, Error>;

    /// The raw `params` for the server; gone once the call ended.
    async fn params(&self, id: JobId) -> Result<Option<Bytes>, Error>;

    /// The body to deliver; there once the call ended, until it was delivered and [`Self::reclaim`] took it.
    async fn body(&self, id: JobId) -> Result<Option<Bytes>, Error>;

    /// The handle of the execution under way, if one was kept; gone with the execution.
    async fn handle(&self, id: JobId) -> Result<Option<Bytes>, Error>;

    /// The job that was accepted under this dedupe key.
    async fn find(&self, dedupe: [u8; 32]) -> Result<Option<JobId>, Error>;

    /// The servers that jobs are queued for. O(servers).
    async fn lanes(&self) -> Result<Vec<Key>, Error>;

    /// The oldest queued job of the next client after `after` in the lane of `server`, going round;
    /// taking each answer's client as the next `after` is fair to all clients.
    async fn next_queued(&self, server: Key, after: Option<Key>) -> Result<Option<(Key, JobId)>, Error>;

    /// The oldest queued jobs of one client in the lane of `server`.
    async fn queued(&self, server: Key, client: Key, limit: usize) -> Result<Vec<JobId>, Error>;

    /// How many jobs of one client something is still to happen to.
    async fn pending_of(&self, client: Key) -> Result<u64, Error>;

    /// Jobs that were running or sending: what a new process must look after.
    async fn inflight(&self) -> Result<Vec<Job>, Error>;

    /// The receivers that deliveries are due for, and when each one's earliest of each rank is. O(receivers).
    async fn receivers(&self) -> Result<Vec<(Key, Rank, Millis)>, Error>;

    /// Jobs of a rank that are due for `receiver` by `now`, earliest first.
    async fn due(&self, receiver: Key, rank: Rank, now: Millis, limit: usize) -> Result<Vec<JobId>, Error>;

    /// When the earliest delivery of a rank for `receiver` is due.
    async fn next_due(&self, receiver: Key, rank: Rank) -> Result<Option<Millis>, Error>;

    /// Looks through jobs for people: by acceptance, and dead letters by when they died. Bounded by what
    /// the scan allows, not by how many jobs there are.
    async fn scan(&self, scan: Scan) -> Result<scan::Found, Error>;

    /// What [`Change::Note`] wrote of a job: the newest entries up to [`crate::history::KEPT`], numbered
    /// from 1, oldest first. They go with the job.
    async fn history(&self, id: JobId) -> Result<Vec<(u32, Entry)>, Error>;

    /// The result's time of the oldest job that failed its first attempt and is not over.
    async fn oldest_waiting(&self) -> Result<Option<Millis>, Error>;

    /// Removes what is over and old, oldest first: sessions, then jobs, then dead letters. Says how
    /// many jobs and sessions went; as many as `limit` means that there may be more. Writes down the time once
    /// an hour where nothing goes, so that [`Self::high_water`] tells how long no process lived.
    async fn sweep(&self, sweep: Sweep) -> Result<usize, Error>;

    /// Gives the room of delivered results back, oldest first, before their time: at most `limit` at once.
    /// Such a job has no body any more and is otherwise kept. Says how many; fewer than `limit` means that
    /// there are no more for now.
    async fn reclaim(&self, limit: usize) -> Result<usize, Error>;

    /// How much room is taken and may be. New jobs that do not fit are refused with [`Acceptance::Full`];
    /// whoever starts executions asks [`Space::executions`] before.
    fn space(&self) -> Space;

    /// How many jobs are where.
    fn counts(&self) -> Counts;

    /// Whether commits succeed at present.
    fn is_up(&self) -> bool;

    /// The highest time that a committed change was made at: where a new process's clock may start.
    fn high_water(&self) -> Millis;

    /// The keys that values are sealed with; a key that is not listed may leave the key ring, unless
    /// it is the one that seals.
    fn keys(&self) -> Vec<KeyUse> {
        Vec::new()
    }
    /// A session's row, until a sweep removes it.
    async fn session(&self, sid: [u8; 16]) -> Result<Option<SessionRow>, Error>;

    /// Writes a session's row if its version is still `row.version - 1` (no row is version 0);
    /// says whether it did.
    async fn swap_session(&self, sid: [u8; 16], row: SessionRow) -> Result<bool, Error>;

    /// Makes everything durable and refuses what comes later.
    async fn close(&self) -> Result<(), Error>;
}
