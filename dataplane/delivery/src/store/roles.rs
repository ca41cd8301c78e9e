//! What a store does, split by who uses it.
//!
//! The engine accepts and changes jobs ([`Jobs`]) and claims them ([`Queues`]), administrators search them
//! ([`People`]), the housekeeping removes what is over ([`Upkeep`]), the data plane keeps its sessions
//! ([`SessionRows`]). Invariant: a method that changes something returns only after the change is as durable
//! as the store can make it, and a change is there as a whole or not at all. All times are arguments.

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Acceptance, Claim, ClaimDue, ClientUse, Counts, Due, Error, Evict, Evicted, KeyUse, Scan, SessionRow,
    Space, Sweep, scan,
};
use crate::clock::Millis;
use crate::history::Entry;
use crate::id::JobId;
use crate::job::{Applied, Call, Job, Key, NewJob, Owner, Rank, Receiver, Stamp, Step};

/// An undelivered result: the time from which its age counts, and its job.
pub type Waiting = (Millis, JobId);

/// A durable home for jobs and session rows.
#[async_trait]
pub trait Store: Ownership + Jobs + Queues + People + Upkeep + SessionRows {
    /// Makes everything durable and refuses what comes later.
    async fn close(&self) -> Result<(), Error>;
}

/// Which jobs this process may change.
pub trait Ownership: Send + Sync + 'static {
    /// This process, as the jobs name it that it runs or sends.
    fn owner(&self) -> Owner;
}

/// Accepting jobs, changing them, and reading what belongs to one.
#[async_trait]
pub trait Jobs: Send + Sync + 'static {
    /// Accepts a call, once per dedupe key for as long as its job is kept. If the call was accepted before, its job gets
    /// the new names, too. An id that exists already is an error, and its job stays as it is.
    async fn accept(&self, job: NewJob) -> Result<Acceptance, Error>;

    /// Applies a step to one job in one commit. No changes change nothing.
    async fn apply(&self, id: JobId, step: Step) -> Result<Applied, Error>;

    /// A job's header.
    async fn job(&self, id: JobId) -> Result<Option<Job>, Error>;

    /// A job's snapshot.
    async fn call(&self, id: JobId) -> Result<Option<Call>, Error>;

    /// The raw `params` for the server; gone once the call ended.
    async fn params(&self, id: JobId) -> Result<Option<Bytes>, Error>;

    /// The body to deliver: from the end of the call until it was delivered and [`Upkeep::reclaim`] deleted it.
    async fn body(&self, id: JobId) -> Result<Option<Bytes>, Error>;

    /// The resume token of the execution in progress, if there is one; removed when the execution ends.
    async fn resume_token(&self, id: JobId) -> Result<Option<Bytes>, Error>;

    /// The job that was accepted under this dedupe key, or has this name.
    async fn find(&self, dedupe: [u8; 32]) -> Result<Option<JobId>, Error>;
}

/// What waits, and claiming it.
#[async_trait]
pub trait Queues: Send + Sync + 'static {
    /// The servers that jobs are queued for. O(servers).
    async fn queued_servers(&self) -> Result<Vec<Key>, Error>;

    /// The oldest queued job of the next client after `after` in the queue of `server`, going round;
    /// taking each answer's client as the next `after` is fair to all clients.
    async fn next_queued(&self, server: Key, after: Option<Key>) -> Result<Option<(Key, JobId)>, Error>;

    /// The oldest queued jobs of one client in the queue of `server`.
    async fn queued(&self, server: Key, client: Key, limit: usize) -> Result<Vec<JobId>, Error>;

    /// Starts these queued jobs in one commit. Returns one result for each, in order; [`Error::Fenced`] if another
    /// process owns the jobs now.
    async fn claim_queued(&self, ids: &[JobId], stamp: Stamp) -> Result<Vec<Claim>, Error>;

    /// Claims what is due for one receiver, earliest first, in one commit; [`Error::Fenced`] as above.
    async fn claim_due(&self, claim: ClaimDue) -> Result<Due, Error>;

    /// The receivers that deliveries are due for, and when each one's earliest of each rank is. O(receivers).
    async fn receivers(&self) -> Result<Vec<(Receiver, Rank, Millis)>, Error>;

    /// Jobs of a rank that are due for `receiver` by `now`, earliest first.
    async fn due(
        &self,
        receiver: Receiver,
        rank: Rank,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<JobId>, Error>;

    /// When the earliest delivery of a rank for `receiver` is due.
    async fn next_due(&self, receiver: Receiver, rank: Rank) -> Result<Option<Millis>, Error>;

    /// Jobs that are running or being sent, whichever process owns them.
    async fn in_flight(&self) -> Result<Vec<Job>, Error>;
}

/// Searching jobs.
#[async_trait]
pub trait People: Send + Sync + 'static {
    /// Lists jobs: by acceptance, and dead letters by when they failed. Bounded by what the scan allows, not by how many
    /// jobs there are.
    async fn scan(&self, scan: Scan) -> Result<scan::Found, Error>;

    /// What [`crate::job::Change::Attempted`] wrote of a job: the newest entries up to
    /// [`crate::history::KEPT`], numbered from 1, oldest first. They go with the job.
    async fn history(&self, id: JobId) -> Result<Vec<(u32, Entry)>, Error>;

    /// Removes a job that is over, with all that is kept of it and its dedupe key. [`Applied::Applied`] with the job as it
    /// was; [`Applied::Moved`] if it is not over.
    async fn remove(&self, id: JobId, stamp: Stamp) -> Result<Applied, Error>;

    /// What one client's jobs use.
    async fn client_use(&self, client: Key) -> Result<ClientUse, Error>;
}

/// Housekeeping, and totals over all jobs.
#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// Removes what is over and old, oldest first: sessions, then jobs, then dead letters. Returns how many jobs and
    /// sessions were removed; as many as `limit` means that there may be more. Stores the time once an hour if there is
    /// nothing to remove, so that [`Self::high_water`] shows for how long no process ran.
    async fn sweep(&self, sweep: Sweep) -> Result<usize, Error>;

    /// Deletes delivered results early, oldest first, at most `limit` at once. Such a job has no body any more and is
    /// otherwise kept. Returns how many; fewer than `limit` means that there are no more for now.
    async fn reclaim(&self, limit: usize) -> Result<usize, Error>;

    /// Deletes bodies of dead letters and of stopped deliveries: the oldest ones of the client that uses the most of the
    /// store among those that have any. `None` if nobody has. They stay as dead letters, and are not replayed any more.
    async fn evict(&self, evict: Evict) -> Result<Option<Evicted>, Error>;

    /// When the oldest queued job was accepted. O(clients).
    async fn oldest_queued(&self) -> Result<Option<Millis>, Error>;

    /// Undelivered results that wait for an attempt, or are in a repeated one, by the time from which their age counts:
    /// oldest first, those after `after`, and from before `before`.
    async fn waiting(
        &self,
        after: Option<Waiting>,
        before: Millis,
        limit: usize,
    ) -> Result<Vec<Waiting>, Error>;

    /// The time from which the age of the oldest of them counts.
    async fn oldest_waiting(&self) -> Result<Option<Millis>, Error> {
        let oldest = self.waiting(None, Millis(u64::MAX), 1).await?;
        Ok(oldest.first().map(|(since, _)| *since))
    }

    /// How much space is used and may be used. New jobs that do not fit are refused with [`Acceptance::Full`]; the
    /// scheduler calls [`Space::executions`] before it starts any.
    fn space(&self) -> Space;

    /// How many jobs are in each state.
    fn counts(&self) -> Counts;

    /// Whether commits succeed at present.
    fn is_up(&self) -> bool;

    /// The highest time of a committed change: a new process's clock does not start before it.
    fn high_water(&self) -> Millis;

    /// The keys with which values are encrypted. A key that is not listed may be removed from the key ring, unless it is
    /// the one for new values.
    fn keys(&self) -> Vec<KeyUse> {
        Vec::new()
    }
}

/// What is stored of sessions.
#[async_trait]
pub trait SessionRows: Send + Sync + 'static {
    /// A session's row, until a sweep removes it.
    async fn session(&self, sid: [u8; 16]) -> Result<Option<SessionRow>, Error>;

    /// Writes a session's row if its version is still `row.version - 1` (no row is version 0). Returns whether it was
    /// written. [`Error::SessionsFull`] if the row is new or larger than before and there is no space for it.
    async fn swap_session(&self, sid: [u8; 16], row: SessionRow) -> Result<bool, Error>;
}
